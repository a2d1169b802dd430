/* binlog_cli.c - follows a server's binary log for test_binlog.py.
 *
 *   print  PORT POSITION UNTIL [TYPE UNSIGNED COLLATION LENGTH SCALE]
 *          a line of JSON for each event; rows with their values in hexadecimal, and with the
 *          hash of the second column as a key of that type (numbers as for keyhash_cli)
 *   apply  PORT POSITION UNTIL FROM TO LIMIT HALVES PACKET
 *          does what it reads of tables in database FROM again in database TO of the same
 *          server: BINLOG statements of up to LIMIT bytes; HALVES 1: an update as delete
 *          and insert; PACKET: max_allowed_packet
 *   interrupt  PORT POSITION UNTIL
 *          one thread waits for events, another makes it stop
 *
 * Until the end of the transaction UNTIL ("domain-server-sequence"), at most a minute of silence.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/binlog_build.h"
#include "core/mysql/binlog_value.h"
#include "core/route/row_key.h"
#include "ctl/move/tail.h"

enum { TABLES = 64, BRANCHES = 64, HEARTBEAT_MS = 1000, SILENCE_MS = 60000, SERVER_ID = 77 };

/* Statements of one transaction, or of a prepared branch. */
struct work {
    char        xid[BINLOG_XID_BYTES * 2 + 32];
    struct buf *sql;
    size_t      n;
};

static struct {
    struct binlog_table *tables[TABLES];
    struct route_column  key;
    bool                 has_key, halves, in_branch, told;
    struct server        target;
    struct binlog_batch  batch;
    struct buf           room;
    const char          *from, *to;
    struct work          work, branches[BRANCHES];
    char                 until[64], now[64];
    size_t               packet;
    struct binlog_gtid   gtid;
    char                 xid[BINLOG_XID_BYTES * 2 + 32];
} g;

static void
die(const char *what, const char *why)
{
    printf("{\"failed\": \"%s\"}\n", what);
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void
hex(char *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        sprintf(out + 2 * i, "%02x", bytes.ptr[i]);
    out[2 * bytes.len] = 0;
}

static bool
run_one(void *context, struct span sql)
{
    struct sql_error error;

    (void)context;
    if (!server_run_text(&g.target, sql, &error))
        die("apply", error.message);
    return true;
}

static void
run(struct span sql)
{
    if (binlog_run(sql, g.packet, run_one, NULL) != BINLOG_RUN_DONE)
        die("apply", "too long a statement");
}

/* --- tables --------------------------------------------------------------------------------- */

static void
learn(const struct binlog_event *e)
{
    struct binlog_table *t;
    uint32_t             column = 0;

    if (binlog_table_new(e, &t, &column) != BINLOG_TABLE_GOOD)
        die("table", "a TABLE_MAP cannot be read");
    for (uint32_t i = 0; i < t->n_columns; i++) /* "d6": six digits, in the tests' old tables */
        if (t->name.len > 4 && memcmp(t->name.ptr, "old_", 4) == 0)
            binlog_table_fraction(t, i, (uint8_t)(t->name.ptr[4] - '0'));
    for (size_t i = 0; i < TABLES; i++) {
        if (g.tables[i] != NULL && g.tables[i]->id != t->id)
            continue;
        binlog_table_free(g.tables[i]);
        g.tables[i] = t;
        return;
    }
    die("table", "too many");
}

static const struct binlog_table *
known(uint64_t id)
{
    for (size_t i = 0; i < TABLES; i++)
        if (g.tables[i] != NULL && g.tables[i]->id == id)
            return g.tables[i];
    die("rows", "no TABLE_MAP");
    return NULL;
}

static void
forget_tables(void)
{
    for (size_t i = 0; i < TABLES; i++) {
        binlog_table_free(g.tables[i]);
        g.tables[i] = NULL;
    }
}

/* --- print ---------------------------------------------------------------------------------- */

static json_t *
json_hex(struct span bytes)
{
    char   *text = mem_alloc(bytes.len * 2 + 1);
    json_t *made;

    hex(text, bytes);
    made = json_string(text);
    free(text);
    return made;
}

static json_t *
print_image(const struct binlog_table *t, struct span image)
{
    struct binlog_image it;
    struct binlog_value v;
    json_t             *row = json_array();
    struct buf          text = { 0 };

    binlog_image_init(&it, t, image);
    while (binlog_image_next(&it, &v)) {
        buf_clear(&text);
        if (v.is_null)
            json_array_append_new(row, json_null());
        else if (binlog_value_text(&text, &v, v.column->is_unsigned))
            json_array_append_new(row, json_hex(buf_unread(&text)));
        else
            json_array_append_new(row, json_pack("{s:o}", "raw", json_hex(v.data)));
    }
    buf_fini(&text);
    if (json_array_size(row) != t->n_columns || it.rest.len != 0)
        die("image", "does not fit");
    return row;
}

static json_t *
print_key(const struct binlog_table *t, struct span image)
{
    struct binlog_value v;
    struct buf          room = { 0 };
    struct err          err;
    uint64_t            hash;

    if (!g.has_key || image.len == 0)
        return json_null();
    if (!binlog_image_value(t, image, 1, &v))
        die("key", "no second column");
    if (!row_key_matches(&g.key, v.column, &err))
        die("key", err.text);
    bool  good = row_key_hash(&g.key, &v, &room, &hash);
    char  text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)hash);
    buf_fini(&room);
    return good ? json_string(text) : json_string("bad");
}

