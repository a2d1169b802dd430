/* parse_show.c - SHOW, DESCRIBE, EXPLAIN, ANALYZE statement. */
#include "core/sql/parser.h"

/* FROM db, IN db */
static void
from_schema(struct parser *p, struct show *sh)
{
    uint32_t start = p->t.start;

    if (!parser_accept(p, KW_FROM) && !parser_accept(p, KW_IN))
        return;
    sh->schema       = parser_name(p);
    sh->schema_range = parser_range(p, start);
}

static void
wild(struct parser *p, struct show *sh)
{
    if (parser_accept(p, KW_LIKE))
        sh->like = parser_literal(p);
    else if (parser_accept(p, KW_WHERE))
        sh->where = parser_expr(p);
}

/* COLUMNS|INDEX FROM t [FROM db] */
static void
of_table(struct parser *p, struct show *sh)
{
    if (!parser_accept(p, KW_FROM))
        parser_expect(p, KW_IN);
    sh->table = parser_path(p);
    from_schema(p, sh);
    wild(p, sh);
}

/* CREATE TABLE t, CREATE DATABASE [IF NOT EXISTS] d, CREATE USER u ... */
static void
create(struct parser *p, struct show *sh)
{
    parser_take(p);
    sh->object = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    if (sh->object == KW_SCHEMA)
        sh->object = KW_DATABASE;
    parser_take(p);
    if (sh->object == KW_PACKAGE && parser_accept(p, KW_BODY))
        sh->object = KW_BODY;
    parser_if_not_exists(p);
    if (sh->object == KW_USER)
        parser_skip_rest(p);
    else
        sh->table = parser_path(p);
}

/* Words with the same shape: [FROM db] [LIKE | WHERE]. */
static bool
plain(struct parser *p, struct show *sh)
{
    static const struct {
        enum keyword written, kind;
    } words[] = {
        { KW_TABLES, KW_TABLES },         { KW_DATABASES, KW_DATABASES },
        { KW_SCHEMAS, KW_DATABASES },     { KW_STATUS, KW_STATUS },
        { KW_VARIABLES, KW_VARIABLES },   { KW_PROCESSLIST, KW_PROCESSLIST },
        { KW_ENGINES, KW_ENGINES },       { KW_COLLATION, KW_COLLATION },
        { KW_CHARSET, KW_CHARSET },       { KW_TRIGGERS, KW_TRIGGERS },
        { KW_EVENTS, KW_EVENTS },         { KW_PLUGINS, KW_PLUGINS },
        { KW_PRIVILEGES, KW_PRIVILEGES }, { KW_PROFILES, KW_PROFILES },
        { KW_AUTHORS, KW_AUTHORS },       { KW_CONTRIBUTORS, KW_CONTRIBUTORS },
    };

    for (size_t i = 0; i < countof(words); i++)
        if (parser_accept(p, words[i].written)) {
            sh->kind = words[i].kind;
            from_schema(p, sh);
            wild(p, sh);
            return true;
        }
    return false;
}

/* Two words: TABLE STATUS, OPEN TABLES, CHARACTER SET, PROCEDURE STATUS. */
static bool
two_words(struct parser *p, struct show *sh)
{
    enum keyword first = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    enum keyword next  = parser_peek_keyword(p);

    if (next == KW_STATUS && (first == KW_TABLE || first == KW_PROCEDURE || first == KW_FUNCTION ||
                              first == KW_PACKAGE)) {
        sh->kind   = KW_STATUS;
        sh->object = first;
    } else if (first == KW_OPEN && next == KW_TABLES) {
        sh->kind = KW_OPEN;
    } else if ((first == KW_CHARACTER || first == KW_CHAR) && next == KW_SET) {
        sh->kind = KW_CHARSET;
    } else {
        return false;
    }
    parser_take(p);
    parser_take(p);
    from_schema(p, sh);
    wild(p, sh);
    return true;
}

static void
warnings(struct parser *p, struct show *sh)
{
    if (parser_accept(p, KW_COUNT)) {
        parser_expect_op(p, '(');
        parser_expect_op(p, '*');
        parser_expect_op(p, ')');
        sh->count = true;
    }
    sh->kind = parser_at(p, KW_ERRORS) ? KW_ERRORS : KW_WARNINGS;
    if (!parser_accept(p, KW_ERRORS))
        parser_expect(p, KW_WARNINGS);
    if (parser_at(p, KW_LIMIT))
        sh->limit = parser_limit(p);
}

