/* client_named.c - see named.h: PREPARE, EXECUTE and DEALLOCATE as SQL. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/mysql/literal.h"
#include "core/route/gather.h"
#include "workers/client/client.h"
#include "workers/client/named.h"
#include "workers/client/reading.h"
#include "workers/query/own_vars.h"
#include "workers/query/track.h"

enum {
    ERR_EMPTY           = 1065, /* ER_EMPTY_QUERY */
    ERR_WRONG_ARGUMENTS = 1210, /* ER_WRONG_ARGUMENTS */
    ERR_UNKNOWN_STMT    = 1243, /* ER_UNKNOWN_STMT_HANDLER */
    ERR_UNSUPPORTED_PS  = 1295, /* ER_UNSUPPORTED_PS */
    ERR_TOO_MANY_STMTS  = 1461, /* ER_MAX_PREPARED_STMT_COUNT_REACHED */
};

enum phase { EVALUATE, CHECK, RUN, FAILED };

struct named_run {
    struct arena             arena;
    struct plan_ref         *plan; /* a reference of ours */
    const struct named_spec *spec; /* in it */
    enum phase               phase; /* that is under way */
    bool                     more;  /* statements follow */
    struct span              text, schema;
    uint64_t                 limit_ms;   /* see query.h */
    struct span              for_text;
    bool                     otherwise; /* the text does not read as the session does, but as: */
    uint16_t                 reading;
    uint32_t                 n_params; /* of the statement */
    struct param_value      *params;   /* as SQL, with their values: [spec->n_values) */
    struct key_value        *values;
    struct sql_error         error;
};

/* --- answers ------------------------------------------------------------- */

static struct query_run *
new_query(struct client *c, enum query_command command)
{
    struct query_run *q = client_query(c, command);

    q->more = c->named->more;
    return q;
}

static void
answer_error(struct client *c, const struct sql_error *error)
{
    struct sql_error  copy = *error;
    struct query_run *q    = new_query(c, QUERY_TEXT);

    c->named->phase = FAILED;
    client_take(c, q);
    query_fail(q, &copy);
}

static void
answer_ok(struct client *c, const char *info)
{
    struct query_run *q = new_query(c, QUERY_TEXT);

    c->named->phase = RUN;
    client_take(c, q);
    if (c->named->spec->verb == NAMED_PREPARE || c->named->spec->verb == NAMED_DEALLOCATE)
        q->track = track_change(&c->session);
    query_ok(q, 0, 0, 0, span_of(info));
}

static void
unknown(struct client *c, const char *command)
{
    const struct span name = c->named->spec->name;
    struct sql_error  error;

    sql_error_set(&error, ERR_UNKNOWN_STMT, "Unknown prepared statement handler (%.*s) given to %s",
                  (int)name.len, (const char *)name.ptr, command);
    answer_error(c, &error);
}

static void
refuse(struct client *c, uint16_t code, const char *text)
{
    struct sql_error error;

    sql_error_set(&error, code, "%s", text);
    answer_error(c, &error);
}

/* --- what a value is ------------------------------------------------------ */

/* As a parameter its collation is the weakest there is, so the column's counts. */
static void
variable_value(struct client *c, struct span name, struct key_value *out)
{
    struct session *s = &c->session;

    *out = (struct key_value){ .kind = KEY_VALUE_OTHER };
    if (pins_has(&s->pins, PIN_USER_VARIABLE))
        return;
    uservars_value(&s->uservars, name, out);
    out->collate = false;
    out->bytes   = arena_copy(&c->named->arena, out->bytes);
}

/* Constants too are for EVALUATE where the statement reads otherwise than its EXECUTE. */
static bool
is_evaluated(const struct named_run *r, uint32_t n)
{
    enum named_kind kind = (n == 0 ? &r->spec->text : &r->spec->values[n - 1])->kind;

    return kind == NAMED_EXPRESSION || (n != 0 && r->otherwise && kind == NAMED_CONSTANT);
}

