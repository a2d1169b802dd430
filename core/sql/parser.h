/* parser.h - what the parts of the parser share; private to core/sql.
 *
 * Errors are sticky: after parser_fail() the current token is TOK_BAD for good,
 * so every loop ends, nothing is accepted, and functions may go on returning
 * half-made nodes (never NULL) that nobody looks at.
 */
#ifndef CORE_SQL_PARSER_H
#define CORE_SQL_PARSER_H

#include "core/base/arena.h"
#include "core/sql/parse.h"

struct parser {
    struct arena        *arena;
    struct lex           lex;
    struct token         t;        /* the current one, not yet taken */
    uint32_t             last_end; /* end of the token taken last */
    const struct digest *digest;
    uint32_t             literal;  /* next of digest's literals */
    uint32_t             n_params;
    uint32_t             depth;
    uint32_t             flags;    /* enum stmt_flags */
    bool                 compound; /* the statement holds ';' of its own: lex_compound() */
    bool                 failed;
    uint32_t             error_at;
};

void parser_init(struct parser *p, struct arena *a, struct span text, struct lex_options options,
                 const struct digest *digest);
void parser_fail(struct parser *p);

/* The token behind the current one. */
struct token parser_peek(const struct parser *p);

/* On to the next token. The ';' that ends the statement is never taken. */
static inline void
parser_take(struct parser *p)
{
    if (token_is_op(p->t, ';') && !p->compound)
        parser_fail(p);
    p->last_end = p->t.end;
    p->n_params += p->t.kind == TOK_PARAM;
    p->t = p->failed ? p->t : lex_next(&p->lex);
}

static inline bool
parser_at(const struct parser *p, enum keyword k)
{
    return p->t.kind == TOK_KEYWORD && p->t.keyword == k;
}

static inline bool
parser_at_op(const struct parser *p, uint32_t op)
{
    return p->t.kind == TOK_OP && p->t.op == op;
}

/* Take it when it is there. */
static inline bool
parser_accept(struct parser *p, enum keyword k)
{
    if (!parser_at(p, k))
        return false;
    parser_take(p);
    return true;
}

static inline bool
parser_accept_op(struct parser *p, uint32_t op)
{
    if (!parser_at_op(p, op))
        return false;
    parser_take(p);
    return true;
}

/* Fail when it is not there. */
void parser_expect(struct parser *p, enum keyword k);
void parser_expect_op(struct parser *p, uint32_t op);

/* The keyword behind the current token, or NO_KEYWORD. */
enum keyword parser_peek_keyword(const struct parser *p);

/* At the end of the statement: the text's end, or a ';' that ends it. */
bool parser_at_end(const struct parser *p);

/* Recursion: enter fails beyond the limit; leave whatever it returned. */
bool parser_enter(struct parser *p);
void parser_leave(struct parser *p);

static inline struct range
parser_range(const struct parser *p, uint32_t start)
{
    return (struct range){ start, p->last_end };
}

static inline void *
parser_new(struct parser *p, size_t bytes)
{
    return arena_alloc(p->arena, bytes);
}

/* Names. */
bool         parser_at_name(const struct parser *p); /* a word that may be a name */
struct span  parser_token_name(struct parser *p, struct token t);
struct span  parser_name(struct parser *p);          /* take one, or fail */
struct span  parser_text_name(struct parser *p);     /* a name or a string's contents */
struct span  parser_alias(struct parser *p, bool column); /* [AS] name; none: ptr NULL */
struct path  parser_path(struct parser *p);          /* [schema.]name of a table or routine */
struct name_item *parser_name_list(struct parser *p);   /* a, b, c */
struct name_item *parser_paren_names(struct parser *p); /* (a, b, c) or () */
struct range parser_skip_parens(struct parser *p);   /* at '(': to behind its ')' */
void         parser_skip_rest(struct parser *p);     /* to the end of the statement */

