/* test_routes.c - routes to a blob and back; every rule a blob must keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/arena.h"
#include "shm/routes.h"
#include "shm/routes_blob.h"

#define S(literal) { (const uint8_t *)literal, sizeof(literal) - 1 }

static const struct route_shard shards[] = {
    { .id = 3, .name = S("s3"), .host = S("127.0.0.1"), .port = 3306,
      .server = ROUTES_REPLICA_ID + 1, .epoch = UINT64_C(1) << 33, .lost = true },
    { .id = 1, .name = S("s1"), .host = S("/run/s1.sock"), .state = SHARD_DRAINING },
};
static const struct route_shard engines[] = {
    { .id = ROUTES_ENGINE_ID + 1, .name = S("e1"), .host = S("/run/e1.sock") },
    { .id = ROUTES_ENGINE_ID + 4, .name = S("s1"), .host = S("127.0.0.1"), .port = 3307,
      .state = SHARD_DRAINING },
};
static const struct route_replica replicas[] = {
    { .id = 3, .shard = 0, .name = S("was primary"), .host = S("127.0.0.1"), .port = 3308,
      .weight = 1, .state = REPLICA_DISABLED },
    { .id = ROUTES_REPLICA_ID + 2, .shard = 1, .name = S("r2"), .host = S("/run/r2.sock"),
      .weight = 100, .zone = S("east") },
    { .id = ROUTES_REPLICA_ID + 3, .shard = 1, .name = S("r3"), .host = S("127.0.0.1"),
      .port = 1, .weight = 7, .state = REPLICA_DRAINING },
};
static const struct route_range ranges[] = {
    { UINT64_C(1) << 63, 1, false }, { 0, 0, false }, { UINT64_C(3) << 62, 0, false },
};
static const struct route_database databases[] = {
    { .name = S("shop"), .home = 1, .collation = 45, .has_code = true,
      .consistency = CONSISTENCY_CAUSAL, .functions = { (const uint8_t *)"bf\0cgh", 7 } },
    { .name = S("app"), .home = 0, .collation = 224 },
};
static const struct route_column columns[] = {
    { .name = S("id"), .type = COLUMN_BIGINT, .is_unsigned = true, .auto_increment = true },
    { .name = S("name"), .type = COLUMN_VARCHAR, .collation = 45, .length = 40,
      .nullable = true, .has_default = true, .invisible = true },
    { .name = S("price"), .type = COLUMN_DECIMAL, .length = 10, .scale = 2, .generated = true },
};
static const struct route_table tables[] = {
    { .name = S("z"), .database = 0, .kind = TABLE_SHARDED, .key = 1, .auto_increment = 0,
      .sequence = 7, .n_columns = 3, .columns = columns },
    { .name = S("a"), .database = 0, .kind = TABLE_GLOBAL, .key = ROUTES_NONE,
      .auto_increment = ROUTES_NONE },
    { .name = S("v"), .database = 1, .kind = TABLE_VIEW, .key = ROUTES_NONE,
      .auto_increment = ROUTES_NONE, .view_kind = TABLE_SHARDED },
    { .name = S("r"), .database = 1, .kind = TABLE_REFERENCE, .key = ROUTES_NONE,
      .auto_increment = ROUTES_NONE, .n_columns = 1, .columns = columns },
};
static const struct route_user users[] = {
    { .name = S("root"), .plugin = AUTH_NATIVE, .verifier = S("a native verifier 20"),
      .admin = true,       .secret = S("s3cret"), .consistency = CONSISTENCY_EVENTUAL,
      .limit = { [LIMIT_CONNECTIONS] = 9, [LIMIT_BYTES] = UINT64_C(1) << 40 } },
    { .name = S("") },
    { .name = S("second"), .plugin = AUTH_ED25519,
      .verifier     = { (const uint8_t *)"a key may have a NUL\0 within it 32", 32 },
      .old_verifier = { (const uint8_t *)"the one before may have one,\0too", 32 },
      .token        = S("and a token's hash has 32 bytes.") },
};

static struct routes
example(void)
{
    return (struct routes){
        .generation = 5, .users_generation = 6,
        .service_user = S("shardd"), .service_secret = S("xyz"),
        .n_shards = 2, .shards = shards, .n_ranges = 3, .ranges = ranges,
        .n_databases = 2, .databases = databases, .n_tables = 4, .tables = tables,
        .n_users = 3, .users = users, .n_engines = 2, .engines = engines,
        .n_replicas = 3, .replicas = replicas,
    };
}

static void
has_the_replicas(const struct routes *got)
{
    const struct route_replica *r2 = routes_replica(got, ROUTES_REPLICA_ID + 2);

    assert_int_equal(got->n_replicas, 3);
    assert_int_equal(got->shards[0].server, ROUTES_REPLICA_ID + 1);
    assert_true(got->shards[0].epoch == UINT64_C(1) << 33 && got->shards[0].lost);
    assert_int_equal(got->shards[0].first_replica, 0);
    assert_int_equal(got->shards[0].n_replicas, 1);
    assert_int_equal(got->shards[1].server, 1); /* its own */
    assert_true(got->shards[1].epoch == 0 && !got->shards[1].lost);
    assert_int_equal(got->shards[1].first_replica, 1);
    assert_int_equal(got->shards[1].n_replicas, 2);
    assert_true(r2->weight == 100 && r2->state == REPLICA_SERVING && r2->port == 0);
    assert_true(span_equal(r2->zone, SPAN("east")) && span_equal(r2->name, SPAN("r2")));
    assert_true(span_equal(r2->host, SPAN("/run/r2.sock")));
    assert_int_equal(routes_replica(got, 3)->state, REPLICA_DISABLED);
    assert_int_equal(routes_replica(got, ROUTES_REPLICA_ID + 3)->state, REPLICA_DRAINING);
    assert_null(routes_replica(got, 1));
}

