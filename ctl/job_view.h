/* job_view.h - a job as people see it: one line, all of it, or a block that is drawn over and
 * over on a terminal.
 *
 *   job 5  split shard-1  copy
 *     tables   1/3, app.orders
 *     rows     41000 of ~100000  [########------------]  41 %  12300 rows/s, 12 s left
 *     sent     20400 rows, 9.8 MB
 *     slowed   shard-1 runs 9 statements of applications at once (running=4)
 */
#ifndef CTL_JOB_VIEW_H
#define CTL_JOB_VIEW_H

#include <jansson.h>
#include <time.h>

#include "core/base/buf.h"

struct job_view {
    bool     tty;
    unsigned lines;     /* drawn, to be drawn over */
    char     phase[32]; /* that was told last */
    time_t   told;
};

bool job_goes_on(const json_t *record);

/* What it waits for, or what was wrong with it last; "": nothing. */
const char *job_trouble(const json_t *record);

/* On a terminal the block takes the place of the one before; elsewhere news are a line each, and
 * progress is told now and then. */
void job_view_show(struct job_view *v, const json_t *record);

/* What the two above write, without the codes of a terminal. */
void job_line(const json_t *record, struct buf *out);
void job_block(const json_t *record, struct buf *out);

/* "job show" */
void job_print(const json_t *record);

#endif
