/* merge_spill.c - see merge_internal.h: groups that are too many for memory.
 *
 *   rows --> groups in memory --full--> 16 parts by hash --each alone--> groups in memory --> ...
 *
 * A part that is again too much for memory is parted by the next bits. The values that a
 * COUNT(DISTINCT) has seen are parted by themselves: one group may have most of them. Each call
 * does a slice of the work, so that the worker can look after its other clients.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "core/base/memory.h"
#include "core/route/merge_internal.h"

enum { SLICE = 2048 };

/* ---- parts ---- */

struct spill_run *
spill_part(struct spill_parts *p, uint32_t level, struct span key)
{
    /* The low bits say where a key is in a key_set: those of a part would all be neighbours. */
    uint64_t hash = XXH3_64bits_withSeed(key.ptr, key.len, 0x5b1);
    p->used       = true;
    return &p->runs[(hash >> (60 - 4 * (level % SPILL_LEVELS))) % SPILL_WAYS];
}

int
spill_parts_close(struct merge *m, struct spill_parts *p, uint32_t level,
                  struct spill_tasks *tasks)
{
    int failed = 0;
    for (uint32_t i = 0; i < SPILL_WAYS && p->used; i++) {
        if (spill_run_is_empty(&p->runs[i]))
            continue;
        if (failed == 0)
            failed = spill_finish(&m->file, &p->runs[i]);
        if (tasks->n == tasks->cap) {
            tasks->cap  = tasks->cap == 0 ? 16 : 2 * tasks->cap;
            tasks->list = mem_resize(tasks->list, tasks->cap * sizeof(tasks->list[0]));
        }
        tasks->list[tasks->n++] = (struct spill_task){ p->runs[i], level };
    }
    *p = (struct spill_parts){ 0 };
    return failed;
}

bool
spill_task_next(struct spill_tasks *tasks, struct spill_task *now)
{
    if (tasks->n == 0)
        return false;
    *now = tasks->list[--tasks->n];
    return true;
}

size_t
spill_parts_memory(const struct spill_parts *p)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < SPILL_WAYS; i++)
        sum += spill_run_memory(&p->runs[i]);
    return sum;
}

void
spill_parts_drop(struct merge *m, struct spill_parts *p)
{
    for (uint32_t i = 0; i < SPILL_WAYS; i++)
        spill_drop(&m->file, &p->runs[i]);
    p->used = false;
}

void
spill_tasks_drop(struct merge *m, struct spill_tasks *tasks)
{
    for (uint32_t i = 0; i < tasks->n; i++)
        spill_drop(&m->file, &tasks->list[i].run);
    free(tasks->list);
    *tasks = (struct spill_tasks){ 0 };
}

/* ---- groups into parts ---- */

/* Where there is no room for more groups: less than the limit, as their rows need some too. */
static size_t
room(const struct merge *m)
{
    return m->may_spill ? m->memory_limit / 2 : m->memory_limit;
}

static void
begin_dump(struct merge *m, enum groups_state after)
{
    struct group_work *w = &m->work;
    w->state             = GROUPS_DUMP;
    w->after             = after;
    w->spilled           = true;
    w->at = w->at_value = 0;
    w->names  = mem_alloc((m->groups.keys.n + 1) * sizeof(w->names[0]));
    w->values = mem_alloc((m->groups.values.n + 1) * sizeof(w->values[0]));
    key_set_names(&m->groups.keys, w->names);
    key_set_names(&m->groups.values, w->values);
}

/* A value's key in memory begins with the number of its group; in a file, with its key. */
static int
dump_value(struct merge *m, struct span value)
{
    struct group_work *w = &m->work;
    uint32_t           group, len;
    memcpy(&group, value.ptr, sizeof(group));
    struct span key = w->names[group];
    len             = (uint32_t)key.len;
    buf_clear(&m->record);
    buf_append(&m->record, &len, sizeof(len));
    buf_append_span(&m->record, key);
    buf_append_span(&m->record, span_from(value, sizeof(group)));
    struct span record = buf_unread(&m->record);
    return spill_put(&m->file, spill_part(&w->distinct, 0, record), record);
}

static int
dump_group(struct merge *m, uint32_t group)
{
    struct group_work *w    = &m->work;
    bool               read = w->after == GROUPS_READ;
    struct span        key  = w->names[group];
    buf_clear(&m->record);
    groups_save(&m->groups, group, key, read, &m->record);
    return spill_put(&m->file, read ? spill_part(&w->parts, w->now.level, key)
                                    : spill_part(&w->groups, 0, key), buf_unread(&m->record));
}

static enum merge_status
dump_some(struct merge *m)
{
    struct group_work *w      = &m->work;
    int                failed = 0;
    uint32_t           n      = SLICE;
    for (; n > 0 && failed == 0 && w->at < m->groups.keys.n; n--)
        failed = dump_group(m, w->at++);
    for (; n > 0 && failed == 0 && w->at_value < m->groups.values.n; n--)
        failed = dump_value(m, w->values[w->at_value++]);
    if (failed != 0)
        return merge_file_failed(m, failed);
    if (w->at < m->groups.keys.n || w->at_value < m->groups.values.n)
        return MERGE_AGAIN;
    free(w->names);
    free(w->values);
    w->names = w->values = NULL;
    groups_reset(&m->groups);
    w->state = w->after;
    return MERGE_AGAIN;
}

