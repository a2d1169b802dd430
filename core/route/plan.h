/* plan.h - what is to be done with a statement, as data.
 *
 *   statement text --lex, digest--> plan cache --miss--> parse --> plan_make()
 *                                       |                              |
 *                                       +------------ plan ------------+
 *                                                      |
 *               literals, parameters --> plan_route() --> which shards, which text
 *
 * A plan is immutable and shared by every statement with the same normalised
 * text, schema, relevant session settings and routes generation; so it never
 * holds a literal's value or an offset into one statement's text. Literals are
 * named by their ordinal among the statement's normalised literals (in order of
 * appearance), parameters ('?') by theirs. Both are "operands".
 *
 * Text for shards that differs from what was written is a template: constant
 * pieces and operands in between.
 */
#ifndef CORE_ROUTE_PLAN_H
#define CORE_ROUTE_PLAN_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/route/keyhash.h"
#include "core/route/load_file.h"
#include "core/route/merge.h"
#include "core/route/table.h"
#include "core/sql/lex.h"
#include "core/sql/literal.h"

struct change_spec;
struct digest;
struct gather_spec;
struct range;
struct stmt;

enum { PLAN_VIEWS_DEEP = 16 }; /* a PLAN_EXPAND of a PLAN_EXPAND of ... */

enum plan_kind {
    PLAN_ONE,     /* one shard answers, text as written; bytes are relayed */
    PLAN_SCATTER, /* a read on several shards: `text` runs on each, `merge` joins the answers.
                     With a single target shard at run time the original text is relayed */
    PLAN_GATHER,  /* a read that one server has to do: its tables' rows are brought to the engine:
                     `gather`, see gather.h. `target`: a shard with all the tables (gather_home()),
                     for PREPARE */
    PLAN_CHANGE,  /* a write whose rows one server has to find: `gather` and `change`, see gather.h;
                     `target` as for PLAN_GATHER */
    PLAN_WRITE,   /* UPDATE/DELETE/TRUNCATE... on each target shard; affected rows add up;
                     for a reference table the home copy goes first and alone counts */
    PLAN_INSERT,  /* INSERT/REPLACE ... VALUES into a sharded table: rows split per shard */
    PLAN_ONCE,    /* values have to be known first: `once` */
    PLAN_LOAD,    /* LOAD DATA LOCAL INFILE into a sharded or reference table: `load` */
    PLAN_TXN,     /* BEGIN, COMMIT, ROLLBACK, SAVEPOINT...: see `txn` */
    PLAN_SET,     /* SET of session state: see `set` */
    PLAN_USE,     /* USE schema: `name` */
    PLAN_DDL,     /* the controller runs it as a job */
    PLAN_SHARDD,  /* SHOW SHARDD ..., EXPLAIN SHARDD ...: the proxy answers */
    PLAN_KILL,    /* KILL [QUERY|CONNECTION] id: the proxy's own ids */
    PLAN_NAMED,   /* PREPARE, EXECUTE, DEALLOCATE as SQL: see `named` */
    PLAN_EXPAND,  /* nothing yet: `text` is the statement to be planned instead, with views'
                     SELECTs in their places. Its '?' are the same ones; its literals are its own */
    PLAN_REFUSE,  /* `error` says why */
};

/* A constant of the statement: what it is at run time depends on the execution. */
enum operand_kind {
    OPERAND_LITERAL, /* the digest's literal `ordinal` */
    OPERAND_PARAM,   /* the client's parameter `ordinal` */
    OPERAND_CONST,   /* `constant`: TRUE, NULL, a literal that is part of the normalised text */
    OPERAND_VAR,     /* the user variable plan.user_variables[ordinal] */
};

struct operand {
    enum operand_kind   kind;
    uint32_t            ordinal;
    bool                negative;  /* a minus stands before it */
    bool                collate;   /* COLLATE stands behind it */
    bool                introduced; /* text, also as digits: _latin1 x'e1' */
    uint16_t            collation; /* of the introducer or COLLATE; 0: the connection's */
    enum key_value_kind as;        /* DATE'..', TIME'..', TIMESTAMP'..'; else KEY_VALUE_OTHER */
    struct key_value    constant;
};

