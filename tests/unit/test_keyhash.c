/* test_keyhash.c - the frozen vectors, and what leads to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/keyhash_vectors.h"

static void
hashes_are_frozen(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct key_value value = { .kind = v->kind, .bytes = v->bytes,
                                   .collation = v->collation };
        uint64_t        hash = 0;
        enum key_result got  = v->question == STORED
                                   ? keyhash_stored(v->column, &value, true, &hash)
                                   : keyhash_compare(v->column, &value, &hash);
        if (got != v->result || hash != v->hash)
            fail_msg("vector %zu (%.*s): %d %llu", i, (int)v->bytes.len,
                     (const char *)v->bytes.ptr, (int)got, (unsigned long long)hash);
    }
    assert_int_equal(keyhash_null(), UINT64_C(15834571498687384264));
}

/* Longer than one chunk: hashed as a stream, to the same end. */
static void
long_strings_are_hashed_as_streams(void **state)
{
    (void)state;
    static const struct { const char *piece; int times; const char *end; uint64_t hash; } rows[] = {
        { "xyz ", 150, "\xc3\xa9", UINT64_C(7968800952399317080) },
        { "xyz ", 150, "\xc3\x89  ", UINT64_C(7968800952399317080) },
        { "a", 256, "", UINT64_C(2894579748741455003) },
        { "a", 255, " ", UINT64_C(15234365266602071660) },
        { "a", 255, "", UINT64_C(15234365266602071660) },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        char     text[1024] = "";
        uint64_t hash = 0;
        for (int k = 0; k < rows[i].times; k++)
            strcat(text, rows[i].piece);
        strcat(text, rows[i].end);
        struct key_value value = { .kind = KEY_VALUE_STRING, .bytes = span_of(text),
                                   .collation = 45 };
        assert_int_equal(keyhash_stored(&long_, &value, true, &hash), KEY_HASH);
        assert_int_equal(hash, rows[i].hash);
    }
}

static enum key_result
stored(struct route_column column, enum key_value_kind kind, const char *text,
       bool zero_is_auto)
{
    struct key_value value = { .kind = kind, .bytes = span_of(text), .collation = 45 };
    uint64_t         hash;

    return keyhash_stored(&column, &value, zero_is_auto, &hash);
}

static void
the_server_numbers_rows(void **state)
{
    (void)state;
    struct route_column numbered = big, plain = big, strict = big;

    numbered.auto_increment = true;
    plain.has_default       = true;
    strict.nullable         = false;
    assert_int_equal(stored(numbered, KEY_VALUE_NULL, "", true), KEY_AUTO);
    assert_int_equal(stored(numbered, KEY_VALUE_DEFAULT, "", true), KEY_AUTO);
    assert_int_equal(stored(numbered, KEY_VALUE_INT, "0", true), KEY_AUTO);
    assert_int_equal(stored(numbered, KEY_VALUE_STRING, "0", true), KEY_AUTO);
    assert_int_equal(stored(numbered, KEY_VALUE_DECIMAL, "0.0", true), KEY_AUTO);
    assert_int_equal(stored(numbered, KEY_VALUE_INT, "0", false), KEY_HASH);
    assert_int_equal(stored(numbered, KEY_VALUE_INT, "5", true), KEY_HASH);
    assert_int_equal(stored(plain, KEY_VALUE_INT, "0", true), KEY_HASH);
    assert_int_equal(stored(plain, KEY_VALUE_DEFAULT, "", true), KEY_UNDECIDED);
    assert_int_equal(stored(plain, KEY_VALUE_NULL, "", true), KEY_HASH);
    assert_int_equal(stored(big, KEY_VALUE_DEFAULT, "", true), KEY_HASH);
    assert_int_equal(stored(strict, KEY_VALUE_NULL, "", true), KEY_UNDECIDED);
}

static void
an_explicit_collation_decides_only_if_it_is_the_columns(void **state)
{
    (void)state;
    struct key_value value = { .kind = KEY_VALUE_STRING, .bytes = SPAN("a"), .collation = 46,
                               .collate = true };
    uint64_t hash;

    assert_int_equal(keyhash_compare(&gen, &value, &hash), KEY_ANY);
    assert_int_equal(keyhash_stored(&gen, &value, true, &hash), KEY_HASH);
    value.collation = 45;
    assert_int_equal(keyhash_compare(&gen, &value, &hash), KEY_HASH);
}

