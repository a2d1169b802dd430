/* copy_cli.c - snapshots, copies and sets for test_copy.py: a request a line, an answer a line.
 *
 *   copy_cli CATALOG RECORD     a catalog of its own, and a job's record (see move.h)
 *
 *   {"do": "schema"}            the bookkeeping and the sets, on all shards
 *   {"do": "copy", "source", "sessions", "seconds", "rate", "stop_ms", "cycles"}
 *   {"do": "snapshot", "source", "n", "hold_ms", "query"}   what each session sees
 *   {"do": "sets", "source", "table"}    all keys of the table on the source into in_
 *   {"do": "order", "source", "table"}   rows in the server's order that are not in ours, or
 *                               behind which a SELECT finds other rows than those that follow
 *   {"do": "drop"}
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/move/copy_part.h"

static struct move move;

static unsigned
number(const json_t *request, const char *key, unsigned otherwise)
{
    const json_t *value = json_object_get(request, key);

    return value ? (unsigned)json_integer_value(value) : otherwise;
}

static json_t *
failed(const struct sql_error *error)
{
    return json_pack("{s:s, s:i}", "error", error->message, "code", (int)error->code);
}

static json_t *
do_schema(void)
{
    struct sql_error error;

    return move_sets_create(&move, &error) ? json_object() : failed(&error);
}

static json_t *
do_drop(void)
{
    struct sql_error error;

    return move_bookkeeping_drop(&move, &error) ? json_object() : failed(&error);
}

struct stopper {
    atomic_bool stop, over;
    unsigned    ms;
};

static void *
stop_later(void *context)
{
    struct stopper *s     = context;
    struct timespec pause = { .tv_nsec = 1000000 };

    for (unsigned i = 0; i < s->ms && !atomic_load(&s->over); i++)
        nanosleep(&pause, NULL);
    atomic_store(&s->stop, true);
    return NULL;
}

static bool
cycle(const json_t *request, struct copy *c, const atomic_bool *stop, double *held,
      struct sql_error *error)
{
    struct snapshot s;
    bool            ok = move_snapshot_open(&s, &move, number(request, "source", 1),
                                       number(request, "sessions", 2), 2000, stop, error);

    if (!ok)
        return false;
    *held = s.held_ms > *held ? s.held_ms : *held;
    ok    = copy_cycle(c, &s, number(request, "seconds", 60), stop, error);
    move_snapshot_close(&s);
    return ok;
}

static json_t *
do_copy(const json_t *request)
{
    struct stopper     s    = { .ms = number(request, "stop_ms", 600000) };
    unsigned           most = number(request, "cycles", 1000), n = 0;
    struct copy_status status;
    struct sql_error   error = { .code = 0 };
    struct copy       *c     = copy_open(&move, number(request, "source", 1), &error);
    double             held = 0, begin, ms;
    pthread_t          thread;
    json_t            *answer;
    bool               ok = true;

    if (!c)
        return failed(&error);
    copy_throttle(c, number(request, "rate", 0), 0, false);
    if (pthread_create(&thread, NULL, stop_later, &s) != 0)
        return NULL;
    begin = copy_now_ms();
    for (; ok && n < most && !copy_is_done(c); n++)
        ok = cycle(request, c, &s.stop, &held, &error);
    ms = copy_now_ms() - begin;
    atomic_store(&s.over, true);
    pthread_join(thread, NULL);
    copy_status(c, &status);
    answer = json_pack("{s:b, s:i, s:I, s:I, s:I, s:i, s:i, s:f, s:f}", "done", copy_is_done(c),
                       "cycles", (int)n, "rows", (json_int_t)status.rows, "sent",
                       (json_int_t)status.sent, "bytes", (json_int_t)status.bytes, "tables",
                       (int)status.tables, "tables_done", (int)status.tables_done, "held_ms",
                       held, "ms", ms);
    if (!ok)
        json_object_update_new(answer, failed(&error));
    copy_close(c);
    return answer;
}

static json_t *
do_snapshot(const json_t *request)
{
    struct snapshot  s;
    struct sql_error error;
    json_t          *answer, *seen;

    if (!move_snapshot_open(&s, &move, number(request, "source", 1), number(request, "n", 1),
                       number(request, "hold_ms", 2000), NULL, &error))
        return failed(&error);
    seen = json_array();
    for (unsigned i = 0; i < s.n; i++) {
        json_t *rows = server_rows(&s.session[i], &error, "%s",
                                   json_string_value(json_object_get(request, "query")));

        json_array_append_new(seen, rows ? rows : failed(&error));
    }
    answer = json_pack("{s:s, s:s, s:O, s:f, s:o}", "from", s.from, "position", s.position,
                       "prepared", s.prepared, "held_ms", s.held_ms, "seen", seen);
    move_snapshot_close(&s);
    return answer;
}

/* --- of one table's rows --- */

