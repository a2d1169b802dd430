/* parse_admin.c - transactions, locks, and the statements of administrators. */
#include "core/sql/parser.h"

static void
end_words(struct parser *p, struct txn *t)
{
    if (parser_accept(p, KW_AND)) {
        t->no_chain = parser_accept(p, KW_NO);
        t->chain    = !t->no_chain;
        parser_expect(p, KW_CHAIN);
    }
    if (parser_accept(p, KW_NO)) {
        parser_expect(p, KW_RELEASE);
        t->no_release = true;
    } else {
        t->release = parser_accept(p, KW_RELEASE);
    }
}

static void
start_transaction(struct parser *p, struct txn *t)
{
    parser_take(p);
    parser_take(p);
    if (parser_at_end(p))
        return;
    do {
        bool access = t->read_only || t->read_write; /* there is one at the most */
        if (parser_accept(p, KW_WITH) || access) {
            parser_expect(p, KW_CONSISTENT);
            parser_expect(p, KW_SNAPSHOT);
            t->consistent_snapshot = true;
        } else {
            parser_expect(p, KW_READ);
            t->read_only  = parser_accept(p, KW_ONLY);
            t->read_write = !t->read_only;
            if (t->read_write)
                parser_expect(p, KW_WRITE);
        }
    } while (parser_accept_op(p, ','));
}

static void
rollback(struct parser *p, struct stmt *s)
{
    s->kind = STMT_ROLLBACK;
    parser_take(p);
    parser_accept(p, KW_WORK);
    if (parser_accept(p, KW_TO)) {
        if (parser_at(p, KW_SAVEPOINT) && !parser_at_end(p))
            parser_take(p);
        s->name = parser_name(p);
        return;
    }
    end_words(p, &s->txn);
}

static void
lock_tables(struct parser *p, struct stmt *s)
{
    struct table_item **tail = &s->tables;

    s->kind = STMT_LOCK_TABLES;
    parser_take(p);
    parser_take(p);
    do {
        struct table_item *item = parser_new(p, sizeof(*item));

        item->table = parser_path(p);
        item->alias = parser_alias(p, false);
        parser_accept(p, KW_LOW_PRIORITY);
        item->lock = parser_at(p, KW_READ) ? KW_READ : KW_WRITE;
        if (parser_accept(p, KW_READ))
            parser_accept(p, KW_LOCAL);
        else if (parser_accept(p, KW_WRITE))
            parser_accept(p, KW_CONCURRENT);
        else
            parser_fail(p);
        *tail = item;
        tail  = &item->next;
    } while (parser_accept_op(p, ','));
    if (parser_accept(p, KW_WAIT))
        parser_literal(p);
    else
        parser_accept(p, KW_NOWAIT);
}

static bool
at_tables(const struct parser *p)
{
    enum keyword next = parser_peek_keyword(p);

    return next == KW_TABLES || next == KW_TABLE;
}

static void
savepoint(struct parser *p, struct stmt *s, enum stmt_kind kind)
{
    s->kind = kind;
    if (kind == STMT_RELEASE)
        parser_take(p);
    parser_expect(p, KW_SAVEPOINT);
    s->name = parser_name(p);
}

bool
parser_txn(struct parser *p, struct stmt *s)
{
    switch ((unsigned)p->t.keyword) {
    case KW_BEGIN:
        if (p->compound)
            return false;
        s->kind = STMT_BEGIN;
        parser_take(p);
        parser_accept(p, KW_WORK);
        return true;
    case KW_START:
        if (parser_peek_keyword(p) != KW_TRANSACTION)
            return false;
        s->kind = STMT_BEGIN;
        start_transaction(p, &s->txn);
        return true;
    case KW_COMMIT:
        s->kind = STMT_COMMIT;
        parser_take(p);
        parser_accept(p, KW_WORK);
        end_words(p, &s->txn);
        return true;
    case KW_ROLLBACK: rollback(p, s); return true;
    case KW_SAVEPOINT: savepoint(p, s, STMT_SAVEPOINT); return true;
    case KW_RELEASE: savepoint(p, s, STMT_RELEASE); return true;
    case KW_LOCK:
        if (!at_tables(p))
            return false;
        lock_tables(p, s);
        return true;
    case KW_UNLOCK:
        if (!at_tables(p))
            return false;
        s->kind = STMT_UNLOCK_TABLES;
        parser_take(p);
        parser_take(p);
        return true;
    case KW_XA:
        s->kind = STMT_XA;
        parser_take(p);
        s->word = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
        parser_skip_rest(p);
        return true;
    default: return false;
    }
}

