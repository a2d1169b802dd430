/* copy.c - the copy of one source: what is to be done, what is done, and cycles of it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/mysql/binlog_value.h"
#include "ctl/catalog/model.h"
#include "ctl/move/copy_part.h"

enum { ANSWER_S = 60, LOCK_S = 20, NAP_MS = 20, CREDIT_MS = 50 };

double
copy_now_ms(void)
{
    return (double)clock_us() / 1e3;
}

/* --- opening --- */

/* Which shards get rows of the table from the source. All tables whose key stays have the same
 * ones. */
static void
find_takers(struct copy *c, struct copy_table *t)
{
    uint32_t ids[ROUTES_SHARDS_MAX];
    size_t   n = move_targets_of_table(c->m, t->t, c->source, ids);

    t->leaves = n > 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c->n_targets; k++)
            if (c->targets[k] == ids[i])
                t->targets[k].takes = true;
}

static bool
make_tables(struct copy *c, struct sql_error *error)
{
    for (unsigned i = 0; i < c->n_tables; i++) {
        struct copy_table *t = &c->tables[i];

        if (!copy_table_init(t, c->m, &c->m->tables[i], c->n_targets, error))
            return false;
        find_takers(c, t);
        atomic_fetch_add(&c->n_leaving, t->leaves);
    }
    return true;
}

/* LOAD DATA would run them for rows that were inserted long ago; images do not. */
static bool
avoid_triggers(struct copy_table *t, struct server *s, struct sql_error *error)
{
    char name[256] = "";

    if (t->t->before->triggers != TRIGGERS_NONE &&
        !image_trigger(s, t->t->database, t->t->name, IMAGE_INSERT, name, error))
        return false;
    return !name[0] || copy_table_images(t, s, error);
}

/* Those that the source has not. */
static bool
refuse_triggers(const struct copy *c, struct server *s, struct sql_error *error)
{
    json_t *row, *rows = server_rows(s, error,
        "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM "
        "information_schema.TRIGGERS WHERE EVENT_MANIPULATION = 'INSERT'"
        " AND TRIGGER_NAME NOT LIKE 'shardd lookup %%'");
    size_t  i;
    bool    ok = rows != NULL;

    json_array_foreach(rows, i, row)
        for (unsigned k = 0; ok && k < c->n_tables; k++)
            if (c->tables[k].leaves && !c->tables[k].image &&
                strcmp(c->tables[k].t->database, server_cell(row, 0)) == 0 &&
                strcmp(c->tables[k].t->name, server_cell(row, 1)) == 0)
                ok = sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s cannot be "
                                   "moved: shard %s would run its trigger %s for each row; drop "
                                   "the trigger, move, and create it again", server_cell(row, 0),
                                   server_cell(row, 1), s->name, server_cell(row, 2));
    json_decref(rows);
    return ok;
}

static bool
read_progress(struct copy *c, size_t target, struct server *s, struct sql_error *error)
{
    json_t *row, *rows = server_rows(s, error,
        "SELECT tbl, last, done FROM `" ROUTES_MOVE_SCHEMA "`.copied WHERE job = %lld AND "
        "source = %u AND target = %u", (long long)c->m->job, (unsigned)c->source,
        (unsigned)c->targets[target]);
    size_t  i;

    json_array_foreach(rows, i, row) {
        unsigned long number = strtoul(server_cell(row, 0), NULL, 10);
        json_t       *last   = json_array_get(row, 1);

        if (number >= c->n_tables)
            continue;
        buf_append(&c->tables[number].targets[target].last, server_cell(row, 1),
                   json_string_length(last));
        c->tables[number].targets[target].done = server_cell(row, 2)[0] == '1';
        c->tables[number].targets[target].torn = !c->tables[number].ordered &&
                                                 server_cell(row, 2)[0] != '1';
    }
    json_decref(rows);
    return rows != NULL;
}

static bool
check_infile(struct server *s, struct sql_error *error)
{
    char on[8];

    if (!server_value(s, on, sizeof(on), error, "SELECT @@global.local_infile"))
        return false;
    return on[0] == '1' ||
           sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: shard %s takes no rows by LOAD DATA "
                         "LOCAL, which a move needs; SET GLOBAL local_infile = ON there", s->name);
}

