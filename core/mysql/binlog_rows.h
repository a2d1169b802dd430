/* binlog_rows.h - the rows of an INSERT, UPDATE or DELETE event.
 *
 *     WRITE_ROWS    image image image ...          each as inserted
 *     UPDATE_ROWS   before after before after ...
 *     DELETE_ROWS   image image ...                each as it was
 *
 *     image: +------------------------+-------+-------+-----
 *            | a bit a column: NULL?  | value | value | ...   (no bytes for NULLs)
 *            +------------------------+-------+-------+-----
 *
 * A statement's events follow one another, the last has BINLOG_ROWS_STMT_END. An image can be
 * copied into an event of our own as it is (binlog_build.h).
 */
#ifndef CORE_MYSQL_BINLOG_ROWS_H
#define CORE_MYSQL_BINLOG_ROWS_H

#include "core/mysql/binlog_table.h"

enum {
    BINLOG_ROWS_STMT_END          = 0x01, /* flags of the event */
    BINLOG_ROWS_NO_FOREIGN_CHECKS = 0x02,
    BINLOG_ROWS_RELAXED_UNIQUE    = 0x04,
    BINLOG_ROWS_NO_CHECKS         = 0x80, /* of CHECK constraints */
};

enum binlog_change { BINLOG_INSERT, BINLOG_UPDATE, BINLOG_DELETE };

struct binlog_rows {
    enum binlog_change change;
    uint64_t    table_id;
    uint16_t    flags;
    uint32_t    n_columns; /* 0: an event without rows that ends a statement */
    bool        full;      /* images have all columns; false: the server's binlog_row_image is
                              MINIMAL or NOBLOB, and rows cannot be carried elsewhere */
    struct span before, after; /* a bit for each column that the images have; after: UPDATE */
    struct span images;        /* those still to come */
};

/* The event's fixed part. What was compressed is put into `room`, which is emptied first and must
 * live as long as `out`. False: malformed, or no rows event. */
bool binlog_rows_read(const struct binlog_event *e, struct buf *room, struct binlog_rows *out)
    must_check;

/* One row. INSERT has only `after`, DELETE only `before`; the other has no bytes. */
struct binlog_row {
    struct span before, after;
};

enum binlog_step { BINLOG_ROW, BINLOG_END, BINLOG_BAD };

/* The next row. BAD: images do not fit the table's columns, or are not full. `t` has the event's
 * table_id, which is the caller's to see to. */
enum binlog_step binlog_rows_next(struct binlog_rows *rows, const struct binlog_table *t,
                                  struct binlog_row *out) must_check;

/* Of an image's columns one after the other. */
struct binlog_value {
    const struct binlog_column *column;
    uint32_t    index;
    bool        is_null;
    struct span bytes; /* exactly as in the image; none when NULL */
    struct span data;  /* without the length in front */
};

struct binlog_image {
    const struct binlog_table *table; /* borrowed */
    struct span nulls, rest;
    uint32_t    next;
};

/* `image` has all columns: one that binlog_rows_next() gave. */
void binlog_image_init(struct binlog_image *it, const struct binlog_table *t, struct span image);
bool binlog_image_next(struct binlog_image *it, struct binlog_value *out) must_check;

/* Only column `index`. */
bool binlog_image_value(const struct binlog_table *t, struct span image, uint32_t index,
                        struct binlog_value *out) must_check;

#endif