/* KILL [HARD|SOFT] [CONNECTION|QUERY [ID]] {number | USER name} */
static void
kill(struct parser *p, struct stmt *s)
{
    struct kill *k = parser_new(p, sizeof(*k));

    s->kind = STMT_KILL;
    s->kill = k;
    parser_take(p);
    k->hard = parser_accept(p, KW_HARD);
    k->soft = !k->hard && parser_accept(p, KW_SOFT);
    if (!parser_accept(p, KW_CONNECTION))
        k->query = parser_accept(p, KW_QUERY);
    k->query_id = k->query && parser_accept(p, KW_ID);
    k->user     = parser_at(p, KW_USER) && parser_peek(p).kind != TOK_OP;
    if (k->user)
        parser_skip_rest(p);
    else
        k->id = parser_expr(p);
}

/* HANDLER t OPEN [AS a] | CLOSE | READ ... */
static void
handler(struct parser *p, struct stmt *s)
{
    struct table_item *item = parser_new(p, sizeof(*item));

    s->kind = STMT_HANDLER;
    parser_take(p);
    item->table = parser_path(p);
    s->tables   = item;
    s->word     = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    if (parser_accept(p, KW_OPEN)) {
        s->name = parser_alias(p, false);
        return;
    }
    if (!parser_at(p, KW_CLOSE) && !parser_at(p, KW_READ))
        parser_fail(p);
    parser_skip_rest(p);
}

/* ANALYZE|CHECK|OPTIMIZE|REPAIR|CHECKSUM [words] TABLE a, b [options] */
static void
admin_table(struct parser *p, struct stmt *s)
{
    s->kind = STMT_ADMIN_TABLE;
    s->word = p->t.keyword;
    parser_take(p);
    if (!parser_accept(p, KW_LOCAL))
        parser_accept(p, KW_NO_WRITE_TO_BINLOG);
    if (parser_accept(p, KW_VIEW))
        s->object = KW_VIEW;
    else if (!parser_accept(p, KW_TABLE))
        parser_expect(p, KW_TABLES);
    s->tables = parser_tables(p);
    parser_skip_rest(p);
}

/* FLUSH [LOCAL] what ...; FLUSH TABLES a, b ... */
static void
flush(struct parser *p, struct stmt *s)
{
    s->kind = STMT_FLUSH;
    parser_take(p);
    if (!parser_accept(p, KW_LOCAL))
        parser_accept(p, KW_NO_WRITE_TO_BINLOG);
    s->word = p->t.kind == TOK_KEYWORD ? p->t.keyword : NO_KEYWORD;
    parser_take(p);
    if ((s->word == KW_TABLE || s->word == KW_TABLES) && parser_at_name(p))
        s->tables = parser_tables(p);
    if (p->t.kind == TOK_KEYWORD && (p->t.keyword == KW_WITH || p->t.keyword == KW_FOR))
        s->object = KW_LOCK; /* WITH READ LOCK, FOR EXPORT */
    parser_skip_rest(p);
}

static void
rest(struct parser *p, struct stmt *s, enum stmt_kind kind)
{
    s->kind = kind;
    s->word = p->t.keyword;
    parser_skip_rest(p);
}

bool
parser_admin(struct parser *p, struct stmt *s)
{
    switch ((unsigned)p->t.keyword) {
    case KW_KILL: kill(p, s); return true;
    case KW_HANDLER: handler(p, s); return true;
    case KW_ANALYZE: {
        enum keyword next = parser_peek_keyword(p);
        if (next == KW_TABLE || next == KW_TABLES || next == KW_LOCAL ||
            next == KW_NO_WRITE_TO_BINLOG)
            admin_table(p, s);
        else
            parser_explain(p, s);
        return true;
    }
    case KW_CHECK: case KW_OPTIMIZE: case KW_REPAIR: case KW_CHECKSUM:
        admin_table(p, s);
        return true;
    case KW_FLUSH: flush(p, s); return true;
    case KW_GRANT: case KW_REVOKE: rest(p, s, STMT_OBJECT); return true;
    case KW_HELP: rest(p, s, STMT_HELP); return true;
    case KW_SIGNAL: case KW_RESIGNAL: case KW_GET: rest(p, s, STMT_SIGNAL); return true;
    case KW_PURGE: case KW_RESET: case KW_CHANGE: case KW_START: case KW_STOP: case KW_INSTALL:
    case KW_UNINSTALL: case KW_SHUTDOWN: case KW_BINLOG: case KW_CACHE: case KW_BACKUP:
        rest(p, s, STMT_ADMIN);
        return true;
    default: return false;
    }
}
