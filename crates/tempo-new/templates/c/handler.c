// An HTTP handler over WASI 0.2.

#include <stdlib.h>

#include "answer.h"
#include "wasi.h"

// The host allocates memory for its results.
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t new_size) {
    (void)old_size;
    if (new_size == 0) return (void *)align;
    void *memory = realloc(old, new_size);
    if (memory == NULL) abort();
    return memory;
}

EXPORT("wasi:http/incoming-handler@0.2.10#handle") void handle(int32_t request, int32_t out) {
    static const char name[] = "content-type", value[] = "text/plain";
    static char text[4096];
    optional_string path = {0};
    handle_result body = {0}, stream = {0};
    uint64_t ignored[8];

    request_path(request, &path);
    request_drop(request);
    size_t length = answer(path.is_some ? path.bytes : "/", path.is_some ? path.length : 1, text, sizeof text);
    free(path.bytes);

    int32_t headers = fields_new();
    fields_append(headers, name, sizeof name - 1, value, sizeof value - 1, ignored);
    int32_t response = response_new(headers);
    response_body(response, &body);
    response_set(out, 0, response, 0, 0, 0, 0, 0, 0);
    if (body.is_error) return;

    body_write(body.handle, &stream);
    if (!stream.is_error) {
        // One call writes at most 4,096 bytes.
        stream_write(stream.handle, text, length, ignored);
        // A stream is a child of its body: it must be dropped before the body is finished.
        stream_drop(stream.handle);
    }
    body_finish(body.handle, 0, 0, ignored);
}
