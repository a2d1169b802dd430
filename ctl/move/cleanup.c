/* cleanup.c - see cleanup.h.
 *
 * Which side is cleaned is a matter of the routes that hold: m->after on the sources of a move
 * that is complete, m->before on the targets of one that is given up. What a row's owner is by
 * them decides, the sets only find rows quickly. What the reader finds is noted in a parcel first,
 * so that hours of throttled work keep no old versions alive on the server, and what it read is
 * compared again by the DELETE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/mysql/wire.h"
#include "core/route/keyhash.h"
#include "ctl/catalog/model.h"
#include "ctl/move/cleanup.h"
#include "ctl/move/image.h"
#include "ctl/move/parcel.h"
#include "ctl/move/purge.h"
#include "ctl/move/sets.h"
#include "ctl/provision/failpoint.h"

enum {
    BATCH              = 200, /* rows in a transaction */
    LOCK_S             = 10,
    ANSWER_S           = 600,
    TRIES              = 5,
    UTF8MB4_GENERAL_CI = 45,
    INTERRUPTED        = 1317, /* ER_QUERY_INTERRUPTED */
    NO_SUCH_TABLE      = 1146,
    SERVER_LOST        = 1430,
    LIST_FAILED        = 1026, /* ER_ERROR_ON_WRITE */
    CELL_NULL          = 0xfb, /* of a text row, see core/mysql/row.h */
};

struct cleaner {
    const struct move       *m;
    struct cleanup          *how;
    const struct routes     *routes; /* that hold */
    bool                     in;     /* the sets in_: a move that is given up */
    uint32_t                 shard;
    uint32_t                 from;   /* only rows of this shard; ROUTES_NONE: of all */
    const atomic_bool       *halt;   /* besides how->stop; may be NULL */
    struct server            reader, writer;
    const struct move_table *t;
    const struct route_table *rt;    /* of t, in `routes` */
    bool                     images; /* it has triggers of DELETE, which are not to fire */
    struct image             image;  /* of its primary key; owned */
    struct image_session     session; /* the writer's */
    struct buf               sql;
    unsigned                 n;      /* rows in `sql` */
    uint64_t                 began_us, done; /* for the throttle */
    struct purge             purge;
    struct parcel            list;  /* the table's rows that are to go */
    struct buf               cells; /* of one of them */
    struct sql_error        *error;
};

/* --- text ----------------------------------------------------------------- */

static const char *
column_name(const struct route_table *t, uint32_t column)
{
    char name[300];

    snprintf(name, sizeof(name), "%.*s", (int)t->columns[column].name.len,
             t->columns[column].name.ptr);
    return server_name(name);
}

static bool
is_number(enum column_type type)
{
    return (type >= COLUMN_TINYINT && type <= COLUMN_DOUBLE) || type == COLUMN_YEAR;
}

static bool
is_bytes(enum column_type type)
{
    return type == COLUMN_BINARY || type == COLUMN_VARBINARY || type == COLUMN_BLOB;
}

static bool
is_letters(enum column_type type)
{
    return type == COLUMN_CHAR || type == COLUMN_VARCHAR || type == COLUMN_TEXT ||
           type == COLUMN_ENUM || type == COLUMN_SET;
}

/* Compares as the row's own value. Letters come in the column's character set, which CONVERT
 * gets to know from the column itself: their bytes are taken as they are. */
static void
add_equal(struct buf *out, const struct route_table *t, uint32_t column, const char *cell,
          unsigned long len)
{
    enum column_type type  = t->columns[column].type;
    const char      *name  = column_name(t, column);
    struct span      value = { (const uint8_t *)cell, len };

    if (!cell) {
        buf_printf(out, "%s IS NULL", name);
    } else if (is_number(type)) {
        buf_printf(out, "%s = %.*s", name, (int)len, cell);
    } else if (type == COLUMN_BIT) {
        buf_printf(out, "%s = 0x", name);
        buf_append_hex(out, value);
    } else if (is_bytes(type)) {
        buf_append_text(out, name);
        buf_append_hex_literal(out, " = ", value);
    } else if (is_letters(type)) {
        buf_append_text(out, name);
        buf_append_hex_literal(out, " = _utf8mb4 ", value);
    } else { /* dates, times, UUID, INET: digits and punctuation */
        buf_printf(out, "%s = '%.*s'", name, (int)len, cell);
    }
}

