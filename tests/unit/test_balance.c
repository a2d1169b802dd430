/* test_balance.c - how a server is chosen: latencies, breakers, scores, ramps, positions. All
 * clocks are the tests' own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/balance/breaker.h"
#include "core/balance/budget.h"
#include "core/balance/pick.h"
#include "core/balance/position.h"
#include "core/balance/score.h"
#include "core/route/quantile.h"

enum { SECOND = 1000000 };

/* --- latency -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct { unsigned at_ms, us; } answer[8]; /* up to the first without `us` */
    unsigned at_ms;                           /* when it is looked at */
    double   least, most;
} latencies[] = {
    { "nothing is known", { { 0, 0 } }, 5, 0, 0 },
    { "the first answer is all we know", { { 1, 300 } }, 1, 300, 300 },
    { "equal answers", { { 1, 300 }, { 2, 300 }, { 3, 300 } }, 3, 300, 300 },
    { "up a quarter of the way", { { 1, 100 }, { 2, 500 } }, 2, 199, 200 },
    { "up and up", { { 1, 100 }, { 2, 500 }, { 3, 500 }, { 4, 500 }, { 5, 500 } }, 5, 370, 380 },
    { "down by time only", { { 1, 1000 }, { 2, 100 } }, 2, 990, 1000 },
    { "down after a while", { { 1, 1000 }, { 20001, 100 } }, 20001, 100, 200 },
    { "falls while nobody asks", { { 1, 1000 } }, 5001, 35, 42 },
    { "half after a second", { { 1, 1000 } }, 1050, 499, 501 },
    { "... without a step", { { 1, 1000 } }, 1049, 499, 502 },
    { "falls to nearly nothing", { { 1, 1000 } }, 500001, 0, 1 },
    { "a clock that stands", { { 5, 1000 }, { 5, 100 } }, 5, 1000, 1000 },
};

static void
test_ewma(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(latencies); i++) {
        struct ewma e = { 0 };
        for (size_t k = 0; k < 8 && latencies[i].answer[k].us != 0; k++)
            ewma_note(&e, latencies[i].answer[k].at_ms * 1000ull, latencies[i].answer[k].us);
        double v = ewma_value(&e, latencies[i].at_ms * 1000ull);
        if (v < latencies[i].least || v > latencies[i].most)
            fail_msg("%s: %f", latencies[i].name, v);
    }
}

/* Of a thousand numbers, each from `least` to `most`, then of as many others. */
static const struct {
    unsigned least, most, then_least, then_most;
    double   from, to;
} quantiles[] = {
    { 100, 100, 100, 100, 95, 120 }, { 0, 1000, 0, 1000, 910, 980 },
    { 0, 1000, 5000, 6000, 5800, 6100 }, { 5000, 6000, 0, 1000, 910, 980 },
    { 0, 0, 0, 0, 0, 19 },
};

static void
test_quantile(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(quantiles); i++) {
        struct quantile q = { 0 };
        uint64_t        random = 7;
        for (int k = 0; k < 20000; k++) {
            unsigned least = k < 10000 ? quantiles[i].least : quantiles[i].then_least;
            unsigned most  = k < 10000 ? quantiles[i].most : quantiles[i].then_most;
            if (k == QUANTILE_KNOWN - 1)
                assert_int_equal(quantile_value(&q), 0);
            quantile_note(&q, least + pick_random(&random) % (most - least + 1));
        }
        assert_in_range(quantile_value(&q), (uint64_t)quantiles[i].from,
                        (uint64_t)quantiles[i].to);
    }
}

/* --- breaker -------------------------------------------------------------------------- */

static const struct breaker_rules rules = {
    .errors = 3, .ratio_percent = 50, .ratio_least = 10, .window_ms = 1000,
    .open_ms = 100, .open_max_ms = 400, .trials = 2,
};

