/* plan_world.h - a small catalog for tests of the planner: 3 shards, s0 s1 s2.
 *
 *   app (home s0)    sharded: users(id auto), orders(user_id), items(user_id), names(name)
 *                    reference: countries, tags (numbered); global: config, log
 *                    views: vg (global), vs (sharded)
 *   other (home s1)  sharded: parts(id); global: things
 */
#ifndef TESTS_UNIT_PLAN_WORLD_H
#define TESTS_UNIT_PLAN_WORLD_H

#include "core/route/plan.h"
#include "core/sql/digest.h"
#include "core/sql/parse.h"

#define N(s)      { (const uint8_t *)(s), sizeof(s) - 1 }
#define INT(n)    { .name = N(n), .type = COLUMN_INT }
#define BIG(n)    { .name = N(n), .type = COLUMN_BIGINT }
#define AUTO(n)   { .name = N(n), .type = COLUMN_BIGINT, .auto_increment = true }
#define STR(n, c) { .name = N(n), .type = COLUMN_VARCHAR, .collation = (c), .length = 40, \
                    .nullable = true }
#define COL(n, t) { .name = N(n), .type = (t), .nullable = true }

static const struct route_column users_columns[] = {
    AUTO("id"), STR("name", 45), INT("age"), COL("score", COLUMN_DOUBLE),
    COL("kind", COLUMN_ENUM), COL("born", COLUMN_DATE), COL("ratio", COLUMN_FLOAT),
    STR("bio", 22), COL("ip", COLUMN_INET6), COL("price", COLUMN_DECIMAL),
};
static const struct route_column orders_columns[] = {
    AUTO("id"), BIG("user_id"), INT("amount"), STR("note", 45), INT("country"),
};
static const struct route_column items_columns[] = { BIG("user_id"), INT("line"), INT("qty") };
static const struct route_column names_columns[] = {
    { .name = N("name"), .type = COLUMN_VARCHAR, .collation = 45, .length = 40 }, INT("value"),
};
static const struct route_column small_columns[] = { INT("id"), STR("name", 45) };
static const struct route_column tags_columns[]  = { AUTO("id"), STR("name", 45) };
static const struct route_column view_columns[]  = { INT("id") };

#define TABLE(n, d, k, key_at, auto_at, c)                                              \
    { .name = N(n), .database = (d), .kind = (k), .key = (key_at), .auto_increment = (auto_at), \
      .n_columns = sizeof(c) / sizeof((c)[0]), .columns = (c) }
#define NO ROUTES_NONE

static const struct route_table world_tables[] = {
    TABLE("config", 0, TABLE_GLOBAL, NO, NO, small_columns),
    TABLE("countries", 0, TABLE_REFERENCE, NO, NO, small_columns),
    TABLE("items", 0, TABLE_SHARDED, 0, NO, items_columns),
    TABLE("log", 0, TABLE_GLOBAL, NO, 0, tags_columns),
    TABLE("names", 0, TABLE_SHARDED, 0, NO, names_columns),
    TABLE("orders", 0, TABLE_SHARDED, 1, 0, orders_columns),
    TABLE("tags", 0, TABLE_REFERENCE, NO, 0, tags_columns),
    TABLE("users", 0, TABLE_SHARDED, 0, 0, users_columns),
    { .name = N("vg"), .database = 0, .kind = TABLE_VIEW, .view_kind = TABLE_GLOBAL, .key = NO,
      .auto_increment = NO, .n_columns = 1, .columns = view_columns },
    { .name = N("vs"), .database = 0, .kind = TABLE_VIEW, .view_kind = TABLE_SHARDED, .key = NO,
      .auto_increment = NO, .n_columns = 1, .columns = view_columns },
    TABLE("parts", 1, TABLE_SHARDED, 0, NO, small_columns),
    TABLE("things", 1, TABLE_GLOBAL, NO, NO, small_columns),
};
static const struct route_database world_databases[] = {
    { .name = N("app"), .home = 0, .collation = 45,
      .functions = N("bplain\0clooks\0Csums\0ccounts\1\2app\3users\0"),
      .procedures = N("Ffills\0gspread\0hmakes\0gsees\1\2app\3users\2app\3config\0"
                      "gviews\1\2app\3vs\0") },
    { .name = N("other"), .home = 1, .collation = 45 },
};
static const struct route_shard world_shards[] = {
    { .id = 1, .name = N("s0"), .host = N("h"), .port = 1, .owns = true, .hides = true },
    { .id = 2, .name = N("s1"), .host = N("h"), .port = 2, .owns = true, .hides = true },
    { .id = 3, .name = N("s2"), .host = N("h"), .port = 3, .owns = true, .hides = true },
};
static const struct route_shard world_engines[] = {
    { .id = ROUTES_ENGINE_ID + 1, .name = N("e"), .host = N("h"), .port = 9 },
};

static struct route_range world_ranges[12];
static uint32_t           world_index[(1 << 6) + 1];
static struct routes      world = {
         .generation = 1, .n_shards = 3, .n_owners = 3, .hides = true,
         .n_ranges = 12, .n_databases = 2,
         .n_tables = sizeof(world_tables) / sizeof(world_tables[0]),
         .shards = world_shards, .engines = world_engines, .ranges = world_ranges,
         .databases = world_databases,
         .tables = world_tables, .index = world_index,
};

/* A statement, parsed and planned. */
struct planned {
    struct arena  arena;
    struct digest digest;
    struct plan   plan;
    struct span   text;
};

static inline void
world_init(void)
{
    routes_cut(3, 4, world_ranges);
    world.index_bits = 6;
    routes_index(world_ranges, 12, 6, world_index);
}

static inline void
planned_in(struct planned *c, const struct routes *routes, const char *sql, const char *schema,
           bool zero_is_number)
{
    *c                             = (struct planned){ .text = span_of(sql) };
    struct plan_context    context = { .routes = routes, .schema = span_of(schema),
                                       .collation = 45, .zero_is_number = zero_is_number };
    struct stmt           *stmt    = NULL;
    const struct digest   *digest  = NULL;
    if (digest_make(&c->digest, c->text, context.lex, 1 << 20) == DIGEST_OK)
        digest = &c->digest;
    if (parse_statement(&c->arena, c->text, context.lex, digest, &stmt) == PARSE_BAD)
        stmt = NULL;
    plan_make(&c->arena, &context, c->text, digest, stmt, &c->plan);
}

static inline void
planned_make(struct planned *c, const char *sql, const char *schema, bool zero_is_number)
{
    planned_in(c, &world, sql, schema, zero_is_number);
}

static inline struct plan_values
planned_values(const struct planned *c, const struct key_value *params, uint32_t n_params)
{
    return (struct plan_values){ .text = c->text, .literals = c->digest.literals,
                                 .n_literals = c->digest.n_literals, .params = params,
                                 .n_params = n_params };
}

static inline void
planned_fini(struct planned *c)
{
    digest_fini(&c->digest);
    arena_fini(&c->arena);
}

#endif
