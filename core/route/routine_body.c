/* routine_body.c - see routine_body.h.
 *
 * The grammar of compound statements, by descent; what is not in it is not understood. A statement
 * in a list has PARAMETER or STATEMENT before it, a variable in it is VARIABLE and its number.
 */
#include "core/route/routine_body.h"

#include <stdio.h>
#include <string.h>

#include "core/route/routine_text.h"

enum {
    PARAMETER = 4,
    STATEMENT = 5,
    VARIABLE  = 6,
    FIRST     = ' ', /* the number of the first parameter, there */
    OTHER     = '~',
    DEPTH_MAX = 50,
};

struct body {
    struct routine_text r;
    struct buf         *out;
    uint32_t            n_params;
    bool                changed[ROUTINE_PARAMETERS_MAX];
    uint32_t            depth;
    bool                no;
};

/* ---- words ---- */

static bool
done(const struct body *b)
{
    return b->no || routine_at_end(&b->r);
}

static bool
take(struct body *b, const char *word)
{
    if (done(b) || !routine_at(&b->r, word))
        return false;
    routine_step(&b->r);
    return true;
}

static void
need(struct body *b, const char *word)
{
    if (!take(b, word))
        b->no = true;
}

static bool
at_op(const struct body *b, uint32_t op)
{
    return token_is_op(b->r.t, op);
}

static bool
take_op(struct body *b, uint32_t op)
{
    if (done(b) || !at_op(b, op))
        return false;
    routine_step(&b->r);
    return true;
}

static uint8_t
variable(const struct body *b, struct token t)
{
    struct span name = routine_name(&b->r, t);

    for (uint32_t i = 0; i < b->n_params; i++)
        if (span_equal_nocase(b->r.names[i], name))
            return (uint8_t)(FIRST + i);
    return OTHER;
}

/* Another value than the CALL's, or another variable of that name. */
static void
note_changed(struct body *b)
{
    uint8_t which = variable(b, b->r.t);

    if (token_is_name(b->r.t) && which != OTHER)
        b->changed[which - FIRST] = true;
}

/* a, @b: what gets values. */
static void
targets(struct body *b)
{
    do {
        if (b->r.t.kind != TOK_USER_VAR && !routine_has_declared(&b->r, b->r.t))
            b->no = true;
        note_changed(b);
        routine_step(&b->r);
    } while (take_op(b, ','));
}

/* ---- copying ---- */

static void
put(struct body *b, struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        b->no = b->no || text.ptr[i] <= VARIABLE;
    buf_append_span(b->out, text);
}

/* Comments could be hints; spaces tell a function's name from another one. */
static void
put_gap(struct body *b)
{
    const uint8_t *from = b->r.l.text + b->r.before.end, *to = b->r.l.text + b->r.t.start;
    bool           blank = true;

    for (const uint8_t *at = from; at < to; at++)
        blank = blank && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r');
    put(b, blank ? (struct span){ from, (size_t)(to - from) } : SPAN(" "));
}

static void
put_token(struct body *b)
{
    struct token t   = b->r.t;
    bool         own = routine_has_declared(&b->r, t) && !token_is_op(b->r.before, '.') &&
               !token_is_op(b->r.next, '.') && !token_is_op(b->r.next, '(');

    if (t.kind == TOK_PARAM)
        b->no = true;
    if (own) {
        buf_append_byte(b->out, VARIABLE);
        buf_append_byte(b->out, variable(b, t));
    } else {
        put(b, token_text(&b->r.l, t));
    }
}

/* Up to `word`, or a ',' when `comma`, or a ';', outside of parentheses and CASE. */
static void
copy(struct body *b, const char *before, const char *word, bool comma, bool into)
{
    uint32_t depth = 0;

    buf_append_byte(b->out, STATEMENT);
    buf_append_text(b->out, before);
    for (bool first = true; !done(b); first = false) {
        if (depth == 0 && (at_op(b, ';') || (comma && at_op(b, ',')) ||
                           (word && routine_at(&b->r, word) && !token_is_op(b->r.before, '.'))))
            return;
        if (depth == 0 && into && routine_at(&b->r, "INTO")) {
            buf_append_byte(b->out, ' ');
            routine_step(&b->r);
            targets(b);
            continue;
        }
        bool named = token_is_op(b->r.before, '.');
        if (!first)
            put_gap(b);
        put_token(b);
        depth += at_op(b, '(') || (!named && token_is_keyword(b->r.t, KW_CASE));
        if (at_op(b, ')') || (!named && token_is_keyword(b->r.t, KW_END)))
            depth -= depth > 0;
        routine_step(&b->r);
    }
    b->no = b->no || depth > 0;
}

