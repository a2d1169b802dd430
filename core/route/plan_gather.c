/* plan_gather.c - see gather.h: reads that no shard can do and no merge can put together.
 *
 * The statement is looked at anew, with a planner of its own: every block, whether or not its
 * tables meet the others' on a shard. What is found then says of each table which columns and
 * rows are wanted, and what cannot be the same on the engine is refused.
 */
#include <stdio.h>

#include "core/route/gather.h"
#include "core/route/plan_call.h"

/* ---- what cannot be the same on the engine ---- */

/* A read has the session's own, as texts or settings; LAST_INSERT_ID(x) is asked for behind it. */
static bool
is_of_session(const struct expr *e)
{
    static const char *const names[] = { "LAST_INSERT_ID", "FOUND_ROWS", "ROW_COUNT",
                                         "CONNECTION_ID" };
    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(e->func->name.name, span_of(names[i])))
            return true;
    return false;
}

static bool
is_read(const struct planner *p)
{
    return p->stmt->kind == STMT_SELECT;
}

static bool
refuse_function(struct planner *p, const struct expr *e)
{
    static const char *const names[] = {
        "LOAD_FILE", "GET_LOCK",
        "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK", "NEXTVAL", "LASTVAL",
        "SETVAL", "BINLOG_GTID_POS", "MASTER_GTID_WAIT", "MASTER_POS_WAIT",
        "WSREP_LAST_SEEN_GTID", "WSREP_LAST_WRITTEN_GTID", "WSREP_SYNC_WAIT_UPTO_GTID",
        "DES_ENCRYPT", "DES_DECRYPT", "UUID_SHORT",
    };
    struct span name = e->func->name.name;
    bool        here = is_of_session(e) && !is_read(p);
    for (size_t i = 0; i < countof(names); i++)
        here = here || span_equal_nocase(name, span_of(names[i]));
    return !here || NOT_YET(p, "shardd: %.*s() is about a server or a session, and the rows of "
                               "this statement are brought together on another: ask for it in a "
                               "statement of its own", SHOWN(name));
}

static bool
check_expr(struct visitor *v, struct expr *e)
{
    struct planner *p = v->context;
    switch ((int)e->kind) {
    case EXPR_FUNC:
        refuse_function(p, e);
        break;
    case EXPR_MATCH:
        if (!is_read(p))
            NOT_YET(p, "shardd: MATCH ... AGAINST needs the full-text index of one server: give "
                       "the key, so that one shard does it");
        break;
    case EXPR_DEFAULT:
        p->n_defaults++;
        if (e->n_args == 0)
            NOT_YET(p, "shardd: DEFAULT(column) over several shards is not supported here");
        break;
    default: break;
    }
    return !p->refused;
}

static bool
check_query(struct visitor *v, struct query *q)
{
    struct planner *p = v->context;
    if (q->into != NULL && q->into->kind != KW_INTO)
        NOT_YET(p, "shardd: SELECT ... INTO OUTFILE from several shards is not supported: it would "
                   "be a file of another server");
    if (q->limit != NULL && q->limit->rows_examined != NULL)
        NOT_YET(p, "shardd: LIMIT ROWS EXAMINED over several shards is not supported: what is "
                   "examined is not what one server would");
    if (q->lock_wait == LOCK_WAIT_SKIP && !is_read(p))
        NOT_YET(p, "shardd: SKIP LOCKED in a write over several shards is not supported unless "
                   "each shard can do its part alone");
    if (q->lock != LOCK_NO && q->kind != QUERY_BLOCK)
        NOT_YET(p, "shardd: FOR UPDATE on a UNION over several shards is not supported: put it in "
                   "the parts");
    return !p->refused;
}

/* SELECT ... UNION SELECT ... FOR UPDATE is about the rows of the last SELECT. A server takes none
 * whose last part is in parentheses. */
static bool
give_lock(struct visitor *v, struct query *q)
{
    struct query *last = q->kind == QUERY_UNION ? q->parts : NULL;
    (void)v;
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (q->lock == LOCK_NO || last == NULL || last->kind != QUERY_BLOCK ||
        last->lock != LOCK_NO || last->range.start != last->outer_range.start)
        return true;
    last->lock       = q->lock;
    last->lock_wait  = q->lock_wait;
    last->lock_range = q->lock_range;
    q->lock          = LOCK_NO;
    q->lock_range    = (struct range){ 0, 0 };
    return true;
}

