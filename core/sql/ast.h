/* ast.h - expressions and queries as the parser leaves them.
 *
 * All of it lives in the statement's arena; names are spans into the text or,
 * when they needed unquoting, into the arena. Lists are linked by `next`.
 * Every node has its range [start, end) of bytes in the text, so that a caller
 * copies the original instead of writing SQL anew. An absent part is NULL, an
 * absent name has ptr == NULL, an absent range is empty (start == end == 0).
 *
 *   query (BLOCK) ── items ── select_item ── expr ── args ── expr ...
 *        │        └─ from ── table_ref (JOIN) ── left, right, on
 *        └─ where, group_by, having, order_by, limit
 *   query (UNION) ── parts ── query ── query ...
 *
 * statement.h has the statements around them.
 */
#ifndef CORE_SQL_AST_H
#define CORE_SQL_AST_H

#include "core/sql/lex.h"

#define AST_NO_ORDINAL UINT32_MAX

struct range {
    uint32_t start, end;
};

/* A column, table or routine: [schema.][table.]name */
struct path {
    struct span  schema, table, name; /* of a table or routine: schema and name only */
    struct range range;
};

/* One name in a list of names. */
struct name_item {
    struct span       name;
    struct range      range;
    struct name_item *next;
};

enum expr_kind {
    EXPR_LITERAL,     /* `literal` kind; `ordinal` among the digest's literals, or AST_NO_ORDINAL
                         when the digest keeps it as text; `introducer`. args: further adjacent
                         strings ('a' 'b' is one value), each an EXPR_LITERAL */
    EXPR_TEMPORAL,    /* DATE '...', TIME '...', TIMESTAMP '...': `word`; args: the string */
    EXPR_PARAM,       /* ? : `ordinal` among the statement's parameters, in order of appearance */
    EXPR_NULL,
    EXPR_BOOL,        /* TRUE, FALSE: `word` */
    EXPR_DEFAULT,     /* DEFAULT, or DEFAULT(column): args */
    EXPR_COLUMN,      /* `path` */
    EXPR_STAR,        /* * or t.* or s.t.*: `path` has the qualifiers in schema and table */
    EXPR_USER_VAR,    /* @v : `name` */
    EXPR_SYSTEM_VAR,  /* @@v, @@scope.v : `name` = v (a.b.c for dotted ones), `word` = KW_GLOBAL,
                         KW_SESSION, KW_LOCAL or NO_KEYWORD */
    EXPR_ASSIGN,      /* @v := x : args v, x */
    EXPR_UNARY,       /* `op`; args x */
    EXPR_BINARY,      /* `op`; args a, b */
    EXPR_AND,         /* flattened: args x, y, z ... */
    EXPR_OR,          /* flattened */
    EXPR_BETWEEN,     /* args x, low, high; `negated` */
    EXPR_IN,          /* args x, then the list, or an EXPR_SUBQUERY as the only one; `negated` */
    EXPR_LIKE,        /* args x, pattern [, escape]; `negated` */
    EXPR_IS,          /* args x; `word` = KW_NULL, KW_TRUE, KW_FALSE, KW_UNKNOWN; `negated` */
    EXPR_ROW,         /* (a, b) or ROW(a, b): args */
    EXPR_PAREN,       /* (x): args x */
    EXPR_CASE,        /* args: [operand,] (when, then)..., [else]; see has_operand, has_else */
    EXPR_CAST,        /* CAST(x AS type), CONVERT(x, type): args x; `type` */
    EXPR_CONVERT,     /* CONVERT(x USING charset): args x; `name` = charset */
    EXPR_COLLATE,     /* x COLLATE name: args x; `name` */
    EXPR_INTERVAL,    /* INTERVAL x unit: args x; `word` = the unit. Only as an operand of + - and
                         as an argument of DATE_ADD and the like */
    EXPR_FUNC,        /* `func` */
    EXPR_EXISTS,      /* args: one EXPR_SUBQUERY */
    EXPR_QUANTIFIED,  /* x op ANY/ALL (query): args x, EXPR_SUBQUERY; `op`; `word` = KW_ANY or
                         KW_ALL */
    EXPR_SUBQUERY,    /* `query` */
    EXPR_MATCH,       /* MATCH (cols) AGAINST (x ...): args: x, then the columns */
    EXPR_ODBC,        /* {d '...'} : args x */
};