/* Which shards. A value of KEYS that cannot be decided widens to ALL for reads, UPDATE, DELETE. */
enum target_kind {
    TARGET_ANY,  /* any one shard: reference tables, or no table at all */
    TARGET_HOME, /* the shard `home` */
    TARGET_KEYS, /* owners of `keys` */
    TARGET_ALL,  /* each that owns rows of sharded tables */
    TARGET_EVERY, /* each there is: all have a copy */
    TARGET_NONE, /* provably no row: runs on one shard as written, for the empty answer */
};

struct key_group {
    uint32_t              table; /* its key column types the values */
    uint32_t              n_keys;
    const struct operand *keys;
};

struct target {
    enum target_kind        kind;
    uint32_t                home;      /* shard index */
    bool                    one_shard; /* must come down to one shard, else plan.error */
    bool                    first;     /* plan_route() gives one of them only (EXPLAIN) */
    bool                    at_home;   /* KEYS: and that one must be `home` */
    uint32_t                n_through; /* KEYS: what one of these or a key's column */
    const struct route_column *through; /* does not store as it is is an error, NULL too */
    uint32_t                n_groups;  /* KEYS; with several each must be the same one shard */
    const struct key_group *groups;
};

/* Text with holes. LIMIT is the sum of the statement's offset and count, so
 * that a shard sends no more rows than can matter. AUTO is a number of the
 * sequence, or, when the row brings its own, `operand` or (has_operand false) `text`. */
enum piece_kind { PIECE_TEXT, PIECE_OPERAND, PIECE_LIMIT, PIECE_AUTO };

struct template_piece {
    enum piece_kind kind;
    bool            has_operand; /* PIECE_AUTO */
    struct span     text;
    struct operand  operand;
};

struct sql_template {
    uint32_t                     n;
    const struct template_piece *pieces;
};

/* What stands for the n-th '?' of a rendered text. */
enum bind_kind {
    BIND_PARAM,  /* the client's parameter `ordinal` */
    BIND_LIMIT,  /* an unsigned BIGINT: plan_limit_sum() */
    BIND_NUMBER, /* an unsigned BIGINT: the sequence's number `number` */
};

struct bind {
    enum bind_kind kind;
    uint32_t       ordinal;
    uint64_t       number;
};

/* Grows; owned by the caller, who frees `items` with free(). All zeroes is empty. */
struct bind_list {
    struct bind *items;
    uint32_t     n, cap;
};

/* ---- INSERT and REPLACE ... VALUES into a sharded table ---- */

enum insert_number {
    INSERT_PLAIN,   /* this row wants no number of the sequence */
    INSERT_NUMBER,  /* this row wants the next number */
    INSERT_RAISES,  /* it brings its own number: the sequence's high water must pass it first */
};

struct insert_row {
    struct sql_template text;     /* "(1, 'a', ?)" */
    bool                as_select; /* alone on its shard it is selected, see plan_alone.c */
    bool                key_auto; /* the key is the AUTO_INCREMENT column */
    bool                key_null; /* the key is NULL, by its default */
    struct operand      key;      /* when neither */
    bool                auto_missing; /* no value is written for the AUTO_INCREMENT column */
    struct operand      auto_value;   /* else, when the spec is numbered */
};

/* Of a PLAN_INSERT; and of a PLAN_WRITE to a reference table with an AUTO_INCREMENT
 * column: the home copy runs the statement as written, and when rows are INSERT_NUMBER
 * (all or none are) its insert ids are the numbers for insert_render() elsewhere. */
struct insert_spec {
    uint32_t                 table;     /* index in routes */
    uint32_t                 n_rows;
    const struct insert_row *rows;
    struct sql_template      header;    /* "INSERT INTO t (a, b) VALUES " */
    struct sql_template      select;    /* "INSERT INTO t (a, b) SELECT ", or empty */
    struct sql_template      tail;      /* " ON DUPLICATE KEY UPDATE ...", often empty */
    bool                     numbered;  /* the table has an AUTO_INCREMENT column */
    bool                     zero_is_number; /* sql_mode NO_AUTO_VALUE_ON_ZERO */
    bool                     overwrites; /* REPLACE, IGNORE, ON DUPLICATE KEY UPDATE */
    bool                     ignores;    /* IGNORE, and nothing else is done with duplicates */
};
/* When no row is INSERT_NUMBER and all are for one shard, the original text does. */

