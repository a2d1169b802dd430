/* bench_plan.c - what planning costs: a cache hit with its route, a full plan, merged rows.
 *
 *   build/release/bench_plan [seconds per measurement, 1]
 *
 * The same work under callgrind: valgrind --tool=callgrind build/release/bench_plan 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/route/cache.h"
#include "tests/unit/plan_world.h"

static double
now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct hit {
    struct cache *cache;
    struct digest digest;
    uint32_t      shards;
    char          text[100];
};

static void
hit_once(struct hit *h, uint32_t id)
{
    struct lex_options lex = { 0 };
    struct shard_set   set;
    struct sql_error   error;
    int len = snprintf(h->text, sizeof(h->text), "SELECT name FROM users WHERE id=%u", id);
    struct span text = { (const uint8_t *)h->text, (size_t)len };
    if (digest_make(&h->digest, text, lex, 1 << 20) != DIGEST_OK)
        abort();
    struct cache_key key = { .hash = h->digest.hash, .text = h->digest.text, .schema = SPAN("app"),
                             .generation = 1, .collation = 45 };
    struct plan_ref *p = cache_find(h->cache, &key);
    if (p == NULL) {
        struct stmt        *stmt    = NULL;
        struct arena        scratch = { 0 };
        struct plan_context context = { .routes = &world, .schema = SPAN("app"),
                                        .collation = 45 };
        if (parse_statement(&scratch, text, lex, &h->digest, &stmt) != PARSE_OK)
            abort();
        p = plan_ref_new();
        plan_make(&p->arena, &context, text, &h->digest, stmt, &p->plan);
        cache_insert(h->cache, &key, p);
        arena_fini(&scratch);
    }
    struct plan_values values = { .text = text, .literals = h->digest.literals,
                                  .n_literals = h->digest.n_literals };
    if (!plan_route(&p->plan, &world, &values, 0, &set, &error))
        abort();
    h->shards += set.first;
    plan_ref_release(p);
}

static void
bench_hit(double seconds)
{
    struct hit h     = { .cache = cache_new(1000, 16 << 20) };
    double     start = now_ns(), printing, spent;
    uint64_t   n     = 0;
    do {
        for (int i = 0; i < 1000; i++)
            hit_once(&h, (uint32_t)n++ % 100000);
        spent = now_ns() - start;
    } while (spent < seconds * 1e9);
    start = now_ns(); /* writing the statement is not what is measured */
    for (uint64_t i = 0; i < n; i++)
        snprintf(h.text, sizeof(h.text), "SELECT name FROM users WHERE id=%u",
                 (unsigned)i % 100000);
    printing = now_ns() - start;
    printf("digest + cache hit + route   %7.0f ns\n", (spent - printing) / (double)n);
    cache_free(h.cache);
    digest_fini(&h.digest);
}

static void
bench_plan(const char *what, const char *sql, double seconds)
{
    double              start   = now_ns(), spent;
    uint64_t            n       = 0;
    struct arena        scratch = { 0 }, arena = { 0 };
    struct digest       digest  = { 0 };
    struct lex_options  lex     = { 0 };
    struct span         text    = span_of(sql);
    struct plan_context context = { .routes = &world, .schema = SPAN("app"), .collation = 45 };
    do {
        for (int i = 0; i < 1000; i++, n++) {
            struct stmt *stmt = NULL;
            struct plan  plan;
            if (digest_make(&digest, text, lex, 1 << 20) != DIGEST_OK ||
                parse_statement(&scratch, text, lex, &digest, &stmt) != PARSE_OK)
                abort();
            plan_make(&arena, &context, text, &digest, stmt, &plan);
            arena_reset(&scratch);
            arena_reset(&arena);
        }
        spent = now_ns() - start;
    } while (spent < seconds * 1e9);
    printf("%-28s %7.0f ns\n", what, spent / (double)n);
    arena_fini(&scratch);
    arena_fini(&arena);
    digest_fini(&digest);
}

/* A column definition of an INT or of a string of bytes. */
static struct span
definition(uint8_t type, uint8_t bytes[32])
{
    size_t n = 0;
    for (int i = 0; i < 6; i++) {
        bytes[n++] = 1;
        bytes[n++] = 'x';
    }
    uint8_t rest[] = { 12, 63, 0, 11, 0, 0, 0, type, 0, 0, 0, 0, 0 };
    memcpy(bytes + n, rest, sizeof(rest));
    return (struct span){ bytes, n + sizeof(rest) };
}

/* Four legs of rows (number, 40 bytes), in order. */
static void
bench_merge(const char *what, const char *sql, double seconds)
{
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    uint8_t           first[32], second[32];
    struct span       columns[2] = { definition(3, first), definition(253, second) }, row;
    uint64_t          rows = 0;
    double            start = now_ns(), spent;
    planned_make(&c, sql, "app", false);
    struct plan_values values = planned_values(&c, NULL, 0);
    if (!plan_merge_args(&c.plan, &values, &c.arena, &args, &error))
        abort();
    struct merge *m = merge_new(c.plan.merge, &args, columns, 2, 4, MERGE_TEXT, 64 << 20, &error);
    if (m == NULL)
        abort();
    uint32_t number[4] = { 0 };
    do {
        for (uint32_t leg = 0; leg < 4; leg++)
            for (int i = 0; i < 1000 && merge_wants(m, leg); i++) {
                char text[64];
                uint32_t v = 10000000 + number[leg]++ * 4 + leg;
                text[0]    = 8;
                for (int digit = 8; digit > 0; digit--, v /= 10)
                    text[digit] = (char)('0' + v % 10);
                text[9] = 40;
                memset(text + 10, 'x', 40);
                merge_row(m, leg, (struct span){ (const uint8_t *)text, 50 });
            }
        while (merge_next(m, &row) == MERGE_ROW)
            rows++;
        spent = now_ns() - start;
    } while (spent < seconds * 1e9);
    printf("%-28s %7.2f M rows per CPU second\n", what, (double)rows / spent * 1e3);
    merge_free(m);
    planned_fini(&c);
}

int
main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    world_init();
    bench_hit(seconds);
    bench_plan("full: point select", "SELECT name FROM users WHERE id=4242", seconds);
    bench_plan("full: join with a key",
               "SELECT u.name, o.amount FROM users u JOIN orders o ON o.user_id = u.id "
               "WHERE u.id = 5 ORDER BY o.amount LIMIT 10", seconds);
    bench_plan("full: scatter with groups",
               "SELECT country, COUNT(*), AVG(amount) FROM orders GROUP BY country "
               "ORDER BY 2 DESC LIMIT 10", seconds);
    bench_merge("concatenate", "SELECT age, name FROM users", seconds);
    bench_merge("merge-sort", "SELECT age, name FROM users ORDER BY age", seconds);
    return 0;
}
