/* local_ops.c - the provisioner `local`: what provision_local.h has, as a row of the table. The
 * supervisor, cluster_tick(), starts such a server again when it ends; before keep() nobody
 * does. */
#include <stdio.h>
#include <string.h>

#include "ctl/catalog/model.h"
#include "ctl/provision/cluster.h"
#include "ctl/provision/local_files.h"
#include "ctl/provision/provision.h"

static void
plan(struct provisioned *p)
{
    char directory[CLUSTER_PATH_MAX + 32];

    snprintf(directory, sizeof(directory), "%s/%s-%d", p->c->path.home,
             model_server_kind(p->server), model_server_number(p->server));
    model_set(p->server, "directory", directory);
}

static bool
create(struct provisioned *p, struct err *err)
{
    return local_create(p->c->path.home, p->c->path.run, p->server, err);
}

/* Since create() its rows may have been copied, and somebody else listens on its port by now:
 * nobody knows it yet, so it gets another one. */
static bool
start(struct provisioned *p, struct err *err)
{
    int port = (int)model_number(p->server, "port");

    p->local = local_open(p->server);
    if (local_start(p->local, err))
        return true;
    if (port == 0 || local_port_free(port) || !local_choose_port(p->server, err))
        return false;
    local_close(p->local);
    p->local = local_open(p->server);
    return local_start(p->local, err);
}

static bool
wait_ready(struct provisioned *p, int wait_ms, struct err *err)
{
    return local_wait_ready(p->local, wait_ms, err);
}

static void
keep(struct provisioned *p)
{
    cluster_keep_local(p->c, p->local);
    p->local = NULL;
}

static bool
destroy(struct provisioned *p, bool kept, struct err *err)
{
    (void)kept;
    if (!p->local)
        return cluster_remove_local(p->c, p->server, err);
    cluster_abandon_local(p->local, p->server);
    p->local = NULL;
    return true;
}

/* Its cgroup is the controller's, which says nothing about it. */
static bool
describe(struct provisioned *p, struct provision_facts *out, struct err *err)
{
    provision_folder(p, out->directory, sizeof(out->directory), err);
    provision_look(out);
    out->pid = cluster_local_pid(p->c, model_server_id(p->server));
    snprintf(out->state, sizeof(out->state), "%s", out->pid > 0 ? "running" : "stopped");
    return true;
}

static bool
settle(struct provisioned *p, struct err *err)
{
    (void)p;
    (void)err;
    return true;
}

static bool
restart(struct provisioned *p, struct err *err)
{
    return cluster_restart_local(p->c, model_server_id(p->server), err);
}

/* The next start writes them. */
static bool
renew(struct provisioned *p, struct err *err)
{
    (void)err;
    cluster_renew_local(p->c, p->server);
    return true;
}

const struct provisioner provisioner_local = {
    .name = "local", .makes = true, .plan = plan, .create = create, .start = start,
    .wait_ready = wait_ready, .keep = keep, .destroy = destroy, .describe = describe,
    .folder = provision_folder, .settle = settle, .restart = restart, .renew = renew,
};
