/* memory.c - see memory.h. */
#include "core/base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/proc.h"

enum {
    USEFUL    = MEM_SLACK / 4,
    SKIP_MOST = 63, /* looks */
};

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

void
mem_give_back(struct mem_rest *r)
{
    uint64_t before = proc_resident(), after;

    if (r->least == 0 || before < r->least)
        r->least = before;
    if (before <= r->least + MEM_SLACK || r->skip > 0) {
        r->skip -= r->skip > 0;
        return;
    }
    malloc_trim(0);
    after   = proc_resident();
    r->wait = after + USEFUL < before ? 0 : r->wait < SKIP_MOST ? 2 * r->wait + 1 : SKIP_MOST;
    r->skip = r->wait;
}
