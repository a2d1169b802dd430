/* plan_select.c - see plan_internal.h: reads, and whether one shard will do. */
#include "core/route/plan_internal.h"

static void
one(struct planner *p, const char *reason)
{
    p->out->kind   = PLAN_ONE;
    p->out->reason = reason;
}

bool
target_certainly_one(const struct planner *p, const struct target *t)
{
    if (t->at_home || t->n_groups != 1 || t->groups[0].n_keys != 1 || p->digest == NULL)
        return false;
    const struct operand     *o     = &t->groups[0].keys[0];
    const struct route_table *table = &p->routes->tables[t->groups[0].table];
    return o->kind == OPERAND_LITERAL && o->ordinal < p->digest->n_literals &&
           p->digest->literals[o->ordinal].kind == TOK_INT && !o->collate &&
           column_is_integer(table->columns[table->key].type);
}

static void
select_keys(struct planner *p, struct query *q, struct scope *s)
{
    struct target *t = &p->out->target;
    if (t->n_groups > 1 || t->at_home || t->one_shard || s == NULL) {
        one(p, "the keys must be of one shard");
        t->one_shard = true;
        return;
    }
    if (target_certainly_one(p, t)) {
        one(p, "the key is given");
        t->one_shard = true;
        return;
    }
    if (plan_scatter(p, q, s)) {
        p->out->reason = "the keys are given";
        return;
    }
    /* Good for one shard; `error` says why not for more. */
    p->refused    = false;
    p->out->text  = NULL;
    p->out->merge = NULL;
    t->one_shard  = true;
    one(p, "the keys must be of one shard");
}

static void
read_rows(struct planner *p, struct query *q)
{
    struct scope *s   = NULL;
    struct plan  *out = p->out;
    out->locks        = (p->stmt->flags & STMT_HAS_LOCK) != 0;
    out->is_read      = !out->locks && (p->stmt->flags & STMT_HAS_INTO) == 0 &&
                   (p->digest == NULL || (p->digest->flags & DIGEST_SEQUENCE) == 0);
    if (!scope_query(p, q, NULL, NULL, NULL, &s) ||
        !where_target(p, s == NULL ? NULL : s->region, &out->target))
        return;
    uint32_t flags = p->digest == NULL ? 0 : p->digest->flags;
    switch (out->target.kind) {
    case TARGET_ANY:
        if ((flags & DIGEST_SEQUENCE) != 0) {
            to_home(p, home_of(p, p->context->schema, &p->home_database),
                    "sequences are on their database's home");
            break;
        }
        one(p, p->any_reference ? "reference tables are everywhere" : "no table's rows");
        if (p->any_reference && out->locks)
            to_home(p, p->reference_home, "locks are taken on the home copy");
        break;
    case TARGET_HOME: one(p, "tables of one shard"); break;
    case TARGET_NONE: one(p, "no row can match"); break;
    case TARGET_KEYS: select_keys(p, q, s); break;
    case TARGET_ALL:
    case TARGET_EVERY: /* no read is */
        if (plan_scatter(p, q, s)) {
            out->reason = "no key is given";
            plan_lookup_read(p, s);
        }
        break;
    }
}

/* FOUND_ROWS() counts what OFFSET skips, and a union's rows without LIMIT. */
static void
note_offset(struct planner *p, const struct query *q)
{
    const struct limit *l   = q->limit;
    struct plan        *out = p->out;
    if (l == NULL)
        return;
    out->has_offset = q->kind == QUERY_BLOCK && l->offset != NULL &&
                      operand_make(p, l->offset, &out->page_offset);
    out->asks_found_rows = q->kind != QUERY_BLOCK || (l->offset != NULL && !out->has_offset);
}

static void
one_shard(struct planner *p)
{
    struct plan *out = p->out;
    if (!p->refused)
        return;
    /* All rows are there, whatever is done with them. What was not looked at any more may
     * run code. */
    p->refused    = false;
    p->any_stored = true;
    out->text     = NULL;
    out->merge    = NULL;
    to_home(p, 0, "there is one shard");
}

void
plan_select(struct planner *p, struct query *q)
{
    const struct plan *out = p->out;
    read_rows(p, q);
    note_offset(p, q);
    if (p->routes->n_shards == 1 && !hide_routes(p->routes)) {
        one_shard(p);
        return;
    }
    bool spreads = !p->refused && out->kind == PLAN_ONE && out->target.one_shard &&
                   !target_certainly_one(p, &out->target);
    /* What types the shards' columns have, and how many rows there are, is seen when it runs. */
    bool uncertain = !p->refused && out->kind == PLAN_SCATTER && out->merge->uncertain;
    if (spreads || uncertain || (p->refused && out->error.code == SQL_NOT_SUPPORTED))
        plan_gather(p, q);
}
