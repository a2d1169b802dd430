/* load_line.h - rows of an answer as lines of a file for LOAD DATA LOCAL INFILE.
 *
 *   text or binary row --load_line_*()--> "1\tab\\\tc\t\\N\n"
 *
 * A server that reads the lines with LOAD_LINE_FORMAT and CHARACTER SET binary stores byte for
 * byte what another has sent without a conversion. Three bytes have a meaning in
 * a line and are escaped; NULL is \N.
 *
 * Source: MariaDB Knowledge Base, "LOAD DATA INFILE".
 */
#ifndef CORE_MYSQL_LOAD_LINE_H
#define CORE_MYSQL_LOAD_LINE_H

#include "core/mysql/cell.h"

/* As hexadecimal literals, which no sql_mode reads otherwise. */
#define LOAD_LINE_FORMAT \
    "FIELDS TERMINATED BY x'09' ESCAPED BY x'5c' LINES TERMINATED BY x'0a'"

enum load_form {
    LOAD_FORM_PLAIN, /* no byte of it can have a meaning: numbers, dates */
    LOAD_FORM_BYTES, /* anything */
    LOAD_FORM_EPOCH, /* seconds since 1970, perhaps with a fraction: "2001-09-09 01:46:40" in
                        UTC; 0 is the zero date, as with UNIX_TIMESTAMP() */
};

struct load_line {
    uint32_t             n;
    const uint8_t       *forms;   /* [n) enum load_form */
    const struct column *columns; /* [n) for binary rows, else NULL */
    struct cell         *cells;   /* [n) room for binary rows, else NULL */
};

/* What a column of this type needs, when it is not an epoch. */
enum load_form load_form_of(uint8_t type);

/* Append the row as one line. False, with `out` as before, for a row that is malformed or
 * does not have n cells. */
bool load_line_text(const struct load_line *l, struct span row, struct buf *out) must_check;
bool load_line_binary(const struct load_line *l, struct span row, struct buf *out) must_check;

#endif
