/* image.h - rows of tables with triggers, written without firing them: as images.
 *
 * A server fires no trigger for rows that a BINLOG statement brings, while its
 * slave_run_triggers_for_rbr is NO; what would be LOAD DATA or DELETE is such a statement then.
 * The cells that an image is made of are read by image_read(), in a session of move_session().
 */
#ifndef CTL_MOVE_IMAGE_H
#define CTL_MOVE_IMAGE_H

#include "core/mysql/binlog_build.h"
#include "ctl/provision/server.h"

enum image_event { IMAGE_INSERT, IMAGE_DELETE };

/* "": the table has no trigger of this event on this server, but for those of lookups; else the
 * name of one. False: it cannot be asked. */
bool image_trigger(struct server *s, const char *database, const char *table,
                   enum image_event event, char name[256], struct sql_error *error) must_check;

/* Whether row images fire nothing there; an error says what to set. */
bool image_fires_none(struct server *s, struct sql_error *error) must_check;

/* One table's images: of all its columns, or of some. */
struct image {
    const char          *database, *name; /* borrowed */
    uint32_t             n;       /* columns of the table */
    struct binlog_table *table;   /* owned */
    struct image_column *columns; /* all of them; owned */
    struct buf           present; /* a bit a column: images have it */
};

/* As the server describes it. `only`: these columns' numbers; NULL: all. False: a column has a
 * type of which no image can be made. Free with image_fini() in either case. */
bool image_init(struct image *i, struct server *s, const char *database, const char *table,
                const uint32_t *only, uint32_t n_only, struct sql_error *error) must_check;
void image_fini(struct image *i); /* fine for a zeroed one */

bool image_has(const struct image *i, uint32_t column);
bool image_column_is(const struct image *i, uint32_t column, struct span name);

/* Its cell is not what copy_table.c reads of such a column. */
bool image_reads_apart(const struct image *i, uint32_t column);

/* Append what a SELECT has to ask for. */
void image_read(const struct image *i, uint32_t column, struct buf *sql);

/* Append a row: the cells of the columns that it has, by column. False: a cell is no value of its
 * column; `*column` says which. */
bool image_row(const struct image *i, const struct span *cells, struct buf *out,
               uint32_t *column) must_check;

/* How a session writes them. */
struct image_session {
    bool   begun;
    size_t packet_max;
};

/* Runs the event of these rows, one or more. A session that was opened anew needs a zeroed
 * `session`. */
bool image_write(struct image_session *session, struct server *s, const struct image *i,
                 enum image_event event, struct span rows, struct sql_error *error) must_check;

/* Deletes the rows for which `condition` is true, in a transaction of its own. */
bool image_delete(struct image_session *session, struct server *s, const struct image *i,
                  struct span condition, uint64_t *removed, struct sql_error *error) must_check;

#endif
