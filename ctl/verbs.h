/* verbs.h - what the verbs of the command line do; rows of cli_verbs.c. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "ctl/cli.h"

int verb_up(struct cli *cli);
int verb_serve(struct cli *cli);
int verb_down(struct cli *cli);
int verb_status(struct cli *cli);
int verb_fsck(struct cli *cli);
int verb_recover(struct cli *cli);
int verb_explain(struct cli *cli);
int verb_top(struct cli *cli);
int verb_load(struct cli *cli);
int verb_load_keys(struct cli *cli);
int verb_load_set(struct cli *cli);
int verb_load_history(struct cli *cli);
int verb_audit_show(struct cli *cli);
int verb_audit_verify(struct cli *cli);
int verb_statements(struct cli *cli);
int verb_version(struct cli *cli);
int verb_database_create(struct cli *cli);
int verb_database_list(struct cli *cli);
int verb_database_show(struct cli *cli);
int verb_database_drop(struct cli *cli);
int verb_table_list(struct cli *cli);
int verb_table_show(struct cli *cli);
int verb_table_set(struct cli *cli);
int verb_table_reshard(struct cli *cli);
int verb_table_lookup(struct cli *cli);
int verb_shard_list(struct cli *cli);
int verb_shard_show(struct cli *cli);
int verb_shard_add(struct cli *cli);
int verb_shard_remove(struct cli *cli);
int verb_shard_release(struct cli *cli);
int verb_shard_set(struct cli *cli);
int verb_shard_drain(struct cli *cli);
int verb_shard_restart(struct cli *cli);
int verb_server_reseed(struct cli *cli);
int verb_failovers(struct cli *cli);

/* An event's "at_ms" for people, as "at". */
void verb_set_time(json_t *event);

int verb_range_list(struct cli *cli);
int verb_reshard_split(struct cli *cli);
int verb_reshard_merge(struct cli *cli);
int verb_reshard_move(struct cli *cli);
int verb_reshard_rebalance(struct cli *cli);
int verb_reshard_verify(struct cli *cli);
int verb_reshard_cutover(struct cli *cli);
int verb_reshard_reverse(struct cli *cli);
int verb_reshard_complete(struct cli *cli);
int verb_job_list(struct cli *cli);
int verb_job_show(struct cli *cli);
int verb_job_watch(struct cli *cli);
int verb_job_pause(struct cli *cli);
int verb_job_resume(struct cli *cli);
int verb_job_cancel(struct cli *cli);
int verb_job_throttle(struct cli *cli);
int verb_scaler_status(struct cli *cli);
int verb_scaler_mode(struct cli *cli);
int verb_scaler_set(struct cli *cli);
int verb_scaler_resume(struct cli *cli);
int verb_scaler_decisions(struct cli *cli);
int verb_scaler_explain(struct cli *cli);
int verb_scaler_simulate(struct cli *cli);
int verb_scaler_trace(struct cli *cli);
int verb_failover(struct cli *cli);
int verb_replica_list(struct cli *cli);
int verb_replica_add(struct cli *cli);
int verb_replica_set(struct cli *cli);
int verb_replica_remove(struct cli *cli);
int verb_server_enable(struct cli *cli);
int verb_server_drain(struct cli *cli);
int verb_server_disable(struct cli *cli);
int verb_database_set(struct cli *cli);
int verb_engine_list(struct cli *cli);
int verb_engine_add(struct cli *cli);
int verb_engine_remove(struct cli *cli);
int verb_token_issue(struct cli *cli);
int verb_token_list(struct cli *cli);
int verb_token_revoke(struct cli *cli);
int verb_token_keys(struct cli *cli);
int verb_token_rotate(struct cli *cli);
int verb_token_trust(struct cli *cli);
int verb_token_distrust(struct cli *cli);
int verb_txn_list(struct cli *cli);
int verb_txn_show(struct cli *cli);
int verb_txn_resolve(struct cli *cli);
int verb_user_add(struct cli *cli);
int verb_user_list(struct cli *cli);
int verb_user_show(struct cli *cli);
int verb_user_set(struct cli *cli);
int verb_user_passwd(struct cli *cli);
int verb_user_token(struct cli *cli);
int verb_user_remove(struct cli *cli);

/* Waits for a job, and shows what it does until `enough`: "switched", "verified" or "ended".
 * Returns the exit status. */
int job_wait(struct cli *cli, int64_t number, const char *enough);

/* "/v1/tables/DB/TABLE" of the first argument DB.TABLE; the caller frees it.
 * NULL, after saying why, when it has no dot. */
char *verb_table_path(struct cli *cli) must_check;

/* Sends a request for a move, `body` (taken over) with the options of all moves, shows the plan,
 * and waits if so wanted. `done` is said when it is done at once. Returns the exit status. */
int move_begin(struct cli *cli, const char *method, const char *path, json_t *body,
               const char *done);

#endif
