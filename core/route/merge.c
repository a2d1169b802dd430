/* merge.c - see merge.h: queues of legs, the heap over them, what comes out. */
#include "core/route/merge.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/route/merge_group.h"

struct leg {
    struct buf         queue;  /* rows, each behind its length (4 bytes) */
    struct buf         head;   /* the row that is compared now; stays where it is */
    bool               ended, has_head;
    struct sort_value *keys;   /* of the head; they point into it */
    size_t             visible_end;
};

struct sorted_group {
    struct span        row;
    struct sort_value *keys;
};

enum phase { PHASE_FILL, PHASE_RUN, PHASE_DONE, PHASE_ERROR };

struct merge {
    struct merge_spec        spec; /* with column numbers resolved */
    const struct merge_args *args;
    struct arena             arena;
    enum merge_protocol      protocol;
    uint32_t                 n_columns, n_visible, n_legs;
    size_t                   memory_limit;
    struct field_type       *types;
    struct field            *fields; /* scratch */
    struct leg              *legs;
    size_t                   queued;

    enum phase               phase;
    uint32_t                *heap; /* legs with a head, least first */
    uint32_t                 n_heap;
    bool                     top_taken;
    uint32_t                 turn; /* concatenation: the leg whose turn it is */

    struct groups            groups;
    struct sorted_group     *sorted; /* [n_sorted), owned */
    uint32_t                 n_sorted, next_sorted;

    struct key_set           seen; /* DISTINCT */
    struct buf               key, out;
    uint64_t                 skipped, sent, beyond;
    struct sql_error         error;
};

static enum merge_status
fail(struct merge *m, uint16_t code, const char *sentence)
{
    sql_error_set(&m->error, code, "%s", sentence);
    m->phase = PHASE_ERROR;
    return MERGE_ERROR;
}

