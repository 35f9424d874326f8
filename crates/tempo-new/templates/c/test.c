// make test: tests the text of a response.

#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "answer.h"


int main(void) {
    char text[64];
    size_t length = answer("/a/path", 7, text, sizeof text);
    assert(length == strlen(text));
    assert(strcmp(text, "Hello from __NAME__: /a/path\n") == 0);
    assert(answer("/a/path", 7, text, 8) == 7);
    return 0;
}
