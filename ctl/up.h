/* up.h - the long-running forms of shardctl.
 *
 *   up      an embedded cluster: servers of ours, the controller, shardd as a child
 *   serve   the controller, and the servers of ours; shardd has its own service
 *   down    stops either, and what a killed one left behind
 */
#ifndef CTL_UP_H
#define CTL_UP_H

#include <jansson.h>

#include "ctl/provision/cluster.h"

struct up_options {
    struct cluster_paths paths;
    bool                 with_shardd, detach;
    int                  shards;    /* made at the first start; 0: none */
    int                  replicas;  /* of each, the same */
    bool                 shards_given;
    bool                 no_engine; /* none is made at the first start */
    int                  port, http_port, workers; /* -1: as last time */
    const char          *instance;  /* NULL: after the home */
    const json_t        *settings;  /* lines for shardd.conf; NULL: as last time */
    const json_t        *provision; /* settings of provision.h; those that lack: as last time */
    const json_t        *api;       /* settings of up_settings.h; empty: as last time */
    const json_t        *log;       /* {"log_format", "log_level"}; those that lack: as last time */
    int                  json_fd;   /* where is said that it is ready; -1: stdout, for people */
};

/* Until it is stopped. Returns the exit status. */
int up_run(const struct up_options *options);

/* Waits for the end of everything. Returns the exit status. */
int up_down(const struct cluster_paths *paths, bool json);

#endif
