/* plan_describe.c - see plan.h: a plan in words.
 *
 *   scatter all; merge: group by 1, sort by 2 desc, limit; text: SELECT ... :0 ...
 *   gather app.users all, key age: SELECT ...; app.tags any: SELECT ...; text: SELECT ...
 *
 * :n is literal n, ?n parameter n, {limit} and {auto} are what their names say.
 */
#include "core/route/gather.h"
#include "core/route/plan_internal.h"

static void
describe_operand(const struct operand *o, struct buf *out)
{
    if (o->negative)
        buf_append_byte(out, '-');
    switch (o->kind) {
    case OPERAND_LITERAL: buf_printf(out, ":%u", o->ordinal); break;
    case OPERAND_PARAM:   buf_printf(out, "?%u", o->ordinal); break;
    case OPERAND_VAR:     buf_append_text(out, "@v"); break;
    case OPERAND_CONST:
        if (o->constant.kind == KEY_VALUE_NULL)
            buf_append_text(out, "NULL");
        else if (o->constant.kind == KEY_VALUE_DEFAULT)
            buf_append_text(out, "DEFAULT");
        else
            buf_append_span(out, o->constant.bytes);
        break;
    }
}

static void
describe_template(const struct sql_template *t, struct buf *out)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct template_piece *piece = &t->pieces[i];
        switch (piece->kind) {
        case PIECE_TEXT:    buf_append_span(out, piece->text); break;
        case PIECE_OPERAND: describe_operand(&piece->operand, out); break;
        case PIECE_LIMIT:   buf_append_text(out, "{limit}"); break;
        case PIECE_AUTO:    buf_append_text(out, "{auto}"); break;
        }
    }
}

static void
describe_target(const struct target *t, const struct routes *r, struct buf *out)
{
    buf_printf(out, " %s", target_kind_name(t->kind));
    if (t->kind == TARGET_HOME && t->home < r->n_shards)
        buf_printf(out, " (%.*s)", SHOWN(r->shards[t->home].name));
    for (uint32_t i = 0; i < t->n_groups; i++) {
        const struct route_table *table = &r->tables[t->groups[i].table];
        buf_printf(out, " %.*s.%.*s=(", SHOWN(table->name),
                   SHOWN(table->columns[table->key].name));
        for (uint32_t k = 0; k < t->groups[i].n_keys; k++) {
            if (k > 0)
                buf_append_byte(out, ',');
            describe_operand(&t->groups[i].keys[k], out);
        }
        buf_append_byte(out, ')');
    }
    if (t->at_home)
        buf_append_text(out, " at home");
    if (t->one_shard)
        buf_append_text(out, " one shard");
    if (t->first)
        buf_append_text(out, " first");
}

static void
describe_column(uint32_t column, struct buf *out)
{
    if (column >= MERGE_HIDDEN)
        buf_printf(out, "h%u", column - MERGE_HIDDEN + 1);
    else
        buf_printf(out, "%u", column + 1);
}

static void
describe_keys(const char *what, uint32_t n, const struct merge_key *keys, struct buf *out)
{
    if (n == 0)
        return;
    buf_printf(out, " %s", what);
    for (uint32_t i = 0; i < n; i++) {
        buf_append_byte(out, i == 0 ? ' ' : ',');
        describe_column(keys[i].column, out);
        if (keys[i].weight != MERGE_NONE) {
            buf_append_byte(out, '~');
            describe_column(keys[i].weight, out);
        }
        if (keys[i].descending)
            buf_append_text(out, " desc");
    }
}

