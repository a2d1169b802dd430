/* statement.h - statements as the parser leaves them; see ast.h for the rules. */
#ifndef CORE_SQL_STATEMENT_H
#define CORE_SQL_STATEMENT_H

#include "core/sql/ast.h"

enum stmt_kind {
    STMT_UNKNOWN,
    STMT_SELECT,       /* query: SELECT, VALUES, WITH, UNION ... */
    STMT_INSERT,       /* insert; also REPLACE */
    STMT_UPDATE,       /* update */
    STMT_DELETE,       /* delete */
    STMT_SET,          /* set */
    STMT_USE,          /* name */
    STMT_SHOW,         /* show; also DESCRIBE/EXPLAIN table */
    STMT_EXPLAIN,      /* explain: of a statement; also ANALYZE stmt, EXPLAIN SHARDD stmt */
    STMT_BEGIN,        /* txn; BEGIN, START TRANSACTION */
    STMT_COMMIT,       /* txn */
    STMT_ROLLBACK,     /* txn; with `name`: TO SAVEPOINT */
    STMT_SAVEPOINT,    /* name */
    STMT_RELEASE,      /* name: RELEASE SAVEPOINT */
    STMT_XA,           /* word: START, END, PREPARE, COMMIT, ROLLBACK, RECOVER */
    STMT_LOCK_TABLES,  /* lock_tables (list of table and mode) */
    STMT_UNLOCK_TABLES,
    STMT_CREATE_TABLE, /* create_table */
    STMT_ALTER_TABLE,  /* alter_table */
    STMT_DROP_TABLE,   /* tables, flags; also DROP VIEW, DROP SEQUENCE: object */
    STMT_TRUNCATE,     /* tables (one) */
    STMT_RENAME_TABLE, /* renames */
    STMT_CREATE_INDEX, /* alter_table with one ALTER_ADD_KEY action */
    STMT_DROP_INDEX,   /* alter_table with one ALTER_DROP_KEY action */
    STMT_DATABASE,     /* database: CREATE, ALTER, DROP */
    STMT_CREATE_VIEW,  /* create_view */
    STMT_OBJECT,       /* object, word, path: CREATE/ALTER/DROP of PROCEDURE, FUNCTION, TRIGGER,
                          EVENT, USER, ROLE, SEQUENCE, SERVER, PACKAGE ...; GRANT, REVOKE (object
                          NO_KEYWORD); SET PASSWORD is STMT_SET. Names inside: `names` */
    STMT_PREPARE,      /* name; expr: the text, a string literal or @v */
    STMT_EXECUTE,      /* name; args: USING ...; EXECUTE IMMEDIATE: name.ptr NULL and expr */
    STMT_DEALLOCATE,   /* name */
    STMT_CALL,         /* path, args */
    STMT_DO,           /* args */
    STMT_KILL,         /* kill */
    STMT_HANDLER,      /* tables (one), word: OPEN, CLOSE, READ; OPEN: as = alias in name */
    STMT_LOAD,         /* load: LOAD DATA and LOAD XML */
    STMT_ADMIN_TABLE,  /* word: ANALYZE, CHECK, OPTIMIZE, REPAIR, CHECKSUM; tables */
    STMT_FLUSH,        /* word: what, or NO_KEYWORD; tables for FLUSH TABLES a, b; object: LOCK
                          when locks stay */
    STMT_HELP,
    STMT_SIGNAL,       /* SIGNAL, RESIGNAL, GET DIAGNOSTICS: word */
    STMT_ADMIN,        /* PURGE, RESET, CHANGE MASTER, START/STOP SLAVE, INSTALL, UNINSTALL,
                          SHUTDOWN, BINLOG, CACHE INDEX, BACKUP: word */
};

/* A table in a list. */
struct table_item {
    struct path        table;
    struct span        alias;
    enum keyword       lock;    /* LOCK TABLES: KW_READ, KW_WRITE */
    struct path        renamed; /* RENAME TABLE: TO */
    struct table_item *next;
};

struct path_item {
    struct path       path;
    struct path_item *next;
};

