/* verify.h - are the rows on the targets those of the source? */
#ifndef CTL_MOVE_VERIFY_H
#define CTL_MOVE_VERIFY_H

#include "ctl/move/flow.h"

struct verify_status {
    uint64_t rows, rows_total;
    unsigned tables, tables_done;
    uint64_t missing, extra, different; /* rows */
    double   seconds;
    unsigned replicas;    /* servers that were replicas, in the last round */
    json_t  *examples; /* owned, at most 20 of {"table", "key": [...],
                          "what": "missing|extra|different"} */
};

struct verify_how {
    bool     replicas;   /* rows are read from replicas of the servers where these have all */
    uint64_t rows_per_s; /* of the source, at most; 0: no limit */
    /* What was compared, to go on with: {"<number of a table>": true, or, of a large one of which
     * a part was, the part's last key in hexadecimal digits}. Borrowed; `note` is called when it
     * has changed, by one thread at a time, and it does not change meanwhile. */
    json_t  *done;
    void   (*note)(void *context);
    void    *context;
};

/* The source's snapshot at G against the targets held at exactly G, table by table, large ones in
 * parts. The rows are hashed in primary key order; a difference is narrowed to rows. Returns true
 * with nothing missing, extra or different; false with those counted, or with an error of the
 * transport (then the counts are 0). A difference that replicas show is only one when the primaries
 * show it as well. */
bool verify_run(struct move *m, uint32_t source, struct flow *f, const struct verify_how *how,
                struct verify_status *out, const atomic_bool *stop,
                struct sql_error *error) must_check;

#endif
