/* test_merge.c - answers of shards, merged: the planner's specs, rows from strings.
 *
 * A case names its statement, the types of the shards' columns (hidden ones too)
 * and the rows of each leg; it runs in the text and in the binary protocol.
 *
 *   i INT  l BIGINT  u BIGINT UNSIGNED  0..9 DECIMAL of that scale  f DOUBLE  s utf8 string
 *   x bytes  D DATE  T TIME
 *   legs are parted by '/', rows by ';', fields by ','; NULL is '~'
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/mysql/protocol.h"
#include "core/mysql/row.h"
#include "tests/unit/plan_world.h"

static const struct {
    const char *name, *sql, *types, *legs, *rows;
} cases[] = {
    { "concatenate", "SELECT age FROM users", "i", "1;2/3/", "1;3;2" },
    { "sort numbers", "SELECT age FROM users ORDER BY age", "i", "-1;5/~;3;7/4", "~;-1;3;4;5;7" },
    { "sort down", "SELECT age FROM users ORDER BY age DESC", "i", "5;-1/7;3;~/4", "7;5;4;3;-1;~" },
    { "sort by hidden", "SELECT id FROM users ORDER BY age", "li", "1,5;2,9/3,6", "1;3;2" },
    { "sort decimals", "SELECT price FROM users ORDER BY price", "2", "-1.50;9.00/10.00;11.25",
      "-1.50;9.00;10.00;11.25" },
    { "sort doubles", "SELECT score FROM users ORDER BY score", "f", "-1.5;1e20/0;3",
      "-1.5;0;3;1e20" },
    { "sort dates", "SELECT born FROM users ORDER BY born", "D", "~;2001-02-03/1999-12-31",
      "~;1999-12-31;2001-02-03" },
    { "sort strings, padded", "SELECT name FROM users ORDER BY name", "sx",
      "tab,\001;a,\001!/b,\002", "tab;a;b" },
    { "limit", "SELECT age FROM users ORDER BY age LIMIT 2, 3", "i", "1;2;3;4/1;5", "2;3;4" },
    { "limit without order", "SELECT age FROM users LIMIT 2", "i", "1;2/3;4", "1;3" },
    { "limit 0", "SELECT age FROM users LIMIT 0", "i", "/", "" },
    { "distinct", "SELECT DISTINCT age FROM users", "i", "1;2/2;3/~;1;~", "1;2;~;3" },
    { "distinct, sorted", "SELECT DISTINCT age FROM users ORDER BY age LIMIT 1,2", "i",
      "1;2;4/1;3;4", "2;3" },
    { "count", "SELECT COUNT(*) FROM users", "l", "5/0/7", "12" },
    { "distinct values", "SELECT COUNT(DISTINCT age), COUNT(*), SUM(age) FROM users", "ll0i",
      "1,2,10,5;1,1,3,3/1,4,20,5;0,1,~,~", "2,8,33" },
    { "distinct values of nothing", "SELECT COUNT(DISTINCT age), COUNT(*), SUM(age) FROM users",
      "ll0i", "/", "0,0,~" },
    { "distinct values of groups", "SELECT age, COUNT(DISTINCT name) FROM users GROUP BY age",
      "ilsx", "1,1,a,A;1,1,b,B;2,0,~,~/1,1,A,A;2,1,c,C", "1,2;2,1" },
    { "sum", "SELECT SUM(age) FROM users", "0", "5/~/7", "12" },
    { "sum of nothing", "SELECT SUM(age) FROM users", "0", "~/~", "~" },
    { "sum of doubles", "SELECT SUM(score) FROM users", "f", "0.5/0.25/~", "0.75" },
    { "min, max", "SELECT MIN(age), MAX(age) FROM users", "ii", "5,7/~,~/-2,6", "-2,7" },
    { "average", "SELECT AVG(age) FROM users", "40l", "2.5000,5,2/1.0000,1,1/~,~,0", "2.0000" },
    { "average of nothing", "SELECT AVG(age) FROM users", "40l", "~,~,0/~,~,0", "~" },
    { "bits", "SELECT BIT_AND(age), BIT_OR(age), BIT_XOR(age) FROM users", "uuu", "7,1,1/6,4,3",
      "6,5,2" },
    { "groups", "SELECT age, COUNT(*) FROM users GROUP BY age", "il", "3,1;1,2/1,5;~,1",
      "~,1;1,7;3,1" },
    { "groups in order", "SELECT age, COUNT(*) c FROM users GROUP BY age ORDER BY c DESC LIMIT 2",
      "il", "1,2;2,9/1,8;3,4", "1,10;2,9" },
    { "string groups", "SELECT name, COUNT(*) FROM users GROUP BY name", "slx",
      "a,1,AB;b,1,CD/A,2,AB;c,1,EF", "a,3;b,1;c,1" },
    { "having", "SELECT age FROM users GROUP BY age HAVING COUNT(*) > 3 AND SUM(age) < 100", "il0",
      "1,2,50;2,9,5/1,2,50;3,1,1", "2" },
    { "having, in", "SELECT age, COUNT(*) FROM users GROUP BY age HAVING COUNT(*) IN (3, 4)", "il",
      "1,2;2,9/1,2;3,3", "1,4;3,3" },
    { "having null", "SELECT age FROM users GROUP BY age HAVING SUM(score) IS NULL", "if",
      "1,~;2,1.5/1,~;2,~", "1" },
    { "having between", "SELECT age FROM users GROUP BY age HAVING NOT COUNT(*) * 2 - 1 BETWEEN 2 "
                        "AND 5", "il", "1,1;2,2/1,1;2,4", "2" },
    { "having null, any type", "SELECT age, MAX(name) n FROM users GROUP BY age HAVING n IS NULL",
      "isx", "1,a,A;2,~,~/2,~,~", "2,~" },
    { "order by the maximum of floats", "SELECT age, MAX(ratio) FROM users GROUP BY age ORDER BY 2",
      "iff", "1,1.1,1.1000002;2,1.1,1.1000001/2,1,1", "2,1.1;1,1.1" },
    { "sum of quotients", "SELECT SUM(price / 3) FROM users", "49", "0.3333,0.333333333/0.3334,"
      "0.333366666", "0.6667" },
    { "empty groups", "SELECT age, COUNT(*) FROM users GROUP BY age", "il", "/", "" },
    { "times", "SELECT born FROM users ORDER BY born", "T", "-10:00:00;09:00:00/-09:00:00;10:00:00",
      "-10:00:00;-09:00:00;09:00:00;10:00:00" },
};

static uint8_t
wire_type(char t)
{
    switch (t) {
    case 'i': return MYSQL_TYPE_LONG;
    case 'l': case 'u': return MYSQL_TYPE_LONGLONG;
    case 'f': return MYSQL_TYPE_DOUBLE;
    case 's': case 'x': return MYSQL_TYPE_VAR_STRING;
    case 'D': return MYSQL_TYPE_DATE;
    case 'T': return MYSQL_TYPE_TIME;
    default:  return MYSQL_TYPE_NEWDECIMAL;
    }
}

static struct column
column_of(char t)
{
    return (struct column){ .type     = wire_type(t),
                            .charset  = t == 's' ? 45 : 63,
                            .flags    = t == 'u' ? 32 : 0,
                            .decimals = t >= '0' && t <= '9' ? (uint8_t)(t - '0')
                                        : t == 'f'           ? 31
                                                             : 0 };
}

/* A packet's payload without its header. */
static struct span
payload(const struct buf *b)
{
    return span_from(buf_unread(b), 4);
}

