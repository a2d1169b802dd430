/* claim_ask.c - what the servers of all shards say of who works on them, see claim.h. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/claim.h"
#include "ctl/provision/parallel.h"
#include "ctl/provision/patience.h"

enum { ANSWER_S = 3, STARTS_MS = 5000, LOOK_MS = 50 };

struct asked {
    struct cluster  *c;
    const json_t    *server; /* borrowed */
    bool             waits;  /* it is one of ours that may be starting */
    bool             answers, held;
    struct sql_error error;
};

static bool
ask_once(struct asked *a)
{
    struct server s = { .answer_s = ANSWER_S };
    bool          possible;

    a->answers = server_open(&s, a->server, &a->error);
    possible   = a->answers && claim_possible(&s, a->c, &a->error);
    a->held    = a->answers && !possible && a->error.code == CLAIM_HELD;
    server_close(&s);
    return a->answers;
}

static void
ask(void *item)
{
    struct asked   *a = item;
    struct patience p = patience_of(a->c, STARTS_MS, LOOK_MS);

    while (!ask_once(a) && a->waits && patience_wait(&p))
        ;
}

static void
add(struct asked *list, size_t *n, struct cluster *c, const json_t *objects, bool wait)
{
    const char *id;
    json_t     *server;

    json_object_foreach((json_t *)(uintptr_t)objects, id, server)
        list[(*n)++] = (struct asked){
            .c = c, .server = server,
            .waits = wait && strcmp(model_text(server, "provisioner"), "local") == 0 &&
                     !model_text(server, "suspect")[0] };
}

bool
claims_ask(struct cluster *c, bool wait, bool *any, struct sql_error *error)
{
    json_t       *shards   = catalog_all(c->catalog, CATALOG_SHARD);
    json_t       *replicas = catalog_all(c->catalog, CATALOG_REPLICA);
    size_t        n = json_object_size(shards) + json_object_size(replicas), made = 0;
    struct asked *list = mem_alloc((n + 1) * sizeof(*list));
    bool          held = false;

    add(list, &made, c, shards, wait);
    add(list, &made, c, replicas, wait);
    parallel_each(list, made, sizeof(*list), ask);
    *any = false;
    for (size_t i = 0; i < made && !held; i++) {
        *any = *any || list[i].answers;
        held = list[i].held;
        if (held)
            *error = list[i].error;
    }
    free(list);
    json_decref(shards);
    json_decref(replicas);
    return !held;
}
