/* vars.c - see vars.h. */
#include "workers/query/vars.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"

struct var {
    struct var *next;
    struct span name, text; /* owned, behind one another in one block */
};

void
vars_init(struct vars *v)
{
    *v      = (struct vars){ 0 };
    v->tail = &v->first;
}

/* Of a list that ends with `at`, where `before` is that of the list before it. */
static uint64_t
hash_with(const struct var *at, uint64_t before)
{
    return XXH3_64bits_withSeed(at->text.ptr, at->text.len, before);
}

static void
rehash(struct vars *v)
{
    uint64_t hash = 0;

    v->bytes = v->n = 0;
    for (struct var *at = v->first; at != NULL; at = at->next) {
        hash = hash_with(at, hash);
        v->bytes += at->text.len;
        v->n++;
    }
    v->hash = v->first != NULL && hash == 0 ? 1 : hash;
}

static void
unlink_name(struct vars *v, struct span name)
{
    struct var **link = &v->first;

    while (*link != NULL && !span_equal_nocase((*link)->name, name))
        link = &(*link)->next;
    if (*link == NULL)
        return;
    struct var *old = *link;
    *link = old->next;
    if (v->tail == &old->next)
        v->tail = link;
    free(old);
}

/* The newest assignment goes last: SET a = 1 then SET b = @@a replay in the
 * order in which they were accepted. */
void
vars_set(struct vars *v, struct span name, struct span text)
{
    struct var *var   = mem_alloc(sizeof(*var) + name.len + text.len);
    uint8_t    *bytes = (uint8_t *)(var + 1);

    memcpy(bytes, name.ptr, name.len);
    memcpy(bytes + name.len, text.ptr, text.len);
    var->name = (struct span){ bytes, name.len };
    var->text = (struct span){ bytes + name.len, text.len };

    unlink_name(v, var->name);
    *v->tail = var;
    v->tail  = &var->next;
    rehash(v);
}

void
vars_clear(struct vars *v)
{
    while (v->first != NULL) {
        struct var *next = v->first->next;
        free(v->first);
        v->first = next;
    }
    vars_init(v);
}

void
vars_fini(struct vars *v)
{
    vars_clear(v);
}

void
vars_each(const struct vars *v, void (*each)(void *ctx, struct span name, struct span text),
          void *ctx)
{
    for (const struct var *at = v->first; at != NULL; at = at->next)
        each(ctx, at->name, at->text);
}

struct span
vars_nth(const struct vars *v, uint32_t n)
{
    const struct var *at = v->first;

    while (at != NULL && n-- > 0)
        at = at->next;
    if (at == NULL)
        return (struct span){ 0 };
    return at->text;
}

uint32_t
vars_prefix(const struct vars *v, uint64_t hash)
{
    uint64_t so_far = 0;
    uint32_t n      = 0;

    for (const struct var *at = v->first; at != NULL; at = at->next) {
        so_far = hash_with(at, so_far);
        n++;
        if (so_far == hash && hash > 1)
            return n;
    }
    return 0;
}

bool
vars_mentions(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp((const char *)text.ptr + i, word, len) == 0)
            return true;
    return false;
}

static bool
are_mentioned(const struct vars *v, const char *word, const char *unless)
{
    struct span text;

    for (uint32_t i = 0; (text = vars_nth(v, i)).ptr != NULL; i++)
        if (vars_mentions(text, word) && (unless == NULL || !vars_mentions(text, unless)))
            return true;
    return false;
}

bool
vars_set_time(const struct vars *v)
{
    return are_mentioned(v, "timestamp", NULL);
}

bool
vars_set_net_timeout(const struct vars *v)
{
    return are_mentioned(v, "net_write_timeout", NULL) ||
           are_mentioned(v, "net_read_timeout", NULL);
}

bool
vars_set_insert_id(const struct vars *v)
{
    return are_mentioned(v, "insert_id", "insert_id = 0");
}

void
vars_move(struct vars *to, struct vars *from)
{
    *to = *from;
    if (to->first == NULL)
        to->tail = &to->first;
    vars_init(from);
}
