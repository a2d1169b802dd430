/* parse_column.c - columns, keys and options of tables. */
#include "core/sql/parser.h"

bool
parser_if_exists(struct parser *p)
{
    if (!parser_at(p, KW_IF) || parser_peek_keyword(p) != KW_EXISTS)
        return false;
    parser_take(p);
    parser_take(p);
    return true;
}

bool
parser_if_not_exists(struct parser *p)
{
    if (!parser_at(p, KW_IF) || parser_peek_keyword(p) != KW_NOT)
        return false;
    parser_take(p);
    parser_take(p);
    parser_expect(p, KW_EXISTS);
    return true;
}

/* A word of a kind that has no expression: a name, a number, DEFAULT ... */
static void
take_value(struct parser *p)
{
    if (parser_at_op(p, '('))
        parser_skip_parens(p);
    else if (p->t.kind == TOK_BAD || parser_at_end(p) || p->t.kind == TOK_OP)
        parser_fail(p);
    else
        parser_take(p);
}

/* References. */

static enum ref_action
action(struct parser *p)
{
    if (parser_accept(p, KW_CASCADE))
        return REF_CASCADE;
    if (parser_accept(p, KW_NO)) {
        parser_expect(p, KW_ACTION);
        return REF_NO_ACTION;
    }
    if (parser_accept(p, KW_SET)) {
        if (parser_accept(p, KW_NULL))
            return REF_SET_NULL;
        parser_expect(p, KW_DEFAULT);
        return REF_SET_DEFAULT;
    }
    parser_expect(p, KW_RESTRICT);
    return REF_RESTRICT;
}

struct references *
parser_references(struct parser *p)
{
    struct references *r     = parser_new(p, sizeof(*r));
    uint32_t           start = p->t.start;

    parser_expect(p, KW_REFERENCES);
    r->table = parser_path(p);
    if (parser_at_op(p, '('))
        r->columns = parser_paren_names(p);
    for (;;) {
        if (parser_accept(p, KW_MATCH)) {
            take_value(p);
        } else if (parser_at(p, KW_ON) && parser_peek_keyword(p) == KW_DELETE) {
            parser_take(p);
            parser_take(p);
            r->on_delete = action(p);
        } else if (parser_at(p, KW_ON) && parser_peek_keyword(p) == KW_UPDATE) {
            parser_take(p);
            parser_take(p);
            r->on_update = action(p);
        } else {
            break;
        }
    }
    r->range = parser_range(p, start);
    return r;
}

/* Columns. */

static void
default_value(struct parser *p, struct column_def *c)
{
    if (c->serial && parser_accept(p, KW_VALUE))
        return;
    c->default_value = parser_simple_expr(p);
    /* DEFAULT 'x' COLLATE y: the collation is the column's. */
    if (c->default_value->kind == EXPR_COLLATE && c->default_value->name != NULL) {
        c->type.collation = *c->default_value->name;
        c->default_value  = c->default_value->args;
    }
}

/* [GENERATED ALWAYS] AS (x) [VIRTUAL|PERSISTENT|STORED], AS ROW START|END */
static void
generated(struct parser *p, struct column_def *c)
{
    uint32_t start = p->t.start;

    parser_expect(p, KW_AS);
    if (parser_accept(p, KW_ROW)) {
        c->generated      = parser_expr_new(p, EXPR_NULL, start);
        c->generated->end = p->t.end;
        c->stored         = true;
        if (!parser_accept(p, KW_START))
            parser_expect(p, KW_END);
        return;
    }
    parser_expect_op(p, '(');
    c->generated = parser_expr(p);
    parser_expect_op(p, ')');
    c->stored = parser_accept(p, KW_PERSISTENT) || parser_accept(p, KW_STORED);
    if (!c->stored)
        parser_accept(p, KW_VIRTUAL);
}

static struct expr *
check(struct parser *p)
{
    parser_expect(p, KW_CHECK);
    parser_expect_op(p, '(');
    struct expr *e = parser_expr(p);
    parser_expect_op(p, ')');
    return e;
}

static void
column_key(struct parser *p, struct column_def *c)
{
    if (parser_accept(p, KW_UNIQUE)) {
        c->unique = true;
        parser_accept(p, KW_KEY);
        return;
    }
    c->primary = true;
    parser_accept(p, KW_PRIMARY);
    parser_expect(p, KW_KEY);
}

static void
constraint_name(struct parser *p)
{
    if (parser_accept(p, KW_CONSTRAINT) && !parser_at(p, KW_CHECK))
        parser_name(p);
}

