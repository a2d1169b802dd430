/* plan_trigger.h - writes to tables whose triggers change. */
#ifndef CORE_ROUTE_PLAN_TRIGGER_H
#define CORE_ROUTE_PLAN_TRIGGER_H

#include "core/route/plan_internal.h"

/* The statement names this table. A write to one whose shards may have different triggers, or to a
 * view that may show one, is refused. */
void plan_note_triggers(struct planner *p, const struct route_table *t);

#endif
