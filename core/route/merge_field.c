/* merge_field.c - see merge_field.h: splitting rows, numbers, printing. */
#include "core/route/merge_field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Column types on the wire. */
enum {
    T_DECIMAL = 0, T_TINY, T_SHORT, T_LONG, T_FLOAT, T_DOUBLE, T_NULL, T_TIMESTAMP,
    T_LONGLONG, T_INT24, T_DATE, T_TIME, T_DATETIME, T_YEAR, T_BIT = 16, T_NEWDECIMAL = 246,
};

#define FLAG_UNSIGNED   32
#define FLAGS_ENUM_SET  (256 | 2048)
#define CHARSET_BINARY  63
#define DECIMALS_FREE   31 /* a floating number without a fixed number of digits */

/* A length-encoded integer; false: none there, or NULL (0xfb). */
static bool
lenenc(struct span s, size_t *at, uint64_t *out)
{
    if (*at >= s.len)
        return false;
    uint8_t first = s.ptr[(*at)++];
    uint8_t bytes = 0;
    switch (first) {
    case 0xfb: case 0xff: return false;
    case 0xfc: bytes = 2; break;
    case 0xfd: bytes = 3; break;
    case 0xfe: bytes = 8; break;
    default: *out = first; return true;
    }
    if (s.len - *at < bytes)
        return false;
    *out = 0;
    for (uint8_t i = 0; i < bytes; i++)
        *out |= (uint64_t)s.ptr[(*at)++] << (8 * i);
    return true;
}

static uint64_t
little_endian(const uint8_t *p, uint8_t bytes)
{
    uint64_t v = 0;
    for (uint8_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void
classify(struct field_type *t, bool is_unsigned)
{
    switch (t->wire) {
    case T_TINY:  t->width = 1; break;
    case T_SHORT: t->width = 2; break;
    case T_YEAR:  t->width = 2; is_unsigned = true; break;
    case T_LONG: case T_INT24: t->width = 4; break;
    case T_LONGLONG: t->width = 8; break;
    case T_FLOAT:  t->width = 4; t->class = FIELD_FLOAT; return;
    case T_DOUBLE: t->width = 8; t->class = FIELD_DOUBLE; return;
    case T_DECIMAL: case T_NEWDECIMAL: t->class = FIELD_DECIMAL; return;
    case T_TIMESTAMP: case T_DATE: case T_DATETIME: t->class = FIELD_DATE; return;
    case T_TIME: t->class = FIELD_TIME; return;
    case T_BIT:  t->class = FIELD_BIT; return;
    default:     t->class = FIELD_BYTES; return;
    }
    t->class = is_unsigned ? FIELD_UINT : FIELD_INT;
}

bool
field_type_decode(struct span d, struct field_type *out)
{
    size_t   at = 0;
    uint64_t len;
    for (int i = 0; i < 6; i++) { /* catalog, schema, table, org_table, name, org_name */
        if (!lenenc(d, &at, &len) || d.len - at < len)
            return false;
        at += len;
    }
    /* What MARIADB_CLIENT_EXTENDED_METADATA adds stands before the fixed fields,
     * which are the last 13 bytes with their length. */
    if (d.len - at > 13) {
        if (!lenenc(d, &at, &len) || d.len - at < len)
            return false;
        at += len;
    }
    if (!lenenc(d, &at, &len) || len < 10 || d.len - at < 10)
        return false;
    const uint8_t    *p = d.ptr + at;
    struct field_type t = { .wire     = p[6],
                            .decimals = p[9],
                            .binary   = little_endian(p, 2) == CHARSET_BINARY };
    uint64_t flags = little_endian(p + 7, 2);
    t.enumerated   = (flags & FLAGS_ENUM_SET) != 0;
    classify(&t, (flags & FLAG_UNSIGNED) != 0);
    *out = t;
    return true;
}

static bool
split_text(struct span row, uint32_t n, uint32_t n_visible, struct field *out, size_t *end)
{
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i == n_visible)
            *end = at;
        if (at < row.len && row.ptr[at] == 0xfb) {
            out[i] = (struct field){ NULL, 0 };
            at++;
            continue;
        }
        uint64_t len;
        if (!lenenc(row, &at, &len) || row.len - at < len || len > UINT32_MAX)
            return false;
        out[i] = (struct field){ row.ptr + at, (uint32_t)len };
        at += len;
    }
    if (n == n_visible)
        *end = at;
    return at == row.len;
}

