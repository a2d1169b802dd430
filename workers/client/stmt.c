/* stmt.c - see stmt.h. */
#include "workers/client/stmt.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/memory.h"

enum { ERR_TOO_BIG = 1153 /* ER_NET_PACKET_TOO_LARGE */ };

struct prepared *
stmts_add(struct stmts *s, struct span text, uint32_t n_params)
{
    struct prepared *p = mem_alloc(sizeof(*p));

    p->id    = ++s->next_id;
    p->text  = (struct span){ (uint8_t *)mem_strndup(text.ptr, text.len), text.len };
    p->next  = s->first;
    s->first = p;
    s->n++;
    s->bytes += text.len;
    prepared_set_params(p, n_params);
    return p;
}

/* The newest first: clients run what they prepared last. */
struct prepared *
stmts_find(const struct stmts *s, uint32_t id)
{
    for (struct prepared *p = s->first; p != NULL; p = p->next)
        if (p->id == id)
            return p;
    return NULL;
}

static void
prepared_free(struct stmts *s, struct prepared *p)
{
    prepared_reset(s, p);
    s->bytes -= p->text.len;
    free((void *)(uintptr_t)p->text.ptr);
    free(p->types);
    free(p);
}

void
stmts_remove(struct stmts *s, uint32_t id)
{
    for (struct prepared **at = &s->first; *at != NULL; at = &(*at)->next)
        if ((*at)->id == id) {
            struct prepared *old = *at;
            *at = old->next;
            s->n--;
            prepared_free(s, old);
            return;
        }
}

void
stmts_clear(struct stmts *s)
{
    while (s->first != NULL)
        stmts_remove(s, s->first->id);
}

void
prepared_set_params(struct prepared *p, uint32_t n)
{
    p->n_params = n;
    p->types    = mem_resize(p->types, (n + 1) * sizeof(*p->types));
    for (uint32_t i = 0; i < n; i++)
        p->types[i] = PARAM_UNBOUND;
}

void
prepared_append(struct stmts *s, struct prepared *p, uint16_t param, struct span bytes,
                size_t limit)
{
    if (p->failed != NULL)
        return;
    if (param >= p->n_params || s->bytes + bytes.len > limit) {
        p->failed = mem_alloc(sizeof(*p->failed));
        if (param >= p->n_params)
            sql_error_set(p->failed, 1210, "Incorrect arguments to mysqld_stmt_send_long_data");
        else
            sql_error_set(p->failed, ERR_TOO_BIG, "shardd: the prepared statements and their "
                          "parameters are larger than max_packet_bytes");
        return;
    }
    if (p->long_data == NULL) {
        p->long_data  = mem_alloc(p->n_params * sizeof(*p->long_data));
        p->long_bytes = p->n_params * sizeof(*p->long_data);
        s->bytes     += p->long_bytes;
    }
    p->long_data[param].set = true;
    buf_append_span(&p->long_data[param].bytes, bytes);
    p->long_bytes += bytes.len;
    s->bytes      += bytes.len;
}

void
prepared_reset(struct stmts *s, struct prepared *p)
{
    s->bytes -= p->long_bytes;
    for (uint32_t i = 0; p->long_data != NULL && i < p->n_params; i++)
        buf_fini(&p->long_data[i].bytes);
    free(p->long_data);
    free(p->failed);
    p->long_data  = NULL;
    p->failed     = NULL;
    p->long_bytes = 0;
}
