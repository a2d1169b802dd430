/* plan_route.c - see plan.h: from an execution's values to shards. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/route/gather.h"
#include "core/route/plan_internal.h"

void
shard_set_add(struct shard_set *s, uint32_t shard)
{
    uint64_t bit = (uint64_t)1 << (shard % 64);
    if ((s->bits[shard / 64] & bit) != 0)
        return;
    s->bits[shard / 64] |= bit;
    if (s->n == 0 || shard < s->first)
        s->first = shard;
    s->n++;
}

uint32_t
shard_set_next(const struct shard_set *s, uint32_t from)
{
    for (uint32_t word = from / 64; word < countof(s->bits); word++) {
        uint64_t bits = s->bits[word];
        if (word == from / 64)
            bits &= ~(uint64_t)0 << (from % 64);
        if (bits != 0)
            return word * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return ROUTES_NONE;
}

static void
value_string(const struct plan *plan, struct span token, struct value_room *room,
             struct key_value *out)
{
    /* Without escapes and doubled quotes the bytes lie between the quotes. */
    struct span inside = { token.ptr + 1, token.len - 2 };
    out->kind          = KEY_VALUE_STRING;
    out->bytes         = inside;
    bool escapes = !plan->lex.no_backslash_escapes && memchr(inside.ptr, '\\', inside.len);
    if (!escapes && memchr(inside.ptr, token.ptr[0], inside.len) == NULL)
        return;
    size_t at = buf_len(&room->bytes);
    if (!literal_decode(token, TOK_STRING, plan->lex, &room->bytes))
        out->kind = KEY_VALUE_OTHER;
    out->bytes = span_from(buf_unread(&room->bytes), at);
}

static void
value_bytes(const struct plan *plan, struct span token, enum token_kind kind,
            struct value_room *room, struct key_value *out)
{
    size_t at  = buf_len(&room->bytes);
    out->kind  = kind == TOK_HEX_STRING ? KEY_VALUE_HEX_STRING
                 : kind == TOK_NSTRING  ? KEY_VALUE_OTHER
                                        : KEY_VALUE_HEX;
    if (!literal_decode(token, kind, plan->lex, &room->bytes))
        out->kind = KEY_VALUE_OTHER;
    out->bytes = span_from(buf_unread(&room->bytes), at);
}

static void
value_literal(const struct plan *plan, struct span token, enum token_kind kind,
              struct value_room *room, struct key_value *out)
{
    out->bytes = token;
    switch ((int)kind) {
    case TOK_INT:     out->kind = KEY_VALUE_INT; break;
    case TOK_DECIMAL: out->kind = KEY_VALUE_DECIMAL; break;
    case TOK_FLOAT:   out->kind = KEY_VALUE_FLOAT; break;
    case TOK_STRING:  value_string(plan, token, room, out); break;
    default:          value_bytes(plan, token, kind, room, out); break;
    }
}

static bool
is_number(enum key_value_kind kind)
{
    return kind == KEY_VALUE_INT || kind == KEY_VALUE_DECIMAL || kind == KEY_VALUE_FLOAT;
}

/* -value, for a number's text; anything else is an expression. */
static void
negate(struct value_room *room, struct key_value *v)
{
    bool minus = v->bytes.len > 0 && v->bytes.ptr[0] == '-';
    if (!is_number(v->kind) || v->bytes.len + 1 >= sizeof(room->digits)) {
        v->kind = v->kind == KEY_VALUE_NULL ? KEY_VALUE_NULL : KEY_VALUE_OTHER;
        return;
    }
    struct span rest = minus ? span_from(v->bytes, 1) : v->bytes;
    size_t      n    = 0;
    if (!minus)
        room->digits[n++] = '-';
    memcpy(room->digits + n, rest.ptr, rest.len);
    v->bytes = (struct span){ (const uint8_t *)room->digits, n + rest.len };
}

void
operand_value(const struct plan *plan, const struct operand *o, const struct plan_values *values,
              struct value_room *room, struct key_value *out)
{
    *out = (struct key_value){ .kind = KEY_VALUE_OTHER };
    switch (o->kind) {
    case OPERAND_CONST: *out = o->constant; break;
    case OPERAND_PARAM:
        if (o->ordinal < values->n_params)
            *out = values->params[o->ordinal];
        break;
    case OPERAND_LITERAL:
        if (o->ordinal < values->n_literals) {
            const struct literal *l = &values->literals[o->ordinal];
            value_literal(plan, (struct span){ values->text.ptr + l->start, l->end - l->start },
                          l->kind, room, out);
            out->collation = plan->collation;
        }
        break;
    case OPERAND_VAR:
        if (values->variables != NULL)
            *out = values->variables[o->ordinal];
        break;
    }
    if (o->collation != 0)
        out->collation = o->collation;
    out->collate |= o->collate;
    if (o->introduced && (out->kind == KEY_VALUE_HEX || out->kind == KEY_VALUE_HEX_STRING))
        out->kind = KEY_VALUE_STRING;
    if (o->as != KEY_VALUE_OTHER)
        out->kind = out->kind == KEY_VALUE_STRING ? o->as : KEY_VALUE_OTHER;
    if (o->negative)
        negate(room, out);
}

