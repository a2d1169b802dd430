/* parse_create.c - CREATE: tables, indexes, databases, views, and the rest. */
#include "core/sql/parser.h"

/* PERIOD FOR name (a, b) */
static bool
period(struct parser *p)
{
    if (!parser_at(p, KW_PERIOD) || parser_peek_keyword(p) != KW_FOR)
        return false;
    parser_take(p);
    parser_take(p);
    parser_name(p);
    parser_skip_parens(p);
    p->flags |= STMT_HAS_PERIOD;
    return true;
}

static void
body(struct parser *p, struct create_table *c)
{
    struct column_def **column = &c->columns;
    struct key_def    **key    = &c->keys;
    uint32_t            start  = p->t.start;

    parser_expect_op(p, '(');
    do {
        if (period(p))
            continue;
        if (parser_at_key_def(p)) {
            *key = parser_key_def(p);
            key  = &(*key)->next;
        } else {
            *column = parser_column_def(p);
            column  = &(*column)->next;
        }
    } while (parser_accept_op(p, ','));
    parser_expect_op(p, ')');
    c->body = parser_range(p, start);
}

static void
options(struct parser *p, struct create_table *c)
{
    struct table_option **tail  = &c->options;
    uint32_t              start = p->t.start;

    for (;;) {
        parser_accept_op(p, ',');
        if (parser_at(p, KW_WITH) && parser_peek_keyword(p) == KW_SYSTEM) {
            parser_take(p);
            parser_take(p);
            parser_expect(p, KW_VERSIONING);
            c->system_versioning = true;
        } else {
            *tail = parser_table_option(p);
            if (*tail == NULL)
                break;
            tail = &(*tail)->next;
        }
        c->options_range = parser_range(p, start);
    }
}

/* PARTITION BY ...: up to the query or the end. */
static void
partition(struct parser *p, struct create_table *c)
{
    uint32_t start = p->t.start;

    if (!parser_accept(p, KW_PARTITION))
        return;
    while (!parser_at_end(p) && p->t.kind != TOK_BAD && !parser_at(p, KW_SELECT) &&
           !parser_at(p, KW_AS) && !parser_at(p, KW_IGNORE) && !parser_at(p, KW_REPLACE)) {
        if (parser_at_op(p, '('))
            parser_skip_parens(p);
        else
            parser_take(p);
    }
    c->partition = parser_range(p, start);
}

static void
as_query(struct parser *p, struct create_table *c)
{
    c->ignore  = parser_accept(p, KW_IGNORE);
    c->replace = !c->ignore && parser_accept(p, KW_REPLACE);
    parser_accept(p, KW_AS);
    if (!parser_at_query(p) && !parser_at_op(p, '(') && !parser_at(p, KW_VALUES))
        return;
    uint32_t start = p->t.start;
    c->query       = parser_query(p);
    c->query_range = parser_range(p, start);
}

void
parser_create_table(struct parser *p, struct stmt *s, uint32_t start)
{
    struct create_table *c = parser_new(p, sizeof(*c));

    (void)start;
    s->kind         = STMT_CREATE_TABLE;
    s->create_table = c;
    c->temporary    = s->temporary;
    c->or_replace   = s->or_replace;
    parser_expect(p, KW_TABLE);
    c->if_not_exists = s->if_exists = parser_if_not_exists(p);
    c->table                        = parser_path(p);
    if (parser_accept(p, KW_LIKE)) {
        c->like = parser_path(p);
        return;
    }
    struct token next = parser_peek(p);
    if (parser_at_op(p, '(') && token_is_keyword(next, KW_LIKE)) {
        parser_take(p);
        parser_take(p);
        c->like = parser_path(p);
        parser_expect_op(p, ')');
        return;
    }
    if (parser_at_op(p, '(') && !token_is_keyword(next, KW_SELECT) &&
        !token_is_keyword(next, KW_WITH) && !token_is_op(next, '('))
        body(p, c);
    options(p, c);
    partition(p, c);
    as_query(p, c);
}

