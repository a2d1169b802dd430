/* cutover_sequence.c - AUTO_INCREMENT after a switch: never a number that was given out.
 *
 * A sequence's row lies on its database's home shard. Where the home changes, the row is taken
 * from the old one while it is locked, and only then removed: who asks the old home in between
 * waits, and finds nothing. A table that becomes sharded has had its numbers from its server;
 * its new sequence begins behind them; one that was sharded gets its numbers from its server
 * again, behind those of its sequence.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/move/cutover_step.h"

enum { ANSWER_S = 5, LOCK_S = 3 };

static uint32_t
home_id(const struct routes *r, const struct route_table *t)
{
    return move_home(r, t->database);
}

static bool
raise_to(struct server *s, uint64_t sequence, const char *next, struct sql_error *error)
{
    return server_run(s, error, "INSERT INTO shardd.sequence (id, next_value) VALUES (%llu, %s)"
                      " ON DUPLICATE KEY UPDATE next_value = GREATEST(next_value, %s)",
                      (unsigned long long)sequence, next, next);
}

static bool
open_both(const struct move *m, struct server *old, uint32_t from, struct server *new, uint32_t to,
          struct sql_error *error)
{
    old->answer_s = new->answer_s = ANSWER_S;
    return move_session(old, m, from, LOCK_S, error) && move_session(new, m, to, LOCK_S, error);
}

/* From one home to the other, where the old one still has it. */
static bool
carry(const struct move *m, uint64_t sequence, uint32_t from, uint32_t to,
      struct sql_error *error)
{
    struct server old = { .mysql = NULL }, new = { .mysql = NULL };
    char          next[32];
    bool          ok;

    ok = open_both(m, &old, from, &new, to, error) && server_run(&old, error, "BEGIN") &&
         server_value(&old, next, sizeof(next), error, "SELECT next_value FROM shardd.sequence"
                      " WHERE id = %llu FOR UPDATE", (unsigned long long)sequence) &&
         (!next[0] || raise_to(&new, sequence, next, error)) &&
         (!next[0] || server_run(&old, error, "DELETE FROM shardd.sequence WHERE id = %llu",
                                 (unsigned long long)sequence)) &&
         server_run(&old, error, "COMMIT");
    server_close(&old);
    server_close(&new);
    return ok;
}

/* The server's own counter of a table that was global or on each shard, for its sequence. */
static bool
begin_behind(const struct move *m, const struct move_table *t, struct sql_error *error)
{
    uint32_t      from = home_id(m->before, t->before), to = home_id(m->after, t->after);
    struct server old = { .mysql = NULL }, new = { .mysql = NULL };
    char          next[32];
    bool          ok;

    ok = open_both(m, &old, from, &new, to, error) &&
         server_value(&old, next, sizeof(next), error, "SELECT AUTO_INCREMENT FROM"
                      " information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
                      server_text(t->database), server_text(t->name)) &&
         (!next[0] || raise_to(&new, t->after->sequence, next, error));
    server_close(&old);
    server_close(&new);
    return ok;
}

/* The counter of a table that its server numbers from now on. */
static bool
count_behind(const struct move *m, const struct move_table *t, struct sql_error *error)
{
    uint32_t      from = home_id(m->before, t->before), to = home_id(m->after, t->after);
    struct server old = { .mysql = NULL }, new = { .mysql = NULL };
    char          next[32];
    bool          ok;

    ok = open_both(m, &old, from, &new, to, error) &&
         server_value(&old, next, sizeof(next), error, "SELECT next_value FROM shardd.sequence"
                      " WHERE id = %llu", (unsigned long long)t->before->sequence) &&
         (!next[0] || server_run(&new, error, "ALTER TABLE %s.%s AUTO_INCREMENT = %s",
                                 server_name(t->database), server_name(t->name), next));
    server_close(&old);
    server_close(&new);
    return ok;
}

/* Also of sharded tables whose rows stay where they are: all tables of the database. */
static bool
carry_all(const struct move *m, struct sql_error *error)
{
    for (uint32_t i = 0; i < m->before->n_tables; i++) {
        const struct route_table *t = &m->before->tables[i];

        if (t->sequence != 0 && move_home_changes(m, t->database) &&
            !carry(m, t->sequence, home_id(m->before, t), move_home(m->after, t->database), error))
            return false;
    }
    return true;
}

bool
cutover_sequences(const struct move *m, struct sql_error *error)
{
    if (!carry_all(m, error))
        return false;
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table *t = &m->tables[i];

        if (t->before->sequence == 0 && t->after->sequence != 0 &&
            !begin_behind(m, t, error))
            return false;
        if (t->before->sequence != 0 && t->after->sequence == 0 && !count_behind(m, t, error))
            return false;
    }
    return true;
}

bool
cutover_sequences_forget(const struct move *m, bool in, struct sql_error *error)
{
    for (unsigned i = 0; i < m->n_tables; i++) {
        const struct move_table  *t    = &m->tables[i];
        const struct route_table *gone = in ? t->after : t->before;
        const struct routes      *r    = in ? m->after : m->before;
        struct server             s    = { .answer_s = ANSWER_S };
        bool                      ok;

        if (gone->sequence == 0 || t->before->sequence == t->after->sequence)
            continue;
        ok = move_session(&s, m, home_id(r, gone), LOCK_S, error) &&
             server_run(&s, error, "DELETE FROM shardd.sequence WHERE id = %llu",
                        (unsigned long long)gone->sequence);
        server_close(&s);
        if (!ok)
            return false;
    }
    return true;
}
