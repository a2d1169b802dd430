/* fuzz_plan.c - whatever parses can be planned, routed, rendered and described. */
#include <stdlib.h>

#include "core/route/gather.h"
#include "tests/unit/plan_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
    if (!right)
        __builtin_trap();
}

static void
run_insert(const struct plan *plan, const struct plan_values *values, struct buf *out)
{
    for (uint32_t row = 0; row < plan->insert->n_rows; row++) {
        enum insert_number number;
        struct sql_error   error;
        uint64_t           value = 0;
        uint32_t           shard = 0;
        if (!insert_inspect(plan, &world, values, row, &number, &value, &error))
            continue;
        bool wants = number == INSERT_NUMBER;
        if (plan->kind == PLAN_INSERT &&
            insert_shard(plan, &world, values, row, wants, 7, &shard, &error))
            check(shard < world.n_shards);
        value = 7;
        insert_render(plan, values, RENDER_TEXT, &row, 1, &value, &wants, out, NULL);
    }
}

static void
run_gather(const struct plan *plan, const struct plan_values *values, struct buf *out)
{
    for (uint32_t i = 0; i < plan->gather->n_tables; i++) {
        const struct gather_table *t = &plan->gather->tables[i];
        struct shard_set           set;
        gather_route(plan, &world, t, values, 1, &set);
        check(set.n > 0 && set.first < world.n_shards && t->n_columns > 0);
        check(t->n_keys <= t->n_columns);
        plan_render(plan, &t->from, values, RENDER_TEXT, out, NULL);
    }
    bool always = plan->kind == PLAN_GATHER || plan->kind == PLAN_CHANGE;
    check(always || plan->kind == PLAN_ONE ||
          (plan->kind == PLAN_SCATTER && plan->merge->uncertain) ||
          (plan->kind == PLAN_WRITE && plan->change != NULL));
    check(gather_needed(plan, &world, values) || !always);
    check((plan->kind == PLAN_CHANGE) <= (plan->change != NULL));
    for (uint32_t i = 0; plan->change != NULL && i < plan->change->n_targets; i++) {
        const struct change_target *t = &plan->change->targets[i];
        check(t->at < plan->gather->n_tables && plan->gather->tables[t->at].numbered);
        check(t->n_columns <= plan->gather->tables[t->at].n_columns ||
              plan->change->verb == CHANGE_INSERT);
        plan_render(plan, &plan->change->head, values, RENDER_TEXT, out, NULL);
        plan_render(plan, &plan->change->tail, values, RENDER_TEXT, out, NULL);
    }
}

static void
run(struct planned *c)
{
    const struct plan *plan    = &c->plan;
    struct key_value   five    = { .kind = KEY_VALUE_INT, .bytes = SPAN("5") };
    struct key_value  *params  = calloc(plan->n_params + 1, sizeof(*params));
    struct buf         out     = { 0 };
    struct bind_list   binds   = { 0 };
    struct sql_error   error;
    struct shard_set   set;
    for (uint32_t i = 0; i < plan->n_params; i++)
        params[i] = five;
    struct plan_values values = planned_values(c, params, plan->n_params);
    plan_describe(plan, &world, &out);
    bool placed = plan->kind == PLAN_ONE || plan->kind == PLAN_SCATTER ||
                  plan->kind == PLAN_WRITE;
    if (placed && plan_route(plan, &world, &values, 1, &set, &error))
        check(set.n > 0 && set.first < world.n_shards);
    if (plan->text != NULL) {
        plan_render(plan, plan->text, &values, RENDER_TEXT, &out, NULL);
        plan_render(plan, plan->text, &values, RENDER_PREPARE, &out, &binds);
    }
    if (plan->insert != NULL)
        run_insert(plan, &values, &out);
    if (plan->gather != NULL)
        run_gather(plan, &values, &out);
    check((plan->kind == PLAN_REFUSE) <= (plan->error.code != 0));
    free(binds.items);
    free(params);
    buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *sql = malloc(size + 1);
    if (size > 0)
        memcpy(sql, data, size);
    sql[size] = '\0';
    world_init();
    world.n_engines = size % 3 == 0 ? 0 : 1;
    struct planned c;
    planned_make(&c, sql, "app", size % 2 == 0);
    run(&c);
    planned_fini(&c);
    free(sql);
    return 0;
}
