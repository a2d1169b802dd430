/* meaning.h - what a session's variables mean for the reading and routing of its statements.
 *
 * A server that has the variables is asked; its answer is the same wherever they are the same.
 */
#ifndef WORKERS_QUERY_MEANING_H
#define WORKERS_QUERY_MEANING_H

#include "core/mysql/reply.h"
#include "core/mysql/row.h"
#include "workers/query/session.h"

enum { MEANING_TRACK = 200 };

struct meaning {
    bool               known;
    uint64_t           vars_hash;
    uint16_t           charset; /* of the login */
    uint64_t           text_hash; /* of the SET that came to it, where it told something; else 0 */
    uint8_t            track[MEANING_TRACK]; /* what it told, see track.h */
    uint8_t            n_track;
    struct lex_options lex;
    bool               zero_is_number, autocommit, auto_is_null;
    uint16_t           collation;
    struct session_modes modes;
};

/* "SELECT ..." of MEANING_CELLS columns and one row, to which more may be appended. */
extern const char meaning_question[];
enum { MEANING_CELLS = 20 };

/* All but known, vars_hash and charset, from the answer. */
void meaning_read(struct meaning *m, const struct cell *cells);

/* False: a session cannot be like that, because its statements would mean something else on
 * several shards; `why` says so to the client. */
bool meaning_allowed(const struct meaning *m, struct sql_error *why) must_check;

void meaning_apply(struct session *s, const struct meaning *m);

/* A cell that is a whole number >= 0; else 0. */
uint64_t meaning_number(struct cell cell);

/* A cell of an answer as a literal of the same type, for a session that reads so. */
void meaning_say_value(struct buf *out, const struct column *column, const struct cell *cell,
                       struct lex_options lex);

#endif
