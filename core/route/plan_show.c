/* plan_show.c - see plan_internal.h: SHOW, DESCRIBE, EXPLAIN. */
#include "core/route/gather.h"
#include "core/route/plan_internal.h"

static void
show_shardd(struct planner *p)
{
    static const struct {
        const char      *name;
        enum shardd_show show;
    } shows[] = {
        { "STATUS", SHARDD_STATUS },   { "SHARDS", SHARDD_SHARDS },   { "POOLS", SHARDD_POOLS },
        { "CLIENTS", SHARDD_CLIENTS }, { "DIGESTS", SHARDD_DIGESTS },
        { "TRANSACTIONS", SHARDD_TRANSACTIONS }, { "ENGINES", SHARDD_ENGINES },
        { "SERVERS", SHARDD_SERVERS },
    };
    const struct show *s = p->stmt->show;
    if (s->like != NULL || s->where != NULL || s->limit != NULL) {
        NOT_YET(p, "shardd: SHOW SHARDD %.*s shows all rows: LIKE, WHERE and LIMIT do not go "
                "with it", SHOWN(s->name));
        return;
    }
    for (size_t i = 0; i < countof(shows); i++) {
        if (!span_equal_nocase(s->name, span_of(shows[i].name)))
            continue;
        p->out->kind    = PLAN_SHARDD;
        p->out->show    = shows[i].show;
        p->out->is_read = true;
        p->out->reason  = "the proxy answers";
        return;
    }
    refuse(p, SQL_UNKNOWN_ERROR,
           "shardd: SHOW SHARDD knows STATUS, SHARDS, SERVERS, ENGINES, POOLS, CLIENTS, "
           "TRANSACTIONS and DIGESTS");
}

static void
show(struct planner *p)
{
    const struct show *s = p->stmt->show;
    if (s->kind == KW_SHARDD) {
        show_shardd(p);
        return;
    }
    if (s->kind == KW_GRANTS || (s->kind == KW_CREATE && s->object == KW_USER)) {
        plan_account(p);
        p->out->implicit_commit = p->out->is_write = false;
        return;
    }
    if (plan_show_server(p) || plan_show_information(p))
        return;
    struct span schema = s->schema.ptr != NULL         ? s->schema
                         : s->table.schema.ptr != NULL ? s->table.schema
                                                       : p->context->schema;
    /* SHOW CREATE DATABASE d: the name is a database's. */
    if (s->kind == KW_CREATE && s->object == KW_DATABASE)
        schema = s->table.name;
    to_home(p, home_of(p, schema, &p->home_database), "the home of the database knows");
    p->out->is_read     = true;
    p->out->variables   = s->kind == KW_VARIABLES && s->like != NULL;
    if (s->kind == KW_PROCESSLIST)
        p->out->processlist = s->full ? PROCESSLIST_FULL : PROCESSLIST_SHOW;
    p->out->diagnostics = s->kind == KW_WARNINGS || s->kind == KW_ERRORS;
}

/* A shard that has all of the tables can explain; what the engine will really do depends on the
 * rows that it gets. */
static bool
explain_gather(struct planner *p, const struct plan *inner, bool analyze)
{
    if (analyze)
        return NOT_YET(p, "shardd: ANALYZE of a statement whose rows are brought together from "
                          "several shards is not supported; EXPLAIN SHARDD shows what is done");
    uint32_t home;
    if (!gather_home(inner->gather, &home))
        return NOT_YET(p, "shardd: no shard has all the tables of this statement, so none can "
                          "explain it; EXPLAIN SHARDD shows what is done");
    return true;
}

static void
explain(struct planner *p)
{
    const struct explain *e = p->stmt->explain;
    if (e->shardd) {
        bool json = e->format.ptr != NULL && span_equal_nocase(e->format, SPAN("json"));
        if (e->format.ptr != NULL && !json && !span_equal_nocase(e->format, SPAN("tree"))) {
            refuse(p, SQL_UNKNOWN_ERROR,
                   "shardd: EXPLAIN SHARDD knows FORMAT=TREE and FORMAT=JSON");
            return;
        }
        p->out->kind    = PLAN_SHARDD;
        p->out->show    = json ? SHARDD_EXPLAIN_JSON : SHARDD_EXPLAIN;
        p->out->is_read = true;
        p->out->reason  = "the proxy answers";
        p->out->name    = arena_copy(p->arena, (struct span){ p->text.ptr + e->text.start,
                                                              e->text.end - e->text.start });
        return;
    }
    if (e->statement == NULL) {
        NOT_YET(p, "shardd: EXPLAIN FOR CONNECTION is not supported: a connection has no server of "
                   "its own");
        return;
    }
    struct plan inner;
    plan_make(p->arena, p->context, p->text, p->digest, e->statement, &inner);
    if (inner.kind == PLAN_EXPAND) { /* of the whole text */
        p->out->kind = PLAN_EXPAND;
        p->out->text = inner.text;
        return;
    }
    if (inner.kind == PLAN_REFUSE) {
        p->refused    = true;
        p->out->error = inner.error;
        return;
    }
    bool gathers = inner.kind == PLAN_GATHER || inner.kind == PLAN_CHANGE;
    if (gathers && !explain_gather(p, &inner, e->analyze))
        return;
    p->out->kind           = PLAN_ONE;
    p->out->target         = inner.target;
    p->out->target.first   = !e->analyze;
    p->out->target.one_shard = e->analyze;
    p->out->error          = inner.error;
    p->out->database       = inner.database;
    p->out->is_read        = !e->analyze || inner.is_read;
    p->out->is_write       = e->analyze && inner.is_write;
    p->out->reason         = "one of the statement's shards explains";
    if (e->analyze && (inner.kind == PLAN_INSERT || inner.reference_write))
        NOT_YET(p, "shardd: ANALYZE of this statement would write; use EXPLAIN");
    hide_explain(p, &inner);
    if (inner.kind == PLAN_INSERT)
        p->out->target = (struct target){ .kind = TARGET_ALL, .first = true };
}

void
plan_show(struct planner *p)
{
    if (p->stmt->kind == STMT_SHOW)
        show(p);
    else
        explain(p);
}
