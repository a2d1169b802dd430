/* result_writer.h - a result set of our own, in the text or the binary protocol.
 *
 *   struct result_writer w;
 *   result_writer_begin(&w, out, &seq, capabilities, columns, countof(columns));
 *   for each row:
 *       result_writer_text(&w, span); result_writer_number(&w, 42); result_writer_null(&w);
 *   result_writer_end(&w, status, warnings);
 *
 * For rows in the binary protocol set w.binary behind result_writer_begin(); numbers are then
 * for columns of type MYSQL_TYPE_LONGLONG only, of which there are 64 bits, and texts for others.
 * A row goes out when it has as many cells as there are columns; asserts that
 * the last one is whole.
 */
#ifndef CORE_MYSQL_RESULT_WRITER_H
#define CORE_MYSQL_RESULT_WRITER_H

#include "core/base/buf.h"
#include "core/mysql/protocol.h"

struct result_column {
    const char *name;
    uint8_t     type; /* MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_DOUBLE */
    uint16_t    flags; /* more of them: UNSIGNED_FLAG */
};

struct result_writer {
    struct buf *out;
    uint8_t    *seq;
    uint64_t    capabilities;
    bool        binary;
    size_t      n_columns, n_cells; /* cells in the current row */
    size_t      at;                 /* where its packet began */
};

void result_writer_begin(struct result_writer *w, struct buf *out, uint8_t *seq,
                         uint64_t capabilities, const struct result_column *columns,
                         size_t n_columns);
void result_writer_text(struct result_writer *w, struct span text);
void result_writer_number(struct result_writer *w, int64_t value);
void result_writer_null(struct result_writer *w);
void result_writer_end(struct result_writer *w, uint16_t status, uint16_t warnings);

#endif
