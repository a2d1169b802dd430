/* collation.h - the collations that a key can have, folded exactly.
 *
 * Two strings are equal in a collation when their folded forms are the same
 * bytes. The weights were made by a MariaDB server (core/route/weights.py) and
 * are as frozen as the hash is.
 */
#ifndef CORE_ROUTE_COLLATION_H
#define CORE_ROUTE_COLLATION_H

#include "core/base/base.h"

enum charset { CHARSET_UNKNOWN, CHARSET_BINARY, CHARSET_ASCII, CHARSET_LATIN1,
               CHARSET_UTF8MB3, CHARSET_UTF8MB4 };

enum fold {
    FOLD_BIN,         /* code points */
    FOLD_ASCII,       /* ascii_general_ci: capitals are small letters */
    FOLD_LATIN1,      /* latin1_swedish_ci */
    FOLD_GENERAL,     /* utf8mb*_general_ci: one weight a character */
    FOLD_UNICODE,     /* utf8mb*_unicode_ci: the UCA 4.0.0 weights */
    FOLD_UNICODE_520, /* utf8mb*_unicode_520_ci: the UCA 5.2.0 weights */
};

struct collation {
    uint16_t     id;
    enum charset charset;
    enum fold    fold;
    bool         pads; /* trailing spaces do not count */
};

/* NULL: not one that can be folded exactly. */
const struct collation *collation_find(uint16_t id);

/* Of any collation id; CHARSET_UNKNOWN for those of other character sets. */
enum charset collation_charset(uint16_t id);

/* The next character of `s` (not empty), as a code point, and how many bytes it
 * has. False: the bytes are not one in this character set. */
bool charset_next(enum charset charset, struct span s, uint32_t *code_point,
                  size_t *bytes) must_check;

/* Whether the character set has the character. */
bool charset_has(enum charset charset, uint32_t code_point);

/* The most weights that one character has. */
enum { FOLD_WEIGHTS_MAX = 8 };

/* The weights of a code point, in [0, FOLD_WEIGHTS_MAX]; none: ignorable. Not
 * for FOLD_BIN. */
size_t fold_weights(enum fold fold, uint32_t code_point,
                    uint16_t out[FOLD_WEIGHTS_MAX]);

/* Two names in UTF-8 that a server may take for the same where the case of letters does not
 * count: equal in utf8mb4_general_ci, which overlooks more than that. */
bool names_alike(struct span a, struct span b);

#endif
