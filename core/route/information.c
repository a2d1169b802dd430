/* information.c - see information.h. */
#include "core/route/information.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/json.h"
#include "core/route/information_list.h"

enum { COLUMNS_MAX = 32 };

static const struct {
    const char                      *name;
    const struct information_column *columns;
    size_t                           n;
    const char                      *schema; /* the column with the database; NULL: none */
} tables[INFORMATION_N] = {
    [INFORMATION_TABLES]     = { "TABLES", tables_columns, countof(tables_columns),
                                 "TABLE_SCHEMA" },
    [INFORMATION_PARTITIONS] = { "PARTITIONS", partitions_columns, countof(partitions_columns),
                                 "TABLE_SCHEMA" },
    [INFORMATION_STATISTICS] = { "STATISTICS", statistics_columns, countof(statistics_columns),
                                 "TABLE_SCHEMA" },
    [INFORMATION_TABLESTATS] = { "INNODB_SYS_TABLESTATS", tablestats_columns,
                                 countof(tablestats_columns), NULL },
    [INFORMATION_GLOBAL_STATUS]  = { "GLOBAL_STATUS", status_columns, countof(status_columns),
                                     NULL },
    [INFORMATION_SESSION_STATUS] = { "SESSION_STATUS", status_columns, countof(status_columns),
                                     NULL },
    [INFORMATION_USER_PRIVILEGES]   = { "USER_PRIVILEGES", NULL, 0, NULL },
    [INFORMATION_SCHEMA_PRIVILEGES] = { "SCHEMA_PRIVILEGES", NULL, 0, NULL },
    [INFORMATION_TABLE_PRIVILEGES]  = { "TABLE_PRIVILEGES", NULL, 0, NULL },
    [INFORMATION_COLUMN_PRIVILEGES] = { "COLUMN_PRIVILEGES", NULL, 0, NULL },
    [INFORMATION_APPLICABLE_ROLES]  = { "APPLICABLE_ROLES", NULL, 0, NULL },
};

/* Of status variables: what is no count of events. */
static const char *const largest[] = {
    "Innodb_row_lock_time_max", "Max_used_connections", "Innodb_max_trx_id",
};

static const char *const of_one[] = {
    "Innodb_page_size", "Innodb_row_lock_time_avg", "Last_query_cost", "Compression_level",
    "Tc_log_page_size", "Innodb_checkpoint_max_age", "Innodb_adaptive_hash_index",
    "Uptime", "Uptime_since_flush_status", "Slave_connections", "Wsrep_thread_count",
};

enum information_table
information_find(struct span name)
{
    int t = 0;

    while (t < INFORMATION_N && !span_equal_nocase(name, span_of(tables[t].name)))
        t++;
    return (enum information_table)t;
}

const char *
information_name(enum information_table t)
{
    return tables[t].name;
}

bool
information_is_servers(struct span name)
{
    static const char *const other[] = { "INNODB_", "XTRADB_" };

    for (size_t i = 0; i < countof(other); i++)
        if (name.len > 7 && span_equal_nocase((struct span){ name.ptr, 7 }, span_of(other[i])))
            return information_find(name) == INFORMATION_N;
    return false;
}

bool
information_is_sum(enum information_table t, struct span column)
{
    for (size_t i = 0; i < tables[t].n; i++)
        if (span_equal_nocase(column, span_of(tables[t].columns[i].name)))
            return tables[t].columns[i].how > HOW_KEY;
    return false;
}

size_t
information_columns(enum information_table t)
{
    return tables[t].n;
}

void
information_query(enum information_table t, bool first, struct span where, struct buf *out)
{
    const char *word = " WHERE ";

    for (size_t i = 0; i < tables[t].n; i++)
        buf_printf(out, "%s CAST(%s AS BINARY)", i == 0 ? "SELECT" : ",",
                   tables[t].columns[i].name);
    buf_printf(out, " FROM information_schema.%s", tables[t].name);
    if (tables[t].schema != NULL && !first) {
        buf_printf(out, "%s%s NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')",
                   word, tables[t].schema);
        word = " AND ";
    }
    if (where.len != 0) {
        buf_append_text(out, word);
        buf_append_span(out, where);
    }
}

/* --- rows ----------------------------------------------------------------- */

struct entry {
    struct entry *next, *same; /* in order of arrival; in the bucket */
    uint64_t      hash;
    bool          combined, from_home;
    struct span   cell[COLUMNS_MAX];
};

