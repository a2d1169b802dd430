/* merge.c - see merge.h: queues of legs, the heap over them, what comes out. */
#include <errno.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/merge_internal.h"

enum merge_status
merge_fail(struct merge *m, uint16_t code, const char *sentence)
{
    sql_error_set(&m->error, code, "%s", sentence);
    m->phase = PHASE_ERROR;
    return MERGE_ERROR;
}

enum merge_status
merge_malformed(struct merge *m)
{
    return merge_fail(m, SQL_UNKNOWN_ERROR,
                      "shardd: a shard sent a row that does not fit its columns");
}

enum merge_status
merge_too_large(struct merge *m)
{
    return merge_fail(m, 1114, "shardd: the groups or distinct rows of this statement need more "
                               "memory than merge_memory_bytes allows, and cannot be kept in a "
                               "file; narrow the statement or raise the limit");
}

enum merge_status
merge_file_failed(struct merge *m, int failed)
{
    m->phase = PHASE_ERROR;
    if (failed == -EDQUOT)
        sql_error_set(&m->error, 1114,
                      "shardd: the groups or distinct rows of this statement need more than "
                      "merge_disk_bytes (%llu) in temporary files; narrow the statement or raise "
                      "the limit", (unsigned long long)m->file.limit);
    else
        sql_error_set(&m->error, failed == -ENOSPC ? 1021 : 1026,
                      "shardd: a temporary file of this statement in '%s' failed: %s; make room "
                      "there, or narrow the statement", m->file.folder, strerror(-failed));
    return MERGE_ERROR;
}

/* ---- setting up ---- */

static bool
resolve(const struct merge *m, uint32_t *column)
{
    if (*column == MERGE_NONE)
        return true;
    if (*column >= MERGE_HIDDEN)
        *column = m->n_visible + (*column - MERGE_HIDDEN);
    return *column < m->n_columns;
}

static bool
check_key(const struct merge *m, struct merge_key *key, struct sql_error *error)
{
    if (!resolve(m, &key->column) || !resolve(m, &key->weight) || key->column == MERGE_NONE)
        return sql_error_set(error, SQL_UNKNOWN_ERROR,
                             "shardd: a shard's answer has other columns than planned");
    const struct field_type *t       = &m->types[key->column];
    bool                     textual = t->class == FIELD_BYTES;
    if (t->class == FIELD_FLOAT && m->protocol == MERGE_TEXT)
        return sql_error_set(error, SQL_NOT_SUPPORTED,
                             "shardd: rows of several shards cannot be compared by an expression "
                             "of type FLOAT, whose text has too few digits; add 0e0 to it");
    if (!textual || key->collation == 63)
        return true;
    /* ENUM and SET do not sort as their text; MIN and MAX of them do, and have a weight. */
    if (key->weight != MERGE_NONE || (t->binary && !t->enumerated))
        return true;
    return sql_error_set(error, SQL_NOT_SUPPORTED,
                         "shardd: rows of several shards cannot be compared by a string expression "
                         "whose collation is not known; order and group by plain columns");
}

static bool
copy_keys(struct merge *m, uint32_t n, const struct merge_key **keys, struct sql_error *error)
{
    struct merge_key *copy = arena_alloc(&m->arena, (n + 1) * sizeof(*copy));
    for (uint32_t i = 0; i < n; i++) {
        copy[i] = (*keys)[i];
        if (!check_key(m, &copy[i], error))
            return false;
    }
    *keys = copy;
    return true;
}

static bool
set_up_groups(struct merge *m, struct sql_error *error)
{
    struct merge_output *of = arena_alloc(&m->arena, m->n_columns * sizeof(*of));
    for (uint32_t i = 0; i < m->n_columns; i++)
        of[i] = (struct merge_output){ .column = i, .function = MERGE_ANY,
                                         .sum = MERGE_NONE, .count = MERGE_NONE };
    for (uint32_t i = 0; i < m->spec.n_outputs; i++) {
        struct merge_output o = m->spec.outputs[i];
        bool compares = o.function == MERGE_MIN || o.function == MERGE_MAX ||
                        o.function == MERGE_COUNT_DISTINCT;
        if (!resolve(m, &o.column) || !resolve(m, &o.sum) || !resolve(m, &o.count))
            return sql_error_set(error, SQL_UNKNOWN_ERROR,
                                 "shardd: a shard's answer has other columns than planned");
        if (compares && !check_key(m, &o.key, error))
            return false;
        of[o.column] = o;
    }
    m->groups = (struct groups){ .spec = &m->spec, .types = m->types, .protocol = m->protocol,
                                 .n_columns = m->n_columns, .output_of = of };
    return true;
}

