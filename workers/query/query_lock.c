/* query_lock.c - LOCK TABLES in the restore of a dump.
 *
 * What a client does under a lock may run on other connections too: DDL is the
 * controller's, and a transaction over shards has several. A dump locks each table
 * while it fills it, only to be faster, and says before that it is a bulk load
 * (foreign_key_checks = 0). There the lock is left out, with a note.
 */
#include "core/sql/lex.h"
#include "workers/query/diagnostics.h"
#include "workers/query/query.h"

/* LOCK TABLE[S] ... WRITE, and nothing to be read. */
static bool
locks_for_writing(const struct query_run *q)
{
    struct lex   l;
    struct token t;

    lex_init(&l, q->text, q->s->lex);
    if (!token_is_keyword(lex_next(&l), KW_LOCK))
        return false;
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD)
        if (token_is_keyword(t, KW_READ))
            return false;
    return t.kind == TOK_END;
}

bool
query_bulk_lock(struct query_run *q)
{
    struct session *s = q->s;

    if (q->command != QUERY_TEXT || s->modes == NULL || !s->modes->no_foreign_key_checks ||
        s->in_txn || !locks_for_writing(q))
        return false;
    diagnostics_add(s, SPAN("Note"), SQL_NOT_SUPPORTED,
                    SPAN("shardd: the tables are not locked; the session loads data "
                         "(foreign_key_checks = 0), so it goes on without"));
    query_ok(q, 0, 0, 1, (struct span){ 0 });
    return true;
}
