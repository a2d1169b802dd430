/* parse.c - see parse.h: which statement it is, and what is left when it is none. */
#include "core/sql/parser.h"

/* CALL p, CALL s.p(a, b) */
static void
call(struct parser *p, struct stmt *s)
{
    uint32_t n;

    s->kind = STMT_CALL;
    parser_take(p);
    s->path = parser_path(p);
    if (!parser_accept_op(p, '('))
        return;
    if (!parser_at_op(p, ')'))
        s->args = parser_expr_list(p, &n);
    parser_expect_op(p, ')');
}

static void
prepare(struct parser *p, struct stmt *s)
{
    s->kind = STMT_PREPARE;
    parser_take(p);
    s->name = parser_name(p);
    parser_expect(p, KW_FROM);
    s->expr = parser_expr(p);
}

/* The word IGNORE as well: to what reads statements it is as DEFAULT. */
static struct expr *
using_value(struct parser *p)
{
    if (!parser_at(p, KW_IGNORE))
        return parser_expr(p);
    struct expr *e = parser_expr_new(p, EXPR_DEFAULT, p->t.start);
    parser_take(p);
    e->end = p->last_end;
    return e;
}

static void
execute(struct parser *p, struct stmt *s)
{
    struct expr **tail = &s->args;

    s->kind = STMT_EXECUTE;
    parser_take(p);
    if (parser_accept(p, KW_IMMEDIATE))
        s->expr = parser_expr(p);
    else
        s->name = parser_name(p);
    if (!parser_accept(p, KW_USING))
        return;
    do {
        *tail = using_value(p);
        tail  = &(*tail)->next;
    } while (parser_accept_op(p, ','));
}

static void
deallocate(struct parser *p, struct stmt *s)
{
    s->kind = STMT_DEALLOCATE;
    parser_take(p);
    parser_expect(p, KW_PREPARE);
    s->name = parser_name(p);
}

static void
use(struct parser *p, struct stmt *s)
{
    s->kind = STMT_USE;
    parser_take(p);
    s->name = parser_name(p);
}

static void
do_list(struct parser *p, struct stmt *s)
{
    uint32_t n;

    s->kind = STMT_DO;
    parser_take(p);
    s->args = parser_expr_list(p, &n);
}

static void
select(struct parser *p, struct stmt *s)
{
    s->kind  = STMT_SELECT;
    s->query = parser_query(p);
}

static bool
data_statement(struct parser *p, struct stmt *s)
{
    switch ((unsigned)p->t.keyword) {
    case KW_SELECT: case KW_WITH: case KW_VALUES: select(p, s); return true;
    case KW_INSERT: case KW_REPLACE: parser_insert(p, s); return true;
    case KW_UPDATE: parser_update(p, s); return true;
    case KW_DELETE: parser_delete(p, s); return true;
    case KW_LOAD: parser_load(p, s); return true;
    case KW_CALL: call(p, s); return true;
    case KW_DO: do_list(p, s); return true;
    case KW_SET: parser_set(p, s); return true;
    case KW_USE: use(p, s); return true;
    case KW_SHOW: parser_show(p, s); return true;
    case KW_EXPLAIN: case KW_DESCRIBE: case KW_DESC: parser_explain(p, s); return true;
    case KW_PREPARE: prepare(p, s); return true;
    case KW_EXECUTE: execute(p, s); return true;
    case KW_DEALLOCATE: deallocate(p, s); return true;
    case KW_DROP:
        if (parser_peek_keyword(p) == KW_PREPARE)
            deallocate(p, s);
        else
            parser_drop(p, s);
        return true;
    case KW_CREATE: parser_create(p, s); return true;
    case KW_ALTER: parser_alter(p, s); return true;
    case KW_TRUNCATE:
        parser_take(p);
        parser_accept(p, KW_TABLE);
        s->kind   = STMT_TRUNCATE;
        s->tables = parser_tables(p);
        parser_skip_rest(p); /* WAIT n, NOWAIT */
        return true;
    case KW_RENAME: parser_rename(p, s); return true;
    default: return false;
    }
}