enum expr_op {
    EXPR_OP_NONE,
    EXPR_OP_EQUAL, EXPR_OP_NULL_SAFE_EQUAL, EXPR_OP_NOT_EQUAL,
    EXPR_OP_LESS, EXPR_OP_LESS_EQUAL, EXPR_OP_GREATER, EXPR_OP_GREATER_EQUAL,
    EXPR_OP_REGEXP, EXPR_OP_NOT_REGEXP, EXPR_OP_SOUNDS_LIKE, EXPR_OP_MEMBER,
    EXPR_OP_XOR,
    EXPR_OP_PLUS, EXPR_OP_MINUS, EXPR_OP_TIMES, EXPR_OP_DIVIDE, EXPR_OP_DIV, EXPR_OP_MOD,
    EXPR_OP_BIT_OR, EXPR_OP_BIT_AND, EXPR_OP_BIT_XOR, EXPR_OP_SHIFT_LEFT, EXPR_OP_SHIFT_RIGHT,
    EXPR_OP_CONCAT,                          /* || under pipes_as_concat */
    EXPR_OP_JSON, EXPR_OP_JSON_TEXT,         /* -> ->> (MariaDB refuses them) */
    EXPR_OP_NOT, EXPR_OP_NEGATE, EXPR_OP_IDENTITY, EXPR_OP_INVERT, EXPR_OP_BINARY, /* unary */
};

enum func_class {
    FUNC_PLAIN,     /* also a stored function */
    FUNC_AGGREGATE, /* COUNT SUM MIN MAX AVG STD.. VAR.. BIT_AND/OR/XOR GROUP_CONCAT JSON_ARRAYAGG
                       JSON_OBJECTAGG, without OVER */
    FUNC_WINDOW,    /* anything with OVER */
};

/* The arguments are expr.args; COUNT(*) has an EXPR_STAR. The keyword words of
 * TRIM(LEADING a FROM b), EXTRACT(unit FROM x), POSITION(a IN b), CHAR(x USING c),
 * WEIGHT_STRING(x AS CHAR(n)), GET_FORMAT, TIMESTAMPADD(unit, ...) are skipped. */
struct func {
    enum func_class    klass;
    struct path        name;      /* COUNT, schema.f ... as written */
    enum keyword       keyword;   /* of `name` when it is one */
    bool               distinct;
    struct order_item *order_by;  /* GROUP_CONCAT(... ORDER BY ...) */
    struct limit      *limit;     /* GROUP_CONCAT(... LIMIT ...) */
    struct span        separator; /* GROUP_CONCAT: the string literal as written */
    struct window     *over;
};

struct expr {
    uint8_t      kind;      /* enum expr_kind */
    uint8_t      op;        /* enum expr_op */
    uint16_t     height;    /* of the tree below, at most PARSE_DEPTH_MAX */
    uint16_t     word;      /* enum keyword */
    uint8_t      literal;   /* enum token_kind */
    bool         negated;     /* NOT IN, NOT LIKE, NOT BETWEEN, IS NOT */
    bool         has_operand; /* EXPR_CASE */
    bool         has_else;
    uint32_t     start, end;
    uint32_t     ordinal;
    uint32_t     n_args;
    struct expr *args;      /* linked by next */
    struct expr *next;      /* sibling in the list this is a member of */
    union {
        struct path  *path;
        struct func  *func;
        struct query *query;
        struct span  *name;
        struct span  *introducer; /* EXPR_LITERAL: "_utf8mb4" as written, or NULL */
        struct data_type *type;
    };
};

struct order_item {
    struct expr       *expr;
    bool               descending;
    struct range       range;
    struct order_item *next;
};

struct limit {
    struct expr *count;         /* NULL: one row where `one_row`, else as many as there are */
    bool         one_row;       /* FETCH FIRST ROW, without a number */
    struct expr *offset;        /* NULL: none */
    struct expr *rows_examined; /* LIMIT ROWS EXAMINED n */
    bool         with_ties;     /* FETCH FIRST n ROWS WITH TIES */
    struct range range;         /* with its keyword */
};

struct window {
    struct span        name;    /* OVER name, or the base of OVER (name ...), or WINDOW name AS */
    struct expr       *partition_by;
    struct order_item *order_by;
    struct expr       *frame;   /* the bounds' expressions, linked */
    struct range       range;
    struct window     *next;
};

struct select_item {
    struct expr        *expr;
    struct span         alias;
    struct range        range;  /* with the alias */
    struct select_item *next;
};