/* column = value */
struct assignment {
    struct path        column;
    struct expr       *value;
    struct range       range;
    struct assignment *next;
};

enum insert_source { INSERT_VALUES, INSERT_SET, INSERT_QUERY };

struct insert {
    bool                replace, ignore;
    enum keyword        priority;       /* KW_LOW_PRIORITY, KW_DELAYED, KW_HIGH_PRIORITY */
    struct path         table;
    struct range        partition;
    struct name_item   *columns;        /* INSERT_VALUES, INSERT_QUERY: (a, b); NULL: not given */
    uint32_t            n_columns;
    struct range        columns_range;  /* with the parentheses; also of () before VALUES () */
    enum insert_source  source;
    struct row         *rows;           /* INSERT_VALUES. A value DEFAULT is EXPR_DEFAULT */
    uint32_t            n_rows;
    struct range        values_range;   /* from the first row's ( to the last row's ) */
    struct assignment  *set;            /* INSERT_SET */
    struct query       *query;          /* INSERT_QUERY */
    struct assignment  *on_duplicate;
    struct range        on_duplicate_range; /* with ON */
    struct select_item *returning;
    struct range        returning_range;
};

struct update {
    bool               ignore, low_priority;
    struct cte        *with;
    struct table_ref  *tables;     /* a single table unless multi */
    bool               multi;      /* a join or a list */
    struct range       portion;    /* FOR PORTION OF ... */
    struct assignment *set;
    struct range       set_range;  /* with SET */
    struct expr       *where;
    struct range       where_range;
    struct order_item *order_by;
    struct limit      *limit;
};

struct delete {
    bool                ignore, low_priority, quick;
    struct cte         *with;
    bool                multi;
    struct table_item  *targets;    /* multi: names (or aliases) of what is deleted from; t.* too */
    struct table_ref   *tables;     /* multi: the join; else the table */
    struct range        portion;
    bool                history;    /* DELETE HISTORY FROM t; without what is below but: */
    struct expr        *before;     /* BEFORE SYSTEM_TIME before; NULL: all of it */
    struct expr        *where;
    struct range        where_range;
    struct order_item  *order_by;
    struct limit       *limit;
    struct select_item *returning;
};

enum set_kind {
    SET_SYSTEM,      /* [GLOBAL|SESSION|LOCAL] name = value, @@scope.name = value */
    SET_USER_VAR,    /* @name = value */
    SET_NAMES,       /* name = charset (ptr NULL: DEFAULT), collation */
    SET_CHARSET,     /* SET CHARACTER SET name */
    SET_TRANSACTION, /* scope; isolation and access mode */
    SET_PASSWORD,    /* value NULL when it is not an expression */
    SET_ROLE,        /* SET ROLE, SET DEFAULT ROLE: name */
};

/* `value`: an expression, or EXPR_DEFAULT, or a bare word (ON, OFF, BINARY, a
 * mode's or a charset's name), which is an EXPR_COLUMN with a name only. */
struct set_item {
    enum set_kind    kind;
    enum keyword     scope; /* KW_GLOBAL, KW_SESSION, KW_LOCAL, NO_KEYWORD */
    struct span      name;  /* dotted names as a whole: "a.b" */
    struct span      collation;
    struct expr     *value;
    enum keyword     isolation; /* KW_READ, KW_REPEATABLE, KW_SERIALIZABLE, NO_KEYWORD */
    bool             uncommitted; /* with KW_READ: READ UNCOMMITTED, else READ COMMITTED */
    enum keyword     access;    /* KW_ONLY: READ ONLY, KW_WRITE: READ WRITE, NO_KEYWORD */
    struct range     range;
    struct set_item *next;
};

/* SET ... */
struct set {
    struct set_item *items;
    struct stmt     *statement; /* SET STATEMENT a=b FOR statement: items are in force for it */
};