/* '+' and '-': a statement went well or badly; 'b' begins one that ends with 'w' (well), 'x'
 * (badly) or 'd' (dropped); 't': tripped; 'r': left alone for 300 ms, as one that failed twice;
 * 'h': hastened; '0'...: so many times 100 ms pass; 'y', 'n': it allows
 * one, or does not; 'C', 'O', 'H': the state it must be in. Random numbers are those in the
 * middle: no jitter. */
static const struct { const char *name, *script; } stories[] = {
    { "closed and well", "Cy+++Cy" },
    { "errors in a row open it", "C--C-On" },
    { "an answer between them", "C--+--C-O" },
    { "half open after its time", "---On1yOb H" },
    { "trials close it", "---O1bHw H bwCy" },
    { "so many trials at a time", "---O1bybnww C" },
    { "a failed trial opens it again", "---O1bx On" },
    { "... for twice as long", "---O1bx On1n1ybH" },
    { "... and twice again", "---O1bxO2bxO3n1y" },
    { "... up to a limit", "---O1bxO2bxO4bxO3n1ybxO3n1y" },
    { "well again, it starts with the shortest", "---O1bxO2bwbwC---On1y" },
    { "a dropped trial makes room", "---O1bbnd y b n" },
    { "late answers of before change nothing", "---O++On" },
    { "nor late errors", "---O--On1y" },
    { "errors without a trial while half open", "---O1bH---H w" },
    { "many errors among others", "+-+-+-+-+C-O" },
    { "few enough", "++-++-++-++-++-C" },
    { "too few statements", "+-+-+-+C" },
    { "a window ends", "+-+-+-+-C99-C" },
    { "tripped", "CtOn1yb H" },
    { "tripped while open is nothing new", "tOtOtOn1y" },
    { "tripped while half open", "tO1bH tOn1n1y" },
    { "the trial of a round before", "tO1bH tO2 x O yb H w H b w C" },
    { "it rests as others say", "CrOn2n1ybH bww C" },
    { "... with their back-off", "CrO3bHxOn3n1y" },
    { "trials of before do not count then", "---O1bH r w O n3ybH" },
    { "others' trials went well", "tOnhybH" },
    { "... and nothing waits here", "hC---OhbHhH" },
};

struct story {
    struct breaker b;
    uint64_t       now;
    breaker_ticket tickets[16];
    unsigned       first, last;
};

static void
end_one(struct story *s, bool well, bool dropped)
{
    breaker_ticket t = s->first < s->last ? s->tickets[s->first++ % 16] : 0;

    if (dropped)
        breaker_dropped(&s->b, t);
    else
        breaker_ended(&s->b, &rules, s->now, t, well, 25);
}

static bool
story_step(struct story *s, char c)
{
    switch (c) {
    case '+': case '-': breaker_ended(&s->b, &rules, s->now, 0, c == '+', 25); return true;
    case 'b': s->tickets[s->last++ % 16] = breaker_began(&s->b, &rules, s->now); return true;
    case 'w': case 'x': end_one(s, c == 'w', false); return true;
    case 'd': end_one(s, false, true); return true;
    case 't': breaker_trip(&s->b, &rules, s->now, 25); return true;
    case 'r': breaker_rest(&s->b, s->now, s->now + 300, 2); return true;
    case 'h': breaker_hasten(&s->b, s->now); return true;
    case 'y': return breaker_allows(&s->b, &rules, s->now);
    case 'n': return !breaker_allows(&s->b, &rules, s->now);
    case 'C': return s->b.state == BREAKER_CLOSED;
    case 'O': return s->b.state == BREAKER_OPEN;
    case 'H': return s->b.state == BREAKER_HALF_OPEN;
    case ' ': return true;
    default:  s->now += (uint64_t)(c - '0') * 100; return true;
    }
}

static void
test_breaker(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(stories); i++) {
        struct story s = { .now = 5000 };
        for (size_t k = 0; stories[i].script[k] != 0; k++)
            if (!story_step(&s, stories[i].script[k]))
                fail_msg("%s: step %zu (%c): it is %s", stories[i].name, k,
                         stories[i].script[k], breaker_state_name(s.b.state));
    }
}

