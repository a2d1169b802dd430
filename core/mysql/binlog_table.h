/* binlog_table.h - a table's columns as TABLE_MAP has them, and the sizes of their values.
 *
 * A TABLE_MAP stands before the rows of a statement and gives the table a number for them. It
 * says each column's type as it is stored, with what is needed to find the end of its values.
 * What it does not say: names, character sets and signs (only when the server has
 * binlog_row_metadata=MINIMAL or FULL: then has_signs and the primary key are known), and that a
 * STRING of 16 bytes is a UUID. Whoever moves rows knows the table's definition.
 *
 * One thing can only be had from the definition: DATETIME(n), TIME(n) and TIMESTAMP(n), n > 0, in
 * the format of MariaDB before 10.1 (SHOW CREATE TABLE says "mariadb-5.3" behind them) look in
 * the log as if they had no fraction. binlog_table_fraction() tells it; without that rows cannot
 * be cut.
 */
#ifndef CORE_MYSQL_BINLOG_TABLE_H
#define CORE_MYSQL_BINLOG_TABLE_H

#include "core/mysql/binlog.h"

enum { /* compressed columns, beside the MYSQL_TYPE_* of protocol.h; in logs only */
    BINLOG_TYPE_BLOB_COMPRESSED    = 140,
    BINLOG_TYPE_VARCHAR_COMPRESSED = 141,
};

/* How the end of a value is found. */
enum binlog_shape {
    BINLOG_SHAPE_FIXED,    /* `size` bytes */
    BINLOG_SHAPE_PREFIXED, /* `size` bytes of length, little-endian, then as many bytes */
};

struct binlog_column {
    uint8_t           type;  /* MYSQL_TYPE_*; ENUM and SET as such, CHAR and BINARY as STRING */
    enum binlog_shape shape;
    uint8_t           size;
    bool              nullable;
    bool              is_unsigned; /* if table.has_signs; else as its owner sets it */
    uint16_t          meta; /* STRING, VARCHAR: most bytes; BIT: bits; NEWDECIMAL: precision;
                               times: digits of the fraction; FLOAT, DOUBLE, ENUM, SET: size;
                               BLOBs: bytes of the length */
    uint8_t           scale; /* NEWDECIMAL */
};

struct binlog_table {
    uint64_t    id;
    uint16_t    flags;
    struct span database, name;
    uint32_t    n_columns;
    struct binlog_column *columns;
    bool        has_signs;
    uint32_t    n_primary;   /* 0: not told, or none */
    uint32_t   *primary;     /* columns in the key's order */
    bool        whole_primary; /* no column of it is there by a prefix only */
    struct span types, meta, nulls; /* as they stand in the event */
};

/* What came of binlog_table_new(). */
enum binlog_table_status {
    BINLOG_TABLE_GOOD,
    BINLOG_TABLE_MALFORMED,
    BINLOG_TABLE_TYPE,      /* *column has a type whose values have no known size */
};

/* The TABLE_MAP `e`, which may go afterwards. Free with binlog_table_free(). */
enum binlog_table_status binlog_table_new(const struct binlog_event *e,
                                          struct binlog_table **out, uint32_t *column)
    must_check;
void binlog_table_free(struct binlog_table *t); /* fine with NULL */

/* Only the number, to see whether the table is known already. */
bool binlog_table_id(const struct binlog_event *e, uint64_t *id) must_check;

/* Whether the two describe rows alike: name and database aside. */
bool binlog_table_alike(const struct binlog_table *a, const struct binlog_table *b);

/* Whether its columns from `n` on are ones that a server adds by itself at the end and shows to
 * nobody: hashes of UNIQUE keys whose columns are too long for an index. */
bool binlog_table_hides(const struct binlog_table *t, uint32_t n);

/* See above. Nothing for columns of other types than old TIME, DATETIME and TIMESTAMP.
 * `digits` <= 6. */
void binlog_table_fraction(struct binlog_table *t, uint32_t column, uint8_t digits);

/* Bytes of the value at the front of `bytes`; 0: it does not end there (no value has 0). */
size_t binlog_value_bytes(const struct binlog_column *c, struct span bytes);

static inline bool
binlog_bit(struct span bitmap, uint32_t i)
{
    return bitmap.ptr[i / 8] >> (i % 8) & 1;
}

#endif
