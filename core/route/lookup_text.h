/* lookup_text.h - what a write has done to tables with lookups, as statements for these.
 *
 *   triggers of the written rows --> "+users_email_3:6140622e63:35;-..." --> DELETE, then INSERT
 *
 * A trigger says for each row what came (+) or went (-): the lookup's table, the value and the
 * key of its row, both in hexadecimal digits: of the text in utf8mb4, where it is no BINARY.
 * What came and went again is nothing. Deletes come first, so that a value may go from one row to
 * another within the statement.
 */
#ifndef CORE_ROUTE_LOOKUP_TEXT_H
#define CORE_ROUTE_LOOKUP_TEXT_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/route/table.h"

struct lookup_statement {
    struct span              text;
    uint64_t                 rows;  /* that it has to find or make */
    bool                     exact; /* it has to: the lookup is not being filled */
    struct lookup_statement *next;
};

/* parts[n]: what each server's triggers have said. `out` gets a list, perhaps empty, in `a`.
 * False and `err`: it is not as they say it. */
bool lookup_statements(struct arena *a, const struct routes *r, const struct span *parts,
                       uint32_t n, struct lookup_statement **out, struct err *err) must_check;

/* A column that has values which can be told so. */
bool lookup_type_ok(enum column_type type);

/* Digits of a value as a literal for a column of this type. False: they are none. */
bool lookup_literal(enum column_type type, struct span hex, struct buf *out) must_check;

/* The bytes that these are the digits of. False: they are none. */
bool lookup_bytes(struct span hex, struct buf *out) must_check;

/* "HEX(...)", for triggers: `name` is with what stands before it, in backquotes. */
void lookup_hex_text(enum column_type type, const char *name, struct buf *out);

#endif
