/* table.h - the routing table: who owns which key, and what the tables are.
 *
 * The controller builds one from the catalog, shm/routes flattens it into the
 * blob that workers copy, and turns a validated blob back into this form. It
 * is immutable once built: plans and sessions keep pointers into it for as
 * long as they hold the generation they were made from.
 *
 *   key (any column type) --keyhash--> 64 bits --routes_owner()--> shard index
 *
 * Indexes into the arrays below are what the code passes around; ids and names
 * are what people and the catalog use. Shard indexes are dense, and stable
 * within one generation only.
 */
#ifndef CORE_ROUTE_TABLE_H
#define CORE_ROUTE_TABLE_H

#include "core/base/base.h"
#include "core/mysql/auth_plugin.h"

#define ROUTES_SHARDS_MAX 1024
#define ROUTES_ENGINES_MAX 16
#define ROUTES_REPLICAS_MAX 4096     /* of all shards */
#define ROUTES_SHARD_REPLICAS_MAX 15 /* of one */
#define ROUTES_REPLICA_ID UINT32_C(0x40000000) /* a server that was made as a replica has an id
                                                  from here on, also when it is a primary */
#define ROUTES_ENGINE_ID  UINT32_C(0x80000000) /* ids of engines begin here, those of shards
                                                  end: an id says which of them a server is */
#define ROUTES_MOVE_SCHEMA "shardd_move" /* on the shards: the bookkeeping of moves */
#define ROUTES_LOOKUP_SCHEMA "shardd_lookup" /* the tables of lookups: see route_lookup */
#define ROUTES_NONE       UINT32_MAX /* "no such index" */

enum table_kind {
    TABLE_GLOBAL,    /* whole, on its database's home shard */
    TABLE_SHARDED,   /* rows placed by the hash of the key column */
    TABLE_REFERENCE, /* a full copy on every shard */
    TABLE_VIEW,      /* text only; reaches whatever `view_kind` says */
};

/* The types that change how a key is hashed or a value compared. The names
 * are the server's. Everything else is COLUMN_OTHER. */
enum column_type {
    COLUMN_OTHER,
    COLUMN_TINYINT, COLUMN_SMALLINT, COLUMN_MEDIUMINT, COLUMN_INT, COLUMN_BIGINT,
    COLUMN_DECIMAL, COLUMN_FLOAT, COLUMN_DOUBLE, COLUMN_BIT,
    COLUMN_CHAR, COLUMN_VARCHAR, COLUMN_TEXT,          /* have a collation */
    COLUMN_BINARY, COLUMN_VARBINARY, COLUMN_BLOB,
    COLUMN_DATE, COLUMN_TIME, COLUMN_DATETIME, COLUMN_TIMESTAMP, COLUMN_YEAR,
    COLUMN_ENUM, COLUMN_SET, COLUMN_JSON, COLUMN_UUID, COLUMN_INET4, COLUMN_INET6,
    COLUMN_GEOMETRY,
};

static inline bool
column_is_integer(enum column_type type)
{
    return type >= COLUMN_TINYINT && type <= COLUMN_BIGINT;
}

struct route_column {
    struct span      name;
    enum column_type type;
    bool             is_unsigned;
    bool             nullable;
    bool             auto_increment;
    bool             generated;    /* value computed by the server */
    bool             has_default;  /* an explicit DEFAULT other than NULL */
    bool             invisible;    /* left out where a statement names no columns */
    uint8_t          primary;      /* place in the primary key, from 1; 0: none, or not known */
    uint16_t         collation;    /* the server's collation id; 63 = binary, 0 = none */
    uint32_t         length;       /* CHAR/VARCHAR/BINARY: in characters; BIT: bits;
                                      DECIMAL: precision; TIME...: fsp */
    uint8_t          scale;        /* DECIMAL: digits behind the point */
};

/* A global secondary index: no two rows of the table have the same value in `column`, wherever
 * they are. The sharded table `table` of ROUTES_LOOKUP_SCHEMA has a row for each value that is
 * not NULL: `v`, its key, and `k`, the sharding key of the value's row. It is written in the
 * transaction that writes the row: see workers/query/lookup.h. */
