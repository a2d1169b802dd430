/* apply_batch.c - several transactions of the source as one of the target.
 *
 * The order of what is written: the position first, so that whoever reads it waits for us; then
 * keys, because an application that must not see the rows reads the keys first, and holds locks
 * on their gaps; then rows; and before COMMIT the source has the keys that it will have to hide.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/move/apply_internal.h"

/* Rows that the batch applies, in order. */
struct steps {
    struct apply         *apply;
    const struct parcel **at;
    size_t                n, room;
};

static _Thread_local struct steps *collecting;

static bool
add_step(struct apply *a, const struct parcel *rows, struct sql_error *error)
{
    struct steps *s = collecting;

    (void)a;
    (void)error;
    if (s->n == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->at   = mem_resize(s->at, s->room * sizeof(const struct parcel *));
    }
    s->at[s->n++] = rows;
    return true;
}

static bool
plan(struct apply *a, struct list *items, struct steps *steps, struct sql_error *error)
{
    collecting = steps;
    LIST_EACH(at, items)
        if (!branch_item(a, container_of(at, struct item, node), add_step, error))
            return false;
    return true;
}

/* Where the source's log will have been applied to. */
static void
target_position(const struct apply *a, const struct list *items, char out[GTID_TEXT_MAX])
{
    const struct item *last = container_of(items->prev, struct item, node);
    struct gtid_set    set  = a->position;

    for (unsigned i = 0; i < last->n_position; i++)
        if (!gtid_add(&set, last->position[i]))
            break;
    gtid_print(&set, out);
}

/* Only from where we know it to be: two appliers of one stream do not pass here. */
static bool
write_position(struct apply *a, const char *text, struct sql_error *error)
{
    if (strcmp(text, a->stored) == 0)
        return true;
    if (!server_run(&a->server, error,
                    "UPDATE %s.stream SET position = '%s' WHERE job = %lld AND source = %u AND "
                    "target = %u AND position = '%s'", ROUTES_MOVE_SCHEMA, text,
                    (long long)a->move->job, a->source, a->target, a->stored))
        return false;
    if (a->server.affected == 1)
        return true;
    return sql_error_set(error, APPLY_FATAL, "shardd: the position of job %lld on shard %s is not "
                         "what it was: another controller moves the same rows; stop one of them",
                         (long long)a->move->job, a->server.name);
}

static bool
describe(struct apply *a, struct sql_error *error)
{
    if (a->described)
        return true;
    if (!a->has_batch)
        return sql_error_set(error, APPLY_FATAL, "shardd: the binary log of shard %u did not begin "
                             "with its format", a->source);
    buf_clear(&a->sql);
    binlog_statement(&a->sql, buf_unread(&a->description));
    a->described = apply_put(a, error);
    return a->described;
}

static bool
write_keys(struct apply *a, const struct steps *s, struct sql_error *error)
{
    a->n_present = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!apply_keys_of(a, s->at[i], error))
            return false;
    return apply_keys_flush(a, error) && apply_leaving_flush(a, error);
}

static bool
write_table(struct apply *a, const struct steps *s, uint32_t table, bool one_by_one,
            struct sql_error *error)
{
    for (size_t i = 0; i < s->n; i++)
        if (!apply_rows_of(a, s->at[i], table, one_by_one, error))
            return false;
    return true;
}

static bool
any_spilled(const struct steps *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i]->spilled > 0)
            return true;
    return false;
}

/* In the order of the log, but for this: in one transaction, without triggers and foreign keys,
 * tables do not see one another, and rows of one table make few large events. */
static bool
write_rows(struct apply *a, const struct steps *s, bool one_by_one, struct sql_error *error)
{
    bool by_table = a->n_present <= APPLY_TABLES_MAX && !one_by_one && !any_spilled(s);

    if (!by_table && !write_table(a, s, APPLY_ALL_TABLES, one_by_one, error))
        return false;
    for (unsigned i = 0; by_table && i < a->n_present; i++)
        if (!write_table(a, s, a->present[i], false, error))
            return false;
    return apply_rows_flush(a, error);
}

/* Up to the COMMIT. */
static bool
write_batch(struct apply *a, struct list *items, const char *text, bool one_by_one,
            struct sql_error *error)
{
    struct steps steps = { .apply = a };
    bool         ok    = server_run(&a->server, error, "START TRANSACTION") &&
              write_position(a, text, error) && plan(a, items, &steps, error) &&
              (steps.n == 0 || (describe(a, error) && write_keys(a, &steps, error) &&
                                write_rows(a, &steps, one_by_one, error))) &&
              branch_write(a, error);

    free(steps.at);
    return ok;
}

static void
undo(struct apply *a)
{
    struct sql_error ignored;

    apply_rows_reset(a);
    branch_undone(a);
    if (a->server.mysql && !server_run(&a->server, &ignored, "ROLLBACK"))
        a->described = false;
}

bool
apply_batch(struct apply *a, struct list *items, struct sql_error *error)
{
    char text[GTID_TEXT_MAX];

    target_position(a, items, text);
    bool ok = write_batch(a, items, text, false, error);
    if (!ok && apply_is_bad_row(error)) { /* again, to know which row it is */
        undo(a);
        ok = write_batch(a, items, text, true, error);
    }
    if (!ok) {
        undo(a);
        return false;
    }
    snprintf(a->attempt, sizeof(a->attempt), "%s", text);
    return server_run(&a->server, error, "COMMIT");
}
