/* explain.h - a plan as a tree of steps, each with what it does, where, and why.
 *
 *   scatter                     no key is given
 *     merge                     groups span shards: their parts are added up
 *       group: 1
 *     shards: shard-1, shard-2
 *     text: SELECT city, COUNT(*) ...
 *
 * The same tree is text for people and JSON for programs. It is of one execution: literals have
 * their values.
 */
#ifndef CORE_ROUTE_EXPLAIN_H
#define CORE_ROUTE_EXPLAIN_H

#include "core/route/plan.h"

/* A list of texts, or one of them, or a number. */
struct explain_item {
    const char          *key;
    bool                 is_number, is_list;
    uint64_t             number;
    uint32_t             n;
    struct span         *texts;
    struct explain_item *next;
};

struct explain_node {
    const char          *step;
    struct span          why; /* empty: nothing was decided */
    struct explain_item *items;
    struct explain_node *first, *next;
};

/* The plan of a statement, with its views' SELECTs where those are what is planned: then
 * values->text is another one. `digest` is the caller's, to be ended behind all else. False: there
 * is no statement in the text. */
bool explain_plan(struct arena *arena, const struct plan_context *context, struct span text,
                  struct digest *digest, struct plan *plan, struct plan_values *values) must_check;

/* `plan` is made of values.text, with these routes; all lives in `arena`. With parameters, whose
 * values are not known, the shards are those that may be asked. */
struct explain_node *explain_make(struct arena *arena, const struct plan *plan,
                                  const struct routes *routes, const struct plan_values *values);

/* One more thing that is known of a step. */
void explain_add(struct arena *arena, struct explain_node *node, const char *key, const char *text);

/* A line for the people: `depth` from 0. */
typedef void explain_line(void *context, unsigned depth, struct span text, struct span why);
void explain_lines(const struct explain_node *node, explain_line *line, void *context);

/* {"step": "scatter", "why": "...", "shards": [...], ..., "steps": [...]} */
void explain_json(const struct explain_node *node, struct buf *out);

#endif
