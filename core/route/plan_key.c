/* plan_key.c - see plan.h: a client that says which key it means is held to its word.
 *
 * Owners are not asked: two keys that happen to be on one shard today are two keys.
 */
#include "core/route/gather.h"
#include "core/route/plan_internal.h"

static bool
strays(const struct route_table *t, struct sql_error *error)
{
    return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: shard_key is given, and the statement "
                         "may use other rows of '%.*s' as well: give the same value for '%.*s' in "
                         "WHERE or VALUES, or no shard_key", SHOWN(t->name),
                         SHOWN(t->columns[t->key].name));
}

/* The hash of the key that was promised, as `t` has it. */
static bool
promised(const struct route_table *t, const struct key_value *key, uint64_t *hash,
         struct sql_error *error)
{
    const struct route_column *c = &t->columns[t->key];

    return keyhash_compare(c, key, hash) == KEY_HASH ||
           sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: shard_key is no value that '%.*s' of "
                         "'%.*s' can have exactly: give it as the column stores it",
                         SHOWN(c->name), SHOWN(t->name));
}

static bool
insert_keeps(const struct plan *plan, const struct routes *r, const struct plan_values *values,
             const struct key_value *key, struct sql_error *error)
{
    const struct route_table *t = &r->tables[plan->insert->table];
    uint64_t                  wanted, hash;

    if (!promised(t, key, &wanted, error))
        return false;
    for (uint32_t row = 0; row < plan->insert->n_rows; row++) {
        enum insert_number number = INSERT_PLAIN;
        uint64_t           value;
        if (plan->insert->rows[row].key_auto &&
            !insert_inspect(plan, r, values, row, &number, &value, error))
            return false;
        if (number == INSERT_NUMBER)
            return strays(t, error);
        if (!insert_hash(plan, r, values, row, false, 0, &hash, error))
            return false;
        if (hash != wanted)
            return strays(t, error);
    }
    return true;
}

static bool
group_keeps(const struct plan *plan, const struct routes *r, const struct key_group *g,
            const struct plan_values *values, const struct key_value *key,
            struct sql_error *error)
{
    const struct route_table *t = &r->tables[g->table];
    uint64_t                  wanted, hash;

    if (!promised(t, key, &wanted, error))
        return false;
    for (uint32_t i = 0; i < g->n_keys; i++) {
        struct value_room room;
        struct key_value  value;
        room.bytes = (struct buf){ 0 };
        operand_value(plan, &g->keys[i], values, &room, &value);
        enum key_result result = keyhash_compare(&t->columns[t->key], &value, &hash);
        buf_fini(&room.bytes);
        if (result != KEY_NONE && (result != KEY_HASH || hash != wanted))
            return strays(t, error);
    }
    return true;
}

bool
plan_keeps_to(const struct plan *plan, const struct routes *r, const struct plan_values *values,
              const struct key_value *key, struct sql_error *error)
{
    const struct target *t = &plan->target;

    if (plan->kind == PLAN_INSERT)
        return insert_keeps(plan, r, values, key, error);
    bool whole = plan->kind == PLAN_GATHER || plan->kind == PLAN_LOAD || plan->kind == PLAN_DDL ||
                 gather_needed(plan, r, values) || t->kind == TARGET_ALL ||
                 t->kind == TARGET_EVERY;
    if (whole)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "shardd: shard_key is given, and the "
                             "statement is not for the rows of one key: compare the key column of "
                             "each table with that value, or give no shard_key");
    for (uint32_t i = 0; t->kind == TARGET_KEYS && i < t->n_groups; i++)
        if (!group_keeps(plan, r, &t->groups[i], values, key, error))
            return false;
    return true;
}