/* SHOW: kind is the word that says what: KW_TABLES, KW_COLUMNS (also FIELDS), KW_DATABASES
 * (also SCHEMAS), KW_CREATE (object: KW_TABLE, KW_DATABASE, KW_VIEW, KW_PROCEDURE ...),
 * KW_INDEX (also INDEXES, KEYS), KW_STATUS (object KW_TABLE for SHOW TABLE STATUS,
 * KW_PROCEDURE ...), KW_VARIABLES, KW_PROCESSLIST, KW_WARNINGS, KW_ERRORS, KW_ENGINES,
 * KW_ENGINE, KW_GRANTS, KW_COLLATION, KW_CHARSET (also CHARACTER SET), KW_TRIGGERS, KW_EVENTS,
 * KW_PLUGINS, KW_PRIVILEGES, KW_OPEN (TABLES), KW_MASTER, KW_SLAVE, KW_BINARY, KW_BINLOG,
 * KW_PROFILE, KW_PROFILES, KW_SHARDD (name: what), KW_DESCRIBE (DESCRIBE t [column]); any
 * other word as it stands. */
struct show {
    enum keyword  kind;
    enum keyword  object;
    enum keyword  scope;   /* KW_GLOBAL, KW_SESSION, NO_KEYWORD */
    bool          full, extended;
    bool          count;   /* SHOW COUNT(*) WARNINGS|ERRORS */
    struct path   table;   /* COLUMNS, INDEX, CREATE x, DESCRIBE; a routine, a database */
    struct span   schema;  /* FROM/IN db */
    struct range  schema_range;
    struct span   name;    /* SHOW SHARDD name, DESCRIBE t column, the user of GRANTS */
    struct expr  *like;
    struct expr  *where;
    struct limit *limit;
};

struct explain {
    bool         shardd;    /* EXPLAIN SHARDD statement */
    bool         analyze;   /* ANALYZE statement: it runs */
    bool         extended, partitions;
    struct span  format;    /* FORMAT=json */
    struct stmt *statement; /* NULL with EXPLAIN FOR CONNECTION n */
    struct expr *connection;
    struct range text;      /* of the statement */
};

struct txn {
    bool consistent_snapshot; /* START TRANSACTION WITH CONSISTENT SNAPSHOT */
    bool read_only, read_write;
    bool chain, no_chain;     /* AND [NO] CHAIN */
    bool release, no_release; /* [NO] RELEASE */
};

struct kill {
    bool         hard, soft;
    bool         query;    /* KILL QUERY */
    bool         query_id; /* KILL QUERY ID n */
    bool         user;     /* KILL ... USER name */
    struct expr *id;       /* NULL with `user` */
};

/* A column of the file, or the user variable that takes it. */
struct load_item {
    bool              variable;
    struct span       name;
    struct load_item *next;
};

/* Separators are as written in the statement, escapes undone; ptr NULL: not given. */
struct load {
    bool              local, xml, replace, ignore;
    struct span       file;          /* the string literal as written */
    struct path       table;
    uint32_t          charset_at;    /* where CHARACTER SET stands or would stand */
    struct range      charset_range; /* the clause; end 0: none */
    struct span       charset;       /* its name; ptr NULL: DEFAULT or none */
    struct span       field_term, enclosed, escaped, line_start, line_term;
    struct range      ignore_range;  /* IGNORE n LINES; end 0: none */
    uint64_t          ignore_lines;
    struct range      items_range;   /* "(a, @b)"; end 0: none */
    uint32_t          n_items;
    struct load_item *items;
    struct assignment *set;
};

/* Data definition. */

enum key_kind {
    KEY_PLAIN, KEY_PRIMARY, KEY_UNIQUE, KEY_FOREIGN, KEY_FULLTEXT, KEY_SPATIAL, KEY_CHECK,
};

enum ref_action {
    REF_DEFAULT, REF_RESTRICT, REF_CASCADE, REF_SET_NULL, REF_NO_ACTION, REF_SET_DEFAULT,
};

struct references {
    struct path       table;
    struct name_item *columns;
    enum ref_action   on_delete, on_update;
    struct range      range;
};

struct key_part {
    struct span      column;
    uint32_t         length; /* prefix, 0: whole */
    bool             descending;
    struct range     range;
    struct key_part *next;
};