static void
encode_row(const char *text, size_t len, const struct column *columns, size_t n,
           enum merge_protocol protocol, struct buf *out)
{
    struct cell cells[8];
    struct buf  values[8] = { 0 };
    uint8_t     seq       = 0;
    for (size_t i = 0; i < n; i++) {
        const char *end   = memchr(text, ',', len);
        size_t      field = end == NULL ? len : (size_t)(end - text);
        cells[i] = (struct cell){ .bytes   = { (const uint8_t *)text, field },
                                  .is_null = field == 1 && *text == '~' };
        if (protocol == MERGE_BINARY && !cells[i].is_null) {
            assert_true(cell_to_binary(&values[i], &columns[i], cells[i]));
            cells[i].bytes = buf_unread(&values[i]);
        }
        text += field + (end != NULL);
        len -= field + (end != NULL);
    }
    buf_clear(out);
    if (protocol == MERGE_TEXT)
        row_text_encode(out, &seq, cells, n);
    else
        row_binary_encode(out, &seq, columns, cells, n);
    for (size_t i = 0; i < n; i++)
        buf_fini(&values[i]);
}

static void
decode_row(struct span row, const struct column *columns, size_t n, enum merge_protocol protocol,
           struct buf *out)
{
    struct cell cells[8];
    bool        ok = protocol == MERGE_TEXT ? row_text_decode(row, n, cells)
                                            : row_binary_decode(row, columns, n, cells);
    assert_true(ok);
    if (buf_len(out) > 0)
        buf_append_byte(out, ';');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        if (cells[i].is_null)
            buf_append_byte(out, '~');
        else if (protocol == MERGE_TEXT)
            buf_append_span(out, cells[i].bytes);
        else
            assert_true(cell_to_text(out, &columns[i], cells[i]));
    }
}