static bool
split_binary(struct span row, const struct field_type *types, uint32_t n, uint32_t n_visible,
             struct field *out, size_t *end)
{
    size_t bitmap = (n + 7 + 2) / 8;
    size_t at     = 1 + bitmap;
    if (row.len < at || row.ptr[0] != 0)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (i == n_visible)
            *end = at;
        if (row.ptr[1 + (i + 2) / 8] >> ((i + 2) % 8) & 1) {
            out[i] = (struct field){ NULL, 0 };
            continue;
        }
        uint64_t len = types[i].width;
        if (len == 0 && !lenenc(row, &at, &len))
            return false;
        if (row.len - at < len || len > UINT32_MAX)
            return false;
        out[i] = (struct field){ row.ptr + at, (uint32_t)len };
        at += len;
    }
    if (n == n_visible)
        *end = at;
    return at == row.len;
}

bool
field_split(struct span row, enum merge_protocol protocol, const struct field_type *types,
            uint32_t n, uint32_t n_visible, struct field *out, size_t *visible_end)
{
    size_t end = 0;
    bool   ok  = protocol == MERGE_TEXT ? split_text(row, n, n_visible, out, &end)
                                        : split_binary(row, types, n, n_visible, out, &end);
    if (ok && visible_end != NULL)
        *visible_end = end;
    return ok;
}

bool
field_uint(struct field f, const struct field_type *t, enum merge_protocol p, uint64_t *out)
{
    if (t->class == FIELD_BIT) { /* big endian in both protocols */
        uint64_t v = 0;
        for (uint32_t i = 0; i < f.len; i++)
            v = v << 8 | f.ptr[i];
        *out = v;
        return f.len <= 8;
    }
    if (p == MERGE_BINARY) {
        if (t->width == 0 || f.len != t->width)
            return false;
        *out = little_endian(f.ptr, t->width);
        return true;
    }
    uint64_t v = 0;
    for (uint32_t i = 0; i < f.len; i++) {
        uint8_t digit = (uint8_t)(f.ptr[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v))
            return false;
    }
    *out = v;
    return f.len > 0;
}