struct key_def {
    enum key_kind      kind;
    struct span        name;        /* of the key */
    struct span        constraint;  /* CONSTRAINT name */
    bool               if_not_exists;
    struct key_part   *parts;
    struct references *references;  /* KEY_FOREIGN */
    struct expr       *check;       /* KEY_CHECK */
    bool               without_overlaps;
    struct range       range;
    struct key_def    *next;
};

struct column_def {
    struct span        name;
    struct range       name_range;
    struct data_type   type;
    bool               not_null, null_given;
    bool               auto_increment, primary, unique, key; /* written at the column */
    bool               serial;        /* SERIAL or SERIAL DEFAULT VALUE */
    struct expr       *default_value; /* NULL: none written; an EXPR_NULL when DEFAULT NULL */
    struct expr       *on_update;
    struct expr       *generated;     /* AS (expr) */
    bool               stored;        /* generated: STORED or PERSISTENT */
    struct expr       *check;
    bool               invisible;
    struct expr       *comment;       /* string literal */
    struct references *references;
    struct range       range;
    bool               first;         /* ALTER: FIRST */
    struct span        after;         /* ALTER: AFTER name */
    struct column_def *next;
};

/* Table (or database) option: the word(s), the value as written. */
struct table_option {
    enum keyword         word;  /* KW_ENGINE, KW_COMMENT, KW_CHARSET, KW_COLLATE ... */
    struct span          value; /* a name unquoted, else the token as written ("'text'", "5") */
    enum token_kind      value_kind;
    struct range         range;
    struct table_option *next;
};

struct create_table {
    bool                 temporary, or_replace, if_not_exists;
    struct path          table;
    struct path          like;       /* CREATE TABLE t LIKE x */
    struct column_def   *columns;
    struct key_def      *keys;
    struct range         body;       /* ( ... ) with the parentheses */
    struct table_option *options;
    struct range         options_range;
    struct range         partition;  /* PARTITION BY ... */
    bool                 system_versioning;
    bool                 ignore, replace; /* before AS SELECT */
    struct query        *query;      /* AS SELECT */
    struct range         query_range;
};

enum alter_kind {
    ALTER_ADD_COLUMN, ALTER_DROP_COLUMN, ALTER_MODIFY_COLUMN, ALTER_CHANGE_COLUMN,
    ALTER_RENAME_COLUMN,
    ALTER_COLUMN_DEFAULT, /* ALTER c SET DEFAULT x, DROP DEFAULT */
    ALTER_ADD_KEY, ALTER_DROP_KEY, ALTER_DROP_PRIMARY, ALTER_DROP_FOREIGN, ALTER_DROP_CONSTRAINT,
    ALTER_RENAME_KEY, ALTER_KEY_VISIBILITY,
    ALTER_RENAME, /* the table: `table` */
    ALTER_OPTION, /* `option` */
    ALTER_CONVERT_CHARSET, ALTER_ORDER_BY, ALTER_KEYS_ENABLED, /* ENABLE/DISABLE KEYS */
    ALTER_TABLESPACE, ALTER_FORCE,
    ALTER_PARTITION,        /* anything about partitions */
    ALTER_SYSTEM_VERSIONING, ALTER_PERIOD,
    ALTER_ALGORITHM, ALTER_LOCK, /* ALGORITHM=, LOCK=, WITH/WITHOUT VALIDATION */
};

struct alter_action {
    enum alter_kind      kind;
    bool                 if_exists;     /* IF EXISTS or IF NOT EXISTS */
    struct span          name;          /* old column, key; charset of CONVERT; ALGORITHM's value */
    struct span          new_name;
    struct column_def   *column;        /* ADD (a list for ADD (a, b)), MODIFY, CHANGE */
    struct key_def      *key;
    struct expr         *default_value; /* ALTER_COLUMN_DEFAULT; NULL: DROP DEFAULT */
    struct table_option *option;
    struct path          table;         /* ALTER_RENAME; EXCHANGE PARTITION p WITH TABLE t */
    struct span          collation;
    struct range         range;
    struct alter_action *next;
};