static void
test_breaker_jitter(void **state)
{
    uint64_t least = UINT64_MAX, most = 0, random = 1;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct breaker b = { 0 };
        breaker_trip(&b, &rules, 1000, pick_random(&random));
        least = b.until_ms < least ? b.until_ms : least;
        most  = b.until_ms > most ? b.until_ms : most;
    }
    assert_int_equal(least, 1075);
    assert_int_equal(most, 1125);
}

/* --- score ---------------------------------------------------------------------------- */

static const struct {
    const char        *name;
    struct score_facts facts;
    unsigned           value, errors, latency;
} scores[] = {
    { "nothing is known", { BREAKER_CLOSED, { 0, 0 }, 0, 0 }, 100, 0, 0 },
    { "well", { BREAKER_CLOSED, { 1000, 0 }, 300, 300 }, 100, 0, 0 },
    { "twice as slow is nothing", { BREAKER_CLOSED, { 10, 0 }, 600, 300 }, 100, 0, 0 },
    { "six times as slow", { BREAKER_CLOSED, { 10, 0 }, 1800, 300 }, 80, 0, 20 },
    { "a hundred times", { BREAKER_CLOSED, { 10, 0 }, 30000, 300 }, 60, 0, 40 },
    { "one error in a thousand is seen", { BREAKER_CLOSED, { 9999, 1 }, 1, 1 }, 99, 1, 0 },
    { "a tenth fails", { BREAKER_CLOSED, { 90, 10 }, 300, 300 }, 88, 12, 0 },
    { "half fail", { BREAKER_CLOSED, { 50, 50 }, 300, 300 }, 40, 60, 0 },
    { "all fail, and slowly", { BREAKER_CLOSED, { 0, 50 }, 9000, 300 }, 0, 60, 40 },
    { "half open", { BREAKER_HALF_OPEN, { 10, 0 }, 300, 300 }, 50, 0, 0 },
    { "half open and bad", { BREAKER_HALF_OPEN, { 0, 9 }, 300, 300 }, 40, 60, 0 },
    { "open", { BREAKER_OPEN, { 1000, 0 }, 300, 300 }, 0, 0, 0 },
};

static void
test_score(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(scores); i++) {
        struct score s = score_of(&scores[i].facts);
        if (s.value != scores[i].value || s.errors != scores[i].errors ||
            s.latency != scores[i].latency)
            fail_msg("%s: %u, -%u, -%u", scores[i].name, s.value, s.errors, s.latency);
    }
}

/* --- ramp and choice ------------------------------------------------------------------ */

static const struct { unsigned since_s, now_s, ramp_s, part; } ramps[] = {
    { 0, 0, 0, 1000 }, { 10, 10, 10, 100 }, { 10, 15, 10, 550 }, { 10, 20, 10, 1000 },
    { 10, 99, 10, 1000 }, { 10, 9, 10, 100 }, { 0, 1, 10, 190 },
};

static void
test_ramp(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(ramps); i++)
        assert_int_equal(pick_ramp(ramps[i].since_s * (uint64_t)SECOND,
                                   ramps[i].now_s * (uint64_t)SECOND,
                                   ramps[i].ramp_s * (uint64_t)SECOND), ramps[i].part);
}