struct route_lookup {
    uint32_t    column;
    bool        filling; /* not all rows of before are there: it is written, and not read */
    struct span table;   /* [A-Za-z0-9_] */
};

enum { ROUTES_LOOKUPS_MAX = 16 }; /* of one table */

/* Triggers of a sharded table's own, which are on every shard; not those of lookups. */
enum route_triggers {
    TRIGGERS_NONE,
    TRIGGERS_OWN_ROW,  /* they use nothing but their row: function_class.h */
    TRIGGERS_CHANGING, /* shards may have different ones: nothing may be written */
};

struct route_table {
    struct span                name;     /* as created; compared per routes.lower_case */
    uint32_t                   database; /* index */
    enum table_kind            kind;
    uint32_t                   key;      /* TABLE_SHARDED: column index; a view's column that is
                                            its table's key, if any; else ROUTES_NONE */
    uint32_t                   auto_increment; /* column index or ROUTES_NONE */
    uint64_t                   sequence; /* the sequence row's id when sharded and numbered;
                                            else 0 */
    enum table_kind            view_kind; /* TABLE_VIEW: the widest kind it reaches */
    bool                       fenced; /* it is being switched as a whole: statements wait */
    struct span                hide;   /* TABLE_SHARDED: a table of ROUTES_MOVE_SCHEMA on every
                                          shard whose column `k` has the key values of rows
                                          that statements not fixed by the key must not see;
                                          empty: there are none. See below */
    struct span                view_text; /* TABLE_VIEW: its SELECT as the server tells it, in
                                             utf8mb4, every name whole; empty: not known */
    uint16_t                   view_collation; /* collation_connection of who made it */
    bool                       view_unchecked; /* TABLE_VIEW: it has no CHECK OPTION; false:
                                                  it has, or that is not known */
    bool                       view_materialized; /* TABLE_VIEW: ALGORITHM = TEMPTABLE, so it is
                                                     not written */
    bool                       view_expands; /* no server has what it means: only its SELECT,
                                                in its place, has. view_kind is TABLE_GLOBAL */
    enum route_triggers        triggers;  /* TABLE_SHARDED */
    uint32_t                   n_lookups; /* TABLE_SHARDED */
    const struct route_lookup *lookups;
    uint32_t                   n_columns;
    const struct route_column *columns;
};

/* Which reads may be answered by a replica. A user's beats a database's, and a session's and a
 * statement's beat both; with nothing said it is strong. */
enum consistency {
    CONSISTENCY_UNSET,
    CONSISTENCY_STRONG,   /* by the primary */
    CONSISTENCY_CAUSAL,   /* by a server that has what the session has written or seen */
    CONSISTENCY_EVENTUAL, /* by any, within a limit of lag */
    CONSISTENCIES,
};

/* What a stored function may do: see function_class.h. */
enum function_class {
    FUNCTION_UNKNOWN,
    FUNCTION_PLAIN,     /* of its arguments alone: it is on every shard and engine */
    FUNCTION_READS,     /* the others are at their database's home */
    FUNCTION_VARIES,
    FUNCTION_VARIABLES,
    /* Also of procedures. Of the routes only: all that it names is on its database's home. */
    FUNCTION_HOME,
    FUNCTION_SPREAD,    /* it is not */
    FUNCTION_TEXT, FUNCTION_ENDS, FUNCTION_DEFINES, FUNCTION_LOCKS, /* see routine_look.h */
    FUNCTION_FAR, /* of the routes only: it names, or reaches by what it calls, sharded or
                     reference tables, of whatever database */
};

struct route_database {
    struct span name;
    uint32_t    home;      /* shard index */
    uint16_t    collation; /* default collation id */
    bool        has_code;  /* has, or once had, routines or triggers */
    uint8_t     consistency; /* enum consistency */
    struct span functions;   /* stored functions and their classes: function_list_find() */
    struct span procedures;  /* the same of stored procedures */
};

enum shard_state { SHARD_UP, SHARD_DOWN, SHARD_DRAINING };

/* A shard's server, or an engine: a server without rows of its own that runs what the
 * shards cannot. */
