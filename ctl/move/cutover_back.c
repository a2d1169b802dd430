/* cutover_back.c - what is written before a switch is decided, and only counts when it is. */
#include "ctl/move/cutover_step.h"

static bool
goes_to(const struct cutover_run *r, size_t source, uint32_t target)
{
    uint32_t ids[ROUTES_SHARDS_MAX];
    size_t   n = move_targets_of(r->m, r->server[source].id, ids);

    for (size_t i = 0; i < n; i++)
        if (ids[i] == target)
            return true;
    return false;
}

/* On one source the positions of its targets. */
static bool
write_streams(struct cutover_run *r, size_t source, struct sql_error *error)
{
    for (size_t k = 0; k < r->n_servers; k++)
        if (r->server[k].target && goes_to(r, source, r->server[k].id) &&
            !journal_stream(&r->server[source].work, r->m, r->server[source].id,
                            r->server[k].id, r->server[k].position, error))
            return false;
    return true;
}

/* On each source, and on the deciding one in the transaction of the journal, which spares it a
 * commit. Rows of ours behind a target's position do not count for the way back, and others of
 * what moves are not there while the fence stands.
 *
 * Where a source is a target, an applier of ours has the same row for its own position: what is
 * written there is as good for it, since its flow is held just there, but no longer the text that
 * it knows, so that it must begin anew when the switch does not come about. */
bool
cutover_back(struct cutover_run *r, struct sql_error *error)
{
    r->written    = r->n_sources > 1;
    r->how->stale = r->mixed;
    for (size_t i = 1; i < r->n_sources; i++)
        if (!write_streams(r, i, error))
            return false;
    r->staged = true;
    return server_run(&r->server[0].work, error, "BEGIN") &&
           (r->n_sources == 0 || write_streams(r, 0, error)) &&
           journal_stage(&r->server[0].work, r->m, r->ready, error);
}
