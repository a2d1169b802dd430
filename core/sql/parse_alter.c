/* parse_alter.c - ALTER TABLE: a list of actions. */
#include "core/sql/parser.h"

/* FIRST, AFTER column */
static void
place(struct parser *p, struct column_def *c)
{
    if (parser_accept(p, KW_FIRST))
        c->first = true;
    else if (parser_accept(p, KW_AFTER))
        c->after = parser_name(p);
}

static void
column(struct parser *p, struct alter_action *a)
{
    a->column = parser_column_def(p);
    place(p, a->column);
}

/* ADD (a int, b int, KEY ...) */
static void
add_list(struct parser *p, struct alter_action *a)
{
    struct column_def **column_tail = &a->column;
    struct key_def    **key_tail    = &a->key;

    parser_take(p);
    do {
        if (parser_at_key_def(p)) {
            *key_tail = parser_key_def(p);
            key_tail  = &(*key_tail)->next;
        } else {
            *column_tail = parser_column_def(p);
            column_tail  = &(*column_tail)->next;
        }
    } while (parser_accept_op(p, ','));
    parser_expect_op(p, ')');
}

static void
skip_action(struct parser *p)
{
    while (!parser_at_end(p) && p->t.kind != TOK_BAD && !parser_at_op(p, ',')) {
        if (parser_at_op(p, '('))
            parser_skip_parens(p);
        else
            parser_take(p);
    }
}

static void
add(struct parser *p, struct alter_action *a)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_at(p, KW_PARTITION)) {
        a->kind = ALTER_PARTITION;
        parser_skip_rest(p);
    } else if (parser_at(p, KW_SYSTEM) && next == KW_VERSIONING) {
        a->kind = ALTER_SYSTEM_VERSIONING;
        skip_action(p);
    } else if (parser_at(p, KW_PERIOD) && (next == KW_FOR || next == KW_IF)) {
        a->kind = ALTER_PERIOD;
        skip_action(p);
    } else if (parser_at_key_def(p)) {
        a->kind      = ALTER_ADD_KEY;
        a->key       = parser_key_def(p);
        a->if_exists = a->key->if_not_exists;
    } else {
        a->kind = ALTER_ADD_COLUMN;
        parser_accept(p, KW_COLUMN);
        a->if_exists = parser_if_not_exists(p);
        if (parser_at_op(p, '('))
            add_list(p, a);
        else
            column(p, a);
    }
}

static void
drop(struct parser *p, struct alter_action *a)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_accept(p, KW_PRIMARY)) {
        a->kind = ALTER_DROP_PRIMARY;
        parser_expect(p, KW_KEY);
        return;
    }
    if (parser_accept(p, KW_FOREIGN)) {
        a->kind = ALTER_DROP_FOREIGN;
        parser_expect(p, KW_KEY);
    } else if (parser_accept(p, KW_CONSTRAINT)) {
        a->kind = ALTER_DROP_CONSTRAINT;
    } else if (parser_accept(p, KW_KEY) || parser_accept(p, KW_INDEX)) {
        a->kind = ALTER_DROP_KEY;
    } else if (parser_accept(p, KW_PARTITION)) {
        a->kind = ALTER_PARTITION;
        parser_skip_rest(p);
        return;
    } else if ((parser_at(p, KW_SYSTEM) && next == KW_VERSIONING) ||
               (parser_at(p, KW_PERIOD) && (next == KW_FOR || next == KW_IF))) {
        a->kind = next == KW_VERSIONING ? ALTER_SYSTEM_VERSIONING : ALTER_PERIOD;
        skip_action(p);
        return;
    } else {
        a->kind = ALTER_DROP_COLUMN;
        parser_accept(p, KW_COLUMN);
    }
    a->if_exists = parser_if_exists(p);
    a->name      = parser_name(p);
    if (!parser_accept(p, KW_RESTRICT))
        parser_accept(p, KW_CASCADE);
}

