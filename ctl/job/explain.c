/* explain.c - the way a statement takes through a worker, without the worker. */
#include "core/route/explain.h"
#include "core/route/gather.h"
#include "core/sql/digest.h"
#include "ctl/catalog/model.h"
#include "ctl/job/explain.h"
#include "shm/routes.h"

enum { UTF8MB4_GENERAL_CI = 45 };

struct question {
    struct arena       arena;
    struct routes     *routes;
    struct digest      digest;
    struct plan        plan;
    struct plan_values values;
    json_t            *out;
};

static void
append_shard(struct question *e, uint32_t shard)
{
    struct span name = e->routes->shards[shard].name;
    json_t     *list = json_object_get(e->out, "shards");
    json_t     *text = json_stringn_nocheck((const char *)name.ptr, name.len), *other;
    size_t      i;

    json_array_foreach(list, i, other)
        if (json_equal(other, text)) {
            json_decref(text);
            return;
        }
    json_array_append_new(list, text);
}

static void
refused(struct question *e, const struct sql_error *error)
{
    json_object_set_new(e->out, "error",
                        json_pack("{s:i, s:s}", "code", (int)error->code, "message",
                                  error->message));
}

/* Each row's shard; a row that wants a number has none yet. */
static void
rows_of(struct question *e)
{
    for (uint32_t i = 0; i < e->plan.insert->n_rows; i++) {
        enum insert_number number = INSERT_PLAIN;
        struct sql_error   error;
        uint64_t           value;
        uint32_t           shard;

        if (!insert_inspect(&e->plan, e->routes, &e->values, i, &number, &value, &error)) {
            refused(e, &error);
            return;
        }
        if (number == INSERT_NUMBER) {
            json_object_set_new(e->out, "note",
                json_string("a row gets its number from the table's sequence first, and goes "
                            "where that number belongs"));
            continue;
        }
        if (!insert_shard(&e->plan, e->routes, &e->values, i, false, 0, &shard, &error)) {
            refused(e, &error);
            return;
        }
        append_shard(e, shard);
    }
}

static void
append_set(struct question *e, const struct shard_set *set)
{
    for (uint32_t i = shard_set_next(set, 0); i != ROUTES_NONE; i = shard_set_next(set, i + 1))
        append_shard(e, i);
}

static void
shards_of(struct question *e)
{
    struct shard_set set;
    struct sql_error error;

    if (!plan_route(&e->plan, e->routes, &e->values, 0, &set, &error)) {
        refused(e, &error);
        return;
    }
    append_set(e, &set);
}

/* Those that any table is fetched from; a copy that is everywhere, from one of them. */
static void
shards_of_tables(struct question *e)
{
    const struct gather_spec *g = e->plan.gather;
    struct shard_set          set;

    for (uint32_t i = 0; i < g->n_tables; i++) {
        gather_route(&e->plan, e->routes, &g->tables[i], &e->values, 0, &set);
        if (g->tables[i].target.kind != TARGET_ANY)
            append_set(e, &set);
    }
    if (json_array_size(json_object_get(e->out, "shards")) == 0)
        append_shard(e, 0);
}

static bool
touches_shards(enum plan_kind kind)
{
    return kind == PLAN_ONE || kind == PLAN_SCATTER || kind == PLAN_WRITE;
}

/* "tree" for programs, "lines" for people. */
static void
append_line(void *context, unsigned depth, struct span text, struct span why)
{
    json_t    *list = context;
    struct buf line = { 0 };

    buf_printf(&line, "%*s", (int)(2 * depth), "");
    buf_append_span(&line, text);
    json_array_append_new(list, json_pack("{s:o, s:o}",
        "plan", json_stringn_nocheck((const char *)buf_unread(&line).ptr, buf_len(&line)),
        "why", json_stringn_nocheck((const char *)why.ptr, why.len)));
    buf_fini(&line);
}

static void
draw(struct question *e)
{
    const struct explain_node *node  = explain_make(&e->arena, &e->plan, e->routes, &e->values);
    json_t                    *lines = json_array();
    struct buf                 text  = { 0 };

    explain_lines(node, append_line, lines);
    json_object_set_new(e->out, "lines", lines);
    explain_json(node, &text);
    json_object_set_new(e->out, "tree", json_loadb((const char *)buf_unread(&text).ptr,
                                                   buf_len(&text), 0, NULL));
    buf_fini(&text);
}

static void
describe(struct question *e)
{
    struct buf words = { 0 };

    plan_describe(&e->plan, e->routes, &words);
    model_set(e->out, "plan", plan_kind_name(e->plan.kind));
    model_set(e->out, "target", target_kind_name(e->plan.target.kind));
    model_set(e->out, "reason", e->plan.reason ? e->plan.reason : "");
    model_set(e->out, "detail", buf_cstr(&words));
    buf_fini(&words);
    if (e->plan.kind == PLAN_REFUSE)
        refused(e, &e->plan.error);
    else if (e->plan.n_params > 0)
        json_object_set_new(e->out, "note", json_string("the values of ? decide the shards"));
    else if (e->plan.kind == PLAN_INSERT)
        rows_of(e);
    else if (e->plan.gather && gather_needed(&e->plan, e->routes, &e->values))
        shards_of_tables(e);
    else if (touches_shards(e->plan.kind))
        shards_of(e);
    draw(e);
}

json_t *
explain_run(struct cluster *c, struct span sql, const char *database, struct sql_error *error)
{
    struct lex_options  lex     = { .charset = LEX_UTF8 };
    struct question      e       = { .routes = job_routes(c, error) };
    struct plan_context context = { .routes = e.routes, .schema = span_of(database), .lex = lex,
                                    .collation = UTF8MB4_GENERAL_CI };

    if (!e.routes)
        return NULL;
    e.out = json_pack("{s:[]}", "shards");
    if (explain_plan(&e.arena, &context, sql, &e.digest, &e.plan, &e.values))
        describe(&e);
    else
        json_object_set_new(e.out, "reason", json_string("there is no statement"));
    digest_fini(&e.digest);
    arena_fini(&e.arena);
    routes_free(e.routes);
    return e.out;
}
