/* parse_load.c - LOAD DATA and LOAD XML.
 *
 * LOAD DATA [LOW_PRIORITY|CONCURRENT] [LOCAL] INFILE 'f' [REPLACE|IGNORE] INTO TABLE t
 *     [PARTITION (p, ...)] [CHARACTER SET c]
 *     [FIELDS|COLUMNS [TERMINATED BY s] [[OPTIONALLY] ENCLOSED BY s] [ESCAPED BY s]]
 *     [LINES [STARTING BY s] [TERMINATED BY s]]
 *     [IGNORE n LINES|ROWS] [(a, @b, ...)] [SET c = expr, ...]
 *
 * Of LOAD XML only the head is read: the rest is the server's.
 */
#include "core/sql/parser.h"

/* Separators: '...', 0x.., x'..', b'..'. */
static struct span
separator(struct parser *p)
{
    struct buf   bytes = { 0 };
    struct token t     = p->t;
    struct span  out   = { 0 };

    parser_expect(p, KW_BY);
    t = p->t;
    if ((t.kind != TOK_STRING && t.kind != TOK_HEX && t.kind != TOK_HEX_STRING &&
         t.kind != TOK_BIT) ||
        !literal_decode(token_text(&p->lex, t), t.kind, p->lex.options, &bytes))
        parser_fail(p);
    else
        out = arena_copy(p->arena, buf_unread(&bytes));
    buf_fini(&bytes);
    parser_take(p);
    return out;
}

static void
charset(struct parser *p, struct load *l)
{
    uint32_t start = p->t.start;

    l->charset_at = p->last_end;
    if (parser_accept(p, KW_CHARACTER) || parser_accept(p, KW_CHAR))
        parser_expect(p, KW_SET);
    else if (!parser_accept(p, KW_CHARSET))
        return;
    if (!parser_accept(p, KW_DEFAULT)) {
        if (parser_accept(p, KW_BINARY))
            l->charset = SPAN("binary");
        else
            l->charset = parser_text_name(p);
    }
    l->charset_range = parser_range(p, start);
}

/* False: no clause of FIELDS is here. */
static bool
field_clause(struct parser *p, struct load *l)
{
    if (parser_accept(p, KW_TERMINATED)) {
        l->field_term = separator(p);
        return true;
    }
    if (parser_accept(p, KW_OPTIONALLY)) {
        parser_expect(p, KW_ENCLOSED);
        l->enclosed = separator(p);
        return true;
    }
    if (parser_accept(p, KW_ENCLOSED)) {
        l->enclosed = separator(p);
        return true;
    }
    if (parser_accept(p, KW_ESCAPED)) {
        l->escaped = separator(p);
        return true;
    }
    return false;
}

static bool
line_clause(struct parser *p, struct load *l)
{
    if (parser_accept(p, KW_TERMINATED)) {
        l->line_term = separator(p);
        return true;
    }
    if (parser_accept(p, KW_STARTING)) {
        l->line_start = separator(p);
        return true;
    }
    return false;
}

static void
clauses(struct parser *p, struct load *l, bool (*clause)(struct parser *, struct load *))
{
    if (!clause(p, l))
        parser_fail(p);
    while (clause(p, l))
        continue;
}

static void
ignore_lines(struct parser *p, struct load *l)
{
    uint32_t start = p->t.start;

    if (!parser_accept(p, KW_IGNORE))
        return;
    if (p->t.kind != TOK_INT || !literal_u64(token_text(&p->lex, p->t), &l->ignore_lines))
        parser_fail(p);
    parser_take(p);
    if (!parser_accept(p, KW_LINES))
        parser_expect(p, KW_ROWS);
    l->ignore_range = parser_range(p, start);
}

static void
items(struct parser *p, struct load *l)
{
    struct load_item **tail  = &l->items;
    uint32_t           start = p->t.start;

    if (!parser_accept_op(p, '('))
        return;
    do {
        if (l->n_items == 0 && parser_at_op(p, ')'))
            break;
        struct load_item *item = parser_new(p, sizeof(*item));
        item->variable         = p->t.kind == TOK_USER_VAR;
        if (item->variable) {
            item->name = parser_token_name(p, p->t);
            parser_take(p);
        } else
            item->name = parser_column_path(p).name;
        *tail = item;
        tail  = &item->next;
        l->n_items++;
    } while (parser_accept_op(p, ','));
    parser_expect_op(p, ')');
    l->items_range = parser_range(p, start);
}

static void
rest(struct parser *p, struct load *l)
{
    if (parser_accept(p, KW_PARTITION))
        parser_paren_names(p);
    charset(p, l);
    if (parser_accept(p, KW_FIELDS) || parser_accept(p, KW_COLUMNS))
        clauses(p, l, field_clause);
    if (parser_accept(p, KW_LINES))
        clauses(p, l, line_clause);
    ignore_lines(p, l);
    items(p, l);
    if (parser_accept(p, KW_SET))
        l->set = parser_assignments(p);
    if (!parser_at_end(p))
        parser_fail(p);
}

void
parser_load(struct parser *p, struct stmt *s)
{
    struct load *l = parser_new(p, sizeof(*l));

    s->kind = STMT_LOAD;
    s->load = l;
    parser_take(p);
    l->xml = parser_accept(p, KW_XML);
    if (!l->xml)
        parser_expect(p, KW_DATA);
    if (!parser_accept(p, KW_LOW_PRIORITY))
        parser_accept(p, KW_CONCURRENT);
    l->local = parser_accept(p, KW_LOCAL);
    parser_expect(p, KW_INFILE);
    l->file = token_text(&p->lex, p->t);
    parser_literal(p);
    l->replace = parser_accept(p, KW_REPLACE);
    l->ignore  = !l->replace && parser_accept(p, KW_IGNORE);
    parser_expect(p, KW_INTO);
    parser_expect(p, KW_TABLE);
    l->table = parser_path(p);
    if (l->xml)
        parser_skip_rest(p);
    else
        rest(p, l);
}