/* The case's legs as positions in its string. */
struct script {
    const char *at[4];
    uint32_t    n;
};

static struct script
legs_of(const char *legs)
{
    struct script s = { .at = { legs }, .n = 1 };
    for (const char *p = legs; *p != '\0'; p++)
        if (*p == '/')
            s.at[s.n++] = p + 1;
    return s;
}

/* One row of the leg goes in, or its end. */
static void
feed(struct merge *m, struct script *s, uint32_t leg, const struct column *columns, size_t n,
     enum merge_protocol protocol)
{
    const char *row = s->at[leg];
    size_t      len = strcspn(row, ";/");
    struct buf  out = { 0 };
    if (len == 0) {
        merge_end(m, leg);
        return;
    }
    encode_row(row, len, columns, n, protocol, &out);
    merge_row(m, leg, payload(&out));
    buf_fini(&out);
    s->at[leg] = row + len + (row[len] == ';');
}

static void
run_case(size_t at, enum merge_protocol protocol, struct buf *got)
{
    size_t            n = strlen(cases[at].types);
    struct column     columns[8];
    struct buf        definitions[8] = { 0 };
    struct span       payloads[8];
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    struct span       row;
    enum merge_status status;
    for (size_t i = 0; i < n; i++) {
        uint8_t seq = 0;
        columns[i]  = column_of(cases[at].types[i]);
        reply_column_encode(&definitions[i], &seq, 0, &columns[i]);
        payloads[i] = payload(&definitions[i]);
    }
    planned_make(&c, cases[at].sql, "app", false);
    assert_int_equal(c.plan.kind, PLAN_SCATTER);
    struct plan_values values = planned_values(&c, NULL, 0);
    struct script      s      = legs_of(cases[at].legs);
    assert_true(plan_merge_args(&c.plan, &values, &c.arena, &args, &error));
    struct merge *m = merge_new(c.plan.merge, &args, payloads, (uint32_t)n, s.n, protocol, 1 << 20,
                                &error);
    if (m == NULL)
        fail_msg("%s: %s", cases[at].name, error.message);
    while ((status = merge_next(m, &row)) != MERGE_DONE) {
        if (status == MERGE_ERROR)
            fail_msg("%s: %s", cases[at].name, merge_error(m)->message);
        if (status == MERGE_ROW)
            decode_row(row, columns, n - c.plan.merge->n_hidden, protocol, got);
        for (uint32_t leg = 0; status == MERGE_WAIT && leg < s.n; leg++)
            if (merge_wants(m, leg))
                feed(m, &s, leg, columns, n, protocol);
    }
    merge_free(m);
    for (size_t i = 0; i < n; i++)
        buf_fini(&definitions[i]);
    planned_fini(&c);
}

