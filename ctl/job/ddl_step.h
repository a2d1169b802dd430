/* ddl_step.h - what the kinds of DDL share; private to ctl/job.
 *
 * A struct ddl lives for one statement. Connections are opened when they are
 * first used: as the client's account with the client's session for the
 * statement itself, as the controller for everything else.
 */
#ifndef CTL_JOB_DDL_STEP_H
#define CTL_JOB_DDL_STEP_H

#include "core/sql/parse.h"
#include "ctl/job/ddl.h"
#include "ctl/job/decide.h"

#define DDL_PROBE "shardd_probe"

enum {
    DDL_NO_DB            = 1046,
    DDL_BAD_DB           = 1049,
    DDL_TABLE_EXISTS     = 1050,
    DDL_IS_A_VIEW        = 1965,
    DDL_WRONG_USAGE      = 1221,
    DDL_USED_TWICE       = 1093,
    DDL_NOT_UNIQUE       = 1066,
    DDL_BAD_TABLE        = 1051,
    DDL_NO_SUCH_TABLE    = 1146,
    DDL_NAME_MAX         = 200,
    DDL_ALL              = -1, /* "on every shard" where a shard's id is asked for */
};

struct ddl {
    struct cluster           *c;
    const struct ddl_request *request;
    struct ddl_answer        *answer;
    struct sql_error         *error;
    struct arena              arena;
    struct stmt              *stmt;
    struct job                job;
    json_t                   *shards;  /* owned: all, by id */
    json_t                   *tables;  /* owned: all as of the start */
    json_t                   *databases;
    struct server             as_user[ROUTES_SHARDS_MAX]; /* in the order of `shards` */
    struct server             as_us[ROUTES_SHARDS_MAX];
    size_t                    n_shards;
    bool                      copies; /* of a reference table: the first one's rows count */
    bool                      replaces; /* CREATE OR REPLACE of a table that has to go first */
    bool                      ran; /* ddl_run_others() has sent the statement to servers */
    enum job_state            end; /* what a failure leaves behind: FAILED or STUCK */
};

/* The names of a table, NUL-terminated, and what the catalog knows of it. */
struct ddl_table {
    char    database[DDL_NAME_MAX], name[DDL_NAME_MAX];
    json_t *object;   /* borrowed from ddl.tables; NULL: not in the catalog */
    json_t *home_db;  /* borrowed: its database; never NULL */
    int64_t home;     /* shard id */
};

/* A note for the client's SHOW WARNINGS. Returns true, so that what is no failure can
 * `return ddl_note(...)`. */
bool ddl_note(struct ddl *d, uint16_t code, const char *fmt, ...) printf_like(3, 4);

/* A warning of a server; what several shards say alike is told once. */
void ddl_add_note(struct ddl *d, const char *level, int code, const char *message);

/* The warnings of the statement that the server has just run. */
void ddl_take_warnings(struct ddl *d, struct server *s);

/* Finds its table. False where OR REPLACE cannot be meant so. */
bool ddl_may_replace(struct ddl *d, const struct create_table *s, struct ddl_table *t) must_check;

/* The table that d->replaces is about is dropped, and the statement runs anew. */
bool ddl_replace(struct ddl *d) must_check;

/* How the client's text is read. */
struct lex_options ddl_lex_options(const struct ddl_request *request);

/* What a job's record keeps of a request, to be owned; and back, borrowed from the record. */
json_t *ddl_session(const struct ddl_request *request);
void    ddl_request_of(const json_t *record, struct ddl_request *out);

/* Resolves a path; false: no database selected, or there is none such. */
bool ddl_find(struct ddl *d, const struct path *path, struct ddl_table *out) must_check;

/* The same for a path that is not of the statement, but of the catalog. */
bool ddl_find_known(struct ddl *d, const struct path *path, struct ddl_table *out) must_check;

/* The statement's names are in its client's character set, and are not converted. */
bool ddl_may_name(struct ddl *d, struct span name) must_check;
enum table_kind ddl_kind(const struct ddl_table *t);

/* Where the table is: its home, or DDL_ALL. */
int64_t ddl_where(const struct ddl_table *t);

/* The connection to the shard at this index of `shards`; NULL with the error set. */
struct server *ddl_user(struct ddl *d, size_t index);
struct server *ddl_us(struct ddl *d, size_t index);
size_t         ddl_index(const struct ddl *d, int64_t shard_id);

/* Runs a text as the client: on the home shard first, whose refusal changes
 * nothing, and then, when `where` is DDL_ALL, on the others at the same time. `*done` gets how many
 * shards have it. Affected rows and warnings are those of the home shard. */
bool ddl_run_text(struct ddl *d, struct span sql, int64_t home, int64_t where, size_t *done)
    must_check;

/* As above on all shards but `home`. */
bool ddl_run_others(struct ddl *d, struct span sql, int64_t home, size_t *done) must_check;

/* Best effort, as the controller, on every shard (or the one); for undoing. */
void ddl_undo(struct ddl *d, int64_t where, const char *fmt, ...) printf_like(3, 4);

/* A scratch database on `home` that looks like `database`, current on the
 * returned connection, with the client's session; NULL with the error set. */
struct server *ddl_probe_open(struct ddl *d, int64_t home, const json_t *database);
void           ddl_probe_close(struct ddl *d, struct server *s);