static bool
ask_target(struct copy *c, size_t target, struct sql_error *error)
{
    struct server s = { .answer_s = ANSWER_S };
    bool          ok;

    if (!move_session(&s, c->m, c->targets[target], LOCK_S, error))
        return false;
    ok = check_infile(&s, error) && refuse_triggers(c, &s, error) &&
         read_progress(c, target, &s, error);
    server_close(&s);
    return ok;
}

static bool
check_table(const struct copy_table *t, const json_t *row, struct sql_error *error)
{
    if (strcmp(server_cell(row, 1), "BASE TABLE") != 0)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s cannot be moved: it "
                             "is a %s; only plain tables can", t->t->database, t->t->name,
                             server_cell(row, 1)[0] ? server_cell(row, 1) : "missing one");
    if (strcasecmp(server_cell(row, 2), "InnoDB") != 0)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: table %s.%s cannot be moved: its "
                             "engine is %s, which has no snapshots; ALTER TABLE ... "
                             "ENGINE=InnoDB", t->t->database, t->t->name, server_cell(row, 2));
    return true;
}

/* Rows to come, as the server estimates them. */
static bool
ask_source(struct copy *c, struct sql_error *error)
{
    struct server s  = { .answer_s = ANSWER_S };
    bool          ok = move_session(&s, c->m, c->source, LOCK_S, error) &&
                       check_infile(&s, error); /* out_ is written there */

    for (unsigned i = 0; ok && i < c->n_tables; i++) {
        struct copy_table *t = &c->tables[i];
        json_t            *rows, *row;

        if (!t->leaves)
            continue;
        rows = server_rows(&s, error, "SELECT TABLE_ROWS, TABLE_TYPE, ENGINE FROM "
                           "information_schema.TABLES WHERE TABLE_SCHEMA = %s AND "
                           "TABLE_NAME = %s", server_text(t->t->database),
                           server_text(t->t->name));
        row  = json_array_get(rows, 0);
        ok   = rows && check_table(t, row, error) && avoid_triggers(t, &s, error);
        t->estimate = strtoull(server_cell(row, 0), NULL, 10);
        atomic_fetch_add(&c->rows_total, t->estimate);
        json_decref(rows);
    }
    server_close(&s);
    return ok;
}

/* What an earlier controller copied whole counts as read. */
static void
count_done(struct copy *c)
{
    for (unsigned i = 0; i < c->n_tables; i++)
        if (c->tables[i].leaves && copy_table_done(c, &c->tables[i])) {
            atomic_fetch_add(&c->n_done, 1);
            atomic_fetch_add(&c->rows, c->tables[i].estimate);
        }
}

struct copy *
copy_open(const struct move *m, uint32_t source, struct sql_error *error)
{
    struct copy *c = mem_alloc(sizeof(*c));
    uint32_t     ids[ROUTES_SHARDS_MAX];
    bool         ok;

    c->m         = m;
    c->source    = source;
    c->n_targets = move_targets_of(m, source, ids);
    c->targets   = mem_alloc((c->n_targets + 1) * sizeof(*c->targets));
    memcpy(c->targets, ids, c->n_targets * sizeof(*ids));
    c->n_tables  = m->n_tables;
    c->tables    = mem_alloc((c->n_tables + 1) * sizeof(*c->tables));
    pthread_mutex_init(&c->lock, NULL);
    ok = make_tables(c, error) && ask_source(c, error);
    for (size_t i = 0; ok && i < c->n_targets; i++)
        ok = ask_target(c, i, error);
    if (ok) {
        count_done(c);
        return c;
    }
    copy_close(c);
    return NULL;
}

void
copy_close(struct copy *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_tables; i++)
        copy_table_fini(&c->tables[i], c->n_targets);
    pthread_mutex_destroy(&c->lock);
    free(c->tables);
    free(c->targets);
    free(c);
}

/* --- what is to be done --- */

bool
copy_table_done(const struct copy *c, const struct copy_table *t)
{
    for (size_t i = 0; i < c->n_targets; i++)
        if (t->targets[i].takes && !t->targets[i].done)
            return false;
    return true;
}