static void
test_cases(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < 2 * countof(cases); i++) {
        struct buf got = { 0 };
        run_case(i / 2, i % 2 == 0 ? MERGE_TEXT : MERGE_BINARY, &got);
        if (strcmp(buf_cstr(&got), cases[i / 2].rows) != 0) {
            print_error("%s (%s): %s\n", cases[i / 2].name, i % 2 == 0 ? "text" : "binary",
                        buf_cstr(&got));
            wrong++;
        }
        buf_fini(&got);
    }
    assert_int_equal(wrong, 0);
}

static struct merge *
merge_of(struct planned *c, const char *sql, struct merge_args *args, char type, uint32_t legs,
         size_t limit, struct sql_error *error)
{
    struct column columns  = column_of(type);
    struct buf    packet   = { 0 };
    uint8_t       seq      = 0;
    reply_column_encode(&packet, &seq, 0, &columns);
    struct span payloads[] = { payload(&packet) };
    planned_make(c, sql, "app", false);
    struct plan_values values = planned_values(c, NULL, 0);
    assert_true(plan_merge_args(&c->plan, &values, &c->arena, args, error));
    struct merge *m = merge_new(c->plan.merge, args, payloads, 1, legs, MERGE_TEXT, limit, error);
    buf_fini(&packet);
    return m;
}

static void
test_memory_limit(void **state)
{
    (void)state;
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    struct span       row;
    struct merge *m = merge_of(&c, "SELECT DISTINCT age FROM users", &args, 'i', 1, 100000, &error);
    enum merge_status status = MERGE_WAIT;
    assert_non_null(m);
    for (uint32_t i = 0; i < 100000 && status != MERGE_ERROR; i++) {
        char text[16];
        int  len = snprintf(text + 1, sizeof(text) - 1, "%u", i);
        text[0]  = (char)len;
        merge_row(m, 0, (struct span){ (const uint8_t *)text, (size_t)len + 1 });
        status = merge_next(m, &row);
    }
    assert_int_equal(status, MERGE_ERROR);
    assert_int_equal(merge_error(m)->code, 1114);
    assert_false(merge_wants(m, 0));
    merge_free(m);
    planned_fini(&c);
}

/* ---- what does not fit into memory ---- */

