/* lookup_text.c - see lookup_text.h. */
#include "core/route/lookup_text.h"

#include <stdlib.h>

#include "core/base/memory.h"

enum { ROWS_MAX = 500, BYTES_MAX = 1 << 20 };

enum value_class { VALUE_NONE, VALUE_NUMBER, VALUE_QUOTED, VALUE_TEXT, VALUE_BYTES };

struct change {
    size_t      at;  /* in the order of what was told */
    bool        came;
    struct span row; /* "table:value:key" */
    struct span table, value, key;
};

struct changes {
    struct change *list; /* owned */
    size_t         n, cap;
};

static enum value_class
class_of(enum column_type type)
{
    switch ((int)type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: return VALUE_NUMBER;
    case COLUMN_DATE: case COLUMN_UUID: case COLUMN_INET6: return VALUE_QUOTED;
    case COLUMN_CHAR: case COLUMN_VARCHAR: return VALUE_TEXT;
    case COLUMN_BINARY: case COLUMN_VARBINARY: return VALUE_BYTES;
    default: return VALUE_NONE;
    }
}

bool
lookup_type_ok(enum column_type type)
{
    return class_of(type) != VALUE_NONE;
}

void
lookup_hex_text(enum column_type type, const char *name, struct buf *out)
{
    if (class_of(type) == VALUE_BYTES)
        buf_printf(out, "HEX(%s)", name);
    else if (class_of(type) == VALUE_TEXT)
        buf_printf(out, "HEX(CONVERT(%s USING utf8mb4))", name);
    else
        buf_printf(out, "HEX(CAST(%s AS CHAR CHARACTER SET utf8mb4))", name);
}

/* ---- literals ---- */

static int
digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Letters, digits and what stands between them in numbers, dates and addresses. */
static bool
put_plain(struct span hex, bool number, struct buf *out)
{
    for (size_t i = 0; i < hex.len; i += 2) {
        uint8_t c = (uint8_t)(digit(hex.ptr[i]) << 4 | digit(hex.ptr[i + 1]));
        bool    good = (c >= '0' && c <= '9') || c == '-' ||
                    (!number && ((c >= 'a' && c <= 'f') || c == ':' || c == '.'));
        if (!good)
            return false;
        buf_append_byte(out, c);
    }
    return hex.len != 0;
}

bool
lookup_bytes(struct span hex, struct buf *out)
{
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        int high = digit(hex.ptr[i]), low = digit(hex.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_append_byte(out, (uint8_t)(high << 4 | low));
    }
    return hex.len % 2 == 0;
}

bool
lookup_literal(enum column_type type, struct span hex, struct buf *out)
{
    enum value_class kind = class_of(type);
    bool             good = hex.len % 2 == 0 && kind != VALUE_NONE;

    for (size_t i = 0; i < hex.len; i++)
        good = good && digit(hex.ptr[i]) >= 0;
    if (!good)
        return false;
    if (kind == VALUE_NUMBER)
        return put_plain(hex, true, out);
    if (kind == VALUE_QUOTED) {
        buf_append_byte(out, '\'');
        good = put_plain(hex, false, out);
        buf_append_byte(out, '\'');
        return good;
    }
    buf_append_text(out, kind == VALUE_TEXT ? "_utf8mb4 x'" : "x'");
    buf_append_span(out, hex);
    buf_append_byte(out, '\'');
    return true;
}

/* ---- what is told ---- */

static bool
cut(struct span *rest, uint8_t mark, struct span *out)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->ptr, mark, rest->len);

    if (at == NULL)
        return false;
    *out  = (struct span){ rest->ptr, (size_t)(at - rest->ptr) };
    *rest = span_from(*rest, out->len + 1);
    return true;
}

static bool
read_change(struct span *text, struct change *c)
{
    struct span line, rest;

    if (!cut(text, ';', &line) || line.len < 2 || (line.ptr[0] != '+' && line.ptr[0] != '-'))
        return false;
    c->came = line.ptr[0] == '+';
    c->row  = rest = span_from(line, 1);
    if (!cut(&rest, ':', &c->table) || !cut(&rest, ':', &c->value))
        return false;
    c->key = rest;
    return true;
}

static bool
read_part(struct span text, struct changes *all)
{
    while (text.len != 0) {
        if (all->n == all->cap) {
            all->cap  = all->cap == 0 ? 64 : all->cap * 2;
            all->list = mem_resize(all->list, all->cap * sizeof(*all->list));
        }
        all->list[all->n].at = all->n;
        if (!read_change(&text, &all->list[all->n++]))
            return false;
    }
    return true;
}