static void
room_fini(struct value_room *room)
{
    if (room->bytes.bytes != NULL)
        buf_fini(&room->bytes);
}

/* `every`: else only those that own rows. */
static void
add_all(const struct routes *r, bool every, struct shard_set *out)
{
    for (uint32_t i = 0; i < r->n_shards; i++)
        if (every || r->shards[i].owns)
            shard_set_add(out, i);
}

/* The owners of a group's keys. */
static void
group_shards(const struct plan *plan, const struct routes *r, const struct key_group *g,
             const struct plan_values *values, struct shard_set *out)
{
    const struct route_table  *table  = &r->tables[g->table];
    const struct route_column *column = &table->columns[table->key];
    for (uint32_t i = 0; i < g->n_keys; i++) {
        struct value_room room;
        struct key_value  value;
        uint64_t          hash;
        room.bytes = (struct buf){ 0 };
        operand_value(plan, &g->keys[i], values, &room, &value);
        enum key_result result = keyhash_compare(column, &value, &hash);
        if (result == KEY_HASH && values->watch != NULL)
            values->watch->met(values->watch, g->table, hash, &value);
        room_fini(&room);
        if (result == KEY_HASH) {
            shard_set_add(out, routes_owner(r, hash));
        } else if (result != KEY_NONE) {
            add_all(r, false, out);
            return;
        }
    }
}

static bool
spread(const struct plan *plan, struct sql_error *error)
{
    if (plan->error.code != 0) {
        *error = plan->error;
        return false;
    }
    return sql_error_set(error, SQL_NOT_SUPPORTED,
                         "shardd: this statement uses rows of several shards together; give the "
                         "key of each table with the same value");
}

static bool
stores(const struct route_column *column, const struct key_value *value)
{
    uint64_t hash;

    return value->kind != KEY_VALUE_NULL &&
           keyhash_stored(column, value, false, &hash) == KEY_HASH;
}

/* Of what is no text of its own: a procedure's statements, say. */
static bool
all_stored(const struct plan *plan, const struct routes *r, const struct target *t,
           const struct plan_values *values, struct sql_error *error)
{
    bool good = true;

    for (uint32_t i = 0; t->n_through > 0 && good && i < t->n_groups; i++) {
        const struct route_table *table = &r->tables[t->groups[i].table];
        struct value_room         room;
        struct key_value          value;

        room.bytes = (struct buf){ 0 };
        operand_value(plan, &t->groups[i].keys[0], values, &room, &value);
        good = stores(&table->columns[table->key], &value);
        for (uint32_t k = 0; k < t->n_through; k++)
            good = good && stores(&t->through[k], &value);
        room_fini(&room);
    }
    return good || sql_error_set(error, SQL_NOT_SUPPORTED,
                                 "shardd: the argument of CALL that is the key of its rows has to "
                                 "be a value that the key's column and the parameter store as it "
                                 "is");
}

/* All groups, and the home when it takes part, must be one shard. */
static bool
route_agreeing(const struct plan *plan, const struct routes *r, const struct target *t,
               const struct plan_values *values, struct shard_set *out, struct sql_error *error)
{
    struct shard_set all = { 0 };
    if (t->at_home)
        shard_set_add(&all, t->home);
    for (uint32_t i = 0; i < t->n_groups; i++)
        group_shards(plan, r, &t->groups[i], values, &all);
    if (all.n > 1)
        return spread(plan, error);
    *out = all;
    return true;
}

static bool
route(const struct plan *plan, const struct routes *r, const struct target *t,
      const struct plan_values *values, uint32_t any, struct shard_set *out,
      struct sql_error *error)
{
    memset(out, 0, sizeof(*out));
    switch (t->kind) {
    case TARGET_ANY:
    case TARGET_NONE: break;
    case TARGET_HOME: shard_set_add(out, t->home); break;
    case TARGET_ALL:  add_all(r, false, out); break;
    case TARGET_EVERY: add_all(r, true, out); break;
    case TARGET_KEYS:
        if (!all_stored(plan, r, t, values, error))
            return false;
        if (t->n_groups > 1 || t->at_home) {
            if (!route_agreeing(plan, r, t, values, out, error))
                return false;
            break;
        }
        group_shards(plan, r, &t->groups[0], values, out);
        break;
    }
    if (t->one_shard && out->n > 1)
        return spread(plan, error);
    if (t->first && out->n > 1) {
        uint32_t first = shard_set_has(out, any < r->n_shards ? any : 0) ? any : out->first;
        memset(out, 0, sizeof(*out));
        shard_set_add(out, first);
    }
    if (out->n == 0)
        shard_set_add(out, any < r->n_shards ? any : 0);
    return true;
}

