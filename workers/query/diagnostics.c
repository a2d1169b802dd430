/* diagnostics.c - see diagnostics.h. */
#include "workers/query/diagnostics.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/result_writer.h"
#include "core/mysql/wire.h"
#include "core/sql/lex.h"
#include "core/sql/literal.h"
#include "workers/query/leg.h"

enum { KEPT_MAX = 64 /* a server's max_error_count */, N_CELLS = 3 };

/* A kept row: cell lengths, then the cells' bytes. */
struct kept {
    uint32_t len[N_CELLS]; /* level, code, message */
    uint32_t leg;          /* that told it */
};

void
diagnostics_clear(struct session *s)
{
    buf_clear(&s->diagnostics);
    s->n_diagnostics = 0;
    s->warnings      = 0;
}

void
diagnostics_fini(struct session *s)
{
    diagnostics_clear(s);
    buf_fini(&s->diagnostics);
}

void
diagnostics_keep(struct session *s, struct diagnostics_kept *kept)
{
    if (kept->n + s->n_diagnostics <= KEPT_MAX) {
        buf_append_span(&kept->rows, buf_unread(&s->diagnostics));
        kept->n += (uint32_t)s->n_diagnostics;
    }
    kept->warnings += (uint32_t)s->warnings;
    diagnostics_clear(s);
}

void
diagnostics_put_back(struct session *s, struct diagnostics_kept *kept)
{
    diagnostics_clear(s);
    buf_append_span(&s->diagnostics, buf_unread(&kept->rows));
    s->n_diagnostics = kept->n;
    s->warnings      = kept->warnings;
}

void
diagnostics_kept_fini(struct diagnostics_kept *kept)
{
    buf_fini(&kept->rows);
}

static void
keep(struct session *s, const struct span cells[N_CELLS], uint32_t leg)
{
    struct kept head = { .leg = leg };

    for (int i = 0; i < N_CELLS; i++)
        head.len[i] = (uint32_t)cells[i].len;
    buf_append(&s->diagnostics, &head, sizeof(head));
    for (int i = 0; i < N_CELLS; i++)
        buf_append_span(&s->diagnostics, cells[i]);
    s->n_diagnostics++;
}


void
diagnostics_add(struct session *s, struct span level, uint16_t code, struct span message)
{
    char digits[8];

    snprintf(digits, sizeof(digits), "%u", code);
    if (s->n_diagnostics < KEPT_MAX)
        keep(s, (const struct span[]){ level, span_of(digits), message }, 0);
    s->warnings++;
}

void
diagnostics_error(struct session *s, const struct sql_error *error)
{
    diagnostics_clear(s);
    diagnostics_add(s, SPAN("Error"), error->code, span_of(error->message));
}

/* The next of the kept rows; false: there is none. */
static bool
next_kept(struct span *rest, struct kept *head, struct span cells[N_CELLS])
{
    if (rest->len < sizeof(*head))
        return false;
    memcpy(head, rest->ptr, sizeof(*head));
    *rest = span_from(*rest, sizeof(*head));
    for (int i = 0; i < N_CELLS; i++) {
        cells[i] = (struct span){ rest->ptr, head->len[i] };
        *rest    = span_from(*rest, head->len[i]);
    }
    return true;
}

int64_t
diagnostics_errors(const struct session *s)
{
    struct span rest = buf_unread(&s->diagnostics), cells[N_CELLS];
    struct kept head;
    int64_t     n = 0;

    while (next_kept(&rest, &head, cells))
        n += span_equal(cells[0], SPAN("Error"));
    return n;
}

/* --- rows of a split INSERT ---------------------------------------------- */

/* "Row 3 was truncated; ...", "... at row 3": the row of the client's file. */
static void
renumber_file(const struct leg *leg, char *message, size_t size)
{
    static const char words[] = " at row ";
    bool              first   = strncmp(message, "Row ", 4) == 0;
    char             *at      = first ? message + 4 : NULL, *end;
    char              rest[600];

    for (char *p = strstr(message, words); !first && p != NULL; p = strstr(p + 1, words))
        at = p + sizeof(words) - 1;
    if (at == NULL)
        return;
    uint64_t row = strtoull(at, &end, 10);
    if (end == at || (!first && *end != '\0'))
        return;
    snprintf(rest, sizeof(rest), "%s", end);
    row = query_load_row(leg, row);
    if (row != 0)
        snprintf(at, size - (size_t)(at - message), "%llu%s", (unsigned long long)row, rest);
}

