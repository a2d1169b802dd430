/* page.c - a list in order, from behind a cursor, up to a limit. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/api/page.h"

enum { LIMIT = 100, KEYS_MAX = 2 };

struct order {
    const char *key[KEYS_MAX];
    size_t      n;
    bool        down;
    char        text[96];
};

void
page_member(const char *list, char out[48])
{
    snprintf(out, 48, "%.*s", (int)strcspn(list, " "), list);
}

/* "jobs -number", "tables database,name". */
static void
order_of(const char *list, struct order *o)
{
    char *state = NULL, *word;

    *o = (struct order){ .n = 0 };
    snprintf(o->text, sizeof(o->text), "%s", list + strcspn(list, " ") + 1);
    o->down = o->text[0] == '-';
    for (word = strtok_r(o->text + o->down, ",", &state); word && o->n < KEYS_MAX;
         word = strtok_r(NULL, ",", &state))
        o->key[o->n++] = word;
}

/* Numbers by value, and before texts; texts by their bytes. */
static int
compare_values(const json_t *a, const json_t *b)
{
    const char *x = json_string_value(a), *y = json_string_value(b);

    if (x && y)
        return strcmp(x, y);
    if (x || y)
        return x ? 1 : -1;
    json_int_t m = json_integer_value(a), n = json_integer_value(b);
    return (m > n) - (m < n);
}

/* The keys of an item: [name]. */
static json_t *
keys_of(const struct order *o, const json_t *item)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < o->n; i++) {
        json_t *value = json_object_get(item, o->key[i]);

        json_array_append_new(keys, value ? json_incref(value) : json_null());
    }
    return keys;
}

static int
compare_keys(const struct order *o, const json_t *a, const json_t *b)
{
    int sign = 0;

    for (size_t i = 0; i < o->n && sign == 0; i++)
        sign = compare_values(json_array_get(a, i), json_array_get(b, i));
    return o->down ? -sign : sign;
}

struct item {
    json_t             *value, *keys; /* borrowed; owned */
    const struct order *order;
};

static int
compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return compare_keys(x->order, x->keys, y->keys);
}

/* Cursors are the keys of the last item as hexadecimal digits of their JSON: nothing in them
 * needs to be escaped in a URL. */
static char *
cursor_of(const json_t *keys)
{
    char      *text = json_dumps(keys, JSON_COMPACT);
    struct buf hex  = { 0 };
    char      *out;

    buf_append_hex(&hex, span_of(text));
    out = mem_strdup(buf_cstr(&hex));
    buf_fini(&hex);
    free(text);
    return out;
}

static json_t *
keys_at(const char *cursor, size_t n_keys)
{
    struct buf plain = { 0 };
    size_t     len   = strlen(cursor);
    json_t    *keys  = NULL;

    if (len % 2 == 0 && strspn(cursor, "0123456789abcdef") == len) {
        for (size_t i = 0; i < len; i += 2) {
            char pair[3] = { cursor[i], cursor[i + 1], '\0' };

            buf_append_byte(&plain, (uint8_t)strtoul(pair, NULL, 16));
        }
        keys = json_loadb(buf_cstr(&plain), buf_len(&plain), 0, NULL);
    }
    buf_fini(&plain);
    if (keys && (!json_is_array(keys) || json_array_size(keys) != n_keys)) {
        json_decref(keys);
        keys = NULL;
    }
    return keys;
}

/* Those behind `after` (NULL: all), in order. */
static json_t *
cut(json_t *whole, const struct order *o, const json_t *after, size_t limit, char **cursor)
{
    size_t       n     = json_array_size(whole), taken = 0, i;
    struct item *items = mem_alloc((n + 1) * sizeof(*items));
    json_t      *page  = json_array(), *value;

    json_array_foreach(whole, i, value)
        items[i] = (struct item){ value, keys_of(o, value), o };
    qsort(items, n, sizeof(*items), compare_items);
    for (i = 0; i < n; i++) {
        if (after && compare_keys(o, items[i].keys, after) <= 0)
            continue;
        if (taken++ == limit) {
            *cursor = cursor_of(items[i - 1].keys);
            break;
        }
        json_array_append(page, items[i].value);
    }
    for (i = 0; i < n; i++)
        json_decref(items[i].keys);
    free(items);
    return page;
}

unsigned
page_cut(struct request *r, const char *list)
{
    const char  *limit = json_string_value(json_object_get(r->query, "limit"));
    const char  *from  = json_string_value(json_object_get(r->query, "cursor"));
    char         member[48], *cursor = NULL;
    json_t      *after = NULL;
    struct order order;

    if (!limit && !from)
        return 200;
    page_member(list, member);
    order_of(list, &order);
    if (from && !(after = keys_at(from, order.n)))
        return request_refuse(r, 400, "\"cursor\" is not one that a list has answered with");
    json_object_set_new(r->answer, member,
                        cut(json_object_get(r->answer, member), &order, after,
                            limit ? strtoul(limit, NULL, 10) : LIMIT, &cursor));
    if (cursor)
        json_object_set_new(r->answer, "next_cursor", json_string(cursor));
    free(cursor);
    json_decref(after);
    return 200;
}