static const struct {
    const char         *name;
    uint8_t             type;
    bool                is_unsigned;
    struct span         bytes;
    enum key_value_kind kind;
    const char         *text; /* NULL: refused */
} params[] = {
    { "tiny",        1, false, V("\xff"), KEY_VALUE_INT, "-1" },
    { "tiny u",      1, true,  V("\xff"), KEY_VALUE_INT, "255" },
    { "tiny long",   1, true,  V("\xff\x00"), KEY_VALUE_INT, NULL },
    { "short",       2, false, V("\x00\x80"), KEY_VALUE_INT, "-32768" },
    { "year",       13, true,  V("\xcf\x07"), KEY_VALUE_INT, "1999" },
    { "int",         3, false, V("\x05\x00\x00\x00"), KEY_VALUE_INT, "5" },
    { "int24",       9, false, V("\xff\xff\xff\xff"), KEY_VALUE_INT, "-1" },
    { "big",         8, false, V("\x00\x00\x00\x00\x00\x00\x00\x80"), KEY_VALUE_INT,
      "-9223372036854775808" },
    { "big u",       8, true,  V("\xff\xff\xff\xff\xff\xff\xff\xff"), KEY_VALUE_INT,
      "18446744073709551615" },
    { "big short",   8, true,  V("\xff\xff\xff\xff"), KEY_VALUE_INT, NULL },
    { "float",       4, false, V("\x00\x00\xa0\x40"), KEY_VALUE_FLOAT, "5" },
    { "double",      5, false, V("\x00\x00\x00\x00\x00\x00\x16\x40"), KEY_VALUE_FLOAT, "5.5" },
    { "nan",         5, false, V("\x00\x00\x00\x00\x00\x00\xf8\x7f"), KEY_VALUE_OTHER, "nan" },
    { "date",       10, false, V("\xe4\x07\x02\x1d"), KEY_VALUE_DATE, "2020-02-29" },
    { "date 0",     10, false, V(""), KEY_VALUE_DATE, "0000-00-00" },
    { "date bad",   10, false, V("\xe4\x07\x02"), KEY_VALUE_DATE, NULL },
    { "date time",  10, false, V("\xe4\x07\x02\x1d\x0a\x0b\x0c"), KEY_VALUE_DATE,
      "2020-02-29" }, /* servers leave the time out */
    { "datetime",   12, false, V("\xe4\x07\x02\x1d\x0a\x0b\x0c"), KEY_VALUE_DATETIME,
      "2020-02-29 10:11:12.000000" },
    { "timestamp",   7, false, V("\xe4\x07\x02\x1d\x0a\x0b\x0c\x01\x00\x00\x00"),
      KEY_VALUE_DATETIME, "2020-02-29 10:11:12.000001" },
    { "time",       11, false, V("\x01\x01\x00\x00\x00\x02\x03\x04"), KEY_VALUE_TIME,
      "-26:03:04.000000" },
    { "time 0",     11, false, V(""), KEY_VALUE_TIME, "00:00:00.000000" },
    { "time bad",   11, false, V("\x01\x01"), KEY_VALUE_TIME, NULL },
    { "decimal",   246, false, V("-1.50"), KEY_VALUE_DECIMAL, "-1.50" },
    { "string",    254, false, V("abc"), KEY_VALUE_STRING, "abc" },
    { "blob",      252, false, V("abc"), KEY_VALUE_STRING, "abc" },
    { "geometry",  255, false, V("abc"), KEY_VALUE_OTHER, "abc" },
};

static void
parameters_become_values(void **state)
{
    (void)state;

    for (size_t i = 0; i < countof(params); i++) {
        struct key_value value;
        char             text[KEY_VALUE_TEXT];
        bool good = key_value_param(params[i].type, params[i].is_unsigned, params[i].bytes, 45,
                                    text, &value);
        if (good != (params[i].text != NULL) ||
            (good && (value.kind != params[i].kind ||
                      !span_equal(value.bytes, span_of(params[i].text)))))
            fail_msg("%s: %d %.*s", params[i].name, (int)good, (int)value.bytes.len,
                     (const char *)value.bytes.ptr);
        if (good && params[i].type == 252)
            assert_int_equal(value.collation, 63);
    }
}

/* What a server prints, with values that no INSERT of ours would decide. */
static void
rows_hash_as_they_were_stored(void **state)
{
    (void)state;
    const struct { const struct route_column *column; struct span text; bool good; } rows[] = {
        { &date, SPAN("0000-00-00"), true }, { &date, SPAN("2020-00-00"), true },
        { &date, SPAN("2020-13-00"), false }, { &date, SPAN("NULL"), false },
        { &dt0, SPAN("0000-00-00 00:00:00"), true }, { &year, SPAN("0000"), true },
        { &year, SPAN("1999"), true }, { &bit10, SPAN("\x03\xff"), true },
        { &bit10, SPAN(""), false }, { &big, SPAN("0000000042"), true },
        { &big, SPAN("x"), false }, { &dec, SPAN("0012.50"), true },
        { &gen, SPAN("\xff"), false }, { &bin4, SPAN("a\0\0\0"), true },
        { &inet6, SPAN("2001:db8::1:1:1:1:1"), true },
    };

    for (size_t i = 0; i < countof(rows); i++) {
        uint64_t hash;
        if (keyhash_row(rows[i].column, rows[i].text, 45, &hash) != rows[i].good)
            fail_msg("row %zu", i);
    }
}

