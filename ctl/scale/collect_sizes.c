/* collect_sizes.c - rows and bytes of each table, as the server estimates them. The question
 * makes the server look at every table's file: it is asked rarely, by a connection of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/scale/collect.h"

enum { PACE_MS = 60000, TABLES_MAX = 20000 };

struct tables {
    struct table_load *table;
    size_t             n, room;
    double             rows, bytes;
};

static void
take(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct tables *t = context;

    (void)lengths;
    if (!row[0] || !row[1])
        return;
    if (t->n == t->room && t->room < TABLES_MAX) {
        t->room  = t->room ? t->room * 2 : 32;
        t->table = mem_resize(t->table, t->room * sizeof(*t->table));
    }

    double rows = row[2] ? strtod(row[2], NULL) : 0, bytes = row[3] ? strtod(row[3], NULL) : 0;
    t->rows += rows;
    t->bytes += bytes;
    if (t->n == t->room)
        return;
    struct table_load *to = &t->table[t->n++];
    to->rows  = rows;
    to->bytes = bytes;
    snprintf(to->name, sizeof(to->name), "%s.%s", row[0], row[1]);
}

static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    struct server    s = { .answer_s = COLLECT_DEADLINE_S };
    struct tables    t = { .n = 0 };
    struct sql_error error;

    (void)state;
    bool ok = server_open(&s, about->shard, &error) &&
              server_each(&s, take, &t, &error,
                          "SELECT table_schema, table_name, table_rows,"
                          " data_length + index_length FROM information_schema.tables"
                          " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql',"
                          " 'sys', 'information_schema', 'performance_schema', 'shardd')");
    server_close(&s);
    if (ok) {
        out->rows  = t.rows;
        out->bytes = t.bytes;
        load_put_tables(about->load, out->id, t.table, t.n);
    }
    free(t.table);
    return ok || err_set(err, "%s", error.message);
}

const struct collector collect_sizes = { "sizes", PACE_MS, false, run, NULL };