static int
by_bytes(struct span x, struct span y)
{
    size_t n     = x.len < y.len ? x.len : y.len;
    int    order = memcmp(x.ptr, y.ptr, n);

    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static int
by_row(const void *a, const void *b)
{
    return by_bytes(((const struct change *)a)->row, ((const struct change *)b)->row);
}

static int
by_order(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int                  order = by_bytes(x->table, y->table);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* What came and went leaves nothing; the rest is in the order of rows, which duplicates are told
 * by. False: a row came twice. */
static bool
settle(struct changes *all)
{
    size_t kept = 0;

    if (all->n > 0)
        qsort(all->list, all->n, sizeof(*all->list), by_row);
    for (size_t i = 0, end; i < all->n; i = end) {
        int sum = 0;
        for (end = i; end < all->n && span_equal(all->list[end].row, all->list[i].row); end++)
            sum += all->list[end].came ? 1 : -1;
        if (sum < -1 || sum > 1)
            return false;
        if (sum == 0)
            continue;
        all->list[kept]        = all->list[i];
        all->list[kept++].came = sum > 0;
    }
    all->n = kept;
    if (kept > 0)
        qsort(all->list, kept, sizeof(*all->list), by_order);
    return true;
}

/* ---- what is said ---- */

struct writer {
    struct arena             *arena;
    struct lookup_statement **last;
    struct buf                values, pairs;
    uint64_t                  rows;
};

static void
flush(struct writer *w, struct span table, bool came, bool exact)
{
    struct lookup_statement *s    = arena_alloc(w->arena, sizeof(*s));
    struct buf               text = { 0 };

    if (w->rows == 0)
        return;
    buf_append_text(&text, came ? "INSERT INTO `" ROUTES_LOOKUP_SCHEMA "`.`"
                                : "DELETE FROM `" ROUTES_LOOKUP_SCHEMA "`.`");
    buf_append_span(&text, table);
    if (came) {
        buf_append_text(&text, "` (`v`, `k`) VALUES ");
        buf_append_span(&text, buf_unread(&w->pairs));
    } else {
        buf_append_text(&text, "` WHERE `v` IN (");
        buf_append_span(&text, buf_unread(&w->values));
        buf_append_text(&text, ") AND (`v`, `k`) IN (");
        buf_append_span(&text, buf_unread(&w->pairs));
        buf_append_byte(&text, ')');
    }
    *s = (struct lookup_statement){ .text = arena_copy(w->arena, buf_unread(&text)),
                                    .rows = w->rows, .exact = exact || came };
    *w->last = s;
    w->last  = &s->next;
    w->rows  = 0;
    buf_fini(&text);
    buf_clear(&w->values);
    buf_clear(&w->pairs);
}

static bool
add(struct writer *w, const struct route_table *table, const struct change *c)
{
    buf_append_text(&w->values, w->rows > 0 ? "," : "");
    buf_append_text(&w->pairs, w->rows > 0 ? ",(" : "(");
    bool good = lookup_literal(table->columns[0].type, c->value, &w->values) &&
                lookup_literal(table->columns[0].type, c->value, &w->pairs);
    buf_append_byte(&w->pairs, ',');
    good = good && lookup_literal(table->columns[1].type, c->key, &w->pairs);
    buf_append_byte(&w->pairs, ')');
    w->rows++;
    return good;
}

/* The lookup's table, and whether it is filled; NULL: the routes have none of this name. */
static const struct route_table *
find_lookup(const struct routes *r, struct span name, bool *exact)
{
    uint32_t database = routes_database(r, SPAN(ROUTES_LOOKUP_SCHEMA));
    uint32_t at       = database == ROUTES_NONE ? ROUTES_NONE : routes_table(r, database, name);

    if (at == ROUTES_NONE || r->tables[at].n_columns < 2)
        return NULL;
    *exact = false;
    for (uint32_t i = 0; i < r->n_tables; i++)
        for (uint32_t k = 0; k < r->tables[i].n_lookups; k++)
            if (span_equal(r->tables[i].lookups[k].table, name))
                *exact = !r->tables[i].lookups[k].filling;
    return &r->tables[at];
}

/* Those that came, or those that went. */
static bool
write_all(struct writer *w, const struct routes *r, const struct changes *all, bool came)
{
    struct span               name = { 0 };
    const struct route_table *table = NULL;
    bool                      exact = false;

    for (size_t i = 0; i < all->n; i++) {
        const struct change *c = &all->list[i];
        if (c->came != came)
            continue;
        if (!span_equal(c->table, name)) {
            flush(w, name, came, exact);
            name  = c->table;
            table = find_lookup(r, name, &exact);
        }
        /* A lookup that has gone meanwhile wants to know nothing. */
        if (table != NULL && !add(w, table, c))
            return false;
        if (w->rows == ROWS_MAX || buf_len(&w->pairs) > BYTES_MAX)
            flush(w, name, came, exact);
    }
    flush(w, name, came, exact);
    return true;
}

bool
lookup_statements(struct arena *a, const struct routes *r, const struct span *parts, uint32_t n,
                  struct lookup_statement **out, struct err *err)
{
    struct changes all  = { 0 };
    struct writer  w    = { .arena = a, .last = out };
    bool           good = true;

    *out = NULL;
    for (uint32_t i = 0; good && i < n; i++)
        good = read_part(parts[i], &all);
    good = good && settle(&all) && write_all(&w, r, &all, false) && write_all(&w, r, &all, true);
    buf_fini(&w.values);
    buf_fini(&w.pairs);
    free(all.list);
    return good || err_set(err, "what the triggers of a lookup say cannot be read");
}
