/* row.h - rows taken apart into cells and put together.
 *
 *   text row:    a lenenc string for each cell; 0xfb for NULL
 *   binary row:  0x00, NULL bitmap (from bit 2), then the cells that are not NULL
 *
 * What a cell holds is in cell.h. Cells point into the row.
 */
#ifndef CORE_MYSQL_ROW_H
#define CORE_MYSQL_ROW_H

#include "core/base/buf.h"
#include "core/mysql/cell.h"
#include "core/mysql/reply.h"

/* Exactly `n` cells into cells[n], or false. */
bool row_text_decode(struct span payload, size_t n, struct cell *cells) must_check;
bool row_binary_decode(struct span payload, const struct column *columns, size_t n,
                       struct cell *cells) must_check;

/* One packet (or more, for a long row). */
void row_text_encode(struct buf *out, uint8_t *seq, const struct cell *cells, size_t n);
void row_binary_encode(struct buf *out, uint8_t *seq, const struct column *columns,
                       const struct cell *cells, size_t n);

#endif