static const struct {
    const char *sql, *types;
} spilled[] = {
    { "SELECT DISTINCT age FROM users", "i" },
    { "SELECT DISTINCT age, score FROM users ORDER BY age", "if" },
    { "SELECT DISTINCT age, score FROM users ORDER BY age LIMIT 7, 20000", "if" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age", "il" },
    { "SELECT age, COUNT(*), SUM(score), MIN(id), MAX(id) FROM users GROUP BY age", "ilfll" },
    { "SELECT age, COUNT(*) c FROM users GROUP BY age ORDER BY c DESC, age", "il" },
    { "SELECT age, BIT_XOR(id), SUM(id) FROM users GROUP BY age ORDER BY age DESC LIMIT 5, 10000",
      "iu0" },
    { "SELECT age, COUNT(*) FROM users GROUP BY age HAVING COUNT(*) > 40 ORDER BY age", "il" },
    { "SELECT COUNT(DISTINCT age) FROM users", "li" },
};

/* A number that looks like chance and is the same each time. */
static uint32_t
mixed(uint32_t i, uint32_t column)
{
    uint64_t x = ((uint64_t)i * 0x9e3779b97f4a7c15u) ^ ((uint64_t)column * 0xbf58476d1ce4e5b9u);
    x ^= x >> 31;
    return (uint32_t)((x * 0x94d049bb133111ebu) >> 33);
}

struct rows_of {
    const char *types;
    uint32_t    n, key, n_keys; /* rows of a leg; values of this column */
    bool        ordered;
    uint32_t    at[3];
};

static void
feed_number(struct merge *m, struct rows_of *r, uint32_t leg, const struct column *columns,
            enum merge_protocol protocol)
{
    char       text[160];
    int        len = 0;
    struct buf out = { 0 };
    uint32_t   i   = r->at[leg]++;
    if (i == r->n) {
        merge_end(m, leg);
        return;
    }
    for (uint32_t c = 0; r->types[c] != '\0'; c++) {
        uint32_t value = mixed(i * 3 + leg, c) % (c == r->key ? r->n_keys : 5000);
        if (c == 0 && r->ordered) /* in the order of the leg */
            value = (uint32_t)((uint64_t)i * 6 / r->n);
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%u", c > 0 ? "," : "", value);
    }
    encode_row(text, (size_t)len, columns, strlen(r->types), protocol, &out);
    merge_row(m, leg, payload(&out));
    buf_fini(&out);
}

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The rows, sorted unless ORDER BY decides their order. Returns the peak of memory. */
static size_t
run_spilled(size_t at, enum merge_protocol protocol, size_t limit, uint64_t disk, struct buf *got)
{
    const char       *types = spilled[at].types;
    size_t            n     = strlen(types), peak = 0;
    struct column     columns[8];
    struct buf        definitions[8] = { 0 };
    struct span       payloads[8];
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    struct span       row;
    enum merge_status status;
    for (size_t i = 0; i < n; i++) {
        uint8_t seq = 0;
        columns[i]  = column_of(types[i]);
        reply_column_encode(&definitions[i], &seq, 0, &columns[i]);
        payloads[i] = payload(&definitions[i]);
    }
    planned_make(&c, spilled[at].sql, "app", false);
    assert_int_equal(c.plan.kind, PLAN_SCATTER);
    struct plan_values values = planned_values(&c, NULL, 0);
    struct rows_of     r = { .types = types, .n = 30000, .n_keys = at == 7 ? 2200 : 20000,
                             .key     = at == 8,
                             .ordered = !c.plan.merge->grouped && c.plan.merge->n_order > 0 };
    assert_true(plan_merge_args(&c.plan, &values, &c.arena, &args, &error));
    struct merge *m = merge_new(c.plan.merge, &args, payloads, (uint32_t)n, 3, protocol, limit,
                                &error);
    assert_non_null(m);
    merge_may_spill(m, "/tmp", disk);
    while ((status = merge_next(m, &row)) != MERGE_DONE && status != MERGE_ERROR) {
        peak = merge_memory(m) > peak ? merge_memory(m) : peak;
        if (status == MERGE_ROW)
            decode_row(row, columns, n - c.plan.merge->n_hidden, protocol, got);
        for (uint32_t leg = 0; status == MERGE_WAIT && leg < 3; leg++)
            for (uint32_t burst = 0; burst < 100 && merge_wants(m, leg); burst++)
                feed_number(m, &r, leg, columns, protocol);
    }
    if (status == MERGE_ERROR && disk != 256 << 10)
        fail_msg("%s: %s", spilled[at].sql, merge_error(m)->message);
    if (status == MERGE_ERROR)
        buf_printf(got, "%u", merge_error(m)->code);
    merge_free(m);
    for (size_t i = 0; i < n; i++)
        buf_fini(&definitions[i]);
    planned_fini(&c);
    return peak;
}

static uint32_t
lines_of(struct buf *text, char ***lines)
{
    uint32_t n    = 0;
    char    *next = NULL;
    *lines        = calloc(100000, sizeof(char *));
    for (char *line = strtok_r((char *)(uintptr_t)buf_cstr(text), ";", &next); line != NULL;
         line       = strtok_r(NULL, ";", &next))
        (*lines)[n++] = line;
    return n;
}

static void
test_spilled(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * countof(spilled); i++) {
        enum merge_protocol protocol = i % 2 == 0 ? MERGE_TEXT : MERGE_BINARY;
        struct buf          whole = { 0 }, parts = { 0 };
        char              **a, **b;
        bool   ordered = strstr(spilled[i / 2].sql, "ORDER BY") != NULL;
        size_t needed  = run_spilled(i / 2, protocol, (size_t)1 << 30, 0, &whole);
        size_t taken   = run_spilled(i / 2, protocol, 128 << 10, 1 << 30, &parts);
        if (taken > needed / 2)
            fail_msg("%s: %zu bytes of %zu", spilled[i / 2].sql, taken, needed);
        uint32_t n = lines_of(&whole, &a), k = lines_of(&parts, &b);
        assert_int_equal(n, k);
        if (!ordered || strstr(spilled[i / 2].sql, "DISTINCT age, score") != NULL) {
            qsort(a, n, sizeof(a[0]), compare_lines);
            qsort(b, n, sizeof(b[0]), compare_lines);
        }
        for (uint32_t at = 0; at < n && strstr(spilled[i / 2].sql, "LIMIT 7") == NULL; at++)
            if (strcmp(a[at], b[at]) != 0)
                fail_msg("%s: %s instead of %s", spilled[i / 2].sql, b[at], a[at]);
        free(a);
        free(b);
        buf_fini(&whole);
        buf_fini(&parts);
    }
}

