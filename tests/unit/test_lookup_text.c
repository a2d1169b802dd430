/* test_lookup_text.c - what triggers say of rows, as statements for lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/buf.h"
#include "core/route/lookup_text.h"

#define NAME(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct route_column users[]  = { { .name = NAME("id"), .type = COLUMN_BIGINT },
                                              { .name = NAME("email"), .type = COLUMN_VARCHAR } };
static const struct route_column values[] = { { .name = NAME("v"), .type = COLUMN_VARCHAR },
                                              { .name = NAME("k"), .type = COLUMN_BIGINT },
                                              { .name = NAME("n"), .type = COLUMN_BIGINT } };
static const struct route_lookup   lookups[]   = { { .column = 1, .table = NAME("e_1") },
                                                   { .column = 1, .table = NAME("e_2"),
                                                     .filling = true } };
static const struct route_database databases[] = { { .name = NAME("app") },
                                                   { .name = NAME(ROUTES_LOOKUP_SCHEMA) } };
static const struct route_table    tables[]    = {
    { .name = NAME("users"), .kind = TABLE_SHARDED, .n_columns = 2, .columns = users,
      .n_lookups = 2, .lookups = lookups },
    { .name = NAME("e_1"), .database = 1, .kind = TABLE_SHARDED, .n_columns = 3,
      .columns = values },
    { .name = NAME("e_2"), .database = 1, .kind = TABLE_SHARDED, .n_columns = 3,
      .columns = values },
};
static const struct routes routes = { .n_databases = 2, .databases = databases, .n_tables = 3,
                                      .tables = tables };

#define D "DELETE FROM `shardd_lookup`.`"
#define I "INSERT INTO `shardd_lookup`.`"

static const struct {
    const char *name, *first, *second; /* of two servers */
    bool        good;
    const char *out;                   /* "rows exact text;" ... */
} cases[] = {
    { "nothing", "", "", true, "" },
    { "a row came", "+e_1:61:35;", "", true,
      "1 1 " I "e_1` (`v`, `k`) VALUES (_utf8mb4 x'61',5);" },
    { "a row went", "", "-e_1:61:2D35;", true,
      "1 1 " D "e_1` WHERE `v` IN (_utf8mb4 x'61') AND (`v`, `k`) IN ((_utf8mb4 x'61',-5));" },
    { "it came and went", "+e_1:61:35;-e_1:61:35;", "", true, "" },
    { "it went and came", "-e_1:61:35;", "+e_1:61:35;", true, "" },
    { "another row has it", "-e_1:61:35;", "+e_1:61:36;", true,
      "1 1 " D "e_1` WHERE `v` IN (_utf8mb4 x'61') AND (`v`, `k`) IN ((_utf8mb4 x'61',5));"
      "1 1 " I "e_1` (`v`, `k`) VALUES (_utf8mb4 x'61',6);" },
    { "in the order of rows", "+e_1:62:35;+e_1:61:36;", "+e_1::37;", true,
      "3 1 " I "e_1` (`v`, `k`) VALUES (_utf8mb4 x'62',5),(_utf8mb4 x'61',6),"
      "(_utf8mb4 x'',7);" },
    { "one is filled", "-e_2:61:35;-e_1:61:35;", "", true,
      "1 1 " D "e_1` WHERE `v` IN (_utf8mb4 x'61') AND (`v`, `k`) IN ((_utf8mb4 x'61',5));"
      "1 0 " D "e_2` WHERE `v` IN (_utf8mb4 x'61') AND (`v`, `k`) IN ((_utf8mb4 x'61',5));" },
    { "one that is gone", "+e_9:61:35;", "", true, "" },
    { "twice", "+e_1:61:35;", "+e_1:61:35;", false, "" },
    { "no end", "+e_1:61:35", "", false, "" },
    { "no sign", "e_1:61:35;", "", false, "" },
    { "no key", "+e_1:61;", "", false, "" },
    { "half a byte", "+e_1:6:35;", "", false, "" },
    { "no digits", "+e_1:6g:35;", "", false, "" },
    { "no number", "+e_1:61:61;", "", false, "" },
    { "an empty number", "+e_1:61:;", "", false, "" },
};

static void
what_is_told_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct span parts[]           = { span_of(cases[i].first), span_of(cases[i].second) };
        struct arena             a    = { 0 };
        struct buf               out  = { 0 };
        struct lookup_statement *list = NULL;
        struct err               err;

        print_message("  %s\n", cases[i].name);
        assert_int_equal(lookup_statements(&a, &routes, parts, 2, &list, &err), cases[i].good);
        for (; cases[i].good && list != NULL; list = list->next)
            buf_printf(&out, "%llu %d %.*s;", (unsigned long long)list->rows, list->exact,
                       (int)list->text.len, (const char *)list->text.ptr);
        assert_string_equal(buf_cstr(&out), cases[i].out);
        buf_fini(&out);
        arena_fini(&a);
    }
}

static const struct {
    enum column_type type;
    const char      *hex, *out; /* NULL: none */
} literals[] = {
    { COLUMN_INT, "2D3132", "-12" },      { COLUMN_INT, "31613B", NULL },
    { COLUMN_BINARY, "00FF", "x'00FF'" }, { COLUMN_DATE, "323032362D31312D3232", "'2026-11-22'" },
    { COLUMN_DATE, "27", NULL },          { COLUMN_CHAR, "27", "_utf8mb4 x'27'" },
    { COLUMN_FLOAT, "31", NULL },         { COLUMN_UUID, "61622D63", "'ab-c'" },
};

static void
values_are_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(literals); i++) {
        struct buf out = { 0 };
        bool       ok  = lookup_literal(literals[i].type, span_of(literals[i].hex), &out);

        assert_int_equal(ok, literals[i].out != NULL);
        if (ok)
            assert_string_equal(buf_cstr(&out), literals[i].out);
        buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_said),
        cmocka_unit_test(values_are_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
