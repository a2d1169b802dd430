/* flow_cli.c - flows for test_flow.py, without a controller: a request a line, an answer a line.
 *
 *   flow_cli FOLDER BED     a catalog is made in FOLDER from BED, a JSON file:
 *     {"job", "shards": [{"id", "name", "host", "port", "user", "secret"}],
 *      "ranges_before", "ranges": [["<16 hex digits>", shard], ...], "databases": {name: home},
 *      "homes": {name: [before, after]}, "tables": [{"database", "name", "kind", "key",
 *      "after": {"kind", "key"}}]}       what tables look like is asked of the first shard
 *
 *   schema                           bookkeeping and sets, on all shards
 *   start NAME SOURCE copy|follow [reverse]
 *   status NAME                      hold NAME POSITION|here MS [stopped]    release NAME
 *   throttle NAME ROWS_PER_S PAUSED  stop NAME
 *   owners TABLE HEX,HEX,...         shards of these keys (texts of the server) afterwards
 *   quit
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/catalog/model.h"
#include "ctl/job/facts.h"
#include "core/route/keyhash.h"
#include "ctl/move/flow.h"

enum { FLOWS_MAX = 16 };

static struct cluster cluster;
static struct move    forward, backward;

static struct {
    char         name[32];
    struct flow *flow;
} flows[FLOWS_MAX];

static void
say(json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);

    puts(text);
    fflush(stdout);
    free(text);
    json_decref(answer);
}

static json_t *
failed(const struct sql_error *error)
{
    return json_pack("{s:b, s:i, s:s}", "ok", 0, "code", (int)error->code, "error",
                     error->message);
}

static void
give_up(const char *what)
{
    say(json_pack("{s:b, s:s}", "ok", 0, "error", what));
    exit(1);
}

/* --- the catalog ------------------------------------------------------------------------------ */

static json_t *
table_object(struct server *s, const json_t *bed, const json_t *one)
{
    const char      *database = model_text(bed, "database"), *name = model_text(bed, "name");
    struct sql_error error;
    json_t          *facts = facts_read(s, database, name, NULL, &error);

    if (!facts)
        give_up(error.message);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:O}", "database", database, "name",
                               name, "kind", model_text(one, "kind"), "key",
                               model_text(one, "key"), "sequence", 0, "state", "ok", "columns",
                               json_object_get(facts, "columns"));
    json_decref(facts);
    return object;
}

static json_t *
record_of(const json_t *bed, struct catalog_change *change, struct server *s)
{
    json_t *tables = json_array(), *one;
    size_t  i;

    json_array_foreach(json_object_get(bed, "tables"), i, one) {
        json_t *before = table_object(s, one, one);
        json_t *after  = json_object_get(one, "after");
        char   *name   = catalog_table_name(model_text(one, "database"), model_text(one, "name"));

        catalog_put(change, CATALOG_TABLE, name, before, CATALOG_ANY);
        json_t *entry = json_pack("{s:s, s:O}", "name", name, "before", before);
        if (after)
            json_object_set_new(entry, "object", table_object(s, one, after));
        json_array_append_new(tables, entry);
        json_decref(before);
        free(name);
    }
    return json_pack("{s:O, s:{s:s, s:o, s:{s:O}, s:{s:O}, s:O*}}", "number",
                     json_object_get(bed, "job"), "move", "verb", "move", "tables", tables,
                     "ranges_before", "ranges", json_object_get(bed, "ranges_before"), "ranges",
                     "ranges", json_object_get(bed, "ranges"), "homes",
                     json_object_get(bed, "homes"));
}

static void
put_new(struct catalog_change *change, enum catalog_kind kind, const char *name, json_t *object)
{
    if (!object)
        give_up("the bed is wrong");
    catalog_put(change, kind, name, object, CATALOG_ANY);
    json_decref(object);
}

static json_t *
make_catalog(const json_t *bed)
{
    struct catalog_change *change = catalog_begin(cluster.catalog, "flow_cli");
    struct server          s      = { .answer_s = 10 };
    struct sql_error       error;
    struct err             err;
    const char            *name;
    json_t                *one;
    size_t                 i;

    put_new(change, CATALOG_META, "cluster",
            json_pack("{s:i, s:i, s:i, s:s, s:s}", "format", CLUSTER_FORMAT, "generation", 1,
                      "users_generation", 1, "service_user", "shardd", "service_secret", "x"));
    put_new(change, CATALOG_RANGES, "map",
            json_pack("{s:O}", "ranges", json_object_get(bed, "ranges_before")));
    json_array_foreach(json_object_get(bed, "shards"), i, one) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)model_number(one, "id"));
        catalog_put(change, CATALOG_SHARD, id, one, CATALOG_ANY);
    }
    json_object_foreach(json_object_get(bed, "databases"), name, one)
        put_new(change, CATALOG_DATABASE, name,
                json_pack("{s:s, s:s, s:O, s:i}", "name", name, "policy", "auto", "home", one,
                          "collation_id", 45));
    if (!server_open(&s, json_array_get(json_object_get(bed, "shards"), 0), &error))
        give_up(error.message);
    json_t *record = record_of(bed, change, &s);
    server_close(&s);
    if (catalog_commit(change, &err) != 0)
        give_up(err.text);
    return record;
}

/* --- requests --------------------------------------------------------------------------------- */

static struct flow **
flow_named(const char *name)
{
    for (int i = 0; i < FLOWS_MAX; i++)
        if (flows[i].flow && strcmp(flows[i].name, name) == 0)
            return &flows[i].flow;
    return NULL;
}

