/* tail.h - a server's binary log as it grows, event by event.
 *
 *     server ──COM_BINLOG_DUMP──► reader thread ──events, a few megabytes──► tail_next()
 *
 * The server sends what follows a GTID position and then stays; a heartbeat tells that there is
 * nothing more at the moment. A thread reads ahead, so that waiting can be bounded and interrupted
 * and the log flows while rows are applied. Packets are taken from libmariadb below
 * mariadb_rpl_fetch(), which would parse and copy each event once more and fails on what its own
 * parser does not like; TLS, sockets and packets of any size are still its work.
 */
#ifndef CTL_MOVE_TAIL_H
#define CTL_MOVE_TAIL_H

#include "core/mysql/binlog.h"
#include "ctl/provision/server.h"

struct tail_spec {
    const json_t *shard;     /* the catalog's object, as for server_open() */
    bool          compress;  /* the protocol's compression, over TCP */
    const char   *position;  /* "domain-server-sequence,...": what was seen already; "": nothing */
    uint32_t      server_id; /* > 0, of no server and no other tail: a server ends the older one of
                                two followers with the same number */
    unsigned      heartbeat_ms; /* from 1 to 30,000 */
    size_t        ahead_bytes;  /* to read before they are asked for, and at least one event;
                                   0: 4 MiB */
};

enum tail_status {
    TAIL_EVENT,
    TAIL_HEARTBEAT,   /* there was nothing more when it was sent; *event says the log's position */
    TAIL_TIMEOUT,
    TAIL_INTERRUPTED, /* by tail_interrupt(), and so for ever */
    TAIL_ERROR,       /* the end: close it. 1236: the log cannot give what is wanted; 1430: the
                         connection is lost, and a new tail at the last position can go on */
};

struct tail;

/* Free with tail_close(); NULL: *error. */
struct tail *tail_open(const struct tail_spec *spec, struct sql_error *error) must_check;

/* The next event of the log, waiting up to `timeout_ms`. `event` and its bytes are good until the
 * next call. Made-up events (a rotate at the start) are given too. */
enum tail_status tail_next(struct tail *t, unsigned timeout_ms, struct binlog_event *event,
                           struct sql_error *error) must_check;

/* What the last FORMAT_DESCRIPTION said, and it itself as it came (empty before the first). Both
 * change with the next one that tail_next() gives. */
const struct binlog_format *tail_format(const struct tail *t);
struct span tail_description(const struct tail *t);

/* From any thread, while the tail is open: tail_next() returns at once, for ever. */
void tail_interrupt(struct tail *t);

/* The same, once: a tail_next() that would wait gives TAIL_TIMEOUT. */
void tail_nudge(struct tail *t);

/* Not while another thread is in tail_next(). Fine with NULL. */
void tail_close(struct tail *t);

#endif