/* ---- reads by a column with a lookup ---- */

/* Of a PLAN_SCATTER: its rows are beside rows of a table whose column has one of these values, so
 * that only the shards of these rows matter. `text` asks the lookup for their keys, as
 * hexadecimal digits. */
struct lookup_read {
    uint32_t              table, column; /* indexes in the routes, and of the table */
    uint32_t              lookup;        /* its lookup's table */
    uint32_t              n_values;
    const struct operand *values;
    struct sql_template   text;
};

/* ---- LOAD DATA LOCAL INFILE into a sharded or reference table ---- */

/* A user variable that takes a column of the file, and keeps what the last line had. */
struct load_variable {
    uint32_t    column;
    struct span name;
};

/* `text` is for every shard alike: it skips no lines, names the character set, and the
 * AUTO_INCREMENT column as the first one where the file lacks it. */
struct load_spec {
    uint32_t            table;     /* index in routes */
    bool                reference; /* every shard gets every line; target.home's copy counts */
    struct load_format  format;
    struct span         file;      /* the name to ask the client for */
    uint64_t            skip;      /* IGNORE n LINES */
    bool                default_charset; /* the schema's: none was named */
    const char         *charset;   /* of the file */
    uint16_t            collation; /* one of that character set */
    uint32_t            key;       /* the key's column in the file, ROUTES_NONE: it has none */
    bool                key_null;  /* then every row's key is NULL; else it is the number */
    uint32_t            number;    /* the AUTO_INCREMENT column's, likewise */
    bool                numbered;  /* the table has one */
    bool                adds_number; /* each line gets a first column */
    bool                zero_is_number; /* sql_mode NO_AUTO_VALUE_ON_ZERO */
    uint32_t                    n_variables;
    const struct load_variable *variables;
    struct sql_template         text;
};

/* ---- transactions ---- */

enum txn_verb {
    TXN_BEGIN, TXN_COMMIT, TXN_ROLLBACK, TXN_SAVEPOINT, TXN_ROLLBACK_TO, TXN_RELEASE,
};

struct txn_spec {
    enum txn_verb verb;
    bool          consistent_snapshot, read_only, read_write; /* BEGIN */
    bool          chain, release, no_chain, no_release;       /* COMMIT, ROLLBACK */
    struct span   name;                                       /* savepoints, unquoted */
};

/* ---- SELECT ... INTO @a, @b from several shards ---- */

/* Rows come with hidden columns that say what the values of strings are. */
struct into_variable {
    struct span name;               /* unquoted */
    uint32_t    charset, collation; /* their columns, MERGE_HIDDEN + n */
};

/* ---- SET ---- */

enum setting_kind {
    SETTING_SYSTEM,      /* a system variable */
    SETTING_USER,        /* @name */
    SETTING_NAMES,       /* name: character set (empty: DEFAULT), value: the collation or n = 0 */
    SETTING_CHARSET,     /* SET CHARACTER SET: the set's name is the value */
    SETTING_TRANSACTION, /* name: "isolation level" or "access mode", value: its words;
                            scope ONCE: the next transaction only */
};

enum set_scope { SCOPE_SESSION, SCOPE_GLOBAL, SCOPE_ONCE };

/* LITERAL: one literal (perhaps signed) or NULL; WORD: a bare word such as ON or
 * utf8mb4; DEFAULT; EXPR: anything else, which a server has to evaluate. */
enum set_value { VALUE_LITERAL, VALUE_WORD, VALUE_DEFAULT, VALUE_EXPR };

struct setting {
    enum setting_kind   kind;
    enum set_scope      scope;
    enum set_value      value_kind;
    struct span         name;  /* in small letters (user variables too), unquoted */
    struct sql_template value; /* as written */
};

struct set_spec {
    uint32_t               n;
    const struct setting *items;
    bool replayable; /* the same text gives the same state on any backend of the session:
                        literals, words, DEFAULT, @@global.x only. Else the session pins */
};

/* ---- PREPARE, EXECUTE, DEALLOCATE as SQL ---- */

