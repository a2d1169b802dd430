/* vars.h - the session variables a client has set, so that any backend can be
 * brought to the same state.
 *
 * Each entry is one assignment as the client wrote it ("sql_mode = 'ANSI'"),
 * accepted by a server before it is kept here. A later assignment to the same
 * name replaces the earlier one. Backends carry the hash of what was replayed
 * to them: equal hashes need no replay, zero is a fresh session.
 */
#ifndef WORKERS_QUERY_VARS_H
#define WORKERS_QUERY_VARS_H

#include "core/base/buf.h"

struct var;

struct vars {
    struct var *first, **tail; /* owned, in the order of first assignment */
    uint64_t    hash;          /* of all entries; 0: none */
    size_t      bytes, n;      /* all text; entries */
};

void vars_init(struct vars *v);
void vars_fini(struct vars *v);

/* Keep `text`, the statement that sets `name` ("SET time_zone = '+00:00'").
 * Both are copied. Names compare without case. */
void vars_set(struct vars *v, struct span name, struct span text);

void vars_clear(struct vars *v);

/* Call `each` with every statement in order. */
void vars_each(const struct vars *v,
               void (*each)(void *ctx, struct span name, struct span text), void *ctx);

/* The n-th statement, from 0; ptr NULL behind the last. */
struct span vars_nth(const struct vars *v, uint32_t n);

/* How many of the first statements were said to a backend whose vars_hash is `hash`: it
 * needs to hear the rest only. 0 when that is not how it came to be. */
uint32_t vars_prefix(const struct vars *v, uint64_t hash);

/* Whether a statement has the word in it, in capital or small letters. */
bool vars_mentions(struct span text, const char *word);

/* Has the client set net_read_timeout or net_write_timeout? */
bool vars_set_net_timeout(const struct vars *v);

/* Has the client set a clock of its own? */
bool vars_set_time(const struct vars *v);

/* Whether @@insert_id may be another than 0. */
bool vars_set_insert_id(const struct vars *v);

/* `from` becomes empty. */
void vars_move(struct vars *to, struct vars *from);

#endif
