/* fsck_double.c - rows that lie on the wrong shard: is the right one without them, or are they
 * on two?
 *
 *   the wrong shard --rows of the key--> cells     of both: those with the same primary key are
 *   the right shard --rows of the key--> cells     on two shards
 *
 * The one that statements find by its key is the one on the right shard, so the other one may go,
 * whatever happens to the right one meanwhile. That is offered when they are the same in every
 * byte; else people have to look, and a row that is nowhere else is never removed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "ctl/job/fsck_step.h"

enum { LITERAL_MAX = 4096, SHOWN_MAX = 5 };

struct search {
    struct fsck       *f;
    const json_t      *table;
    const char        *name;  /* for people */
    struct buf         columns; /* all of them, as they are compared */
    unsigned           primary[64], n_primary; /* among the columns */
    json_t            *list;  /* borrowed: the catalog's columns */
    bool               has_triggers;
    uint64_t           same, different;
    char               shown[300];
};

/* --- words ------------------------------------------------------------------------------------ */

static bool
is_number(enum column_type type)
{
    return type >= COLUMN_TINYINT && type <= COLUMN_DOUBLE;
}

static bool
is_bytes(enum column_type type)
{
    return type == COLUMN_BIT || type == COLUMN_BINARY || type == COLUMN_VARBINARY ||
           type == COLUMN_BLOB;
}

/* A value as the server gave it. */
static void
put_literal(struct buf *out, const json_t *column, const json_t *value)
{
    struct route_column c;
    const char         *text = json_string_value(value);
    size_t              len  = json_string_length(value);

    model_column(column, &c);
    if (!text) {
        buf_append_text(out, "NULL");
    } else if (is_number(c.type)) {
        buf_append(out, text, len);
    } else {
        buf_append_hex_literal(out, is_bytes(c.type) ? "" : "_utf8mb4 ",
                               (struct span){ (const uint8_t *)text, len });
    }
}

static void
put_table(struct buf *out, const json_t *table)
{
    buf_printf(out, "%s.%s", server_name(model_text(table, "database")),
               server_name(model_text(table, "name")));
}

/* --- rows ------------------------------------------------------------------------------------- */

/* The rows of a key's value; NULL: it cannot be asked. */
static json_t *
rows_of(struct search *s, uint32_t shard, const json_t *key)
{
    struct buf       where = { 0 };
    struct sql_error error;
    const char      *name = model_text(s->table, "key");
    json_t          *rows, *column;
    size_t           i;

    json_array_foreach(s->list, i, column)
        if (strcasecmp(model_text(column, "name"), name) == 0)
            put_literal(&where, column, key);
    rows = buf_len(&where) > LITERAL_MAX || !s->f->server[shard].mysql
               ? NULL
               : server_rows(&s->f->server[shard], &error, "SELECT %s FROM %s.%s WHERE %s <=> %s",
                             buf_cstr(&s->columns), server_name(model_text(s->table, "database")),
                             server_name(model_text(s->table, "name")), server_name(name),
                             buf_cstr(&where));
    buf_fini(&where);
    return rows;
}

static bool
same_primary(const struct search *s, const json_t *a, const json_t *b)
{
    for (unsigned i = 0; i < s->n_primary; i++)
        if (!json_equal(json_array_get(a, s->primary[i]), json_array_get(b, s->primary[i])))
            return false;
    return true;
}

/* No other table's rows go with it: they are on the right shard as well. */
static void
offer(struct search *s, uint32_t shard, const json_t *row)
{
    struct buf sql = { 0 };

    buf_append_text(&sql, "SET STATEMENT foreign_key_checks = 0 FOR DELETE FROM ");
    put_table(&sql, s->table);
    for (unsigned i = 0; i < s->n_primary; i++) {
        const json_t *column = json_array_get(s->list, s->primary[i]);

        buf_printf(&sql, "%s%s <=> ", i ? " AND " : " WHERE ",
                   server_name(model_text(column, "name")));
        put_literal(&sql, column, json_array_get(row, s->primary[i]));
    }
    buf_append_text(&sql, " LIMIT 1");
    json_array_append_new(s->f->repairs, json_pack("{s:s, s:s, s:s}", "shard",
                          s->f->server[shard].name, "what", buf_cstr(&sql), "sql",
                          buf_cstr(&sql)));
    buf_fini(&sql);
}