/* Letters as UTF-8, whatever the column's set is; a FLOAT as the number that it is. */
static void
add_column(struct buf *sql, const struct route_table *t, uint32_t column)
{
    const char *name = column_name(t, column);

    if (is_letters(t->columns[column].type))
        buf_printf(sql, "CONVERT(t.%s USING utf8mb4)", name);
    else
        buf_printf(sql, t->columns[column].type == COLUMN_FLOAT ? "CAST(t.%s AS DOUBLE)" : "t.%s",
                   name);
}

/* --- which rows ----------------------------------------------------------- */

/* The set's key column, which the reader's rows have behind the primary key; ROUTES_NONE: the
 * table has none by these routes, and all its rows on this shard are wrong or right. */
static uint32_t
key_of(const struct cleaner *c)
{
    return c->rt->kind == TABLE_SHARDED ? c->rt->key : ROUTES_NONE;
}

static bool
is_indexed(struct cleaner *c, bool *yes)
{
    char n[16], name[300];

    snprintf(name, sizeof(name), "%.*s", (int)c->rt->columns[c->rt->key].name.len,
             c->rt->columns[c->rt->key].name.ptr);
    if (!server_value(&c->writer, n, sizeof(n), c->error,
                      "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s"
                      " AND TABLE_NAME = %s AND SEQ_IN_INDEX = 1 AND COLUMN_NAME = %s",
                      server_text(c->t->database), server_text(c->t->name), server_text(name)))
        return false;
    *yes = strcmp(n, "0") != 0;
    return true;
}

static bool
write_query(struct cleaner *c, struct buf *sql)
{
    const struct route_table *t = c->rt;
    bool                      indexed;
    char                      set[64];

    if (!is_indexed(c, &indexed))
        return false;
    sets_name(c->m, c->t, c->in, set);
    buf_append_text(sql, "SELECT ");
    for (unsigned i = 0; i < c->t->n_primary; i++) {
        add_column(sql, t, c->t->primary[i]);
        buf_append_text(sql, ", ");
    }
    add_column(sql, t, t->key);
    if (indexed)
        buf_printf(sql, " FROM " ROUTES_MOVE_SCHEMA ".%s h STRAIGHT_JOIN %s.%s t ON t.%s <=> h.k",
                   server_name(set), server_name(c->t->database), server_name(c->t->name),
                   column_name(t, t->key));
    else
        buf_printf(sql, " FROM %s.%s t FORCE INDEX (PRIMARY)", server_name(c->t->database),
                   server_name(c->t->name));
    return true;
}

/* Does the row lie elsewhere by the routes that hold? What cannot be told stays. */
static bool
is_foreign(struct cleaner *c, const char *cell, unsigned long len)
{
    uint64_t hash = keyhash_null();

    if (cell && !keyhash_row(&c->rt->columns[c->rt->key],
                             (struct span){ (const uint8_t *)cell, len }, UTF8MB4_GENERAL_CI,
                             &hash))
        return false;
    uint32_t owner = move_owner(c->routes, c->rt, hash);
    return owner != c->shard && (c->from == ROUTES_NONE || owner == c->from);
}

/* --- removing ------------------------------------------------------------- */

static bool
is_stopped(void *arg)
{
    const struct cleaner *c = arg;

    return c->how->stop || (c->halt && atomic_load(c->halt));
}

static bool
stopped(struct cleaner *c)
{
    return is_stopped(c) &&
           !sql_error_set(c->error, INTERRUPTED, "shardd: told to stop; the rest is removed when "
                          "the job goes on");
}

