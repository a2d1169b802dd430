/* sql_mode.h - the words of @@sql_mode, as a server says them: "ANSI_QUOTES,STRICT_ALL_TABLES".
 */
#ifndef CORE_SQL_SQL_MODE_H
#define CORE_SQL_SQL_MODE_H

#include "core/base/buf.h"

/* The words about the reading of texts, as bits. */
enum {
    SQL_MODE_REAL_AS_FLOAT        = 1 << 0,
    SQL_MODE_PIPES_AS_CONCAT      = 1 << 1,
    SQL_MODE_ANSI_QUOTES          = 1 << 2,
    SQL_MODE_IGNORE_SPACE         = 1 << 3,
    SQL_MODE_HIGH_NOT_PRECEDENCE  = 1 << 4,
    SQL_MODE_NO_BACKSLASH_ESCAPES = 1 << 5,
    SQL_MODE_EMPTY_STRING_IS_NULL = 1 << 6,
    SQL_MODE_ANSI                 = 1 << 7,
    SQL_MODE_ANY_DIALECT          = 1 << 8, /* ORACLE and the like: another grammar */
    SQL_MODE_ORACLE               = 1 << 9, /* beside it */
};

/* Those in the list. */
uint16_t sql_mode_reading(struct span list);

/* Whether `word` is in the list. */
bool sql_mode_has(struct span list, const char *word);

/* How two modes differ as to the reading of texts. */
enum sql_mode_reading {
    SQL_MODE_ALIKE,
    SQL_MODE_OTHER,   /* quotes, ||, escapes, spaces before '(' ... */
    SQL_MODE_DIALECT, /* another grammar (ORACLE), or a word that stands for one */
};

enum sql_mode_reading sql_mode_compare(struct span a, struct span b);

/* Append `wanted` with the words about the reading of texts taken from `reads` instead: the mode
 * of a statement that was read under `reads` and runs under `wanted`. They differ by
 * SQL_MODE_OTHER at the most. */
void sql_mode_merge(struct span wanted, struct span reads, struct buf *out);

/* The same with the words of `reading`, which has no other dialect. */
void sql_mode_read_as(struct span wanted, uint16_t reading, struct buf *out);

#endif
