/* keyhash.h - the 64 bits that decide where a row lies.
 *
 *   value as written --(column type)--> canonical form --XXH3-64--> hash
 *
 * FROZEN: another hash for the same stored value would lose rows. The vectors
 * in tests/unit/test_keyhash.c pin it. The canonical form depends on the
 * column's type, not on how the value was written; two values that the column's
 * own equality (type and collation) calls equal have one hash:
 *
 *   integers, YEAR, BIT     8 bytes, little-endian, two's complement
 *   DECIMAL                 digits without needless zeros: -12.5
 *   DATE, DATETIME, TIME    8 bytes: packed fields, microseconds
 *   CHAR, VARCHAR _bin      UTF-8; trailing spaces off when the collation pads
 *   CHAR, VARCHAR _ci       collation weights, 2 bytes each; ignorable characters
 *                           have none; trailing weights of ' ' off when it pads
 *   BINARY, VARBINARY       the bytes; trailing zeros off for BINARY
 *   UUID, INET4, INET6      16, 4, 16 bytes
 *   NULL                    a hash of its own
 *
 * Two questions are asked and must not be mixed up. STORED: INSERT sends this
 * value; which row will exist? Everything that the server would clip, round,
 * truncate, complete or number is undecided. COMPARE: WHERE column = value;
 * which rows can match? Equality is not transitive across types ('5' = 5,
 * '05' = 5, '5' <> '05'), so a comparison coarser than the column's own does
 * not fix the key: any shard.
 */
#ifndef CORE_ROUTE_KEYHASH_H
#define CORE_ROUTE_KEYHASH_H

#include "core/base/err.h"
#include "core/route/table.h"

/* No collation's id: that of texts which a server converts to a character set where not even
 * ASCII stays what it is. Nothing is known of their bytes. */
enum { COLLATION_CONVERTED = UINT16_MAX };

enum key_value_kind {
    KEY_VALUE_NULL,
    KEY_VALUE_DEFAULT,  /* the word DEFAULT, or a column left out of an INSERT */
    KEY_VALUE_INT,      /* text: digits, maybe a sign. Also TRUE and FALSE as 1 and 0 */
    KEY_VALUE_DECIMAL,  /* text: 12.50  .5  -3. */
    KEY_VALUE_FLOAT,    /* text: 1e3, 1.5E-7; or a FLOAT/DOUBLE parameter printed with %.17g */
    KEY_VALUE_STRING,   /* bytes, escapes and doubled quotes undone */
    KEY_VALUE_HEX,      /* bytes of 0xAB, b'01' and 0b01 (number or string by context) */
    KEY_VALUE_HEX_STRING, /* bytes of x'AB' (a binary string) */
    KEY_VALUE_DATE,     /* text inside DATE'...', or a DATE parameter */
    KEY_VALUE_TIME,     /* text inside TIME'...', or a TIME parameter */
    KEY_VALUE_DATETIME, /* text inside TIMESTAMP'...', or a DATETIME/TIMESTAMP parameter */
    KEY_VALUE_OTHER,    /* an expression, a function, a user variable: not a constant */
};

struct key_value {
    enum key_value_kind kind;
    struct span         bytes;
    /* STRING: a collation id of the character set that `bytes` are in: the
     * introducer's, else collation_connection's. 0 when that is not known, or
     * when character_set_client is another set than the connection's: then only
     * ASCII is decided. COLLATION_CONVERTED: not even that. */
    uint16_t            collation;
    /* An explicit COLLATE stands behind it (then `collation` is that). */
    bool                collate;
};

/* Room that key_value_param() may need for the text of a value. */
enum { KEY_VALUE_TEXT = 40 };

/* A parameter of COM_STMT_EXECUTE as a value. `type`: MYSQL_TYPE_* of the wire,
 * `bytes`: its payload without a length prefix (NULLs do not get here).
 * `text` is where numbers and times are printed; the value borrows it. False:
 * the payload does not fit the type. */
bool key_value_param(uint8_t type, bool is_unsigned, struct span bytes,
                     uint16_t collation, char text[KEY_VALUE_TEXT],
                     struct key_value *out) must_check;

enum key_result {
    KEY_HASH,      /* *hash is it */
    KEY_ANY,       /* compare: the value does not fix the key; go to all shards */
    KEY_NONE,      /* compare: provably no row can match */
    KEY_AUTO,      /* stored: the server would number this row (AUTO_INCREMENT) */
    KEY_UNDECIDED, /* stored: the server would change the value, or we cannot tell */
};

/* INSERT ... VALUES (value): the row as it will be stored. `zero_is_auto`: the
 * session's sql_mode lacks NO_AUTO_VALUE_ON_ZERO. KEY_HASH, KEY_AUTO or
 * KEY_UNDECIDED. `column` passed keyhash_column_supported(). */
enum key_result keyhash_stored(const struct route_column *column,
                               const struct key_value *value,
                               bool zero_is_auto, uint64_t *hash) must_check;

/* WHERE column = value (also <=>, IN and row comparisons, one by one).
 * KEY_HASH, KEY_ANY or KEY_NONE. For `<=>` with NULL and IS NULL use
 * keyhash_null(). */
enum key_result keyhash_compare(const struct route_column *column,
                                const struct key_value *value,
                                uint64_t *hash) must_check;

/* Of rows whose key is NULL. */
uint64_t keyhash_null(void);

/* Of a value as a server's text protocol returns it from a column with this
 * type, in the character set of `value_collation`, e.g. for moving rows and
 * fsck. NULL is keyhash_null(). False: it cannot be (not such a type's text). */
bool keyhash_row(const struct route_column *column, struct span text,
                 uint16_t value_collation, uint64_t *hash) must_check;

/* Whether the column can be a key. False: `err` says why not and what could be
 * done, in a sentence that names the column. */
bool keyhash_column_supported(const struct route_column *column,
                              struct err *err) must_check;

/* Whether equal values of the two columns have equal hashes, so that tables
 * keyed by them lie together: both integers, both strings that fold alike, ... */
bool keyhash_colocated(const struct route_column *a,
                       const struct route_column *b) must_check;

/* Whether every value of `from` is stored in `to` as it is, whatever the sql_mode: nothing is
 * clipped, rounded, converted or defaulted, so that its hash stays the same. Not asked here:
 * whether 0 and NULL are numbered. */
bool keyhash_copies(const struct route_column *from, const struct route_column *to) must_check;

/* The greatest value of an integer column; 0: it is none. */
uint64_t keyhash_int_max(const struct route_column *column);

#endif
