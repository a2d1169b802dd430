/* parser.c - see parser.h: tokens, names and failure. */
#include "core/sql/parser.h"

void
parser_init(struct parser *p, struct arena *a, struct span text, struct lex_options options,
            const struct digest *digest)
{
    *p = (struct parser){ .arena = a, .digest = digest };
    lex_init(&p->lex, text, options);
    p->compound = lex_compound(&p->lex);
    p->t        = lex_next(&p->lex);
}

void
parser_fail(struct parser *p)
{
    if (p->failed)
        return;
    p->failed   = true;
    p->error_at = p->t.start;
    p->t.kind   = TOK_BAD;
}

struct token
parser_peek(const struct parser *p)
{
    struct lex copy = p->lex;

    return p->failed ? p->t : lex_next(&copy);
}

enum keyword
parser_peek_keyword(const struct parser *p)
{
    struct token t = parser_peek(p);

    return t.kind == TOK_KEYWORD ? t.keyword : NO_KEYWORD;
}

void
parser_expect(struct parser *p, enum keyword k)
{
    if (!parser_accept(p, k))
        parser_fail(p);
}

void
parser_expect_op(struct parser *p, uint32_t op)
{
    if (!parser_accept_op(p, op))
        parser_fail(p);
}

bool
parser_at_end(const struct parser *p)
{
    return p->t.kind == TOK_END || (!p->compound && parser_at_op(p, ';'));
}

bool
parser_enter(struct parser *p)
{
    if (++p->depth > PARSE_DEPTH_MAX)
        parser_fail(p);
    return !p->failed;
}

void
parser_leave(struct parser *p)
{
    p->depth--;
}

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED ||
           (t.kind == TOK_KEYWORD && !keyword_reserved(t.keyword));
}

bool
parser_at_name(const struct parser *p)
{
    return is_name(p->t) && !(p->lex.options.oracle && parser_at(p, KW_MINUS));
}

struct span
parser_token_name(struct parser *p, struct token t)
{
    struct span text = token_text(&p->lex, t);

    if (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD)
        return text;

    /* Quoted: borrow the inside unless something in it is doubled or escaped. */
    struct span inside = { text.ptr + 1, text.len - 2 };
    if (t.kind == TOK_USER_VAR) {
        uint8_t c = text.len > 1 ? text.ptr[1] : 0;
        if (c != '`' && c != '\'' && c != '"')
            return span_from(text, 1);
        inside = (struct span){ text.ptr + 2, text.len - 3 };
    }
    uint8_t quote = inside.ptr[-1];
    if (memchr(inside.ptr, quote, inside.len) == NULL &&
        memchr(inside.ptr, '\\', inside.len) == NULL)
        return inside;

    struct buf unquoted = { 0 };
    if (t.kind == TOK_STRING) {
        if (!literal_decode(text, t.kind, p->lex.options, &unquoted))
            parser_fail(p);
    } else {
        literal_name(text, p->lex.options, &unquoted);
    }
    struct span name = arena_copy(p->arena, buf_unread(&unquoted));
    buf_fini(&unquoted);
    return name;
}

struct span
parser_name(struct parser *p)
{
    if (!parser_at_name(p)) {
        parser_fail(p);
        return (struct span){ 0 };
    }
    struct span name = parser_token_name(p, p->t);
    parser_take(p);
    return name;
}

struct span
parser_text_name(struct parser *p)
{
    if (p->t.kind != TOK_STRING)
        return parser_name(p);
    struct span name = parser_token_name(p, p->t);
    parser_take(p);
    return name;
}

/* A few words that may be names begin something else at this place. */
struct span
parser_alias(struct parser *p, bool column)
{
    bool as = parser_accept(p, KW_AS);

    if (column && p->t.kind == TOK_STRING)
        return parser_text_name(p);
    if (!as && (!parser_at_name(p) || parser_at(p, column ? KW_SOUNDS : KW_WINDOW)))
        return (struct span){ 0 };
    return parser_name(p);
}

struct path
parser_path(struct parser *p)
{
    uint32_t    start = p->t.start;
    struct path path  = { .name = parser_name(p) };

    if (parser_accept_op(p, '.')) {
        path.schema = path.name;
        path.name   = parser_name(p);
    }
    path.range = parser_range(p, start);
    return path;
}

struct name_item *
parser_name_list(struct parser *p)
{
    struct name_item *first = NULL, **tail = &first;

    do {
        struct name_item *item  = parser_new(p, sizeof(*item));
        uint32_t          start = p->t.start;

        item->name = parser_name(p);
        /* t.a in a list of columns is a. */
        while (parser_accept_op(p, '.'))
            item->name = parser_name(p);
        item->range = parser_range(p, start);
        *tail       = item;
        tail        = &item->next;
    } while (parser_accept_op(p, ','));
    return first;
}

struct name_item *
parser_paren_names(struct parser *p)
{
    parser_expect_op(p, '(');
    if (parser_accept_op(p, ')'))
        return NULL;
    struct name_item *names = parser_name_list(p);
    parser_expect_op(p, ')');
    return names;
}

struct range
parser_skip_parens(struct parser *p)
{
    uint32_t start = p->t.start, depth = 0;

    if (!parser_at_op(p, '(')) {
        parser_fail(p);
        return (struct range){ 0 };
    }
    do {
        if (parser_at_op(p, '('))
            depth++;
        else if (parser_at_op(p, ')'))
            depth--;
        else if (p->t.kind == TOK_BAD || parser_at_end(p))
            parser_fail(p);
        parser_take(p);
    } while (depth != 0 && !p->failed);
    return parser_range(p, start);
}

void
parser_skip_rest(struct parser *p)
{
    while (!parser_at_end(p) && p->t.kind != TOK_BAD)
        parser_take(p);
}
