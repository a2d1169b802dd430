/* purge.c - see purge.h. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "ctl/move/purge.h"

enum {
    EVERY    = 1000, /* rows deleted between two looks */
    SHORT    = 10,   /* transactions: what is no history to speak of */
    POLL_US  = 5000,
    STUCK_US = 500000, /* without getting shorter: somebody's snapshot holds it */
};

static bool
history(struct server *s, uint64_t *out, struct sql_error *error)
{
    char text[32];

    if (!server_value(s, text, sizeof(text), error,
                      "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS"
                      " WHERE VARIABLE_NAME = 'INNODB_HISTORY_LIST_LENGTH'"))
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

bool
purge_begin(struct purge *p, struct server *s, struct sql_error *error)
{
    uint64_t usual;

    *p = (struct purge){ 0 };
    if (!history(s, &usual, error))
        return false;
    p->limit = usual + usual / 4 + SHORT;
    return true;
}

bool
purge_wait(struct purge *p, struct server *s, uint64_t rows, bool (*stop)(void *), void *arg,
           struct sql_error *error)
{
    uint64_t least = UINT64_MAX, now, since = clock_us();

    p->deleted += rows;
    if (p->deleted < EVERY)
        return true;
    p->deleted = 0;
    for (;;) {
        if (!history(s, &now, error))
            return false;
        if (now < least) {
            least = now;
            since = clock_us();
        }
        if (now <= p->limit || clock_us() - since > STUCK_US || (stop && stop(arg)))
            return true;
        usleep(POLL_US);
    }
}
