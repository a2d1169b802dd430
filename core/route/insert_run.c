/* insert_run.c - see plan.h: rows of an INSERT at run time. */
#include <stdio.h>

#include "core/route/plan_internal.h"

static const struct route_table *
table_of(const struct plan *plan, const struct routes *r)
{
    return &r->tables[plan->insert->table];
}

static bool
undecided(const struct route_table *t, const struct route_column *c, struct sql_error *error)
{
    return sql_error_set(error, SQL_NOT_SUPPORTED,
                         "shardd: the value for '%.*s' of '%.*s' would be changed when it is "
                         "stored, "
                         "or is not known exactly; give it as the column stores it",
                         SHOWN(c->name), SHOWN(t->name));
}

/* One row with NULL where there can be none is an error in every mode. */
static bool
undecided_key(const struct plan *plan, const struct route_table *t, const struct route_column *c,
              const struct key_value *v, struct sql_error *error)
{
    const struct insert_spec *spec = plan->insert;
    if (v->kind == KEY_VALUE_NULL && !c->nullable && spec->n_rows == 1 && !spec->overwrites)
        return sql_error_set(error, 1048, "Column '%.*s' cannot be null", SHOWN(c->name));
    return undecided(t, c, error);
}

static bool
own_number(const struct key_value *v, uint64_t *out)
{
    struct span digits = v->bytes;
    if (v->kind != KEY_VALUE_INT && v->kind != KEY_VALUE_STRING)
        return false;
    if (digits.len > 0 && digits.ptr[0] == '+')
        digits = span_from(digits, 1);
    return literal_u64(digits, out);
}

bool
insert_inspect(const struct plan *plan, const struct routes *r, const struct plan_values *values,
               uint32_t row, enum insert_number *number, uint64_t *value, struct sql_error *error)
{
    const struct insert_spec *spec = plan->insert;
    const struct insert_row  *in   = &spec->rows[row];
    if (!spec->numbered) {
        *number = INSERT_PLAIN;
        return true;
    }
    if (in->auto_missing) {
        *number = INSERT_NUMBER;
        return true;
    }
    const struct route_table  *t = table_of(plan, r);
    const struct route_column *c = &t->columns[t->auto_increment];
    struct value_room          room;
    struct key_value           v;
    uint64_t                   hash;
    bool                       ok = true;
    room.bytes                    = (struct buf){ 0 };
    operand_value(plan, &in->auto_value, values, &room, &v);
    switch (keyhash_stored(c, &v, !spec->zero_is_number, &hash)) {
    case KEY_AUTO: *number = INSERT_NUMBER; break;
    case KEY_HASH:
        if (own_number(&v, value))
            *number = INSERT_RAISES;
        else if (v.bytes.len > 0 && v.bytes.ptr[0] == '-')
            *number = INSERT_PLAIN; /* a negative one does not move the sequence */
        else
            ok = undecided(t, c, error);
        break;
    case KEY_ANY: case KEY_NONE: case KEY_UNDECIDED: ok = undecided(t, c, error); break;
    }
    buf_fini(&room.bytes);
    return ok;
}

bool
insert_brings_numbers(const struct plan *plan, const struct plan_values *values)
{
    for (uint32_t i = 0; i < plan->n_own; i++) {
        struct value_room room = { .bytes = { 0 } };
        struct key_value  v;
        uint64_t          number;
        operand_value(plan, &plan->own_numbers[i], values, &room, &v);
        bool own = own_number(&v, &number) && number != 0;
        buf_fini(&room.bytes);
        if (!own)
            return false;
    }
    return plan->n_own > 0;
}

/* What the row's key column is given; `digits` and `room` hold it. */
static void
key_of(const struct plan *plan, const struct plan_values *values, const struct insert_row *in,
       bool numbered, uint64_t number, char digits[24], struct value_room *room,
       struct key_value *v)
{
    if (!in->key_auto || !numbered) {
        operand_value(plan, in->key_auto ? &in->auto_value : &in->key, values, room, v);
        return;
    }
    int len = snprintf(digits, 24, "%llu", (unsigned long long)number);
    *v = (struct key_value){ .kind  = KEY_VALUE_INT,
                             .bytes = { (const uint8_t *)digits, (size_t)len } };
}

bool
insert_begins(const struct plan *plan, const struct plan_values *values, uint32_t row,
              bool numbered, uint64_t number, struct span entry)
{
    const struct insert_row *in = &plan->insert->rows[row];
    struct value_room        room;
    struct key_value         v;
    char                     digits[24];

    if (in->key_null)
        return false;
    room.bytes = (struct buf){ 0 };
    key_of(plan, values, in, numbered, number, digits, &room, &v);
    bool same = v.bytes.len != 0 && v.bytes.len <= entry.len &&
                memcmp(v.bytes.ptr, entry.ptr, v.bytes.len) == 0 &&
                (entry.len == v.bytes.len || entry.ptr[v.bytes.len] == '-');
    buf_fini(&room.bytes);
    return same;
}

/* Some are stored only in a certain sql_mode: 2024-00-00. */
static bool
is_date(const struct route_column *c, const struct key_value *v)
{
    return (c->type == COLUMN_DATE || c->type == COLUMN_DATETIME) && v->kind == KEY_VALUE_STRING;
}

bool
insert_hash(const struct plan *plan, const struct routes *r, const struct plan_values *values,
            uint32_t row, bool numbered, uint64_t number, uint64_t *out, struct sql_error *error)
{
    const struct insert_row   *in = &plan->insert->rows[row];
    const struct route_table  *t  = table_of(plan, r);
    const struct route_column *c  = &t->columns[t->key];
    uint64_t                   hash = keyhash_null();
    struct value_room          room;
    struct key_value           v;
    char                       digits[24];
    bool                       ok = true;
    room.bytes                    = (struct buf){ 0 };
    if (!in->key_null) {
        key_of(plan, values, in, numbered, number, digits, &room, &v);
        ok = keyhash_stored(c, &v, false, &hash) == KEY_HASH ||
             (values->stored && is_date(c, &v) &&
              keyhash_row(c, v.bytes, v.collation, &hash)) ||
             undecided_key(plan, t, c, &v, error);
    }
    if (ok)
        *out = hash;
    if (ok && values->watch != NULL && !in->key_null)
        values->watch->met(values->watch, plan->insert->table, hash, &v);
    buf_fini(&room.bytes);
    return ok;
}

bool
insert_shard(const struct plan *plan, const struct routes *r, const struct plan_values *values,
             uint32_t row, bool numbered, uint64_t number, uint32_t *shard,
             struct sql_error *error)
{
    uint64_t hash;

    if (!insert_hash(plan, r, values, row, numbered, number, &hash, error))
        return false;
    *shard = routes_owner(r, hash);
    return true;
}
