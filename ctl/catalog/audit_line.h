/* audit_line.h - one line of the audit log, and how it is chained to the one before.
 *
 *   {"seq":7,"time":...,"who":"unix:root", ... ,"prev":"HASH OF LINE 6","hash":"HASH"}
 *                                                                     ^
 *   HASH is SHA-256 of the line's own bytes up to here ---------------+  in 64 digits
 *
 * "prev" is among these bytes, so a line vouches for all before it. The one before the first is
 * 64 zeros. Pure: no files, no catalog.
 */
#ifndef CTL_CATALOG_AUDIT_LINE_H
#define CTL_CATALOG_AUDIT_LINE_H

#include <jansson.h>

#include "core/base/base.h"

enum { AUDIT_HASH = 64, AUDIT_LINE_MAX = 1 << 20 };

/* A line by its number and its hash; seq 0: none yet. */
struct audit_link {
    int64_t seq;
    char    hash[AUDIT_HASH + 1];
};

/* What a line says. Texts may be NULL: the member is left out. */
struct audit_event {
    double        time; /* seconds since 1970 */
    const char   *who, *kind, *name, *action;
    int64_t       version; /* 0: left out */
    const json_t *before, *after;
    const char   *result;  /* of a request: "200", "403: why" */
    const char   *request; /* X-Request-Id */
};

/* Of no line. */
extern const struct audit_link audit_none;

/* SHA-256 in 64 digits. */
void audit_hash(struct span bytes, char out[AUDIT_HASH + 1]);

/* The line behind `head`, without its line feed, for the caller to free; `head` becomes it. */
char *audit_line_make(const struct audit_event *event, struct audit_link *head) must_check;

/* Whether a line is whole and its hash is its own. `link` is the line's, and `prev` what it
 * says of the one before; both are set when it is a line at all, true or not. */
enum audit_word { AUDIT_GOOD, AUDIT_CHANGED, AUDIT_NO_LINE };
enum audit_word audit_line_read(struct span line, struct audit_link *link,
                                char prev[AUDIT_HASH + 1]) must_check;

/* What a change of an object shows: members that differ, without secrets, whose names are in
 * "hidden"; long ones by their length and hash. Either object may be NULL. Both outputs are
 * the caller's to own; NULL where there is no object. */
void audit_differences(const json_t *old, const json_t *new, json_t **before, json_t **after);

#endif