static void
test_spilled_too_much(void **state)
{
    (void)state;
    struct buf got = { 0 };
    run_spilled(4, MERGE_TEXT, 128 << 10, 256 << 10, &got);
    assert_string_equal(buf_cstr(&got), "1114");
    buf_fini(&got);
}

static void
test_backpressure(void **state)
{
    (void)state;
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    struct span       row;
    struct merge *m = merge_of(&c, "SELECT age FROM users ORDER BY age", &args, 'i', 2, 1 << 20,
                               &error);
    uint32_t sent = 0;
    assert_non_null(m);
    while (merge_wants(m, 0)) {
        merge_row(m, 0, SPAN("\0011"));
        sent++;
    }
    assert_true(merge_memory(m) < MERGE_QUEUE_BYTES + 100);
    assert_int_equal(merge_next(m, &row), MERGE_WAIT);
    assert_true(merge_wants(m, 1));
    merge_end(m, 1);
    assert_int_equal(merge_next(m, &row), MERGE_ROW);
    assert_int_equal(merge_next(m, &row), MERGE_ROW);
    assert_true(sent > 1000);
    merge_free(m);
    planned_fini(&c);
}

static void
test_malformed(void **state)
{
    (void)state;
    static const struct span bad[] = {
        { (const uint8_t *)"\005ab", 3 }, { (const uint8_t *)"", 0 },
        { (const uint8_t *)"\0011\0012", 4 }, { (const uint8_t *)"\001x", 2 },
    };
    for (size_t i = 0; i < countof(bad); i++) {
        struct planned    c;
        struct sql_error  error;
        struct merge_args args;
        struct span       row;
        struct merge *m = merge_of(&c, "SELECT age FROM users ORDER BY age", &args, 'i', 1, 1 << 20,
                                   &error);
        assert_non_null(m);
        merge_row(m, 0, bad[i]);
        assert_int_equal(merge_next(m, &row), MERGE_ERROR);
        merge_free(m);
        planned_fini(&c);
    }
}

static void
test_unknown_collation(void **state)
{
    (void)state;
    struct planned    c;
    struct sql_error  error;
    struct merge_args args;
    struct merge *m = merge_of(&c, "SELECT age + 1 FROM users ORDER BY 1", &args, 's', 1, 1 << 20,
                               &error);
    assert_null(m);
    assert_int_equal(error.code, SQL_NOT_SUPPORTED);
    planned_fini(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_spilled),
        cmocka_unit_test(test_spilled_too_much),
        cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_unknown_collation),
    };
    world_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
