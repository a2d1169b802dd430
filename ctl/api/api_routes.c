/* api_routes.c - which handler answers which path; the list in api.h for people. */
#include "ctl/api/request.h"

const struct route api_routes[] = {
    { "GET",    "status",      api_status },
    { "POST",   "shutdown",    api_shutdown },
    { "GET",    "jobs",        api_jobs },
    { "GET",    "audit",       api_audit },
    { "GET",    "databases",   api_database_list },
    { "POST",   "databases",   api_database_create },
    { "GET",    "databases/+", api_database_show },
    { "DELETE", "databases/+", api_database_drop },
    { "GET",    "tables",      api_table_list },
    { "GET",    "tables/+/+",  api_table_show },
    { "PUT",    "tables/+/+",  api_table_set },
    { "POST",   "fsck",        api_fsck },
    { "POST",   "explain",     api_explain },
    { "GET",    "top",         api_top },
    { "POST",   "ddl",         api_ddl },
    { "GET",    "shards",      api_shard_list },
    { "GET",    "shards/+",    api_shard_show },
    { "POST",   "shards",      api_shard_add },
    { "PUT",    "shards/+",    api_shard_set },
    { "DELETE", "shards/+",    api_shard_remove },
    { "GET",    "transactions",   api_txn_list },
    { "GET",    "transactions/+", api_txn_show },
    { "POST",   "transactions/+", api_txn_resolve },
    { "GET",    "users",       api_user_list },
    { "POST",   "users",       api_user_add },
    { "GET",    "users/+",     api_user_show },
    { "PUT",    "users/+",     api_user_change },
    { "DELETE", "users/+",     api_user_remove },
    { "POST",   "users/+/token", api_user_token },
    { "DELETE", "users/+/token", api_user_token_revoke },
};

const size_t api_n_routes = countof(api_routes);