static bool
set_up_rows(struct merge *m, struct sql_error *error)
{
    m->n_rows = UINT64_MAX;
    return !m->spec.loose || resolve(m, &m->spec.rows) ||
           sql_error_set(error, SQL_UNKNOWN_ERROR,
                         "shardd: a shard's answer has other columns than planned");
}

static bool
set_up(struct merge *m, const struct span *columns, struct sql_error *error)
{
    for (uint32_t i = 0; i < m->n_columns; i++)
        if (!field_type_decode(columns[i], &m->types[i]))
            return sql_error_set(error, SQL_UNKNOWN_ERROR,
                                 "shardd: a shard sent a malformed column definition");
    return copy_keys(m, m->spec.n_order, &m->spec.order, error) &&
           copy_keys(m, m->spec.n_group, &m->spec.group, error) &&
           copy_keys(m, m->spec.n_distinct, &m->spec.distinct_keys, error) &&
           (!m->spec.grouped || set_up_groups(m, error)) && set_up_rows(m, error) &&
           (having_can(m->spec.having, m->types, m->n_visible) ||
            sql_error_set(error, SQL_NOT_SUPPORTED,
                          "shardd: HAVING over several shards compares numbers only"));
}

struct merge *
merge_new(const struct merge_spec *spec, const struct merge_args *args, const struct span *columns,
          uint32_t n_columns, uint32_t n_legs, enum merge_protocol protocol, size_t memory_limit,
          struct sql_error *error)
{
    struct merge *m = mem_alloc(sizeof(*m));
    m->spec         = *spec;
    m->args         = args;
    m->protocol     = protocol;
    m->n_columns    = n_columns;
    m->n_legs       = n_legs;
    m->memory_limit = memory_limit;
    m->n_visible    = n_columns < spec->n_hidden ? 0 : n_columns - spec->n_hidden;
    m->types        = arena_alloc(&m->arena, (n_columns + 1) * sizeof(m->types[0]));
    m->fields       = arena_alloc(&m->arena, (n_columns + 1) * sizeof(m->fields[0]));
    m->legs         = arena_alloc(&m->arena, (n_legs + 1) * sizeof(m->legs[0]));
    m->heap         = arena_alloc(&m->arena, (n_legs + 1) * sizeof(m->heap[0]));
    for (uint32_t i = 0; i < n_legs; i++)
        m->legs[i].keys =
            arena_alloc(&m->arena, (spec->n_order + 1) * sizeof(struct sort_value));
    if (!set_up(m, columns, error)) {
        merge_free(m);
        return NULL;
    }
    return m;
}

void
merge_free(struct merge *m)
{
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        buf_fini(&m->legs[i].queue);
        buf_fini(&m->legs[i].head);
    }
    for (uint32_t i = 0; i < m->n_legs; i++)
        spill_drop(&m->file, &m->legs[i].run);
    merge_groups_fini(m);
    merge_distinct_fini(m);
    spill_fini(&m->file);
    buf_fini(&m->key);
    buf_fini(&m->out);
    buf_fini(&m->record);
    arena_fini(&m->arena);
    free(m);
}

void
merge_may_spill(struct merge *m, const char *folder, uint64_t bytes)
{
    size_t block   = m->memory_limit / 1024;
    m->may_spill   = bytes > 0;
    m->file.folder = folder;
    m->file.limit  = bytes;
    m->file.block  = block < 4096 ? 4096 : block > (256 << 10) ? 256 << 10 : block;
}

/* ---- rows in ---- */

size_t
merge_memory(const struct merge *m)
{
    return m->queued + merge_groups_memory(m) + key_set_memory(&m->seen) +
           spill_parts_memory(&m->distinct.parts);
}

void
merge_row(struct merge *m, uint32_t leg, struct span payload)
{
    if (m->phase == PHASE_DONE || m->phase == PHASE_ERROR)
        return;
    if (m->spec.grouped && m->work.state == GROUPS_TAKE && buf_len(&m->legs[leg].queue) == 0) {
        merge_group_row(m, payload);
        return;
    }
    uint32_t len = (uint32_t)payload.len;
    buf_append(&m->legs[leg].queue, &len, sizeof(len));
    buf_append_span(&m->legs[leg].queue, payload);
    m->queued += sizeof(len) + payload.len;
}

void
merge_end(struct merge *m, uint32_t leg)
{
    m->legs[leg].ended = true;
}

