/* apply_state.h - what client_apply*.c share; not for others. See apply.h. */
#ifndef WORKERS_CLIENT_APPLY_STATE_H
#define WORKERS_CLIENT_APPLY_STATE_H

#include "workers/client/apply.h"
#include "workers/client/client.h"
#include "workers/query/change.h"
#include "workers/query/diagnostics.h"
#include "workers/query/lookup.h"

enum { APPLY_COUNTS = 3 };

enum apply_step {
    APPLY_BEGIN, APPLY_READ, APPLY_NOW, APPLY_BEHIND, APPLY_END, APPLY_UNDO, APPLY_STEPS,
};

/* Behind each statement that writes tables with lookups. */
enum apply_lookups { LOOKUPS_NONE, LOOKUPS_DUE, LOOKUPS_TAKE, LOOKUPS_WRITE };

struct client_apply {
    struct client   *client;
    struct stream   *out;        /* where the answer goes */
    void           (*done)(struct query_run *q);
    struct query_run *q;         /* the client's statement: to run, or done; NULL while it runs */
    enum apply_step        step;
    const char      *texts[APPLY_STEPS]; /* what is said around the writes; NULL: nothing */
    struct arena     arena;
    struct changing  changing;
    const struct change_statement *at; /* under way */
    bool             keeps;      /* tables with lookups are written */
    bool             plain;      /* the client's statement runs on the shards itself */
    enum apply_lookups       lookups;
    struct taking            taking;
    struct lookup_statement *lookup; /* under way */
    struct stream    sink;       /* answers that are not for the client yet */
    struct buf       answer;     /* what it gets: packets */
    struct diagnostics_kept kept;
    enum change_verb verb;
    bool             returning, more, generates;
    enum query_command command;
    double           now_s;
    uint64_t         records, affected, duplicates, insert_id;
    uint32_t          n_numbers; /* of sequences, for the next statement */
    const struct span *numbers;
    bool             failed;
    struct sql_error error;
};

/* The payload of the last of whole packets. */
struct span apply_last_packet(struct span packets);

/* The answer that was kept, to the client: rows of RETURNING; or the sum of what was done. */
void apply_send_rows(struct client_apply *k);
void apply_send_ok(struct client_apply *k);

/* The statement is undone; the first error is told. */
void apply_fail(struct client_apply *k, const struct sql_error *error);
void apply_fail_with(struct client_apply *k, const char *text);

/* Numbers of sequences: a SELECT has been answered; the statement with them in its holes. */
void        apply_take_numbers(struct client_apply *k);
struct span apply_fill(struct client_apply *k, const struct change_statement *s);

#endif
