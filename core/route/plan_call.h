/* plan_call.h - routines that only read, on the engine: for the planner's files. */
#ifndef CORE_ROUTE_PLAN_CALL_H
#define CORE_ROUTE_PLAN_CALL_H

#include "core/route/plan_gather.h"

/* A stored function of the statement: the tables that it may read. */
struct reader {
    struct span    tables;
    struct reader *next;
};

/* plan_call.c: the tables that a routine may read (see function_class.h), whole. False:
 * refused. */
bool gathering_add_read(struct planner *p, struct gathering **list, struct span tables);

/* A stored function of what is gathered, of the functions `list`: it can run on the engine, in a
 * read, when its tables are gathered as well. False: it cannot. */
bool call_note_reader(struct planner *p, struct span list, const struct func *f);

/* Whether a comment may name the shard that the CALL goes to. */
bool call_may_go(struct planner *p);

/* plan_call_key.c: runs where the key of all its rows is, as a parameter gives it. False: it does
 * not keep to one, or nobody knows; where that is so it is refused with the reason. */
bool call_by_key(struct planner *p, struct span list, struct span schema);

/* plan_gather.c: a table of the routes with all columns and rows; the spec of such ones. False,
 * NULL: refused. */
bool gathering_add_whole(struct planner *p, struct gathering **list, uint32_t table);
const struct gather_spec *gather_spec_of_whole(struct planner *p, struct gathering *list);

#endif
