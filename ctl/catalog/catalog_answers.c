/* catalog_answers.c - what requests with an Idempotency-Key were answered.
 *
 *   (no row) --begin--> in work (body NULL) --keep--> kept (body) --age, number--> (no row)
 *                           +--drop--> (no row)
 *
 * A row that is in work by an earlier opening of the catalog is of a controller that has ended:
 * nobody knows how far the request came, so it is neither done again nor answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/memory.h"
#include "ctl/catalog/catalog_sqlite.h"

bool
catalog_answers_open(struct catalog *c, struct err *err)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return err_set(err, "there are no random numbers");
    snprintf(c->boot, sizeof(c->boot), "%016llx", (unsigned long long)random);
    return true;
}

static void
step(struct catalog_change *change, sqlite3_stmt *stmt)
{
    if (change->rc == 0 && sqlite3_step(stmt) != SQLITE_DONE)
        catalog_broken(change);
    sqlite3_finalize(stmt);
}

/* Those that are too old, and the oldest of too many. */
static void
forget(struct catalog_change *change, double now)
{
    sqlite3_stmt *stmt = catalog_prepare(change->catalog, "DELETE FROM answer WHERE time < ?");

    sqlite3_bind_double(stmt, 1, now - ANSWERS_KEPT_S);
    step(change, stmt);
    stmt = catalog_prepare(change->catalog,
        "DELETE FROM answer WHERE (who, key) IN (SELECT who, key FROM answer"
        " ORDER BY time DESC LIMIT -1 OFFSET ?)");
    sqlite3_bind_int(stmt, 1, ANSWERS_KEPT - 1);
    step(change, stmt);
}

static enum answer_state
look(struct catalog *c, const char *who, const char *key, const char *print, json_t **kept)
{
    sqlite3_stmt     *stmt = catalog_prepare(c,
        "SELECT print, boot, body FROM answer WHERE who=? AND key=?");
    enum answer_state state = ANSWER_NEW;
    const char       *body;

    catalog_bind(stmt, 1, who);
    catalog_bind(stmt, 2, key);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        body = (const char *)sqlite3_column_text(stmt, 2);
        if (strcmp((const char *)sqlite3_column_text(stmt, 0), print) != 0)
            state = ANSWER_OTHER;
        else if (body)
            state = (*kept = json_loads(body, 0, NULL)) ? ANSWER_KEPT : ANSWER_LOST;
        else
            state = strcmp((const char *)sqlite3_column_text(stmt, 1), c->boot) == 0
                        ? ANSWER_RUNS : ANSWER_LOST;
    }
    sqlite3_finalize(stmt);
    return state;
}

enum answer_state
catalog_answer_begin(struct catalog *c, const char *who, const char *key, const char *print,
                     json_t **kept)
{
    struct catalog_change *change = catalog_begin(c, who);
    double                 now    = (double)time(NULL);
    enum answer_state      state;
    sqlite3_stmt          *stmt;
    struct err             err;

    *kept = NULL;
    forget(change, now); /* first: what is too old is no longer an answer */
    state = change->rc ? ANSWER_BROKEN : look(c, who, key, print, kept);
    if (state != ANSWER_NEW) {
        catalog_cancel(change);
        return state;
    }
    stmt = catalog_prepare(c, "INSERT INTO answer (who, key, print, boot, time)"
                              " VALUES (?, ?, ?, ?, ?)");
    catalog_bind(stmt, 1, who);
    catalog_bind(stmt, 2, key);
    catalog_bind(stmt, 3, print);
    catalog_bind(stmt, 4, c->boot);
    sqlite3_bind_double(stmt, 5, now);
    step(change, stmt);
    return catalog_commit(change, &err) == 0 ? ANSWER_NEW : ANSWER_BROKEN;
}

/* `body` NULL: the row goes. When it cannot be written the row stays as it is: in work, and so
 * never answered wrongly. */
static void
settle(struct catalog *c, const char *who, const char *key, const char *body)
{
    struct catalog_change *change = catalog_begin(c, who);
    sqlite3_stmt          *stmt   = catalog_prepare(c, body
        ? "UPDATE answer SET body=?3 WHERE who=?1 AND key=?2"
        : "DELETE FROM answer WHERE who=?1 AND key=?2");
    struct err             err;

    catalog_bind(stmt, 1, who);
    catalog_bind(stmt, 2, key);
    if (body)
        catalog_bind(stmt, 3, body);
    step(change, stmt);
    if (catalog_commit(change, &err) != 0)
        log_error("an answer is not kept: %s", err.text);
}

void
catalog_answer_keep(struct catalog *c, const char *who, const char *key, const json_t *answer)
{
    char *body = json_dumps(answer, JSON_COMPACT);

    settle(c, who, key, body);
    free(body);
}

void
catalog_answer_drop(struct catalog *c, const char *who, const char *key)
{
    settle(c, who, key, NULL);
}
