/* verify.h - are the rows on the targets those of the source? */
#ifndef CTL_MOVE_VERIFY_H
#define CTL_MOVE_VERIFY_H

#include "ctl/move/flow.h"

struct verify_status {
    uint64_t rows, rows_total;
    unsigned tables, tables_done;
    uint64_t missing, extra, different; /* rows */
    double   seconds;
    json_t  *examples; /* owned, at most 20 of {"table", "key": [...],
                          "what": "missing|extra|different"} */
};

/* The source's snapshot at G against the targets held at exactly G, table by table. The rows
 * are hashed in primary key order; a difference is narrowed to rows. Returns true with nothing
 * missing, extra or different; false with those counted, or with an error of the transport
 * (then the counts are 0). */
bool verify_run(struct move *m, uint32_t source, struct flow *f, struct verify_status *out,
                const atomic_bool *stop, struct sql_error *error) must_check;

#endif
