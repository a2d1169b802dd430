/* decide.h - where the rows of a table go: DESIGN section 5, pure.
 *
 *   comment 'shardd: key(c)' | 'shardd: reference' | 'shardd: global'   that, or an error
 *           'shardd: lookup(c)', 'shardd: key(d) lookup(c)'             see lookup.h
 *   policy global                                                       global
 *   policy auto    sharded by the first column of the primary key, when an
 *                  application could not notice; else global, and why
 *
 * A foreign key is kept when child and parent rows lie on one shard: key column
 * refers to key column, the parent is a reference table, or both are global.
 * When it is not, the child becomes global, and so must its parent (and what
 * hangs on that): `also_global` lists the sharded tables that have to be moved
 * home first, which works only while they are empty.
 */
#ifndef CTL_JOB_DECIDE_H
#define CTL_JOB_DECIDE_H

#include <jansson.h>

#include "core/base/err.h"
#include "core/route/table.h"

enum { DECIDE_LOOKUPS = 4 }; /* of one comment */

/* What somebody asked for. */
struct wish {
    bool            given;
    enum table_kind kind;
    char            key[256]; /* TABLE_SHARDED: the column */
    size_t          n_lookups; /* "lookup(column)", with or without a kind */
    char            lookup[DECIDE_LOOKUPS][256];
};

struct decision {
    enum table_kind kind;
    char            key[256];    /* TABLE_SHARDED */
    char            reason[400]; /* why global; "" when sharded, reference, or asked for */
    char            remedy[400]; /* what would make it shardable */
    json_t         *also_global; /* owned: catalog names of sharded tables */
};

/* The wish in a table's comment, wherever in it. False with `error`: a word
 * behind "shardd:" that we do not know. */
bool decide_comment(const char *comment, struct wish *wish, struct sql_error *error) must_check;

/* `facts` of table `database`.`table` (ctl/job/facts.h), `tables`: a
 * catalog_all() of tables, whose objects have "foreign" as facts do. A wish that
 * cannot be fulfilled is an error that says what to choose from. */
bool decide(const char *database, const char *table, const json_t *facts,
            const struct wish *wish, bool policy_global, const json_t *tables,
            struct decision *out, struct sql_error *error) must_check;
void decision_fini(struct decision *d);

/* Adds to the set `names` ({catalog name: true}) every sharded table that is
 * tied to one of them by foreign keys, and so on. */
void decide_spread(json_t *names, const json_t *tables);

/* Why rows of a table with these facts cannot be placed by this column; false
 * and a sentence in `err`, `remedy`. Foreign keys are not looked at. */
bool decide_key_ok(const json_t *facts, const char *key, char *reason, char *remedy,
                   size_t room) must_check;

#endif