struct alter_table {
    bool                 ignore, online, if_exists, or_replace;
    struct path          table;
    struct alter_action *actions;
    struct range         actions_range;
};

struct database {
    enum keyword         word; /* KW_CREATE, KW_ALTER, KW_DROP */
    bool                 or_replace, if_exists; /* IF EXISTS or IF NOT EXISTS */
    struct span          name;
    struct range         name_range;
    struct table_option *options;
};

struct create_view {
    bool              or_replace, if_not_exists, alter; /* ALTER VIEW */
    struct path       view;
    struct name_item *columns;
    struct query     *query;
    struct range      query_range;
};

struct stmt {
    enum stmt_kind     kind;
    struct range       range;    /* from the first token to the end of the last */
    enum keyword       word;
    enum keyword       object;   /* KW_TABLE, KW_VIEW, KW_PROCEDURE ... */
    bool               temporary, if_exists, or_replace;
    struct span        name;
    struct path        path;
    struct expr       *expr;
    struct expr       *args;
    struct table_item *tables;
    struct path_item  *names;    /* STMT_UNKNOWN, STMT_OBJECT: what could be a table's name */
    uint32_t           error_at; /* STMT_UNKNOWN: offset of the token that was not expected */
    uint32_t           n_params;
    uint32_t           flags;    /* enum stmt_flags */
    union {
        struct query        *query;
        struct insert       *insert;
        struct update       *update;
        struct delete       *delete;
        struct set          *set;
        struct show         *show;
        struct explain      *explain;
        struct txn           txn;
        struct kill         *kill;
        struct load         *load;
        struct create_table *create_table;
        struct alter_table  *alter_table;
        struct database     *database;
        struct create_view  *create_view;
    };
};

/* Found while parsing, wherever in the statement. */
enum stmt_flags {
    STMT_HAS_SUBQUERY     = 1 << 0,
    STMT_HAS_AGGREGATE    = 1 << 1,
    STMT_HAS_WINDOW       = 1 << 2, /* OVER */
    STMT_HAS_UNION        = 1 << 3,
    STMT_HAS_CTE          = 1 << 4,
    STMT_HAS_USER_VAR     = 1 << 5,
    STMT_HAS_ASSIGN       = 1 << 6,
    STMT_HAS_DERIVED      = 1 << 7, /* a subquery in FROM */
    STMT_HAS_EXEC_COMMENT = 1 << 8, /* ranges may cut an executable comment: lex_blank_comments */
    STMT_HAS_FUNCTION     = 1 << 9, /* any EXPR_FUNC that is not an aggregate */
    STMT_HAS_PERIOD       = 1 << 10, /* FOR SYSTEM_TIME, FOR PORTION OF */
    STMT_HAS_INTO         = 1 << 11,
    STMT_HAS_LOCK         = 1 << 12, /* FOR UPDATE, LOCK IN SHARE MODE */
    STMT_HAS_ROWNUM       = 1 << 13, /* ROWNUM(), ROWNUM in ORACLE's dialect */
};

/* Called for every node, parents before their parts; false skips the parts.
 * Any may be NULL. */
struct visitor {
    bool (*query)(struct visitor *v, struct query *q);
    bool (*table_ref)(struct visitor *v, struct table_ref *t);
    bool (*expr)(struct visitor *v, struct expr *e);
    void *context;
};

/* Visit the expressions, queries and table references of a statement (SELECT, INSERT, UPDATE,
 * DELETE, SET, DO, CALL, EXPLAIN of these, CREATE TABLE ... SELECT, CREATE VIEW; names in other
 * fields, such as insert.table, are the caller's to look at), of a query, of an
 * expression. */
void visit_statement(struct visitor *v, struct stmt *s);
void visit_query(struct visitor *v, struct query *q);
void visit_table_ref(struct visitor *v, struct table_ref *t);
void visit_expr(struct visitor *v, struct expr *e);

/* A value of SET that means the same on every server and asks none of them: literals, also in
 * sums and parentheses, DEFAULT, words such as ON. */
bool expr_is_constant(const struct expr *e);

#endif