/* False: it has failed. */
static bool
keep_room(struct merge *m, enum groups_state after)
{
    if (groups_memory(&m->groups) <= room(m))
        return true;
    if (!m->may_spill)
        return merge_too_large(m) == MERGE_ROW;
    if (after == GROUPS_READ && m->work.now.level >= SPILL_LEVELS)
        return merge_too_large(m) == MERGE_ROW;
    begin_dump(m, after);
    return true;
}

void
merge_group_row(struct merge *m, struct span payload)
{
    if (!field_split(payload, m->protocol, m->types, m->n_columns, m->n_columns, m->fields,
                     NULL) ||
        !groups_add(&m->groups, m->fields))
        merge_malformed(m);
    else
        keep_room(m, GROUPS_TAKE);
}

/* ---- parts into groups ---- */

/* A value of COUNT(DISTINCT): [length][key of the group][column][what it is] */
static int
count_value(struct merge *m, struct span record)
{
    struct group_work *w    = &m->work;
    struct span        rest = record, key;
    uint32_t           column;
    bool               added = false;
    if (w->full && key_set_has(&w->counted, record))
        return 0;
    if (w->full)
        return spill_put(&m->file, spill_part(&w->parts, w->now.level, record), record);
    key_set_add(&w->counted, record, &added);
    w->full = key_set_memory(&w->counted) > room(m) && w->now.level < SPILL_LEVELS;
    if (!added || !state_take_span(&rest, &key) || rest.len < sizeof(column))
        return 0;
    memcpy(&column, rest.ptr, sizeof(column));
    struct buf one = { 0 };
    groups_save_count(key, column, &one);
    int failed = spill_put(&m->file, spill_part(&w->groups, 0, key), buf_unread(&one));
    buf_fini(&one);
    return failed;
}

/* What is read next; false: nothing of its kind is left. */
static bool
next_part(struct merge *m)
{
    struct group_work *w = &m->work;
    key_set_fini(&w->counted);
    w->full    = false;
    w->reading = spill_task_next(&w->tasks, &w->now);
    return w->reading;
}

static enum merge_status
count_some(struct merge *m)
{
    struct group_work *w   = &m->work;
    int                got = 1;
    for (uint32_t n = 0; n < SLICE && got == 1; n++) {
        got = spill_get(&m->file, &w->now.run, &m->record);
        int failed = got == 1 ? count_value(m, buf_unread(&m->record)) : 0;
        if (failed != 0)
            return merge_file_failed(m, failed);
    }
    if (got == 1)
        return MERGE_AGAIN;
    if (got == 0)
        got = spill_parts_close(m, &w->parts, w->now.level + 1, &w->tasks);
    if (got == 0 && !next_part(m)) {
        w->state = GROUPS_READ;
        got      = spill_parts_close(m, &w->groups, 1, &w->tasks);
        next_part(m);
    }
    return got == 0 ? MERGE_AGAIN : merge_file_failed(m, got);
}

static enum merge_status
read_some(struct merge *m)
{
    struct group_work *w   = &m->work;
    int                got = 1;
    for (uint32_t n = 0; n < SLICE && got == 1 && w->state == GROUPS_READ; n++) {
        got = spill_get(&m->file, &w->now.run, &m->record);
        if (got == 1 && !groups_load(&m->groups, buf_unread(&m->record)))
            return merge_fail(m, 1264, "shardd: a sum over several shards is out of range");
        if (got == 1 && !keep_room(m, GROUPS_READ))
            return MERGE_ERROR;
    }
    if (got < 0)
        return merge_file_failed(m, got);
    if (got == 1)
        return MERGE_AGAIN;
    if (w->parts.used && m->groups.keys.n > 0) {
        begin_dump(m, GROUPS_READ);
        return MERGE_AGAIN;
    }
    if (w->parts.used) {
        got = spill_parts_close(m, &w->parts, w->now.level + 1, &w->tasks);
        next_part(m);
        return got == 0 ? MERGE_AGAIN : merge_file_failed(m, got);
    }
    w->state = GROUPS_FINISH;
    w->at    = 0;
    return MERGE_AGAIN;
}

/* ---- from one state to the next ---- */

static enum merge_status
begin_parts(struct merge *m)
{
    struct group_work *w      = &m->work;
    int                failed = spill_parts_close(m, &w->distinct, 1, &w->tasks);
    w->state                  = GROUPS_VALUES;
    if (failed == 0 && !next_part(m)) {
        w->state = GROUPS_READ;
        failed   = spill_parts_close(m, &w->groups, 1, &w->tasks);
        next_part(m);
    }
    return failed == 0 ? MERGE_AGAIN : merge_file_failed(m, failed);
}

