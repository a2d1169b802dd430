/* server.h - SQL from the controller to one MariaDB server.
 *
 * Connections are short: one per job step or check. Texts are utf8mb4. A
 * server's refusal arrives as struct sql_error, in its own words; a server
 * that cannot be reached has code 1429, one that is lost 1430, and the shard's name in it.
 */
#ifndef CTL_PROVISION_SERVER_H
#define CTL_PROVISION_SERVER_H

#include <jansson.h>
#include <mariadb/mysql.h>

#include "core/base/buf.h"
#include "core/base/err.h"

struct server {
    MYSQL      *mysql;
    const char *name; /* of the shard, borrowed from its object */
    int64_t     id;
    const char *account_host; /* of users' accounts: "%", or ours as an adopted server sees it */
    uint64_t    affected; /* rows and warnings of the last statement of server_run*() */
    unsigned    warnings;
    bool        counts;   /* that statement said how many records it went through (ALTER TABLE) */
    bool        compress; /* set it before opening: the protocol's compression, over TCP */
    unsigned    answer_s; /* set it before opening: an answer that takes longer is an error of
                             the transport; 0: none does */
};

/* Connects as the controller to the shard of this catalog object, which must
 * outlive the connection. */
bool server_open(struct server *s, const json_t *shard, struct sql_error *error) must_check;

/* As an account of an application. `database` may be NULL. */
bool server_open_as(struct server *s, const json_t *shard, const char *user,
                    const char *secret, const char *database,
                    struct sql_error *error) must_check;

/* What s->mysql says went wrong, for callers that use it themselves. Returns false. */
bool server_failed(struct server *s, struct sql_error *error);

/* Fine on one that was never opened. */
void server_close(struct server *s);

/* What libmariadb says that was wrong with a call on s->mysql, as above. Returns false. */
bool server_refused(struct server *s, struct sql_error *error);

/* Runs one statement and throws rows away. */
bool server_run(struct server *s, struct sql_error *error, const char *fmt, ...)
    printf_like(3, 4) must_check;
bool server_run_text(struct server *s, struct span sql, struct sql_error *error) must_check;

/* The rows as [[text or null, ...], ...], owned by the caller; NULL on error.
 * Values are bytes and need not be UTF-8. */
json_t *server_rows(struct server *s, struct sql_error *error, const char *fmt, ...)
    printf_like(3, 4) must_check;

/* All of an answer: [[name, "text" or "number"], ...] in `columns`, rows as above, which are
 * UTF-8 here: what is not becomes '?'. Both NULL when it has no rows. The caller owns them. */
bool server_table(struct server *s, struct span sql, json_t **columns, json_t **rows,
                  struct sql_error *error) must_check;

/* Calls `row` for every row as it arrives, nothing is kept. */
typedef void (*server_row_fn)(void *context, MYSQL_ROW row, const unsigned long *lengths);
bool server_each(struct server *s, server_row_fn row, void *context, struct sql_error *error,
                 const char *fmt, ...) printf_like(5, 6) must_check;

/* The first column of the first row: true and "" when there is no row. */
bool server_value(struct server *s, char *out, size_t room, struct sql_error *error,
                  const char *fmt, ...) printf_like(5, 6) must_check;

/* Text at [row][column], "" for NULL. */
const char *server_cell(const json_t *row, size_t column);

/* `name` as an identifier with backquotes; text as a literal with quotes (in
 * the default sql_mode). Appended to `out`. */
void server_quote_name(struct buf *out, const char *name);
void server_quote_span(struct buf *out, struct span name);
void server_quote_text(struct buf *out, const char *text);

/* `name` in backquotes, for printf: one of 8 buffers of this thread, in turn.
 * `name` has at most 64 characters. */
const char *server_name(const char *name);
const char *server_text(const char *text);

#endif
