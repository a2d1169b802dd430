/* test_policy.c - what the scaler decides in which world, and what holds it back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/scale/policy_json.h"
#include "ctl/scale/scaler_step.h"

enum { NOW = 1000000 };

/* A shard in a word or two: "9000" statements a second of 10000, then letters:
 *   h hot by statements   s by storage   m by memory   l by latency   p by CPU
 *   c cold   d home of a database   k one hot key   r rested enough   x moved just now
 *   ! sick   0 without rows   f will be hot   F the same, by bad forecasts   + will be busy
 *   g a full disk   o takes part in a move */
static struct policy_shard
shard_of(const char *text, unsigned i)
{
    struct policy_shard s = { .id = i + 1, .ranges = 8, .beside = i + 1 };
    char               *at;

    snprintf(s.name, sizeof(s.name), "s%u", i + 1);
    for (int m = 0; m < METRICS_N; m++)
        s.mean[m] = NAN;
    s.mean[METRIC_STATEMENTS] = strtod(text, &at);
    s.bytes = 1e9, s.disk_used = 10e9, s.disk_free = 90e9;
    for (; *at; at++)
        switch (*at) {
        case 'h': s.hot |= 1u << METRIC_STATEMENTS; s.above[METRIC_STATEMENTS] = 7; break;
        case 's': s.hot |= 1u << METRIC_STORAGE; s.mean[METRIC_STORAGE] = 0.9; break;
        case 'm': s.hot |= 1u << METRIC_MEMORY; s.mean[METRIC_MEMORY] = 0.95; break;
        case 'l': s.hot |= 1u << METRIC_LATENCY; s.mean[METRIC_LATENCY] = 0.3; break;
        case 'p': s.hot |= 1u << METRIC_CPU; s.mean[METRIC_CPU] = 0.99; break;
        case 'c': s.cold = true; break;
        case 'd': s.home = true; break;
        case 'k': snprintf(s.key, sizeof(s.key), "app.t 5"); s.key_share = 0.8; break;
        case 'r': s.moved_s = NOW - 1801; break;
        case 'x': s.moved_s = NOW - 1000; break;
        case '!': snprintf(s.sick, sizeof(s.sick), "%s does not answer", s.name); break;
        case '0': s.ranges = 0; break;
        case 'f': case 'F': case '+':
            s.statements = (struct policy_forecast){ .ready = true, .peak = *at == '+' ? 4500
                : 13000, .low = *at == '+' ? 4000 : 11000, .high = 15000, .in_s = 1200,
                .error = *at == 'F' ? 0.3 : 0.1 };
            break;
        case 'g': s.disk_used = 69e9; s.disk_free = 31e9; break;
        case 'o': s.moving = true; break;
        case 'z': s.cpus = 4; s.mean[METRIC_CPU] = 0.05; break;
        case 'Z': s.cpus = 4; s.mean[METRIC_CPU] = 0.3; break;
        default: fail_msg("'%c'", *at);
        }
    return s;
}

/* Settings besides mode=auto, separated by spaces; shards; what of the world is not usual: moves,
 * moves today (all of them merges), minute of the day, stopped; decisions: "action why
 * [shard>other] hold" each. */
