/* plan_session.c - see plan_internal.h: transactions, SET, USE, DDL, the rest. */
#include <ctype.h>

#include "core/route/plan_internal.h"

static struct span
small_letters(struct planner *p, struct span s)
{
    struct span copy = arena_copy(p->arena, s);
    for (size_t i = 0; i < copy.len; i++)
        ((uint8_t *)(uintptr_t)copy.ptr)[i] = (uint8_t)tolower(copy.ptr[i]);
    return copy;
}

static void
plan_txn(struct planner *p, enum txn_verb verb)
{
    struct txn_spec *t = make(p, sizeof(*t));
    t->verb            = verb;
    t->name            = arena_copy(p->arena, p->stmt->name);
    if (p->stmt->kind == STMT_BEGIN || p->stmt->kind == STMT_COMMIT ||
        (p->stmt->kind == STMT_ROLLBACK && p->stmt->name.len == 0)) {
        const struct txn *parsed = &p->stmt->txn;
        t->consistent_snapshot   = parsed->consistent_snapshot;
        t->read_only             = parsed->read_only;
        t->read_write            = parsed->read_write;
        t->chain                 = parsed->chain;
        t->release               = parsed->release;
        t->no_chain              = parsed->no_chain;
        t->no_release            = parsed->no_release;
    }
    p->out->kind   = PLAN_TXN;
    p->out->txn    = t;
    p->out->reason = "the session's transaction";
}

/* ---- SET ---- */

/* A bare word (ON, OFF, BINARY, a character set): may be the name of anything. */
static enum set_value
value_kind(struct expr *e)
{
    e = bare(e);
    switch ((int)e->kind) {
    case EXPR_LITERAL: case EXPR_NULL: case EXPR_BOOL: return VALUE_LITERAL;
    case EXPR_UNARY: return bare(e->args)->kind == EXPR_LITERAL ? VALUE_LITERAL : VALUE_EXPR;
    case EXPR_DEFAULT: return VALUE_DEFAULT;
    case EXPR_COLUMN:  return e->path->table.ptr == NULL ? VALUE_WORD : VALUE_EXPR;
    default: return VALUE_EXPR;
    }
}

static bool
replayable_value(struct expr *e)
{
    e = bare(e);
    return value_kind(e) != VALUE_EXPR || (e->kind == EXPR_SYSTEM_VAR && e->word == KW_GLOBAL);
}

static const char *
isolation_words(const struct set_item *item)
{
    switch ((int)item->isolation) {
    case KW_REPEATABLE:   return "REPEATABLE READ";
    case KW_SERIALIZABLE: return "SERIALIZABLE";
    default: return item->uncommitted ? "READ UNCOMMITTED" : "READ COMMITTED";
    }
}

static void
set_words(struct planner *p, struct setting *out, const char *name, const char *words)
{
    struct text t;
    text_begin(&t, p);
    text_const(&t, words);
    out->name       = span_of(name);
    out->value_kind = VALUE_WORD;
    out->value      = text_end(&t);
}

/* One setting, two for SET TRANSACTION of both kinds. */
static uint32_t
setting_make(struct planner *p, const struct set_item *item, struct setting *out)
{
    uint32_t    n = 0;
    struct text t;
    *out       = (struct setting){ .name = small_letters(p, item->name) };
    out->scope = item->scope == KW_GLOBAL ? SCOPE_GLOBAL : SCOPE_SESSION;
    switch (item->kind) {
    case SET_SYSTEM:   out->kind = SETTING_SYSTEM; break;
    case SET_USER_VAR: out->kind = SETTING_USER; break;
    case SET_NAMES:
        out->kind = SETTING_NAMES;
        text_begin(&t, p);
        text_span(&t, item->collation);
        out->value_kind = VALUE_WORD;
        out->value      = text_end(&t);
        return 1;
    case SET_CHARSET:
        out->kind = SETTING_CHARSET;
        text_begin(&t, p);
        text_span(&t, item->name);
        out->value_kind = VALUE_WORD;
        out->value      = text_end(&t);
        return 1;
    case SET_TRANSACTION:
        out->kind = SETTING_TRANSACTION;
        if (item->scope == NO_KEYWORD)
            out->scope = SCOPE_ONCE;
        out[1] = out[0];
        if (item->isolation != NO_KEYWORD)
            set_words(p, &out[n++], "isolation level", isolation_words(item));
        if (item->access != NO_KEYWORD)
            set_words(p, &out[n++], "access mode",
                      item->access == KW_ONLY ? "READ ONLY" : "READ WRITE");
        return n;
    case SET_PASSWORD: case SET_ROLE: return 0;
    }
    if (item->value == NULL)
        return 1;
    text_begin(&t, p);
    text_source(&t, item->value->start, item->value->end);
    out->value_kind = value_kind(item->value);
    out->value      = text_end(&t);
    return 1;
}