enum named_verb { NAMED_PREPARE, NAMED_EXECUTE, NAMED_IMMEDIATE, NAMED_DEALLOCATE };

/* An EXPRESSION has to be evaluated by a server first. */
enum named_kind { NAMED_CONSTANT, NAMED_VARIABLE, NAMED_EXPRESSION };

struct named_value {
    enum named_kind  kind;
    struct span      sql;      /* as written */
    struct span      variable; /* NAMED_VARIABLE: its name, unquoted */
    struct key_value value;    /* NAMED_CONSTANT */
};

struct named_spec {
    enum named_verb           verb;
    struct span               name; /* as written, unquoted; not of NAMED_IMMEDIATE */
    struct named_value        text; /* NAMED_PREPARE, NAMED_IMMEDIATE: the statement */
    uint32_t                  n_values;
    const struct named_value *values; /* USING */
};

/* ---- DDL and administration ---- */

enum ddl_kind {
    DDL_TABLE,    /* CREATE, ALTER, DROP, TRUNCATE, RENAME TABLE; CREATE, DROP INDEX */
    DDL_DATABASE, DDL_VIEW, DDL_ROUTINE, DDL_ACCOUNT, DDL_OTHER,
};

struct ddl_spec {
    enum ddl_kind kind;
    struct span   verb;      /* "CREATE", "ALTER"... */
    bool          from_query; /* CREATE TABLE `name` ... SELECT; plan.text: with its parameters */
    struct span   name;        /* of that table; of a database that is dropped */
};

/* CREATE TEMPORARY TABLE ... SELECT from rows of several shards: in several steps, each a statement
 * of its own. The last one is always said. */
struct fill_spec {
    struct sql_template make;   /* another temporary table, with the columns of the SELECT */
    struct sql_template insert; /* its rows */
    struct sql_template name;   /* the statement, from this table */
    struct sql_template drop;
};

/* What ties a session to a server's connection. */
enum pin_reason {
    PIN_NONE,
    PIN_TEMPORARY_TABLE,
    PIN_USER_LOCK,
    PIN_LOCK_TABLES,
    PIN_HANDLER,
    PIN_USER_VARIABLE, /* one that cannot be told to another server exactly */
    PIN_CURSOR,
    PIN_REASONS,
};

/* The metrics' label. */
const char *pin_reason_name(enum pin_reason reason);

/* What of the list of processes a statement reads. */
enum processlist { PROCESSLIST_NONE, PROCESSLIST_SHOW, PROCESSLIST_FULL, PROCESSLIST_TABLE };

enum shardd_show {
    SHARDD_STATUS, SHARDD_SHARDS, SHARDD_ENGINES, SHARDD_POOLS, SHARDD_CLIENTS, SHARDD_DIGESTS,
    SHARDD_TRANSACTIONS, SHARDD_SERVERS,
    SHARDD_EXPLAIN, /* EXPLAIN SHARDD statement: `name` is the statement's text */
    SHARDD_EXPLAIN_JSON,
};

