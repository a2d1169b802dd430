/* pins.h - what ties a session to a server's connection, and when that ends.
 *
 *   CREATE TEMPORARY TABLE  --> until the last of them is dropped
 *   GET_LOCK                --> until the server says that none is held any more
 *   LOCK TABLES             --> until UNLOCK TABLES
 *   a cursor                --> until the last of them is closed (row_cursor.h)
 *   HANDLER, a user variable that no literal can say --> until the session ends
 *
 * Sessions are counted per reason while they are pinned.
 */
#ifndef WORKERS_QUERY_PINS_H
#define WORKERS_QUERY_PINS_H

#include "core/base/buf.h"
#include "core/route/plan.h"
#include "core/sql/lex.h"
#include "shm/slots.h"

struct pins {
    uint32_t   set;     /* 1 << enum pin_reason */
    uint32_t   ever;    /* those too that have ended since nothing pinned the session */
    struct buf tables;  /* temporary ones: schema.name, lenenc strings */
    struct buf locks;   /* names that GET_LOCK was given, as they stood in the text */
    bool       unknown_lock; /* ... and one that was no plain string */
    uint32_t   locked_on; /* PIN_LOCK_TABLES: the shard's id */
};

static inline bool
pins_has(const struct pins *p, enum pin_reason reason)
{
    return (p->set >> reason & 1) != 0;
}

void pins_add(struct pins *p, struct slot *slot, enum pin_reason reason);
void pins_remove(struct pins *p, struct slot *slot, enum pin_reason reason);
void pins_clear(struct pins *p, struct slot *slot);

/* "temporary_table,user_lock" */
void pins_text(uint32_t set, char *out, size_t size);

void pins_add_tables(struct pins *p, const struct plan *plan);
/* True: none is left. */
bool pins_drop_tables(struct pins *p, const struct plan *plan);

/* Is there a temporary one of this name? */
bool pins_has_table(const struct pins *p, struct span schema, struct span name);

/* Is a name in the text that of a temporary table? */
bool pins_names_table(const struct pins *p, struct span text, struct lex_options lex);

/* The same of some of pins.tables. */
bool pins_any_named(struct span tables, struct span text, struct lex_options lex);

/* Take note of the locks that a statement takes or gives back. True, and `ask`: a SELECT whose
 * only cell is how many of them are held. False: it need not be asked; `*ended`: none is. */
bool pins_locks(struct pins *p, struct span text, struct lex_options lex, struct buf *ask,
                bool *ended);

#endif
