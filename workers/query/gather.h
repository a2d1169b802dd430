/* gather.h - a read that no shard can answer: what query_gather*.c share; not for others.
 *
 *   ASKING      how the tables look, where that is not known (definitions.h)
 *   OPENING     a snapshot of the shards, when reads want one
 *   LOADING     shards --rows--> lines --LOAD DATA--> temporary tables of the engine
 *                 each shard is asked for all its parts at once; the engine takes one table
 *                 after the other; whoever is ahead of it is paused. Tables whose rows
 *                 matter only beside those of others come in a later wave
 *   ANSWERING   the client's statement on the engine; its answer is relayed
 *   OVER
 *
 * The engine's connection is brought to a neutral state first (gather_neutral()), filled, and
 * then brought to the session's. It goes back to its pool when DROP TEMPORARY TABLE has been
 * answered; whatever goes wrong before that closes it, and the tables go with it.
 *
 * Before ANSWERING the client has heard nothing: any failure is an error of the statement.
 */
#ifndef WORKERS_QUERY_GATHER_H
#define WORKERS_QUERY_GATHER_H

#include "core/mysql/load_line.h"
#include "core/route/gather.h"
#include "core/route/change_text.h"
#include "core/route/gather_define.h"
#include "core/route/join_values.h"
#include "workers/query/change.h"
#include "workers/query/definitions.h"
#include "workers/query/leg.h"

struct gathering;
struct source;

/* One table's part on one shard. */
struct fetch {
    struct exchange   x, prepare;
    struct gathering *g;
    struct leg       *leg;
    struct source    *source;
    struct span       text;
    uint32_t          n_got; /* column definitions */
    bool              prepared;
    uint32_t          statement; /* when it is */
    uint8_t          *forms; /* for `line` */
    struct column    *columns;
    struct load_line  line;
};

/* A leg's fetches, asked for back to back when what has values is prepared. */
struct way {
    struct fetch *fetches;
    uint32_t      n, at; /* at: the one whose answer comes now */
    uint32_t      n_preparing;
};

/* The values of a column, for tables of later waves. */
struct told {
    uint32_t           column; /* of the routes' table */
    uint32_t           at;     /* in a row of the copy */
    struct join_values values;
};

/* One table. */
struct source {
    struct gathering          *g;
    const struct gather_table *table;
    struct definition_request  request;
    struct definition         *definition; /* a reference of ours */
    struct gather_copy         copy;
    struct shard_set           shards;
    struct span                text, text_end; /* of the fetch; conditions stand between */
    uint32_t                   n_told;
    struct told               *told;
    bool                       begun; /* its wave has */
    const struct param_value  *params;
    uint32_t                   n_params;
    bool                       prepared; /* by the binary protocol: so come its rows */
    uint32_t                   n_open; /* fetches whose answer is not complete */
    enum gather_engine         engine;
    enum gather_engine         large;  /* what it is made when it is not small any more */
    uint32_t                   width;
    struct buf                 lines;  /* not sent yet */
    uint64_t                   n_lines;  /* taken for the load that is under way or comes */
    uint64_t                   n_sent;   /* all lines of a load that waits for its answer */
    uint64_t                   n_stored; /* by loads before it */
    struct exchange            create;
};

enum gather_state {
    GATHER_ASKING, GATHER_OPENING, GATHER_LOADING, GATHER_ANSWERING, GATHER_OVER,
};

struct gathering {
    struct query_run         *q;
    const struct gather_spec *spec;
    enum gather_state         state;
    struct leg                engine;
    struct source            *sources; /* [spec->n_tables) */
    struct way               *ways;    /* [q->n_legs) while LOADING */
    uint32_t                  wave;
    uint32_t                  n_asked; /* definitions still to come */

    /* LOADING */
    uint32_t at;        /* the source that is loaded */
    bool     filling;   /* the engine's connection has been told to make the tables */
    bool     loading;   /* LOAD DATA was said, and not answered */
    bool     wanted;    /* the engine wants lines */
    bool     full;      /* ... but not now */
    bool     loaded;    /* all of it */
    bool     legs_over, reads_over, engine_ready;
    uint8_t  seq;
    uint64_t n_rows, n_bytes;
    struct exchange neutral, restore;
    struct timer    deadline;

    struct change_table *changes; /* [change->n_targets): it is a write */
    uint32_t             n_read;  /* of these: what has become of them is known */
    struct change_writer writer;  /* of the one that is read */
    struct buf           head, tail; /* of an INSERT's writer */

    bool             weakly; /* ... because of a replica: it begins anew on primaries */
    bool             failed;
    bool             ended;  /* what ends the statement has begun */
    struct sql_error error;
    unsigned         inside; /* calls of ours under way: no end before they return */
};

/* ---- query_gather.c ---- */

/* Around everything that may end the statement: it does at the outermost leave. */
void gather_enter(struct gathering *g);
void gather_leave(struct gathering *g);

/* It has failed: nothing more is fetched or loaded. Inside. */
void gather_stop(struct gathering *g, const struct sql_error *why);

/* The exchange hears no more of its backend: others on it have been told that it is lost, and
 * the statement may end with that. */
static inline void
gather_forget(struct exchange *x)
{
    if (x->armed)
        list_remove(&x->node);
    x->armed = false;
}

/* Nobody waits for the engine any more. */
void gather_drop_engine(struct gathering *g, const struct sql_error *why);

/* ---- query_gather_fetch.c ---- */

/* The sources' texts; false: it has failed. */
bool gather_render(struct gathering *g) must_check;
void gather_fetch(struct gathering *g); /* of g->wave */

/* Who may send now, and who not. */
void gather_flow(struct gathering *g);

/* All its rows are here. */
static inline bool
source_is_read(const struct source *source)
{
    return source->begun && source->n_open == 0;
}

/* ---- query_gather_join.c ---- */

/* When copies are described: which values are wanted. And their end. */
void gather_listen(struct gathering *g);
void gather_forget_told(struct gathering *g);

/* A row that was taken; false: it is malformed. */
bool gather_note(struct fetch *f, struct span row) must_check;

/* When the waves before are over: the shards that may have rows, and what else is said to one. */
void gather_narrow(struct source *source);
void gather_conditions(const struct source *source, uint32_t shard, struct buf *out);

/* ---- query_gather_load.c ---- */

void gather_fill(struct gathering *g);

/* Lines were added, or a part is complete. */
void gather_push(struct gathering *g);

/* ---- query_gather_answer.c ---- */

void gather_answer(struct gathering *g);

/* It is over; the connection goes back where there still is one. */
void gather_ended(struct gathering *g);

/* The engine does not take the statement. */
void gather_refused(struct gathering *g, const struct sql_error *why);

#endif
