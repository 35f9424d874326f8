// The functions of wasi:http and wasi:io that the handler calls, on the canonical ABI: handles of resources are numbers, and
// a result that needs more than one number is written to the address in the last argument.

#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))

#define HTTP "wasi:http/types@0.2.10"
#define STREAMS "wasi:io/streams@0.2.10"

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

IMPORT(HTTP, "[constructor]fields") int32_t fields_new(void);
IMPORT(HTTP, "[method]fields.append")
void fields_append(int32_t self, const char *name, size_t name_length, const char *value, size_t value_length, void *result);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(int32_t self, optional_string *result);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(int32_t self);
IMPORT(HTTP, "[constructor]outgoing-response") int32_t response_new(int32_t headers);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(int32_t self, handle_result *result);
IMPORT(HTTP, "[static]response-outparam.set")
void response_set(int32_t out, int32_t is_error, int32_t response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);
IMPORT(HTTP, "[method]outgoing-body.write") void body_write(int32_t self, handle_result *result);
IMPORT(HTTP, "[static]outgoing-body.finish")
void body_finish(int32_t self, int32_t has_trailers, int32_t trailers, void *result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(int32_t self, const char *bytes, size_t length, void *result);
IMPORT(STREAMS, "[resource-drop]output-stream") void stream_drop(int32_t self);