/* Shares, in percent, of 100,000 choices at one moment, at second 100. */
static const struct {
    const char *name;
    unsigned    usable, local;
    struct { unsigned us, outstanding, weight, since_s; int least, most; } server[4];
} choices[] = {
    { "none", 0, 0, { { 100, 0, 1, 0, 0, 0 }, { 100, 0, 1, 0, 0, 0 } } },
    { "one", 2, 0, { { 100, 0, 1, 0, 0, 0 }, { 900, 9, 1, 0, 100, 100 } } },
    { "the quicker of two", 3, 0, { { 100, 0, 1, 0, 100, 100 }, { 200, 0, 1, 0, 0, 0 } } },
    { "... has more to do", 3, 0, { { 100, 2, 1, 0, 0, 0 }, { 200, 0, 1, 0, 100, 100 } } },
    { "twice the weight", 3, 0, { { 100, 1, 1, 0, 0, 0 }, { 100, 1, 2, 0, 100, 100 } } },
    { "the slowest of four never, the others as they meet", 15, 0,
      { { 100, 0, 1, 0, 57, 60 }, { 200, 0, 1, 0, 32, 35 }, { 300, 0, 1, 0, 7, 10 },
        { 400, 0, 1, 0, 0, 0 } } },
    { "two of three are in trouble: the third is found", 7, 0,
      { { 1000, 0, 1, 0, 0, 0 }, { 1000, 0, 1, 0, 0, 0 }, { 200, 0, 1, 0, 100, 100 } } },
    { "... are a bit slower: they have their part", 7, 0,
      { { 300, 0, 1, 0, 15, 18 }, { 300, 0, 1, 0, 15, 18 }, { 200, 0, 1, 0, 65, 68 } } },
    { "local ones first", 15, 12,
      { { 100, 0, 1, 0, 0, 0 }, { 100, 0, 1, 0, 0, 0 }, { 300, 0, 1, 0, 100, 100 },
        { 400, 0, 1, 0, 0, 0 } } },
    { "no local one is usable", 3, 12, { { 100, 0, 1, 0, 100, 100 }, { 200, 0, 1, 0, 0, 0 } } },
    { "a new one gets a tenth", 3, 0, { { 100, 9, 1, 0, 87, 92 }, { 10, 0, 1, 100, 8, 13 } } },
    { "... and then a half", 3, 0, { { 100, 9, 1, 0, 42, 48 }, { 10, 0, 1, 95, 52, 58 } } },
    { "all are new", 7, 0,
      { { 100, 0, 1, 100, 20, 50 }, { 100, 0, 1, 100, 20, 50 }, { 100, 0, 1, 100, 20, 50 } } },
};

static void
choose(size_t k)
{
    struct pick_server s[4] = { 0 };
    int                n[4] = { 0 }, rounds = 100000;
    uint64_t           random = 42, now = 100ull * SECOND;

    for (int i = 0; i < 4; i++)
        s[i] = (struct pick_server){
            .latency     = { choices[k].server[i].us, now },
            .silent_us   = now,
            .outstanding = choices[k].server[i].outstanding,
            .weight      = choices[k].server[i].weight,
            .since_us    = choices[k].server[i].since_s * (uint64_t)SECOND,
        };
    for (int i = 0; i < rounds; i++) {
        struct pick_list list = { 0 };
        for (unsigned m = 0; m < 4; m++)
            if (choices[k].usable >> m & 1)
                pick_add(&list, &s[m], choices[k].local >> m & 1);
        const struct pick_server *got = pick(&list, now, 10ull * SECOND, &random);
        assert_true((got == NULL) == (choices[k].usable == 0));
        if (got != NULL)
            n[got - s]++;
    }
    for (int i = 0; i < 4; i++) {
        int percent = (n[i] + rounds / 200) / (rounds / 100);
        if (percent < choices[k].server[i].least || percent > choices[k].server[i].most)
            fail_msg("%s: server %d got %d %%", choices[k].name, i, percent);
    }
}

static void
test_choice(void **state)
{
    (void)state;
    for (size_t k = 0; k < countof(choices); k++)
        choose(k);
}

/* Servers whose answers take 90 us, and 10 more (PICK_LEAST_US). */
static const struct {
    const char *name;
    unsigned    waiting, silent_us, us;
} silences[] = {
    { "nobody waits", 0, 5000, 100 },
    { "an answer came just now", 3, 0, 100 },
    { "the next one is not late", 3, 100, 100 },
    { "it is: so long it takes", 1, 500, 500 },
    { "for long: sixteen answers", 1, 1000000, 1600 },
};

