/* up_settings.h - options of `up` and `serve` that are remembered from start to start: how the API
 * is reached, and how the log looks.
 *
 *   meta/cluster  "api": {"listen", "cert", "key", "plain", "group", "role"}   all texts
 *                 "log": {"log_format", "log_level"}
 *
 * Options of the API are remembered together: when one is given, those before are forgotten.
 */
#ifndef CTL_UP_SETTINGS_H
#define CTL_UP_SETTINGS_H

#include "core/base/log.h"
#include "ctl/api/api.h"
#include "ctl/provision/cluster.h"

/* Opens the API as `given` says, or as last time when it is empty; what has worked is
 * remembered. NULL with `err`. */
struct api *up_open_api(struct cluster *c, const json_t *given, struct err *err);

/* The log is as `given` says from now on, and what it does not say as last time. */
bool up_settle_log(struct cluster *c, const json_t *given, struct err *err) must_check;

/* As `given` says, before there is a catalog. */
void up_begin_log(const json_t *given);

#endif