/* CREATE [UNIQUE|FULLTEXT|SPATIAL] INDEX [IF NOT EXISTS] name [USING x] ON t (parts) */
void
parser_create_index(struct parser *p, struct stmt *s)
{
    struct alter_table  *a      = parser_new(p, sizeof(*a));
    struct alter_action *action = parser_new(p, sizeof(*action));
    struct key_def      *k      = parser_new(p, sizeof(*k));
    uint32_t             start  = p->t.start;

    s->kind        = STMT_CREATE_INDEX;
    s->alter_table = a;
    a->or_replace  = s->or_replace;
    a->actions     = action;
    action->kind   = ALTER_ADD_KEY;
    action->key    = k;
    k->kind        = parser_accept(p, KW_UNIQUE)     ? KEY_UNIQUE
                     : parser_accept(p, KW_FULLTEXT) ? KEY_FULLTEXT
                     : parser_accept(p, KW_SPATIAL)  ? KEY_SPATIAL
                                                     : KEY_PLAIN;
    parser_expect(p, KW_INDEX);
    k->if_not_exists = action->if_exists = parser_if_not_exists(p);
    k->name                              = parser_name(p);
    parser_key_options(p);
    parser_expect(p, KW_ON);
    a->table = parser_path(p);
    k->parts = parser_key_parts(p);
    parser_expect_op(p, ')');
    parser_key_options(p);
    k->range = action->range = a->actions_range = parser_range(p, start);
    parser_skip_rest(p); /* WAIT, ALGORITHM, LOCK */
}

static void
database(struct parser *p, struct stmt *s, enum keyword word)
{
    struct database      *d    = parser_new(p, sizeof(*d));
    struct table_option **tail = &d->options;
    uint32_t              start;

    s->kind       = STMT_DATABASE;
    s->word       = word;
    s->database   = d;
    d->word       = word;
    d->or_replace = s->or_replace;
    parser_take(p);
    d->if_exists = word == KW_CREATE ? parser_if_not_exists(p) : parser_if_exists(p);
    start        = p->t.start;
    if (word != KW_ALTER || parser_at_name(p))
        d->name = parser_name(p);
    d->name_range = parser_range(p, start);
    if (word == KW_DROP)
        return;
    while ((*tail = parser_table_option(p)) != NULL)
        tail = &(*tail)->next;
}

/* ... VIEW v [(columns)] AS query [WITH CHECK OPTION] */
static void
view(struct parser *p, struct stmt *s, bool alter)
{
    struct create_view *v = parser_new(p, sizeof(*v));
    uint32_t            start;

    s->kind        = STMT_CREATE_VIEW;
    s->create_view = v;
    parser_expect(p, KW_VIEW);
    v->or_replace    = s->or_replace;
    v->alter         = alter;
    v->if_not_exists = parser_if_not_exists(p) || parser_if_exists(p);
    v->view          = parser_path(p);
    if (parser_at_op(p, '('))
        v->columns = parser_paren_names(p);
    parser_expect(p, KW_AS);
    start          = p->t.start;
    v->query       = parser_query(p);
    v->query_range = parser_range(p, start);
    parser_skip_rest(p);
}

/* ALGORITHM = x, DEFINER = user@host, SQL SECURITY x, AGGREGATE */
static void
definer_words(struct parser *p)
{
    for (;;) {
        if (parser_at(p, KW_ALGORITHM) || parser_at(p, KW_DEFINER)) {
            parser_take(p);
            parser_expect_op(p, '=');
            parser_take(p);
            if (parser_at_op(p, '(')) /* CURRENT_USER() */
                parser_skip_parens(p);
            if (p->t.kind == TOK_USER_VAR)
                parser_take(p);
        } else if (parser_accept(p, KW_SQL)) {
            parser_expect(p, KW_SECURITY);
            parser_take(p);
        } else if (!parser_accept(p, KW_AGGREGATE)) {
            return;
        }
    }
}

/* Everything that is only recognised: its kind and its name. */
static void
object(struct parser *p, struct stmt *s, enum keyword word)
{
    s->kind   = STMT_OBJECT;
    s->word   = word;
    s->object = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    switch ((unsigned)s->object) {
    case KW_PROCEDURE: case KW_FUNCTION: case KW_TRIGGER: case KW_EVENT: case KW_USER: case KW_ROLE:
    case KW_SEQUENCE: case KW_SERVER: case KW_PACKAGE: case KW_TABLESPACE: case KW_LOGFILE:
        break;
    default:
        parser_fail(p);
        return;
    }
    parser_take(p);
    parser_accept(p, KW_BODY);
    if (!parser_if_not_exists(p))
        s->if_exists = parser_if_exists(p);
    if (s->object != KW_USER && s->object != KW_ROLE && parser_at_name(p))
        s->path = parser_path(p);
    parser_skip_rest(p);
}

