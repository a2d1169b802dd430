/* provision_static.c - servers of somebody else, which are adopted (ctl/job/shard_adopt.c): here
 * is what must not be done to them. */
#include <stdio.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/provision.h"

static void
plan(struct provisioned *p)
{
    (void)p;
}

static bool
create(struct provisioned *p, struct err *err)
{
    return err_set(err, "shard %s: a server that exists is not made",
                   model_text(p->server, "name"));
}

static bool
start(struct provisioned *p, struct err *err)
{
    (void)p;
    (void)err;
    return true;
}

static bool
wait_ready(struct provisioned *p, int wait_ms, struct err *err)
{
    (void)p;
    (void)wait_ms;
    (void)err;
    return true;
}

static void
keep(struct provisioned *p)
{
    (void)p;
}

/* It is left alone. */
static bool
destroy(struct provisioned *p, bool kept, struct err *err)
{
    (void)p;
    (void)kept;
    (void)err;
    return true;
}

static bool
describe(struct provisioned *p, struct provision_facts *out, struct err *err)
{
    (void)p;
    (void)err;
    snprintf(out->state, sizeof(out->state), "unknown");
    return true;
}

const struct provisioner provisioner_static = {
    .name = "static", .plan = plan, .create = create, .start = start, .wait_ready = wait_ready,
    .keep = keep, .destroy = destroy, .describe = describe,
};