static void
has_the_databases(const struct routes *got)
{
    uint32_t app = routes_database(got, SPAN("app")), shop = routes_database(got, SPAN("shop"));
    assert_int_equal(app, 0);
    assert_int_equal(shop, 1);
    assert_true(got->databases[shop].home == 1 && got->databases[shop].has_code);
    assert_int_equal(got->databases[shop].functions.len, 7);
    assert_int_equal(got->databases[app].collation, 224);
    assert_int_equal(got->databases[app].consistency, CONSISTENCY_UNSET);
    assert_int_equal(got->databases[shop].consistency, CONSISTENCY_CAUSAL);
}

static void
has_the_users(const struct routes *got)
{
    const struct route_user *root = &got->users[routes_user(got, SPAN("root"))];
    assert_true(span_equal(root->verifier, users[0].verifier) && root->old_verifier.len == 0);
    assert_true(root->plugin == AUTH_NATIVE && root->admin);
    const struct route_user *other = &got->users[routes_user(got, SPAN("second"))];
    assert_int_equal(other->plugin, AUTH_ED25519);
    assert_true(span_equal(other->verifier, users[2].verifier));
    assert_true(span_equal(other->old_verifier, users[2].old_verifier));
    assert_true(span_equal(other->token, users[2].token) && root->token.len == 0);
    assert_true(span_equal(root->secret, SPAN("s3cret")));
    assert_int_equal(root->limit[LIMIT_CONNECTIONS], 9);
    assert_true(root->limit[LIMIT_BYTES] == UINT64_C(1) << 40 && root->limit[LIMIT_ROWS] == 0);
    assert_int_equal(routes_user(got, SPAN("")), 0);
    assert_int_equal(root->consistency, CONSISTENCY_EVENTUAL);
    assert_int_equal(other->consistency, CONSISTENCY_UNSET);
}