/* The name of the variable that EVALUATE gives the n-th value; 0 is the text. */
static struct span
own_variable(struct client *c, uint32_t n)
{
    struct buf  name = { 0 };

    buf_printf(&name, "shardd value %u", n);
    struct span copy = arena_copy(&c->named->arena, buf_unread(&name));
    buf_fini(&name);
    return copy;
}

static void
say_variable(struct buf *out, struct span name)
{
    buf_append_byte(out, '@');
    literal_identifier(out, name);
}

/* The statement's text. False: it is in a character set that is not the connection's. */
static bool
take_text(struct client *c)
{
    struct named_run         *r    = c->named;
    const struct named_value *from = &r->spec->text;
    struct key_value          value;

    if (from->kind == NAMED_CONSTANT)
        value = from->value;
    else
        variable_value(c, from->kind == NAMED_VARIABLE ? from->variable : own_variable(c, 0),
                       &value);
    if (value.kind == KEY_VALUE_NULL || value.kind == KEY_VALUE_DEFAULT)
        value.bytes = SPAN("NULL"); /* as a server reads it */
    else if (value.kind == KEY_VALUE_OTHER ||
             (value.kind == KEY_VALUE_STRING && value.collation != c->session.collation &&
              from->kind != NAMED_CONSTANT && !span_is_ascii(value.bytes)))
        return false;
    r->text = arena_copy(&r->arena, value.bytes);
    return true;
}

static void
take_values(struct client *c)
{
    struct named_run *r = c->named;
    uint32_t          n = r->spec->n_values;

    r->params = arena_alloc(&r->arena, (n + 1) * sizeof(*r->params));
    r->values = arena_alloc(&r->arena, (n + 1) * sizeof(*r->values));
    for (uint32_t i = 0; i < n; i++) {
        const struct named_value *from = &r->spec->values[i];
        struct buf                sql  = { 0 };
        if (from->kind == NAMED_CONSTANT && !is_evaluated(r, i + 1)) {
            r->values[i]       = from->value;
            r->params[i].bytes = from->sql;
            continue;
        }
        struct span name = from->kind == NAMED_VARIABLE ? from->variable
                                                        : own_variable(c, i + 1);
        variable_value(c, name, &r->values[i]);
        say_variable(&sql, name);
        r->params[i].bytes = arena_copy(&r->arena, buf_unread(&sql));
        buf_fini(&sql);
    }
}

/* CALL with the variables in the place of its parameters; empty: it is no CALL. */
static struct span
call_text(struct client *c)
{
    struct named_run *r    = c->named;
    struct buf        text = { 0 };
    uint32_t          at   = 0, n = 0;
    struct lex        l;
    struct token      t;

    lex_init(&l, r->text, c->session.lex);
    if (!token_is_keyword(lex_next(&l), KW_CALL))
        return (struct span){ 0 };
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        if (t.kind != TOK_PARAM || n == r->n_params)
            continue;
        buf_append(&text, r->text.ptr + at, t.start - at);
        buf_append_span(&text, r->params[n].bytes);
        at = t.end;
        n++;
    }
    buf_append(&text, r->text.ptr + at, r->text.len - at);
    struct span copy = arena_copy(&r->arena, buf_unread(&text));
    buf_fini(&text);
    return copy;
}

/* A procedure on the engine sets the variables, not values of theirs. */
void
client_named_fit(struct client *c, struct query_run *q)
{
    struct span text;

    if (!gather_needed(&q->plan->plan, q->routes->routes, &q->values))
        return;
    text = call_text(c);
    if (text.len == 0)
        return;
    plan_ref_release(q->plan);
    q->command  = QUERY_TEXT;
    q->params   = NULL;
    q->n_params = 0;
    q->text     = text;
    q->values   = (struct plan_values){ .text = q->text };
    q->plan     = client_find_plan(c, q, q->text, false);
}

/* --- the steps ----------------------------------------------------------- */

