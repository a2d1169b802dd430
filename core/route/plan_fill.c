/* plan_fill.c - see plan_internal.h: CREATE TEMPORARY TABLE ... SELECT from rows of several shards.
 *
 *   CREATE TEMPORARY TABLE filling SELECT ... LIMIT 0    its columns, as every shard has the tables
 *   INSERT INTO filling SELECT ...                       as any other, gathered
 *   CREATE TEMPORARY TABLE x ... SELECT * FROM filling   so rows stay behind a ROLLBACK, as they do
 *   DROP TEMPORARY TABLE filling                         on a server
 */
#include "core/route/plan_internal.h"

#define FILLING "shardd filling"

static void
filling(struct text *t, struct span schema)
{
    text_name(t, schema);
    text_const(t, ".");
    text_name(t, SPAN(FILLING));
}

/* The query, and no rows. Nothing may stand behind a WITH in parentheses. */
static void
empty_query(struct text *t, const struct query *q, struct range range)
{
    uint32_t at = range.end, end = at;
    if (q->limit != NULL) {
        at  = q->limit->range.start;
        end = q->limit->range.end;
    } else if (q->lock_range.end != 0) {
        at = end = q->lock_range.start;
    }
    text_source(t, range.start, at);
    text_const(t, " LIMIT 0 ");
    text_source(t, end, range.end);
}

void
plan_fill(struct planner *p)
{
    const struct create_table *c     = p->stmt->create_table;
    const struct range         range = c->query->with != NULL ? c->query->range : c->query_range;
    struct fill_spec          *fill  = make(p, sizeof(*fill));
    uint32_t                   database;
    struct text                t;
    struct span schema = c->table.schema.ptr != NULL ? c->table.schema : p->context->schema;
    p->refused    = false;
    p->out->error = (struct sql_error){ 0 };
    text_begin(&t, p);
    text_const(&t, "CREATE TEMPORARY TABLE ");
    filling(&t, schema);
    text_const(&t, " ");
    empty_query(&t, c->query, range);
    fill->make = text_end(&t);
    text_begin(&t, p);
    text_const(&t, "INSERT INTO ");
    filling(&t, schema);
    text_const(&t, " ");
    text_source(&t, range.start, range.end);
    fill->insert = text_end(&t);
    text_begin(&t, p);
    text_source(&t, p->stmt->range.start, c->query_range.start);
    text_const(&t, " SELECT * FROM ");
    filling(&t, schema);
    fill->name = text_end(&t);
    text_begin(&t, p);
    text_const(&t, "DROP TEMPORARY TABLE IF EXISTS ");
    filling(&t, schema);
    fill->drop   = text_end(&t);
    p->out->fill = fill;
    to_home(p, home_of(p, schema, &database), "rows of several shards become a temporary table");
}