static void
what_goes_in_comes_out(void **state)
{
    (void)state;
    struct routes  r = example(), *got;
    struct buf     blob = { 0 };
    struct err     err;

    buf_append_text(&blob, "before"); /* appended, and at any alignment */
    assert_true(routes_encode(&r, &blob, &err));
    assert_true(routes_decode(span_from(buf_unread(&blob), 6), &got, &err));
    memset(blob.bytes, 0xee, blob.cap); /* nothing is borrowed */
    buf_fini(&blob);

    assert_int_equal(got->generation, 5);
    assert_int_equal(got->users_generation, 6);
    assert_false(got->lower_case);
    assert_true(span_equal(got->service_user, SPAN("shardd")));
    assert_true(span_equal(got->service_secret, SPAN("xyz")));
    assert_int_equal(got->n_shards, 2);
    assert_int_equal(got->shards[0].id, 3);
    assert_int_equal(got->shards[0].port, 3306);
    assert_true(span_equal(got->shards[1].host, SPAN("/run/s1.sock")));
    assert_int_equal(got->shards[1].state, SHARD_DRAINING);
    assert_int_equal(got->n_engines, 2);
    assert_int_equal(got->engines[0].id, ROUTES_ENGINE_ID + 1);
    assert_true(span_equal(got->engines[0].host, SPAN("/run/e1.sock")));
    assert_int_equal(got->engines[1].port, 3307);
    assert_int_equal(got->engines[1].state, SHARD_DRAINING);
    assert_int_equal(got->n_ranges, 3);
    assert_false(got->fenced);
    assert_int_equal(routes_owner(got, 0), 0);
    assert_int_equal(routes_owner(got, UINT64_C(1) << 63), 1);
    assert_int_equal(routes_owner(got, UINT64_MAX), 0);

    uint32_t app = routes_database(got, SPAN("app")), shop = routes_database(got, SPAN("shop"));
    const struct route_table *z = &got->tables[routes_table(got, shop, SPAN("z"))];
    assert_int_equal(z->kind, TABLE_SHARDED);
    assert_int_equal(z->key, 1);
    assert_int_equal(z->auto_increment, 0);
    assert_int_equal(z->sequence, 7);
    assert_int_equal(z->n_columns, 3);
    assert_true(z->columns[0].is_unsigned && z->columns[0].auto_increment);
    assert_true(z->columns[1].nullable && z->columns[1].has_default);
    assert_true(z->columns[1].invisible);
    assert_int_equal(z->columns[1].collation, 45);
    assert_int_equal(z->columns[1].length, 40);
    assert_true(z->columns[2].generated);
    assert_int_equal(z->columns[2].scale, 2);
    assert_int_equal(got->tables[routes_table(got, app, SPAN("v"))].view_kind, TABLE_SHARDED);
    assert_int_equal(got->tables[routes_table(got, app, SPAN("r"))].n_columns, 1);
    assert_int_equal(routes_table(got, app, SPAN("z")), ROUTES_NONE);

    has_the_databases(got);
    has_the_users(got);
    has_the_replicas(got);
    routes_free(got);
}

static void
no_shards_is_a_beginning(void **state)
{
    (void)state;
    struct routes r = { .generation = 1, .n_users = 2, .users = users }, *got;
    struct buf    blob = { 0 };
    struct err    err;

    assert_true(routes_encode(&r, &blob, &err));
    assert_true(routes_decode(buf_unread(&blob), &got, &err));
    assert_int_equal(got->n_ranges, 0);
    assert_int_equal(got->n_engines, 0);
    assert_int_equal(got->n_users, 2);
    routes_free(got);
    routes_free(NULL);
    buf_fini(&blob);
}

/* Copies of the arrays that a row of the table below may spoil. */
struct spoilt {
    struct routes         r;
    struct route_shard    shards[2], engines[ROUTES_ENGINES_MAX + 1];
    struct route_range    ranges[3];
    struct route_database databases[2];
    struct route_table    tables[4];
    struct route_column   columns[3];
    struct route_user     users[3];
    struct route_replica  replicas[ROUTES_REPLICAS_MAX + 1];
};

