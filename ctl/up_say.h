/* up_say.h - what `up` and `serve` tell who has started them: on the terminal, as JSON, and in the
 * log when nobody looks any more. */
#ifndef CTL_UP_SAY_H
#define CTL_UP_SAY_H

#include "ctl/provision/cluster.h"

/* A line about a step of the start. */
void up_progress(const char *text);

/* The same, or into the log. */
void up_say(bool detached, const char *text);

/* It is ready, or stands by: where to connect. The one for programs closes `fd`. */
void up_announce(struct cluster *c, bool detached);
void up_announce_json(struct cluster *c, int fd);

/* From now on all that is said goes into HOME/shardctl.log; who waits at `done_fd` is told. */
void up_detach_output(const struct cluster *c, int done_fd);

#endif