bool
merge_wants(const struct merge *m, uint32_t leg)
{
    if (m->phase == PHASE_DONE || m->phase == PHASE_ERROR || m->work.state != GROUPS_TAKE)
        return false;
    return !m->legs[leg].ended && buf_len(&m->legs[leg].queue) < MERGE_QUEUE_BYTES;
}

bool
merge_pull(struct merge *m, struct merge_leg *leg)
{
    uint32_t len;
    if (!spill_run_is_empty(&leg->run)) {
        int got = spill_get(&m->file, &leg->run, &leg->head);
        if (got < 0)
            merge_file_failed(m, got);
        return got == 1;
    }
    if (buf_len(&leg->queue) == 0)
        return false;
    struct span in = buf_unread(&leg->queue);
    memcpy(&len, in.ptr, sizeof(len));
    buf_clear(&leg->head);
    buf_append(&leg->head, in.ptr + sizeof(len), len);
    buf_consume(&leg->queue, sizeof(len) + len);
    m->queued -= sizeof(len) + len;
    leg->has_head = true;
    return true;
}

/* ---- rows out ---- */

bool
merge_keys(struct merge *m, const struct merge_key *keys, uint32_t n, struct sort_value *out)
{
    for (uint32_t i = 0; i < n; i++)
        if (!sort_value_make(&keys[i], m->types, m->protocol, m->fields, &out[i]))
            return false;
    return true;
}

/* The row without its hidden columns. */
static struct span
strip(struct merge *m, struct span row, size_t visible_end)
{
    if (m->spec.n_hidden == 0 || m->spec.keeps_hidden)
        return row;
    if (m->protocol == MERGE_TEXT)
        return (struct span){ row.ptr, visible_end };
    size_t   all = (m->n_columns + 9) / 8, kept = (m->n_visible + 9) / 8;
    buf_clear(&m->out);
    uint8_t *room = buf_reserve(&m->out, 1 + kept);
    room[0]       = 0;
    memcpy(room + 1, row.ptr + 1, kept);
    /* Bits of hidden columns that share the last byte are cleared. */
    uint32_t used = (m->n_visible + 2) % 8;
    if (used != 0)
        room[kept] &= (uint8_t)((1u << used) - 1);
    buf_commit(&m->out, 1 + kept);
    buf_append(&m->out, row.ptr + 1 + all, visible_end - 1 - all);
    return buf_unread(&m->out);
}

enum fate { ROW_SEND, ROW_DROP, ROW_BAD };

/* DISTINCT and OFFSET. `split`: m->fields and *visible_end are this row's already. */
static enum fate
judge(struct merge *m, struct span row, bool split, size_t *visible_end)
{
    enum seen seen;
    if (!split && (m->spec.distinct || m->spec.n_hidden > 0) &&
        !field_split(row, m->protocol, m->types, m->n_columns, m->n_visible, m->fields,
                     visible_end))
        return ROW_BAD;
    seen = m->spec.distinct ? merge_seen(m, row) : SEEN_NEW;
    if (seen != SEEN_NEW)
        return seen == SEEN_BAD ? ROW_BAD : ROW_DROP;
    if (m->skipped < m->args->offset) {
        m->skipped++;
        return ROW_DROP;
    }
    if (m->sent == m->args->count) {
        m->beyond++;
        return ROW_DROP;
    }
    m->sent++;
    return ROW_SEND;
}