#define SPOIL(name, change) static void spoil_##name(struct spoilt *s) { change; }
SPOIL(shard_id, s->shards[1].id = 3)
SPOIL(shard_name, s->shards[1].name = s->shards[0].name)
SPOIL(shard_unnamed, s->shards[1].name.len = 0)
SPOIL(shard_port, s->shards[0].port = 0)
SPOIL(shard_state, s->shards[0].state = (enum shard_state)9)
SPOIL(shard_is_engine, s->shards[1].id = ROUTES_ENGINE_ID)
SPOIL(engine_id, s->engines[1].id = s->engines[0].id)
SPOIL(engine_is_shard, s->engines[1].id = 7)
SPOIL(engine_none, s->engines[1].id = ROUTES_NONE)
SPOIL(engine_name, s->engines[1].name = s->engines[0].name)
SPOIL(engine_unnamed, s->engines[1].name.len = 0)
SPOIL(engine_port, s->engines[0].port = 1)
SPOIL(engine_state, s->engines[0].state = (enum shard_state)9)
SPOIL(engines, s->r.n_engines = ROUTES_ENGINES_MAX + 1)
SPOIL(replica_id, s->replicas[2].id = s->replicas[1].id)
SPOIL(replica_is_primary, s->replicas[1].id = ROUTES_REPLICA_ID + 1)
SPOIL(replica_is_engine, s->replicas[1].id = ROUTES_ENGINE_ID + 3)
SPOIL(replica_name, s->replicas[2].name = s->replicas[1].name)
SPOIL(replica_port, s->replicas[1].port = 4)
SPOIL(replica_state, s->replicas[0].state = (enum replica_state)9)
SPOIL(replica_weight, s->replicas[0].weight = 0)
SPOIL(replica_heavy, s->replicas[0].weight = ROUTES_WEIGHT_MAX + 1)
SPOIL(replica_zone, s->replicas[0].zone = SPAN("a zone's name is no longer than this"))
SPOIL(replica_shard, s->replicas[2].shard = 2)
SPOIL(replica_order, s->replicas[1].shard = 0; s->replicas[0].shard = 1)
SPOIL(replicas, s->r.n_replicas = ROUTES_REPLICAS_MAX + 1)
SPOIL(consistency, s->databases[0].consistency = CONSISTENCIES)
SPOIL(first_range, s->ranges[1].start = 1)
SPOIL(same_range, s->ranges[2].start = s->ranges[0].start)
SPOIL(range_shard, s->ranges[2].shard = 2)
SPOIL(no_ranges, s->r.n_ranges = 0)
SPOIL(home, s->databases[0].home = 2)
SPOIL(database_twice, s->databases[0].name = s->databases[1].name)
SPOIL(nul, s->databases[0].name = SPAN("a\0b"))
SPOIL(capitals, (s->r.lower_case = true, s->databases[0].name = SPAN("Shop")))
SPOIL(table_database, s->tables[0].database = 2)
SPOIL(table_twice, s->tables[1].name = s->tables[0].name)
SPOIL(table_kind, s->tables[1].kind = (enum table_kind)17)
SPOIL(key_of_global, s->tables[3].key = 0)
SPOIL(key, s->tables[0].key = 3)
SPOIL(auto_increment, s->tables[0].auto_increment = 3)
SPOIL(key_type, s->columns[1].type = COLUMN_FLOAT)
SPOIL(key_collation, s->columns[1].collation = 225)
SPOIL(key_generated, s->columns[1].generated = true)
SPOIL(column_twice, s->columns[2].name = SPAN("ID"))
SPOIL(column_type, s->columns[2].type = (enum column_type)99)
SPOIL(user_twice, s->users[1].name = s->users[0].name)
SPOIL(user_plugin, s->users[1].plugin = AUTH_PLUGINS)
SPOIL(user_verifier, s->users[2].old_verifier.len = 31)
SPOIL(user_token, s->users[2].token.len = 31)

