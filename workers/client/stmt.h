/* stmt.h - the prepared statements of a client.
 *
 * The client's ids mean nothing to servers: a statement is prepared where and
 * when it runs (workers/backend/statements.h).
 */
#ifndef WORKERS_CLIENT_STMT_H
#define WORKERS_CLIENT_STMT_H

#include "core/base/buf.h"
#include "core/mysql/command.h"
#include "core/sql/lex.h"

struct row_cursor;

struct stmt_long_data {
    bool       set;
    struct buf bytes;
};

struct prepared {
    struct prepared       *next;      /* in its bucket */
    uint32_t               id;
    struct span            text;      /* owned */
    struct span            for_text;  /* owned: SET STATEMENT ... FOR of it; empty: none */
    char                  *schema;    /* owned: current when it was prepared; NULL: none */
    uint16_t               reading;   /* as it was read: see reading.h */
    enum lex_charset       charset;
    uint32_t               n_params;
    uint16_t              *types;     /* owned [n_params]: as bound last */
    struct stmt_long_data *long_data; /* owned [n_params], or NULL */
    size_t                 long_bytes;
    struct sql_error      *failed;    /* owned: what SEND_LONG_DATA could not say */
    struct row_cursor     *cursor;    /* owned: see workers/query/row_cursor.h */
};

struct stmts {
    struct prepared **buckets; /* owned [n_buckets], by the lowest bits of ids; with statements */
    uint32_t          n_buckets, n;
    uint32_t          last_id;
    size_t            bytes; /* of all texts and long data */
};

struct prepared *stmts_add(struct stmts *s, struct span text, uint32_t n_params);
struct prepared *stmts_find(const struct stmts *s, uint32_t id);
void             stmts_remove(struct stmts *s, uint32_t id);
void             stmts_clear(struct stmts *s);

/* Its rows are not fetched any more. */
void prepared_close_cursor(struct prepared *p);

/* The statement has this many parameters. */
void prepared_set_params(struct prepared *p, uint32_t n);

/* `text` is copied. */
void prepared_set_for(struct stmts *s, struct prepared *p, struct span text);

/* COM_STMT_SEND_LONG_DATA; `limit` bytes for all of the client's statements. */
void prepared_append(struct stmts *s, struct prepared *p, uint16_t param, struct span bytes,
                     size_t limit);

/* COM_STMT_RESET, and after every execution: long data is forgotten. */
void prepared_reset(struct stmts *s, struct prepared *p);

#endif