static void
run(struct client *c)
{
    struct named_run *r     = c->named;
    bool              plain = r->n_params == 0;
    struct query_run *q;
    struct sql_error  error;

    if (r->otherwise && !client_read_as(c, r->reading, &error)) {
        answer_error(c, &error);
        return;
    }
    r->phase = RUN;
    client_enter_schema(c, r->schema);
    q              = new_query(c, plain ? QUERY_TEXT : QUERY_NAMED);
    q->text        = r->text;
    q->values.text = r->text;
    q->limit_ms    = r->limit_ms;
    q->for_text    = r->for_text;
    q->plan        = client_find_plan(c, q, r->text, !plain);
    if (q->plan == NULL) { /* nothing but a comment */
        query_free(q);
        answer_ok(c, "");
        return;
    }
    if (!plain) {
        q->params          = r->params;
        q->n_params        = r->n_params;
        q->values.params   = r->values;
        q->values.n_params = r->n_params;
    }
    if (!plain)
        client_named_fit(c, q);
    if (client_for_allows(c, q))
        client_begin(c, q);
}

static void
keep(struct client *c)
{
    struct named_run *r   = c->named;
    struct named      new = {
             .name     = r->spec->name,
             .text     = r->text,
             .schema   = span_of(c->session.schema),
             .reading  = client_reading(c),
             .charset  = c->session.lex.charset,
             .n_params = r->n_params,
    };

    named_add(&c->named_list, &new);
    answer_ok(c, "Statement prepared");
}

static void
execute(struct client *c)
{
    struct named_run *r = c->named;

    if (r->spec->n_values != r->n_params) {
        refuse(c, ERR_WRONG_ARGUMENTS, "Incorrect arguments to EXECUTE");
        return;
    }
    take_values(c);
    run(c);
}

static void
checked(struct client *c)
{
    if (c->named->spec->verb == NAMED_PREPARE)
        keep(c);
    else
        execute(c);
}

static bool
is_blank(struct span s)
{
    while (s.len != 0 && (s.ptr[0] <= ' ' || s.ptr[0] == ';'))
        s = span_from(s, 1);
    return s.len == 0;
}

static void
check(struct client *c)
{
    struct named_run *r = c->named;

    r->phase    = CHECK;
    r->n_params = 0;
    if (!take_text(c)) {
        refuse(c, SQL_NOT_SUPPORTED, "shardd: the text of the statement must be in the character "
               "set of the connection");
        return;
    }
    struct query_run *q = new_query(c, QUERY_PREPARE);
    q->quiet       = true;
    q->text        = r->text;
    q->values.text = r->text;
    q->plan        = client_find_plan(c, q, r->text, true);

    const struct plan *plan = q->plan != NULL ? &q->plan->plan : NULL;
    if (plan != NULL && plan->kind != PLAN_NAMED && plan->kind != PLAN_SHARDD &&
        (plan->kind != PLAN_REFUSE || plan->asks) && !own_alone(plan)) {
        client_start(c, q);
        return;
    }
    struct sql_error error = { 0 };
    if (plan == NULL && is_blank(r->text))
        sql_error_set(&error, ERR_EMPTY, "Query was empty");
    else if (plan == NULL)
        r->n_params = 0; /* a comment: a server keeps it as a statement that does nothing */
    else if (plan->kind == PLAN_REFUSE)
        error = plan->error;
    else if (!own_alone(plan))
        sql_error_set(&error, ERR_UNSUPPORTED_PS,
                      "This command is not supported in the prepared statement protocol yet");
    query_free(q);
    if (error.code != 0)
        answer_error(c, &error);
    else
        checked(c);
}

static void
evaluated(struct client *c)
{
    if (c->named->spec->verb == NAMED_EXECUTE)
        execute(c);
    else
        check(c);
}