/* Users and rights are the catalog's, and the same on all shards. */
void
plan_account(struct planner *p)
{
    struct ddl_spec *spec   = make(p, sizeof(*spec));
    spec->kind              = DDL_ACCOUNT;
    spec->verb              = SPAN("");
    p->out->implicit_commit = true;
    p->out->is_write        = true;
    p->out->kind            = PLAN_DDL;
    p->out->ddl             = spec;
    p->out->reason          = "the controller runs it on every shard";
}

/* What is read is of several shards: is there a way? */
static bool
set_asks(struct planner *p, const struct set *set, uint32_t n_most)
{
    struct expr **values = make(p, (n_most + 1) * sizeof(struct expr *));
    uint32_t      n      = 0;
    for (const struct set_item *item = set->items; item != NULL; item = item->next)
        if (item->value != NULL)
            values[n++] = item->value;
    return plan_once_asked(p, values, n);
}

static void
plan_set(struct planner *p)
{
    const struct set *set = p->stmt->set;
    if (set->statement != NULL) {
        NOT_YET(p, "shardd: SET STATEMENT is possible as a client's own statement only, not inside "
                   "of PREPARE or another SET STATEMENT: SET the variables before");
        return;
    }
    if (plan_set_global(p))
        return;
    uint32_t n = 0;
    for (const struct set_item *item = set->items; item != NULL; item = item->next)
        n += 2;
    struct set_spec *spec  = make(p, sizeof(*spec));
    struct setting  *items = make(p, (n + 1) * sizeof(*items));
    struct scope    *s     = scope_new(p, NULL, NULL);
    spec->items            = items;
    spec->replayable       = true;
    for (const struct set_item *item = set->items; item != NULL; item = item->next) {
        if (item->kind == SET_PASSWORD) {
            plan_account(p);
            return;
        }
        if (item->kind == SET_ROLE) {
            NOT_YET(p, "shardd: roles are not supported: GRANT and REVOKE rights user by user");
            return;
        }
        spec->n += setting_make(p, item, &items[spec->n]);
        if (item->kind == SET_CHARSET) /* takes the collation of the schema there is now */
            spec->replayable = false;
        if (item->value == NULL)
            continue;
        /* What it does not name stays as it is in optimizer_switch. */
        spec->replayable &= replayable_value(item->value) && item->kind != SET_USER_VAR &&
                            !span_equal_nocase(item->name, SPAN("optimizer_switch")) &&
                            !span_equal_nocase(item->name, SPAN("last_insert_id")) &&
                            !span_equal_nocase(item->name, SPAN("identity"));
        if (!scope_expr(p, s, item->value))
            return;
    }
    bool placed = where_target(p, NULL, &p->out->target);
    if (set_asks(p, set, n) || !placed)
        return;
    if (p->out->target.kind == TARGET_ANY && p->digest != NULL &&
        (p->digest->flags & DIGEST_SEQUENCE) != 0)
        to_home(p, home_of(p, p->context->schema, &p->home_database), "");
    p->out->target.one_shard = true;
    p->out->kind             = PLAN_SET;
    p->out->set              = spec;
    p->out->reason           = "the session's state";
}

/* ---- tables named by administrative statements ---- */

static void
note_tables(struct planner *p, struct scope *s)
{
    for (const struct table_item *t = p->stmt->tables; t != NULL; t = t->next)
        scope_add_path(p, s, &t->table, t->alias);
}

void
one_home(struct planner *p, const char *what, bool reference_too, const char *reason)
{
    if (p->any_sharded || (p->any_reference && !reference_too)) {
        NOT_YET(p, "shardd: %s is possible for global tables only", what);
        return;
    }
    if (!where_target(p, NULL, &p->out->target))
        return;
    to_home(p, p->any_global ? p->home : home_of(p, p->context->schema, &p->home_database), reason);
}

static struct span
full_name(struct planner *p, const struct path *path)
{
    struct span schema = path->schema.ptr != NULL ? path->schema : p->context->schema;
    uint8_t    *name   = make(p, schema.len + 1 + path->name.len);
    if (schema.len != 0)
        memcpy(name, schema.ptr, schema.len);
    name[schema.len] = '.';
    memcpy(name + schema.len + 1, path->name.ptr, path->name.len);
    return (struct span){ name, schema.len + 1 + path->name.len };
}

