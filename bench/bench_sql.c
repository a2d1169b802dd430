/* bench_sql.c - what lexing, digesting and parsing cost.
 *
 *   bench_sql            nanoseconds each, the best of several rounds
 *   bench_sql NAME N     one case N times, for callgrind
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/memory.h"
#include "core/sql/parse.h"

enum { ROUNDS = 9, ROWS = 1000 };

static struct digest digest;
static struct arena  arena;
static struct buf    insert;
static uint64_t      sink; /* keeps the work from being optimised away */

static void
lex_all(struct span text)
{
    struct lex   l;
    struct token t;

    lex_init(&l, text, (struct lex_options){ 0 });
    do {
        t = lex_next(&l);
        sink += t.start;
    } while (t.kind != TOK_END && t.kind != TOK_BAD);
}

static void
digest_all(struct span text)
{
    if (digest_make(&digest, text, (struct lex_options){ 0 }, 1 << 20) != DIGEST_OK)
        abort();
    sink += digest.hash;
}

static void
parse_all(struct span text)
{
    struct stmt *s;

    if (parse_statement(&arena, text, (struct lex_options){ 0 }, &digest, &s) != PARSE_OK)
        abort();
    sink += s->range.end;
    arena_reset(&arena);
}

static const char *const texts[][2] = {
    { "point", "SELECT c FROM sbtest1 WHERE id=4242" },
    { "range", "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 100 AND 199 ORDER BY c" },
    { "update", "UPDATE sbtest1 SET c='12345678901-12345678901-12345678901' WHERE id=4242" },
    { "insert", "INSERT INTO sbtest1 (id, k, c, pad) VALUES (5001, 4987, '68487932199-96439406143"
                "-93774651418-41631865787', '67847967377-48000963322-62604785301')" },
    { "join", "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id "
              "LEFT JOIN notes n ON n.order_id = o.id WHERE o.customer_id = 7 AND o.state IN "
              "('new', 'paid') AND n.id IS NULL ORDER BY o.created DESC LIMIT 20" },
};

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
best_of(void (*work)(struct span), struct span text, int n)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < n; i++)
            work(text);
        double ns = (now_ns() - start) / n;
        best      = ns < best ? ns : best;
    }
    return best;
}

static void
report(const char *name, struct span text, int n)
{
    digest_all(text);
    printf("%-8s %7zu bytes  lex %8.0f ns  lex+digest %8.0f ns  parse %8.0f ns\n", name, text.len,
           best_of(lex_all, text, n), best_of(digest_all, text, n), best_of(parse_all, text, n));
}

static int
one_case(const char *name, int n)
{
    for (size_t i = 0; i < countof(texts); i++) {
        if (strcmp(name, texts[i][0]) != 0)
            continue;
        for (int k = 0; k < n; k++)
            digest_all(span_of(texts[i][1]));
        return 0;
    }
    fprintf(stderr, "no such case: %s\n", name);
    return 2;
}

int
main(int argc, char **argv)
{
    if (argc == 3)
        return one_case(argv[1], atoi(argv[2]));
    for (size_t i = 0; i < countof(texts); i++)
        report(texts[i][0], span_of(texts[i][1]), 100000);
    buf_append_text(&insert, "INSERT INTO t (a, b, c) VALUES (1, 'first', 1.5)");
    for (int i = 1; i < ROWS; i++)
        buf_append_text(&insert, ", (12345, 'a string of some length, as they are', 1.25)");
    report("rows", buf_unread(&insert), 100);
    buf_fini(&insert);
    digest_fini(&digest);
    arena_fini(&arena);
    return sink == 0;
}