static bool
check_table(struct visitor *v, struct table_ref *ref)
{
    struct planner *p = v->context;
    if (ref->system_time && !is_read(p))
        NOT_YET(p, "shardd: FOR SYSTEM_TIME in a write over several shards is not supported: give "
                   "the key");
    return !p->refused;
}

static bool
check_statement(struct planner *p)
{
    struct visitor v     = { check_query, check_table, check_expr, p };
    uint32_t       flags = p->digest == NULL ? 0 : p->digest->flags;
    if (p->maker != NULL && p->maker->spec->takes_numbers)
        flags &= ~(uint32_t)DIGEST_SEQUENCE;
    if ((flags & (DIGEST_LOCK_FUNCTION | DIGEST_SEQUENCE)) != 0)
        return NOT_YET(p, "shardd: locks and sequences in a statement on several shards are not "
                          "supported");
    visit_query(&v, p->whole);
    return !p->refused;
}

static bool
check_tail(struct planner *p)
{
    struct visitor v = { check_query, check_table, check_expr, p };
    if (p->tail != NULL)
        visit_query(&v, p->tail);
    return !p->refused;
}

/* ---- tables ---- */

/* Names are written into the fetch as the routes have them: in utf8. */
static bool
check_names(struct planner *p, const struct route_table *t)
{
    bool plain = span_is_ascii(t->name) && span_is_ascii(p->routes->databases[t->database].name);
    for (uint32_t at = 0; at < t->n_columns; at++)
        plain = plain && span_is_ascii(t->columns[at].name);
    return plain || p->context->lex.charset == LEX_UTF8 ||
           NOT_YET(p, "shardd: the table '%.*s' has names that are not in ASCII: use "
                      "character_set_client=utf8mb4 to read rows of several shards",
                   SHOWN(t->name));
}

static bool
check_instance(struct planner *p, const struct instance *i)
{
    if (i->table == NULL || i->table->n_columns == 0)
        return NOT_YET(p, "shardd: the columns of '%.*s' are not known, so its rows cannot be "
                          "brought together with those of other shards",
                       SHOWN(i->ref->table.name));
    if (i->table->kind == TABLE_VIEW)
        return NOT_YET(p, "shardd: the rows of view '%.*s' cannot be brought together with those "
                          "of other shards; use its SELECT instead", SHOWN(i->table->name));
    return check_names(p, i->table);
}

/* An instance that stands for a table that has rows. */
static bool
is_base(const struct instance *i)
{
    return i->ref != NULL;
}

static struct gathering *
add_table(struct planner *p, struct gathering **list, uint32_t index)
{
    const struct route_table *t = &p->routes->tables[index];
    struct gathering         *g = *list;
    while (g != NULL && g->index != index)
        g = g->next;
    if (g != NULL)
        return g;
    g  = make(p, sizeof(*g));
    *g = (struct gathering){ .index = index, .table = t, .next = *list,
                             .wanted = make(p, t->n_columns * sizeof(bool)),
                             .keys = make(p, t->n_columns * sizeof(bool)) };
    *list = g;
    return g;
}

struct gathering *
gathering_add(struct planner *p, struct gathering **list, const struct instance *i)
{
    return add_table(p, list, i->table_index);
}

bool
gathering_add_whole(struct planner *p, struct gathering **list, uint32_t table)
{
    struct gathering *g = add_table(p, list, table);
    g->all_rows         = true;
    for (uint32_t at = 0; at < g->table->n_columns; at++)
        g->wanted[at] = true;
    return check_names(p, g->table);
}

static bool
range_equal(const struct planner *p, struct range a, struct range b)
{
    return a.end - a.start == b.end - b.start &&
           memcmp(p->text.ptr + a.start, p->text.ptr + b.start, a.end - a.start) == 0;
}

/* PARTITION (p) is said on the fetch: for all occurrences of the table or for none. */
static bool
add_occurrence(struct planner *p, struct gathering *g, struct instance *i)
{
    struct filter *f = make(p, sizeof(*f));
    *f               = (struct filter){ .of = i, .next = g->filters };
    g->filters       = f;
    if (g->n_occurrences++ == 0) {
        g->partition = i->ref->partition;
        g->period    = i->ref->period;
    }
    return (range_equal(p, g->partition, i->ref->partition) &&
            range_equal(p, g->period, i->ref->period)) ||
           NOT_YET(p, "shardd: the table '%.*s' is read with different partitions or at different "
                      "times in a statement on several shards", SHOWN(g->table->name));
}

