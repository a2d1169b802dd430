/* query_diagnostics.c - SHOW WARNINGS and SHOW ERRORS of a session without a backend.
 *
 * Warnings lie where the statement ran: that backend is kept a little
 * (session_linger()) or held by the transaction. Otherwise the session knows
 * its last error and nothing else; another backend would tell somebody else's.
 */
#include "core/mysql/result_writer.h"
#include "workers/query/query.h"

static bool
begins(struct span text, const char *words)
{
    for (; *words != 0; words++) {
        if (*words == ' ') {
            while (text.len != 0 && text.ptr[0] <= ' ')
                text = span_from(text, 1);
            continue;
        }
        if (text.len == 0 || (text.ptr[0] | 0x20) != (*words | 0x20))
            return false;
        text = span_from(text, 1);
    }
    return true;
}

static void
rows(struct query_run *q, struct result_writer *w, const struct sql_error *e)
{
    static const struct result_column columns[] = {
        { "Level", MYSQL_TYPE_VAR_STRING },
        { "Code", MYSQL_TYPE_LONGLONG },
        { "Message", MYSQL_TYPE_VAR_STRING },
    };

    result_writer_begin(w, stream_out(q->client), &q->seq, q->s->capabilities, columns,
                        countof(columns));
    if (e == NULL)
        return;
    result_writer_text(w, q->s->error_is_note ? SPAN("Note") : SPAN("Error"));
    result_writer_number(w, e->code);
    result_writer_text(w, span_of(e->message));
}

static void
count(struct query_run *q, struct result_writer *w, const char *name, bool any)
{
    struct result_column column = { name, MYSQL_TYPE_LONGLONG };

    result_writer_begin(w, stream_out(q->client), &q->seq, q->s->capabilities, &column, 1);
    result_writer_number(w, any);
}

bool
query_show_warnings(struct query_run *q)
{
    struct session         *s = q->s;
    const struct sql_error *e = s->last_error;
    struct result_writer    w;

    if (q->command != QUERY_TEXT || (e == NULL && s->n_held != 0))
        return false;
    if (begins(q->text, "show warnings"))
        rows(q, &w, e);
    else if (begins(q->text, "show errors"))
        rows(q, &w, s->error_is_note ? NULL : e);
    else if (begins(q->text, "show count(*) warnings"))
        count(q, &w, "@@session.warning_count", e != NULL);
    else if (begins(q->text, "show count(*) errors"))
        count(q, &w, "@@session.error_count", e != NULL && !s->error_is_note);
    else
        return false;
    unsigned status = session_status(s) | (q->more ? SERVER_MORE_RESULTS_EXISTS : 0u);
    result_writer_end(&w, (uint16_t)status, 0);
    query_flush(q);
    query_done(q);
    return true;
}