static enum merge_status
malformed(struct merge *m)
{
    return fail(m, SQL_UNKNOWN_ERROR, "shardd: a shard sent a row that does not fit its columns");
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
set_up(struct merge *m, const struct span *columns, struct sql_error *error)
{
    for (uint32_t i = 0; i < m->n_columns; i++)
        if (!field_type_decode(columns[i], &m->types[i]))
            return sql_error_set(error, SQL_UNKNOWN_ERROR,
                                 "shardd: a shard sent a malformed column definition");
    return copy_keys(m, m->spec.n_order, &m->spec.order, error) &&
           copy_keys(m, m->spec.n_group, &m->spec.group, error) &&
           copy_keys(m, m->spec.n_distinct, &m->spec.distinct_keys, error) &&
           (!m->spec.grouped || set_up_groups(m, error));
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
    groups_fini(&m->groups);
    key_set_fini(&m->seen);
    buf_fini(&m->key);
    buf_fini(&m->out);
    free(m->sorted);
    arena_fini(&m->arena);
    free(m);
}

/* ---- rows in ---- */

size_t
merge_memory(const struct merge *m)
{
    return m->queued + groups_memory(&m->groups) + key_set_memory(&m->seen);
}

static bool
over_limit(struct merge *m)
{
    size_t held = groups_memory(&m->groups) + key_set_memory(&m->seen);
    if (held <= m->memory_limit)
        return false;
    fail(m, 1114, "shardd: the groups or distinct rows of this statement need more memory than "
                  "merge_memory allows; narrow the statement or raise the limit");
    return true;
}

void
merge_row(struct merge *m, uint32_t leg, struct span payload)
{
    if (m->phase == PHASE_DONE || m->phase == PHASE_ERROR)
        return;
    if (m->spec.grouped) {
        if (!field_split(payload, m->protocol, m->types, m->n_columns, m->n_columns, m->fields,
                         NULL) ||
            !groups_add(&m->groups, m->fields))
            malformed(m);
        else
            over_limit(m);
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
    if (m->phase == PHASE_DONE || m->phase == PHASE_ERROR)
        return false;
    return !m->legs[leg].ended && buf_len(&m->legs[leg].queue) < MERGE_QUEUE_BYTES;
}

/* The next row of the leg's queue into its head. */
static bool
pull(struct merge *m, struct leg *leg)
{
    uint32_t len;
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

static bool
make_keys(struct merge *m, const struct merge_key *keys, uint32_t n, struct sort_value *out)
{
    for (uint32_t i = 0; i < n; i++)
        if (!sort_value_make(&keys[i], m->types, m->protocol, m->fields, &out[i]))
            return false;
    return true;
}

/* In m->fields are the row's. */
static bool
seen_before(struct merge *m, bool *seen)
{
    bool added;
    buf_clear(&m->key);
    for (uint32_t i = 0; i < m->spec.n_distinct; i++) {
        const struct merge_key *key = &m->spec.distinct_keys[i];
        struct sort_value       v;
        if (!sort_value_make(key, m->types, m->protocol, m->fields, &v))
            return false;
        sort_value_canonical(key, m->types, &v, &m->key);
    }
    key_set_add(&m->seen, buf_unread(&m->key), &added);
    *seen = !added;
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
    bool seen = false;
    if (!split && (m->spec.distinct || m->spec.n_hidden > 0) &&
        !field_split(row, m->protocol, m->types, m->n_columns, m->n_visible, m->fields,
                     visible_end))
        return ROW_BAD;
    if (m->spec.distinct && !seen_before(m, &seen))
        return ROW_BAD;
    if (seen)
        return ROW_DROP;
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

static int
compare_keys(const struct merge *m, const struct sort_value *a, const struct sort_value *b)
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
    int order = compare_keys(m, m->legs[a].keys, m->legs[b].keys);
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
load_head(struct merge *m, struct leg *leg)
{
    return field_split(buf_unread(&leg->head), m->protocol, m->types, m->n_columns, m->n_visible,
                       m->fields, &leg->visible_end) &&
           make_keys(m, m->spec.order, m->spec.n_order, leg->keys);
}

/* Every leg has a head or has ended: MERGE_ROW. */
static enum merge_status
fill_heap(struct merge *m)
{
    for (uint32_t i = 0; i < m->n_legs; i++)
        if (buf_len(&m->legs[i].queue) == 0 && !m->legs[i].ended)
            return MERGE_WAIT;
    for (uint32_t i = 0; i < m->n_legs; i++) {
        if (!pull(m, &m->legs[i]))
            continue;
        if (!load_head(m, &m->legs[i]))
            return malformed(m);
        m->heap[m->n_heap++] = i;
    }
    for (uint32_t i = m->n_heap / 2; i-- > 0;)
        sift_down(m, i);
    m->phase = PHASE_RUN;
    return MERGE_ROW;
}

/* The leg whose row went out shows its next one. */
static enum merge_status
advance_top(struct merge *m)
{
    struct leg *leg = &m->legs[m->heap[0]];
    if (pull(m, leg)) {
        if (!load_head(m, leg))
            return malformed(m);
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

static enum merge_status
next_sorted_leg(struct merge *m, struct span *row, size_t *visible_end)
{
    enum merge_status s = m->phase == PHASE_FILL ? fill_heap(m) : MERGE_ROW;
    if (s == MERGE_ROW && m->top_taken)
        s = advance_top(m);
    if (s != MERGE_ROW)
        return s;
    if (m->n_heap == 0)
        return MERGE_DONE;
    struct leg *leg = &m->legs[m->heap[0]];
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
        struct leg *leg = &m->legs[m->turn];
        if (pull(m, leg)) {
            *row = buf_unread(&leg->head);
            return MERGE_ROW;
        }
        all_ended &= leg->ended;
        m->turn = m->turn + 1 == m->n_legs ? 0 : m->turn + 1;
    }
    return all_ended ? MERGE_DONE : MERGE_WAIT;
}

/* ---- groups out ---- */

static int
compare_groups(const void *a, const void *b, void *merge)
{
    const struct sorted_group *x = a, *y = b;
    int order = compare_keys(merge, x->keys, y->keys);
    return order;
}

static bool
add_group(struct merge *m, uint32_t group, struct buf *scratch)
{
    buf_clear(scratch);
    if (!groups_row(&m->groups, group, scratch)) {
        fail(m, 1264, "shardd: a sum over several shards is out of range");
        return false;
    }
    struct sorted_group *s = &m->sorted[m->n_sorted];
    s->row                 = arena_copy(&m->groups.arena, buf_unread(scratch));
    s->keys = arena_alloc(&m->groups.arena, (m->spec.n_order + 1) * sizeof(s->keys[0]));
    if (!field_split(s->row, m->protocol, m->types, m->n_columns, m->n_visible, m->fields, NULL) ||
        !make_keys(m, m->spec.order, m->spec.n_order, s->keys)) {
        malformed(m);
        return false;
    }
    int keep = m->spec.having == NULL ? 1
                                      : having_eval(m->spec.having, m->args, m->types, m->protocol,
                                                    m->fields, m->n_visible);
    if (keep == -2) {
        fail(m, SQL_NOT_SUPPORTED, "shardd: HAVING over several shards compares numbers only");
        return false;
    }
    m->n_sorted += keep == 1;
    return !over_limit(m);
}

static enum merge_status
finish_groups(struct merge *m)
{
    struct buf scratch = { 0 };
    for (uint32_t i = 0; i < m->n_legs; i++)
        if (!m->legs[i].ended)
            return MERGE_WAIT;
    if (m->spec.n_group == 0 && m->groups.keys.n == 0)
        groups_empty(&m->groups);
    m->sorted = mem_alloc((m->groups.keys.n + 1) * sizeof(m->sorted[0]));
    for (uint32_t i = 0; i < m->groups.keys.n; i++)
        if (!add_group(m, i, &scratch))
            break;
    buf_fini(&scratch);
    if (m->phase == PHASE_ERROR)
        return MERGE_ERROR;
    if (m->spec.n_order > 0)
        qsort_r(m->sorted, m->n_sorted, sizeof(m->sorted[0]), compare_groups, m);
    m->phase = PHASE_RUN;
    return MERGE_ROW;
}

static enum merge_status
next_group(struct merge *m, struct span *row)
{
    enum merge_status s = m->phase == PHASE_FILL ? finish_groups(m) : MERGE_ROW;
    if (s != MERGE_ROW)
        return s;
    if (m->next_sorted == m->n_sorted)
        return MERGE_DONE;
    *row = m->sorted[m->next_sorted++].row;
    return MERGE_ROW;
}

enum merge_status
merge_next(struct merge *m, struct span *row)
{
    while (m->phase != PHASE_ERROR && m->phase != PHASE_DONE) {
        struct span       in;
        size_t            visible_end = 0;
        enum merge_status s           = MERGE_DONE;
        bool              sorted      = !m->spec.grouped && m->spec.sorted_legs;
        if (m->sent < m->args->count || m->args->counts_all)
            s = m->spec.grouped ? next_group(m, &in)
                : sorted        ? next_sorted_leg(m, &in, &visible_end)
                                : next_any_leg(m, &in);
        if (s == MERGE_DONE)
            m->phase = PHASE_DONE;
        if (s != MERGE_ROW)
            return s;
        switch (judge(m, in, sorted && !m->spec.distinct, &visible_end)) {
        case ROW_SEND:
            if (m->spec.distinct && over_limit(m))
                return MERGE_ERROR;
            *row = strip(m, in, visible_end);
            return MERGE_ROW;
        case ROW_DROP:
            if (m->spec.distinct && over_limit(m))
                return MERGE_ERROR;
            break;
        case ROW_BAD: return malformed(m);
        }
    }
    return m->phase == PHASE_ERROR ? MERGE_ERROR : MERGE_DONE;
}

uint64_t
merge_total(const struct merge *m)
{
    return m->skipped + m->sent + m->beyond;
}

const struct sql_error *
merge_error(const struct merge *m)
{
    return &m->error;
}