static void
columns_that_cannot_be_keys_are_explained(void **state)
{
    (void)state;
    struct err err;

    for (int type = COLUMN_OTHER; type <= COLUMN_GEOMETRY; type++) {
        struct route_column c = gen;
        c.type = (enum column_type)type;
        bool good = keyhash_column_supported(&c, &err);
        bool want = (type >= COLUMN_TINYINT && type <= COLUMN_DECIMAL) || type == COLUMN_BIT ||
                    type == COLUMN_CHAR || type == COLUMN_VARCHAR || type == COLUMN_BINARY ||
                    type == COLUMN_VARBINARY || type == COLUMN_DATE || type == COLUMN_TIME ||
                    type == COLUMN_DATETIME || type == COLUMN_YEAR || type == COLUMN_UUID ||
                    type == COLUMN_INET4 || type == COLUMN_INET6;
        assert_int_equal(good, want);
        if (!good)
            assert_non_null(strstr(err.text, "column 'k' cannot be a key: "));
    }
    static const uint16_t tailored[] = { 0, 1, 15, 28, 192 + 9, 224 + 1, 576, 608, 2304, 65535 };
    for (size_t i = 0; i < countof(tailored); i++) {
        struct route_column c = gen;
        c.collation = tailored[i];
        assert_false(keyhash_column_supported(&c, &err));
        assert_non_null(strstr(err.text, "collation"));
    }
    struct route_column generated = big;
    generated.generated = true;
    assert_false(keyhash_column_supported(&generated, &err));
}

static void
columns_of_one_kind_lie_together(void **state)
{
    (void)state;
    const struct { const struct route_column *a, *b; bool together; } pairs[] = {
        { &tiny, &big_u, true }, { &big, &vbin, false }, { &big, &dec, false },
        { &gen, &gen3, true }, { &gen, &uni, false }, { &gen, &gen_np, false },
        { &char_np, &gen, true }, { &vbin, &l1bin, true }, { &bin4, &varbin, false },
        { &date, &dt0, false }, { &dt0, &dt6, true }, { &inet4, &inet6, false },
    };

    for (size_t i = 0; i < countof(pairs); i++) {
        assert_int_equal(keyhash_colocated(pairs[i].a, pairs[i].b), pairs[i].together);
        assert_int_equal(keyhash_colocated(pairs[i].b, pairs[i].a), pairs[i].together);
    }
}

static struct route_column
column_like(const struct route_column *c, enum column_type type, uint32_t length, uint8_t scale)
{
    struct route_column out = *c;
    out.type   = type;
    out.length = length;
    out.scale  = scale;
    return out;
}

static void
copies_keep_their_hash_where_nothing_is_clipped(void **state)
{
    (void)state;
    struct route_column text5  = column_like(&gen, COLUMN_VARCHAR, 5, 0);
    struct route_column text9  = column_like(&gen, COLUMN_VARCHAR, 9, 0);
    struct route_column null5  = text5;
    struct route_column dec93  = column_like(&dec, COLUMN_DECIMAL, 9, 3);
    struct route_column dec102 = column_like(&dec, COLUMN_DECIMAL, 10, 2);
    struct route_column dec103 = column_like(&dec, COLUMN_DECIMAL, 10, 3);
    struct route_column small_u = column_like(&big_u, COLUMN_SMALLINT, 0, 0);
    text5.nullable = text9.nullable = false;
    null5.nullable = true;
    const struct { const struct route_column *from, *to; bool same; } rows[] = {
        { &tiny, &tiny, true },      { &tiny, &big, true },      { &big, &tiny, false },
        { &tiny, &big_u, false },    { &big_u, &big, false },    { &small_u, &big, true },
        { &big, &dec, false },       { &dec, &big, false },      { &big, &vbin, false },
        { &text5, &text9, true },    { &text9, &text5, false },  { &text5, &null5, true },
        { &null5, &text5, false },   { &null5, &null5, true },   { &gen, &uni, false },
        { &gen, &gen3, false },      { &vbin, &l1bin, false },
        { &dec93, &dec103, true },   { &dec93, &dec102, false }, { &dec102, &dec103, false },
        { &dt0, &dt6, true },        { &dt6, &dt0, false },      { &dt0, &date, false },
        { &date, &dt0, false },      { &date, &date, true },     { &inet4, &inet4, true },
    };

    for (size_t i = 0; i < countof(rows); i++)
        if (keyhash_copies(rows[i].from, rows[i].to) != rows[i].same)
            fail_msg("row %zu", i);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_keep_their_hash_where_nothing_is_clipped),
        cmocka_unit_test(hashes_are_frozen),
        cmocka_unit_test(long_strings_are_hashed_as_streams),
        cmocka_unit_test(the_server_numbers_rows),
        cmocka_unit_test(an_explicit_collation_decides_only_if_it_is_the_columns),
        cmocka_unit_test(parameters_become_values),
        cmocka_unit_test(rows_hash_as_they_were_stored),
        cmocka_unit_test(columns_that_cannot_be_keys_are_explained),
        cmocka_unit_test(columns_of_one_kind_lie_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