static void
expression(struct body *b, const char *until, bool comma)
{
    copy(b, "SELECT ", until, comma, false);
}

/* ---- statements ---- */

static void statement(struct body *b);

/* Up to one of these words. */
static void
statements(struct body *b, const char *one, const char *two, const char *three)
{
    while (!done(b) && !routine_at(&b->r, one) && !(two && routine_at(&b->r, two)) &&
           !(three && routine_at(&b->r, three))) {
        statement(b);
        if (!take_op(b, ';'))
            b->no = true;
    }
}

/* END [word] [label] */
static void
end(struct body *b, const char *word)
{
    need(b, "END");
    if (word)
        need(b, word);
    if (!done(b) && !at_op(b, ';'))
        routine_step(&b->r);
}

static void
if_statement(struct body *b)
{
    do {
        expression(b, "THEN", false);
        need(b, "THEN");
        statements(b, "ELSEIF", "ELSE", "END");
    } while (take(b, "ELSEIF"));
    if (take(b, "ELSE"))
        statements(b, "END", NULL, NULL);
    end(b, "IF");
}

static void
case_statement(struct body *b)
{
    if (!routine_at(&b->r, "WHEN"))
        expression(b, "WHEN", false);
    while (take(b, "WHEN")) {
        expression(b, "THEN", false);
        need(b, "THEN");
        statements(b, "WHEN", "ELSE", "END");
    }
    if (take(b, "ELSE"))
        statements(b, "END", NULL, NULL);
    end(b, "CASE");
}

static void
while_statement(struct body *b)
{
    expression(b, "DO", false);
    need(b, "DO");
    statements(b, "END", NULL, NULL);
    end(b, "WHILE");
}

static void
repeat_statement(struct body *b)
{
    statements(b, "UNTIL", NULL, NULL);
    need(b, "UNTIL");
    expression(b, "END", false);
    end(b, "REPEAT");
}

static void
loop_statement(struct body *b)
{
    statements(b, "END", NULL, NULL);
    end(b, "LOOP");
}

static void
block(struct body *b)
{
    if (take(b, "NOT"))
        need(b, "ATOMIC");
    statements(b, "END", NULL, NULL);
    end(b, NULL);
}

static void
set_statement(struct body *b)
{
    do {
        bool user = b->r.t.kind == TOK_USER_VAR;

        if (!user && !routine_has_declared(&b->r, b->r.t))
            b->no = true;
        note_changed(b);
        routine_step(&b->r);
        if (!take_op(b, '=') && !take_op(b, OP_ASSIGN))
            b->no = true;
        expression(b, NULL, true);
    } while (take_op(b, ','));
}

/* HANDLER FOR NOT FOUND, SQLSTATE '42000', 1062, name */
static void
handler(struct body *b)
{
    need(b, "FOR");
    do {
        if (take(b, "SQLSTATE"))
            (void)take(b, "VALUE");
        else if (take(b, "NOT") && !routine_at(&b->r, "FOUND"))
            b->no = true;
        routine_step(&b->r);
    } while (take_op(b, ','));
    statement(b);
}

static void
skip(struct body *b, const char *until)
{
    while (!done(b) && !at_op(b, ';') && !(until && routine_at(&b->r, until)))
        routine_step(&b->r);
}

static void
declare(struct body *b)
{
    if (routine_then(&b->r, "HANDLER")) {
        routine_step(&b->r);
        routine_step(&b->r);
        handler(b);
        return;
    }
    if (routine_then(&b->r, "CONDITION")) {
        skip(b, NULL);
        return;
    }
    if (routine_then(&b->r, "CURSOR")) {
        routine_step(&b->r);
        routine_step(&b->r);
        need(b, "FOR"); /* one with parameters is not understood */
        copy(b, "", NULL, false, false);
        return;
    }
    do {
        note_changed(b);
        routine_declare(&b->r);
        routine_step(&b->r);
    } while (take_op(b, ','));
    skip(b, "DEFAULT");
    if (take(b, "DEFAULT"))
        expression(b, NULL, false);
}

