/* merge_sort.c - see merge_field.h: values made comparable. */
#include "core/route/merge_field.h"

/* Collations whose WEIGHT_STRING compares byte by byte as the server compares
 * the strings, when the shorter one is padded with the weight of a space.
 * Seen on MariaDB 10.11. Ids: information_schema.COLLATIONS. */
static const struct {
    uint16_t id;
    uint8_t  len; /* 0: NO PAD, or binary */
    uint8_t  pad[3];
} collations[] = {
    { 8,  1, { 0x20 } },               /* latin1_swedish_ci */
    { 11, 1, { 0x20 } },               /* ascii_general_ci */
    { 15, 1, { 0x20 } },               /* latin1_danish_ci */
    { 33, 2, { 0x00, 0x20 } },         /* utf8mb3_general_ci */
    { 45, 2, { 0x00, 0x20 } },         /* utf8mb4_general_ci */
    { 46, 3, { 0x00, 0x00, 0x20 } },   /* utf8mb4_bin */
    { 47, 1, { 0x20 } },               /* latin1_bin */
    { 48, 1, { 0x20 } },               /* latin1_general_ci */
    { 49, 1, { 0x20 } },               /* latin1_general_cs */
    { 63, 0, { 0 } },                  /* binary */
    { 65, 1, { 0x20 } },               /* ascii_bin */
    { 192, 2, { 0x02, 0x09 } },        /* utf8mb3_unicode_ci */
    { 214, 2, { 0x02, 0x0a } },        /* utf8mb3_unicode_520_ci */
    { 224, 2, { 0x02, 0x09 } },        /* utf8mb4_unicode_ci */
    { 246, 2, { 0x02, 0x0a } },        /* utf8mb4_unicode_520_ci */
    { 1069, 0, { 0 } },                /* utf8mb4_general_nopad_ci */
    { 1070, 0, { 0 } },                /* utf8mb4_nopad_bin */
    { 1248, 0, { 0 } },                /* utf8mb4_unicode_nopad_ci */
};

bool
collation_pad(uint16_t collation, struct span *pad)
{
    for (size_t i = 0; i < countof(collations); i++) {
        if (collations[i].id != collation)
            continue;
        *pad = (struct span){ collations[i].pad, collations[i].len };
        return true;
    }
    return false;
}

/* Byte by byte; the shorter one continues with `pad` for ever. */
static int
compare_padded(struct span a, struct span b, struct span pad)
{
    size_t both  = a.len < b.len ? a.len : b.len;
    int    order = both == 0 ? 0 : memcmp(a.ptr, b.ptr, both);
    if (order != 0 || a.len == b.len)
        return order;
    int         sign = a.len > b.len ? 1 : -1;
    struct span rest = span_from(sign > 0 ? a : b, both);
    if (pad.len == 0)
        return sign;
    for (size_t i = 0; i < rest.len; i++) {
        /* Weights are whole units of pad.len, and `both` is a multiple of it. */
        uint8_t space = pad.ptr[i % pad.len];
        if (rest.ptr[i] != space)
            return rest.ptr[i] < space ? -sign : sign;
    }
    return 0;
}

static struct span
strip_pad(struct span s, struct span pad)
{
    while (pad.len > 0 && s.len >= pad.len &&
           memcmp(s.ptr + s.len - pad.len, pad.ptr, pad.len) == 0)
        s.len -= pad.len;
    return s;
}

/* DATE, DATETIME, TIMESTAMP of a binary row as one number that orders the same. */
static bool
pack_datetime(struct field f, uint64_t *out)
{
    if (f.len != 0 && f.len != 4 && f.len != 7 && f.len != 11)
        return false;
    uint8_t p[11] = { 0 };
    memcpy(p, f.ptr, f.len);
    uint64_t date   = ((uint64_t)p[1] << 8 | p[0]) << 9 | (uint64_t)p[2] << 5 | p[3];
    uint64_t second = ((uint64_t)p[4] * 60 + p[5]) * 60 + p[6];
    uint64_t micros = (uint64_t)p[7] | (uint64_t)p[8] << 8 | (uint64_t)p[9] << 16 |
                      (uint64_t)p[10] << 24;
    *out = (date << 17 | second) << 20 | micros;
    return true;
}

static bool
pack_time_binary(struct field f, int64_t *out)
{
    if (f.len != 0 && f.len != 8 && f.len != 12)
        return false;
    uint8_t p[12] = { 0 };
    memcpy(p, f.ptr, f.len);
    int64_t days   = (int64_t)p[1] | (int64_t)p[2] << 8 | (int64_t)p[3] << 16 | (int64_t)p[4] << 24;
    int64_t micros = (int64_t)p[8] | (int64_t)p[9] << 8 | (int64_t)p[10] << 16 |
                     (int64_t)p[11] << 24;
    int64_t value  = (((days * 24 + p[5]) * 60 + p[6]) * 60 + p[7]) * 1000000 + micros;
    *out           = p[0] ? -value : value;
    return true;
}

