/* plan_trigger.c - see plan_trigger.h. */
#include "core/route/plan_trigger.h"

static bool
any_triggers_change(const struct planner *p)
{
    for (uint32_t i = 0; i < p->routes->n_tables; i++)
        if (p->routes->tables[i].triggers == TRIGGERS_CHANGING)
            return true;
    return false;
}

void
plan_note_triggers(struct planner *p, const struct route_table *t)
{
    bool writes = p->stmt != NULL &&
                  (p->stmt->kind == STMT_INSERT || p->stmt->kind == STMT_UPDATE ||
                   p->stmt->kind == STMT_DELETE || p->stmt->kind == STMT_LOAD);
    bool view   = t->kind == TABLE_VIEW && t->view_kind == TABLE_SHARDED;
    if (writes && (t->triggers == TRIGGERS_CHANGING || (view && any_triggers_change(p))))
        NOT_YET(p, "shardd: the triggers of '%.*s' are being changed, or that was interrupted, and "
                   "shards may have different ones: try again, or repeat CREATE or DROP TRIGGER",
                SHOWN(t->name));
}
