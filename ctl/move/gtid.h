/* gtid.h - how far a server's binary log was read: one GTID a domain.
 *
 * "0-1-17,29544-5-3" means: of domain 0 everything up to sequence 17, of domain 29544 up to 3, of
 * all other domains nothing. In a domain the sequence rises along the log of a server that is
 * written to by applications and by us; who reads it sees to that (follow.c).
 */
#ifndef CTL_MOVE_GTID_H
#define CTL_MOVE_GTID_H

#include "ctl/move/move.h"

enum { GTID_DOMAINS_MAX = 64 };

struct gtid {
    uint32_t domain, server;
    uint64_t sequence;
};

struct gtid_set {
    unsigned    n;
    struct gtid at[GTID_DOMAINS_MAX]; /* sorted by domain */
};

/* "" is the empty set. False: not such a text, or too many domains. */
bool gtid_parse(struct gtid_set *s, const char *text) must_check;
void gtid_print(const struct gtid_set *s, char out[MOVE_POSITION_MAX]);

/* The sequence in a domain, 0: nothing. */
uint64_t gtid_sequence(const struct gtid_set *s, uint32_t domain);

/* Whether `g` is in what the set means. */
bool gtid_has(const struct gtid_set *s, struct gtid g);

/* Whether all of `part` is. */
bool gtid_has_all(const struct gtid_set *s, const struct gtid_set *part);

/* Up to `g`, in its domain. False: there are too many domains. */
bool gtid_add(struct gtid_set *s, struct gtid g) must_check;

/* What both have; what either has (as far as there is room for its domains). */
void gtid_meet(struct gtid_set *s, const struct gtid_set *other);
void gtid_join(struct gtid_set *s, const struct gtid_set *other);

#endif