static void
print_rows(struct binlog_rows *rows, json_t *line)
{
    const struct binlog_table *t = rows->n_columns != 0 ? known(rows->table_id) : NULL;
    json_t                    *list = json_array();
    struct binlog_row          row;
    enum binlog_step           step = BINLOG_END;

    json_object_set_new(line, "change", json_integer(rows->change));
    json_object_set_new(line, "full", json_boolean(rows->full));
    json_object_set_new(line, "flags", json_integer(rows->flags));
    json_object_set_new(line, "rows", list);
    if (t == NULL || !rows->full)
        return;
    json_object_set_new(line, "table", json_stringn((const char *)t->name.ptr, t->name.len));
    json_object_set_new(line, "primary", json_integer(t->n_primary));
    while ((step = binlog_rows_next(rows, t, &row)) == BINLOG_ROW)
        json_array_append_new(list, json_pack("[o, o, o]",
            row.before.len ? print_image(t, row.before) : json_null(),
            row.after.len ? print_image(t, row.after) : json_null(),
            print_key(t, row.after.len ? row.after : row.before)));
    if (step == BINLOG_BAD)
        die("rows", "images do not fit");
}

static void
print_event(const struct binlog_event *e, struct binlog_rows *rows,
            const struct binlog_query *query)
{
    json_t      *line = json_pack("{s:i, s:i, s:i, s:o}", "type", e->type, "kind", (int)e->kind,
                                  "bytes", (int)e->raw.len, "crc",
                                  json_hex(span_from(e->raw, e->raw.len - BINLOG_CHECKSUM_BYTES)));
    struct span  text;
    bool         one_phase;
    struct binlog_xid xid;

    if (e->kind == BINLOG_KIND_GTID) {
        json_object_set_new(line, "gtid", json_string(g.now));
        json_object_set_new(line, "flags", json_integer(g.gtid.flags));
        json_object_set_new(line, "xid", json_string(g.xid));
    } else if (e->kind == BINLOG_KIND_QUERY) {
        json_object_set_new(line, "query", json_hex(query->text));
    } else if (e->kind == BINLOG_KIND_ROWS) {
        print_rows(rows, line);
    } else if (e->kind == BINLOG_KIND_XA_PREPARE) {
        if (!binlog_xa_prepare_read(e, &one_phase, &xid))
            die("xa prepare", "malformed");
        json_object_set_new(line, "xid", json_hex(xid.gtrid));
    } else if (binlog_annotate_read(e, &text)) {
        json_object_set_new(line, "annotate", json_hex(text));
    }
    json_dumpf(line, stdout, JSON_COMPACT);
    puts("");
    json_decref(line);
}

/* --- apply ---------------------------------------------------------------------------------- */

static void
keep(struct work *w, struct buf *sql)
{
    w->sql      = mem_resize(w->sql, (w->n + 1) * sizeof(*w->sql));
    w->sql[w->n++] = *sql;
    *sql = (struct buf){ 0 };
}

static void
flush(void)
{
    struct buf sql = { 0 };

    if (binlog_batch_take(&g.batch, &sql))
        keep(&g.work, &sql);
    buf_fini(&sql);
}

static void
drop(struct work *w)
{
    for (size_t i = 0; i < w->n; i++)
        buf_fini(&w->sql[i]);
    free(w->sql);
    *w = (struct work){ 0 };
}

static void
commit(struct work *w)
{
    run(SPAN("BEGIN"));
    for (size_t i = 0; i < w->n; i++)
        run(buf_unread(&w->sql[i]));
    run(SPAN("COMMIT"));
    drop(w);
}

static void
add(const struct binlog_table *t, enum binlog_change change, const struct binlog_row *row)
{
    if (!binlog_batch_fits(&g.batch, row))
        flush();
    uint32_t number = binlog_batch_table(&g.batch, t, span_of(g.to), t->name);
    binlog_batch_row(&g.batch, number, change, row);
}