static void
fetch(struct body *b)
{
    skip(b, "INTO");
    need(b, "INTO");
    targets(b);
}

/* SIGNAL, RESIGNAL: of values and variables only. */
static void
signal_statement(struct body *b)
{
    for (; !done(b) && !at_op(b, ';'); routine_step(&b->r))
        b->no = b->no || at_op(b, '(');
}

static void
name_only(struct body *b)
{
    routine_step(&b->r);
}

static void
query(struct body *b)
{
    copy(b, "", NULL, false, true);
}

static void
as_written(struct body *b)
{
    copy(b, "", NULL, false, false);
}

static void
expressions(struct body *b)
{
    expression(b, NULL, false);
}

static const struct {
    const char *word;
    void (*read)(struct body *b);
    bool keeps; /* the word is a part of what is copied */
} kinds[] = {
    { "BEGIN", block, false },
    { "IF", if_statement, false },
    { "CASE", case_statement, false },
    { "WHILE", while_statement, false },
    { "REPEAT", repeat_statement, false },
    { "LOOP", loop_statement, false },
    { "DECLARE", declare, false },
    { "SET", set_statement, false },
    { "DO", expressions, false },
    { "FETCH", fetch, false },
    { "SIGNAL", signal_statement, false },
    { "RESIGNAL", signal_statement, false },
    { "OPEN", name_only, false },
    { "CLOSE", name_only, false },
    { "LEAVE", name_only, false },
    { "ITERATE", name_only, false },
    { "SELECT", query, true },
    { "WITH", query, true },
    { "VALUES", query, true },
    { "INSERT", as_written, true },
    { "UPDATE", as_written, true },
    { "DELETE", as_written, true },
    { "REPLACE", as_written, true },
    { "CALL", as_written, true },
    { "START", as_written, true },
    { "COMMIT", as_written, true },
    { "ROLLBACK", as_written, true },
    { "SAVEPOINT", as_written, true },
    { "RELEASE", as_written, true },
};

static void
statement(struct body *b)
{
    if (++b->depth > DEPTH_MAX)
        b->no = true;
    if (token_is_name(b->r.t) && token_is_op(b->r.next, ':')) { /* a label */
        routine_step(&b->r);
        routine_step(&b->r);
    }
    bool found = false;
    if (at_op(b, '(')) {
        query(b);
        found = true;
    }
    for (size_t i = 0; i < countof(kinds) && !found && !done(b); i++)
        if (b->r.t.kind == TOK_KEYWORD && routine_at(&b->r, kinds[i].word)) {
            if (!kinds[i].keeps)
                routine_step(&b->r);
            kinds[i].read(b);
            found = true;
        }
    b->no = b->no || !found;
    b->depth--;
}

/* ---- the whole ---- */

/* (IN a INT, b VARCHAR(20)) */
static void
parameters(struct body *b, bool *out)
{
    uint32_t depth = 1;

    for (routine_step(&b->r); !done(b) && !at_op(b, ')');) {
        if (b->n_params == ROUTINE_PARAMETERS_MAX) {
            b->no = true;
            return;
        }
        out[b->n_params] = routine_at(&b->r, "OUT") || routine_at(&b->r, "INOUT");
        if (out[b->n_params] || routine_at(&b->r, "IN"))
            routine_step(&b->r);
        routine_declare(&b->r);
        b->n_params++;
        for (; !done(b) && !(depth == 1 && (at_op(b, ',') || at_op(b, ')')));
             routine_step(&b->r)) {
            depth += at_op(b, '(');
            depth -= at_op(b, ')');
        }
        (void)take_op(b, ',');
    }
    if (!take_op(b, ')'))
        b->no = true;
}