static void
describe_merge(const struct plan *plan, struct buf *out)
{
    static const char *const functions[] = {
        [MERGE_ANY] = "any", [MERGE_COUNT] = "count",
        [MERGE_COUNT_DISTINCT] = "count_distinct", [MERGE_SUM] = "sum", [MERGE_MIN] = "min",
        [MERGE_MAX] = "max", [MERGE_AVG] = "avg", [MERGE_BIT_AND] = "and",
        [MERGE_BIT_OR] = "or", [MERGE_BIT_XOR] = "xor",
    };
    const struct merge_spec *m = plan->merge;
    buf_append_text(out, "; merge:");
    if (!m->grouped && !m->sorted_legs && !m->distinct)
        buf_append_text(out, " concatenate");
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        buf_append_byte(out, ' ');
        describe_column(m->outputs[i].column, out);
        buf_printf(out, "=%s", functions[m->outputs[i].function]);
    }
    if (m->grouped && m->n_group == 0)
        buf_append_text(out, " one group");
    describe_keys("group", m->n_group, m->group, out);
    if (m->having != NULL)
        buf_append_text(out, " having");
    describe_keys(m->natural ? "natural" : "sort", m->n_order, m->order, out);
    describe_keys("distinct", m->n_distinct, m->distinct_keys, out);
    if (plan->has_limit)
        buf_append_text(out, " limit");
}

/* " app.users all, key age: SELECT ...; app.orders ..." */
static void
describe_gather(const struct gather_spec *g, const struct routes *r, struct buf *out)
{
    for (uint32_t i = 0; i < g->n_tables; i++) {
        const struct gather_table *t       = &g->tables[i];
        const struct route_column *columns = r->tables[t->table].columns;
        buf_printf(out, "%s %.*s.%.*s", i == 0 ? "" : ";", SHOWN(t->schema), SHOWN(t->name));
        describe_target(&t->target, r, out);
        for (uint32_t k = 0; k < t->n_keys; k++)
            buf_printf(out, "%s%.*s", k == 0 ? ", key " : ",", SHOWN(columns[t->keys[k]].name));
        for (uint32_t c = 0; c < t->n_columns; c++)
            buf_printf(out, "%s%.*s", c == 0 ? ": SELECT " : ",",
                       SHOWN(columns[t->columns[c]].name));
        describe_template(&t->from, out);
        for (uint32_t j = 0; j < t->n_joins; j++) {
            const struct gather_table *of = &g->tables[t->joins[j].of];
            buf_printf(out, "%s %.*s of %.*s.%.*s", j == 0 ? " by" : ",",
                       SHOWN(columns[t->joins[j].column].name), SHOWN(of->name),
                       SHOWN(r->tables[of->table].columns[t->joins[j].of_column].name));
        }
    }
}

/* "; then UPDATE app.users: age,name" */
static void
describe_change(const struct plan *plan, const struct routes *r, struct buf *out)
{
    static const char *const    verbs[] = { "INSERT into", "UPDATE", "DELETE from" };
    const struct change_spec   *c       = plan->change;
    for (uint32_t i = 0; i < c->n_targets; i++) {
        const struct change_target *target = &c->targets[i];
        const struct gather_table  *t      = &plan->gather->tables[target->at];
        buf_printf(out, "%s %s %.*s.%.*s", i == 0 ? "; then" : ",", verbs[target->verb],
                   SHOWN(t->schema), SHOWN(t->name));
        for (uint32_t k = 0; k < target->n_columns; k++)
            buf_printf(out, "%s%.*s", k == 0 ? ": " : ",",
                       SHOWN(r->tables[t->table].columns[target->columns[k]].name));
    }
}

static void
describe_insert(const struct insert_spec *s, struct buf *out)
{
    buf_append_text(out, "; header: ");
    describe_template(&s->header, out);
    for (uint32_t i = 0; i < s->n_rows; i++) {
        const struct insert_row *row = &s->rows[i];
        buf_append_text(out, "; row ");
        describe_template(&row->text, out);
        buf_append_text(out, row->key_auto ? " key=auto" : row->key_null ? " key=NULL" : " key=");
        if (!row->key_auto && !row->key_null)
            describe_operand(&row->key, out);
    }
    if (s->tail.n > 0) {
        buf_append_text(out, "; tail: ");
        describe_template(&s->tail, out);
    }
}