enum table_ref_kind {
    TABLE_REF_TABLE,    /* `table` */
    TABLE_REF_SUBQUERY, /* `query` */
    TABLE_REF_JOIN,     /* left, right */
    TABLE_REF_FUNCTION, /* JSON_TABLE(...): args */
    TABLE_REF_VALUES,   /* (VALUES (1),(2)): `query` */
};

enum join_kind {
    JOIN_COMMA, JOIN_INNER, /* JOIN, INNER JOIN, CROSS JOIN */
    JOIN_STRAIGHT, JOIN_LEFT, JOIN_RIGHT,
};

struct table_ref {
    enum table_ref_kind kind;
    struct range        range; /* whole, with alias, hints, parentheses */
    struct span         alias; /* TABLE, SUBQUERY, FUNCTION */
    struct path         table;
    struct range        partition;   /* PARTITION (...) */
    struct range        hints;       /* USE/FORCE/IGNORE INDEX ... */
    bool                system_time; /* FOR SYSTEM_TIME ...: */
    struct range        period;
    struct query       *query;
    struct name_item   *columns;     /* SUBQUERY: alias (a, b) */
    struct expr        *args;        /* FUNCTION */
    enum join_kind      join;
    bool                natural;
    struct table_ref   *left, *right;
    struct expr        *on;
    struct name_item   *using_columns;
    struct table_ref   *next;        /* in lists (DELETE t1, t2) */
};

struct cte {
    struct span       name;
    struct range      range;
    struct name_item *columns;
    struct query     *query;
    struct cte       *next;
};

struct into {
    enum keyword kind;    /* KW_OUTFILE, KW_DUMPFILE, or KW_INTO for variables */
    struct expr *targets; /* variables */
    struct range range;
};

enum query_kind {
    QUERY_BLOCK,  /* SELECT ... */
    QUERY_VALUES, /* VALUES (1),(2): rows */
    QUERY_UNION,  /* parts joined by UNION, EXCEPT, INTERSECT; one part: a query in parentheses
                     that has clauses of its own around it */
};

enum lock_kind { LOCK_NO, LOCK_UPDATE, LOCK_SHARE };
enum lock_wait { LOCK_WAIT_DEFAULT, LOCK_WAIT_NO, LOCK_WAIT_SKIP, LOCK_WAIT_SECONDS };

struct query {
    enum query_kind     kind;
    struct range        range;       /* without parentheses around it */
    struct range        outer_range; /* with them */
    struct cte         *with;
    bool                recursive;

    /* QUERY_BLOCK */
    bool                distinct;
    bool                straight_join, calc_found_rows, high_priority;
    struct range        options;     /* DISTINCT, SQL_... behind SELECT */
    struct select_item *items;
    uint32_t            n_items;
    struct range        items_range; /* without SELECT */
    struct table_ref   *from;        /* NULL: none, or DUAL */
    struct range        from_range;  /* with its keyword, as all that follow */
    struct expr        *where;
    struct range        where_range;
    struct order_item  *group_by;
    bool                with_rollup;
    struct range        group_range;
    struct expr        *having;
    struct range        having_range;
    struct window      *windows;
    struct range        window_range;

    /* QUERY_VALUES */
    struct row         *rows;

    /* QUERY_UNION: first part, ... each with its operator to the one before it */
    struct query       *parts;
    enum keyword        set_op;      /* part but the first: KW_UNION, KW_EXCEPT, KW_INTERSECT */
    bool                set_all;
    struct query       *next;        /* part */

    /* any kind */
    struct order_item  *order_by;
    struct range        order_range;
    struct limit       *limit;
    struct into        *into;
    enum lock_kind      lock;
    enum lock_wait      lock_wait;
    struct range        lock_range;
};

/* (a, b, c) of VALUES. */
struct row {
    struct expr *values; /* linked; NULL: () */
    uint32_t     n_values;
    struct range range;  /* with the parentheses */
    struct row  *next;
};

/* A type as in CREATE TABLE or CAST. */
struct data_type {
    struct span  name;      /* as written, one or more words: "int", "double precision" */
    enum keyword keyword;   /* its first word */
    uint32_t     length;    /* (n) or (n, m); 0: none */
    uint32_t     scale;
    bool         has_length, has_scale;
    bool         is_unsigned, zerofill, binary, national;
    struct expr *members;   /* ENUM and SET: string literals */
    struct span  charset, collation; /* CHARACTER SET x, COLLATE y; also ASCII, UNICODE */
    struct range range;
};

#endif
