/* merge_field.h - reading, comparing and writing the fields of result rows.
 *
 * Inside the merger only. A field is its bytes in the row, without the length in
 * front; what they mean follows from the column's definition and the protocol.
 * Formats: "Text Resultset Row", "Binary Protocol Resultset Row" and "Column
 * Definition" of the MySQL client/server protocol.
 */
#ifndef CORE_ROUTE_MERGE_FIELD_H
#define CORE_ROUTE_MERGE_FIELD_H

#include "core/base/buf.h"
#include "core/route/merge.h"
#include "core/route/merge_decimal.h"

/* How the values of a column compare. */
enum field_class {
    FIELD_INT, FIELD_UINT, FIELD_DECIMAL, FIELD_FLOAT, FIELD_DOUBLE,
    FIELD_DATE, /* DATE, DATETIME, TIMESTAMP */
    FIELD_TIME,
    FIELD_BIT,
    FIELD_BYTES,
};

struct field_type {
    enum field_class class;
    uint8_t  wire;      /* MYSQL_TYPE_* */
    uint8_t  width;     /* binary protocol: bytes of a fixed-size value, 0: a length in front */
    uint8_t  decimals;
    bool     binary;     /* character set 63: bytes are compared as they are */
    bool     enumerated; /* ENUM or SET, sent as text */
};

struct field {
    const uint8_t *ptr; /* NULL: NULL */
    uint32_t       len;
};

/* A value ready to be compared with others of its column. */
struct sort_value {
    bool        null;
    struct span bytes; /* ptr NULL: the number counts */
    union {
        int64_t  i;
        uint64_t u;
        double   d;
    };
};

bool field_type_decode(struct span column_definition, struct field_type *out);

/* Split a row's payload into `n` fields. False: malformed. `visible_end`, when not
 * NULL: the offset behind the field `n_visible` - 1. */
bool field_split(struct span row, enum merge_protocol protocol, const struct field_type *types,
                 uint32_t n, uint32_t n_visible, struct field *out, size_t *visible_end);

/* False: not a value of its type. */
bool field_int(struct field f, const struct field_type *t, enum merge_protocol p, int64_t *out);
bool field_uint(struct field f, const struct field_type *t, enum merge_protocol p, uint64_t *out);
bool field_double(struct field f, const struct field_type *t, enum merge_protocol p, double *out);
bool field_decimal(struct field f, const struct field_type *t, enum merge_protocol p,
                   struct decimal *out);

/* The weight of a space in the collation, by which WEIGHT_STRINGs are padded:
 * `len` 0 for NO PAD ones. False: not a collation whose weights can be compared
 * byte by byte (several levels, contractions that reorder, or simply not known). */
bool collation_pad(uint16_t collation, struct span *pad);

/* What of the row's fields compares for `key`. Numbers and times of text rows are
 * parsed. False: malformed. */
bool sort_value_make(const struct merge_key *key, const struct field_type *types,
                     enum merge_protocol protocol, const struct field *fields,
                     struct sort_value *out);

/* NULL first; `descending` is obeyed. */
int sort_value_compare(const struct merge_key *key, const struct field_type *types,
                       const struct sort_value *a, const struct sort_value *b);

/* Bytes that are equal exactly for equal values. */
void sort_value_canonical(const struct merge_key *key, const struct field_type *types,
                          const struct sort_value *v, struct buf *out);

/* Append a field's bytes to a row (with its length where the protocol wants one). */
void field_append(struct buf *out, const struct field_type *t, enum merge_protocol p,
                  struct field f);

/* A number as the field bytes of type `t`, appended without a length in front. */
void field_print_double(struct buf *out, const struct field_type *t, enum merge_protocol p,
                        double value);
void field_print_uint(struct buf *out, const struct field_type *t, enum merge_protocol p,
                      uint64_t value);

#endif
