/* mend.c - see mend.h. */
#include "ctl/failover/mend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "ctl/failover/relax.h"

enum {
    NO_SUCH_XID     = 1397,
    XID_IS_THERE    = 1440,
    OUT_OF_SEQUENCE = 1950,
    LOG_BYTES       = 512 << 20, /* of its own log that are looked through, the newest files */
    ONE_MORE_S      = 2,
};

/* --- what the server says ----------------------------------------------------------------- */

const char *
mend_statement(const char *problem, char *out, size_t room)
{
    static const char before[] = "Query: '";
    const char       *at = strstr(problem, before), *end = strrchr(problem, '\'');

    if (!at || end[1] != '\0')
        return NULL;
    at += strlen(before);
    if (end <= at || (size_t)(end - at) >= room)
        return NULL;
    snprintf(out, room, "%.*s", (int)(end - at), at);
    return out;
}

/* The GTID behind `word`; "" where there is none. */
static void
gtid_behind(const char *text, const char *word, char out[64])
{
    const char *at = strstr(text, word);

    out[0] = '\0';
    if (at)
        snprintf(out, 64, "%.*s", (int)strspn(at + strlen(word), "0123456789-"),
                 at + strlen(word));
}

bool
mend_is_last(const char *problem, const char *last)
{
    char            is[64], existing[64];
    struct gtid_set set, one;

    gtid_behind(problem, "binlog GTID ", is);
    gtid_behind(problem, "existing GTID ", existing);
    if (strcmp(is, existing) != 0 || !gtid_parse(&set, last) || !gtid_parse(&one, is) || one.n != 1)
        return false;
    for (unsigned i = 0; i < set.n; i++)
        if (set.at[i].domain == one.at[0].domain)
            return set.at[i].server == one.at[0].server &&
                   set.at[i].sequence == one.at[0].sequence;
    return false;
}

/* --- what it has done already --------------------------------------------------------------- */

/* Its own log has a transaction that it got from its primary, and does not count as applied: the
 * next one, as they are applied one by one. */
static bool
log_is_ahead(struct server *s)
{
    char             own[GTID_TEXT_MAX], applied[GTID_TEXT_MAX], id[16];
    struct gtid_set  log, position;
    struct sql_error ignored;

    if (!server_value(s, own, sizeof(own), &ignored, "SELECT @@gtid_binlog_pos") ||
        !server_value(s, applied, sizeof(applied), &ignored, "SELECT @@gtid_slave_pos") ||
        !server_value(s, id, sizeof(id), &ignored, "SELECT @@server_id") ||
        !gtid_parse(&log, own) || !gtid_parse(&position, applied))
        return false;
    for (unsigned i = 0; i < log.n; i++)
        if (!gtid_has(&position, log.at[i]) && log.at[i].server != strtoul(id, NULL, 10))
            return true;
    return false;
}

/* Rows of SHOW BINLOG EVENTS, looked through for a statement. */
struct search {
    const char *statement;
    bool        found;
};

static void
look_at_event(void *context, MYSQL_ROW row, const unsigned long *lengths)
{
    struct search *w   = context;
    size_t         len = strlen(w->statement);

    /* It may have "use `database`; " in front. */
    if (row[2] && row[5] && strcmp(row[2], "Query") == 0 && lengths[5] >= len &&
        strcmp(row[5] + lengths[5] - len, w->statement) == 0)
        w->found = true;
}

static bool
is_in_log(struct server *s, const char *statement)
{
    struct search    w = { .statement = statement };
    struct sql_error error;
    json_t          *files = server_rows(s, &error, "SHOW BINARY LOGS");
    int64_t          bytes = 0;

    for (size_t i = json_array_size(files); i-- > 0 && !w.found && bytes <= LOG_BYTES;) {
        const json_t *file = json_array_get(files, i);

        bytes += atoll(server_cell(file, 1));
        if (!server_each(s, look_at_event, &w, &error, "SHOW BINLOG EVENTS IN %s",
                         server_text(server_cell(file, 0)))) {
            log_warn("%s: %s", s->name, error.message);
            break;
        }
    }
    json_decref(files);
    return w.found;
}

static bool
is_over_already(struct server *s, const char *problem)
{
    char        room[256];
    const char *statement = mend_statement(problem, room, sizeof(room));

    if (!statement)
        return false;
    return strncmp(statement, "XA ROLLBACK ", strlen("XA ROLLBACK ")) == 0 ||
           (strncmp(statement, "XA COMMIT ", strlen("XA COMMIT ")) == 0 &&
            (log_is_ahead(s) || is_in_log(s, statement)));
}

/* --- what is done about it ------------------------------------------------------------------- */

static bool
go_on(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "START SLAVE SQL_THREAD");
}

static bool
apply_once_more(struct cluster *c, struct server *s, const char *problem, struct sql_error *error)
{
    char             gtid[64];
    struct sql_error waited;
    bool             ok = relax_begin(c, s, RELAX_ORDER, error) && go_on(s, error);

    gtid_behind(problem, "binlog GTID ", gtid);
    if (ok && !replication_wait(s, gtid, ONE_MORE_S, &waited))
        log_debug("%s", waited.message); /* it has stopped at something else */
    return relax_end(c, s, RELAX_ORDER, ok ? error : &waited) && ok;
}

static bool
pass_over(struct server *s, struct sql_error *error)
{
    return server_run(s, error, "SET GLOBAL sql_slave_skip_counter = 1") && go_on(s, error);
}

bool
mend_applier(struct cluster *c, struct server *s, const struct replication_status *status)
{
    char             own[GTID_TEXT_MAX];
    struct sql_error error = { .message = "" };
    bool             ok;

    switch (status->error) {
    case OUT_OF_SEQUENCE:
        if (!server_value(s, own, sizeof(own), &error, "SELECT @@gtid_binlog_pos") ||
            !mend_is_last(status->problem, own))
            return false;
        ok = apply_once_more(c, s, status->problem, &error);
        break;
    case XID_IS_THERE:
        if (!log_is_ahead(s))
            return false;
        ok = pass_over(s, &error);
        break;
    case NO_SUCH_XID:
        if (!is_over_already(s, status->problem))
            return false;
        ok = pass_over(s, &error);
        break;
    default:
        return false;
    }
    if (ok)
        log_info("%s: its applier goes on; it had stopped at what it has already: %s", s->name,
                 status->problem);
    else
        log_warn("%s: its applier cannot go on: %s", s->name, error.message);
    return ok;
}
