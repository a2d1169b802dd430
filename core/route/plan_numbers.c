/* plan_numbers.c - see plan_internal.h: seq_1_to_9_step_2 and its like.
 *
 * The SEQUENCE engine makes such a table up from its name alone, in any database, and no other
 * table can have such a name. So it is everywhere, like a copy of a reference table, and on the
 * engine too, where nothing has to be fetched for it.
 */
#include "core/route/plan_internal.h"

static const struct route_column columns[] = {
    { .name = { (const uint8_t *)"seq", 3 }, .type = COLUMN_BIGINT, .is_unsigned = true,
      .primary = 1 },
};

static bool
take_word(struct span *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len < n || memcmp(s->ptr, word, n) != 0)
        return false;
    *s = span_from(*s, n);
    return true;
}

static bool
take_number(struct span *s)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    *s = span_from(*s, n);
    return n != 0;
}

/* In small letters, as the engine has it. */
static bool
is_name(struct span s)
{
    if (!take_word(&s, "seq_") || !take_number(&s) || !take_word(&s, "_to_") || !take_number(&s))
        return false;
    return s.len == 0 || (take_word(&s, "_step_") && take_number(&s) && s.len == 0);
}

struct instance *
numbers_add(struct planner *p, struct scope *s, const struct table_ref *ref)
{
    struct span schema   = ref->table.schema.ptr != NULL ? ref->table.schema : p->context->schema;
    uint32_t    database = routes_database(p->routes, schema);

    if (database == ROUTES_NONE || !is_name(ref->table.name) ||
        routes_table(p->routes, database, ref->table.name) != ROUTES_NONE)
        return NULL;
    struct instance    *i = scope_add(p, s, ref->alias.ptr != NULL ? ref->alias : ref->table.name,
                                      schema);
    struct route_table *t = make(p, sizeof(*t));
    *t = (struct route_table){ .name = ref->table.name, .database = database,
                               .kind = TABLE_REFERENCE, .key = ROUTES_NONE,
                               .auto_increment = ROUTES_NONE, .n_columns = countof(columns),
                               .columns = columns };
    i->table           = t;
    p->any_reference   = true;
    p->reference_home  = p->routes->databases[database].home;
    return i;
}

bool
numbers_is(const struct instance *i)
{
    return i->table != NULL && i->table->columns == columns;
}