/* Tables that may be a session's own. */
static void
note_names(struct planner *p, const struct table_item *list)
{
    uint32_t n = 0;
    for (const struct table_item *t = list; t != NULL; t = t->next)
        n++;
    struct span *names = make(p, (n + 1) * sizeof(*names));
    p->out->names      = names;
    for (const struct table_item *t = list; t != NULL; t = t->next)
        names[p->out->n_names++] = full_name(p, &t->table);
}

static bool
some_table_known(struct planner *p, const struct path *path)
{
    struct span schema   = path->schema.ptr != NULL ? path->schema : p->context->schema;
    uint32_t    database = routes_database(p->routes, schema);
    return database != ROUTES_NONE && routes_table(p->routes, database, path->name) != ROUTES_NONE;
}

static bool
ddl_names_known_table(struct planner *p)
{
    const struct stmt *s = p->stmt;
    if (s->kind == STMT_ALTER_TABLE || s->kind == STMT_CREATE_INDEX || s->kind == STMT_DROP_INDEX)
        return some_table_known(p, &s->alter_table->table);
    if (s->kind != STMT_DROP_TABLE && s->kind != STMT_TRUNCATE)
        return true;
    for (const struct table_item *t = s->tables; t != NULL; t = t->next)
        if (some_table_known(p, &t->table))
            return true;
    return false;
}

/* A global table of another home than the target's. */
static bool
is_away(struct planner *p, const struct path *path)
{
    struct span schema   = path->schema.ptr != NULL ? path->schema : p->context->schema;
    uint32_t    database = routes_database(p->routes, schema);
    if (path->name.ptr == NULL || database == ROUTES_NONE)
        return false;
    uint32_t table = routes_table(p->routes, database, path->name);
    return table != ROUTES_NONE && p->routes->tables[table].kind == TABLE_GLOBAL &&
           p->routes->databases[database].home != p->out->target.home;
}

/* That of the database which is named, where it will be looked for. */
static void
to_own_home(struct planner *p)
{
    const struct stmt       *s    = p->stmt;
    const struct table_item *item = s->kind == STMT_CREATE_TABLE ? NULL : s->tables;
    const struct path       *path = item != NULL ? &item->table
                                    : s->kind == STMT_CREATE_TABLE ? &s->create_table->table
                                                                   : NULL;
    if (path != NULL && path->schema.ptr != NULL)
        to_home(p, home_of(p, path->schema, &p->home_database),
                "a temporary table lives on one backend");
    if (s->kind == STMT_CREATE_TABLE && is_away(p, &s->create_table->like))
        NOT_YET(p, "shardd: a temporary table is on its database's home, and '%.*s' is on "
                   "another one: give the columns", SHOWN(s->create_table->like.name));
}

static void
plan_temporary(struct planner *p)
{
    const struct stmt *s   = p->stmt;
    struct query      *q   = s->kind == STMT_CREATE_TABLE ? s->create_table->query : NULL;
    bool               one = q == NULL || scope_query(p, q, NULL, NULL, NULL, NULL);
    if (one && !p->any_sharded)
        one_home(p, "CREATE TEMPORARY TABLE", true, "a temporary table lives on one backend");
    if (one && !p->any_sharded && !p->any_global && !p->refused)
        to_own_home(p);
    if (q != NULL && (p->any_sharded || p->refused))
        plan_fill(p);
    if (s->kind == STMT_DROP_TABLE) {
        p->out->unpin = PIN_TEMPORARY_TABLE;
        note_names(p, s->tables);
    }
    if (s->kind != STMT_CREATE_TABLE || p->refused)
        return;
    const struct path *path = &s->create_table->table;
    if (some_table_known(p, path)) {
        NOT_YET(p, "shardd: the temporary table '%.*s' would hide a table of the same name on one "
                   "shard only: give it another name", SHOWN(path->name));
        return;
    }
    struct span *name = make(p, sizeof(*name));
    *name             = full_name(p, path);
    p->out->pin       = PIN_TEMPORARY_TABLE;
    p->out->names     = name;
    p->out->n_names   = 1;
}