/* The session's counts are those of the statement before. */
static bool
evaluate(struct client *c)
{
    struct named_run         *r    = c->named;
    const struct named_spec  *spec = r->spec;
    struct buf                sql  = { 0 };

    for (uint32_t i = 0; i <= spec->n_values; i++) {
        const struct named_value *from = i == 0 ? &spec->text : &spec->values[i - 1];
        if (!is_evaluated(r, i))
            continue;
        buf_append_text(&sql, buf_len(&sql) == 0 ? "SET " : ", ");
        say_variable(&sql, own_variable(c, i));
        buf_append_text(&sql, " = ");
        buf_append_span(&sql, from->sql);
    }
    if (buf_len(&sql) == 0)
        return false;
    r->phase = EVALUATE;
    struct query_run *q = new_query(c, QUERY_TEXT);
    q->quiet       = true;
    q->text        = arena_copy(&r->arena, buf_unread(&sql));
    q->values.text = q->text;
    q->plan        = client_find_plan(c, q, q->text, false);
    buf_fini(&sql);
    client_start(c, q);
    return true;
}

static void
forget_own(struct client *c)
{
    const struct named_run *r = c->named;

    for (uint32_t i = 0; i <= r->spec->n_values; i++)
        if (is_evaluated(r, i))
            uservars_forget(&c->session.uservars, own_variable(c, i));
}

/* --- beginning and end --------------------------------------------------- */

static bool
too_many(struct client *c)
{
    return c->stmts.n + c->named_list.n >= STMTS_MAX ||
           c->stmts.bytes + c->named_list.bytes > c->ctx->conf.max_packet_bytes;
}

/* False: it is answered. */
static bool
find(struct client *c)
{
    struct named_run   *r     = c->named;
    const struct named *named = named_find(&c->named_list, r->spec->name);
    struct sql_error    error;

    if (named == NULL) {
        unknown(c, "EXECUTE");
        return false;
    }
    if (!client_may_execute(c, named->text, named->charset, &error)) {
        answer_error(c, &error);
        return false;
    }
    r->otherwise = client_reads_otherwise(c, named->text, named->reading);
    r->reading   = named->reading;
    r->text     = arena_copy(&r->arena, named->text);
    r->schema   = arena_copy(&r->arena, named->schema);
    r->n_params = named->n_params;
    return true;
}

void
client_named(struct client *c, struct query_run *q)
{
    struct named_run *r = mem_alloc(sizeof(*r));

    *r = (struct named_run){ .plan = q->plan, .more = q->more, .limit_ms = q->limit_ms };
    r->for_text = arena_copy(&r->arena, q->for_text);
    r->spec  = q->plan->plan.named;
    q->plan  = NULL;
    c->named = r;
    query_free(q);
    switch (r->spec->verb) {
    case NAMED_DEALLOCATE:
        if (named_remove(&c->named_list, r->spec->name))
            answer_ok(c, "");
        else
            unknown(c, "DEALLOCATE PREPARE");
        return;
    case NAMED_EXECUTE:
        if (!find(c))
            return;
        break;
    case NAMED_PREPARE:
        /* As on a server it is gone even when the new one cannot be prepared. */
        named_remove(&c->named_list, r->spec->name);
        if (too_many(c)) {
            refuse(c, ERR_TOO_MANY_STMTS, "Can't create more than max_prepared_stmt_count "
                   "statements (current value: 16382)");
            return;
        }
        break;
    case NAMED_IMMEDIATE: break;
    }
    if (!evaluate(c))
        evaluated(c);
}

bool
client_named_done(struct client *c, const struct query_run *q)
{
    struct named_run *r = c->named;

    if (r == NULL)
        return false;
    if (r->phase == RUN || r->phase == FAILED) {
        forget_own(c);
        client_named_free(c);
        return false;
    }
    if (q->failed)
        r->error = q->error;
    else if (r->phase == CHECK)
        r->n_params = q->prepared.n_params;
    return true;
}

void
client_named_next(struct client *c)
{
    struct named_run *r = c->named;

    if (r->error.code != 0)
        answer_error(c, &r->error);
    else if (r->phase == CHECK)
        checked(c);
    else
        evaluated(c);
}

void
client_named_free(struct client *c)
{
    struct named_run *r = c->named;

    if (r == NULL)
        return;
    c->named = NULL;
    plan_ref_release(r->plan);
    arena_fini(&r->arena);
    free(r);
}
