/* memory.c - see memory.h. */
#include "core/base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static void *
or_abort(void *p)
{
    if (p == NULL) {
        fputs("shardd: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *
mem_alloc(size_t bytes)
{
    return or_abort(calloc(1, bytes != 0 ? bytes : 1));
}

void *
mem_resize(void *p, size_t bytes)
{
    return or_abort(realloc(p, bytes != 0 ? bytes : 1));
}

char *
mem_strndup(const void *text, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len != 0)
        memcpy(copy, text, len);
    return copy;
}

char *
mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}