/* Expressions: parse_expr.c, parse_primary.c, parse_func.c */
struct expr *parser_expr(struct parser *p);
struct expr *parser_bit_expr(struct parser *p); /* no AND, OR, comparison, IN ... */
struct expr *parser_simple_expr(struct parser *p);
struct expr *parser_expr_list(struct parser *p, uint32_t *n); /* one or more */
struct expr *parser_literal(struct parser *p);  /* any literal, or fail */
struct expr *parser_expr_or_default(struct parser *p);
struct expr *parser_case(struct parser *p);
struct expr *parser_match(struct parser *p);    /* MATCH (...) AGAINST (...) */
struct expr *parser_interval(struct parser *p); /* INTERVAL x unit, INTERVAL(x, y, ...) */
struct expr *parser_parenthesised(struct parser *p);
struct expr *parser_function(struct parser *p, struct path name, enum keyword k, uint32_t start);
struct expr *parser_expr_new(struct parser *p, enum expr_kind kind, uint32_t start);
void         parser_expr_add(struct parser *p, struct expr *parent, struct expr *arg);
struct order_item *parser_order_list(struct parser *p); /* behind BY */
struct window *parser_window_spec(struct parser *p);    /* ( ... ) */
bool         parser_interval_unit(struct parser *p, uint16_t *word);
void         parser_data_type(struct parser *p, struct data_type *type);

/* Queries: parse_query.c, parse_table.c */
bool          parser_at_query(const struct parser *p); /* SELECT, WITH; not '(' or VALUES */
struct query *parser_query(struct parser *p);
struct query *parser_query_rest(struct parser *p, struct query *first); /* behind a ')' */
bool          parser_at_query_rest(const struct parser *p);
struct expr  *parser_subquery(struct parser *p); /* at '(' : EXPR_SUBQUERY */
struct limit *parser_limit(struct parser *p);    /* at LIMIT, OFFSET or FETCH */
struct row   *parser_rows(struct parser *p, uint32_t *n);
struct select_item *parser_select_items(struct parser *p, uint32_t *n);
struct table_ref *parser_table_refs(struct parser *p);
struct table_ref *parser_table_ref(struct parser *p);
struct table_item *parser_tables(struct parser *p);

/* Statements: the current token is the first, and is taken by them. */
void parser_insert(struct parser *p, struct stmt *s);
void parser_update(struct parser *p, struct stmt *s);
void parser_delete(struct parser *p, struct stmt *s);
void parser_load(struct parser *p, struct stmt *s); /* parse_load.c */
struct path        parser_column_path(struct parser *p);
struct assignment *parser_assignments(struct parser *p); /* a = 1, b = DEFAULT */
void parser_set(struct parser *p, struct stmt *s);
void parser_show(struct parser *p, struct stmt *s);
void parser_explain(struct parser *p, struct stmt *s);
void parser_create(struct parser *p, struct stmt *s);
void parser_alter(struct parser *p, struct stmt *s);
void parser_drop(struct parser *p, struct stmt *s);
void parser_rename(struct parser *p, struct stmt *s);
void parser_any(struct parser *p, struct stmt *s); /* dispatch by the first token */
bool parser_txn(struct parser *p, struct stmt *s); /* false: not one of them */
bool parser_admin(struct parser *p, struct stmt *s);

/* Parts of data definition. */
struct column_def   *parser_column_def(struct parser *p);
struct key_def      *parser_key_def(struct parser *p); /* at CONSTRAINT, PRIMARY, KEY ... */
bool                 parser_at_key_def(const struct parser *p);
struct key_part     *parser_key_parts(struct parser *p);
void                 parser_key_options(struct parser *p);
struct table_option *parser_table_option(struct parser *p); /* NULL: none here */
struct references   *parser_references(struct parser *p);
void                 parser_create_table(struct parser *p, struct stmt *s, uint32_t start);
void                 parser_alter_table(struct parser *p, struct stmt *s);
void                 parser_create_index(struct parser *p, struct stmt *s);
bool                 parser_if_exists(struct parser *p);     /* IF EXISTS */
bool                 parser_if_not_exists(struct parser *p); /* IF NOT EXISTS */

#endif
