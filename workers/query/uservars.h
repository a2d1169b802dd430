/* uservars.h - the user variables of a session, so that any backend can have them.
 *
 *   a statement that sets some --> its backend is asked what they are now
 *       (type, collation, bytes) --> literals that make the same again elsewhere
 *
 * A server keeps for each of them a type of five (signed, unsigned, double, decimal,
 * string with a collation) and the value, which may be NULL. Each has a literal
 * that gives exactly that, or the session stays where it is.
 *
 * A backend remembers whose variables it has, and the version up to which it was told:
 * what changed since then is said when a statement comes that can see them. A backend
 * with those of another session is reset before that.
 */
#ifndef WORKERS_QUERY_USERVARS_H
#define WORKERS_QUERY_USERVARS_H

#include "core/base/buf.h"
#include "core/mysql/reply.h"
#include "core/mysql/row.h"
#include "core/route/keyhash.h"
#include "core/sql/lex.h"

struct uservar;

struct uservars {
    struct uservar *first, **tail; /* owned; in the order of their last assignment */
    uint64_t        owner;   /* unique in the worker; 0: there are none */
    uint64_t        version; /* of the newest */
    uint32_t        n;
    size_t          bytes;
};

enum { USERVARS_MAX = 1024, USERVAR_COLUMNS = 4 };

void uservars_init(struct uservars *v);
void uservars_clear(struct uservars *v);

/* The names (without @, no name twice) of all user variables in a statement, as a list of
 * lenenc strings. */
void uservars_names(struct span text, struct lex_options lex, struct buf *out);

/* The next of such a list. */
bool uservars_next(struct span *list, struct span *name);

/* All the names of `v` and not in `list` yet, behind it. */
void uservars_add_names(const struct uservars *v, struct buf *list);

/* It is set no more, as far as other servers are told. */
void uservars_forget(struct uservars *v, struct span name);

/* SELECT of USERVAR_COLUMNS columns for each name of the list. */
void uservars_ask(struct span list, struct buf *out);

/* The answer's row for the names of the list. False: some value cannot be made exactly on
 * another server (those that can are kept all the same). */
bool uservars_take(struct uservars *v, struct span list, const struct column *columns,
                   const struct cell *cells) must_check;

/* "SET @a = 1, ..." for those newer than `version`; nothing when there are none. */
void uservars_say(const struct uservars *v, uint64_t version, struct buf *out);

/* "@a = 1, ..." for those of the list that are set; nothing when there are none. */
void uservars_say_named(const struct uservars *v, struct span list, struct buf *out);

/* As a value for routing; what is not set is NULL. Borrowed until the next change. */
void uservars_value(const struct uservars *v, struct span name, struct key_value *out);

/* Is it the text of one of them, as a warning shows it: cut, with \x00 for odd bytes? */
bool uservars_has_value(const struct uservars *v, struct span text);

#endif