static const struct {
    const char *name, *settings, *shards;
    unsigned    moves, today;
    int         minute;
    const char *stopped, *expect;
} cases[] = {
    { "nothing to do", "", "5000 5000", 0, 0, 0, "", "" },
    { "one is hot", "", "12000h 100", 0, 0, 0, "", "split hot s1 -" },
    { "mode off", "mode=off", "12000h 100", 0, 0, 0, "", "" },
    { "mode advise", "mode=advise", "12000h", 0, 0, 0, "", "split hot s1 advise" },
    { "the hottest first", "", "12000h 15000h", 0, 0, 0, "", "split hot s2 -, split hot s1 move" },
    { "two at once", "max_moves=2", "12000h 15000h", 0, 0, 0, "",
      "split hot s2 -, split hot s1 -" },
    { "two at once, room for one", "max_moves=2 max_shards=3", "12000h 15000h", 0, 0, 0, "",
      "split hot s2 -, split hot s1 shards" },
    { "rows move already", "", "12000h 100", 1, 0, 0, "", "split hot s1 move" },
    { "it takes part in the move", "", "12000ho 100", 1, 0, 0, "", "" },
    { "cooldown", "", "12000hx 100", 0, 0, 0, "", "split hot s1 cooldown" },
    { "cooldown is over", "", "12000hr 100", 0, 0, 0, "", "split hot s1 -" },
    { "no cooldown", "cooldown_s=0", "12000hx 100", 0, 0, 0, "", "split hot s1 -" },
    { "enough shards", "max_shards=2", "12000h 100", 0, 0, 0, "", "split hot s1 shards" },
    { "one without rows", "max_shards=2", "12000h 0c0", 0, 0, 0, "", "split hot s1 -" },
    { "into three, one without rows", "max_shards=2 into=3", "12000h 0c0", 0, 0, 0, "",
      "split hot s1 shards" },
    { "budget", "moves_per_day=3", "12000h", 0, 3, 0, "", "split hot s1 budget" },
    { "budget of none", "moves_per_day=0", "12000h", 0, 0, 0, "", "split hot s1 budget" },
    { "quiet hours", "quiet=22:00-06:00", "12000h", 0, 0, 23 * 60, "", "split hot s1 quiet" },
    { "quiet at night", "quiet=22:00-06:00", "12000h", 0, 0, 359, "", "split hot s1 quiet" },
    { "not quiet", "quiet=22:00-06:00", "12000h", 0, 0, 360, "", "split hot s1 -" },
    { "quiet at noon", "quiet=12:00-13:00", "12000h", 0, 0, 750, "", "split hot s1 quiet" },
    { "stopped", "", "12000h", 0, 0, 0, "3 failures", "split hot s1 stopped" },
    { "sick", "", "12000h!", 0, 0, 0, "", "split hot s1 health" },
    { "storage", "", "100s", 0, 0, 0, "", "split hot s1 -" },
    { "CPU", "", "100p", 0, 0, 0, "", "split hot s1 -" },
    { "memory only", "", "100m", 0, 0, 0, "", "hint memory s1 -" },
    { "memory and statements", "", "12000mh", 0, 0, 0, "", "split hot s1 -" },
    { "slow with nothing to do", "", "100l", 0, 0, 0, "", "hint latency s1 -" },
    { "slow and busy", "", "8000l", 0, 0, 0, "", "split hot s1 -" },
    { "one key", "", "12000hk", 0, 0, 0, "", "hint key s1 -" },
    { "one key, and people who do not mind", "hot_key=90", "12000hk", 0, 0, 0, "",
      "split hot s1 -" },
    { "one key does not fill a disk", "", "100sk", 0, 0, 0, "", "split hot s1 -" },
    { "hints come last", "", "12000hk 10500h", 0, 0, 0, "", "split hot s2 -, hint key s1 -" },
    { "it will be hot", "", "9000f", 0, 0, 0, "", "split forecast s1 -" },
    { "bad forecasts", "", "9000F", 0, 0, 0, "", "" },
    { "no trust in forecasts", "forecast_error=0", "9000f", 0, 0, 0, "", "" },
    { "cold, alone", "", "100c", 0, 0, 0, "", "" },
    { "two cold ones", "", "100c 200c", 0, 0, 0, "", "merge cold s1>s2 -" },
    { "the home stays", "", "100cd 200c", 0, 0, 0, "", "merge cold s2>s1 -" },
    { "two homes", "", "100cd 200cd", 0, 0, 0, "", "merge cold s1>s2 home" },
    { "no merge", "cold=0", "100c 200c", 0, 0, 0, "", "" },
    { "too few", "min_shards=2", "100c 200c", 0, 0, 0, "", "" },
    { "the coldest two of three", "", "300c 100c 200c", 0, 0, 0, "", "merge cold s2>s3 -" },
    { "beside it", "", "900cd 100c 200c", 0, 0, 0, "", "merge cold s2>s1 -" },
    { "together too much", "merge_to=3", "200c 200c", 0, 0, 0, "", "" },
    { "busy soon", "", "100c+ 200c+", 0, 0, 0, "", "" },
    { "a full disk", "max_storage=80", "100c 200cdg", 0, 0, 0, "", "merge cold s2>s1 home" },
    { "the next one has room", "", "100c 200cdg 300c", 0, 0, 0, "", "merge cold s1>s3 -" },
    { "one rests", "", "100cx 200c", 0, 0, 0, "", "" },
    { "one is sick", "", "100c! 200c", 0, 0, 0, "", "" },
    { "hot ones first", "", "12000h 100c 200c", 0, 0, 0, "",
      "split hot s1 -, merge cold s2>s3 move" },
    { "merges have a budget too", "moves_per_day=1", "100c 200c", 0, 1, 0, "",
      "merge cold s1>s2 budget" },
    { "and one of one", "moves_per_day=1", "100c 200c", 0, 0, 0, "", "merge cold s1>s2 -" },
    { "they have a quarter of it", "moves_per_day=8", "100c 200c", 0, 2, 0, "",
      "merge cold s1>s2 budget" },
    { "which they may use", "moves_per_day=8", "100c 200c", 0, 1, 0, "", "merge cold s1>s2 -" },
    { "the rest is for splits", "moves_per_day=8", "12000h", 0, 2, 0, "", "split hot s1 -" },
    { "cold, alone, and on a large server", "", "100cz", 0, 0, 0, "", "hint size s1 -" },
    { "it needs what it has", "", "100cZ", 0, 0, 0, "", "" },
    { "not for long", "", "100z", 0, 0, 0, "", "" },
    { "a merge says more", "", "100cz 200cz", 0, 0, 0, "", "merge cold s1>s2 -" },
    { "large, and never looked at", "max_cpu=0", "100cz", 0, 0, 0, "", "" },
    { "large without rows", "", "0cz0 500", 0, 0, 0, "", "" },
    { "one without rows is nobody's partner", "", "100c 0c0", 0, 0, 0, "", "" },
};