static json_t *
do_start(const char *name, unsigned source, bool copy, bool reverse)
{
    struct sql_error error = { 0 };

    for (int i = 0; i < FLOWS_MAX; i++) {
        if (flows[i].flow)
            continue;
        snprintf(flows[i].name, sizeof(flows[i].name), "%s", name);
        flows[i].flow = flow_start(reverse ? &backward : &forward, source, copy, &error);
        return flows[i].flow ? json_pack("{s:b}", "ok", 1) : failed(&error);
    }
    return failed(&error);
}

static json_t *
do_status(struct flow *f)
{
    static const char *const states[] = { "copying", "following", "held", "failed" };
    struct flow_status       s;

    flow_status(f, &s);
    return json_pack("{s:b, s:s, s:s, s:f, s:I, s:I, s:i, s:b, s:s, s:I, s:I, s:i, s:i}", "ok", 1,
                     "state", states[s.state], "position", s.position, "lag", s.lag_s,
                     "transactions", (json_int_t)s.transactions, "rows", (json_int_t)s.rows,
                     "stashed", (int)s.stashed, "retries", s.retries, "error",
                     s.state == FLOW_FAILED || s.retries ? s.error.message : "", "copied",
                     (json_int_t)s.copy.rows, "total", (json_int_t)s.copy.rows_total, "tables",
                     (int)s.copy.tables, "tables_done", (int)s.copy.tables_done);
}

static json_t *
do_throttle(struct flow *f, const char *text, bool paused)
{
    struct throttle  how;
    struct sql_error error;

    if (!throttle_parse(text, &how, &error))
        return json_pack("{s:b, s:s}", "ok", 0, "error", error.message);
    flow_throttle(f, &how, paused);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *
do_hold(struct flow *f, const char *position, unsigned ms, bool stopped)
{
    const atomic_bool stop = stopped;
    struct sql_error  error;

    return flow_hold(f, strcmp(position, "here") == 0 ? NULL : position, ms, &stop, &error)
               ? json_pack("{s:b}", "ok", 1) : failed(&error);
}

static json_t *
do_schema(void)
{
    struct sql_error error;

    return move_sets_create(&forward, &error) ? json_pack("{s:b}", "ok", 1) : failed(&error);
}

static json_t *
do_owners(const char *number, char *keys)
{
    const struct route_table *t   = forward.tables[atoi(number)].after;
    json_t                   *ids = json_array();
    char                     *save = NULL;

    for (char *hex = strtok_r(keys, ",", &save); hex; hex = strtok_r(NULL, ",", &save)) {
        uint8_t  bytes[512];
        uint64_t hash = keyhash_null();
        size_t   n    = strcmp(hex, "NULL") == 0 ? 0 : strlen(hex) / 2;
        for (size_t i = 0; i < n && i < sizeof(bytes); i++) {
            char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };
            bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
        }
        if (strcmp(hex, "NULL") != 0 && t->kind == TABLE_SHARDED &&
            !keyhash_row(&t->columns[t->key], (struct span){ bytes, n }, 45, &hash))
            give_up("no such key");
        json_array_append_new(ids, json_integer(move_owner(forward.after, t, hash)));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "owners", ids);
}

static json_t *
request(char *line)
{
    char *word[6] = { "", "", "", "", "", "" }, *save = NULL;

    for (int i = 0; i < 6 && (word[i] = strtok_r(i ? NULL : line, " \n", &save)); i++)
        continue;
    for (int i = 0; i < 6; i++)
        word[i] = word[i] ? word[i] : "";
    if (strcmp(word[0], "schema") == 0)
        return do_schema();
    if (strcmp(word[0], "start") == 0)
        return do_start(word[1], (unsigned)atoi(word[2]), strcmp(word[3], "copy") == 0,
                        strcmp(word[4], "reverse") == 0);
    if (strcmp(word[0], "owners") == 0)
        return do_owners(word[1], word[2]);
    struct flow **f = flow_named(word[1]);
    if (!f)
        return json_pack("{s:b, s:s}", "ok", 0, "error", "no such flow");
    if (strcmp(word[0], "status") == 0)
        return do_status(*f);
    if (strcmp(word[0], "hold") == 0)
        return do_hold(*f, word[2], (unsigned)atoi(word[3]),
                       strcmp(word[4], "stopped") == 0);
    if (strcmp(word[0], "release") == 0)
        flow_release(*f);
    else if (strcmp(word[0], "throttle") == 0)
        return do_throttle(*f, word[2], atoi(word[3]) != 0);
    else if (strcmp(word[0], "stop") == 0)
        flow_stop(*f), *f = NULL;
    return json_pack("{s:b}", "ok", 1);
}

int
main(int argc, char **argv)
{
    static char      line[1 << 20], path[CLUSTER_PATH_MAX];
    struct sql_error error;
    struct err       err;

    if (argc != 3)
        return 2;
    json_t *bed = json_load_file(argv[2], 0, NULL);
    snprintf(cluster.path.home, sizeof(cluster.path.home), "%s", argv[1]);
    snprintf(path, sizeof(path), "%s/catalog.db", argv[1]);
    cluster.catalog = catalog_open(path, &err);
    if (!cluster.catalog || !bed)
        give_up(err.text);
    json_t *record = make_catalog(bed);
    if (!move_load(&forward, &cluster, record, &error))
        give_up(error.message);
    move_reverse(&forward, &backward);
    say(json_pack("{s:b}", "ok", 1));
    while (fgets(line, sizeof(line), stdin) && strncmp(line, "quit", 4) != 0)
        say(request(line));
    for (int i = 0; i < FLOWS_MAX; i++)
        flow_stop(flows[i].flow);
    move_fini(&backward);
    move_fini(&forward);
    json_decref(record);
    json_decref(bed);
    catalog_close(cluster.catalog);
    return 0;
}