static void
test_silence(void **state)
{
    uint64_t now = 100ull * SECOND;

    (void)state;
    for (size_t i = 0; i < countof(silences); i++) {
        struct pick_server s = { .latency = { 90, now }, .weight = 1,
                                 .outstanding = silences[i].waiting,
                                 .silent_us = now - silences[i].silent_us };
        if (fabs(pick_us(&s, now) - silences[i].us) > 0.01)
            fail_msg("%s: %f", silences[i].name, pick_us(&s, now));
    }
}

/* From when on a server is silent. */
static void
test_began_and_ended(void **state)
{
    struct pick_server s = { 0 };

    (void)state;
    pick_began(&s, 10);
    pick_began(&s, 20);
    assert_true(s.outstanding == 2 && s.silent_us == 10);
    pick_ended(&s, 30, false); /* given up: nothing was heard */
    assert_true(s.outstanding == 1 && s.silent_us == 10);
    pick_began(&s, 40);
    pick_ended(&s, 50, true);
    assert_true(s.outstanding == 1 && s.silent_us == 50);
    pick_ended(&s, 60, true);
    pick_began(&s, 70);
    assert_true(s.outstanding == 1 && s.silent_us == 70);
}

/* Errors are quick: that makes nobody look good. */
static void
test_errors_cost(void **state)
{
    struct pick_server s = { .latency = { 100, 1000 }, .weight = 1 };
    double             well = pick_cost(&s, 1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        pick_note(&s, i % 10 != 0);
    assert_true(pick_cost(&s, 1000) > 2 * well && pick_cost(&s, 1000) < 6 * well);
    for (int i = 0; i < 1000; i++)
        pick_note(&s, false);
    assert_true(pick_cost(&s, 1000) > 20 * well);
    for (int i = 0; i < 200; i++)
        pick_note(&s, true);
    assert_true(pick_cost(&s, 1000) < 1.01 * well);
}

static void
test_panic(void **state)
{
    (void)state;
    assert_false(pick_panics(2, 2, 50));
    assert_false(pick_panics(1, 2, 50));
    assert_true(pick_panics(0, 2, 50));
    assert_true(pick_panics(1, 3, 50));
    assert_false(pick_panics(0, 5, 0));
}

/* --- retries -------------------------------------------------------------------------- */

static unsigned
retries(struct budget *b, unsigned wanted, uint64_t now_ms)
{
    unsigned n = 0;

    while (n < wanted && budget_spend(b, now_ms))
        n++;
    return n;
}

static void
test_budget(void **state)
{
    struct budget b = { 0 };

    (void)state;
    assert_int_equal(retries(&b, 100, 1), BUDGET_FREE);
    assert_int_equal(retries(&b, 100, 999), 0);
    assert_int_equal(retries(&b, 100, 1000), BUDGET_FREE);
    for (int i = 0; i < 1000; i++)
        budget_earn(&b, 20);
    assert_int_equal(retries(&b, 1000, 1500), 200);
    for (int i = 0; i < 1000000; i++)
        budget_earn(&b, 20);
    assert_int_equal(retries(&b, 100000, 9000), BUDGET_MOST);
}

/* --- positions ------------------------------------------------------------------------ */

static const struct { const char *a, *b; bool has, parses; } positions[] = {
    { "", "", true, true },
    { "0-1-5", "", true, true },
    { "", "0-1-5", false, true },
    { "0-1-5", "0-1-5", true, true },
    { "0-2-6", "0-1-5", true, true },
    { "0-1-4", "0-1-5", false, true },
    { "0-1-9,1-1-3", "1-7-3", true, true },
    { "0-1-9", "0-1-9,1-7-3", false, true },
    { "1-1-3,0-1-9", "0-1-9,1-1-3", true, true },
    { "0-1-9,0-2-12", "0-2-12", true, true },
    { "0-1-9,\n1-1-3", "1-1-3", true, true },
    { "4294967295-4294967295-18446744073709551615", "0-1-1", false, true },
    { "4294967296-1-1", "", false, false },
    { "0-1-18446744073709551616", "", false, false },
    { "0-1", "", false, false },
    { "0-1-", "", false, false },
    { "0-1-5,", "", false, false },
    { "0-1-5 ", "", false, false },
    { "-1-5", "", false, false },
    { "x", "", false, false },
};

static void
test_position(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(positions); i++) {
        struct position a, b;
        bool            ok = position_parse(span_of(positions[i].a), &a);
        assert_int_equal(ok, positions[i].parses);
        assert_true(position_parse(span_of(positions[i].b), &b));
        if (ok && position_has(&a, &b) != positions[i].has)
            fail_msg("%s and %s", positions[i].a, positions[i].b);
    }
}