bool
plan_route(const struct plan *plan, const struct routes *r, const struct plan_values *values,
           uint32_t any, struct shard_set *out, struct sql_error *error)
{
    return route(plan, r, &plan->target, values, any, out, error);
}

bool
gather_needed(const struct plan *plan, const struct routes *r, const struct plan_values *values)
{
    struct shard_set shards;
    struct sql_error error;
    if (plan->kind == PLAN_GATHER || plan->kind == PLAN_CHANGE || plan->gather == NULL)
        return plan->kind == PLAN_GATHER || plan->kind == PLAN_CHANGE;
    if (plan->kind == PLAN_SCATTER && plan->gather != NULL)
        return plan->unmergeable;
    return !plan_route(plan, r, values, 0, &shards, &error);
}

void
gather_route(const struct plan *plan, const struct routes *r, const struct gather_table *table,
             const struct plan_values *values, uint32_t any, struct shard_set *out)
{
    struct sql_error error;
    bool             routed = route(plan, r, &table->target, values, any, out, &error);
    assert(routed); /* one group, and no promise of one shard */
    (void)routed;
}

/* As a server reads a parameter of LIMIT: NULL is none, '5' is 5, 2.5 is 3. */
static bool
whole_number(const struct key_value *v, uint64_t *out)
{
    struct span digits = v->bytes;
    if (v->kind == KEY_VALUE_NULL) {
        *out = 0;
        return true;
    }
    const uint8_t *point = v->kind == KEY_VALUE_DECIMAL && digits.len != 0
                               ? memchr(digits.ptr, '.', digits.len)
                               : NULL;
    if (point != NULL)
        digits.len = (size_t)(point - digits.ptr);
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    bool number = v->kind == KEY_VALUE_INT || v->kind == KEY_VALUE_DECIMAL ||
                  v->kind == KEY_VALUE_STRING;
    if (!number || digits.len == 0 || !literal_u64(digits, out))
        return false;
    bool up = point != NULL && digits.len + 1 < v->bytes.len && point[1] >= '5';
    *out += up && *out != UINT64_MAX;
    return true;
}

static bool
limit_number(const struct plan *plan, const struct operand *o, const struct plan_values *values,
             uint64_t *out, struct sql_error *error)
{
    struct value_room room = { .bytes = { 0 } };
    struct key_value  v;
    operand_value(plan, o, values, &room, &v);
    /* '2' is none where it is written, but is one as a parameter. */
    bool ok = (o->kind != OPERAND_LITERAL || v.kind == KEY_VALUE_INT) && whole_number(&v, out);
    room_fini(&room);
    return ok || sql_error_set(error, 1064,
                               "shardd: a LIMIT of a statement on several shards must be a whole "
                               "number >= 0");
}

bool
plan_limit(const struct plan *plan, const struct plan_values *values, uint64_t *offset,
           uint64_t *count, struct sql_error *error)
{
    *offset = 0;
    *count  = UINT64_MAX;
    if (!plan->has_limit)
        return true;
    return limit_number(plan, &plan->limit_count, values, count, error) &&
           limit_number(plan, &plan->limit_offset, values, offset, error);
}

uint64_t
plan_page_offset(const struct plan *plan, const struct plan_values *values)
{
    struct sql_error error;
    uint64_t         offset;
    if (plan == NULL || !plan->has_offset ||
        !limit_number(plan, &plan->page_offset, values, &offset, &error))
        return 0;
    return offset;
}

uint64_t
plan_limit_sum(uint64_t offset, uint64_t count)
{
    return offset > UINT64_MAX - count ? UINT64_MAX : offset + count;
}

bool
plan_merge_args(const struct plan *plan, const struct plan_values *values, struct arena *arena,
                struct merge_args *out, struct sql_error *error)
{
    struct merge_args args = { .counts_all = plan->counts_all };
    if (!plan_limit(plan, values, &args.offset, &args.count, error))
        return false;
    struct span *numbers = arena_alloc(arena, (plan->n_numbers + 1) * sizeof(*numbers));
    for (uint32_t i = 0; i < plan->n_numbers; i++) {
        struct value_room room = { .bytes = { 0 } };
        struct key_value  v;
        operand_value(plan, &plan->numbers[i], values, &room, &v);
        bool exact = v.kind == KEY_VALUE_INT || v.kind == KEY_VALUE_DECIMAL;
        if (exact)
            numbers[i] = arena_copy(arena, v.bytes);
        room_fini(&room);
        if (!exact && v.kind != KEY_VALUE_NULL)
            return sql_error_set(error, SQL_NOT_SUPPORTED,
                                 "shardd: HAVING over several shards compares with whole and "
                                 "decimal numbers only");
    }
    args.numbers = numbers;
    *out         = args;
    return true;
}
