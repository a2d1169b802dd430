/* digest.h - a statement with its literals taken out: the key of the plan cache.
 *
 *   SELECT c  FROM sbtest1 WHERE id=4242 -- x     text      "SELECT c FROM sbtest1 WHERE id=:i"
 *                                                 literals  [{TOK_INT, 32..36}]
 *
 * Normalised text: tokens as written; a run of space and comments is one space
 * (none at the ends); executable comments keep their contents. A literal is
 * ':' and a letter for its kind: :i int, :d decimal, :f float, :s string,
 * :n N'..', :x 0x.., :h x'..', :b bits. Nothing else in it can look like that.
 * A parameter stays '?'.
 *
 * Kept as text, and then no member of `literals`: strings that are
 * aliases; everything in ORDER BY and GROUP BY lists (positions; expressions
 * that must match the select list) and in LIMIT clauses; everything in
 * statements other than SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE, DELETE,
 * CALL, DO and EXPLAIN/ANALYZE/DESCRIBE of these (so DDL, SHOW, SET, KILL:
 * their values decide what happens).
 * A "shardd:" hint in a block comment stays.
 */
#ifndef CORE_SQL_DIGEST_H
#define CORE_SQL_DIGEST_H

#include "core/base/buf.h"
#include "core/sql/literal.h"

enum digest_flags {
    DIGEST_MULTI            = 1 << 0,  /* tokens behind a ';' : split first (lex_split) */
    DIGEST_EXEC_COMMENT     = 1 << 1,  /* executable comments: parts of the text cannot be taken
                                          as they are (lex_blank_comments) */
    DIGEST_USER_VAR         = 1 << 2,  /* @name */
    DIGEST_ASSIGN           = 1 << 3,  /* := */
    DIGEST_INTO             = 1 << 4,  /* INTO @v, INTO OUTFILE, INTO DUMPFILE */
    DIGEST_LAST_INSERT_ID   = 1 << 5,  /* LAST_INSERT_ID */
    DIGEST_FOUND_ROWS       = 1 << 6,  /* FOUND_ROWS */
    DIGEST_ROW_COUNT        = 1 << 7,  /* ROW_COUNT */
    DIGEST_LOCK_FUNCTION    = 1 << 8,  /* GET_LOCK, RELEASE_LOCK, RELEASE_ALL_LOCKS, IS_*_LOCK */
    DIGEST_CALC_FOUND_ROWS  = 1 << 9,  /* SQL_CALC_FOUND_ROWS */
    DIGEST_SYSTEM_VAR       = 1 << 10, /* @@name */
    DIGEST_TEMPORARY        = 1 << 11, /* TEMPORARY */
    DIGEST_HINT             = 1 << 12, /* a "shardd:" comment: see `hint` */
    DIGEST_SEQUENCE         = 1 << 13, /* NEXTVAL, LASTVAL, SETVAL, NEXT/PREVIOUS VALUE FOR */
    DIGEST_NOT_DETERMINED   = 1 << 14, /* RAND, UUID, UUID_SHORT, SLEEP, BENCHMARK, LOAD_FILE,
                                          SYSDATE, CONNECTION_ID */
    DIGEST_SHARDD           = 1 << 15, /* the word SHARDD */
    DIGEST_USER             = 1 << 16, /* USER(), SESSION_USER(), SYSTEM_USER(), CURRENT_USER */
};

enum digest_result {
    DIGEST_OK,
    DIGEST_EMPTY,    /* only space and comments */
    DIGEST_TOO_LONG, /* normalised text beyond the limit: parse without a digest */
    DIGEST_BAD,      /* does not lex: let one server say so */
};

/* All zeroes is a digest; reuse it from statement to statement (it keeps its
 * memory), and digest_fini() it at last. */
struct digest {
    struct span     text;  /* normalised; in memory of this digest */
    uint64_t        hash;  /* XXH3-64 of `text` */
    uint32_t        flags; /* enum digest_flags, of the statement up to its ';' */
    enum keyword    first; /* first keyword (behind '(' too), NO_KEYWORD when it begins otherwise */
    uint32_t        n_params;
    uint32_t        n_literals;
    struct literal *literals; /* in order of appearance; owned */
    uint32_t        statement_end; /* offset of the first ';', or the text's length */
    struct span     hint;  /* contents behind "shardd:", in the statement's text */

    uint8_t *bytes; /* owned: `text` */
    size_t   bytes_cap, literals_cap;
};

/* Digest the first statement of `text` (up to a ';'). One pass. `limit`: the
 * most bytes of normalised text. Fields are set for DIGEST_OK only, except
 * that `flags` and `first` hold what was seen until then. */
enum digest_result digest_make(struct digest *d, struct span text, struct lex_options options,
                               size_t limit);

/* Give memory back when a huge statement has left more than `keep` bytes. */
void digest_shrink(struct digest *d, size_t keep);
void digest_fini(struct digest *d);

#endif