static const struct {
    const char *name;
    void      (*spoil)(struct spoilt *s);
    const char *says;
} rules[] = {
#define ROW(name, says) { #name, spoil_##name, says }
    ROW(shard_id, "shard 's1' is there twice"),
    ROW(shard_name, "shard 's3' is there twice"),
    ROW(shard_unnamed, "shard name is empty"),
    ROW(shard_port, "shard s3: port 0"),
    ROW(shard_state, "state 9"),
    ROW(shard_is_engine, "shard s1 has the number 2147483648"),
    ROW(engine_id, "engine 's1' is there twice"),
    ROW(engine_is_shard, "engine s1 has the number 7"),
    ROW(engine_none, "engine s1 has the number 4294967295"),
    ROW(engine_name, "engine 'e1' is there twice"),
    ROW(engine_unnamed, "engine name is empty"),
    ROW(engine_port, "engine e1: port 1"),
    ROW(engine_state, "engine e1 is in state 9"),
    ROW(engines, "17 engines, at most 16"),
    ROW(replica_id, "replica 'r3' is there twice"),
    ROW(replica_is_primary, "replica 'r2' is there twice"),
    ROW(replica_is_engine, "replica r2: number 2147483651"),
    ROW(replica_name, "replica 'r2' is there twice"),
    ROW(replica_port, "replica r2: number 1073741826"),
    ROW(replica_state, "state 9"),
    ROW(replica_weight, "weight 0"),
    ROW(replica_heavy, "weight 101"),
    ROW(replica_zone, "zone of 36 bytes"),
    ROW(replica_shard, "replica r3 is of shard 2 of 2"),
    ROW(replica_order, "is of shard"),
    ROW(replicas, "4097 replicas, at most 4096"),
    ROW(consistency, "database shop: home 1"),
    ROW(first_range, "range 0 starts at 1"),
    ROW(same_range, "range 2 starts at"),
    ROW(range_shard, "range 2 belongs to shard 2 of 2"),
    ROW(no_ranges, "2 shards with 0 ranges"),
    ROW(home, "database shop: home 2"),
    ROW(database_twice, "database 'app' is there twice"),
    ROW(nul, "database name holds a NUL"),
    ROW(capitals, "'Shop' has capitals"),
    ROW(table_database, "table z is in database number 2"),
    ROW(table_twice, "table 'z' is there twice"),
    ROW(table_kind, "table a: kind 17"),
    ROW(key_of_global, "table r: kind 2"),
    ROW(key, "table z: kind 1"),
    ROW(auto_increment, "table z: kind 1"),
    ROW(key_type, "column 'name' cannot be a key"),
    ROW(key_collation, "column 'name' cannot be a key"),
    ROW(key_generated, "column 'name' cannot be a key"),
    ROW(column_twice, "column 'ID' is there twice"),
    ROW(column_type, "column price: type 99"),
    ROW(user_twice, "user 'root' is there twice"),
    ROW(user_plugin, "user  logs in by method 3"),
    ROW(user_verifier, "a verifier of 31 bytes is none of client_ed25519"),
    ROW(user_token, "a token of 31 bytes is none"),
#undef ROW
};