/* A view must be one that shards, or the engine, can answer. */
static bool
ddl_query_possible(struct planner *p)
{
    const struct stmt *s = p->stmt;
    if (s->kind != STMT_CREATE_VIEW)
        return true;
    struct scope *top = NULL;
    struct target target;
    if (scope_query(p, s->create_view->query, NULL, NULL, NULL, &top) &&
        where_target(p, top == NULL ? NULL : top->region, &target))
        return true;
    /* Then it is its SELECT wherever it is read, which may be gathered. */
    p->refused = false;
    p->gathers = true;
    bool found = scope_query(p, s->create_view->query, NULL, NULL, NULL, NULL);
    p->gathers = false;
    return found;
}

/* In the text of a view, a default or a routine it is the server's own connection: in a
 * statement's own text, such as the SELECT that tells a table's rows, we put the client's number
 * in its place. */
static bool
ddl_keeps_connection(struct planner *p)
{
    const struct stmt *s    = p->stmt;
    struct span        text = p->text;
    struct lex         l;
    struct token       t, before = { .kind = TOK_END };
    if (s->kind == STMT_CREATE_TABLE && s->create_table->query != NULL)
        text.len = s->create_table->query_range.start;
    lex_init(&l, text, p->context->lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        if (token_is_op(t, '(') && (token_is_keyword(before, KW_CONNECTION_ID) ||
                                    span_equal_nocase(token_text(&l, before),
                                                      SPAN("`CONNECTION_ID`"))))
            return !NOT_YET(p, "shardd: CONNECTION_ID() here would be the number of a connection "
                               "between shardd and the server, not the client's: give the number "
                               "as a value of the statements that need it");
        before = t;
    }
    return false;
}

static void
from_query(struct planner *p, struct ddl_spec *spec)
{
    struct text t;
    spec->from_query = true;
    spec->name       = arena_copy(p->arena, p->stmt->create_table->table.name);
    p->out->reason   = "the table is made on every shard, then its rows are written";
    if (p->n_params == 0)
        return;
    text_begin(&t, p);
    text_source(&t, p->stmt->range.start, p->stmt->range.end);
    p->out->text = text_keep(&t);
}

static void
plan_ddl(struct planner *p, enum ddl_kind kind)
{
    const struct stmt *s = p->stmt;
    if (s->temporary || (s->kind == STMT_CREATE_TABLE && s->create_table->temporary)) {
        plan_temporary(p);
        return;
    }
    p->out->implicit_commit = true;
    p->out->is_write        = true;
    if (s->kind == STMT_DROP_TABLE) {
        p->out->unpin = PIN_TEMPORARY_TABLE;
        note_names(p, s->tables);
    }
    if (!ddl_names_known_table(p)) {
        to_home(p, home_of(p, p->context->schema, &p->home_database),
                "none of its tables is known: the home answers");
        return;
    }
    if (!ddl_query_possible(p) || ddl_keeps_connection(p))
        return;
    struct ddl_spec *spec = make(p, sizeof(*spec));
    spec->kind            = kind;
    spec->verb = p->digest == NULL ? SPAN("") : span_of(keyword_text(p->digest->first));
    p->out->kind          = PLAN_DDL;
    p->out->ddl           = spec;
    p->out->reason        = "the controller runs it on every shard";
    if (kind == DDL_DATABASE && s->word == KW_DROP)
        spec->name = arena_copy(p->arena, s->database->name);
    if (s->kind == STMT_CREATE_TABLE && s->create_table->query != NULL)
        from_query(p, spec);
}

static enum ddl_kind
object_kind(const struct stmt *s)
{
    switch ((int)s->object) {
    case KW_PROCEDURE: case KW_FUNCTION: case KW_TRIGGER: case KW_EVENT: case KW_PACKAGE:
        return DDL_ROUTINE;
    case KW_USER: case KW_ROLE: case NO_KEYWORD: return DDL_ACCOUNT;
    default: return DDL_OTHER;
    }
}

/* ---- statements whose effect we cannot see ---- */

bool
all_global(const struct routes *r, uint32_t database)
{
    for (uint32_t i = 0; i < r->n_tables; i++) {
        if (database != ROUTES_NONE && r->tables[i].database != database)
            continue;
        enum table_kind kind = r->tables[i].kind;
        if (kind == TABLE_VIEW)
            kind = r->tables[i].view_kind;
        if (kind == TABLE_SHARDED || kind == TABLE_REFERENCE)
            return false;
    }
    return true;
}