static void
settings_of(struct scale_settings *s, const char *text)
{
    char       copy[200], *at = copy, *word;
    struct err err;

    settings_default(s);
    assert_true(settings_set(s, "mode", "auto", &err));
    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strsep(&at, " ")) && word[0]) {
        char *value = strchr(word, '=');

        *value++ = '\0';
        assert_true(settings_set(s, word, value, &err));
    }
}

static void
world_of(struct policy_world *w, const char *shards)
{
    char  copy[200], *at = copy, *word;

    *w = (struct policy_world){ .now_s = NOW, .shard = calloc(16, sizeof(*w->shard)) };
    snprintf(copy, sizeof(copy), "%s", shards);
    while ((word = strsep(&at, " ")) && word[0]) {
        w->shard[w->n] = shard_of(word, (unsigned)w->n);
        w->n_spare += w->shard[w->n].ranges == 0;
        w->n++;
    }
    w->n_shards = (unsigned)w->n;
}

static void
print(const struct policy_world *w, const struct decision *d, size_t n, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const char *hold = policy_hold_name(d[i].hold);

        len += (size_t)snprintf(out + len, room - len, "%s%s %s %s", i ? ", " : "",
                                policy_action_name(d[i].action), policy_why_name(d[i].why),
                                w->shard[d[i].shard].name);
        if (d[i].other != d[i].shard)
            len += (size_t)snprintf(out + len, room - len, ">%s", w->shard[d[i].other].name);
        len += (size_t)snprintf(out + len, room - len, " %s", hold[0] ? hold : "-");
    }
}

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct scale_settings s;
        struct policy_world   w;
        struct decision       d[8];
        char                  got[400];
        size_t                n;

        settings_of(&s, cases[i].settings);
        world_of(&w, cases[i].shards);
        if (strcmp(cases[i].name, "beside it") == 0)
            w.shard[1].beside = 1;
        w.moves = cases[i].moves, w.minute = cases[i].minute;
        w.moves_today = w.merges_today = cases[i].today;
        snprintf(w.stopped, sizeof(w.stopped), "%s", cases[i].stopped);
        n = policy_decide(&s, &w, d, countof(d));
        print(&w, d, n, got, sizeof(got));
        if (strcmp(got, cases[i].expect) != 0)
            fail_msg("%s: %s", cases[i].name, got);
        for (size_t k = 0; k < n; k++)
            if (strlen(d[k].text) < 20 || (d[k].hold && !strstr(d[k].text, "not now")))
                fail_msg("%s: '%s'", cases[i].name, d[k].text);
        free(w.shard);
    }
}

/* What was recorded says the same again. */
static void
test_replay(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct scale_settings s;
        struct policy_world   w;
        struct decision       d[8];
        json_t               *settings, *world, *decision, *again;
        size_t                n;

        settings_of(&s, cases[i].settings);
        world_of(&w, cases[i].shards);
        w.moves = cases[i].moves, w.minute = cases[i].minute;
        w.moves_today = w.merges_today = cases[i].today;
        snprintf(w.stopped, sizeof(w.stopped), "%s", cases[i].stopped);
        n = policy_decide(&s, &w, d, countof(d));
        for (size_t k = 0; k < n; k++) {
            settings = settings_json(&s);
            world    = policy_world_around(&w, &d[k], 64);
            decision = policy_decision_json(&d[k], &w);
            again    = policy_replay(settings, world, decision);
            if (!json_equal(decision, again))
                fail_msg("%s: %s, %s", cases[i].name, json_dumps(decision, 0),
                         json_dumps(again, 0));
            json_decref(settings);
            json_decref(world);
            json_decref(decision);
            json_decref(again);
        }
        free(w.shard);
    }
}