struct plan {
    enum plan_kind             kind;
    struct target              target;
    bool                       is_read;      /* SELECT, SHOW without locks: may be retried */
    bool                       is_write;     /* changes rows */
    bool                       keeps_lookups; /* ... perhaps of tables with lookups: those have to
                                                be told, see workers/query/lookup.h */
    bool                       stateless;    /* a read that sees tables and the session's
                                                settings, and changes nothing at all */
    const char                *primary_why;  /* NULL: a replica may answer it, outside of
                                                transactions and where consistency allows that;
                                                else why not, for people */
    bool                       sharded;      /* it names sharded tables */
    bool                       meets_fenced_table; /* or may do so: see fence.h */
    bool                       locks;        /* FOR UPDATE / LOCK IN SHARE MODE */
    enum pin_reason            pin;          /* state that lives on one backend begins */
    enum pin_reason            unpin;        /* ... or ends */
    uint32_t                   n_names;      /* temporary tables made or dropped: */
    const struct span         *names;        /* schema.name */
    bool                       implicit_commit;
    bool                       cacheable;
    bool                       needs_last_insert_id; /* or FOUND_ROWS, ROW_COUNT */
    bool                       sees_variables; /* reads or sets user variables */
    bool                       assigns;      /* may set those that its text names */
    bool                       runs_code;    /* routines or triggers: may set any of them */
    bool                       runs_block;   /* CALL and the like: the last answer is an OK */
    bool                       may_end_txn;  /* ... and for all we know it begins or ends one */
    uint32_t                   n_user_variables; /* that are operands; in small letters */
    const struct span         *user_variables;
    bool                       opaque;       /* may do more to the server's session than we
                                                can see: CALL, what we cannot parse */
    bool                       diagnostics;  /* SHOW WARNINGS and the like */
    bool                       sees_settings; /* perhaps: system variables of its connection */
    bool                       returning;    /* a write that answers rows: ... RETURNING */
    bool                       unmergeable; /* found when it ran: the types of a PLAN_SCATTER's
                                               columns; it is gathered from then on */
    bool                       asks_insert_id; /* INSERT ... RETURNING that the server numbers:
                                                its answer does not say how */
    enum processlist           processlist;  /* it is the proxy's */
    uint32_t                   information;  /* 1 << enum information_table: rows of our own */
    const struct sql_template *information_where; /* of them, this is enough; NULL: all */
    const struct sql_template *information_text;  /* a SHOW as a SELECT of them; NULL: as written */
    bool                       begins_nothing; /* no transaction: SET TRANSACTION waits for one */
    bool                       keeps_diagnostics; /* without tables: those of the last statement
                                                stay unless it has some of its own */
    bool                       reference_write; /* PLAN_WRITE: home copy first; it alone counts */
    bool                       same_time;    /* every copy must run with the same `timestamp`
                                                (SET STATEMENT timestamp=... FOR, say) */
    uint32_t                   database;     /* whose home `target.home` is, or ROUTES_NONE */
    uint32_t                   n_literals, n_params;
    struct lex_options         lex;          /* for reading literals */
    uint16_t                   collation;
    const struct sql_template *text;         /* NULL: as written */
    bool                       hides;        /* rows are on the shards that it must not see, and
                                                `text` keeps them out; as written it is good for
                                                one shard of several only, when keys fix that */
    bool                       has_limit;
    struct operand             limit_count, limit_offset; /* offset: CONST 0 when not written */
    const struct merge_spec   *merge;        /* PLAN_SCATTER; see merge.h */
    const struct lookup_read  *lookup;       /* PLAN_SCATTER: worth asking first; NULL: none */
    const struct gather_spec  *gather;       /* PLAN_GATHER, PLAN_CHANGE; others: see
                                                gather_needed() */
    const struct change_spec  *change;       /* with a `gather` for a write */
    bool                       counts_all;   /* SQL_CALC_FOUND_ROWS */
    bool                       has_offset;   /* of the outermost LIMIT: */
    struct operand             page_offset;
    bool                       asks_found_rows; /* the number of rows sent is not FOUND_ROWS() */
    bool                       keeps_found_rows; /* FOUND_ROWS() stays, whatever rows are sent */
    bool                       selects_into_table; /* INSERT ... SELECT: FOUND_ROWS() is of it */
    uint32_t                   n_into;       /* PLAN_SCATTER: rows are for variables */
    bool                       into_late;    /* INTO behind FROM, of which servers warn */
    const struct into_variable *into;
    uint32_t                   n_numbers;    /* HAVING's operands, for plan_merge_args() */
    const struct operand      *numbers;
    const struct insert_spec  *insert;       /* PLAN_INSERT */
    uint32_t                   n_once;       /* PLAN_ONCE: where they stand in the text */
    const struct range        *once;
    bool                       once_literals; /* they become literals, not variables */
    const bool                *once_named;   /* [n_once): its text was the column's name, and is
                                                given as such; NULL: none was */
    bool                       once_asked;   /* a SELECT computes them, for it can be gathered */
    uint32_t                   n_own;        /* an INSERT whose rows the server numbers: what */
    const struct operand      *own_numbers;  /* each gives itself; 0: some row gives nothing */
    bool                       upserts_one;  /* one row, ON DUPLICATE KEY UPDATE */
    const struct load_spec    *load;         /* PLAN_LOAD */
    const struct txn_spec     *txn;          /* PLAN_TXN */
    const struct set_spec     *set;          /* PLAN_SET */
    const struct ddl_spec     *ddl;          /* PLAN_DDL */
    const struct fill_spec    *fill;         /* PLAN_ONE: it is done so, see client_make.c */
    const struct named_spec   *named;        /* PLAN_NAMED */
    enum shardd_show           show;         /* PLAN_SHARDD */
    enum consistency           consistency;  /* as a hint says it: "shardd: consistency=causal" */
    uint64_t                   timeout_ms;   /* likewise; 0: it says none */
    struct operand             kill_id;      /* PLAN_KILL */
    bool                       variables;    /* SHOW VARIABLES LIKE: some are the proxy's own */
    bool                       kill_query;   /* KILL QUERY: the statement only */
    struct span                name;         /* PLAN_USE */
    struct sql_error           error;        /* PLAN_REFUSE, and target.one_shard */
    bool                       asks;         /* PLAN_REFUSE: a server, `target`, may have an error
                                                of its own for the statement, which is the better
                                                answer; it need not be run for that */
    const char                *reason;       /* one sentence for `shardctl explain` */
};