/* [-]hours:minutes:seconds[.fraction] */
static bool
pack_time_text(struct field f, int64_t *out)
{
    uint32_t at    = 0;
    bool     minus = f.len > 0 && f.ptr[0] == '-';
    int64_t  part[4] = { 0 }, n = 0, fraction_digits = 0;
    for (at = minus ? 1 : 0; at < f.len; at++) {
        uint8_t c = f.ptr[at];
        if (c == ':' && n < 2) {
            n++;
        } else if (c == '.' && n == 2) {
            n++;
        } else if (c >= '0' && c <= '9' && part[n] < 100000000) {
            part[n] = part[n] * 10 + (c - '0');
            fraction_digits += n == 3;
        } else {
            return false;
        }
    }
    for (; fraction_digits < 6; fraction_digits++)
        part[3] *= 10;
    int64_t value = ((part[0] * 60 + part[1]) * 60 + part[2]) * 1000000 + part[3];
    *out          = minus ? -value : value;
    return n >= 2;
}

bool
sort_value_make(const struct merge_key *key, const struct field_type *types,
                enum merge_protocol protocol, const struct field *fields,
                struct sort_value *out)
{
    const struct field_type *t = &types[key->column];
    struct field             f = fields[key->column];
    *out                       = (struct sort_value){ .null = f.ptr == NULL };
    if (out->null)
        return true;
    switch (t->class) {
    case FIELD_INT:  return field_int(f, t, protocol, &out->i);
    case FIELD_UINT: case FIELD_BIT: return field_uint(f, t, protocol, &out->u);
    case FIELD_FLOAT: case FIELD_DOUBLE: return field_double(f, t, protocol, &out->d);
    case FIELD_TIME:
        return protocol == MERGE_TEXT ? pack_time_text(f, &out->i) : pack_time_binary(f, &out->i);
    case FIELD_DATE:
        if (protocol == MERGE_BINARY)
            return pack_datetime(f, &out->u);
        break;
    case FIELD_DECIMAL: break;
    case FIELD_BYTES:
        if (key->weight != MERGE_NONE && !t->binary) {
            f = fields[key->weight];
            if (f.ptr == NULL)
                return false;
        }
        break;
    }
    out->bytes = (struct span){ f.ptr, f.len };
    return true;
}

static int
compare_decimal_text(struct span a, struct span b)
{
    struct decimal x, y;
    if (span_equal(a, b))
        return 0;
    if (!decimal_parse(&x, a) || !decimal_parse(&y, b))
        return compare_padded(a, b, (struct span){ 0 });
    return decimal_compare(&x, &y);
}

static int
compare_bytes(const struct merge_key *key, const struct field_type *t, const struct sort_value *a,
              const struct sort_value *b)
{
    struct span pad = { 0 };
    if (t->class == FIELD_BYTES && key->weight != MERGE_NONE && !t->binary)
        collation_pad(key->collation, &pad);
    return compare_padded(a->bytes, b->bytes, pad);
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

int
sort_value_compare(const struct merge_key *key, const struct field_type *types,
                   const struct sort_value *a, const struct sort_value *b)
{
    const struct field_type *t = &types[key->column];
    int                      order = 0;
    if (a->null || b->null) {
        order = (int)b->null - (int)a->null;
        return key->descending ? -order : order;
    }
    switch (t->class) {
    case FIELD_INT: case FIELD_TIME: order = ORDER(a->i, b->i); break;
    case FIELD_UINT: case FIELD_BIT: order = ORDER(a->u, b->u); break;
    case FIELD_FLOAT: case FIELD_DOUBLE: order = ORDER(a->d, b->d); break;
    case FIELD_DATE:
        /* Text of one column has one length: YYYY-MM-DD ... */
        order = a->bytes.ptr == NULL ? ORDER(a->u, b->u) : compare_bytes(key, t, a, b);
        break;
    case FIELD_DECIMAL: order = compare_decimal_text(a->bytes, b->bytes); break;
    case FIELD_BYTES: order = compare_bytes(key, t, a, b); break;
    }
    return key->descending ? -order : order;
}

void
sort_value_canonical(const struct merge_key *key, const struct field_type *types,
                     const struct sort_value *v, struct buf *out)
{
    const struct field_type *t = &types[key->column];
    buf_append_byte(out, v->null);
    if (v->null)
        return;
    struct span s = { (const uint8_t *)&v->u, sizeof(v->u) };
    double      d = v->d == 0 ? 0 : v->d; /* -0 is 0 */
    if (t->class == FIELD_FLOAT || t->class == FIELD_DOUBLE)
        s = (struct span){ (const uint8_t *)&d, sizeof(d) };
    else if (t->class == FIELD_DECIMAL || t->class == FIELD_BYTES ||
             (t->class == FIELD_DATE && v->bytes.ptr != NULL))
        s = v->bytes;

    struct span pad = { 0 };
    if (t->class == FIELD_BYTES && key->weight != MERGE_NONE && !t->binary) {
        collation_pad(key->collation, &pad);
        s = strip_pad(s, pad);
    }
    uint32_t len = (uint32_t)s.len;
    buf_append(out, &len, sizeof(len));
    buf_append_span(out, s);
}
