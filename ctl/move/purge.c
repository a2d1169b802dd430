/* purge.c - see purge.h. */
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "ctl/move/purge.h"

enum {
    EVERY    = 2000, /* rows deleted between two looks */
    SHORT    = 10,   /* transactions: what is no history to speak of */
    POLL_US  = 10000,
    STUCK_US = 500000, /* without getting further: somebody's snapshot holds it */
};

static bool
number_behind(struct span text, const char *words, uint64_t *out)
{
    const uint8_t *at  = memmem(text.ptr, text.len, words, strlen(words));
    const uint8_t *end = text.ptr + text.len;

    if (!at)
        return false;
    *out = 0;
    for (at += strlen(words); at < end && *at >= '0' && *at <= '9'; at++)
        *out = *out * 10 + (uint64_t)(*at - '0');
    return true;
}

bool
purge_read(struct span status, struct purge_state *out)
{
    return number_behind(status, "\nTrx id counter ", &out->next) &&
           number_behind(status, "\nPurge done for trx's n:o < ", &out->done) &&
           number_behind(status, "\nHistory list length ", &out->left);
}

/* A server that does not tell it is not waited for. */
static bool
ask(struct server *s, struct purge_state *out, struct sql_error *error)
{
    json_t       *rows = server_rows(s, error, "SHOW ENGINE INNODB STATUS");
    const json_t *text = json_array_get(json_array_get(rows, 0), 2);
    struct span   span = { (const uint8_t *)json_string_value(text), json_string_length(text) };

    if (rows && (!span.ptr || !purge_read(span, out)))
        *out = (struct purge_state){ .left = 0 };
    json_decref(rows);
    return rows != NULL;
}

bool
purge_wait(struct purge *p, struct server *s, uint64_t rows, bool (*stop)(void *), void *arg,
           struct sql_error *error)
{
    struct purge_state is;
    uint64_t           wanted = 0, before = 0, since = clock_us();

    p->deleted += rows;
    if (p->deleted < EVERY)
        return true;
    p->deleted = 0;
    for (;;) {
        if (!ask(s, &is, error))
            return false;
        if (wanted == 0)
            wanted = is.next;
        if (is.done > before) {
            before = is.done;
            since  = clock_us();
        }
        if (is.done >= wanted || is.left <= SHORT || clock_us() - since > STUCK_US ||
            (stop && stop(arg)))
            return true;
        usleep(POLL_US);
    }
}