void
parser_create(struct parser *p, struct stmt *s)
{
    uint32_t start = p->t.start;

    parser_take(p);
    if (parser_accept(p, KW_OR)) {
        parser_expect(p, KW_REPLACE);
        s->or_replace = true;
    }
    definer_words(p);
    s->temporary = parser_accept(p, KW_TEMPORARY);
    if (parser_at(p, KW_TABLE))
        parser_create_table(p, s, start);
    else if (parser_at(p, KW_INDEX) || parser_at(p, KW_UNIQUE) || parser_at(p, KW_FULLTEXT) ||
             parser_at(p, KW_SPATIAL))
        parser_create_index(p, s);
    else if (parser_at(p, KW_DATABASE) || parser_at(p, KW_SCHEMA))
        database(p, s, KW_CREATE);
    else if (parser_at(p, KW_VIEW))
        view(p, s, false);
    else
        object(p, s, KW_CREATE);
}

void
parser_alter(struct parser *p, struct stmt *s)
{
    enum keyword next = parser_peek_keyword(p);

    if (next == KW_TABLE || next == KW_ONLINE || next == KW_IGNORE) {
        parser_alter_table(p, s);
        return;
    }
    parser_take(p);
    definer_words(p);
    if (parser_at(p, KW_DATABASE) || parser_at(p, KW_SCHEMA))
        database(p, s, KW_ALTER);
    else if (parser_at(p, KW_VIEW))
        view(p, s, true);
    else
        object(p, s, KW_ALTER);
}

/* DROP INDEX [IF EXISTS] name ON t */
static void
drop_index(struct parser *p, struct stmt *s)
{
    struct alter_table  *a      = parser_new(p, sizeof(*a));
    struct alter_action *action = parser_new(p, sizeof(*action));
    uint32_t             start  = p->t.start;

    s->kind        = STMT_DROP_INDEX;
    s->alter_table = a;
    a->actions     = action;
    action->kind   = ALTER_DROP_KEY;
    parser_take(p);
    action->if_exists = parser_if_exists(p);
    if (parser_accept(p, KW_PRIMARY))
        action->kind = ALTER_DROP_PRIMARY;
    else
        action->name = parser_name(p);
    parser_expect(p, KW_ON);
    a->table      = parser_path(p);
    action->range = a->actions_range = parser_range(p, start);
    parser_skip_rest(p);
}

void
parser_drop(struct parser *p, struct stmt *s)
{
    parser_take(p);
    s->temporary = parser_accept(p, KW_TEMPORARY);
    if (parser_at(p, KW_INDEX)) {
        drop_index(p, s);
    } else if (parser_at(p, KW_DATABASE) || parser_at(p, KW_SCHEMA)) {
        database(p, s, KW_DROP);
    } else if (parser_at(p, KW_TABLE) || parser_at(p, KW_TABLES) || parser_at(p, KW_VIEW) ||
               parser_at(p, KW_SEQUENCE)) {
        s->kind   = STMT_DROP_TABLE;
        s->object = parser_at(p, KW_TABLES) ? KW_TABLE : p->t.keyword;
        parser_take(p);
        s->if_exists = parser_if_exists(p);
        s->tables    = parser_tables(p);
        parser_skip_rest(p); /* RESTRICT, CASCADE, WAIT n */
    } else {
        object(p, s, KW_DROP);
    }
}

/* RENAME TABLE a TO b, ...; RENAME USER */
void
parser_rename(struct parser *p, struct stmt *s)
{
    struct table_item **tail = &s->tables;

    parser_take(p);
    if (!parser_at(p, KW_TABLE) && !parser_at(p, KW_TABLES)) {
        object(p, s, KW_RENAME);
        return;
    }
    s->kind = STMT_RENAME_TABLE;
    parser_take(p);
    s->if_exists = parser_if_exists(p);
    do {
        struct table_item *item = parser_new(p, sizeof(*item));

        item->table = parser_path(p);
        if (parser_accept(p, KW_WAIT))
            parser_literal(p);
        else
            parser_accept(p, KW_NOWAIT);
        parser_expect(p, KW_TO);
        item->renamed = parser_path(p);
        *tail         = item;
        tail          = &item->next;
    } while (parser_accept_op(p, ','));
}
