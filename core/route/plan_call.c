/* plan_call.c - see plan_internal.h: CALL, and functions that only read.
 *
 *   all it uses is on its database's home      it runs there
 *   all statements keep to the key of one of
 *   its parameters (plan_call_key.c)           it runs where that key is
 *   it only reads, with all that it calls:
 *     a comment names a shard                  it runs there, and reads what is there
 *     else                                     every table that it may name is gathered whole,
 *                                              and it runs on the engine
 *
 * So is a SELECT that calls stored functions which only read: they run there beside it.
 *
 * What a routine may name is told by its words (routine_look.h), so there may be a table too many
 * and none too few. On the engine it has the rights of the caller, who has read the rows.
 */
#include "core/route/function_class.h"
#include "core/route/gather.h"
#include "core/route/plan_call.h"

/* ---- who may run where ---- */

/* A constant or a user variable: it is the same on every server. */
static bool
is_plain(struct expr *e)
{
    e = bare(e);
    switch ((int)e->kind) {
    case EXPR_UNARY: return is_plain(e->args);
    case EXPR_LITERAL: case EXPR_TEMPORAL: case EXPR_NULL: case EXPR_BOOL: case EXPR_PARAM:
    case EXPR_USER_VAR: return true;
    default: return false;
    }
}

static bool
arguments_are_plain(const struct planner *p)
{
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        if (!is_plain(e))
            return false;
    return true;
}

static bool
refuse_arguments(struct planner *p)
{
    return NOT_YET(p, "shardd: the arguments of CALL can be constants and user variables only, "
                      "where the procedure reads sharded or reference tables: SET a user "
                      "variable before");
}

/* Why not, in a database that has tables on several shards. */
static void
refuse_call(struct planner *p, struct span list, struct span name)
{
    enum function_class class = function_list_find(list, name);

    NOT_YET(p, "shardd: CALL of '%.*s' is not possible%s: %s%s", SHOWN(name),
            class == FUNCTION_FAR ? "" : ", as its database has sharded or reference tables",
            class == FUNCTION_UNKNOWN
                ? "what it does is not known; CREATE OR REPLACE PROCEDURE makes it known, "
                  "if it can be read" : function_class_why(class),
            class == FUNCTION_SPREAD || class == FUNCTION_FAR
                ? "; one that only reads could be called" : "");
}

/* ---- a comment names the shard ---- */

static uint32_t
table_at(const struct planner *p, struct span schema, struct span name)
{
    uint32_t database = routes_database(p->routes, schema);

    return database == ROUTES_NONE ? ROUTES_NONE : routes_table(p->routes, database, name);
}

bool
call_may_go(struct planner *p)
{
    struct span tables = p->reads, schema, name;

    if (tables.ptr == NULL || !arguments_are_plain(p))
        return false;
    while (function_table_next(&tables, &schema, &name)) {
        uint32_t at = table_at(p, schema, name);
        if (at == ROUTES_NONE || hide_table_moves(p, &p->routes->tables[at]))
            return false;
    }
    return true;
}

/* ---- on the engine ---- */

bool
gathering_add_read(struct planner *p, struct gathering **list, struct span tables)
{
    struct span schema, name;

    while (function_table_next(&tables, &schema, &name)) {
        uint32_t at = table_at(p, schema, name);
        if (at == ROUTES_NONE || p->routes->tables[at].n_columns == 0)
            return NOT_YET(p, "shardd: the columns of '%.*s', which a routine may read, are not "
                              "known", SHOWN(name));
        const struct route_table *t = &p->routes->tables[at];
        if (t->kind == TABLE_VIEW)
            return NOT_YET(p, "shardd: a routine may read the view '%.*s', whose rows cannot be "
                              "brought together with those of other shards: have it read the "
                              "view's tables, or name the shard: shard=NAME in a comment",
                           SHOWN(name));
        if (!gathering_add_whole(p, list, at))
            return false;
        p->any_sharded |= t->kind == TABLE_SHARDED;
        p->any_code |= p->routes->databases[t->database].has_code;
    }
    return true;
}

bool
call_note_reader(struct planner *p, struct span list, const struct func *f)
{
    struct reader *r;
    struct span    tables;

    if (p->maker != NULL || p->stmt->kind != STMT_SELECT ||
        !function_list_reads(list, f->name.name, &tables))
        return false;
    r          = make(p, sizeof(*r));
    *r         = (struct reader){ .tables = tables, .next = p->readers };
    p->readers = r;
    return true;
}

static void
on_engine(struct planner *p)
{
    struct gathering *list = NULL;
    struct plan      *out  = p->out;
    uint32_t          home = ROUTES_NONE;

    if (!gathering_add_read(p, &list, p->reads))
        return;
    if (list == NULL) {
        NOT_YET(p, "shardd: CALL of '%.*s' is not possible: it uses tables of another database's "
                   "home, and none of those that are known", SHOWN(p->stmt->path.name));
        return;
    }
    if (p->routes->n_engines == 0) {
        NOT_YET(p, "shardd: CALL of '%.*s', which reads sharded or reference tables, wants an "
                   "engine, where their rows are brought together: 'shardctl engine add'; or name "
                   "the shard in a comment, to see the rows that are there",
                SHOWN(p->stmt->path.name));
        return;
    }
    const struct gather_spec *made = gather_spec_of_whole(p, list);
    if (made == NULL)
        return;
    out->kind   = PLAN_GATHER;
    out->gather = made;
    out->target = (struct target){ .kind = TARGET_ALL, .home = ROUTES_NONE };
    if (gather_home(made, &home) && home != ROUTES_NONE)
        out->target = (struct target){ .kind = TARGET_HOME, .home = home };
    out->opaque = true;
    out->reason = "it only reads: the tables that it may name are brought together, and it runs "
                  "there, with the caller's rights";
}

/* ---- */

void
plan_call(struct planner *p)
{
    const struct path *path   = &p->stmt->path;
    struct plan       *out    = p->out;
    struct span        schema = path->schema.ptr != NULL ? path->schema : p->context->schema;
    struct span        list   = { 0 };
    uint32_t           database, home = home_of(p, schema, &database);

    if (database != ROUTES_NONE)
        list = p->routes->databases[database].procedures;
    bool reads = function_list_reads(list, path->name, &p->reads);
    bool far   = function_list_find(list, path->name) == FUNCTION_FAR;
    bool alone = reads && p->routes->n_shards == 1 && !hide_routes(p->routes);
    if (!alone && (far || !all_global(p->routes, database)) &&
        !function_list_at_home(list, path->name)) {
        if (call_by_key(p, list, schema))
            return;
        if (!reads && !p->refused)
            refuse_call(p, list, path->name);
        if (!reads)
            return;
        p->refused = false;
        out->error = (struct sql_error){ .code = 0 };
        if (!arguments_are_plain(p))
            refuse_arguments(p);
        else
            on_engine(p);
        return;
    }
    struct scope *s = scope_new(p, NULL, NULL);
    for (struct expr *e = p->stmt->args; e != NULL; e = e->next)
        if (!scope_expr(p, s, e))
            return;
    if (p->any_sharded || (p->any_global && p->home != home)) {
        NOT_YET(p, "shardd: the arguments of CALL can use global tables of the procedure's home "
                   "and reference tables only: SET a user variable before");
        return;
    }
    to_home(p, home, "routines run on their database's home");
    p->home_database = database;
    out->is_write    = true;
    out->opaque      = true;
}