static void
describe_load(const struct load_spec *s, struct buf *out)
{
    if (s->reference)
        buf_append_text(out, " reference");
    else if (s->key != ROUTES_NONE)
        buf_printf(out, " key=#%u", s->key);
    else
        buf_append_text(out, s->key_null ? " key=NULL" : " key=auto");
    if (s->number != ROUTES_NONE)
        buf_printf(out, " number=#%u", s->number);
    if (s->adds_number)
        buf_append_text(out, " adds number");
    if (s->skip != 0)
        buf_printf(out, " skip=%llu", (unsigned long long)s->skip);
    for (uint32_t i = 0; i < s->n_variables; i++)
        buf_printf(out, " @%.*s=#%u", SHOWN(s->variables[i].name), s->variables[i].column);
    buf_printf(out, " columns=%u; text: ", s->format.n_columns);
    describe_template(&s->text, out);
}

static void
describe_set(const struct set_spec *s, struct buf *out)
{
    static const char *const scopes[] = { "session", "global", "once" };
    for (uint32_t i = 0; i < s->n; i++) {
        buf_printf(out, "; %s %.*s=", scopes[s->items[i].scope], SHOWN(s->items[i].name));
        describe_template(&s->items[i].value, out);
    }
    if (!s->replayable)
        buf_append_text(out, "; not replayable");
}

static void
describe_named(const struct named_spec *s, struct buf *out)
{
    static const char *const verbs[] = { "prepare", "execute", "immediate", "deallocate" };
    static const char *const kinds[] = { "constant", "variable", "expression" };
    buf_printf(out, " %s", verbs[s->verb]);
    if (s->name.len != 0)
        buf_printf(out, " %.*s", SHOWN(s->name));
    if (s->text.sql.len != 0)
        buf_printf(out, " from %s", kinds[s->text.kind]);
    for (uint32_t i = 0; i < s->n_values; i++)
        buf_printf(out, "%s%s", i == 0 ? " using " : ", ", kinds[s->values[i].kind]);
}

void
plan_describe(const struct plan *plan, const struct routes *r, struct buf *out)
{
    buf_append_text(out, plan_kind_name(plan->kind));
    if (plan->kind == PLAN_REFUSE) {
        buf_printf(out, " %u: %s", plan->error.code, plan->error.message);
        return;
    }
    bool placed = plan->kind == PLAN_ONE || plan->kind == PLAN_SCATTER ||
                  plan->kind == PLAN_WRITE;
    if (placed)
        describe_target(&plan->target, r, out);
    if (plan->reference_write)
        buf_append_text(out, " reference");
    if (plan->pin != PIN_NONE)
        buf_printf(out, " pins %s", pin_reason_name(plan->pin));
    if (plan->kind == PLAN_NAMED)
        describe_named(plan->named, out);
    if (plan->kind == PLAN_ONCE)
        buf_printf(out, " %u values", plan->n_once);
    if (plan->kind == PLAN_USE)
        buf_printf(out, " %.*s", SHOWN(plan->name));
    if (plan->merge != NULL)
        describe_merge(plan, out);
    if (plan->gather != NULL) {
        bool always = plan->kind == PLAN_GATHER || plan->kind == PLAN_CHANGE;
        buf_append_text(out, always ? "" : ", else ");
        if (!always)
            buf_append_text(out, plan->change != NULL ? "change" : "gather");
        describe_gather(plan->gather, r, out);
    }
    if (plan->change != NULL)
        describe_change(plan, r, out);
    if (plan->insert != NULL)
        describe_insert(plan->insert, out);
    if (plan->load != NULL)
        describe_load(plan->load, out);
    if (plan->set != NULL)
        describe_set(plan->set, out);
    if (plan->text != NULL) {
        buf_append_text(out, "; text: ");
        describe_template(plan->text, out);
    }
}