void
parser_any(struct parser *p, struct stmt *s)
{
    uint32_t start = p->t.start;

    if (!parser_enter(p)) {
        parser_leave(p);
        return;
    }
    if (parser_at_op(p, '('))
        select(p, s);
    else if (p->t.kind != TOK_KEYWORD)
        parser_fail(p);
    else if (!data_statement(p, s) && !parser_txn(p, s) && !parser_admin(p, s))
        parser_fail(p);
    s->range = parser_range(p, start);
    parser_leave(p);
}

/* Names. */

static bool
is_name(struct token t)
{
    return t.kind == TOK_IDENT || t.kind == TOK_QUOTED ||
           (t.kind == TOK_KEYWORD && !keyword_reserved(t.keyword));
}

static void
take_path(struct parser *p, struct path *path)
{
    uint32_t start = p->t.start;

    path->name = parser_name(p);
    for (int i = 0; i < 2 && parser_at_op(p, '.') && is_name(parser_peek(p)); i++) {
        parser_take(p);
        path->schema = path->table;
        path->table  = path->name;
        path->name   = parser_name(p);
    }
    path->range = parser_range(p, start);
    if (path->schema.ptr == NULL) { /* a.b: a schema and a table as well */
        path->schema = path->table;
        path->table  = (struct span){ 0 };
    }
}

static struct path_item *
names_from(struct parser *p)
{
    struct path_item *first = NULL, **tail = &first;

    while (!parser_at_end(p) && p->t.kind != TOK_BAD) {
        if (!parser_at_name(p)) {
            parser_take(p);
            continue;
        }
        struct path_item *item = parser_new(p, sizeof(*item));
        take_path(p, &item->path);
        *tail = item;
        tail  = &item->next;
    }
    return first;
}

bool
parse_names(struct arena *a, struct span text, struct lex_options options,
            struct path_item **names)
{
    struct parser p;

    parser_init(&p, a, text, options, NULL);
    struct path_item *found = names_from(&p);
    if (!parser_at_end(&p))
        return false;
    *names = found;
    return true;
}

static bool
wants_names(const struct stmt *s)
{
    return s->kind == STMT_UNKNOWN || s->kind == STMT_OBJECT || s->kind == STMT_ADMIN;
}

enum parse_result
parse_statement(struct arena *a, struct span text, struct lex_options options,
                const struct digest *digest, struct stmt **stmt)
{
    struct parser p;
    struct stmt  *s = arena_alloc(a, sizeof(*s));

    parser_init(&p, a, text, options, digest);
    if (parser_at_end(&p))
        return PARSE_EMPTY;
    parser_any(&p, s);
    if (!parser_at_end(&p))
        parser_fail(&p);
    if (p.failed) {
        *s = (struct stmt){ .kind = STMT_UNKNOWN, .error_at = p.error_at };
        s->range.end = (uint32_t)text.len;
    }
    if (wants_names(s) && !parse_names(a, text, options, &s->names))
        return PARSE_BAD;
    if (p.lex.had_exec_comment)
        p.flags |= STMT_HAS_EXEC_COMMENT;
    s->flags    = p.flags;
    s->n_params = p.n_params;
    *stmt       = s;
    return p.failed ? PARSE_UNKNOWN : PARSE_OK;
}

enum parse_result
parse_expression(struct arena *a, struct span text, struct lex_options options,
                 struct expr **expr)
{
    struct parser p;

    parser_init(&p, a, text, options, NULL);
    if (p.t.kind == TOK_END)
        return PARSE_EMPTY;
    struct expr *e = parser_expr(&p);
    if (p.t.kind != TOK_END)
        parser_fail(&p);
    if (p.failed)
        return p.lex.bad ? PARSE_BAD : PARSE_UNKNOWN;
    *expr = e;
    return PARSE_OK;
}