static void
apply_rows(struct binlog_rows *rows)
{
    struct binlog_row row;
    enum binlog_step  step;

    if (rows->n_columns == 0)
        return;
    const struct binlog_table *t = known(rows->table_id);
    if (!span_equal(t->database, span_of(g.from)))
        return;
    while ((step = binlog_rows_next(rows, t, &row)) == BINLOG_ROW) {
        if (rows->change == BINLOG_UPDATE && g.halves) {
            add(t, BINLOG_DELETE, &row);
            add(t, BINLOG_INSERT, &row);
        } else {
            add(t, rows->change, &row);
        }
    }
    if (step == BINLOG_BAD)
        die("rows", "images do not fit");
}

static struct work *
branch(const char *xid)
{
    for (size_t i = 0; i < BRANCHES; i++)
        if (strcmp(g.branches[i].xid, xid) == 0)
            return &g.branches[i];
    die("branch", "unknown");
    return NULL;
}

static void
apply_query(const struct binlog_query *q)
{
    flush();
    if (g.gtid.flags & BINLOG_GTID_COMPLETED_XA) {
        struct work *w = branch(g.xid);
        if (q->text.len > 9 && memcmp(q->text.ptr, "XA COMMIT", 9) == 0)
            commit(w);
        else
            drop(w);
    } else if (span_equal(q->text, SPAN("COMMIT"))) {
        commit(&g.work);
    } else if (span_equal(q->text, SPAN("ROLLBACK"))) {
        drop(&g.work);
    }
}

static void
apply_event(const struct binlog_event *e, const struct tail *t, struct binlog_rows *rows,
            const struct binlog_query *query)
{
    struct buf sql = { 0 };

    if (e->type == BINLOG_FORMAT_DESCRIPTION) {
        binlog_statement(&sql, tail_description(t));
        run(buf_unread(&sql));
        buf_fini(&sql);
    } else if (e->kind == BINLOG_KIND_ROWS) {
        apply_rows(rows);
    } else if (e->kind == BINLOG_KIND_XID) {
        flush();
        commit(&g.work);
    } else if (e->kind == BINLOG_KIND_XA_PREPARE) {
        flush();
        struct work *w = branch("");
        *w     = g.work;
        g.work = (struct work){ 0 };
        snprintf(w->xid, sizeof(w->xid), "%s", g.xid);
    } else if (e->kind == BINLOG_KIND_QUERY) {
        apply_query(query);
    }
}

/* --- both ----------------------------------------------------------------------------------- */

static void
take_gtid(const struct binlog_event *e)
{
    if (!binlog_gtid_read(e, &g.gtid))
        die("gtid", "malformed");
    snprintf(g.now, sizeof(g.now), "%u-%u-%llu", g.gtid.domain, g.gtid.server_id,
             (unsigned long long)g.gtid.sequence);
    hex(g.xid, g.gtid.xid.gtrid);
    strcat(g.xid, ".");
    hex(g.xid + strlen(g.xid), g.gtid.xid.bqual);
    if (g.gtid.xid.gtrid.len == 0)
        g.xid[0] = 0;
}

/* Whether the event ends its transaction. */
static bool
ends(const struct binlog_event *e, const struct binlog_query *q)
{
    if (e->kind == BINLOG_KIND_XID || e->kind == BINLOG_KIND_XA_PREPARE)
        return true;
    return e->kind == BINLOG_KIND_QUERY &&
           (g.gtid.flags & BINLOG_GTID_STANDALONE || span_equal(q->text, SPAN("COMMIT")) ||
            span_equal(q->text, SPAN("ROLLBACK")));
}

static bool
handle(const struct binlog_event *e, const struct tail *t, bool printing)
{
    struct binlog_rows  rows  = { 0 };
    struct binlog_query query = { 0 };

    if (e->kind == BINLOG_KIND_GTID)
        take_gtid(e);
    if (e->kind == BINLOG_KIND_TABLE_MAP)
        learn(e);
    if (e->kind == BINLOG_KIND_QUERY && !binlog_query_read(e, &g.room, &query))
        die("query", "malformed");
    if (e->kind == BINLOG_KIND_ROWS && !binlog_rows_read(e, &g.room, &rows))
        die("rows", "malformed");
    if (printing)
        print_event(e, &rows, &query);
    else
        apply_event(e, t, &rows, &query);
    bool end = ends(e, &query);
    if (end)
        forget_tables();
    return end && strcmp(g.now, g.until) == 0;
}