static void
every_rule_is_checked(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(rules); i++) {
        struct spoilt s = { .r = example() };
        struct buf    blob = { 0 };
        struct err    err = { "nothing" };
        memcpy(s.shards, shards, sizeof(shards));
        memcpy(s.ranges, ranges, sizeof(ranges));
        memcpy(s.databases, databases, sizeof(databases));
        memcpy(s.tables, tables, sizeof(tables));
        memcpy(s.columns, columns, sizeof(columns));
        memcpy(s.users, users, sizeof(users));
        memcpy(s.engines, engines, sizeof(engines));
        memcpy(s.replicas, replicas, sizeof(replicas));
        s.r.shards    = s.shards;
        s.r.replicas  = s.replicas;
        s.r.engines   = s.engines;
        s.r.ranges    = s.ranges;
        s.r.databases = s.databases;
        s.r.tables    = s.tables;
        s.r.users     = s.users;
        s.tables[0].columns = s.columns;
        rules[i].spoil(&s);
        if (routes_encode(&s.r, &blob, &err) || strstr(err.text, rules[i].says) == NULL)
            fail_msg("%s: %s", rules[i].name, err.text);
        assert_int_equal(buf_len(&blob), 0);
        buf_fini(&blob);
    }
}

/* A blob changed and given a right checksum again. */
static void
sign(struct span blob)
{
    uint64_t sum = XXH3_64bits(blob.ptr + BLOB_CHECKED_FROM, blob.len - BLOB_CHECKED_FROM);

    memcpy((uint8_t *)(uintptr_t)blob.ptr + offsetof(struct blob_header, checksum), &sum, 8);
}

static void
damage_is_refused(void **state)
{
    (void)state;
    struct routes  r = example(), *got;
    struct buf     blob = { 0 };
    struct err     err;

    assert_true(routes_encode(&r, &blob, &err));
    struct span whole = buf_unread(&blob);
    for (size_t len = 0; len < whole.len; len++)
        assert_false(routes_decode((struct span){ whole.ptr, len }, &got, &err));
    for (size_t i = 0; i < whole.len * 8; i++) {
        blob.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(routes_decode(whole, &got, &err)); /* the checksum sees it */
        if (i / 8 >= BLOB_CHECKED_FROM) {
            sign(whole);
            if (routes_decode(whole, &got, &err)) /* may be another good one; no crash */
                routes_free(got);
        }
        blob.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        sign(whole);
    }
    assert_true(routes_decode(whole, &got, &err));
    routes_free(got);
    buf_fini(&blob);
}

static void
a_large_catalog_passes(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct arena        a = { 0 };
    struct route_table *many = calloc(N, sizeof(*many));
    struct routes       r = example(), *got;
    struct buf          blob = { 0 };
    struct err          err;

    for (uint32_t i = 0; i < N; i++) {
        char name[32];
        snprintf(name, sizeof(name), "t%u", i * 7919 % N);
        many[i] = tables[i % 2];
        many[i].name = arena_copy(&a, span_of(name));
        many[i].database = i % 2;
    }
    r.n_tables = N;
    r.tables   = many;
    assert_true(routes_encode(&r, &blob, &err));
    assert_true(routes_decode(buf_unread(&blob), &got, &err));
    for (uint32_t i = 0; i < N; i++) {
        uint32_t at = routes_table(got, 1 - i % 2, many[i].name); /* the databases swap */
        assert_true(at != ROUTES_NONE && span_equal(got->tables[at].name, many[i].name));
    }
    routes_free(got);
    buf_fini(&blob);
    arena_fini(&a);
    free(many);
}

