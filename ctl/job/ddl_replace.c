/* ddl_replace.c - CREATE OR REPLACE TABLE of a table that is there.
 *
 *   what would become of the new one is decided --> DROP TABLE --> CREATE TABLE
 *   (what is refused leaves the old one)            each a job of its own
 *
 * As on a server the old table is gone when the new one cannot be made after all.
 */
#include "ctl/job/ddl_step.h"

bool
ddl_replace(struct ddl *d)
{
    struct ddl_request drop = *d->request;
    struct ddl_answer  answer;
    const struct path *path = &d->stmt->create_table->table;
    struct buf         text = { 0 };
    bool               ok;

    buf_append_text(&text, "DROP TABLE ");
    if (path->schema.ptr)
        buf_printf(&text, "%s.", server_name(arena_cstr(&d->arena, path->schema)));
    buf_append_text(&text, server_name(arena_cstr(&d->arena, path->name)));
    drop.sql = buf_unread(&text);
    ok       = ddl_run(d->c, &drop, &answer, d->error);
    ddl_answer_fini(&answer);
    buf_fini(&text);
    return ok && ddl_run(d->c, d->request, d->answer, d->error);
}