/* Of a thousand shards those are recorded that matter. */
static void
test_around(void **state)
{
    struct scale_settings s;
    struct policy_world   w = { .now_s = NOW, .n_shards = 1000, .n = 1000 };
    struct decision       d[8];
    json_t               *world, *settings, *decision, *again;

    (void)state;
    settings_of(&s, "max_shards=1024");
    w.shard = calloc(w.n, sizeof(*w.shard));
    for (unsigned i = 0; i < w.n; i++)
        w.shard[i] = shard_of(i == 777 ? "12000h" : "5000", i);
    assert_int_equal(policy_decide(&s, &w, d, countof(d)), 1);
    assert_int_equal(d[0].shard, 777);
    world    = policy_world_around(&w, &d[0], 64);
    settings = settings_json(&s);
    decision = policy_decision_json(&d[0], &w);
    again    = policy_replay(settings, world, decision);
    assert_int_equal(json_array_size(json_object_get(world, "shards")), 1);
    assert_true(json_equal(decision, again));
    json_decref(world);
    json_decref(settings);
    json_decref(decision);
    json_decref(again);
    free(w.shard);
}

/* Of a disk of 100 GB. A new server is 200 MB, and takes twice the rows while they come. */
static void
test_room(void **state)
{
    static const struct {
        double bytes, replicas, left, free_disk;
        bool   enough;
    } rows[] = {
        { 1e9, NAN, 2.3e9, 0, true },  { 1e9, NAN, 2.1e9, 0, false },
        { 1e9, 0, 2.3e9, 0, true },    { 1e9, 2, 6.5e9, 0, false },
        { 1e9, 2, 6.7e9, 0, true },    { 1e9, 0, 2.3e9, 10, false },
        { 1e9, 0, 12.3e9, 10, true },  { NAN, 0, 0.1e9, 0, false },
        { NAN, 0, 0.3e9, 0, true },
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++) {
        struct shard_load m;

        shard_load_init(&m, 1, "s1");
        m.bytes           = rows[i].bytes;
        m.replicas_wanted = rows[i].replicas;
        if (scaler_has_room(&m, 100e9, rows[i].left, rows[i].free_disk) != rows[i].enough)
            fail_msg("row %zu", i);
    }
}

static void
test_settings(void **state)
{
    static const struct { const char *name, *value; bool good; } rows[] = {
        { "mode", "auto", true },       { "mode", "on", false },
        { "quiet", "00:00-24:00", true }, { "quiet", "00:00-24:01", false },
        { "quiet", "", true },          { "quiet", "22:00-06:00", true },
        { "quiet", "22-6", false },     { "quiet", "25:00-06:00", false },
        { "quiet", "22:00-22:00", false }, { "quiet", "22:00-24:30", false },
        { "max_cpu", "0x10", false },
        { "quiet", "10:00-11:00x", false }, { "max_cpu", "75.5", true },
        { "max_cpu", "101", false },    { "max_cpu", "-1", false },
        { "max_cpu", "", false },       { "max_cpu", "7x", false },
        { "max_cpu", "nan", false },    { "nothing", "1", false },
        { "hot_n", "9", true },         { "into", "1", false },
    };
    struct scale_settings s, t;
    struct err            err;
    json_t               *o, *list;
    char                  before[sizeof(s)];

    (void)state;
    settings_default(&s);
    assert_true(settings_check(&s, &err));
    for (size_t i = 0; i < countof(rows); i++) {
        memcpy(before, &s, sizeof(s));
        if (settings_set(&s, rows[i].name, rows[i].value, &err) != rows[i].good)
            fail_msg("%s=%s", rows[i].name, rows[i].value);
        if (!rows[i].good)
            assert_true(memcmp(before, &s, sizeof(s)) == 0 && err.text[0]);
    }
    o = settings_json(&s);
    settings_read(&t, o);
    assert_memory_equal(&s, &t, sizeof(s));
    assert_string_equal(json_string_value(json_object_get(o, "quiet")), "22:00-06:00");
    json_decref(o);
    list = settings_list(&s);
    assert_true(json_array_size(list) > 20);
    json_decref(list);
    s.hot_n = 20;
    assert_false(settings_check(&s, &err));
    settings_read(&t, NULL);
    settings_default(&s);
    assert_memory_equal(&s, &t, sizeof(s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