/* ALTER [COLUMN] c SET DEFAULT x | DROP DEFAULT; ALTER INDEX k [NOT] IGNORED */
static void
alter(struct parser *p, struct alter_action *a)
{
    if (parser_accept(p, KW_INDEX) || parser_accept(p, KW_KEY)) {
        a->kind      = ALTER_KEY_VISIBILITY;
        a->if_exists = parser_if_exists(p);
        a->name      = parser_name(p);
        parser_accept(p, KW_NOT);
        parser_expect(p, KW_IGNORED);
        return;
    }
    a->kind = ALTER_COLUMN_DEFAULT;
    parser_accept(p, KW_COLUMN);
    a->if_exists = parser_if_exists(p);
    a->name      = parser_name(p);
    if (parser_accept(p, KW_DROP)) {
        parser_expect(p, KW_DEFAULT);
        return;
    }
    parser_expect(p, KW_SET);
    parser_expect(p, KW_DEFAULT);
    a->default_value = parser_simple_expr(p);
}

/* RENAME [TO|AS|=] t; RENAME COLUMN|INDEX|KEY a TO b */
static void
rename(struct parser *p, struct alter_action *a)
{
    bool of_column = parser_at(p, KW_COLUMN);

    if (of_column || parser_at(p, KW_INDEX) || parser_at(p, KW_KEY)) {
        a->kind = of_column ? ALTER_RENAME_COLUMN : ALTER_RENAME_KEY;
        parser_take(p);
        a->if_exists = parser_if_exists(p);
        a->name      = parser_name(p);
        parser_expect(p, KW_TO);
        a->new_name = parser_name(p);
        return;
    }
    a->kind = ALTER_RENAME;
    if (!parser_accept(p, KW_TO) && !parser_accept(p, KW_AS))
        parser_accept_op(p, '=');
    a->table = parser_path(p);
}

/* CONVERT TO CHARACTER SET x [COLLATE y] */
static void
convert(struct parser *p, struct alter_action *a)
{
    a->kind = ALTER_CONVERT_CHARSET;
    parser_expect(p, KW_TO);
    if (!parser_accept(p, KW_CHARSET)) {
        if (!parser_accept(p, KW_CHARACTER))
            parser_expect(p, KW_CHAR);
        parser_expect(p, KW_SET);
    }
    if (parser_at(p, KW_DEFAULT) || parser_at(p, KW_BINARY))
        p->t.kind = TOK_IDENT;
    a->name = parser_text_name(p);
    if (parser_accept(p, KW_COLLATE))
        a->collation = parser_text_name(p);
}

static void
word_value(struct parser *p, struct alter_action *a, enum alter_kind kind)
{
    a->kind = kind;
    parser_take(p);
    parser_accept_op(p, '=');
    if (p->t.kind == TOK_KEYWORD)
        p->t.kind = TOK_IDENT;
    a->name = parser_name(p);
}

/* EXCHANGE PARTITION p WITH TABLE t, and all that is about partitions. */
static void
partitions(struct parser *p, struct alter_action *a)
{
    bool exchange = parser_accept(p, KW_EXCHANGE);

    a->kind = ALTER_PARTITION;
    if (exchange) {
        parser_expect(p, KW_PARTITION);
        a->name = parser_name(p);
        parser_expect(p, KW_WITH);
        parser_expect(p, KW_TABLE);
        a->table = parser_path(p);
    }
    parser_skip_rest(p);
}

static bool
at_partitions(const struct parser *p)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_at(p, KW_PARTITION) || parser_at(p, KW_REMOVE) || parser_at(p, KW_REORGANIZE) ||
        parser_at(p, KW_COALESCE) || parser_at(p, KW_EXCHANGE))
        return true;
    return next == KW_PARTITION &&
           (parser_at(p, KW_TRUNCATE) || parser_at(p, KW_ANALYZE) || parser_at(p, KW_CHECK) ||
            parser_at(p, KW_OPTIMIZE) || parser_at(p, KW_REBUILD) || parser_at(p, KW_REPAIR));
}

