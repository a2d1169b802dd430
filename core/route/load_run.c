/* load_run.c - see load_run.h. */
#include "core/route/load_run.h"

#include <stdio.h>

#include "core/route/plan_internal.h"

static bool
undecided(const struct route_table *t, const struct route_column *c,
          const struct load_field *field, struct sql_error *error)
{
    if (!field->present)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "has no value for '%.*s', by which the "
                             "rows of '%.*s' are placed or numbered", SHOWN(c->name),
                             SHOWN(t->name));
    if (field->null)
        return sql_error_set(error, SQL_NOT_SUPPORTED, "has NULL for '%.*s' of '%.*s', which a "
                             "server would change when it stores it", SHOWN(c->name),
                             SHOWN(t->name));
    return sql_error_set(error, SQL_NOT_SUPPORTED,
                         "has '%.*s' for '%.*s' of '%.*s', which would be changed when it is "
                         "stored, or is not known exactly: write it as the column stores it",
                         SHOWN(field->value), SHOWN(c->name), SHOWN(t->name));
}

/* Digits with zeroes in front are the number. */
static bool
is_integer_text(struct span s)
{
    size_t at = s.len > 0 && s.ptr[0] == '-';

    if (at == s.len || s.len > 20)
        return false;
    for (; at < s.len; at++)
        if (s.ptr[at] < '0' || s.ptr[at] > '9')
            return false;
    return true;
}

static enum key_result
stored(const struct load_spec *spec, const struct route_column *c,
       const struct load_field *field, uint64_t *hash)
{
    struct key_value v = { .kind = KEY_VALUE_STRING, .bytes = field->value,
                           .collation = spec->collation };

    if (!field->present || field->broken)
        return KEY_UNDECIDED;
    if (field->null)
        v.kind = KEY_VALUE_NULL;
    else if (column_is_integer(c->type) && is_integer_text(field->value))
        v.kind = KEY_VALUE_INT;
    return keyhash_stored(c, &v, !spec->zero_is_number, hash);
}

bool
load_inspect(const struct load_spec *spec, const struct routes *r,
             const struct load_field *field, enum insert_number *number, uint64_t *value,
             struct sql_error *error)
{
    const struct route_table *t = &r->tables[spec->table];
    uint64_t                  hash;

    *number = INSERT_NUMBER;
    if (field == NULL)
        return true;
    const struct route_column *c = &t->columns[t->auto_increment];
    switch (stored(spec, c, field, &hash)) {
    case KEY_AUTO: return true;
    case KEY_HASH:
        if (field->value.len != 0 && field->value.ptr[0] == '-')
            *number = INSERT_PLAIN; /* a negative one does not move the sequence */
        else if (literal_u64(field->value, value))
            *number = INSERT_RAISES;
        else
            return undecided(t, c, field, error);
        return true;
    case KEY_ANY: case KEY_NONE: case KEY_UNDECIDED: break;
    }
    return undecided(t, c, field, error);
}

bool
load_shard(const struct load_spec *spec, const struct routes *r, const struct load_field *field,
           uint64_t number, uint32_t *shard, struct sql_error *error)
{
    const struct route_table  *t = &r->tables[spec->table];
    const struct route_column *c = &t->columns[t->key];
    uint64_t                   hash = keyhash_null();
    char                       digits[24];

    if (field == NULL && !spec->key_null) {
        int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
        struct load_field own = { .present = true, .value = { (const uint8_t *)digits,
                                                              (size_t)len } };
        if (stored(spec, c, &own, &hash) != KEY_HASH)
            return undecided(t, c, &own, error);
    } else if (field != NULL && stored(spec, c, field, &hash) != KEY_HASH)
        return undecided(t, c, field, error);
    *shard = routes_owner(r, hash);
    return true;
}