/* Words that come once in a while, with what follows them. */
static bool
rare_attribute(struct parser *p, struct column_def *c)
{
    if (parser_accept(p, KW_INVISIBLE)) {
        c->invisible = true;
    } else if (parser_accept(p, KW_COMPRESSED)) {
        if (parser_accept_op(p, '='))
            take_value(p);
    } else if (parser_at(p, KW_WITH) || parser_at(p, KW_WITHOUT)) {
        parser_take(p);
        parser_expect(p, KW_SYSTEM);
        parser_expect(p, KW_VERSIONING);
    } else if (parser_accept(p, KW_STORAGE)) {
        take_value(p);
    } else if ((p->t.kind == TOK_IDENT || p->t.kind == TOK_QUOTED ||
                parser_at(p, KW_REF_SYSTEM_ID)) &&
               token_is_op(parser_peek(p), '=')) {
        parser_take(p);
        parser_take(p);
        take_value(p);
    } else {
        return false;
    }
    return true;
}

static bool
attribute(struct parser *p, struct column_def *c)
{
    if (p->t.kind != TOK_KEYWORD)
        return rare_attribute(p, c);
    switch ((unsigned)p->t.keyword) {
    case KW_NOT:
        parser_take(p);
        parser_expect(p, KW_NULL);
        c->not_null = true;
        return true;
    case KW_NULL: parser_take(p); c->null_given = true; return true;
    case KW_DEFAULT: parser_take(p); default_value(p, c); return true;
    case KW_ON:
        parser_take(p);
        parser_expect(p, KW_UPDATE);
        c->on_update = parser_simple_expr(p);
        return true;
    case KW_AUTO_INCREMENT: parser_take(p); c->auto_increment = true; return true;
    case KW_SERIAL:
        parser_take(p);
        parser_expect(p, KW_DEFAULT);
        parser_expect(p, KW_VALUE);
        c->auto_increment = c->not_null = c->unique = true;
        return true;
    case KW_PRIMARY: case KW_KEY: case KW_UNIQUE: column_key(p, c); return true;
    case KW_COMMENT: parser_take(p); c->comment = parser_literal(p); return true;
    case KW_COLLATE:
        parser_take(p);
        if (parser_at(p, KW_BINARY))
            p->t.kind = TOK_IDENT;
        c->type.collation = parser_text_name(p);
        return true;
    case KW_CONSTRAINT: constraint_name(p); c->check = check(p); return true;
    case KW_CHECK: c->check = check(p); return true;
    case KW_REFERENCES: c->references = parser_references(p); return true;
    case KW_GENERATED:
        parser_take(p);
        parser_expect(p, KW_ALWAYS);
        generated(p, c);
        return true;
    case KW_AS: generated(p, c); return true;
    default: return rare_attribute(p, c);
    }
}

struct column_def *
parser_column_def(struct parser *p)
{
    struct column_def *c     = parser_new(p, sizeof(*c));
    uint32_t           start = p->t.start;

    c->name       = parser_name(p);
    c->name_range = parser_range(p, start);
    parser_data_type(p, &c->type);
    if (c->type.keyword == KW_SERIAL)
        c->serial = c->auto_increment = c->not_null = c->unique = true;
    while (attribute(p, c))
        ;
    c->range = parser_range(p, start);
    return c;
}

/* Keys. */

bool
parser_at_key_def(const struct parser *p)
{
    if (p->t.kind != TOK_KEYWORD)
        return false;
    switch ((unsigned)p->t.keyword) {
    case KW_CONSTRAINT: case KW_PRIMARY: case KW_UNIQUE: case KW_FOREIGN: case KW_KEY:
    case KW_INDEX:
    case KW_FULLTEXT: case KW_SPATIAL: case KW_CHECK:
        return true;
    default:
        return false;
    }
}

struct key_part *
parser_key_parts(struct parser *p)
{
    struct key_part *first = NULL, **tail = &first;

    parser_expect_op(p, '(');
    do {
        struct key_part *part   = parser_new(p, sizeof(*part));
        uint32_t         start  = p->t.start;
        uint64_t         length = 0;

        part->column = parser_name(p);
        if (parser_accept_op(p, '(')) {
            if (p->t.kind != TOK_INT || !literal_u64(token_text(&p->lex, p->t), &length) ||
                length > UINT32_MAX)
                parser_fail(p);
            parser_take(p);
            parser_expect_op(p, ')');
        }
        part->length     = (uint32_t)length;
        part->descending = parser_accept(p, KW_DESC);
        if (!part->descending)
            parser_accept(p, KW_ASC);
        part->range = parser_range(p, start);
        *tail       = part;
        tail        = &part->next;
    } while (parser_accept_op(p, ','));
    return first;
}

void
parser_key_options(struct parser *p)
{
    for (;;) {
        if (parser_accept(p, KW_USING) || parser_accept(p, KW_TYPE) ||
            parser_accept(p, KW_COMMENT)) {
            take_value(p);
        } else if (parser_accept(p, KW_WITH)) {
            parser_expect(p, KW_PARSER);
            take_value(p);
        } else if (parser_accept(p, KW_NOT)) {
            parser_expect(p, KW_IGNORED);
        } else if (parser_at(p, KW_KEY_BLOCK_SIZE) ||
                   (parser_at_name(p) && token_is_op(parser_peek(p), '='))) {
            parser_take(p);
            parser_accept_op(p, '=');
            take_value(p);
        } else if (!parser_accept(p, KW_IGNORED)) {
            return;
        }
    }
}