/* Slower than the limit and than the server's purge: no. In steps, so that a stop is seen. */
static bool
throttle(struct cleaner *c, uint64_t removed)
{
    uint64_t due;

    if (!purge_wait(&c->purge, &c->writer, removed, is_stopped, c, c->error))
        return false;
    if (c->how->rows_per_s == 0)
        return true;
    due = c->began_us + c->done * 1000000 / c->how->rows_per_s;
    while (clock_us() < due) {
        uint64_t left = due - clock_us();

        if (stopped(c))
            return false;
        usleep((useconds_t)(left < 50000 ? left : 50000));
    }
    return true;
}

static bool
remove_now(struct cleaner *c, uint64_t *removed)
{
    if (c->images)
        return image_delete(&c->session, &c->writer, &c->image, buf_unread(&c->sql), removed,
                            c->error);
    if (!server_run_text(&c->writer, buf_unread(&c->sql), c->error))
        return false;
    *removed = c->writer.affected;
    return true;
}

static bool
remove_batch(struct cleaner *c)
{
    if (c->n == 0)
        return true;
    uint64_t removed;

    if (stopped(c) || !remove_now(c, &removed))
        return false;
    failpoint("cleanup-batch");
    c->how->removed += removed;
    c->done         += c->n;
    c->n             = 0;
    buf_clear(&c->sql);
    return throttle(c, removed);
}

static bool
remove_row(struct cleaner *c, const char *const *row, const unsigned long *lengths)
{
    const struct route_table *t = c->rt;
    unsigned                  n = c->t->n_primary;

    if (c->n == 0 && !c->images)
        buf_printf(&c->sql, "DELETE FROM %s.%s WHERE ", server_name(c->t->database),
                   server_name(c->t->name));
    buf_append_text(&c->sql, c->n++ ? " OR (" : "(");
    for (unsigned i = 0; i < n; i++) {
        add_equal(&c->sql, t, c->t->primary[i], row[i], lengths[i]);
        buf_append_text(&c->sql, " AND ");
    }
    add_equal(&c->sql, t, t->key, row[n], lengths[n]);
    buf_append_byte(&c->sql, ')');
    return c->n < BATCH || remove_batch(c);
}

static bool
fetch_failed(struct cleaner *c)
{
    return mysql_errno(c->reader.mysql) != 0 &&
           !sql_error_set(c->error, SERVER_LOST, "shardd: shard %s: %.300s", c->reader.name,
                          mysql_error(c->reader.mysql));
}

static bool
list_failed(struct cleaner *c, int error)
{
    return sql_error_set(c->error, LIST_FAILED, "shardd: the list of rows to remove cannot be kept "
                         "in a file: %s", strerror(-error));
}

static bool
note_row(struct cleaner *c, MYSQL_ROW row, const unsigned long *lengths)
{
    int error;

    buf_clear(&c->cells);
    for (unsigned i = 0; i <= c->t->n_primary; i++)
        if (row[i])
            wire_put_lenenc_bytes(&c->cells, (struct span){ (const uint8_t *)row[i], lengths[i] });
        else
            buf_append_byte(&c->cells, CELL_NULL);
    error = parcel_put(&c->list, &(struct parcel_record){ 'x', .first = buf_unread(&c->cells) });
    return error == 0 || list_failed(c, error);
}

/* All of the answer is read before the first row goes: a statement that is under way keeps purge
 * from removing anything, READ UNCOMMITTED or not. */
static bool
note_rows(struct cleaner *c, MYSQL_RES *result)
{
    unsigned  n = c->t->n_primary;
    MYSQL_ROW row;

    while ((row = mysql_fetch_row(result)) != NULL) {
        unsigned long *lengths = mysql_fetch_lengths(result);

        if (stopped(c) || (is_foreign(c, row[n], lengths[n]) && !note_row(c, row, lengths)))
            return false;
    }
    return !fetch_failed(c);
}

static bool
remove_record(struct cleaner *c, struct span cells)
{
    const char   *row[MOVE_PRIMARY_MAX + 1];
    unsigned long lengths[MOVE_PRIMARY_MAX + 1];
    struct cursor at = cursor_of(cells);

    for (unsigned i = 0; i <= c->t->n_primary; i++) {
        bool        is_null;
        struct span cell = wire_nullable_bytes(&at, &is_null);

        row[i]     = is_null ? NULL : (const char *)cell.ptr;
        lengths[i] = cell.len;
    }
    return cursor_done(&at) ? remove_row(c, row, lengths) : list_failed(c, -EBADMSG);
}