/* Runs the text there. Sequences of the client's database that it names by their bare names are
 * made first. */
bool ddl_probe_run(struct ddl *d, struct server *s, struct span text) must_check;

/* The statement with `path` replaced by its bare name: it then means the
 * current database. In the arena. */
struct span ddl_unqualified(struct ddl *d, const struct path *path);

/* The catalog object of a table decided so. The caller owns it. */
json_t *ddl_object(const struct ddl_table *t, const json_t *facts, const struct decision *how);

/* Writes (or with NULL removes) the objects {catalog name: object or null} in
 * one change, raises the generation, publishes. */
bool ddl_record(struct ddl *d, const json_t *objects) must_check;

/* A new sequence on the home shard that begins at `first`; 0 with the error set. */
int64_t ddl_sequence_new(struct ddl *d, int64_t home, int64_t first);

/* Whether the table has no row on any shard; under WRITE locks that last until
 * ddl_unlock() where `lock`. False with the error set when it has rows. */
bool ddl_require_empty(struct ddl *d, const struct ddl_table *t, bool lock, const char *why)
    must_check;
void ddl_unlock(struct ddl *d);

/* Moves the empty sharded tables of {catalog name: true} to their homes. `why` is for
 * the error when one has rows. */
bool ddl_bring_home(struct ddl *d, const json_t *names, const char *why) must_check;

/* Before copies of a table are dropped: `text`, its definition, is kept in the job's record,
 * durably. */
bool ddl_keep(struct ddl *d, const struct ddl_table *t, const char *text) must_check;

/* The tables that the job's record has definitions of: their copies are where the catalog says,
 * and nowhere else, afterwards. Only empty ones are dropped. For what failed or was interrupted;
 * may be repeated. */
bool ddl_restore(struct ddl *d) must_check;

/* The same for what a stuck job on this table left. */
bool ddl_restore_older(struct ddl *d, const char *database, const char *table) must_check;

/* Parts of these. A table of `d->tables` by its catalog name; a copy on the shard at this
 * index; is it there, or a sequence of its name; has it rows, asked under a lock where `lock`. */
bool ddl_find_named(struct ddl *d, const char *name, struct ddl_table *t) must_check;
bool ddl_create_copy(struct ddl *d, size_t index, const struct ddl_table *t,
                     const char *text) must_check;
bool ddl_there(struct ddl *d, size_t shard, const char *database, const char *name,
               bool *yes) must_check;
bool ddl_sequence_there(struct ddl *d, const struct ddl_table *t, bool *yes) must_check;
bool ddl_has_rows(struct ddl *d, struct server *s, const struct ddl_table *t, bool lock,
                  bool *rows) must_check;

/* The table has no triggers on its home, but for lookups': false with the error, which says what to
 * do, when it has. */
bool ddl_no_triggers(struct ddl *d, const struct ddl_table *t) must_check;

/* Makes an empty table what the wish says. */
bool ddl_change_kind(struct ddl *d, const char *database, const char *table,
                     const struct wish *wish) must_check;

/* Finishes a statement that a controller before this one began, or finds that it did not
 * begin. Returns the state of its record; d->error says why when it is not DONE. */
enum job_state ddl_resume(struct ddl *d) must_check;

/* Closes connections and lets go of what was read from the catalog. */
void ddl_close(struct ddl *d);

/* By kind of statement. */
bool ddl_create_table(struct ddl *d) must_check;
bool ddl_create_select(struct ddl *d) must_check; /* no job: it changes nothing */
bool ddl_alter_table(struct ddl *d) must_check;
bool ddl_drop_tables(struct ddl *d) must_check;
bool ddl_truncate(struct ddl *d) must_check;
bool ddl_rename_tables(struct ddl *d) must_check;

/* Is some name of a RENAME TABLE both an old and a new one? Such a statement is finished on all
 * servers, or on none: `renamed`; `first` is a table of it, for messages. */
bool ddl_rename_chained(struct ddl *d) must_check;
bool ddl_rename_resume(struct ddl *d, struct ddl_table *first, bool *renamed) must_check;
bool ddl_create_view(struct ddl *d) must_check;
bool ddl_object_statement(struct ddl *d) must_check;
bool ddl_function(struct ddl *d, const struct ddl_table *t) must_check;

/* CREATE or DROP TRIGGER of this name, where it is, or would be, a sharded table's; else `*mine` is
 * false, and nothing has been done. */
bool           ddl_trigger(struct ddl *d, const struct path *path, bool *mine) must_check;
enum job_state ddl_trigger_resume(struct ddl *d) must_check;

/* A statement of a killed controller may still run on that shard: it has ended when the table can
 * be locked. */
bool ddl_wait_quiet(struct ddl *d, size_t shard, const struct ddl_table *t) must_check;

/* Parts of these: the statement names a table that is no global one, or that is being moved, with
 * the error set; a routine or trigger of the database may be there from now on. */
bool ddl_names_spread(struct ddl *d);
bool ddl_names_moving(struct ddl *d);
bool ddl_note_code(struct ddl *d, const char *database) must_check;

/* Accounts and rights: ddl_account.c. */
bool ddl_is_account(const struct stmt *s);
bool ddl_account(struct ddl *d, struct lex_options options) must_check;
/* May the client create, change or drop this database? */
bool ddl_may_database(struct ddl *d, const char *database) must_check;

#endif