static bool
add_tables(struct planner *p, struct gathering **list)
{
    if (p->any_system)
        return NOT_YET(p, "shardd: tables of information_schema and the like cannot be combined "
                          "with rows of several shards; read them in a statement of their own");
    for (struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (is_base(i) && !numbers_is(i) && (!check_instance(p, i) ||
                           !add_occurrence(p, gathering_add(p, list, i), i)))
            return false;
    for (const struct reader *r = p->readers; r != NULL; r = r->next)
        if (!gathering_add_read(p, list, r->tables))
            return false;
    return true;
}

/* What a stored function reads of a table is no part of it. */
static bool
check_whole(struct planner *p, const struct gathering *list)
{
    for (const struct gathering *g = list; g != NULL; g = g->next)
        if (g->all_rows && (g->partition.end != 0 || g->period.end != 0 || gathering_locks(g)))
            return NOT_YET(p, "shardd: a stored function reads '%.*s', of which the statement "
                              "reads a partition, another time, or FOR UPDATE: ask for the "
                              "function's value in a statement before", SHOWN(g->table->name));
    return true;
}

/* ---- FOR UPDATE ---- */

static bool
lock_instance(struct planner *p, struct gathering *list, const struct instance *i,
              const struct query *q)
{
    struct gathering *g = gathering_of(list, i);
    if (g == NULL)
        return q->lock == LOCK_NO ||
               NOT_YET(p, "shardd: FOR UPDATE on '%.*s', which is no table, is not supported over "
                          "several shards: put it inside", SHOWN(i->alias));
    bool first  = g->lock.end == 0 && !g->unlocked;
    g->unlocked = g->unlocked || q->lock == LOCK_NO;
    if (q->lock != LOCK_NO && first)
        g->lock = q->lock_range;
    bool same = q->lock == LOCK_NO ? g->lock.end == 0
                                   : !g->unlocked && range_equal(p, g->lock, q->lock_range);
    return same || NOT_YET(p, "shardd: the table '%.*s' is read both with and without FOR UPDATE "
                              "in a statement on several shards; take the lock in a statement of "
                              "its own", SHOWN(g->table->name));
}

/* The tables in the FROM of the block that says it, not those of its subqueries. */
static bool
add_locks(struct planner *p, struct gathering *list)
{
    for (const struct scope *s = p->scopes; s != NULL; s = s->next_all)
        for (const struct instance *i = s->first; i != NULL; i = i->next)
            if (!lock_instance(p, list, i, s->query))
                return false;
    return true;
}

/* ---- whose rows ---- */

enum { KEYS_MAX = 256 }; /* of several occurrences */

static void
add_keys(struct planner *p, struct key_group *all, const struct key_group *more)
{
    if (all->n_keys == 0) {
        all->n_keys = more->n_keys;
        all->keys   = more->keys;
        return;
    }
    struct operand *keys = make(p, (all->n_keys + more->n_keys) * sizeof(*keys));
    memcpy(keys, all->keys, all->n_keys * sizeof(*keys));
    if (more->n_keys > 0)
        memcpy(keys + all->n_keys, more->keys, more->n_keys * sizeof(*keys));
    all->n_keys += more->n_keys;
    all->keys = keys;
}

static struct target
sharded_target(struct planner *p, const struct gathering *g)
{
    struct key_group *all = make(p, sizeof(*all));
    if (g->all_rows || g->whole)
        return (struct target){ .kind = TARGET_ALL, .home = ROUTES_NONE };
    if (g->meets != NULL)
        return (struct target){ .kind = TARGET_KEYS, .home = ROUTES_NONE, .n_groups = 1,
                                .groups = g->meets };
    all->table = g->index;
    for (struct instance *i = p->instances; i != NULL; i = i->next_all) {
        if (!is_base(i) || i->table_index != g->index)
            continue;
        const struct key_group *keys = where_keys(p, i);
        if (keys == NULL || (all->n_keys > 0 && all->n_keys + keys->n_keys > KEYS_MAX))
            return (struct target){ .kind = TARGET_ALL, .home = ROUTES_NONE };
        add_keys(p, all, keys);
    }
    return (struct target){ .kind = TARGET_KEYS, .home = ROUTES_NONE, .n_groups = 1,
                            .groups = all };
}

bool
gather_has_keys(struct planner *p, const struct gathering *g)
{
    return g->table->kind == TABLE_SHARDED && sharded_target(p, g).kind == TARGET_KEYS;
}

static struct target
target_of(struct planner *p, const struct gathering *g)
{
    if (g->empty && g->table->kind == TABLE_SHARDED)
        return (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
    switch (g->table->kind) {
    case TABLE_SHARDED: return sharded_target(p, g);
    case TABLE_GLOBAL:
        return (struct target){ .kind = TARGET_HOME,
                                .home = p->routes->databases[g->table->database].home };
    case TABLE_REFERENCE:
        if (g->changed) /* its home copy is the one that is locked first */
            return (struct target){ .kind = TARGET_HOME,
                                    .home = p->routes->databases[g->table->database].home };
        break;
    case TABLE_VIEW: break;
    }
    return (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
}

/* ---- the spec ---- */

static const uint32_t *
indexes(struct planner *p, const bool *set, const bool *within, uint32_t n_columns, uint32_t *n)
{
    uint32_t *out = make(p, n_columns * sizeof(*out));
    *n            = 0;
    for (uint32_t at = 0; at < n_columns; at++)
        if (set[at] && within[at])
            out[(*n)++] = at;
    return out;
}

static uint32_t
place_of(const struct gathering *list, const struct gathering *g)
{
    uint32_t at = 0;
    for (; list != g; list = list->next)
        at++;
    return at;
}

static void
add_links(struct planner *p, const struct gathering *list, const struct gathering *g,
          struct gather_table *t)
{
    struct gather_join *joins = make(p, (g->n_links + 1) * sizeof(*joins));
    for (const struct gather_link *l = g->links; l != NULL; l = l->next)
        joins[t->n_joins++] = (struct gather_join){ .column    = l->column,
                                                    .of        = place_of(list, l->of),
                                                    .of_column = l->of_column };
    t->joins = joins;
    t->wave  = g->wave;
}

static struct gather_table
table_spec(struct planner *p, const struct gathering *list, const struct gathering *g)
{
    uint32_t            conditions_end;
    struct gather_table t = {
        .table    = g->index,
        .schema   = arena_copy(p->arena, p->routes->databases[g->table->database].name),
        .name     = arena_copy(p->arena, g->table->name),
        .target   = target_of(p, g),
        .from     = gather_from(p, g, &conditions_end),
        .says_where = g->filters != NULL || hide_table(p, g->table),
        .filtered = gather_is_filtered(g),
        .locks    = gathering_locks(g),
        .numbered = g->changed,
    };
    uint32_t n = g->table->n_columns;
    t.columns  = indexes(p, g->wanted, g->wanted, n, &t.n_columns);
    t.keys     = indexes(p, g->keys, g->wanted, n, &t.n_keys);
    t.conditions_end = conditions_end;
    add_links(p, list, g, &t);
    return t;
}

const struct gather_spec *
gather_spec_of_whole(struct planner *p, struct gathering *list)
{
    struct gather_spec  *out = make(p, sizeof(*out));
    struct gather_table *tables;
    if (p->refused)
        return NULL;
    for (const struct gathering *g = list; g != NULL; g = g->next)
        out->n_tables++;
    tables = make(p, out->n_tables * sizeof(*tables));
    for (const struct gathering *g = list; g != NULL; g = g->next) {
        tables[place_of(list, g)] = table_spec(p, list, g);
        out->hides |= hide_table(p, g->table);
    }
    out->tables  = tables;
    out->n_waves = 1;
    out->calls   = true;
    out->ordered = true; /* who knows what it does with them */
    return out;
}

static void
note_place(struct change_target *t, uint32_t at, const struct gathering *g)
{
    t->at    = at;
    t->whole = g->whole;
}

const struct gather_spec *
gather_make(struct planner *p, struct query *q, struct change_maker *m)
{
    struct gathering *list = NULL;
    struct scope     *s;
    struct visitor    v = { .query = give_lock };
    p->whole = q;
    p->maker = m;
    visit_query(&v, q);
    if (!check_statement(p) || !scope_query(p, q, NULL, NULL, NULL, &s) ||
        (m != NULL && !meet_tail(p, m, s)) || !check_tail(p) || !add_tables(p, &list) ||
        !add_locks(p, list) || !check_whole(p, list) ||
        (m != NULL && !change_targets(p, m, s, &list)) || list == NULL)
        return NULL;
    where_complete(p);
    gather_columns(p, list);
    gather_filters(p, list);
    meet_filters(p, list);
    if (p->refused || !match_check(p, q, list))
        return NULL;
    if (m != NULL)
        change_limit(p, list, s);
    list = gather_joins(p, list, m);
    struct gather_spec *out = make(p, sizeof(*out));
    for (const struct gathering *g = list; g != NULL; g = g->next)
        out->n_tables++;
    struct gather_table *tables = make(p, out->n_tables * sizeof(*tables));
    uint32_t             at     = 0;
    for (const struct gathering *g = list; g != NULL; g = g->next) {
        tables[at] = table_spec(p, list, g);
        for (uint32_t i = 0; m != NULL && i < m->spec->n_targets; i++)
            if (m->targets[m->spec->meets ? 0 : i] == g)
                note_place((struct change_target *)(uintptr_t)&m->spec->targets[i], at, g);
        at++;
        out->hides |= hide_table(p, g->table);
        out->n_waves = g->wave + 1;
    }
    out->tables = tables;
    bool orders  = m == NULL ? gather_is_ordered(p) : m->spec->takes_numbers ||
                   (m->spec->meets && m->spec->from_query);
    out->calls   = p->readers != NULL;
    out->ordered = (orders || out->calls) && (p->stmt->flags & STMT_HAS_PERIOD) == 0;
    out->text    = gather_statement(p, list);
    out->asks_defaults = p->n_defaults != 0;
    return out;
}

bool
gather_home(const struct gather_spec *spec, uint32_t *home)
{
    uint32_t found = ROUTES_NONE;
    for (uint32_t i = 0; i < spec->n_tables; i++) {
        const struct target *t = &spec->tables[i].target;
        if (t->kind != TARGET_HOME)
            continue;
        if (found != ROUTES_NONE && found != t->home)
            return false;
        found = t->home;
    }
    *home = found;
    return true;
}

/* What for, without the word that begins every sentence of ours. */
static const char *
reason(struct planner *p)
{
    static const char own[] = "shardd: ";
    const char       *why   = p->out->error.message;
    if (strncmp(why, own, sizeof(own) - 1) == 0)
        why += sizeof(own) - 1;
    return arena_cstr(p->arena, span_of(why));
}

void
gather_become(struct planner *p, const struct planner *g, const struct gather_spec *made,
              enum plan_kind kind)
{
    struct plan *out  = p->out;
    uint32_t     home = ROUTES_NONE;

    out->reason    = reason(p);
    out->kind      = kind;
    out->text      = made->text;
    out->target    = (struct target){ .kind = TARGET_ALL, .home = ROUTES_NONE };
    if (gather_home(made, &home) && home != ROUTES_NONE)
        out->target = (struct target){ .kind = TARGET_HOME, .home = home };
    out->merge     = NULL;
    out->has_limit = false;
    out->n_numbers = 0;
    out->error     = (struct sql_error){ 0 };
    p->refused     = false;
    p->instances   = g->instances;
    p->any_stored  = made->calls;
    p->any_sharded |= g->any_sharded;
    p->at_home     = NULL;
    p->home_database = g->home_database;
}

/* Without an engine. */
void
gather_tell_of_engines(struct planner *p)
{
    struct sql_error *e = &p->out->error;
    size_t            n = strlen(e->message);
    snprintf(e->message + n, sizeof(e->message) - n,
             "; or add an engine, which can answer it: 'shardctl engine add'");
}

void
gather_planner(const struct planner *p, struct plan *scratch, struct planner *out)
{
    *scratch = *p->out;
    *out     = (struct planner){
            .arena = p->arena, .context = p->context, .routes = p->routes, .text = p->text,
            .source = p->source, .digest = p->digest, .stmt = p->stmt, .out = scratch,
            .params = p->params, .n_params = p->n_params,
            .home = ROUTES_NONE, .home_database = ROUTES_NONE, .gathers = true,
    };
}

void
plan_gather(struct planner *p, struct query *q)
{
    bool           engine = p->routes->n_engines > 0;
    struct plan    scratch;
    struct planner g;
    if (!p->refused && !engine)
        return;
    gather_planner(p, &scratch, &g);
    const struct gather_spec *made = gather_make(&g, q, NULL);
    if (made != NULL && !engine) {
        gather_tell_of_engines(p);
    } else if (made != NULL) {
        p->out->gather           = made;
        p->out->cacheable        = scratch.cacheable;
        p->out->n_user_variables = scratch.n_user_variables;
        p->out->user_variables   = scratch.user_variables;
        if (p->refused)
            gather_become(p, &g, made, PLAN_GATHER);
    } else if (p->refused && g.refused && engine) {
        p->out->error = scratch.error;
    }
}