static bool
remove_noted(struct cleaner *c)
{
    struct parcel_reader reader;
    struct parcel_record r;
    bool                 ok  = true;
    int                  got = 0;

    parcel_read(&reader, &c->list);
    while (ok && (got = parcel_next(&reader, &r)) > 0)
        ok = !stopped(c) && remove_record(c, r.first);
    parcel_read_end(&reader);
    return ok && (got == 0 || list_failed(c, got)) && remove_batch(c);
}

static bool
avoid_triggers(struct cleaner *c)
{
    const struct move_table *t = c->t;
    char                     name[256] = "";

    image_fini(&c->image);
    if (t->before->triggers != TRIGGERS_NONE &&
        !image_trigger(&c->writer, t->database, t->name, IMAGE_DELETE, name, c->error))
        return false;
    c->images = name[0] != '\0';
    return !c->images || image_init(&c->image, &c->writer, t->database, t->name, t->primary,
                                    t->n_primary, c->error);
}

static bool
clean_rows(struct cleaner *c)
{
    struct buf sql = { 0 };
    MYSQL_RES *result;
    bool       ok;

    c->n = 0;
    buf_clear(&c->sql);
    if (!avoid_triggers(c) || !write_query(c, &sql)) {
        buf_fini(&sql);
        return false;
    }
    ok = mysql_real_query(c->reader.mysql, (const char *)buf_unread(&sql).ptr,
                          buf_len(&sql)) == 0 &&
         (result = mysql_use_result(c->reader.mysql)) != NULL;
    buf_fini(&sql);
    if (!ok) {
        /* The table or its set is gone: then its rows are. */
        return mysql_errno(c->reader.mysql) == NO_SUCH_TABLE || !fetch_failed(c);
    }
    c->list = (struct parcel){ .folder = c->m->c->path.home };
    ok      = note_rows(c, result);
    if (!ok) /* what is left of the answer is not waited for */
        shutdown(mysql_get_socket(c->reader.mysql), SHUT_RDWR);
    mysql_free_result(result);
    ok = ok && remove_noted(c);
    parcel_fini(&c->list);
    return ok;
}

/* --- tables and shards ---------------------------------------------------- */

/* Has the table no business on this shard by the routes that hold? */
static bool
lives_elsewhere(const struct cleaner *c)
{
    return c->rt->kind == TABLE_GLOBAL && move_home(c->routes, c->rt->database) != c->shard;
}

