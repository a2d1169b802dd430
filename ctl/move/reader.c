/* reader.c - see reader.h. */
#include "ctl/move/reader.h"

#include "core/base/log.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/replication.h"

enum { ANSWER_S = 5 };

/* Its log is what a snapshot's position is taken from, and has what it replicates. */
static bool
is_fit(struct server *s, const char *position, unsigned wait_ms, struct sql_error *error)
{
    struct replication_status status;
    struct replication_facts  facts;

    if (!replication_status(s, &status, error) || !replication_facts(s, &facts, error))
        return false;
    if (!status.configured || !status.io || !status.sql || !status.gtid || !facts.binlog ||
        !facts.chained)
        return sql_error_set(error, SQL_UNKNOWN_ERROR, "shardd: it does not replicate all, or "
                             "keeps no log of it");
    return replication_wait(s, position, (double)wait_ms / 1000, error);
}

static bool
has_all(const json_t *replica, const char *position, unsigned wait_ms)
{
    struct server    s = { .answer_s = ANSWER_S + wait_ms / 1000 };
    struct sql_error error;
    bool             ok = server_open(&s, replica, &error) && is_fit(&s, position, wait_ms, &error);

    server_close(&s);
    if (!ok)
        log_info("move: replica %s is not read from: %s", model_text(replica, "name"),
                 error.message);
    return ok;
}

json_t *
reader_replica(const struct move *m, uint32_t shard, const char *position, unsigned wait_ms)
{
    json_t *all = cluster_replicas(m->c, shard), *replica, *found = NULL;
    size_t  i;

    json_array_foreach(all, i, replica)
        if (!found && strcmp(model_text(replica, "state"), "serving") == 0 &&
            !model_text(replica, "suspect")[0] && has_all(replica, position, wait_ms))
            found = json_incref(replica);
    json_decref(all);
    return found;
}