static void
found(struct search *s, uint32_t shard, const json_t *row, bool same)
{
    size_t n = strlen(s->shown);

    if (s->same + s->different < SHOWN_MAX)
        for (unsigned i = 0; i < s->n_primary; i++, n = strlen(s->shown))
            snprintf(s->shown + n, sizeof(s->shown) - n, "%s%.40s", i ? "-" : n ? ", " : "",
                     server_cell(row, s->primary[i]));
    s->same      += same;
    s->different += !same;
    if (same && !s->has_triggers)
        offer(s, shard, row);
}

static void
compare(struct search *s, uint32_t shard, const json_t *here, const json_t *there)
{
    json_t *row, *other;
    size_t  i, k;

    json_array_foreach((json_t *)(uintptr_t)here, i, row)
        json_array_foreach((json_t *)(uintptr_t)there, k, other)
            if (same_primary(s, row, other)) {
                found(s, shard, row, json_equal(row, other));
                break;
            }
}

/* --- a table ---------------------------------------------------------------------------------- */

/* False: it has no primary key, so no row is the same as another. */
static bool
begin(struct search *s, uint32_t shard)
{
    struct sql_error error;
    json_t          *facts = facts_read(&s->f->server[shard], model_text(s->table, "database"),
                                        model_text(s->table, "name"), NULL, &error);
    const json_t    *names = json_object_get(facts_primary(facts), "columns");
    char             n[8]  = "1";
    json_t          *column;
    size_t           i;

    s->list = json_object_get(s->table, "columns");
    json_array_foreach(s->list, i, column) {
        struct route_column c;

        model_column(column, &c);
        buf_append_text(&s->columns, i ? ", " : "");
        buf_printf(&s->columns, c.type == COLUMN_FLOAT ? "CAST(%s AS DOUBLE)" : "%s",
                   server_name(model_text(column, "name")));
        if (facts_find(names, model_text(column, "name")) != SIZE_MAX &&
            s->n_primary < countof(s->primary))
            s->primary[s->n_primary++] = (unsigned)i;
    }
    if (s->n_primary != json_array_size(names))
        s->n_primary = 0;
    json_decref(facts);
    s->has_triggers = !server_value(&s->f->server[shard], n, sizeof(n), &error,
                                    "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE"
                                    " EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s AND"
                                    " TRIGGER_NAME NOT LIKE 'shardd lookup %%'",
                                    server_text(model_text(s->table, "database")),
                                    server_text(model_text(s->table, "name"))) || n[0] != '0';
    return s->n_primary > 0;
}

static void
tell(struct search *s, uint32_t shard, bool all)
{
    const char *name = s->f->server[shard].name;

    if (s->same > 0)
        fsck_problem(s->f, s->name, name, "%s%llu rows are on two shards, the same here as on the "
                     "shard that they belong to: %s; 'shardctl fsck --repair' removes those here%s",
                     all ? "" : "at least ", (unsigned long long)s->same, s->shown, s->has_triggers
                         ? ", but not while the table has triggers" : "");
    if (s->different > 0)
        fsck_problem(s->f, s->name, name, "%llu rows are on two shards and differ: %s; the one "
                     "here is the older one unless somebody wrote to this server directly: "
                     "compare both, then delete it here", (unsigned long long)s->different,
                     s->shown);
}

void
fsck_doubles(struct fsck *f, const char *name, const json_t *table, uint32_t shard,
             const json_t *misplaced)
{
    struct search s = { .f = f, .table = table, .name = name };
    json_t       *one;
    size_t        i;

    if (begin(&s, shard))
        json_array_foreach((json_t *)(uintptr_t)misplaced, i, one) {
            json_t *key   = json_array_get(one, 0);
            json_t *here  = rows_of(&s, shard, key);
            json_t *there = rows_of(&s, (uint32_t)json_integer_value(json_array_get(one, 1)), key);

            compare(&s, shard, here, there);
            json_decref(here);
            json_decref(there);
        }
    tell(&s, shard, json_array_size(misplaced) < FSCK_DOUBLES_MAX);
    buf_fini(&s.columns);
}