int
merge_compare(const struct merge *m, const struct sort_value *a, const struct sort_value *b)
{
    for (uint32_t i = 0; i < m->spec.n_order; i++) {
        int order = sort_value_compare(&m->spec.order[i], m->types, &a[i], &b[i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static bool
leg_before(const struct merge *m, uint32_t a, uint32_t b)
{
    int order = merge_compare(m, m->legs[a].keys, m->legs[b].keys);
    return order != 0 ? order < 0 : a < b;
}

static void
sift_down(struct merge *m, uint32_t at)
{
    for (;;) {
        uint32_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < m->n_heap && leg_before(m, m->heap[left], m->heap[least]))
            least = left;
        if (right < m->n_heap && leg_before(m, m->heap[right], m->heap[least]))
            least = right;
        if (least == at)
            return;
        uint32_t swap  = m->heap[at];
        m->heap[at]    = m->heap[least];
        m->heap[least] = swap;
        at             = least;
    }
}

static bool
load_head(struct merge *m, struct merge_leg *leg)
{
    return field_split(buf_unread(&leg->head), m->protocol, m->types, m->n_columns, m->n_visible,
                       m->fields, &leg->visible_end) &&
           merge_keys(m, m->spec.order, m->spec.n_order, leg->keys);
}

/* Every leg has a head or has ended: MERGE_ROW. */
static enum merge_status
fill_heap(struct merge *m)
{
    for (uint32_t i = 0; i < m->n_legs; i++)
        if (buf_len(&m->legs[i].queue) == 0 && !m->legs[i].ended)
            return MERGE_WAIT;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        if (!merge_pull(m, &m->legs[i]))
            continue;
        if (!load_head(m, &m->legs[i]))
            return merge_malformed(m);
        m->heap[m->n_heap++] = i;
    }
    if (m->phase == PHASE_ERROR)
        return MERGE_ERROR;
    for (uint32_t i = m->n_heap / 2; i-- > 0;)
        sift_down(m, i);
    m->phase = PHASE_RUN;
    return MERGE_ROW;
}

/* The leg whose row went out shows its next one. */
static enum merge_status
advance_top(struct merge *m)
{
    struct merge_leg *leg = &m->legs[m->heap[0]];
    if (merge_pull(m, leg)) {
        if (!load_head(m, leg))
            return merge_malformed(m);
    } else if (m->phase == PHASE_ERROR) {
        return MERGE_ERROR;
    } else if (leg->ended) {
        leg->has_head = false;
        m->heap[0]    = m->heap[--m->n_heap];
    } else {
        return MERGE_WAIT;
    }
    m->top_taken = false;
    sift_down(m, 0);
    return MERGE_ROW;
}

enum merge_status
merge_sorted_leg(struct merge *m, struct span *row, size_t *visible_end)
{
    enum merge_status s = m->phase == PHASE_FILL ? fill_heap(m) : MERGE_ROW;
    if (s == MERGE_ROW && m->top_taken)
        s = advance_top(m);
    if (s != MERGE_ROW)
        return s;
    if (m->n_heap == 0)
        return MERGE_DONE;
    struct merge_leg *leg = &m->legs[m->heap[0]];
    *row            = buf_unread(&leg->head);
    *visible_end    = leg->visible_end;
    m->top_taken    = true;
    return MERGE_ROW;
}

static enum merge_status
next_any_leg(struct merge *m, struct span *row)
{
    bool all_ended = true;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        struct merge_leg *leg = &m->legs[m->turn];
        if (merge_pull(m, leg)) {
            *row = buf_unread(&leg->head);
            return MERGE_ROW;
        }
        all_ended &= leg->ended;
        m->turn = m->turn + 1 == m->n_legs ? 0 : m->turn + 1;
    }
    return all_ended ? MERGE_DONE : MERGE_WAIT;
}

static enum merge_status
next_row(struct merge *m, struct span *row, size_t *visible_end)
{
    enum merge_status s = MERGE_DONE;
    if (m->sent == m->args->count && !m->args->counts_all)
        return MERGE_DONE;
    if (!m->distinct.reading)
        s = m->spec.grouped       ? merge_next_group(m, row, visible_end)
            : m->spec.sorted_legs ? merge_sorted_leg(m, row, visible_end)
                                  : next_any_leg(m, row);
    return m->spec.distinct ? merge_distinct_next(m, s, row, visible_end) : s;
}

enum merge_status
merge_next(struct merge *m, struct span *row)
{
    enum { DROPS = 8192 };
    for (uint32_t n = 0; m->phase != PHASE_ERROR && m->phase != PHASE_DONE; n++) {
        struct span       in;
        size_t            visible_end = 0;
        bool              split = !m->spec.grouped && m->spec.sorted_legs && !m->spec.distinct;
        if (n == DROPS)
            return MERGE_AGAIN;
        enum merge_status s = next_row(m, &in, &visible_end);
        if (s == MERGE_DONE)
            m->phase = PHASE_DONE;
        if (s != MERGE_ROW)
            return s;
        switch (judge(m, in, split, &visible_end)) {
        case ROW_SEND: *row = strip(m, in, visible_end); return MERGE_ROW;
        case ROW_DROP: break;
        case ROW_BAD: return m->phase == PHASE_ERROR ? MERGE_ERROR : merge_malformed(m);
        }
    }
    return m->phase == PHASE_ERROR ? MERGE_ERROR : MERGE_DONE;
}

uint64_t
merge_total(const struct merge *m)
{
    return m->skipped + m->sent + m->beyond;
}

uint64_t
merge_rows(const struct merge *m)
{
    return m->n_rows;
}

const struct sql_error *
merge_error(const struct merge *m)
{
    return &m->error;
}
