/* merge_group.h - groups of rows, for the merger only: see merge.h. */
#ifndef CORE_ROUTE_MERGE_GROUP_H
#define CORE_ROUTE_MERGE_GROUP_H

#include "core/base/arena.h"
#include "core/route/merge_field.h"

/* A set of byte strings, each with an id in order of arrival. Open addressing. */
struct key_set {
    struct key_slot *slots; /* owned */
    uint32_t         mask;
    uint32_t         n;
    struct arena     bytes; /* the keys */
};

/* The key's id; *added says whether it is new. */
uint32_t key_set_add(struct key_set *s, struct span key, bool *added);
bool key_set_has(const struct key_set *s, struct span key);

/* The keys by id: names[s->n]. They last as long as the set. */
void key_set_names(const struct key_set *s, struct span *names);
size_t key_set_memory(const struct key_set *s);
void key_set_fini(struct key_set *s);

/* What a column of a group has come to. */
struct cell_sum {
    bool              set; /* some value that is not NULL was seen */
    bool              is_double;
    struct span       bytes;     /* ANY, MIN, MAX: the field */
    struct sort_value best;      /* MIN, MAX; borrows best_bytes */
    struct span       best_bytes;
    struct decimal    decimal;
    double            real;
    uint64_t          bits;
};

struct groups {
    const struct merge_spec   *spec;
    const struct field_type   *types;
    enum merge_protocol        protocol;
    uint32_t                   n_columns;
    const struct merge_output *output_of; /* [n_columns), owned by the merge */
    struct key_set             keys;
    struct key_set             values;    /* of MERGE_COUNT_DISTINCT: group, column, value */
    struct cell_sum          **rows;      /* [keys.n): n_columns cells each */
    uint32_t                   rows_cap;
    bool                       differs;   /* shards did not say the same of a MERGE_ANY */
    struct arena               arena;
    struct buf                 key;
    struct buf                 value;
};

/* False: a field is not a value of its type. */
bool groups_add(struct groups *g, const struct field *fields);

/* The one group of no rows. */
void groups_empty(struct groups *g);

/* Append the finished row of a group as a payload of all columns. False: a sum has too
 * many digits. */
bool groups_row(struct groups *g, uint32_t group, struct buf *out);
size_t groups_memory(const struct groups *g);
void groups_fini(struct groups *g);

/* Without groups, as at the beginning. */
void groups_reset(struct groups *g);

/* The group of a key that sort_value_canonical() made; *added: it had no row yet. */
uint32_t groups_find(struct groups *g, struct span key, bool *added);

/* MERGE_MIN and MERGE_MAX have met a value, not NULL, and the field it came from. */
void groups_extreme(struct groups *g, struct cell_sum *cell, const struct merge_output *o,
                    const struct sort_value *v, struct span field);

/* merge_state.c: a group as it is now, to be put together with others of its key; and one value
 * more of a MERGE_COUNT_DISTINCT. `counts`: with those that were counted until now. */
enum { STATE_GROUP = 'g', STATE_COUNT = 'c' };
void groups_save(const struct groups *g, uint32_t group, struct span key, bool counts,
                 struct buf *out);
void groups_save_count(struct span key, uint32_t column, struct buf *out);

/* The other way. False: no such record, or a sum that has too many digits. */
bool groups_load(struct groups *g, struct span record);
bool state_take_span(struct span *in, struct span *out);

/* merge_having.c: whether columns of these types can be computed with. */
bool having_can(const struct merge_expr *e, const struct field_type *types, uint32_t n_visible);

/* 1 true, 0 false, -1 NULL; -2: cannot be computed exactly. */
int having_eval(const struct merge_expr *e, const struct merge_args *args,
                const struct field_type *types, enum merge_protocol protocol,
                const struct field *fields, uint32_t n_visible);

#endif
