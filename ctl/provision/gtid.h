/* gtid.h - how far a server's binary log was read: one GTID a domain.
 *
 * "0-1-17,29544-5-3" means: of domain 0 everything up to sequence 17, of domain 29544 up to 3, of
 * all other domains nothing. In a domain the sequence rises along the log of a server that is
 * written to by applications and by us; who reads it sees to that (follow.c).
 */
#ifndef CTL_PROVISION_GTID_H
#define CTL_PROVISION_GTID_H

#include "core/base/base.h"

enum {
    GTID_DOMAINS_MAX = 64,
    GTID_TEXT_MAX    = 4096, /* bytes of a set as text, with its NUL */
};

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
void gtid_print(const struct gtid_set *s, char out[GTID_TEXT_MAX]);

/* The sequence in a domain, 0: nothing. */
uint64_t gtid_sequence(const struct gtid_set *s, uint32_t domain);

/* Whether `g` is in what the set means. */
bool gtid_has(const struct gtid_set *s, struct gtid g);

/* Whether all of `part` is. */
bool gtid_has_all(const struct gtid_set *s, const struct gtid_set *part);

/* Up to `g`, in its domain. False: there are too many domains. */
bool gtid_add(struct gtid_set *s, struct gtid g) must_check;

/* What both have. */
void gtid_meet(struct gtid_set *s, const struct gtid_set *other);

/* What either has. False: there are too many domains, and some are left out. */
bool gtid_join(struct gtid_set *s, const struct gtid_set *other);

#endif
