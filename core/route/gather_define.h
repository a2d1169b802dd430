/* gather_define.h - a table of the shards as a temporary table of the engine, as SQL text.
 *
 *   SHOW CREATE TABLE --gather_define()--> definition --+--> CREATE TEMPORARY TABLE
 *                                                       +--> the list behind SELECT
 *                                                       +--> LOAD DATA LOCAL INFILE
 *
 * The copy has the names, types, collations, defaults and visibility of the original, so that
 * results have the same columns; it has no constraints, no keys but those asked for, and what
 * is generated is stored as it came.
 *
 * A value travels as bytes in its column's own character set, and where its text would lose
 * something it is fetched as something else that does not:
 *   CHAR, TEXT, ENUM as binary strings, which are not converted for the client
 *   FLOAT            times 1e0: a DOUBLE with all digits
 *   TIMESTAMP        UNIX_TIMESTAMP(): in local time some hours come twice
 *   UUID, INET4/6    as binary strings, which they are read from
 *
 * All texts are for sessions with gather_neutral() in force.
 */
#ifndef CORE_ROUTE_GATHER_DEFINE_H
#define CORE_ROUTE_GATHER_DEFINE_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"

enum gather_form {
    GATHER_PLAIN,
    GATHER_TEXT,
    GATHER_FLOAT,
    GATHER_EPOCH,
    GATHER_BYTES, /* CAST(... AS BINARY(n)) */
};

struct gather_column {
    struct span      name;
    struct span      type;      /* with its character set and collation */
    struct span      ending;    /* DEFAULT ..., ON UPDATE ...; often empty */
    enum gather_form form;
    uint32_t         n_bytes;   /* GATHER_BYTES */
    struct span      computed;  /* DEFAULT (an expression), which `ending` lacks; often empty */
    bool             not_null, invisible, json;
    bool             doubtful; /* its default may have letters for which a server says '?' */
    bool             auto_increment, on_update;
    bool             is_blob;   /* no MEMORY table has it */
    bool             is_bits;   /* BIT: no Aria table should have it */
    uint32_t         width;     /* bytes in a row of a MEMORY table, at most */
};

/* PRIMARY or UNIQUE. */
struct gather_key {
    bool            primary;
    uint32_t        n;
    const uint32_t *columns;
    struct span     text;      /* "PRIMARY KEY (`a`)" */
};

struct gather_definition {
    uint32_t                    n_columns;
    const struct gather_column *columns; /* in the table's order */
    uint32_t                    n_keys;
    const struct gather_key    *keys;
    struct span                 charset; /* DEFAULT CHARSET=... COLLATE=..., for the columns */
    bool                        versioned; /* WITH SYSTEM VERSIONING, which the copy has not */
};

/* Reads what SHOW CREATE TABLE says (in utf8mb4, under sql_mode ''). What `out` points to is
 * in `a` or in `create`. False: it is not a table, or one that cannot be copied. */
bool gather_define(struct arena *a, struct span create, struct gather_definition *out,
                   struct err *err) must_check;

/* ROUTES_NONE: it has no such column. Names compare without case. */
uint32_t gather_find(const struct gather_definition *d, struct span name);

/* The copy: which columns (indexes in `definition`, ascending), and of these the keys. */
struct gather_copy {
    const struct gather_definition *definition;
    struct span                     schema, name;
    uint32_t                        n;
    const uint32_t                 *columns;
    uint32_t                        n_keys;
    const uint32_t                 *keys;

    bool            primary; /* it has its primary key, and is in the order of that */

    /* Of a table that the statement writes; it has all columns. */
    bool        numbered; /* rows have numbers, from 1, in a column of ours; */
    uint32_t    number;   /* this is the copy's own, for names */
    bool        unique;   /* it has the table's keys, and its order of rows */
    const bool *optional; /* [n) these may be NULL; or NULL */
    bool        computes; /* it has all defaults */
};

/* Bytes a row takes in a MEMORY table, or 0: it cannot be one. */
uint32_t gather_width(const struct gather_copy *c);

enum gather_engine { GATHER_MEMORY, GATHER_ARIA, GATHER_INNODB };

/* What a copy is when it is no MEMORY table. Aria keeps the odd bits of a BIT(9) beside the NULLs
 * of a row, and a server takes them from there for others: GROUP BY ... WITH ROLLUP made 261 of
 * 5. */
enum gather_engine gather_disk_engine(const struct gather_copy *c);

void gather_create_text(const struct gather_copy *c, enum gather_engine engine, struct buf *out);
void gather_select_text(const struct gather_copy *c, struct buf *out); /* "SELECT `a`,..." */
void gather_load_text(const struct gather_copy *c, struct buf *out);

/* The primary key's columns; NULL: the table has none. */
const struct gather_key *gather_primary(const struct gather_definition *d);

/* Into a table of another engine, with all that is in it, and without its primary key. */
void gather_spill_text(const struct gather_copy *c, enum gather_engine engine, struct buf *out);

/* The column with the numbers of a numbered copy; the table with the rows as they were. */
void gather_number_name(const struct gather_copy *c, struct buf *out);
void gather_before_name(const struct gather_copy *c, struct buf *out);

/* Makes it, with these columns (indexes in `definition`) and the number. */
void gather_before_text(const struct gather_copy *c, const bool *columns, struct buf *out);

/* What a session has to say before the texts, and afterwards to be as its login has left
 * it (`collation`: the login's), but for what it has been told itself. */
const char *gather_neutral(void);
void gather_restore_text(uint16_t collation, struct buf *out);

#endif