/* Only who owns rows has some to hide from statements. */
static void
owners_hide(void **state)
{
    static const struct {
        uint32_t owner[3];
        bool     hides[2];
        uint32_t n_owners;
        bool     is;
    } maps[] = {
        { { 0, 0, 0 }, { false, true }, 1, false }, /* rows go to a new shard */
        { { 0, 0, 0 }, { true, false }, 1, true },
        { { 0, 1, 0 }, { false, true }, 2, true },
        { { 1, 0, 1 }, { false, false }, 2, false },
        { { 1, 1, 1 }, { true, true }, 1, true },
    };

    (void)state;
    for (size_t i = 0; i < countof(maps); i++) {
        struct route_shard some_shards[2];
        struct route_range some_ranges[3];
        struct routes      r = example(), *got;
        struct buf         blob = { 0 };
        struct err         err;

        memcpy(some_shards, shards, sizeof(some_shards));
        memcpy(some_ranges, ranges, sizeof(some_ranges));
        r.shards = some_shards, r.ranges = some_ranges;
        for (uint32_t k = 0; k < 3; k++)
            some_ranges[k].shard = maps[i].owner[k];
        for (uint32_t k = 0; k < 2; k++)
            some_shards[k].hides = maps[i].hides[k];
        assert_true(routes_encode(&r, &blob, &err));
        assert_true(routes_decode(buf_unread(&blob), &got, &err));
        assert_int_equal(got->n_owners, maps[i].n_owners);
        assert_int_equal(got->hides, maps[i].is);
        for (uint32_t k = 0; k < 2; k++) {
            bool owns = maps[i].owner[0] == k || maps[i].owner[1] == k || maps[i].owner[2] == k;

            assert_int_equal(got->shards[k].owns, owns);
            assert_int_equal(got->shards[k].hides, maps[i].hides[k]);
        }
        routes_free(got);
        buf_fini(&blob);
    }
}

/* Each place of a fence is kept, and told for all of them. */
static void
fences_and_what_is_hidden(void **state)
{
    (void)state;
    for (int place = 0; place < 3; place++) {
        struct route_shard some_shards[2];
        struct route_range some_ranges[3];
        struct route_table some_tables[4];
        struct routes      r = example(), *got;
        struct buf         blob = { 0 };
        struct err         err;
        struct route_lookup lookups[] = { { .column = 0, .table = SPAN("t_a_1") },
                                          { .column = 0, .filling = true,
                                            .table = SPAN("t_a_2") } };

        memcpy(some_shards, shards, sizeof(some_shards));
        memcpy(some_ranges, ranges, sizeof(some_ranges));
        memcpy(some_tables, tables, sizeof(some_tables));
        r.shards = some_shards, r.ranges = some_ranges, r.tables = some_tables;
        some_shards[1].fenced = place == 0;
        some_shards[0].eased  = place == 1;
        r.eases               = place == 1 ? 7 : 0;
        some_ranges[2].fenced = place == 1;
        for (uint32_t i = 0; i < 4; i++)
            if (some_tables[i].kind == TABLE_SHARDED) {
                some_tables[i].fenced = place == 2;
                some_tables[i].hide   = SPAN("in_7_0");
                some_tables[i].lookups   = lookups;
                some_tables[i].n_lookups = 2;
            }
        assert_true(routes_encode(&r, &blob, &err));
        assert_true(routes_decode(buf_unread(&blob), &got, &err));
        assert_true(got->fenced);
        assert_true(got->shards[1].fenced == (place == 0) && !got->shards[0].fenced);
        assert_true(got->shards[0].eased == (place == 1) && !got->shards[1].eased);
        assert_int_equal(got->eases, place == 1 ? 7 : 0);
        assert_true(got->n_ranges == 3 && !got->ranges[0].fenced);
        for (uint32_t i = 0; i < got->n_tables; i++) {
            bool sharded = got->tables[i].kind == TABLE_SHARDED;

            assert_true(got->tables[i].fenced == (sharded && place == 2));
            assert_true(span_equal(got->tables[i].hide, sharded ? SPAN("in_7_0") : SPAN("")));
            assert_int_equal(got->tables[i].n_lookups, sharded ? 2 : 0);
            if (sharded) {
                assert_true(got->tables[i].lookups[1].filling);
                assert_true(span_equal(got->tables[i].lookups[1].table, SPAN("t_a_2")));
                assert_int_equal(got->tables[i].lookups[0].column, 0);
            }
        }
        routes_free(got);
        buf_fini(&blob);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(fences_and_what_is_hidden),
        cmocka_unit_test(owners_hide),
        cmocka_unit_test(no_shards_is_a_beginning),
        cmocka_unit_test(every_rule_is_checked),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_large_catalog_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