/* With all that is in it: it is copied and switched, or was never used. */
static bool
drop(struct cleaner *c)
{
    char rows[32];

    if (!server_value(&c->writer, rows, sizeof(rows), c->error, "SELECT TABLE_ROWS FROM"
                      " information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                      server_text(c->t->database), server_text(c->t->name)))
        return false;
    if (!rows[0])
        return true;
    c->how->removed += strtoull(rows, NULL, 10);
    log_info("move: the copy of %s.%s on shard %s is dropped", c->t->database, c->t->name,
             c->writer.name);
    return server_run(&c->writer, c->error, "DROP TABLE IF EXISTS %s.%s",
                      server_name(c->t->database), server_name(c->t->name));
}

static bool
clean_table(struct cleaner *c)
{
    if (lives_elsewhere(c))
        return drop(c);
    /* Rows of tables that are everywhere, or at home here, belong. */
    return key_of(c) == ROUTES_NONE || clean_rows(c);
}

static bool
open_sessions(struct cleaner *c)
{
    c->reader = c->writer = (struct server){ .answer_s = ANSWER_S };
    c->session = (struct image_session){ .begun = false };
    return move_session(&c->writer, c->m, c->shard, LOCK_S, c->error) &&
           move_session(&c->reader, c->m, c->shard, LOCK_S, c->error) &&
           server_run(&c->reader, c->error,
                      "SET SESSION tx_isolation = 'READ-UNCOMMITTED', "
                      "net_write_timeout = 31536000, character_set_results = NULL");
}

static bool
clean_once(struct cleaner *c)
{
    bool ok = open_sessions(c);

    for (unsigned i = 0; ok && i < c->m->n_tables; i++) {
        c->t  = &c->m->tables[i];
        c->rt = c->in ? c->t->before : c->t->after;
        ok    = !stopped(c) && clean_table(c);
    }
    server_close(&c->reader);
    server_close(&c->writer);
    return ok;
}

/* What was removed is not found again, so a shard is begun anew when it was lost. */
static bool
clean_shard(struct cleaner *c)
{
    for (int i = 0; i < TRIES; i++) {
        if (clean_once(c))
            return true;
        if (c->error->code == INTERRUPTED)
            return false;
        log_warn("move: cleaning up on shard %u: %s", c->shard, c->error->message);
        for (int k = 0; k < 10 << i && !c->how->stop; k++)
            usleep(20000);
    }
    return false;
}

/* --- which shards --------------------------------------------------------- */

static void
mark(bool *on, const struct routes *r, const uint32_t *ids, size_t n)
{
    for (uint32_t i = 0; i < r->n_shards; i++)
        for (size_t k = 0; k < n; k++)
            on[i] = on[i] || r->shards[i].id == ids[k];
}

/* Sources or targets, and all that have a copy of a table that is global by these routes. */
static void
mark_all(const struct cleaner *c, bool *on)
{
    uint32_t sources[ROUTES_SHARDS_MAX], targets[ROUTES_SHARDS_MAX];
    size_t   n = move_sources(c->m, sources);

    if (!c->in)
        mark(on, c->routes, sources, n);
    for (size_t i = 0; c->in && i < n; i++)
        mark(on, c->routes, targets, move_targets_of(c->m, sources[i], targets));
    for (unsigned i = 0; i < c->m->n_tables; i++) {
        const struct move_table *t     = &c->m->tables[i];
        enum table_kind          is    = c->in ? t->before->kind : t->after->kind;
        enum table_kind          other = c->in ? t->after->kind : t->before->kind;

        for (uint32_t k = 0; is == TABLE_GLOBAL && other != TABLE_GLOBAL &&
                             k < c->routes->n_shards; k++)
            on[k] = true;
    }
}

static bool
clean_all(struct move *m, struct cleanup *how, bool in, struct sql_error *error)
{
    struct cleaner c = { .m = m, .how = how, .in = in, .from = ROUTES_NONE,
                         .routes = in ? m->before : m->after,
                         .error = error, .began_us = clock_us() };
    bool           on[ROUTES_SHARDS_MAX] = { false }, ok = true;

    mark_all(&c, on);
    for (uint32_t i = 0; ok && i < c.routes->n_shards; i++) {
        c.shard = c.routes->shards[i].id;
        ok      = !on[i] || clean_shard(&c);
    }
    image_fini(&c.image);
    buf_fini(&c.sql);
    buf_fini(&c.cells);
    log_info("move: %llu rows of job %lld removed%s", (unsigned long long)how->removed,
             (long long)m->job, ok ? "" : " so far");
    return ok;
}

bool
cleanup_sources(struct move *m, struct cleanup *how, struct sql_error *error)
{
    return clean_all(m, how, false, error);
}

bool
cleanup_targets(struct move *m, struct cleanup *how, struct sql_error *error)
{
    return clean_all(m, how, true, error);
}

bool
cleanup_copied(const struct move *m, const struct move_table *t, uint32_t source, uint32_t target,
               const atomic_bool *stop, struct sql_error *error)
{
    struct cleanup how = { .rows_per_s = 0 };
    struct cleaner c   = { .m = m, .how = &how, .in = true, .from = source, .halt = stop,
                           .routes = m->before, .error = error, .began_us = clock_us(),
                           .shard = target, .t = t, .rt = t->before };
    bool           ok  = open_sessions(&c) && clean_rows(&c);

    server_close(&c.reader);
    server_close(&c.writer);
    image_fini(&c.image);
    buf_fini(&c.sql);
    buf_fini(&c.cells);
    return ok;
}
