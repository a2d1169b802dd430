/* named.c - see named.h: the list. */
#include "workers/client/named.h"

#include <stdlib.h>

#include "core/base/memory.h"

struct named *
named_find(const struct named_list *l, struct span name)
{
    for (struct named *at = l->first; at != NULL; at = at->next)
        if (span_equal_nocase(at->name, name))
            return at;
    return NULL;
}

static struct span
put(uint8_t **at, struct span s)
{
    struct span copy = { *at, s.len };

    if (s.len != 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return copy;
}

void
named_add(struct named_list *l, const struct named *from)
{
    size_t        bytes = from->name.len + from->text.len + from->schema.len;
    struct named *new   = mem_alloc(sizeof(*new) + bytes);
    uint8_t      *at    = (uint8_t *)(new + 1);

    *new        = *from;
    new->name   = put(&at, from->name);
    new->text   = put(&at, from->text);
    new->schema = put(&at, from->schema);
    new->next   = l->first;
    l->first    = new;
    l->n++;
    l->bytes += new->text.len;
}

bool
named_remove(struct named_list *l, struct span name)
{
    struct named **at = &l->first;

    while (*at != NULL && !span_equal_nocase((*at)->name, name))
        at = &(*at)->next;
    if (*at == NULL)
        return false;
    struct named *old = *at;
    *at = old->next;
    l->n--;
    l->bytes -= old->text.len;
    free(old);
    return true;
}

void
named_clear(struct named_list *l)
{
    while (l->first != NULL)
        named_remove(l, l->first->name);
}