struct route_shard {
    uint32_t         id;    /* the catalog's, never reused */
    struct span      name;
    struct span      host;  /* address literal, or an absolute path = Unix socket */
    uint16_t         port;  /* 0 with a Unix socket */
    enum shard_state state;
    bool             fenced; /* rows are being switched from or to it: see below */
    bool             eased;  /* that will be so in a moment: see routes.eases */
    /* Of shards: */
    uint32_t         server; /* the id of its primary's server: what was learned of a server
                                stays with it when roles change. Its own id, or a replica's */
    uint64_t         epoch;  /* of the primary: grows whenever another server becomes it. A
                                backend of another epoch is not used again */
    bool             lost;   /* with the new epoch: the server before is dead or cut off, and
                                nobody waits for it any more */
    bool             hides;  /* there may be keys in sets of route_table.hide on it */
    bool             owns;   /* a range is its: there are rows of sharded tables on it, which
                                statements may see. The decoder's */
    uint32_t         first_replica, n_replicas; /* in routes.replicas; the decoder's */
};

enum replica_state {
    REPLICA_SERVING,
    REPLICA_DRAINING, /* no new work is sent there */
    REPLICA_DISABLED, /* nothing is sent there */
};

/* A server that has all that its shard's primary has, some time later. */
struct route_replica {
    uint32_t           id;     /* of the server, never reused; another's than any shard's server */
    uint32_t           shard;  /* index */
    struct span        name;
    struct span        host;   /* as a shard's */
    uint16_t           port;
    uint8_t            weight; /* 1 to ROUTES_WEIGHT_MAX: its part of the reads among equals */
    enum replica_state state;
    struct span        zone;   /* where it is, "": not said */
};

enum { ROUTES_WEIGHT_MAX = 100, ROUTES_ZONE_MAX = 32 };

struct route_range {
    uint64_t start; /* owns [start, next range's start); the first starts at 0 */
    uint32_t shard;
    bool     fenced; /* it is being switched to another shard */
};

/* While something is fenced, what would meet it waits for routes without the fence: what is
 * fixed by a key of a fenced range, what is not fixed by a key and goes to a fenced shard,
 * and a transaction's first statement on a fenced shard. Transactions that were there before
 * go on to their end. See fence.h. */

/* A set of hidden keys (route_table.hide) is the same table name on every shard, with one unique
 * column `k` of the key column's type and collation. What the planner says with it
 * (plan_hide.c) is right when whoever moves rows keeps to this:
 * - keys are written in the transaction of their rows, and before them;
 * - a key in it is not one of this shard's own, whether or not there is a row;
 * - the set is older than every transaction that is open when it is published: to a view that is
 *   older the server answers 1412 (ER_TABLE_DEF_CHANGED);
 * - it goes when no statement uses routes with it any more. */

enum { ROUTE_TOKEN_BYTES = 32 };

/* What a user may take. */
enum route_limit {
    LIMIT_CONNECTIONS,     /* at a time, on all workers */
    LIMIT_CONNECTION_RATE, /* new ones per second, on all workers */
    LIMIT_STATEMENT_MS,
    LIMIT_TRANSACTION_S,
    LIMIT_IDLE_S,
    LIMIT_ROWS,            /* of an answer */
    LIMIT_BYTES,           /* of an answer's rows */
    LIMITS_N,
};

struct route_user {
    struct span name;
    enum auth_plugin plugin;   /* of both: */
    struct span verifier;     /* auth_plugin_bytes() bytes; empty: no password */
    struct span old_verifier; /* the password before is good as well; empty: it is not */
    struct span token;        /* ROUTE_TOKEN_BYTES, SHA-256 of the one for HTTP; empty: none */
    bool        admin;        /* may use SHOW SHARDD CLIENTS of others, KILL ... */
    struct span secret;       /* password of the account of the same name on every shard */
    uint64_t    limit[LIMITS_N]; /* 0: none, or as the setting says */
    uint8_t     commit;       /* 1 + enum conf_commit; 0: as the setting says */
    uint8_t     consistency;  /* enum consistency */
    bool        locked;       /* nobody logs in as it */
};