void
diagnostics_renumber(const struct leg *leg, char *message, size_t size)
{
    static const char words[] = " at row ";
    char             *at = NULL, *end;

    if (leg->q->loading != NULL) {
        renumber_file(leg, message, size);
        return;
    }
    for (char *p = strstr(message, words); p != NULL; p = strstr(p + 1, words))
        at = p + sizeof(words) - 1;
    if (at == NULL || buf_len(&leg->text) == 0)
        return;
    unsigned long row = strtoul(at, &end, 10);
    if (end == at || *end != '\0')
        return;
    uint32_t number = query_insert_row(leg, (uint32_t)row);
    if (number != 0)
        snprintf(at, size - (size_t)(at - message), "%u", number);
}

/* --- from a backend ------------------------------------------------------ */

/* Is it the text of a parameter of EXECUTE ... USING? */
static bool
is_param(const struct query_run *q, struct span text)
{
    for (uint32_t i = 0; q->command == QUERY_NAMED && i < q->values.n_params; i++) {
        const struct key_value *v = &q->values.params[i];
        if (v->kind == KEY_VALUE_STRING && v->bytes.len >= text.len &&
            memcmp(v->bytes.ptr, text.ptr, text.len) == 0)
            return true;
    }
    return false;
}

/* "... value: 'abc'" about a literal of the statement, or about its names: every shard says it,
 * one server would say it once. Of rows ("... at row 1") each shard tells its own. */
static bool
is_of_statement(const struct leg *leg, const struct span cells[N_CELLS])
{
    struct span        text = leg_text(leg);
    const struct span *said = &cells[2];
    const uint8_t     *from = memchr(said->ptr, '\'', said->len);
    const uint8_t     *to   = memrchr(said->ptr, '\'', said->len);

    if (span_equal(cells[1], SPAN("1052"))) /* ER_NON_UNIQ_ERROR */
        return true;
    if (from == NULL || from == to || memmem(to, said->len - (size_t)(to - said->ptr), " at row ",
                                             8) != NULL)
        return false;
    struct span value    = { from + 1, (size_t)(to - from) - 1 };
    bool        literal  = memmem(text.ptr, text.len, from, value.len + 2) != NULL;
    bool        variable = (leg->q->digest_flags & DIGEST_USER_VAR) != 0 &&
                    uservars_has_value(&leg->q->s->uservars, value);
    return literal || variable || is_param(leg->q, value);
}

static bool
is_repeated(const struct leg *leg, const struct span cells[N_CELLS])
{
    struct span rest = buf_unread(&leg->q->s->diagnostics);
    struct kept head;
    struct span other[N_CELLS];

    if (!is_of_statement(leg, cells))
        return false;
    while (next_kept(&rest, &head, other))
        if (head.leg != leg->number && span_equal(other[1], cells[1]) &&
            span_equal(other[2], cells[2]))
            return true;
    return false;
}

void
diagnostics_copy(struct session *s, struct span payload)
{
    struct span   cells[N_CELLS];
    struct cursor c = cursor_of(payload);

    for (int i = 0; i < N_CELLS; i++)
        cells[i] = wire_lenenc_bytes(&c);
    if (!c.bad && s->n_diagnostics < KEPT_MAX)
        keep(s, cells, 0);
}

void
diagnostics_row(struct leg *leg, struct span payload)
{
    struct span     cells[N_CELLS];
    struct cursor   c = cursor_of(payload);
    char            message[600];

    for (int i = 0; i < N_CELLS; i++)
        cells[i] = wire_lenenc_bytes(&c);
    if (c.bad)
        return;
    size_t len = cells[2].len < sizeof(message) - 16 ? cells[2].len : sizeof(message) - 16;
    memcpy(message, cells[2].ptr, len);
    message[len] = '\0';
    diagnostics_renumber(leg, message, sizeof(message));
    if (len == cells[2].len)
        cells[2] = span_of(message);
    if (is_repeated(leg, cells))
        leg->q->n_repeated++;
    else if (leg->q->n_legs == 1 || leg->q->s->n_diagnostics < KEPT_MAX)
        keep(leg->q->s, cells, leg->number);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    if (m->kind == RESULT_IS_ROW)
        diagnostics_row(leg, m->message.payload);
    if (last)
        leg_over(leg, NULL);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct leg *leg = container_of(x, struct leg, x);

    (void)b;
    leg->backend = NULL;
    leg->lost    = true;
    if (!leg->q->finished)
        leg_over(leg, leg->q->answered ? NULL : why);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

void
diagnostics_take(struct leg *leg)
{
    if (leg->x.reader.warnings == 0 || leg->q->s->n_diagnostics == KEPT_MAX) {
        leg_over(leg, NULL);
        return;
    }
    leg->state = LEG_ASKING;
    backend_resume(leg->backend);
    backend_send(leg->backend, COM_QUERY, SPAN("SHOW WARNINGS"), &leg->x, &ops);
}

/* --- for the client ------------------------------------------------------ */

struct show {
    bool     errors, count;
    uint64_t offset, limit;
};

static bool
is_word(const struct lex *l, struct token t, const char *word)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(l, t), span_of(word));
}