/* SHOW SHARDD what ... */
static void
shardd(struct parser *p, struct show *sh)
{
    sh->kind = KW_SHARDD;
    parser_take(p);
    sh->name = parser_name(p);
    wild(p, sh);
    if (parser_at(p, KW_LIMIT))
        sh->limit = parser_limit(p);
}

static void
show(struct parser *p, struct show *sh)
{
    if (parser_at(p, KW_SHARDD)) {
        shardd(p, sh);
    } else if (parser_at(p, KW_CREATE)) {
        sh->kind = KW_CREATE;
        create(p, sh);
    } else if (parser_accept(p, KW_COLUMNS) || parser_accept(p, KW_FIELDS)) {
        sh->kind = KW_COLUMNS;
        of_table(p, sh);
    } else if (parser_accept(p, KW_INDEX) || parser_accept(p, KW_INDEXES) ||
               parser_accept(p, KW_KEYS)) {
        sh->kind = KW_INDEX;
        of_table(p, sh);
    } else if (parser_at(p, KW_WARNINGS) || parser_at(p, KW_ERRORS) ||
               (parser_at(p, KW_COUNT) && token_is_op(parser_peek(p), '('))) {
        warnings(p, sh);
    } else if (!plain(p, sh) && !two_words(p, sh)) {
        /* GRANTS [FOR user], ENGINE x STATUS, MASTER STATUS, EXPLAIN FOR n ... */
        sh->kind = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
        parser_take(p);
        parser_skip_rest(p);
    }
}

void
parser_show(struct parser *p, struct stmt *s)
{
    struct show *sh = parser_new(p, sizeof(*sh));

    s->kind = STMT_SHOW;
    s->show = sh;
    parser_take(p);
    for (;;) {
        if (parser_accept(p, KW_FULL))
            sh->full = true;
        else if (parser_accept(p, KW_EXTENDED))
            sh->extended = true;
        else if (parser_at(p, KW_GLOBAL) || parser_at(p, KW_SESSION) || parser_at(p, KW_LOCAL)) {
            sh->scope = parser_at(p, KW_GLOBAL) ? KW_GLOBAL : KW_SESSION;
            parser_take(p);
        } else
            break;
    }
    show(p, sh);
}

/* DESCRIBE t [column | 'pattern'] */
static void
describe(struct parser *p, struct stmt *s)
{
    struct show *sh = parser_new(p, sizeof(*sh));

    s->kind   = STMT_SHOW;
    s->show   = sh;
    sh->kind  = KW_DESCRIBE;
    sh->table = parser_path(p);
    if (p->t.kind == TOK_STRING)
        sh->like = parser_literal(p);
    else if (parser_at_name(p))
        sh->name = parser_name(p);
}

static void
explain_words(struct parser *p, struct explain *e)
{
    e->shardd = parser_accept(p, KW_SHARDD);
    if (parser_accept(p, KW_EXTENDED))
        e->extended = true;
    else if (parser_accept(p, KW_PARTITIONS))
        e->partitions = true;
    if (parser_at(p, KW_FORMAT) && token_is_op(parser_peek(p), '=')) {
        parser_take(p);
        parser_take(p);
        e->format = parser_text_name(p);
    }
}

/* At EXPLAIN, DESCRIBE, DESC, or at ANALYZE that no table follows. */
void
parser_explain(struct parser *p, struct stmt *s)
{
    struct explain *e = parser_new(p, sizeof(*e));

    e->analyze = parser_at(p, KW_ANALYZE);
    parser_take(p);
    bool word_is_table = parser_at_name(p) && !token_is_op(parser_peek(p), '=') &&
                         !parser_at(p, KW_EXTENDED) && !parser_at(p, KW_PARTITIONS) &&
                         !(parser_at(p, KW_SHARDD) && parser_peek(p).kind == TOK_KEYWORD);
    if (word_is_table && !e->analyze) {
        describe(p, s);
        return;
    }
    s->kind    = STMT_EXPLAIN;
    s->explain = e;
    explain_words(p, e);
    if (parser_accept(p, KW_FOR)) {
        parser_expect(p, KW_CONNECTION);
        e->connection = parser_expr(p);
        return;
    }
    uint32_t start = p->t.start;
    e->statement   = parser_new(p, sizeof(*e->statement));
    parser_any(p, e->statement);
    e->text = parser_range(p, start);
}