static void
follow(const struct tail_spec *spec, bool printing)
{
    struct sql_error    error;
    struct binlog_event e;
    enum tail_status    status;
    bool                end = false;
    int                 quiet = 0;
    struct tail        *t   = tail_open(spec, &error);

    if (t == NULL)
        die("open", error.message);
    g.batch.format = tail_format(t);
    while (!end && (status = tail_next(t, SILENCE_MS, &e, &error)) != TAIL_TIMEOUT &&
           quiet * HEARTBEAT_MS < SILENCE_MS) {
        if (status == TAIL_ERROR)
            die("tail", error.message);
        quiet = status == TAIL_HEARTBEAT ? quiet + 1 : 0;
        end = status == TAIL_EVENT && handle(&e, t, printing);
    }
    tail_close(t);
    puts(end ? "{\"done\": true}" : "{\"failed\": \"silence\"}");
}

/* --- interrupt ------------------------------------------------------------------------------ */

static void *
wait_for_ever(void *arg)
{
    struct tail        *t = arg;
    struct binlog_event e;
    struct sql_error    error;
    enum tail_status    status;

    while ((status = tail_next(t, 10 * SILENCE_MS, &e, &error)) != TAIL_INTERRUPTED)
        if (status == TAIL_ERROR || status == TAIL_TIMEOUT)
            die("interrupt", "another end");
    if (tail_next(t, 10 * SILENCE_MS, &e, &error) != TAIL_INTERRUPTED)
        die("interrupt", "not for ever");
    return NULL;
}

/* One that waits, one whose reader waits for room, and one that has come to the log's end. */
static void
interrupt(struct tail_spec *spec)
{
    struct sql_error    error;
    struct binlog_event e;
    pthread_t           thread;
    struct tail        *t = tail_open(spec, &error);

    if (t == NULL || pthread_create(&thread, NULL, wait_for_ever, t) != 0)
        die("interrupt", error.message);
    tail_interrupt(t);
    pthread_join(thread, NULL);
    tail_close(t);
    spec->ahead_bytes = 1;
    t = tail_open(spec, &error);
    if (t == NULL || tail_next(t, SILENCE_MS, &e, &error) != TAIL_EVENT)
        die("interrupt", error.message);
    tail_close(t);
    t = tail_open(spec, &error);
    if (t == NULL)
        die("interrupt", error.message);
    while (tail_next(t, SILENCE_MS, &e, &error) == TAIL_EVENT)
        continue; /* until the heartbeat */
    if (tail_next(t, 0, &e, &error) != TAIL_TIMEOUT)
        die("interrupt", "there was more");
    tail_close(t);
    puts("{\"done\": true}");
}

int
main(int argc, char **argv)
{
    struct sql_error error;
    struct binlog_format format;

    if (argc < 5)
        return 2;
    bool    printing = strcmp(argv[1], "print") == 0;
    json_t *shard    = json_pack("{s:s, s:s, s:i, s:s, s:s, s:i}", "name", "source", "host",
                                 "127.0.0.1", "port", atoi(argv[2]), "user", "app", "secret",
                                 "app", "id", 1);
    struct tail_spec spec = { .shard = shard, .position = argv[3], .server_id = SERVER_ID,
                              .heartbeat_ms = HEARTBEAT_MS };
    snprintf(g.until, sizeof(g.until), "%s", argv[4]);
    if (printing && argc == 10) {
        g.has_key = true;
        g.key = (struct route_column){
            .name = SPAN("k"), .type = (enum column_type)atoi(argv[5]), .nullable = true,
            .is_unsigned = atoi(argv[6]) != 0, .collation = (uint16_t)atoi(argv[7]),
            .length = (uint32_t)atoi(argv[8]), .scale = (uint8_t)atoi(argv[9]),
        };
    } else if (strcmp(argv[1], "interrupt") == 0) {
        interrupt(&spec);
        json_decref(shard);
        return 0;
    } else if (!printing) {
        binlog_format_init(&format, true);
        g.from   = argv[5];
        g.to     = argv[6];
        g.halves = atoi(argv[8]) != 0;
        g.packet = argc == 10 ? strtoul(argv[9], NULL, 10) : 0;
        if (argc != 10 || !binlog_batch_init(&g.batch, &format, strtoul(argv[7], NULL, 10)))
            return 2;
        if (!server_open(&g.target, shard, &error))
            die("target", error.message);
        run(SPAN("SET SESSION server_id = 99, gtid_domain_id = 9, foreign_key_checks = 0,"
                 " check_constraint_checks = 0, binlog_annotate_row_events = OFF"));
    }
    follow(&spec, printing);
    forget_tables();
    buf_fini(&g.room);
    binlog_batch_fini(&g.batch);
    server_close(&g.target);
    json_decref(shard);
    return 0;
}
