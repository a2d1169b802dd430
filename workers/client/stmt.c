/* stmt.c - see stmt.h. */
#include "workers/client/stmt.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/base/memory.h"
#include "workers/query/row_cursor.h"

enum { ERR_TOO_BIG = 1153 /* ER_NET_PACKET_TOO_LARGE */, BUCKETS_MIN = 8 };

static struct prepared **
bucket_of(const struct stmts *s, uint32_t id)
{
    return &s->buckets[id & (s->n_buckets - 1)];
}

/* Ids ascend, so that each bucket has one statement, or few when old ones stay. */
static void
grow(struct stmts *s)
{
    struct stmts larger = *s;

    larger.n_buckets = s->n_buckets == 0 ? BUCKETS_MIN : 2 * s->n_buckets;
    larger.buckets   = mem_alloc(larger.n_buckets * sizeof(*larger.buckets));
    for (uint32_t i = 0; i < s->n_buckets; i++)
        while (s->buckets[i] != NULL) {
            struct prepared  *p  = s->buckets[i];
            struct prepared **to = bucket_of(&larger, p->id);
            s->buckets[i] = p->next;
            p->next       = *to;
            *to           = p;
        }
    free(s->buckets);
    *s = larger;
}

struct prepared *
stmts_find(const struct stmts *s, uint32_t id)
{
    if (s->n_buckets == 0)
        return NULL;
    for (struct prepared *p = *bucket_of(s, id); p != NULL; p = p->next)
        if (p->id == id)
            return p;
    return NULL;
}

/* The protocol has a meaning of its own for the highest number. */
static uint32_t
next_id(struct stmts *s)
{
    do {
        s->last_id++;
    } while (s->last_id == 0 || s->last_id == EXECUTE_LAST_PREPARED ||
             stmts_find(s, s->last_id) != NULL);
    return s->last_id;
}

struct prepared *
stmts_add(struct stmts *s, struct span text, uint32_t n_params)
{
    struct prepared *p = mem_alloc(sizeof(*p));

    if (s->n >= s->n_buckets)
        grow(s);
    p->id   = next_id(s);
    p->text = (struct span){ (uint8_t *)mem_strndup(text.ptr, text.len), text.len };

    struct prepared **bucket = bucket_of(s, p->id);
    p->next = *bucket;
    *bucket = p;
    s->n++;
    s->bytes += text.len;
    prepared_set_params(p, n_params);
    return p;
}

void
prepared_set_for(struct stmts *s, struct prepared *p, struct span text)
{
    if (text.len == 0)
        return;
    p->for_text = (struct span){ (uint8_t *)mem_strndup(text.ptr, text.len), text.len };
    s->bytes += text.len;
}

void
prepared_close_cursor(struct prepared *p)
{
    row_cursor_free(p->cursor);
    p->cursor = NULL;
}

static void
prepared_free(struct stmts *s, struct prepared *p)
{
    prepared_reset(s, p);
    prepared_close_cursor(p);
    s->bytes -= p->text.len + p->for_text.len;
    free((void *)(uintptr_t)p->for_text.ptr);
    free((void *)(uintptr_t)p->text.ptr);
    free(p->types);
    free(p->schema);
    free(p);
}

static void
remove_from(struct stmts *s, struct prepared **at)
{
    struct prepared *old = *at;

    *at = old->next;
    s->n--;
    prepared_free(s, old);
}

void
stmts_remove(struct stmts *s, uint32_t id)
{
    if (stmts_find(s, id) == NULL)
        return;
    struct prepared **at = bucket_of(s, id);
    while ((*at)->id != id)
        at = &(*at)->next;
    remove_from(s, at);
}

void
stmts_clear(struct stmts *s)
{
    for (uint32_t i = 0; i < s->n_buckets; i++)
        while (s->buckets[i] != NULL)
            remove_from(s, &s->buckets[i]);
    free(s->buckets);
    s->buckets   = NULL;
    s->n_buckets = 0;
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
