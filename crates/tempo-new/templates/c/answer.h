// The text of a response. It uses nothing of the host, so a test can call it.

#include <stdio.h>

// Writes the text for a path of `length` bytes to `text`, and returns its length, which is less than `capacity`.
static inline size_t answer(const char *path, size_t length, char *text, size_t capacity) {
    int written = snprintf(text, capacity, "Hello from __NAME__: %.*s\n", (int)length, path);
    if (written < 0) return 0;
    return (size_t)written < capacity ? (size_t)written : capacity - 1;
}