enum { BUCKETS = 1024 };

struct information {
    struct arena         *arena;
    const struct routes  *routes;
    enum information_table table;
    struct entry         *first, **last;
    struct entry         *bucket[BUCKETS];
    uint32_t              first_shard;
};

struct information *
information_new(struct arena *arena, const struct routes *routes, enum information_table t,
                uint32_t first)
{
    struct information *i = arena_alloc(arena, sizeof(*i));

    i->arena       = arena;
    i->routes      = routes;
    i->table       = t;
    i->last        = &i->first;
    i->first_shard = first;
    return i;
}

static const struct information_column *
column_of(const struct information *i, size_t n)
{
    return &tables[i->table].columns[n];
}

static bool
same_key(const struct information *i, const struct span *a, const struct span *b)
{
    for (size_t n = 0; n < tables[i->table].n; n++)
        if (column_of(i, n)->how == HOW_KEY &&
            ((a[n].ptr == NULL) != (b[n].ptr == NULL) || !span_equal_nocase(a[n], b[n])))
            return false;
    return true;
}

static uint64_t
hash_key(const struct information *i, const struct span *cells)
{
    uint64_t hash = 1469598103934665603u;

    for (size_t n = 0; n < tables[i->table].n; n++)
        for (size_t k = 0; column_of(i, n)->how == HOW_KEY && k < cells[n].len; k++)
            hash = (hash ^ (cells[n].ptr[k] | 0x20u)) * 1099511628211u;
    return hash;
}

static uint64_t
number_of(struct span cell)
{
    char text[24];

    snprintf(text, sizeof(text), "%.*s", (int)(cell.len < 23 ? cell.len : 23),
             cell.ptr == NULL ? "" : (const char *)cell.ptr);
    return strtoull(text, NULL, 10);
}

static bool
is_number(struct span cell)
{
    for (size_t i = 0; i < cell.len; i++)
        if (cell.ptr[i] < '0' || cell.ptr[i] > '9')
            return false;
    return cell.len != 0 && cell.len < 20;
}

static struct span
say_number(struct information *i, uint64_t n)
{
    char text[24];
    int  len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

    return arena_copy(i->arena, (struct span){ (const uint8_t *)text, (size_t)len });
}

/* Numbers by value, times as their text. */
static bool
is_larger(struct span a, struct span b)
{
    if (is_number(a) && is_number(b))
        return number_of(a) > number_of(b);
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order > 0 || (order == 0 && a.len > b.len);
}

static struct span
add(struct information *i, struct span a, struct span b)
{
    return say_number(i, number_of(a) + number_of(b));
}

static bool
is_one_of(const char *const *list, size_t n, struct span name)
{
    for (size_t k = 0; k < n; k++)
        if (span_equal_nocase(name, span_of(list[k])))
            return true;
    return false;
}

static struct span
add_status(struct information *i, struct span name, struct span a, struct span b)
{
    if (is_one_of(of_one, countof(of_one), name) || !is_number(a) || !is_number(b))
        return a;
    if (is_one_of(largest, countof(largest), name))
        return is_larger(b, a) ? b : a;
    return add(i, a, b);
}

/* Nearly unique values differ between the shards, few of them are the same on all. */
static struct span
add_estimate(struct information *i, struct span a, struct span b)
{
    return add(i, a, b);
}

static void
combine(struct information *i, struct entry *e, const struct span *cells)
{
    for (size_t n = 0; n < tables[i->table].n; n++) {
        struct span *mine = &e->cell[n];
        struct span  b    = cells[n];

        if (b.ptr == NULL || column_of(i, n)->how <= HOW_KEY)
            continue;
        if (mine->ptr == NULL) {
            *mine = arena_copy(i->arena, b);
            continue;
        }
        switch (column_of(i, n)->how) {
        case HOW_SUM:      *mine = add(i, *mine, b); break;
        case HOW_ESTIMATE: *mine = add_estimate(i, *mine, b); break;
        case HOW_MAX:
            if (is_larger(b, *mine))
                *mine = arena_copy(i->arena, b);
            break;
        case HOW_STATUS:
            *mine = arena_copy(i->arena, add_status(i, e->cell[0], *mine, b));
            break;
        case HOW_AVERAGE: e->combined = true; break;
        case HOW_HOME: case HOW_KEY: break;
        }
    }
}

