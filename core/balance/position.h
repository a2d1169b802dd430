/* position.h - how far a replica is, as a moment of this host's clock.
 *
 *   primary   G1 at 10:00:00.0    G2 at 10:00:00.2    G3 at 10:00:00.4     (gtid_binlog_pos)
 *   replica   has applied G2, not yet G3                                   (gtid_slave_pos)
 *             --> it has everything that anybody could see before 10:00:00.2
 *
 * That moment is all that consistency needs: a session that wrote or read something until
 * 10:00:00.1 finds it there, and what is read there is not older than 10:00:00.2. It is proven
 * by positions and not by clocks of several hosts: a moment is when *we* began to ask the primary,
 * and everything that was visible then is in its answer.
 */
#ifndef CORE_BALANCE_POSITION_H
#define CORE_BALANCE_POSITION_H

#include "core/base/base.h"

enum { POSITION_DOMAINS = 16, POSITIONS = 32, POSITION_TEXT = POSITION_DOMAINS * 44 };

/* Of each domain the last transaction. */
struct position {
    uint32_t n;
    uint32_t domain[POSITION_DOMAINS];
    uint64_t number[POSITION_DOMAINS];
};

/* "0-1-270,1-1-3", in any order; empty: nothing was ever written. False: it is something else,
 * or has too many domains. */
bool position_parse(struct span text, struct position *out) must_check;

/* Has `a` everything that `b` has? */
bool position_has(const struct position *a, const struct position *b);

/* Transactions that `a` lacks of `b`: of each domain, as far as they are numbered through. */
uint64_t position_behind(const struct position *a, const struct position *b);

/* What a primary said, and when. The older, the sparser. */
struct positions {
    uint32_t n;
    struct {
        uint64_t        us;
        struct position position;
    } at[POSITIONS];
};

/* `us`, when the question was begun, is later than those before. */
void positions_add(struct positions *p, uint64_t us, const struct position *position);

/* The last moment up to which a server with `applied` has everything; 0: none that is known. */
uint64_t positions_covered(const struct positions *p, const struct position *applied);

#endif
