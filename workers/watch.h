/* watch.h - the master's eye on its workers, and on those of a dead master.
 *
 *   seat:  WAITING --start--> RUNNING --ends--> WAITING (soon, or later when it
 *                                                        keeps crashing)
 *   orphan of a former master: watched until it ends
 *
 * A seat is a listening socket and a CPU; the worker in it has a row of the
 * slots segment. Orphans keep their rows, so there are more rows than seats.
 */
#ifndef WORKERS_WATCH_H
#define WORKERS_WATCH_H

#include <poll.h>
#include <sched.h>

#include "shm/slots.h"
#include "workers/backend/secure.h"
#include "workers/process.h"
#include "workers/sockets.h"
#include "workers/worker.h"

enum seat_state { SEAT_WAITING, SEAT_RUNNING };

struct seat {
    enum seat_state state;
    struct process  process;
    uint32_t        row; /* ROUTES_NONE: all rows were taken by orphans */
    uint64_t        start_at_ms, started_ms;
    unsigned        crashes; /* quick ones, in a row */
    int             cpu;
};

struct watch {
    const struct conf *conf;
    const char        *path;
    struct secure      secure; /* for workers to inherit */
    struct slots       slots;
    struct sockets     listen, local, http;
    unsigned           n_seats, n_files;
    struct seat       *seats;                          /* [n_seats], owned */
    struct process     orphans[SLOTS_WORKERS_MAX];     /* by row */
    uint32_t           epochs[SLOTS_WORKERS_MAX];      /* the last of each row */
    int                pokes[SLOTS_WORKERS_MAX];       /* eventfds, one per row */
    const int         *private_fds;                    /* [n_private]: not for workers */
    unsigned           n_private;
    uint64_t           ticked_ms;
    bool               stopping; /* nobody is replaced */
    bool               served;   /* every seat has served once */
    bool               failed;   /* a worker cannot start at all */
};

/* Sockets, segment, orphans. `conf` and `path` stay the caller's and may change. */
bool watch_open(struct watch *w, const struct conf *conf, const char *path,
                struct err *err) must_check;
void watch_close(struct watch *w);

/* The pidfds to poll, at most `max`; returns their number. */
unsigned watch_fill(const struct watch *w, struct pollfd *fds, unsigned max);

/* After each poll, and 10 times a second or when watch_sleep_ms() says: reap,
 * kill what is stopped, start what is due. */
void watch_tick(struct watch *w, uint64_t now_ms);
int  watch_sleep_ms(const struct watch *w, uint64_t now_ms);

/* To all workers and orphans. */
void watch_signal(struct watch *w, int signal);

/* Wake all workers: something they look at has changed. */
void watch_poke(const struct watch *w);

/* How many processes live; and how many seats have one that serves. */
unsigned watch_alive(const struct watch *w);
unsigned watch_serving(const struct watch *w, bool with_routes);

/* Whether every living worker's heart beats. */
bool watch_beating(const struct watch *w, uint64_t now_ms);

#endif