static enum key_kind
key_kind(struct parser *p)
{
    enum keyword k = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;

    if (!parser_at_key_def(p))
        parser_fail(p);
    parser_take(p);
    switch ((unsigned)k) {
    case KW_PRIMARY: parser_expect(p, KW_KEY); return KEY_PRIMARY;
    case KW_FOREIGN: parser_expect(p, KW_KEY); return KEY_FOREIGN;
    case KW_KEY: case KW_INDEX: return KEY_PLAIN;
    case KW_CHECK: return KEY_CHECK;
    default: break;
    }
    if (!parser_accept(p, KW_KEY))
        parser_accept(p, KW_INDEX);
    return k == KW_UNIQUE ? KEY_UNIQUE : k == KW_FULLTEXT ? KEY_FULLTEXT : KEY_SPATIAL;
}

struct key_def *
parser_key_def(struct parser *p)
{
    struct key_def *k     = parser_new(p, sizeof(*k));
    uint32_t        start = p->t.start;

    if (parser_accept(p, KW_CONSTRAINT)) {
        k->if_not_exists = parser_if_not_exists(p);
        if (!parser_at_key_def(p))
            k->constraint = parser_name(p);
    }
    k->kind = key_kind(p);
    if (k->kind == KEY_CHECK) {
        parser_expect_op(p, '(');
        k->check = parser_expr(p);
        parser_expect_op(p, ')');
    } else {
        k->if_not_exists |= parser_if_not_exists(p);
        if (!parser_at_op(p, '(') && !parser_at(p, KW_USING) &&
            !(parser_at(p, KW_TYPE) && !token_is_op(parser_peek(p), '(')))
            k->name = parser_name(p);
        parser_key_options(p);
        k->parts = parser_key_parts(p);
        if (parser_accept(p, KW_WITHOUT)) {
            parser_expect(p, KW_OVERLAPS);
            k->without_overlaps = true;
        }
        parser_expect_op(p, ')');
        if (k->kind == KEY_FOREIGN)
            k->references = parser_references(p);
        parser_key_options(p);
    }
    k->range = parser_range(p, start);
    return k;
}

/* Table options. */

static bool
option_word(enum keyword k)
{
    switch ((unsigned)k) {
    case KW_ENGINE: case KW_TYPE: case KW_MAX_ROWS: case KW_MIN_ROWS: case KW_AVG_ROW_LENGTH:
    case KW_PASSWORD: case KW_COMMENT: case KW_AUTO_INCREMENT: case KW_PACK_KEYS:
    case KW_STATS_AUTO_RECALC: case KW_STATS_PERSISTENT: case KW_STATS_SAMPLE_PAGES:
    case KW_CHECKSUM: case KW_TABLE_CHECKSUM: case KW_PAGE_CHECKSUM: case KW_DELAY_KEY_WRITE:
    case KW_ROW_FORMAT: case KW_UNION: case KW_CHARSET: case KW_COLLATE: case KW_INSERT_METHOD:
    case KW_TABLESPACE: case KW_STORAGE: case KW_CONNECTION: case KW_KEY_BLOCK_SIZE:
    case KW_TRANSACTIONAL: case KW_SEQUENCE:
        return true;
    default:
        return false;
    }
}

static bool
option_name(struct parser *p, struct table_option *o)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_at(p, KW_DEFAULT) &&
        (next == KW_CHARSET || next == KW_CHARACTER || next == KW_CHAR || next == KW_COLLATE)) {
        parser_take(p);
        next = parser_peek_keyword(p);
    }
    o->word = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    if ((o->word == KW_CHARACTER || o->word == KW_CHAR) && next == KW_SET) {
        o->word = KW_CHARSET;
        parser_take(p);
    } else if ((o->word == KW_DATA || o->word == KW_INDEX) && next == KW_DIRECTORY) {
        parser_take(p);
    } else if (!option_word(o->word) &&
               !((parser_at_name(p) || p->t.kind == TOK_STRING) &&
                 token_is_op(parser_peek(p), '='))) {
        return false;
    }
    parser_take(p);
    return true;
}

struct table_option *
parser_table_option(struct parser *p)
{
    uint32_t            start = p->t.start;
    struct table_option found = { 0 };

    if (!option_name(p, &found))
        return NULL;
    struct table_option *o = parser_new(p, sizeof(*o));
    *o                     = found;
    parser_accept_op(p, '=');
    uint32_t value = p->t.start;
    o->value_kind  = p->t.kind;
    if (p->t.kind == TOK_QUOTED) {
        o->value = parser_token_name(p, p->t);
        parser_take(p);
    } else {
        take_value(p);
        o->value = (struct span){ p->lex.text + value, p->last_end - value };
    }
    o->range = parser_range(p, start);
    return o;
}
