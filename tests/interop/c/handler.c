// A wasi:http 0.2 handler in C, on the canonical ABI, as generated bindings use it. The build defines WASI as the
// version of the interfaces, such as "0.2.12".

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))

#define HTTP "wasi:http/types@" WASI
#define STREAMS "wasi:io/streams@" WASI

// Resource handles are numbers. Results that need more than one number are written to the address in the last argument.
IMPORT(HTTP, "[constructor]fields") int32_t fields_new(void);
IMPORT(HTTP, "[method]fields.append") void fields_append(int32_t self, const char *name, size_t name_length,
                                                         const char *value, size_t value_length, uint8_t *result);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(int32_t self, void *result);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(int32_t self);
IMPORT(HTTP, "[constructor]outgoing-response") int32_t response_new(int32_t headers);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(int32_t self, void *result);
IMPORT(HTTP, "[static]response-outparam.set") void response_set(int32_t out, int32_t is_error, int32_t response,
                                                                int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(int32_t self, void *result);
IMPORT(HTTP, "[static]outgoing-body.finish") void body_finish(int32_t self, int32_t has_trailers, int32_t trailers,
                                                              void *result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush") void stream_write(int32_t self, const char *bytes,
                                                                                    size_t length, void *result);
IMPORT(STREAMS, "[resource-drop]output-stream") void stream_drop(int32_t self);

// result<own<T>>
typedef struct {
    uint8_t is_error;
    int32_t handle;
} handle_result;

// option<string>
typedef struct {
    uint8_t is_some;
    char *bytes;
    size_t length;
} optional_string;

// The host allocates memory for its results.
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t new_size) {
    (void)old_size;
    if (new_size == 0) return (void *)align;
    void *memory = realloc(old, new_size);
    if (memory == NULL) abort();
    return memory;
}

static void write_text(int32_t stream, const char *text, size_t length) {
    uint64_t result[3];
    stream_write(stream, text, length, result);
}

EXPORT("wasi:http/incoming-handler@" WASI "#handle") void handle(int32_t request, int32_t out) {
    static const char name[] = "content-type", value[] = "text/plain", greeting[] = "hello from C: ";
    optional_string path = {0};
    handle_result body = {0}, stream = {0};
    uint64_t ignored[8];

    request_path(request, &path);
    request_drop(request);

    int32_t headers = fields_new();
    fields_append(headers, name, sizeof name - 1, value, sizeof value - 1, (uint8_t *)ignored);
    int32_t response = response_new(headers);
    response_body(response, &body);
    response_set(out, 0, response, 0, 0, 0, 0, 0, 0);
    if (body.is_error) return;

    body_write(body.handle, &stream);
    if (!stream.is_error) {
        write_text(stream.handle, greeting, sizeof greeting - 1);
        if (path.is_some) write_text(stream.handle, path.bytes, path.length);
        // A stream is a child of its body: it must be dropped before the body is finished.
        stream_drop(stream.handle);
    }
    body_finish(body.handle, 0, 0, ignored);
    free(path.bytes);
}
