/* seen.h - what a session with causal consistency has written or read, so that nothing it reads
 * later is older.
 *
 * Per shard: until which moment of this host's clock, and on which server. That server will do
 * again as long as it is the same one (it goes forward only); another one has to have everything
 * that could be seen anywhere before that moment (servers.h). One number per shard is enough,
 * because a replica has nothing that its primary did not have before.
 */
#ifndef WORKERS_QUERY_SEEN_H
#define WORKERS_QUERY_SEEN_H

#include "workers/backend/servers.h"

enum { SEEN_SHARDS = 64 }; /* more than these are known as one: later than need be, never sooner */

struct seen_shard {
    uint32_t shard_id_plus_1; /* 0: none */
    uint32_t server;          /* a replica's id; 0: the primary */
    uint32_t incarnation;
    uint64_t us;
};

/* All zeroes: nothing. */
struct seen {
    uint64_t          all_us;   /* on any shard */
    uint64_t          asked_us; /* when it last waited for a replica */
    struct seen_shard shard[SEEN_SHARDS];
};

/* Something on the shard, by its replica `server` or (NULL) its primary, until now. */
void seen_note(struct seen *s, uint32_t shard_id, const struct server *server);

/* Until now, anywhere. */
void seen_note_all(struct seen *s);

/* What a read of the shard needs. */
void seen_wish(const struct seen *s, uint32_t shard_id, struct server_wish *wish);

/* The moment before which nothing that is read may lie, on any shard. */
uint64_t seen_us(const struct seen *s);

#endif