/* What the rows' table is: whether all shards count, else which one. */
static bool
counts(const struct information *i, uint32_t shard, const struct span *cells, bool *all)
{
    struct span schema = { 0 }, name = { 0 };

    *all = tables[i->table].schema == NULL && i->table != INFORMATION_TABLESTATS;
    if (*all)
        return true;
    if (i->table == INFORMATION_TABLESTATS) { /* "db/table" */
        const uint8_t *slash = cells[1].ptr == NULL ? NULL
                                                    : memchr(cells[1].ptr, '/', cells[1].len);
        if (slash != NULL) {
            schema = (struct span){ cells[1].ptr, (size_t)(slash - cells[1].ptr) };
            name   = span_from(cells[1], schema.len + 1);
        }
    } else {
        schema = cells[1];
        name   = cells[2];
    }
    uint32_t database = routes_database(i->routes, schema);
    if (database == ROUTES_NONE)
        return shard == i->first_shard;
    uint32_t t = routes_table(i->routes, database, name);
    *all       = t != ROUTES_NONE && i->routes->tables[t].kind == TABLE_SHARDED;
    return *all || shard == i->routes->databases[database].home;
}

void
information_row(struct information *i, uint32_t shard, const struct span *cells)
{
    bool all;

    if (!counts(i, shard, cells, &all))
        return;
    uint64_t       hash = hash_key(i, cells);
    struct entry **slot = &i->bucket[hash % BUCKETS];
    for (struct entry *e = *slot; e != NULL; e = e->same)
        if (e->hash == hash && same_key(i, e->cell, cells)) {
            combine(i, e, cells);
            return;
        }
    struct entry *e = arena_alloc(i->arena, sizeof(*e));
    e->hash = hash;
    e->same = *slot;
    *slot   = e;
    *i->last = e;
    i->last  = &e->next;
    for (size_t n = 0; n < tables[i->table].n; n++)
        if (cells[n].ptr != NULL)
            e->cell[n] = arena_copy(i->arena, cells[n]);
}

void
information_own(struct information *i, const char *name, const char *value)
{
    struct span cells[2] = { span_of(name), span_of(value) };

    for (struct entry *e = i->first; e != NULL; e = e->next)
        if (span_equal_nocase(e->cell[0], cells[0])) {
            e->cell[1] = arena_copy(i->arena, cells[1]);
            return;
        }
    information_row(i, i->first_shard, cells);
}

/* --- what it says ---------------------------------------------------------- */

/* AVG_ROW_LENGTH stands behind TABLE_ROWS and before DATA_LENGTH. */
static void
average(struct information *i, struct entry *e)
{
    for (size_t n = 1; n + 1 < tables[i->table].n; n++)
        if (column_of(i, n)->how == HOW_AVERAGE && e->combined) {
            uint64_t rows = number_of(e->cell[n - 1]);
            e->cell[n] = say_number(i, rows == 0 ? 0 : number_of(e->cell[n + 1]) / rows);
        }
}

static void
say_rows(struct information *i, struct buf *out)
{
    const char *before_row = "[";

    for (struct entry *e = i->first; e != NULL; e = e->next) {
        buf_append_text(out, before_row);
        before_row = ",";
        average(i, e);
        for (size_t n = 0; n < tables[i->table].n; n++) {
            buf_append_text(out, n == 0 ? "[" : ",");
            if (e->cell[n].ptr == NULL)
                buf_append_text(out, "null");
            else
                json_text(out, e->cell[n]);
        }
        buf_append_text(out, "]");
    }
    buf_append_text(out, i->first == NULL ? "[]" : "]");
}

/* In hexadecimal digits, so that no character set and no sql_mode of the session changes it. */
void
information_say(struct information *i, struct buf *out)
{
    struct buf rows = { 0 };

    say_rows(i, &rows);
    buf_append_hex_literal(out, "JSON_TABLE(_utf8mb4 ", buf_unread(&rows));
    buf_append_text(out, ", '$[*]' COLUMNS (");
    for (size_t n = 0; n < tables[i->table].n; n++)
        buf_printf(out, "%s`%s` %s PATH '$[%zu]'", n == 0 ? "" : ", ", column_of(i, n)->name,
                   column_of(i, n)->type, n);
    buf_append_text(out, "))");
    buf_fini(&rows);
}
