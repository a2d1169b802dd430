/* plan.c - see plan.h and plan_internal.h: what kind of statement is it? */
#include <stdarg.h>
#include <stdio.h>

#include "core/route/function_class.h"
#include "core/route/gather.h"
#include "core/route/plan_internal.h"
#include "core/route/routine_look.h"

void *
make(struct planner *p, size_t bytes)
{
    return arena_alloc(p->arena, bytes);
}

bool
refuse(struct planner *p, uint16_t code, const char *fmt, ...)
{
    if (p->refused)
        return false;
    char    sentence[sizeof(p->out->error.message)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    p->refused = true;
    return sql_error_set(&p->out->error, code, "%s", sentence);
}

uint32_t
home_of(struct planner *p, struct span schema, uint32_t *database)
{
    *database = schema.len == 0 ? ROUTES_NONE : routes_database(p->routes, schema);
    return *database == ROUTES_NONE ? 0 : p->routes->databases[*database].home;
}

void
to_home(struct planner *p, uint32_t home, const char *reason)
{
    p->out->kind   = PLAN_ONE;
    p->out->target = (struct target){ .kind = TARGET_HOME, .home = home };
    p->out->reason = reason;
}

/* What names alone say, for text of unknown grammar. */
static void
look_up_names(struct planner *p, const struct path_item *names)
{
    struct scope *s = scope_new(p, NULL, NULL);
    for (; names != NULL; names = names->next) {
        const struct path *n = &names->path;
        /* t, t.column, s.t, s.t.column: whatever it can mean. */
        const struct path readings[] = {
            { .schema = n->table, .name = n->name },
            { .schema = n->schema, .name = n->table },
            { .name = n->schema }, { .name = n->table }, { .name = n->name },
        };
        for (size_t i = 0; i < countof(readings); i++) {
            struct span schema = readings[i].schema;
            if (readings[i].name.ptr == NULL)
                continue;
            if (schema.ptr == NULL)
                schema = p->context->schema;
            uint32_t database = routes_database(p->routes, schema);
            if (database != ROUTES_NONE &&
                routes_table(p->routes, database, readings[i].name) != ROUTES_NONE)
                scope_add_path(p, s, &readings[i], (struct span){ 0 });
        }
    }
}

/* A block that runs other code: a routine, or text that it makes. */
static bool
runs_hidden_text(const struct planner *p)
{
    struct lex   l;
    struct token t;
    lex_init(&l, p->text, p->context->lex);
    do {
        t = lex_next(&l);
        if (token_is_keyword(t, KW_EXECUTE) || token_is_keyword(t, KW_CALL))
            return true;
    } while (t.kind != TOK_END && t.kind != TOK_BAD);
    return false;
}

/* Of a name that is none of ours, and in a database that never had routines, the server knows
 * more: it may be a function of its own. */
static void
note_called(void *context, enum routine_name what, struct span schema, struct span name)
{
    struct planner *p        = context;
    struct span     in       = schema.ptr != NULL ? schema : p->context->schema;
    uint32_t        database = routes_database(p->routes, in);
    struct func    *f        = make(p, sizeof(*f));
    f->name                  = (struct path){ .schema = schema, .name = name };
    if (what == ROUTINE_PROCEDURE && database != ROUTES_NONE &&
        function_list_find(p->routes->databases[database].procedures, name) == FUNCTION_FAR)
        NOT_YET(p, "shardd: CALL of '%.*s' is not possible inside of a block: %s", SHOWN(name),
                function_class_why(FUNCTION_FAR));
    if (what == ROUTINE_FUNCTION && database != ROUTES_NONE &&
        (function_class_of(p, f) != FUNCTION_UNKNOWN || p->routes->databases[database].has_code))
        (void)scope_stored(p, f);
}

static void
plan_unknown(struct planner *p)
{
    const struct routine_names called = { .found = note_called, .context = p };
    look_up_names(p, p->stmt->names);
    (void)routine_look_at(p->text, p->context->lex, &called);
    (void)home_of(p, p->context->schema, &p->home_database);
    if (!all_global(p->routes, p->home_database) && runs_hidden_text(p)) {
        NOT_YET(p, "shardd: EXECUTE and CALL inside of a block, or in a form that is not "
                   "understood, are possible in databases without sharded and reference tables "
                   "only: which tables they use cannot be seen");
        return;
    }
    enum keyword first = p->digest == NULL ? NO_KEYWORD : p->digest->first;
    bool         reads = first == KW_SELECT || first == KW_WITH || first == KW_VALUES;
    if (p->any_sharded) {
        NOT_YET(p, "shardd: this statement is not understood near '%.*s', and it names the sharded "
                   "table '%.*s'",
                SHOWN(span_from(p->text, p->stmt->error_at < p->text.len ? p->stmt->error_at : 0)),
                SHOWN(p->sharded_name));
        return;
    }
    if (p->any_reference && !reads) {
        NOT_YET(p, "shardd: this statement is not understood and may write a reference table, "
                   "which must be written on every shard");
        return;
    }
    if (p->home_conflict) {
        where_target(p, NULL, &p->out->target);
        return;
    }
    to_home(p, p->any_global ? p->home : home_of(p, p->context->schema, &p->home_database),
            "not in our grammar; its tables are on one shard");
    p->out->is_write = !reads;
    p->out->opaque   = true;
}

static void
plan_bad(struct planner *p)
{
    bool whole = true;
    for (uint32_t i = 0; i < p->routes->n_tables; i++)
        whole &= p->routes->tables[i].kind == TABLE_GLOBAL;
    bool unread = p->context->lex.charset == LEX_UNSAFE ||
                  (p->context->lex.charset == LEX_BYTES && !span_is_ascii(p->text));
    if (unread && !whole) {
        NOT_YET(p, "shardd: this statement cannot be read for certain in character_set_client; "
                   "use utf8mb4");
        return;
    }
    to_home(p, home_of(p, p->context->schema, &p->home_database),
            "does not lex; a server says what is wrong");
    p->out->opaque = true;
}

static void
note_flags(struct planner *p)
{
    struct plan *out   = p->out;
    uint32_t     flags = p->digest == NULL ? 0 : p->digest->flags;
    if ((flags & DIGEST_LOCK_FUNCTION) != 0)
        out->pin = PIN_USER_LOCK;
    out->needs_last_insert_id =
        (flags & (DIGEST_LAST_INSERT_ID | DIGEST_FOUND_ROWS | DIGEST_ROW_COUNT)) != 0;
}

/* Statements that set variables by := and INTO only. */
static bool
assigns_visibly(const struct stmt *s)
{
    if (s == NULL)
        return false;
    switch ((int)s->kind) {
    case STMT_SELECT: case STMT_INSERT: case STMT_UPDATE: case STMT_DELETE: case STMT_DO:
    case STMT_SHOW: case STMT_EXPLAIN:
        return true;
    default: return false;
    }
}

static bool
keeps_diagnostics(const struct planner *p)
{
    if (p->stmt == NULL || p->instances != NULL)
        return false;
    switch ((int)p->stmt->kind) {
    case STMT_SELECT: case STMT_SET: case STMT_DO: case STMT_BEGIN: case STMT_COMMIT:
    case STMT_ROLLBACK: case STMT_SAVEPOINT: case STMT_RELEASE: case STMT_USE: case STMT_KILL:
    case STMT_UNLOCK_TABLES:
        return true;
    default: return false;
    }
}

static bool
only_looks(const struct stmt *s)
{
    return s != NULL && (s->kind == STMT_SHOW || s->kind == STMT_HELP ||
                         (s->kind == STMT_HANDLER && s->word != KW_READ));
}

/* Only a SELECT's rows are counted, also by ANALYZE and INSERT, which do not send them. */
static void
note_found_rows(struct planner *p)
{
    const struct stmt *s   = p->stmt;
    struct plan       *out = p->out;
    if (s == NULL)
        return;
    switch ((int)s->kind) {
    case STMT_SHOW:
        out->keeps_found_rows = s->show->kind == KW_CREATE || s->show->kind == KW_PROFILES;
        break;
    case STMT_EXPLAIN:
        out->asks_found_rows = s->explain->analyze && s->explain->statement != NULL &&
                               s->explain->statement->kind == STMT_SELECT;
        out->keeps_found_rows = !out->asks_found_rows;
        break;
    case STMT_DO: /* of the last one among its values */
        out->asks_found_rows = p->instances != NULL;
        break;
    case STMT_SELECT:
        out->keeps_found_rows = s->query != NULL && s->query->kind == QUERY_VALUES;
        break;
    case STMT_INSERT:
        out->selects_into_table = s->insert->source == INSERT_QUERY;
        out->keeps_found_rows   = !out->selects_into_table;
        break;
    case STMT_CREATE_TABLE: /* TEMPORARY: others are made by ourselves */
        out->selects_into_table = s->create_table->query != NULL;
        break;
    case STMT_DELETE: case STMT_ADMIN_TABLE: case STMT_HELP: case STMT_HANDLER:
        out->keeps_found_rows = true;
        break;
    default: break;
    }
}

/* What it calls in its turn is not looked at. */
static void
note_procedure(void *context, enum routine_name what, struct span schema, struct span name)
{
    (void)schema, (void)name;
    *(bool *)context |= what == ROUTINE_PROCEDURE;
}

/* Of a procedure it is known when it was made. */
static bool
keeps_transaction(struct planner *p)
{
    bool                       calls = false;
    const struct routine_names names = { .found = note_procedure, .context = &calls };
    if (p->stmt == NULL || p->stmt->kind != STMT_CALL)
        return routine_look_at(p->text, p->context->lex, &names) == FUNCTION_HOME && !calls;
    const struct path *path   = &p->stmt->path;
    uint32_t           number = routes_database(p->routes, path->schema.ptr != NULL
                                                               ? path->schema
                                                               : p->context->schema);
    return p->reads.ptr != NULL || p->keeps_to_txn ||
           (number != ROUTES_NONE &&
            function_list_at_home(p->routes->databases[number].procedures, path->name));
}

static void
note_variables(struct planner *p)
{
    struct plan *out   = p->out;
    uint32_t     named = DIGEST_USER_VAR | DIGEST_ASSIGN | DIGEST_INTO;
    uint32_t     flags = p->digest == NULL ? named : p->digest->flags;
    bool         code  = false;
    for (uint32_t i = 0; i < p->routes->n_databases; i++)
        code |= p->routes->databases[i].has_code;
    out->runs_code = out->opaque || p->any_stored || (code && p->any_view) ||
                     (p->any_code && !out->is_read);
    out->runs_block  = out->opaque && out->is_write;
    out->may_end_txn = out->runs_block && !keeps_transaction(p);
    /* What a routine did to the session beyond its variables is undone by a reset. */
    out->opaque |= out->runs_code;
    out->assigns = (flags & (DIGEST_ASSIGN | DIGEST_INTO)) != 0 ||
                   ((flags & DIGEST_USER_VAR) != 0 && !assigns_visibly(p->stmt));
    if (out->kind == PLAN_INSERT && (flags & DIGEST_ASSIGN) != 0)
        NOT_YET(p, "shardd: an INSERT into a sharded table cannot assign user variables; SET them "
                   "before");
    out->sees_variables = out->runs_code || (flags & named) != 0 || p->any_system;
}

/* Locks have to meet: all are taken on the first shard. Who only asks for them may ask before. */
static void
place_locks(struct planner *p)
{
    struct plan   *out = p->out;
    struct target *t   = &out->target;
    if (out->pin != PIN_USER_LOCK || p->routes->n_shards == 1)
        return;
    if (!p->refused && (t->kind == TARGET_ANY || t->kind == TARGET_NONE))
        *t = (struct target){ .kind = TARGET_HOME };
    bool there = !p->refused && t->kind == TARGET_HOME && t->home == 0 &&
                 out->kind != PLAN_INSERT;
    if (!there && !plan_once_locks(p) && !p->refused)
        NOT_YET(p, "shardd: locks by name are kept on one server, and the tables of this statement "
                   "are on another: take the lock in a statement of its own");
}

static bool
find_time(struct visitor *v, struct expr *e)
{
    static const char *const names[] = {
        "NOW", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURDATE", "CURRENT_DATE",
        "CURTIME", "CURRENT_TIME", "UNIX_TIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP",
    };
    for (size_t i = 0; e->kind == EXPR_FUNC && i < countof(names); i++)
        *(bool *)v->context |= span_equal_nocase(e->func->name.name, span_of(names[i]));
    return true;
}

/* Several shards must agree on what NOW() is; what is written may get it as a default, and
 * views have it inside. */
static void
note_time(struct planner *p)
{
    struct plan   *out   = p->out;
    bool           found = p->any_view;
    struct visitor v     = { .expr = find_time, .context = &found };
    if (out->kind == PLAN_WRITE || out->kind == PLAN_INSERT || out->kind == PLAN_LOAD ||
        out->kind == PLAN_CHANGE)
        out->same_time = true;
    if (out->kind == PLAN_GATHER && p->stmt != NULL)
        out->same_time = (p->stmt->flags & STMT_HAS_PERIOD) != 0;
    if (out->kind != PLAN_SCATTER || p->stmt == NULL)
        return;
    if (!found)
        visit_statement(&v, (struct stmt *)(uintptr_t)p->stmt);
    out->same_time = found;
}

/* Code, views and the server's own tables may look at any. */
static bool
sees_settings(const struct planner *p)
{
    return p->stmt == NULL || p->digest == NULL || (p->digest->flags & DIGEST_SYSTEM_VAR) != 0 ||
           p->stmt->kind == STMT_SHOW || p->out->opaque || p->out->runs_code || p->any_stored ||
           p->any_view || p->any_system;
}

const char *
pin_reason_name(enum pin_reason reason)
{
    switch (reason) {
    case PIN_TEMPORARY_TABLE: return "temporary_table";
    case PIN_USER_LOCK:       return "user_lock";
    case PIN_LOCK_TABLES:     return "lock_tables";
    case PIN_HANDLER:         return "handler";
    case PIN_USER_VARIABLE:   return "user_variable";
    case PIN_CURSOR:          return "cursor";
    case PIN_NONE:
    case PIN_REASONS:         break;
    }
    return "none";
}

static void
find_params(struct planner *p)
{
    if (p->stmt == NULL || p->stmt->n_params == 0)
        return;
    p->params = make(p, p->stmt->n_params * sizeof(p->params[0]));
    struct lex lex;
    lex_init(&lex, p->text, p->context->lex);
    while (p->n_params < p->stmt->n_params) {
        struct token t = lex_next(&lex);
        if (t.kind == TOK_END || t.kind == TOK_BAD)
            return;
        if (t.kind == TOK_PARAM)
            p->params[p->n_params++] = t.start;
    }
}

static void
dispatch(struct planner *p)
{
    if (p->stmt == NULL) {
        plan_bad(p);
        return;
    }
    if (!plan_names_clear(p))
        return;
    switch ((int)p->stmt->kind) {
    case STMT_SELECT:  plan_select(p, p->stmt->query); break;
    case STMT_INSERT:  plan_insert(p); break;
    case STMT_UPDATE:  plan_update(p); break;
    case STMT_DELETE:  plan_delete(p); break;
    case STMT_LOAD:    plan_load(p); break;
    case STMT_UNKNOWN: plan_unknown(p); break;
    case STMT_SHOW: case STMT_EXPLAIN: plan_show(p); break;
    default: plan_session(p); break;
    }
}

/* It is refused, or will be when its keys are of several shards, and nobody gathers it. */
static bool
wants_views(const struct planner *p)
{
    const struct plan *out = p->out;
    if (p->refused)
        return out->error.code == SQL_NOT_SUPPORTED;
    return p->any_view && (out->kind == PLAN_ONE || out->kind == PLAN_WRITE) &&
           out->target.one_shard && out->target.kind != TARGET_HOME &&
           out->gather == NULL && !target_certainly_one(p, &out->target);
}

/* A row's shard need not be the one that has the sequence. */
static void
check_sequences(struct planner *p)
{
    if (!p->refused && p->any_sharded && p->digest != NULL &&
        (p->digest->flags & DIGEST_SEQUENCE) != 0 && p->out->kind != PLAN_ONCE &&
        (p->out->kind != PLAN_CHANGE || !p->out->change->takes_numbers))
        NOT_YET(p, "shardd: a sequence is on its database's home, and rows of this statement may "
                   "be on other shards: ask for its number in a statement before");
}

/* It would read the rows of one shard. */
static void
note_spread(void *context, enum routine_name what, struct span schema, struct span name)
{
    struct planner *p        = context;
    struct span     in       = schema.ptr != NULL ? schema : p->context->schema;
    uint32_t        database = what != ROUTINE_FUNCTION ? ROUTES_NONE
                                                        : routes_database(p->routes, in);
    struct span     tables;
    if (database == ROUTES_NONE)
        return;
    struct span list = p->routes->databases[database].functions;
    if (function_list_find(list, name) != FUNCTION_FAR && all_global(p->routes, database))
        return;
    bool at_home = function_list_at_home(list, name) && !p->any_sharded && !p->any_reference;
    if (function_list_reads(list, name, &tables) && !at_home)
        NOT_YET(p, "shardd: the stored function '%.*s' reads tables that are not where this "
                   "statement runs: ask for its value in a SELECT before", SHOWN(name));
}

/* One that only reads is on every shard. Where nobody has looked at what is called, words tell. */
static void
check_readers(struct planner *p)
{
    const struct routine_names called = { .found = note_spread, .context = p };
    bool any = false;
    for (uint32_t i = 0; i < p->routes->n_databases; i++)
        any |= function_list_any_reads(p->routes->databases[i].functions);
    if (!any) /* most texts need not be read once more */
        return;
    bool elsewhere = (p->out->gather != NULL && p->out->gather->calls) ||
                     (p->routes->n_shards == 1 && !hide_routes(p->routes));
    switch (p->out->kind) {
    case PLAN_GATHER: case PLAN_ONE: case PLAN_SCATTER: case PLAN_CHANGE: case PLAN_WRITE:
    case PLAN_INSERT: case PLAN_LOAD: case PLAN_SET:
        if (!p->refused && !elsewhere && !p->hinted)
            (void)routine_look_at(p->text, p->context->lex, &called);
        break;
    case PLAN_ONCE: case PLAN_TXN: case PLAN_USE: case PLAN_DDL: case PLAN_SHARDD: case PLAN_KILL:
    case PLAN_NAMED: case PLAN_EXPAND: case PLAN_REFUSE:
        break;
    }
}

/* Beside tables that are on several shards, or written there, it would run on another one. */
static void
check_functions(struct planner *p)
{
    if (p->refused || p->at_home == NULL || (!p->any_sharded && !p->any_reference))
        return;
    NOT_YET(p, "shardd: the stored function '%.*s' cannot be used here, beside sharded or "
               "reference tables: %s; ask for its value in a statement before",
            SHOWN(p->at_home->name.name), function_class_why(function_class_of(p, p->at_home)));
    if (p->stmt->kind == STMT_SELECT)
        plan_gather(p, p->stmt->query);
}

void
plan_make(struct arena *arena, const struct plan_context *context, struct span text,
          const struct digest *digest, const struct stmt *statement, struct plan *out)
{
    struct planner p = {
        .arena = arena, .context = context, .routes = context->routes, .text = text,
        .digest = digest, .stmt = statement, .out = out,
        .home = ROUTES_NONE, .home_database = ROUTES_NONE,
    };
    *out = (struct plan){
        .lex       = context->lex,
        .collation = context->collation,
        .database  = ROUTES_NONE,
        .cacheable = digest != NULL && digest->n_literals <= 1000,
    };
    if (digest != NULL)
        out->n_literals = digest->n_literals;
    if (statement != NULL)
        out->n_params = statement->n_params;
    note_flags(&p);
    find_params(&p);
    dispatch(&p);
    plan_note_hint(&p);
    plan_note_lookups(&p);
    if (wants_views(&p))
        plan_view(&p);
    if (out->kind == PLAN_EXPAND)
        return;
    check_sequences(&p);
    check_functions(&p);
    check_readers(&p);
    place_locks(&p);
    plan_information_finish(&p);
    out->keeps_diagnostics = keeps_diagnostics(&p);
    out->begins_nothing    = (out->keeps_diagnostics && !out->runs_code) || only_looks(p.stmt);
    note_found_rows(&p);
    note_variables(&p);
    note_time(&p);
    plan_note_fence(&p);
    out->sees_settings = sees_settings(&p);
    out->stateless = statement != NULL && !p.refused && out->kind != PLAN_GATHER &&
                     !out->hides && plan_is_stateless(&p);
    out->primary_why = out->stateless ? NULL : plan_primary_why(&p);
    if (p.refused) {
        out->kind     = PLAN_REFUSE;
        out->is_read  = out->is_write = false;
        out->reason   = "see the error";
        plan_note_refused(&p);
    }
    if ((out->target.kind == TARGET_HOME || out->target.at_home) && out->database == ROUTES_NONE)
        out->database = p.home_database;
}

const char *
plan_kind_name(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_ONE:     return "one";
    case PLAN_SCATTER: return "scatter";
    case PLAN_GATHER:  return "gather";
    case PLAN_CHANGE:  return "change";
    case PLAN_WRITE:   return "write";
    case PLAN_INSERT:  return "insert";
    case PLAN_ONCE:    return "once";
    case PLAN_LOAD:    return "load";
    case PLAN_TXN:     return "transaction";
    case PLAN_SET:     return "set";
    case PLAN_USE:     return "use";
    case PLAN_DDL:     return "ddl";
    case PLAN_SHARDD:  return "shardd";
    case PLAN_KILL:    return "kill";
    case PLAN_NAMED:   return "named";
    case PLAN_EXPAND:  return "expand";
    case PLAN_REFUSE:  return "refuse";
    }
    return "?";
}

const char *
target_kind_name(enum target_kind kind)
{
    switch (kind) {
    case TARGET_ANY:  return "any";
    case TARGET_HOME: return "home";
    case TARGET_KEYS: return "keys";
    case TARGET_ALL:  return "all";
    case TARGET_EVERY: return "every";
    case TARGET_NONE: return "none";
    }
    return "?";
}
