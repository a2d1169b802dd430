/* merge_finish.c - see merge_internal.h: groups become rows, and come in their order. */
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/merge_internal.h"

enum { SLICE = 1024, RUN_BYTES = 32 << 20, RUNS_MAX = 256 };

static int
compare_groups(const void *a, const void *b, void *merge)
{
    const struct sorted_group *x = a, *y = b;
    return merge_compare(merge, x->keys, y->keys);
}

void
merge_sort_groups(struct merge *m)
{
    if (m->n_sorted > 1)
        qsort_r(m->sorted, m->n_sorted, sizeof(m->sorted[0]), compare_groups, m);
}

size_t
merge_sorted_memory(const struct merge *m)
{
    return m->sorted_arena.total + m->cap_sorted * sizeof(m->sorted[0]);
}

void
merge_sorted_reset(struct merge *m)
{
    arena_fini(&m->sorted_arena);
    m->n_sorted = m->next_sorted = 0;
}

static struct sorted_group *
add_sorted(struct merge *m)
{
    if (m->n_sorted == m->cap_sorted) {
        m->cap_sorted = m->cap_sorted == 0 ? 64 : 2 * m->cap_sorted;
        m->sorted     = mem_resize(m->sorted, m->cap_sorted * sizeof(m->sorted[0]));
    }
    return &m->sorted[m->n_sorted];
}

static bool
add_group(struct merge *m, uint32_t group)
{
    buf_clear(&m->record);
    if (!groups_row(&m->groups, group, &m->record))
        return merge_fail(m, 1264, "shardd: a sum over several shards is out of range") ==
               MERGE_ROW;
    struct sorted_group *s = add_sorted(m);
    s->row                 = arena_copy(&m->sorted_arena, buf_unread(&m->record));
    s->keys = arena_alloc(&m->sorted_arena, (m->spec.n_order + 1) * sizeof(s->keys[0]));
    if (!field_split(s->row, m->protocol, m->types, m->n_columns, m->n_visible, m->fields, NULL) ||
        !merge_keys(m, m->spec.order, m->spec.n_order, s->keys))
        return merge_malformed(m) == MERGE_ROW;
    int keep = m->spec.having == NULL ? 1
                                      : having_eval(m->spec.having, m->args, m->types, m->protocol,
                                                    m->fields, m->n_visible);
    if (keep == -2)
        return merge_fail(m, SQL_NOT_SUPPORTED, "shardd: HAVING over several shards compares "
                                                "numbers only") == MERGE_ROW;
    m->n_sorted += keep == 1;
    return true;
}

static bool
is_full(const struct merge *m)
{
    size_t held = merge_sorted_memory(m), run = m->memory_limit / 4;
    if (!m->may_spill)
        return merge_groups_memory(m) > m->memory_limit;
    return held > (run < RUN_BYTES ? run : RUN_BYTES);
}

enum merge_status
merge_finish_some(struct merge *m)
{
    struct group_work *w = &m->work;
    for (uint32_t n = 0; w->at < m->groups.keys.n; n++) {
        if (w->spilled && n == SLICE)
            return MERGE_AGAIN;
        if (!add_group(m, w->at++))
            return MERGE_ERROR;
        if (is_full(m))
            return m->may_spill ? MERGE_ROW : merge_too_large(m);
    }
    return MERGE_ROW;
}

enum merge_status
merge_write_run(struct merge *m)
{
    struct group_work *w      = &m->work;
    int                failed = 0;
    if (m->n_sorted == 0)
        return MERGE_ROW;
    if (w->n_runs == RUNS_MAX)
        return merge_too_large(m);
    if (w->runs == NULL)
        w->runs = mem_alloc(RUNS_MAX * sizeof(w->runs[0]));
    struct spill_run *run = &w->runs[w->n_runs++];
    merge_sort_groups(m);
    for (uint32_t i = 0; i < m->n_sorted && failed == 0; i++)
        failed = spill_put(&m->file, run, m->sorted[i].row);
    if (failed == 0)
        failed = spill_finish(&m->file, run);
    merge_sorted_reset(m);
    return failed == 0 ? MERGE_ROW : merge_file_failed(m, failed);
}

void
merge_open_runs(struct merge *m)
{
    struct group_work *w = &m->work;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        buf_fini(&m->legs[i].queue);
        buf_fini(&m->legs[i].head);
    }
    m->n_legs = w->n_runs;
    m->n_heap = 0;
    m->legs   = arena_alloc(&m->arena, (m->n_legs + 1) * sizeof(m->legs[0]));
    m->heap   = arena_alloc(&m->arena, (m->n_legs + 1) * sizeof(m->heap[0]));
    for (uint32_t i = 0; i < m->n_legs; i++) {
        m->legs[i].ended = true;
        m->legs[i].run   = w->runs[i];
        m->legs[i].keys =
            arena_alloc(&m->arena, (m->spec.n_order + 1) * sizeof(struct sort_value));
    }
    w->n_runs = 0;
}
