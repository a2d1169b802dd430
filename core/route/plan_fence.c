/* plan_fence.c - see fence.h: what of a statement's tables a fence may concern. */
#include "core/route/plan_internal.h"

static bool
any_table_is_fenced(const struct routes *r)
{
    bool any = false;

    for (uint32_t i = 0; r->fenced && i < r->n_tables; i++)
        any |= r->tables[i].fenced;
    return any;
}

/* What views and routines reach is known by kind only. */
static bool
may_reach_more(const struct planner *p)
{
    return p->stmt == NULL || p->any_view || p->any_stored || p->out->runs_code ||
           p->out->opaque;
}

/* A SEQUENCE is at home and no table of ours: its home, or whatever else is one, is switched. */
static bool
may_meet_sequence(const struct planner *p)
{
    const struct routes *r   = p->routes;
    bool                 any = false;

    for (uint32_t i = 0; i < r->n_databases; i++)
        any |= r->shards[r->databases[i].home].fenced;
    return any && p->digest != NULL && (p->digest->flags & DIGEST_SEQUENCE) != 0;
}

void
plan_note_fence(struct planner *p)
{
    struct plan *out = p->out;

    out->sharded = p->any_sharded;
    if (!p->routes->fenced)
        return;
    out->meets_fenced_table = may_meet_sequence(p);
    if (!any_table_is_fenced(p->routes))
        return;
    out->meets_fenced_table |= may_reach_more(p);
    for (const struct instance *i = p->instances; i != NULL; i = i->next_all)
        out->meets_fenced_table |= i->table != NULL && i->table->fenced;
}