/* COMMENT 'x', SQL SECURITY INVOKER, NOT DETERMINISTIC, READS SQL DATA ... */
static void
characteristics(struct body *b)
{
    for (;;) {
        if (take(b, "COMMENT")) {
            routine_step(&b->r);
        } else if (take(b, "LANGUAGE") || take(b, "CONTAINS") || take(b, "NO")) {
            need(b, "SQL");
        } else if (take(b, "READS") || take(b, "MODIFIES")) {
            need(b, "SQL");
            need(b, "DATA");
        } else if (take(b, "SQL")) {
            need(b, "SECURITY");
            routine_step(&b->r);
        } else if (take(b, "NOT")) {
            need(b, "DETERMINISTIC");
        } else if (!take(b, "DETERMINISTIC")) {
            return;
        }
    }
}

bool
routine_body(struct span text, struct lex_options options,
             enum routine_use uses[ROUTINE_PARAMETERS_MAX], uint32_t *n,
             struct buf *statements_out)
{
    struct body b = { .out = statements_out };
    bool        out[ROUTINE_PARAMETERS_MAX] = { false };

    routine_begin(&b.r, text, options);
    if (!routine_head(&b.r) || !b.r.is_procedure || b.r.is_aggregate)
        return false;
    parameters(&b, out);
    characteristics(&b);
    statement(&b);
    (void)take_op(&b, ';');
    if (b.no || b.r.t.kind != TOK_END || b.r.l.had_exec_comment || b.r.too_many)
        return false;
    for (uint32_t i = 0; i < b.n_params; i++)
        uses[i] = out[i] ? ROUTINE_GIVES : b.changed[i] ? ROUTINE_CHANGES : ROUTINE_KEEPS;
    *n = b.n_params;
    return true;
}

/* ---- in a list ---- */

void
routine_body_parameter(struct buf *body, const struct route_column *type,
                       enum routine_use use)
{
    buf_append_byte(body, PARAMETER);
    buf_printf(body, "%d %d %d %u %u %u", (int)use, (int)type->type, type->is_unsigned,
               (unsigned)type->collation, (unsigned)type->length, (unsigned)type->scale);
}

size_t
routine_body_at(struct span entry)
{
    size_t at = 0;

    while (at < entry.len && entry.ptr[at] != PARAMETER && entry.ptr[at] != STATEMENT)
        at++;
    return at;
}

/* The part at the front, without the byte that says what it is. */
static bool
next_part(struct span *body, uint8_t what, struct span *part)
{
    if (body->len == 0 || body->ptr[0] != what)
        return false;
    part->ptr = body->ptr + 1;
    part->len = routine_body_at(span_from(*body, 1));
    *body     = span_from(*body, part->len + 1);
    return true;
}

bool
routine_parameter(struct span *body, struct routine_parameter *out)
{
    struct span part;
    char        text[100];
    int         use, type, is_unsigned;
    unsigned    collation, length, scale;

    if (!next_part(body, PARAMETER, &part))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)part.len, (const char *)part.ptr);
    if (sscanf(text, "%d %d %d %u %u %u", &use, &type, &is_unsigned, &collation, &length,
               &scale) != 6 || type < 0 || type > COLUMN_GEOMETRY)
        use = ROUTINE_GIVES, type = is_unsigned = 0, collation = length = scale = 0;
    *out = (struct routine_parameter){
        .use  = use == ROUTINE_KEEPS || use == ROUTINE_CHANGES ? (enum routine_use)use
                                                               : ROUTINE_GIVES,
        .type = { .type = (enum column_type)type, .is_unsigned = is_unsigned != 0,
                  .nullable = true, .collation = (uint16_t)collation, .length = length,
                  .scale = (uint8_t)scale },
    };
    return true;
}

bool
routine_statement(struct span *body, struct buf *text, struct buf *variables)
{
    struct span part;

    if (!next_part(body, STATEMENT, &part))
        return false;
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] != VARIABLE || i + 1 == part.len) {
            buf_append_byte(text, part.ptr[i]);
            continue;
        }
        uint8_t number = part.ptr[++i];

        buf_append_byte(text, '?');
        buf_append_byte(variables, number >= FIRST && number < FIRST + ROUTINE_PARAMETERS_MAX
                                       ? (uint8_t)(number - FIRST) : (uint8_t)ROUTINE_OTHER);
    }
    return true;
}