struct routes {
    uint64_t generation;       /* of everything but users */
    uint64_t users_generation;
    bool     fenced;           /* a range, a shard or a table is */
    bool     hides;            /* a shard that owns rows hides some: else no statement has to
                                  know of route_table.hide. The decoder's */
    bool     cut;              /* transactions of before the fence end at once, with 1213 */
    uint32_t eases;            /* no more transactions of a worker's than this are let onto the
                                  shards that are eased at a time; 0: none is eased */
    bool     lower_case;       /* lower_case_table_names != 0 on the servers: then names
                                  of databases and tables here have no ASCII capitals */
    /* A service account with the same name and secret on all shards. */
    struct span service_user, service_secret;

    uint32_t n_shards, n_engines, n_ranges, n_databases, n_tables, n_users, n_replicas;
    uint32_t n_owners;         /* shards that own rows; the decoder's */
    const struct route_shard    *shards;    /* [0, n_shards) */
    const struct route_shard    *engines;   /* [0, n_engines); with the databases and accounts
                                               of the shards, and no tables */
    const struct route_replica  *replicas;  /* [0, n_replicas), in the order of their shards */
    const struct route_range    *ranges;    /* sorted by start */
    const struct route_database *databases; /* sorted by name (bytes) */
    const struct route_table    *tables;    /* sorted by database, then name (bytes) */
    uint32_t                     n_own;     /* behind these n_tables: see own_table.h */
    const struct route_user     *users;     /* sorted by name (bytes) */

    /* Made by routes_index() for routes_owner(): for each of 2^index_bits equal slices
     * of the key space, the range that holds the slice's first key; and one
     * entry more, the last range. */
    uint8_t         index_bits;
    const uint32_t *index;
};

/* The shard that owns `hash`. Source of truth for where a row lives. O(1) for
 * evenly cut key spaces. */
uint32_t routes_owner(const struct routes *r, uint64_t hash);

/* The index of the range it lies in. */
uint32_t routes_range(const struct routes *r, uint64_t hash);

/* The index of the range it lies in. */
uint32_t routes_range(const struct routes *r, uint64_t hash);

/* How finely to slice for so many ranges, in [1, 24]; index[] then needs
 * 2^bits + 1 entries. */
uint8_t routes_index_bits(uint32_t n_ranges);

/* Fill index[2^bits + 1] for `ranges`, which start at 0 and strictly ascend. */
void routes_index(const struct route_range *ranges, uint32_t n_ranges,
                  uint8_t bits, uint32_t *index);

/* Cut the key space into n_shards * per_shard ranges of equal width, dealt to
 * the shards in turn, so that each shard's part lies everywhere. `out` has room
 * for them all. */
void routes_cut(uint32_t n_shards, uint32_t per_shard, struct route_range *out);

/* The same ownership with shard index `added` holding 1/(n_shards + 1) of
 * everything, taken in equal parts from each of the shards [0, n_shards) that
 * own the n ranges; ranges are given whole where possible and split where not.
 * `out` has room for n + n_shards ranges; returns how many it got. */
uint32_t routes_grow(const struct route_range *ranges, uint32_t n,
                     uint32_t n_shards, uint32_t added, struct route_range *out);

/* Index of the named thing, or ROUTES_NONE. Table and database names are
 * compared as the servers do (bytes, or ASCII case-folded when lower_case). */
uint32_t routes_database(const struct routes *r, struct span name);
uint32_t routes_table(const struct routes *r, uint32_t database, struct span name);
uint32_t routes_user(const struct routes *r, struct span name);

/* The shard or engine with this id; NULL: it is no longer there. */
const struct route_shard *routes_server(const struct routes *r, uint32_t id);

/* The replica whose server has this id; NULL: there is none, or it is a primary now. */
const struct route_replica *routes_replica(const struct routes *r, uint32_t id);

static inline bool
routes_is_engine(uint32_t id)
{
    return id >= ROUTES_ENGINE_ID;
}

/* The index of an engine that is up, ROUTES_NONE when there is none: callers with different
 * numbers get different ones where there are several. */
uint32_t routes_engine(const struct routes *r, uint64_t number);

/* Column names are compared without case. */
uint32_t routes_column(const struct route_table *t, struct span name);

/* Where statements that name no columns have the column; ROUTES_NONE: they lack it. */
uint32_t routes_visible(const struct route_table *t, uint32_t column);
uint32_t routes_count_visible(const struct route_table *t);

#endif