static const struct { const char *a, *b; uint64_t behind; } behinds[] = {
    { "", "", 0 }, { "0-1-5", "0-1-5", 0 }, { "0-1-5", "0-2-9", 4 }, { "0-1-9", "0-1-5", 0 },
    { "", "0-1-5,1-1-3", 8 }, { "0-1-4,1-1-9", "1-1-9,0-1-5", 1 },
};

static void
test_position_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(behinds); i++) {
        struct position a, b;
        assert_true(position_parse(span_of(behinds[i].a), &a));
        assert_true(position_parse(span_of(behinds[i].b), &b));
        assert_int_equal(position_behind(&a, &b), behinds[i].behind);
    }
}

static void
test_position_domains(void **state)
{
    char            text[40 * POSITION_DOMAINS];
    size_t          len = 0;
    struct position p;

    (void)state;
    for (int i = 0; i <= POSITION_DOMAINS; i++) {
        if (i == POSITION_DOMAINS)
            assert_true(position_parse((struct span){ (uint8_t *)text, len - 1 }, &p));
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%d-1-1,", i);
    }
    assert_false(position_parse((struct span){ (uint8_t *)text, len - 1 }, &p));
}

static void
add(struct positions *log, unsigned us, uint64_t number)
{
    struct position p = { .n = 1, .number = { number } };

    positions_add(log, us, &p);
}

static uint64_t
covered(const struct positions *log, uint64_t number)
{
    struct position p = { .n = 1, .number = { number } };

    return positions_covered(log, &p);
}

static void
test_covered(void **state)
{
    struct positions log = { 0 };

    (void)state;
    assert_int_equal(covered(&log, 99), 0);
    add(&log, 100, 5);
    add(&log, 200, 7);
    assert_int_equal(covered(&log, 4), 0);
    assert_int_equal(covered(&log, 5), 100);
    assert_int_equal(covered(&log, 6), 100);
    assert_int_equal(covered(&log, 7), 200);
    add(&log, 300, 7); /* nothing was written */
    assert_int_equal(covered(&log, 8), 300);
    for (unsigned i = 4; i < 400; i++)
        add(&log, i * 100, i * 2);
    assert_true(log.n <= POSITIONS);
    assert_int_equal(covered(&log, 798), 39900);
    assert_int_equal(covered(&log, 796), 39800);
    assert_in_range(covered(&log, 700), 30000, 35000); /* never too much, nor much too little */
    assert_in_range(covered(&log, 200), 1000, 10000);
    add(&log, 50000, 3); /* the primary has begun anew */
    assert_int_equal(covered(&log, 2), 0);
    assert_int_equal(covered(&log, 3), 50000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ewma),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_breaker),
        cmocka_unit_test(test_breaker_jitter),
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_began_and_ended),
        cmocka_unit_test(test_errors_cost),
        cmocka_unit_test(test_panic),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_position_behind),
        cmocka_unit_test(test_position_domains),
        cmocka_unit_test(test_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