/* LIMIT n, LIMIT offset, n, LIMIT n OFFSET offset; or nothing. */
static bool
read_limit(struct lex *l, struct token t, struct show *out)
{
    uint64_t first;

    if (t.kind == TOK_END || token_is_op(t, ';'))
        return true;
    if (!is_word(l, t, "LIMIT"))
        return false;
    t = lex_next(l);
    if (t.kind != TOK_INT || !literal_u64(token_text(l, t), &first))
        return false;
    out->limit = first;
    t          = lex_next(l);
    bool comma = token_is_op(t, ',');
    if (!comma && !is_word(l, t, "OFFSET"))
        return t.kind == TOK_END || token_is_op(t, ';');
    t = lex_next(l);
    if (t.kind != TOK_INT || !literal_u64(token_text(l, t), &out->offset))
        return false;
    if (comma) {
        out->limit  = out->offset;
        out->offset = first;
    }
    return true;
}

static bool
read_show(const struct query_run *q, struct show *out)
{
    struct lex l;

    *out = (struct show){ .limit = UINT64_MAX };
    lex_init(&l, q->text, q->s->lex);
    if (!is_word(&l, lex_next(&l), "SHOW"))
        return false;
    struct token t = lex_next(&l);
    if (is_word(&l, t, "COUNT")) {
        out->count = token_is_op(lex_next(&l), '(') && token_is_op(lex_next(&l), '*') &&
                     token_is_op(lex_next(&l), ')');
        if (!out->count)
            return false;
        t = lex_next(&l);
    }
    out->errors = is_word(&l, t, "ERRORS");
    return (out->errors || is_word(&l, t, "WARNINGS")) && read_limit(&l, lex_next(&l), out);
}

static void
write_rows(struct query_run *q, const struct show *show, struct result_writer *w)
{
    struct span rest = buf_unread(&q->s->diagnostics);
    uint64_t    n    = 0;

    struct kept head;
    struct span cells[N_CELLS];
    while (next_kept(&rest, &head, cells)) {
        if (show->errors && !span_equal(cells[0], SPAN("Error")))
            continue;
        if (n >= show->offset && n - show->offset < show->limit)
            for (int i = 0; i < N_CELLS; i++)
                result_writer_text(w, cells[i]);
        n++;
    }
}

bool
diagnostics_show(struct query_run *q)
{
    static const struct result_column columns[] = {
        { "Level", MYSQL_TYPE_VAR_STRING, 0 }, { "Code", MYSQL_TYPE_LONG, UNSIGNED_FLAG },
        { "Message", MYSQL_TYPE_VAR_STRING, 0 },
    };
    static const struct result_column counts[2] = {
        { "@@session.warning_count", MYSQL_TYPE_LONGLONG, UNSIGNED_FLAG },
        { "@@session.error_count", MYSQL_TYPE_LONGLONG, UNSIGNED_FLAG },
    };
    struct session      *s = q->s;
    struct result_writer w;
    struct show          show;
    unsigned             status = session_status(s);

    if (q->command != QUERY_TEXT || !read_show(q, &show))
        return false;
    if (show.count) {
        result_writer_begin(&w, stream_out(q->client), &q->seq, s->capabilities,
                            &counts[show.errors], 1);
        result_writer_number(&w, show.errors ? diagnostics_errors(s) : (int64_t)s->warnings);
    } else {
        result_writer_begin(&w, stream_out(q->client), &q->seq, s->capabilities, columns,
                            countof(columns));
        write_rows(q, &show, &w);
    }
    if (q->more)
        status |= SERVER_MORE_RESULTS_EXISTS;
    result_writer_end(&w, (uint16_t)status, 0);
    s->row_count = -1;
    query_flush(q);
    query_done(q);
    return true;
}