/* ---- making ---- */

struct plan_context {
    const struct routes *routes;
    struct span          schema;      /* current database; empty: none */
    struct lex_options   lex;         /* as the statement was parsed with */
    bool                 zero_is_number; /* sql_mode NO_AUTO_VALUE_ON_ZERO */
    uint16_t             collation;   /* collation_connection's id; 0 when character_set_client is
                                         another character set than the connection's */
    bool                 prepared;    /* COM_STMT_PREPARE: '?' are parameters */
    uint8_t              calls;       /* procedures around it that call one another */
    bool                 elsewhere;   /* INSERT: values are not stored as they are written */
};

/* The plan for a statement. Never fails: what cannot be done is PLAN_REFUSE.
 * `statement` as parsed from `text` (NULL: PARSE_BAD, the text does not lex); `digest` of the
 * same text, NULL when there is none (too long: then the plan is not cacheable).
 * What `out` points to lives in `arena`; nothing points into `text` or the routes, which go
 * before the plan when only users have changed. */
void plan_make(struct arena *arena, const struct plan_context *context, struct span text,
               const struct digest *digest, const struct stmt *statement, struct plan *out);

/* "strong", "causal", "eventual", without case; CONSISTENCY_UNSET: it is none of them. */
enum consistency consistency_find(struct span word);
const char      *consistency_name(enum consistency c);

/* ---- running ---- */

/* The values of one execution. */
/* Somebody who wants to know of each key that a statement names. */
struct key_watch {
    /* `table` is an index in the routes; `value` as it is written, for the time of the call. */
    void (*met)(struct key_watch *watch, uint32_t table, uint64_t hash,
                const struct key_value *value);
};

struct plan_values {
    struct span             text;     /* the statement */
    const struct literal   *literals; /* the digest's, of `text` */
    const struct key_value *params;   /* [n_params) */
    const struct key_value *variables; /* [plan.n_user_variables), or NULL: not known */
    uint32_t                n_literals, n_params;
    struct key_watch       *watch; /* NULL: nobody */
    bool                    stored; /* INSERT: a server with this sql_mode has stored them so */
};

struct shard_set {
    uint32_t n;     /* members */
    uint32_t first; /* the smallest; valid when n > 0 */
    uint64_t bits[ROUTES_SHARDS_MAX / 64];
};

static inline bool
shard_set_has(const struct shard_set *s, uint32_t shard)
{
    return (s->bits[shard / 64] >> (shard % 64) & 1) != 0;
}

void shard_set_add(struct shard_set *s, uint32_t shard);

/* The smallest member >= from, or ROUTES_NONE. */
uint32_t shard_set_next(const struct shard_set *s, uint32_t from);

/* The shards the statement runs on; at least one. TARGET_ANY and TARGET_NONE: `any`
 * (say, where the session's transaction already is; else choose one). Not for
 * PLAN_INSERT. Allocates nothing. False and `error`: these values need several shards
 * and the statement cannot be merged. */