/* The rarer ones; false: none of them. */
static bool
other(struct parser *p, struct alter_action *a)
{
    enum keyword next = parser_peek_keyword(p);

    if (parser_accept(p, KW_FORCE)) {
        a->kind = ALTER_FORCE;
    } else if (parser_at(p, KW_ALGORITHM)) {
        word_value(p, a, ALTER_ALGORITHM);
    } else if (parser_at(p, KW_LOCK)) {
        word_value(p, a, ALTER_LOCK);
    } else if (parser_accept(p, KW_ORDER)) {
        a->kind = ALTER_ORDER_BY;
        parser_expect(p, KW_BY);
        parser_order_list(p);
    } else if ((parser_at(p, KW_ENABLE) || parser_at(p, KW_DISABLE)) && next == KW_KEYS) {
        a->kind = ALTER_KEYS_ENABLED;
        parser_take(p);
        parser_take(p);
    } else if ((parser_at(p, KW_DISCARD) || parser_at(p, KW_IMPORT)) && next == KW_TABLESPACE) {
        a->kind = ALTER_TABLESPACE;
        parser_take(p);
        parser_take(p);
    } else if (parser_at(p, KW_WITH) && next == KW_SYSTEM) {
        a->kind = ALTER_SYSTEM_VERSIONING;
        skip_action(p);
    } else if (at_partitions(p)) {
        partitions(p, a);
    } else {
        a->kind   = ALTER_OPTION;
        a->option = parser_table_option(p);
        return a->option != NULL;
    }
    return true;
}

static struct alter_action *
action(struct parser *p)
{
    struct alter_action *a     = parser_new(p, sizeof(*a));
    uint32_t             start = p->t.start;

    if (parser_accept(p, KW_ADD)) {
        add(p, a);
    } else if (parser_accept(p, KW_DROP)) {
        drop(p, a);
    } else if (parser_accept(p, KW_MODIFY)) {
        a->kind = ALTER_MODIFY_COLUMN;
        parser_accept(p, KW_COLUMN);
        a->if_exists = parser_if_exists(p);
        column(p, a);
    } else if (parser_accept(p, KW_CHANGE)) {
        a->kind = ALTER_CHANGE_COLUMN;
        parser_accept(p, KW_COLUMN);
        a->if_exists = parser_if_exists(p);
        a->name      = parser_name(p);
        column(p, a);
    } else if (parser_accept(p, KW_ALTER)) {
        alter(p, a);
    } else if (parser_accept(p, KW_RENAME)) {
        rename(p, a);
    } else if (parser_accept(p, KW_CONVERT)) {
        convert(p, a);
    } else if (!other(p, a)) {
        parser_fail(p);
    }
    a->range = parser_range(p, start);
    return a;
}

/* ALTER [ONLINE] [IGNORE] TABLE [IF EXISTS] t [WAIT n|NOWAIT] action, ... */
void
parser_alter_table(struct parser *p, struct stmt *s)
{
    struct alter_table   *a    = parser_new(p, sizeof(*a));
    struct alter_action **tail = &a->actions;

    s->kind        = STMT_ALTER_TABLE;
    s->alter_table = a;
    parser_take(p);
    a->online = parser_accept(p, KW_ONLINE);
    a->ignore = parser_accept(p, KW_IGNORE);
    parser_expect(p, KW_TABLE);
    a->if_exists = parser_if_exists(p);
    a->table     = parser_path(p);
    if (parser_accept(p, KW_WAIT))
        parser_literal(p);
    else
        parser_accept(p, KW_NOWAIT);
    uint32_t start = p->t.start;
    if (parser_at_end(p))
        return;
    do {
        *tail = action(p);
        tail  = &(*tail)->next;
        /* Options, and PARTITION BY behind the last action, need no comma. */
        while (!parser_at_end(p) && !parser_at_op(p, ',') && p->t.kind != TOK_BAD) {
            *tail = action(p);
            tail  = &(*tail)->next;
        }
    } while (parser_accept_op(p, ','));
    a->actions_range = parser_range(p, start);
}
