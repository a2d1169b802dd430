/* parse_set.c - SET in all its forms. */
#include "core/sql/parser.h"

static enum keyword
scope(struct parser *p)
{
    enum keyword k = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;

    if (k != KW_GLOBAL && k != KW_SESSION && k != KW_LOCAL)
        return NO_KEYWORD;
    /* A variable may be called so as well. */
    struct token next = parser_peek(p);
    if (token_is_op(next, '=') || token_is_op(next, OP_ASSIGN))
        return NO_KEYWORD;
    parser_take(p);
    return k;
}

/* A name with its dots, as written: "a.b". */
static struct span
dotted_name(struct parser *p)
{
    uint32_t start = p->t.start;

    if (p->t.kind == TOK_KEYWORD)
        p->t.kind = TOK_IDENT; /* any word is a variable's name here */
    struct span name = parser_name(p);
    if (!parser_at_op(p, '.'))
        return name;
    while (parser_accept_op(p, '.'))
        parser_name(p);
    return (struct span){ p->lex.text + start, p->last_end - start };
}

/* An expression; DEFAULT; or ON, ALL, BINARY, ROW, SYSTEM, which are words. */
static struct expr *
value(struct parser *p)
{
    if (parser_at(p, KW_DEFAULT))
        return parser_expr_or_default(p);
    if (parser_at(p, KW_ON) || parser_at(p, KW_ALL) || parser_at(p, KW_BINARY)) {
        enum keyword next = parser_peek_keyword(p);
        struct token t    = parser_peek(p);
        if (t.kind == TOK_END || t.kind == TOK_OP || next == KW_FOR)
            p->t.kind = TOK_IDENT;
    }
    return parser_expr(p);
}

static void
assign(struct parser *p, struct set_item *item)
{
    if (!parser_accept_op(p, OP_ASSIGN))
        parser_expect_op(p, '=');
    item->value = value(p);
}

static struct span
charset(struct parser *p)
{
    if (parser_accept(p, KW_DEFAULT))
        return (struct span){ 0 };
    if (parser_at(p, KW_BINARY))
        p->t.kind = TOK_IDENT;
    return parser_text_name(p);
}

/* NAMES charset [COLLATE collation], NAMES DEFAULT */
static void
names(struct parser *p, struct set_item *item)
{
    item->kind = SET_NAMES;
    parser_take(p);
    item->name = charset(p);
    if (parser_accept(p, KW_COLLATE))
        item->collation = charset(p);
}

/* [READ WRITE | READ ONLY | ISOLATION LEVEL ...], ...; each once. */
static void
transaction(struct parser *p, struct set_item *item)
{
    item->kind = SET_TRANSACTION;
    parser_take(p);
    do {
        if (item->access == NO_KEYWORD && parser_accept(p, KW_READ)) {
            item->access = parser_at(p, KW_ONLY) ? KW_ONLY : KW_WRITE;
            if (!parser_accept(p, KW_ONLY))
                parser_expect(p, KW_WRITE);
            continue;
        }
        parser_expect(p, item->isolation == NO_KEYWORD ? KW_ISOLATION : KW_READ);
        parser_expect(p, KW_LEVEL);
        if (parser_accept(p, KW_READ)) {
            item->isolation   = KW_READ;
            item->uncommitted = parser_accept(p, KW_UNCOMMITTED);
            if (!item->uncommitted)
                parser_expect(p, KW_COMMITTED);
        } else if (parser_accept(p, KW_REPEATABLE)) {
            item->isolation = KW_REPEATABLE;
            parser_expect(p, KW_READ);
        } else {
            item->isolation = KW_SERIALIZABLE;
            parser_expect(p, KW_SERIALIZABLE);
        }
    } while (parser_accept_op(p, ','));
}

/* PASSWORD [FOR user] = ..., ROLE x, DEFAULT ROLE x [FOR user] */
static bool
account(struct parser *p, struct set_item *item)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_at(p, KW_DEFAULT) && next == KW_ROLE) {
        parser_take(p);
        item->kind = SET_ROLE;
    } else if (parser_at(p, KW_ROLE) && !token_is_op(parser_peek(p), '=')) {
        item->kind = SET_ROLE;
    } else if (parser_at(p, KW_PASSWORD)) {
        item->kind = SET_PASSWORD;
    } else {
        return false;
    }
    parser_skip_rest(p);
    return true;
}

static void
variable(struct parser *p, struct set_item *item)
{
    if (p->t.kind == TOK_USER_VAR) {
        item->kind = SET_USER_VAR;
        item->name = parser_token_name(p, p->t);
        p->flags |= STMT_HAS_USER_VAR;
        parser_take(p);
        assign(p, item);
        return;
    }
    item->kind = SET_SYSTEM;
    if (parser_accept_op(p, OP_SYSTEM_VAR)) {
        item->scope = scope(p);
        if (item->scope != NO_KEYWORD)
            parser_expect_op(p, '.');
    }
    item->name = dotted_name(p);
    assign(p, item);
}

static struct set_item *
item(struct parser *p)
{
    struct set_item *i     = parser_new(p, sizeof(*i));
    uint32_t         start = p->t.start;
    enum keyword     next  = parser_peek_keyword(p);

    i->scope = scope(p);
    if (i->scope != NO_KEYWORD)
        next = parser_peek_keyword(p);
    if (parser_at(p, KW_TRANSACTION) && (next == KW_ISOLATION || next == KW_READ)) {
        transaction(p, i);
    } else if (parser_at(p, KW_NAMES) && !token_is_op(parser_peek(p), '=')) {
        names(p, i);
    } else if (parser_at(p, KW_CHARSET) ||
               ((parser_at(p, KW_CHARACTER) || parser_at(p, KW_CHAR)) && next == KW_SET)) {
        if (!parser_accept(p, KW_CHARSET)) {
            parser_take(p);
            parser_take(p);
        }
        i->kind = SET_CHARSET;
        i->name = charset(p);
    } else if (!account(p, i)) {
        variable(p, i);
    }
    i->range = parser_range(p, start);
    return i;
}

void
parser_set(struct parser *p, struct stmt *s)
{
    struct set       *set  = parser_new(p, sizeof(*set));
    struct set_item **tail = &set->items;

    s->kind = STMT_SET;
    s->set  = set;
    parser_take(p);
    bool statement = parser_at(p, KW_STATEMENT) && !token_is_op(parser_peek(p), '=');
    if (statement)
        parser_take(p);
    do {
        *tail = item(p);
        tail  = &(*tail)->next;
    } while (parser_accept_op(p, ','));
    if (statement) {
        parser_expect(p, KW_FOR);
        set->statement = parser_new(p, sizeof(*set->statement));
        parser_any(p, set->statement);
    }
}