bool
copy_is_done(const struct copy *c)
{
    for (unsigned i = 0; i < c->n_tables; i++)
        if (!copy_table_done(c, &c->tables[i]))
            return false;
    return true;
}

struct copy_table *
copy_take(struct copy *c)
{
    struct copy_table *found = NULL;

    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < c->n_tables && !found; i++)
        if (!c->tables[i].taken && !copy_table_done(c, &c->tables[i]))
            found = &c->tables[i];
    if (found) {
        found->taken = true;
        snprintf(c->current, sizeof(c->current), "%s.%s", found->t->database, found->t->name);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

void
copy_throttle(struct copy *c, uint64_t rows_per_s, uint64_t bytes_per_s, bool paused)
{
    atomic_store(&c->rows_per_s, rows_per_s);
    atomic_store(&c->bytes_per_s, bytes_per_s);
    atomic_store(&c->paused, paused);
}

static void
nap(double ms)
{
    struct timespec pause = { .tv_nsec = (long)((ms < NAP_MS ? ms : NAP_MS) * 1e6) };

    nanosleep(&pause, NULL);
}

/* How long `n` may take at the least. */
static double
least_ms(uint64_t n, uint64_t per_s)
{
    return per_s > 0 ? (double)n * 1e3 / (double)per_s : 0;
}

/* All lanes share one clock: what was read and sent moves it on. Time that was not used, as no
 * nap is exact and reading takes time too, is made up for, a little of it. */
void
copy_pace(struct copy_lane *lane, uint64_t rows, uint64_t bytes)
{
    struct copy *c   = lane->copy;
    double       ms  = least_ms(rows, atomic_load(&c->rows_per_s));
    double       by  = least_ms(bytes, atomic_load(&c->bytes_per_s));
    double       now = copy_now_ms(), at = 0;

    ms = by > ms ? by : ms;
    if (ms > 0) {
        pthread_mutex_lock(&c->lock);
        at = (c->next_ms > now - CREDIT_MS ? c->next_ms : now - CREDIT_MS) + ms;
        c->next_ms = at;
        pthread_mutex_unlock(&c->lock);
    }
    while ((now < at || (atomic_load(&c->paused) && now < lane->end_ms)) &&
           !copy_lane_stopped(lane)) {
        nap(now < at ? at - now : NAP_MS);
        now = copy_now_ms();
    }
}

void
copy_status(const struct copy *c, struct copy_status *out)
{
    struct copy *open = (struct copy *)(uintptr_t)c; /* for its lock */

    *out = (struct copy_status){
        .rows = atomic_load(&c->rows), .rows_total = atomic_load(&c->rows_total),
        .sent = atomic_load(&c->sent), .bytes = atomic_load(&c->bytes),
        .tables = atomic_load(&c->n_leaving), .tables_done = atomic_load(&c->n_done),
    };
    pthread_mutex_lock(&open->lock);
    snprintf(out->table, sizeof(out->table), "%s", c->current);
    pthread_mutex_unlock(&open->lock);
}

/* --- a row of the log --- */

bool
copy_covers(const struct copy *c, unsigned table, uint32_t target,
            const struct binlog_value *columns)
{
    const struct copy_table  *t   = &c->tables[table];
    struct buf                key = { 0 }, text = { 0 };
    const struct copy_target *progress = NULL;
    bool                      ok = true;
    int                       order;

    for (size_t i = 0; i < c->n_targets; i++)
        if (c->targets[i] == target)
            progress = &t->targets[i];
    if (!progress || !progress->takes || progress->done)
        return progress && progress->takes;
    if (!t->ordered || buf_len(&progress->last) == 0)
        return false;
    for (unsigned i = 0; ok && i < t->t->n_primary; i++) {
        uint32_t column = t->t->primary[i];

        buf_clear(&text);
        ok = binlog_value_text(&text, &columns[column], t->t->before->columns[column].is_unsigned);
        copy_key_append(&key, buf_unread(&text));
    }
    order = copy_table_order(t, buf_unread(&key), buf_unread(&progress->last));
    buf_fini(&key);
    buf_fini(&text);
    return ok && order <= 0;
}