static void
plan_do(struct planner *p)
{
    struct scope *s = scope_new(p, NULL, NULL);
    uint32_t      n = 0;
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next, n++)
        if (!scope_expr(p, s, e))
            return;
    struct expr **values = make(p, (n + 1) * sizeof(struct expr *));
    n                    = 0;
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        values[n++] = e;
    bool placed = where_target(p, NULL, &p->out->target);
    if (plan_once_asked(p, values, n) || !placed)
        return;
    p->out->kind             = PLAN_ONE;
    p->out->target.one_shard = true;
    p->out->reason           = "an expression";
}

static void
plan_locks(struct planner *p)
{
    struct scope *s = scope_new(p, NULL, NULL);
    note_tables(p, s);
    one_home(p, p->stmt->kind == STMT_HANDLER ? "HANDLER" : "LOCK TABLES", false, "one backend");
    p->out->pin = p->stmt->kind == STMT_HANDLER ? PIN_HANDLER : PIN_LOCK_TABLES;
    p->out->implicit_commit = p->stmt->kind == STMT_LOCK_TABLES;
}

static void
plan_kill(struct planner *p)
{
    const struct kill *k = p->stmt->kill;
    struct operand     id;
    bool               number = !k->user && !k->query_id && k->id != NULL;
    if (number && !operand_make(p, k->id, &id) && plan_once_kill(p, k->id))
        return;
    if (!number || !operand_make(p, k->id, &id)) {
        NOT_YET(p, "shardd: KILL takes the number of a connection");
        return;
    }
    p->out->kind       = PLAN_KILL;
    p->out->kill_id    = id;
    p->out->kill_query = k->query;
    p->out->reason     = "a connection of this proxy";
}

void
plan_session(struct planner *p)
{
    const struct stmt *s    = p->stmt;
    uint32_t           home = home_of(p, p->context->schema, &p->home_database);
    switch ((int)s->kind) {
    case STMT_BEGIN:     plan_txn(p, TXN_BEGIN); break;
    case STMT_COMMIT:    plan_txn(p, TXN_COMMIT); break;
    case STMT_ROLLBACK:  plan_txn(p, s->name.ptr != NULL ? TXN_ROLLBACK_TO : TXN_ROLLBACK); break;
    case STMT_SAVEPOINT: plan_txn(p, TXN_SAVEPOINT); break;
    case STMT_RELEASE:   plan_txn(p, TXN_RELEASE); break;
    case STMT_SET:       plan_set(p); break;
    case STMT_USE:
        p->out->kind = PLAN_USE;
        p->out->name = arena_copy(p->arena, s->name);
        break;
    case STMT_CREATE_TABLE: case STMT_ALTER_TABLE: case STMT_DROP_TABLE: case STMT_TRUNCATE:
    case STMT_RENAME_TABLE: case STMT_CREATE_INDEX: case STMT_DROP_INDEX:
        plan_ddl(p, s->object == KW_VIEW ? DDL_VIEW : DDL_TABLE);
        break;
    case STMT_DATABASE:    plan_ddl(p, DDL_DATABASE); break;
    case STMT_CREATE_VIEW: plan_ddl(p, DDL_VIEW); break;
    case STMT_OBJECT:
        if (object_kind(s) == DDL_ACCOUNT)
            plan_account(p);
        else
            plan_ddl(p, object_kind(s));
        break;
    case STMT_LOCK_TABLES: case STMT_HANDLER: plan_locks(p); break;
    case STMT_PREPARE: case STMT_EXECUTE: case STMT_DEALLOCATE: plan_named(p); break;
    case STMT_CALL:        plan_call(p); break;
    case STMT_DO:          plan_do(p); break;
    case STMT_KILL:        plan_kill(p); break;
    case STMT_ADMIN_TABLE: plan_admin_table(p); break;
    case STMT_XA:
        NOT_YET(p, "shardd: XA statements are not supported; transactions over several shards are "
                   "atomic by themselves");
        break;
    case STMT_ADMIN:       plan_admin(p); break;
    case STMT_FLUSH:       plan_flush(p); break;
    case STMT_SIGNAL:
        /* The backend's last statement was anybody's. RESIGNAL is an error in any case. */
        if (p->digest == NULL || p->digest->first == KW_GET)
            NOT_YET(p, "shardd: GET DIAGNOSTICS is possible in routines only: use SHOW WARNINGS");
        else
            to_home(p, home, "diagnostics");
        break;
    default: /* HELP, UNLOCK TABLES */
        to_home(p, home, "no table's rows");
        p->out->opaque = true;
        if (s->kind == STMT_UNLOCK_TABLES)
            p->out->unpin = PIN_LOCK_TABLES;
        break;
    }
}
