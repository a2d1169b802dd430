/* named.h - what a client has prepared by PREPARE name FROM ..., and EXECUTE.
 *
 *   PREPARE    [EVALUATE] --> CHECK --> kept
 *   EXECUTE    [EVALUATE] ------------> RUN
 *   IMMEDIATE  [EVALUATE] --> CHECK --> RUN
 *
 *   EVALUATE   what is no constant and no user variable becomes one: SET @x = ...
 *   CHECK      a server prepares it (COM_STMT_PREPARE), so that what is wrong with the
 *              statement is told in its words, and says how many parameters it has
 *   RUN        as any other statement; one with parameters is sent as
 *              EXECUTE IMMEDIATE '...' USING ..., so that they are typed by the server
 *
 * The names are the client's and no server knows them: nothing is pinned by them. Only RUN
 * answers to the client.
 */
#ifndef WORKERS_CLIENT_NAMED_H
#define WORKERS_CLIENT_NAMED_H

#include "core/base/buf.h"
#include "core/sql/lex.h"

struct client;
struct query_run;

struct named {
    struct named      *next;
    struct span        name, text, schema; /* behind it, in one block; schema empty: none */
    uint16_t           reading;            /* as it was read: see reading.h */
    enum lex_charset   charset;
    uint32_t           n_params;
};

/* Newest first; names compare without case. */
struct named_list {
    struct named *first; /* owned */
    uint32_t      n;
    size_t        bytes; /* of all texts */
};

struct named *named_find(const struct named_list *l, struct span name);
/* Everything is copied; one of the same name is not there. */
void named_add(struct named_list *l, const struct named *from);
bool named_remove(struct named_list *l, struct span name);
void named_clear(struct named_list *l);

/* Run `q`, whose plan is a PLAN_NAMED; `q` is the function's from here on. */
void client_named(struct client *c, struct query_run *q);

/* A QUERY_NAMED with its plan: what that needs of it. */
void client_named_fit(struct client *c, struct query_run *q);

/* A statement of the client has ended that client_named() started; `q` is still there.
 * True: it was not the last one, and client_named_next() goes on when `q` is freed. */
bool client_named_done(struct client *c, const struct query_run *q) must_check;
void client_named_next(struct client *c);

/* The client is gone. */
void client_named_free(struct client *c);

#endif
