/* client_reading.c - see reading.h. */
#include "workers/client/reading.h"

#include "core/sql/reading.h"
#include "core/sql/sql_mode.h"
#include "workers/client/client.h"
#include "workers/query/statement_vars.h"

uint16_t
client_reading(const struct client *c)
{
    const struct session_modes *modes = c->session.modes;

    return modes != NULL ? modes->reading : 0;
}

bool
client_reads_otherwise(const struct client *c, struct span text, uint16_t then)
{
    uint16_t now = client_reading(c);

    return now != then && reading_matters(text, c->session.lex, then, now);
}

bool
client_read_as(struct client *c, uint16_t then, struct sql_error *why)
{
    uint16_t now = client_reading(c);

    if (c->session.modes == NULL || (now ^ then) & SQL_MODE_ANY_DIALECT) {
        sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: sql_mode is another dialect of SQL "
                      "than when the statement was prepared: prepare it again");
        return false;
    }
    if (c->session.before != NULL) {
        sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: sql_mode has changed in a way in which the "
                      "statement reads otherwise since it was prepared: prepare it again, or "
                      "execute it without SET STATEMENT");
        return false;
    }
    statement_vars_read_as(&c->session, then);
    return true;
}

bool
client_may_execute(const struct client *c, struct span text, enum lex_charset then,
                   struct sql_error *why)
{
    if (then == c->session.lex.charset || span_is_ascii(text))
        return true;
    sql_error_set(why, SQL_NOT_SUPPORTED, "shardd: the character set of the connection has "
                  "changed since the statement was prepared, and its text has letters beyond "
                  "ASCII: prepare it again");
    return false;
}