static void
count_rows(struct merge *m)
{
    uint64_t n;
    m->n_rows = 0;
    for (uint32_t i = 0; i < m->groups.keys.n; i++)
        if (decimal_to_uint(&m->groups.rows[i][m->spec.rows].decimal, &n))
            m->n_rows += n;
}

/* Rows of the legs that came while there was no place for them; then whether all have come. */
static enum merge_status
take_some(struct merge *m)
{
    struct group_work *w     = &m->work;
    bool               ended = true;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        while (w->state == GROUPS_TAKE && m->phase != PHASE_ERROR && merge_pull(m, &m->legs[i]))
            merge_group_row(m, buf_unread(&m->legs[i].head));
        ended &= m->legs[i].ended;
    }
    if (m->phase == PHASE_ERROR)
        return MERGE_ERROR;
    if (w->state != GROUPS_TAKE)
        return MERGE_AGAIN;
    if (!ended)
        return MERGE_WAIT;
    if (w->spilled && m->groups.keys.n > 0) {
        begin_dump(m, GROUPS_TAKE);
        return MERGE_AGAIN;
    }
    if (w->spilled)
        return begin_parts(m);
    if (m->spec.n_group == 0 && m->groups.keys.n == 0)
        groups_empty(&m->groups);
    if (m->spec.loose && m->groups.differs)
        count_rows(m);
    w->state = GROUPS_FINISH;
    w->at    = 0;
    return MERGE_AGAIN;
}

/* All groups of this part have their rows, which want an order: the next part, or that. */
static enum merge_status
finished(struct merge *m)
{
    struct group_work *w = &m->work;
    groups_reset(&m->groups);
    if (w->reading && next_part(m)) {
        w->state = GROUPS_READ;
        return MERGE_AGAIN;
    }
    if (w->n_runs > 0) {
        w->state = GROUPS_RUNS;
        enum merge_status s = merge_write_run(m);
        if (s == MERGE_ROW)
            merge_open_runs(m);
        return s == MERGE_ROW ? MERGE_AGAIN : s;
    }
    merge_sort_groups(m);
    w->state = GROUPS_EMIT;
    return MERGE_AGAIN;
}

static enum merge_status
finish_some(struct merge *m)
{
    struct group_work *w = &m->work;
    enum merge_status  s = merge_finish_some(m);
    if (s != MERGE_ROW)
        return s;
    if (m->spec.n_order == 0) {
        w->state = GROUPS_EMIT;
        return MERGE_AGAIN;
    }
    if (w->at == m->groups.keys.n)
        return finished(m);
    s = merge_write_run(m);
    return s == MERGE_ROW ? MERGE_AGAIN : s;
}

static enum merge_status
emit(struct merge *m, struct span *row)
{
    struct group_work *w = &m->work;
    if (m->next_sorted < m->n_sorted) {
        *row = m->sorted[m->next_sorted++].row;
        return MERGE_ROW;
    }
    merge_sorted_reset(m);
    if (w->at < m->groups.keys.n) {
        w->state = GROUPS_FINISH;
        return MERGE_AGAIN;
    }
    groups_reset(&m->groups);
    w->at = 0;
    if (!w->reading || !next_part(m))
        return MERGE_DONE;
    w->state = GROUPS_READ;
    return MERGE_AGAIN;
}

enum merge_status
merge_next_group(struct merge *m, struct span *row, size_t *visible_end)
{
    struct group_work *w = &m->work;
    enum merge_status  s = MERGE_AGAIN;
    /* What is in memory is done at once. */
    do {
        switch (w->state) {
        case GROUPS_TAKE:   s = take_some(m); break;
        case GROUPS_DUMP:   s = dump_some(m); break;
        case GROUPS_VALUES: s = count_some(m); break;
        case GROUPS_READ:   s = read_some(m); break;
        case GROUPS_FINISH: s = finish_some(m); break;
        case GROUPS_EMIT:   s = emit(m, row); break;
        case GROUPS_RUNS:   return merge_sorted_leg(m, row, visible_end);
        }
    } while (s == MERGE_AGAIN && !w->spilled);
    return s;
}

size_t
merge_groups_memory(const struct merge *m)
{
    const struct group_work *w = &m->work;
    return groups_memory(&m->groups) + merge_sorted_memory(m) + key_set_memory(&w->counted) +
           spill_parts_memory(&w->groups) + spill_parts_memory(&w->distinct) +
           spill_parts_memory(&w->parts);
}

void
merge_groups_fini(struct merge *m)
{
    struct group_work *w = &m->work;
    spill_parts_drop(m, &w->groups);
    spill_parts_drop(m, &w->distinct);
    spill_parts_drop(m, &w->parts);
    spill_tasks_drop(m, &w->tasks);
    spill_drop(&m->file, &w->now.run);
    for (uint32_t i = 0; i < w->n_runs; i++)
        spill_drop(&m->file, &w->runs[i]);
    free(w->runs);
    free(w->names);
    free(w->values);
    key_set_fini(&w->counted);
    groups_fini(&m->groups);
    merge_sorted_reset(m);
    free(m->sorted);
}