struct rows {
    struct copy_table  table;
    struct sets_writer writer;
    struct buf         before, now, keys;
    unsigned           n, wrong;
};

static void
take_key(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct rows     *r     = context;
    uint32_t         field = r->table.key_before;
    struct key_value value = { .kind  = row[field] ? KEY_VALUE_STRING : KEY_VALUE_NULL,
                               .bytes = { (const uint8_t *)row[field], lengths[field] } };

    r->n++;
    r->wrong += !sets_add(&r->writer, &value);
}

static void
take_order(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct rows *r = context;

    copy_table_key(&r->table, row, lengths, &r->now);
    if (r->n++ > 0 && r->table.ordered &&
        copy_table_order(&r->table, buf_unread(&r->before), buf_unread(&r->now)) >= 0)
        r->wrong++;
    copy_key_append(&r->keys, buf_unread(&r->now));
    buf_clear(&r->before);
    buf_append_span(&r->before, buf_unread(&r->now));
}

static void
count_row(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    (void)row;
    (void)lengths;
    ++*(unsigned *)context;
}

/* Each row's key as where a copy goes on. */
static bool
look_behind(struct rows *r, struct server *s, struct sql_error *error)
{
    struct span keys = buf_unread(&r->keys), key;
    bool        ok   = true;

    for (unsigned left = r->n; ok && left > 0 && r->table.ordered; left--) {
        struct buf sql = { 0 };
        unsigned   n   = 0;

        ok = copy_key_take(&keys, &key) && copy_table_select(&r->table, key, 0, &sql) &&
             server_each(s, count_row, &n, error, "%s", buf_cstr(&sql));
        r->wrong += n != left - 1;
        buf_fini(&sql);
    }
    return ok;
}

static json_t *
do_rows(const json_t *request, bool sets)
{
    const struct move_table *t     = &move.tables[number(request, "table", 0)];
    struct rows              r     = { .n = 0 };
    struct server            s     = { .answer_s = 30 };
    struct buf               sql   = { 0 };
    struct sql_error         error = { .message = "no such statement" };
    json_t                  *answer;
    bool ok = copy_table_init(&r.table, &move, t, 1, &error) &&
              copy_table_select(&r.table, (struct span){ NULL, 0 }, 0, &sql) &&
              move_session(&s, &move, number(request, "source", 1), 10, &error);

    if (sets) {
        r.writer.column = sets_column(t, true);
        sets_name(&move, t, true, r.writer.name);
    }
    ok = ok && server_each(&s, sets ? take_key : take_order, &r, &error, "%s", buf_cstr(&sql)) &&
         (sets ? sets_flush(&r.writer, &s, &error) : look_behind(&r, &s, &error));
    answer = ok ? json_pack("{s:i, s:i, s:b}", "rows", (int)r.n, "wrong", (int)r.wrong, "ordered",
                            r.table.ordered)
                : failed(&error);
    copy_table_fini(&r.table, 1);
    server_close(&s);
    buf_fini(&sql);
    buf_fini(&r.before);
    buf_fini(&r.now);
    buf_fini(&r.keys);
    buf_fini(&r.writer.values);
    return answer;
}

static json_t *
answer_to(const json_t *request)
{
    const char *what = json_string_value(json_object_get(request, "do"));

    if (strcmp(what, "schema") == 0)
        return do_schema();
    if (strcmp(what, "drop") == 0)
        return do_drop();
    if (strcmp(what, "copy") == 0)
        return do_copy(request);
    if (strcmp(what, "snapshot") == 0)
        return do_snapshot(request);
    return do_rows(request, strcmp(what, "sets") == 0);
}

int
main(int argc, char **argv)
{
    static char           line[1 << 20];
    static struct cluster cluster;
    struct err            err;
    struct sql_error      error;
    json_t               *record;

    if (argc != 3 || !(cluster.catalog = catalog_open(argv[1], &err)) ||
        !(record = json_load_file(argv[2], 0, NULL)))
        return 2;
    if (!move_load(&move, &cluster, record, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin)) {
        json_t *request = json_loads(line, 0, NULL);
        json_t *answer  = answer_to(request);
        char   *text    = json_dumps(answer, JSON_COMPACT);

        puts(text ? text : "{\"error\": \"not UTF-8\"}");
        fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(request);
    }
    move_fini(&move);
    json_decref(record);
    catalog_close(cluster.catalog);
    return 0;
}