bool
field_int(struct field f, const struct field_type *t, enum merge_protocol p, int64_t *out)
{
    uint64_t v;
    if (p == MERGE_BINARY) {
        if (!field_uint(f, t, p, &v))
            return false;
        uint8_t unused = (uint8_t)(64 - 8 * t->width);
        *out = (int64_t)(v << unused) >> unused;
        return true;
    }
    bool minus = f.len > 0 && f.ptr[0] == '-';
    if (minus)
        f = (struct field){ f.ptr + 1, f.len - 1 };
    if (!field_uint(f, t, p, &v) || v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool
field_double(struct field f, const struct field_type *t, enum merge_protocol p, double *out)
{
    if (p == MERGE_BINARY && t->class == FIELD_DOUBLE) {
        memcpy(out, f.ptr, 8);
        return true;
    }
    if (p == MERGE_BINARY && t->class == FIELD_FLOAT) {
        float single;
        memcpy(&single, f.ptr, 4);
        *out = (double)single;
        return true;
    }
    if (t->class != FIELD_DOUBLE && t->class != FIELD_FLOAT) {
        struct decimal d;
        if (!field_decimal(f, t, p, &d))
            return false;
        *out = decimal_to_double(&d);
        return true;
    }
    char text[400];
    if (f.len == 0 || f.len >= sizeof(text))
        return false;
    memcpy(text, f.ptr, f.len);
    text[f.len] = '\0';
    char *end;
    *out = strtod(text, &end);
    return *end == '\0';
}

bool
field_decimal(struct field f, const struct field_type *t, enum merge_protocol p,
              struct decimal *out)
{
    uint64_t u;
    int64_t  i;
    if (t->class == FIELD_DECIMAL)
        return decimal_parse(out, (struct span){ f.ptr, f.len });
    if (t->class == FIELD_INT) {
        if (!field_int(f, t, p, &i))
            return false;
        decimal_of_int(out, i);
        return true;
    }
    if ((t->class != FIELD_UINT && t->class != FIELD_BIT) || !field_uint(f, t, p, &u))
        return false;
    decimal_of_uint(out, u);
    return true;
}

static void
append_lenenc(struct buf *out, uint64_t v)
{
    uint8_t b[9];
    if (v < 0xfb) {
        buf_append_byte(out, (uint8_t)v);
        return;
    }
    uint8_t bytes = v <= 0xffff ? 2 : v <= 0xffffff ? 3 : 8;
    b[0]          = bytes == 2 ? 0xfc : bytes == 3 ? 0xfd : 0xfe;
    for (uint8_t i = 0; i < bytes; i++)
        b[1 + i] = (uint8_t)(v >> (8 * i));
    buf_append(out, b, 1u + bytes);
}

void
field_append(struct buf *out, const struct field_type *t, enum merge_protocol p, struct field f)
{
    if (f.ptr == NULL) {
        if (p == MERGE_TEXT)
            buf_append_byte(out, 0xfb);
        return;
    }
    if (p == MERGE_TEXT || t->width == 0)
        append_lenenc(out, f.len);
    buf_append(out, f.ptr, f.len);
}

/* The fewest digits that read back as the same number, as the server prints them:
 * positional when the point lies within 15 digits, else with an exponent. */
static void
print_shortest(struct buf *out, double value)
{
    char text[40], digits[24];
    int  precision = 0;
    do
        snprintf(text, sizeof(text), "%.*e", precision, value);
    while (strtod(text, NULL) != value && ++precision < 17);

    char *e        = strchr(text, 'e');
    int   exponent = atoi(e + 1), n = 0;
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (text[0] == '-')
        buf_append_byte(out, '-');

    int point = exponent + 1; /* digits before the point */
    if (point < -14 || point > 15) {
        buf_append(out, digits, 1);
        if (n > 1)
            buf_append_byte(out, '.');
        buf_append(out, digits + 1, (size_t)(n - 1));
        buf_printf(out, "e%d", exponent);
        return;
    }
    if (point <= 0) {
        buf_append_text(out, "0.");
        for (int i = point; i < 0; i++)
            buf_append_byte(out, '0');
        buf_append(out, digits, (size_t)n);
        return;
    }
    for (int i = 0; i < point || i < n; i++) {
        if (i == point)
            buf_append_byte(out, '.');
        buf_append_byte(out, (uint8_t)(i < n ? digits[i] : '0'));
    }
}

void
field_print_double(struct buf *out, const struct field_type *t, enum merge_protocol p,
                   double value)
{
    if (p == MERGE_BINARY) {
        buf_append(out, &value, sizeof(value));
        return;
    }
    if (value == 0)
        value = 0; /* never -0 */
    if (t->decimals < DECIMALS_FREE && fabs(value) < 1e300)
        buf_printf(out, "%.*f", t->decimals, value);
    else if (value == 0)
        buf_append_byte(out, '0');
    else
        print_shortest(out, value);
}

void
field_print_uint(struct buf *out, const struct field_type *t, enum merge_protocol p,
                 uint64_t value)
{
    if (p == MERGE_TEXT) {
        buf_printf(out, "%llu", (unsigned long long)value);
        return;
    }
    for (uint8_t i = 0; i < t->width; i++)
        buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}
