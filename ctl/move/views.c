/* views.c - see views.h. */
#include "ctl/move/views.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "ctl/catalog/model.h"

enum {
    NO_SUCH_THREAD = 1094, LOCK_TIMEOUT = 1205,
    FRESH_MS = 5000,
    PAUSE_US = 110000, /* and up to as much again */
};

/* By connection and beginning: a server's own clock says when that was, and numbers of
 * transactions that only read are used again. Branches that are prepared read no more. NULL: what
 * is shown is older than our own transaction. */
static json_t *
look(struct server *s, json_t *rows)
{
    unsigned long own = mysql_thread_id(s->mysql);
    json_t       *set = json_object(), *row;
    bool          is_new = false;
    size_t        i;

    json_array_foreach(rows, i, row)
        if (strtoul(server_cell(row, 0), NULL, 10) == own)
            is_new = true;
        else
            json_object_set_nocheck(set, server_cell(row, 0), row);
    if (is_new)
        return set;
    json_decref(set);
    return NULL;
}

/* InnoDB keeps what it shows for 100 ms, and as long as somebody reads it more often than that: it
 * is read until it shows our own transaction, which began after the call. Others read it too, each
 * at a pace of its own: so ours changes. */
static json_t *
read_open(struct server *s, struct sql_error *error)
{
    uint64_t until = clock_us() + FRESH_MS * 1000ull;

    if (!server_run(s, error, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ") ||
        !server_run(s, error, "START TRANSACTION WITH CONSISTENT SNAPSHOT"))
        return NULL;
    for (;;) {
        json_t *rows, *set;

        rows = server_rows(s, error, "SELECT CONCAT(trx_mysql_thread_id, ' ', trx_started),"
                           " TIMESTAMPDIFF(SECOND, trx_started, NOW()), IFNULL(p.USER, '?')"
                           " FROM information_schema.INNODB_TRX LEFT JOIN"
                           " information_schema.PROCESSLIST p ON p.ID = trx_mysql_thread_id"
                           " WHERE trx_mysql_thread_id <> 0");
        if (!rows)
            return NULL;
        set = look(s, rows);
        json_decref(rows);
        if (set)
            return set;
        if (clock_us() > until) {
            sql_error_set(error, LOCK_TIMEOUT, "shardd: %s does not show which transactions are "
                          "open now: somebody reads INNODB_TRX there all the time", s->name);
            return NULL;
        }
        usleep(PAUSE_US + (useconds_t)(clock_us() % PAUSE_US));
    }
}

static json_t *
open_there(const json_t *shard, struct sql_error *error)
{
    struct server s   = { .mysql = NULL };
    json_t       *set = server_open(&s, shard, error) ? read_open(&s, error) : NULL;

    server_close(&s);
    return set;
}

json_t *
views_note(const struct move *m, struct sql_error *error)
{
    json_t     *noted = json_object(), *shard;
    const char *id;

    json_object_foreach(m->shards, id, shard) {
        json_t *set = open_there(shard, error);

        if (set == NULL) {
            json_decref(noted);
            return NULL;
        }
        json_object_set_new_nocheck(noted, id, set);
    }
    return noted;
}

/* {shard: {transaction: row}} of those that were noted and are still there; NULL with `error`. */
static json_t *
still_open(const struct move *m, const json_t *noted, struct sql_error *error)
{
    json_t     *now = views_note(m, error), *set, *row;
    const char *id, *view;
    void       *next;

    json_object_foreach(now, id, set)
        json_object_foreach_safe(set, next, view, row)
            if (!json_object_get(json_object_get(noted, id), view))
                json_object_del(set, view);
    return now;
}

bool
views_left(const struct move *m, const json_t *noted, size_t *left, char oldest[VIEWS_TEXT_MAX],
           struct sql_error *error)
{
    json_t     *open = still_open(m, noted, error), *set, *row;
    const char *id, *view;
    long long   longest = -1;

    if (open == NULL)
        return false;
    *left     = 0;
    oldest[0] = '\0';
    json_object_foreach(open, id, set)
        json_object_foreach(set, view, row) {
            long long seconds = strtoll(server_cell(row, 1), NULL, 10);

            (*left)++;
            if (seconds <= longest)
                continue;
            longest = seconds;
            snprintf(oldest, VIEWS_TEXT_MAX, "connection %.*s of %.60s on %.60s, for %lld s",
                     (int)strcspn(view, " "), view, server_cell(row, 2),
                     model_text(json_object_get(m->shards, id), "name"), seconds);
        }
    json_decref(open);
    return true;
}

static bool
end_on(const json_t *shard, const json_t *set, struct sql_error *error)
{
    struct server s = { .mysql = NULL };
    const char   *view;
    json_t       *row;
    bool          ok = server_open(&s, shard, error);

    json_object_foreach((json_t *)(uintptr_t)set, view, row) {
        if (!ok)
            break;
        log_warn("move: the transaction of connection %.*s on shard %s is ended: it holds up the "
                 "end of a move", (int)strcspn(view, " "), view, s.name);
        ok = server_run(&s, error, "KILL %lld", strtoll(view, NULL, 10)) ||
             error->code == NO_SUCH_THREAD;
    }
    server_close(&s);
    return ok;
}

bool
views_end(const struct move *m, const json_t *noted, struct sql_error *error)
{
    json_t     *open = still_open(m, noted, error), *set;
    const char *id;
    bool        ok = open != NULL;

    json_object_foreach(open, id, set)
        ok = ok && (json_object_size(set) == 0 ||
                    end_on(json_object_get(m->shards, id), set, error));
    json_decref(open);
    return ok;
}