bool plan_route(const struct plan *plan, const struct routes *routes,
                const struct plan_values *values, uint32_t any, struct shard_set *out,
                struct sql_error *error) must_check;

/* Whether plan->lookup can be asked: it knows these values exactly. */
bool plan_lookup_usable(const struct plan *plan, const struct routes *routes,
                        const struct plan_values *values) must_check;

/* What it answered, a row's key, becomes the shard of the row. False: it is none. */
bool plan_lookup_shard(const struct plan *plan, const struct routes *routes, struct span hex,
                       uint32_t *shard) must_check;

/* Whether this execution uses, of sharded tables, rows with the key `key` only. False and `error`:
 * it does not, or that is not certain. Statements without sharded tables keep to any key. */
bool plan_keeps_to(const struct plan *plan, const struct routes *routes,
                   const struct plan_values *values, const struct key_value *key,
                   struct sql_error *error) must_check;

enum render_mode {
    RENDER_TEXT,    /* for COM_QUERY */
    RENDER_PREPARE, /* '?' stay, and `binds` says what each stands for */
};

/* plan->text with this execution's literals. */
void plan_render(const struct plan *plan, const struct sql_template *text,
                 const struct plan_values *values, enum render_mode mode, struct buf *out,
                 struct bind_list *binds);

/* LIMIT's numbers. False and `error`: a parameter that is not a number >= 0. */
bool plan_limit(const struct plan *plan, const struct plan_values *values, uint64_t *offset,
                uint64_t *count, struct sql_error *error);
uint64_t plan_limit_sum(uint64_t offset, uint64_t count);

/* What the outermost LIMIT skips: part of FOUND_ROWS(). 0 where nothing is known; `plan` may be
 * NULL. */
uint64_t plan_page_offset(const struct plan *plan, const struct plan_values *values);

/* What merge_new() needs of this execution; lives in `arena`. */
bool plan_merge_args(const struct plan *plan, const struct plan_values *values,
                     struct arena *arena, struct merge_args *out, struct sql_error *error);

/* Whether row `row` of an INSERT wants a number of the sequence; `value` is the row's
 * own number with INSERT_RAISES. False and `error`: it cannot be told exactly. */
bool insert_inspect(const struct plan *plan, const struct routes *routes,
                    const struct plan_values *values, uint32_t row, enum insert_number *number,
                    uint64_t *value, struct sql_error *error) must_check;

/* Whether all rows of an INSERT that a server numbers bring numbers of their own. */
bool insert_brings_numbers(const struct plan *plan, const struct plan_values *values);

/* Whether `entry`, as "Duplicate entry '5-a' for key" has it, begins with what row `row` gives
 * the key column. A value that the server stores otherwise than it is written is not found. */
bool insert_begins(const struct plan *plan, const struct plan_values *values, uint32_t row,
                   bool numbered, uint64_t number, struct span entry);

/* The shard that row `row` belongs to. `numbered`: it was INSERT_NUMBER and gets `number`.
 * False and `error`: its key's stored value is not known exactly. */
bool insert_shard(const struct plan *plan, const struct routes *routes,
                  const struct plan_values *values, uint32_t row, bool numbered,
                  uint64_t number, uint32_t *shard, struct sql_error *error) must_check;

/* The same, as the hash of its key. */
bool insert_hash(const struct plan *plan, const struct routes *routes,
                 const struct plan_values *values, uint32_t row, bool numbered, uint64_t number,
                 uint64_t *hash, struct sql_error *error) must_check;

/* The statement for some of the rows: `rows` are their indexes, ascending; numbers[i]
 * is for row rows[i] and used when has_number[i] (both may be NULL: none). */
void insert_render(const struct plan *plan, const struct plan_values *values,
                   enum render_mode mode, const uint32_t *rows, uint32_t n,
                   const uint64_t *numbers, const bool *has_number, struct buf *out,
                   struct bind_list *binds);

/* For `shardctl explain` and logs: "scatter: all shards; merge: sort by 1 asc; text: SELECT ...".
 * One line; see plan.c for the words. */
void plan_describe(const struct plan *plan, const struct routes *routes, struct buf *out);

const char *plan_kind_name(enum plan_kind kind);
const char *target_kind_name(enum target_kind kind);

#endif
