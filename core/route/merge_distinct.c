/* merge_distinct.c - see merge_internal.h: DISTINCT.
 *
 * Keys are remembered as long as there is room. From then on a row whose key is not among them
 * waits in a file, by hash of the key; each part is gone through behind the last row, with a
 * memory of its own. Where rows come in order, that order's columns are among the distinct ones,
 * so equal rows are equal there too: what waits is gone through before the order goes on.
 */
#include <stdlib.h>

#include "core/route/merge_internal.h"

static size_t
room(const struct merge *m)
{
    return m->may_spill ? m->memory_limit / 4 : m->memory_limit;
}

static bool
make_key(struct merge *m, const struct merge_key *keys, uint32_t n, struct buf *out)
{
    buf_clear(out);
    for (uint32_t i = 0; i < n; i++) {
        struct sort_value v;
        if (!sort_value_make(&keys[i], m->types, m->protocol, m->fields, &v))
            return false;
        sort_value_canonical(&keys[i], m->types, &v, out);
    }
    return true;
}

static bool
is_distinct(const struct merge *m, uint32_t column)
{
    for (uint32_t i = 0; i < m->spec.n_distinct; i++)
        if (m->spec.distinct_keys[i].column == column)
            return true;
    return false;
}

/* Whether rows may wait: not when another row's place would be theirs. */
static bool
may_wait(const struct merge *m)
{
    for (uint32_t i = 0; i < m->spec.n_order; i++)
        if (!is_distinct(m, m->spec.order[i].column))
            return false;
    return m->may_spill;
}

static enum seen
keep_for_later(struct merge *m, struct span key, struct span row)
{
    struct distinct_work *d      = &m->distinct;
    int failed = spill_put(&m->file, spill_part(&d->parts, d->level, key), row);
    if (failed == 0)
        return SEEN_LATER;
    merge_file_failed(m, failed);
    return SEEN_BAD;
}

/* The first bytes of a row that waits: its distinct key, so that it is not made anew. */
static enum seen
seen_key(struct merge *m, struct span key, struct span row)
{
    struct distinct_work *d = &m->distinct;
    bool                  added;
    if (d->full)
        return key_set_has(&m->seen, key) ? SEEN_BEFORE : keep_for_later(m, key, row);
    key_set_add(&m->seen, key, &added);
    if (!added)
        return SEEN_BEFORE;
    if (key_set_memory(&m->seen) > room(m)) {
        if (!may_wait(m) || d->level >= SPILL_LEVELS) {
            merge_too_large(m);
            return SEEN_BAD;
        }
        d->full = true;
        /* Only now the order is looked at: what came before is all in `seen`. */
        d->in_order = m->spec.n_order > 0;
        if (d->in_order && !d->reading &&
            !make_key(m, m->spec.order, m->spec.n_order, &d->order))
            return SEEN_BAD;
    }
    return SEEN_NEW;
}

enum seen
merge_seen(struct merge *m, struct span row)
{
    if (!make_key(m, m->spec.distinct_keys, m->spec.n_distinct, &m->key))
        return SEEN_BAD;
    return seen_key(m, buf_unread(&m->key), row);
}

static void
forget(struct merge *m)
{
    struct distinct_work *d = &m->distinct;
    key_set_fini(&m->seen);
    d->full = false;
}

/* The next row that has waited. MERGE_DONE: none is left. */
static enum merge_status
waited(struct merge *m, struct span *row)
{
    struct distinct_work *d = &m->distinct;
    for (;;) {
        int got = spill_get(&m->file, &d->now.run, &d->row);
        if (got == 1) {
            *row = buf_unread(&d->row);
            return MERGE_ROW;
        }
        if (got == 0)
            got = spill_parts_close(m, &d->parts, d->level + 1, &d->tasks);
        if (got != 0)
            return merge_file_failed(m, got);
        forget(m);
        if (!spill_task_next(&d->tasks, &d->now))
            break;
        d->level = d->now.level;
    }
    d->reading = false;
    d->level   = 0;
    return MERGE_DONE;
}

/* Whether this row's place in the order is behind those that wait. */
static enum merge_status
look_at_order(struct merge *m, struct span row, bool *later)
{
    struct distinct_work *d = &m->distinct;
    if (!field_split(row, m->protocol, m->types, m->n_columns, m->n_visible, m->fields, NULL) ||
        !make_key(m, m->spec.order, m->spec.n_order, &m->key))
        return merge_malformed(m);
    *later = !span_equal(buf_unread(&m->key), buf_unread(&d->order));
    return MERGE_ROW;
}

static enum merge_status
read_parts(struct merge *m, struct span *row)
{
    struct distinct_work *d = &m->distinct;
    d->reading              = true;
    d->now                  = (struct spill_task){ 0 };
    return waited(m, row);
}

enum merge_status
merge_distinct_next(struct merge *m, enum merge_status s, struct span *row, size_t *visible_end)
{
    struct distinct_work *d     = &m->distinct;
    bool                  later = false;
    if (d->reading) {
        s = waited(m, row);
        if (s != MERGE_DONE || d->ended)
            return s;
    } else if (s == MERGE_DONE && d->full) {
        d->ended = true;
        return read_parts(m, row);
    } else if (s == MERGE_ROW && d->full && d->in_order) {
        if (look_at_order(m, *row, &later) != MERGE_ROW)
            return MERGE_ERROR;
        if (!later)
            return MERGE_ROW;
        d->held     = true;
        d->held_row = *row;
        d->held_end = *visible_end;
        s           = read_parts(m, row);
    }
    if (s == MERGE_DONE && d->held) {
        d->held      = false;
        *row         = d->held_row;
        *visible_end = d->held_end;
        return MERGE_ROW;
    }
    return s;
}

void
merge_distinct_fini(struct merge *m)
{
    struct distinct_work *d = &m->distinct;
    spill_parts_drop(m, &d->parts);
    spill_tasks_drop(m, &d->tasks);
    spill_drop(&m->file, &d->now.run);
    key_set_fini(&m->seen);
    buf_fini(&d->order);
    buf_fini(&d->row);
}
