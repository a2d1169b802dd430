/* scaler.h - the thread that decides, records what it decided and why, and acts through jobs.
 *
 *   monitor --measurements--> watch (one per shard) --+
 *   catalog: shards, map, jobs, decisions ------------+--> world --policy--> decisions
 *                                                                               |
 *            held, hint:   recorded                                             |
 *            to be done:   beginning --(moves_begin)--> moving --> done      <--+
 *                              |                          +------> failed
 *                              +--> lost (the controller died before there was a job, or
 *                                         somebody else's was faster)
 *
 * Everything that must outlive the controller is in the catalog: settings in meta/scaler, a
 * decision before it is acted on, with the world it was made from beside it. A controller that
 * starts finds the job of a decision by its name ("scaler 12") and goes on. Cooldowns, moves of
 * the day and failures in a row follow from jobs and decisions; nothing else is kept.
 *
 *   decision/NUMBER  number, at_s, action, why, held, shard, other, metric, value, limit, text;
 *                    state (held|hint|beginning|moving|done|failed|lost|cancelled), request (of
 *                    the move), job, error, ended_s
 *   inputs/NUMBER    settings, world: see policy_json.h
 *   meta/scaler      settings, by name; resumed_s (failures before do not count)
 */
#ifndef CTL_SCALE_SCALER_H
#define CTL_SCALE_SCALER_H


#include "ctl/provision/cluster.h"

struct scaler;

/* NULL: there is no thread for it, which is logged. After monitor and moves; stopped before. */
struct scaler *scaler_start(struct cluster *c);
void           scaler_stop(struct scaler *s); /* NULL is fine */

/* What it sees and is about to do; owned by the caller:
 *   {"mode", "stopped": "" or why, "checked_s", "next_check_s", "moves_today", "moving",
 *    "settings": [...], "shards": [{... as in policy_json.h, "state": "hot|cold|..."}]} */
json_t *scaler_show(struct scaler *s);

/* [{"action", "state", "n"}]: decisions of this controller, and the ends of such; owned by the
 * caller. */
json_t *scaler_counts(struct scaler *s);

/* Changes settings, {"name": number or text}, all or none, durably. */
bool scaler_set(struct scaler *s, const char *who, const json_t *changes,
                struct err *err) must_check;

/* Failures so far are forgiven. False: it had not stopped; `err` says so. */
bool scaler_resume(struct scaler *s, const char *who, struct err *err) must_check;

/* Decisions, newest first, at most `limit`, those below `before` only (0: all); the caller owns
 * the array. */
json_t *scaler_decisions(struct cluster *c, size_t limit, int64_t before);

/* A decision with "settings" and "world", and "replayed": what is decided from them now, null
 * for nothing. NULL: there is no such decision. */
json_t *scaler_explain(struct cluster *c, int64_t number);

/* What was measured as a trace (trace.h), by minutes, or by hours where `hours`. */
json_t *scaler_trace(struct cluster *c, bool hours);

#endif
