/* plan_admin.c - see plan_internal.h: statements for servers rather than for rows.
 *
 * What every shard has to do is the controller's (ctl/job/ddl_servers.h, globals.h), which
 * answers as one server would. What only one of several servers could answer, or what would
 * take a server from under shardd, is refused with what to do instead. Behind one shard a
 * statement that shows something passes.
 */
#include "core/route/plan_internal.h"

/* The controller runs it on every shard. */
static void
to_controller(struct planner *p, bool commits)
{
    struct ddl_spec *spec   = make(p, sizeof(*spec));
    spec->kind              = DDL_OTHER;
    spec->verb              = SPAN("");
    p->out->kind            = PLAN_DDL;
    p->out->ddl             = spec;
    p->out->implicit_commit = commits;
    p->out->reason          = "the controller runs it on every shard";
}

/* ANALYZE, CHECK, OPTIMIZE, REPAIR, CHECKSUM TABLE */
void
plan_admin_table(struct planner *p)
{
    struct scope *s = scope_new(p, NULL, NULL);
    for (const struct table_item *t = p->stmt->tables; t != NULL; t = t->next)
        scope_add_path(p, s, &t->table, t->alias);
    bool commits = p->stmt->word != KW_CHECKSUM;
    for (const struct instance *i = p->instances; !commits && i != NULL; i = i->next_all)
        if (i->table != NULL && i->table->hide.len != 0)
            NOT_YET(p, "shardd: rows of '%.*s' are being moved, and a checksum would count them "
                       "where they are copied to as well: wait until 'shardctl job list' shows "
                       "that the move is done", SHOWN(i->table->name));
    if (p->refused)
        return;
    if (p->any_sharded || p->any_reference) {
        to_controller(p, commits);
        return;
    }
    one_home(p, "it", false, "global tables");
    p->out->implicit_commit = commits;
}

void
plan_flush(struct planner *p)
{
    const struct stmt *s = p->stmt;
    if (s->object == KW_LOCK && p->routes->n_shards > 1) {
        NOT_YET(p, "shardd: FLUSH TABLES with locks would stop one server, or stop shardd itself: "
                   "for a copy of one moment read in START TRANSACTION WITH CONSISTENT SNAPSHOT, "
                   "for files use mariadb-backup on each server");
        return;
    }
    if (p->routes->n_shards > 1) {
        to_controller(p, true);
        return;
    }
    to_home(p, home_of(p, p->context->schema, &p->home_database), "there is one shard");
    p->out->opaque = true;
    if (s->object == KW_LOCK)
        p->out->pin = PIN_LOCK_TABLES;
}

/* Whether all of a SET is about global variables of servers. */
bool
plan_set_global(struct planner *p)
{
    const struct set_item *item = p->stmt->set->items;
    bool                   any = false, all = true;
    for (; item != NULL; item = item->next) {
        bool ours   = item->kind == SET_SYSTEM && item->name.len > 7 &&
                    span_equal_nocase((struct span){ item->name.ptr, 7 }, SPAN("shardd_"));
        bool global = item->scope == KW_GLOBAL && !ours;
        any |= global;
        all &= global;
    }
    if (!any)
        return false;
    if (all && plan_once_global(p, p->stmt->set))
        return true;
    if (all)
        to_controller(p, false);
    else
        NOT_YET(p, "shardd: SET GLOBAL is for all shards and SET SESSION for this session: write "
                   "two statements");
    return true;
}

/* By the word that says what. */
static const struct {
    enum keyword word;
    const char  *sentence;
} admin_words[] = {
    { KW_PURGE, "shardd: each shard has a binary log of its own: PURGE it on the server "
                "('shardctl shard list' says where it is)" },
    { KW_RESET, "shardd: RESET would lose what shardd and replicas know about a server's binary "
                "log: it is not run" },
    { KW_CHANGE, "shardd: replication is between servers: CHANGE MASTER on the server itself" },
    { KW_START, "shardd: replication is between servers: START SLAVE on the server itself" },
    { KW_STOP, "shardd: replication is between servers: STOP SLAVE on the server itself" },
    { KW_INSTALL, "shardd: plugins are every server's own: install it on all of them, by "
                  "plugin_load_add in their settings files" },
    { KW_UNINSTALL, "shardd: plugins are every server's own: uninstall it on all of them" },
    { KW_SHUTDOWN, "shardd: a shard that stops takes its rows away: 'shardctl down' stops the "
                   "whole cluster, 'shardctl shard remove' one shard" },
    { KW_BINLOG, "shardd: events of a binary log belong to one server: load rows with INSERT or "
                 "LOAD DATA" },
    { KW_CACHE, "shardd: key caches are of MyISAM tables, and those of shards are InnoDB" },
    { KW_BACKUP, "shardd: BACKUP STAGE would stop one server: use mariadb-backup on each server" },
};

void
plan_admin(struct planner *p)
{
    bool cache = p->stmt->word == KW_RESET && p->digest != NULL &&
                 span_equal_nocase(p->text, SPAN("RESET QUERY CACHE"));
    if (cache) {
        to_controller(p, false);
        return;
    }
    for (size_t i = 0; i < countof(admin_words); i++)
        if (admin_words[i].word == p->stmt->word) {
            NOT_YET(p, "%s", admin_words[i].sentence);
            return;
        }
    NOT_YET(p, "shardd: servers are administered by shardctl, not through the proxy");
}

/* SHOW of what each server has of its own. True: planned. */
bool
plan_show_server(struct planner *p)
{
    const struct show *s = p->stmt->show;
    if (s->kind == KW_EXPLAIN || s->kind == KW_ANALYZE)
        return !NOT_YET(p, "shardd: a connection has no server of its own whose plan could be "
                           "shown: SHOW PROCESSLIST tells the statement, EXPLAIN its plan");
    if (p->routes->n_shards == 1)
        return false;
    switch ((unsigned)s->kind) {
    case KW_ENGINE:
        to_controller(p, false);
        return true;
    case KW_BINARY: case KW_MASTER: case KW_BINLOG: case KW_SLAVE: case KW_REPLICA:
    case KW_RELAYLOG:
        return !NOT_YET(p, "shardd: each shard has a binary log and a place in replication of its "
                           "own: ask the server ('shardctl shard list' says where it is)");
    default: return false;
    }
}
