/* plan_where.c - see plan_internal.h: which rows meet on which shard.
 *
 * Columns that must be equal form classes within a region. A class may equal
 * constants (then its tables' rows lie on the owners of those), or a column of
 * an enclosing region (then they lie where that one's rows lie), or neither:
 * then its rows are everywhere, cut into parts by the key.
 */
#include "core/route/plan_internal.h"

static struct class *
class_of(struct node *n)
{
    struct class *c = n->class;
    while (c->merged != NULL)
        c = c->merged;
    return c;
}

const struct key_group *
where_constants(struct planner *p, struct instance *i, uint32_t column)
{
    for (struct node *n = p->nodes; n != NULL; n = n->next)
        if (n->instance == i && n->column == column && class_of(n)->region == i->region)
            return class_of(n)->group;
    return NULL;
}

static struct node *
node_of(struct planner *p, struct instance *i, uint32_t column)
{
    for (struct node *n = p->nodes; n != NULL; n = n->next)
        if (n->instance == i && n->column == column)
            return n;
    struct node *n = make(p, sizeof(*n));
    *n             = (struct node){ i, column, instance_column(i, column),
                                    make(p, sizeof(struct class)), p->nodes };
    n->class->region = i->region;
    p->nodes         = n;
    return n;
}

static bool
inside(const struct region *r, const struct region *of)
{
    for (; r != NULL; r = r->parent)
        if (r == of)
            return true;
    return false;
}

bool
scope_has(const struct scope *s, const struct instance *i)
{
    for (const struct instance *at = s->first; at != NULL; at = at->next)
        if (at == i)
            return true;
    return false;
}

static void
merge_classes(struct class *a, struct class *b)
{
    if (a == b)
        return;
    if (b->outer == NULL)
        b->outer = a->outer;
    if (b->group == NULL || (a->group != NULL && a->group->n_keys < b->group->n_keys)) {
        b->group         = a->group;
        b->null_rejected = a->null_rejected;
    }
    a->merged = b;
}

static bool
is_own_key(const struct node *n)
{
    return instance_sharded(n->instance) && n->instance->key == n->column;
}

/* `a` lies in a region below that of `b`. */
static void
bind_outer(struct node *a, struct node *b)
{
    struct class *c = class_of(a);
    if (c->outer == NULL || (is_own_key(b) && !is_own_key(c->outer)))
        c->outer = b;
}

void
where_bind(struct planner *p, struct instance *inner, uint32_t inner_column,
           struct instance *outer, uint32_t outer_column)
{
    struct node *x = node_of(p, inner, inner_column), *y = node_of(p, outer, outer_column);
    if (x->type != NULL && y->type != NULL && keyhash_colocated(x->type, y->type))
        bind_outer(x, y);
}

void
where_equal(struct planner *p, struct instance *a, uint32_t a_column, struct instance *b,
            uint32_t b_column, struct region *only)
{
    struct node *x = node_of(p, a, a_column), *y = node_of(p, b, b_column);
    if (x->type == NULL || y->type == NULL || !keyhash_colocated(x->type, y->type))
        return;
    if (only != NULL && inside(a->region, only) != inside(b->region, only)) {
        /* The inner side of this join hangs on the row of the other. */
        bind_outer(inside(a->region, only) ? x : y, inside(a->region, only) ? y : x);
    } else if (a->region == b->region) {
        if (only == NULL || inside(a->region, only))
            merge_classes(class_of(x), class_of(y));
    } else if (inside(a->region, b->region)) {
        if (only == NULL || inside(a->region, only))
            bind_outer(x, y);
    } else if (inside(b->region, a->region)) {
        if (only == NULL || inside(b->region, only))
            bind_outer(y, x);
    }
}

/* ---- constants ---- */

struct keys {
    struct operand *items;
    uint32_t        n, cap;
};

static bool
keys_add(struct planner *p, struct keys *k, struct expr *e)
{
    struct operand o;
    if (!operand_make(p, e, &o))
        return false;
    if (k->n == k->cap) {
        uint32_t        cap  = k->cap == 0 ? 4 : 2 * k->cap;
        struct operand *more = make(p, cap * sizeof(*more));
        if (k->n > 0)
            memcpy(more, k->items, k->n * sizeof(*more));
        k->items = more;
        k->cap   = cap;
    }
    k->items[k->n++] = o;
    return true;
}

static bool
is_column(struct scope *s, struct expr *e, const struct instance *i, uint32_t column)
{
    uint32_t at;
    e = bare(e);
    return e->kind == EXPR_COLUMN && scope_column(s, e->path, &at) == i && at == column;
}

/* The position of the column in ROW(...), or of the expression itself: 0. */
static bool
position_in(struct scope *s, struct expr *e, const struct instance *i, uint32_t column,
            uint32_t *at)
{
    e   = bare(e);
    *at = 0;
    if (e->kind != EXPR_ROW)
        return is_column(s, e, i, column);
    for (struct expr *part = e->args; part != NULL; part = part->next, ++*at)
        if (is_column(s, part, i, column))
            return true;
    return false;
}

static struct expr *
part_of(struct expr *row, uint32_t at, bool is_row)
{
    row = bare(row);
    if (!is_row)
        return row;
    if (row->kind != EXPR_ROW)
        return NULL;
    struct expr *part = row->args;
    while (part != NULL && at-- > 0)
        part = part->next;
    return part;
}

/* All values that the column can have in rows for which `e` holds. */
static bool
keys_of(struct planner *p, struct scope *s, struct expr *e, const struct instance *i,
        uint32_t column, struct keys *out)
{
    uint32_t before = out->n, at;
    e               = bare(e);
    if (e->kind == EXPR_AND) {
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next) {
            if (keys_of(p, s, arg, i, column, out))
                return true;
            out->n = before;
        }
        return false;
    }
    if (e->kind == EXPR_OR) {
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            if (!keys_of(p, s, arg, i, column, out))
                return false;
        return true;
    }
    if (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL) {
        struct expr *a = e->args, *b = e->args->next;
        if (!position_in(s, a, i, column, &at)) {
            struct expr *swap = a;
            a                 = b;
            b                 = swap;
            if (!position_in(s, a, i, column, &at))
                return false;
        }
        struct expr *value = part_of(b, at, bare(a)->kind == EXPR_ROW);
        return value != NULL && keys_add(p, out, value);
    }
    if (e->kind != EXPR_IN || e->negated || !position_in(s, e->args, i, column, &at))
        return false;
    for (struct expr *arg = e->args->next; arg != NULL; arg = arg->next) {
        struct expr *value = part_of(arg, at, bare(e->args)->kind == EXPR_ROW);
        if (value == NULL || !keys_add(p, out, value))
            return false;
    }
    return true;
}

static void
learn_keys(struct planner *p, struct scope *s, struct expr *e, struct instance *i,
           uint32_t column)
{
    struct keys found = { 0 };
    if (!keys_of(p, s, e, i, column, &found))
        return;
    struct class *c = class_of(node_of(p, i, column));
    if (c->group != NULL && c->group->n_keys <= found.n)
        return;
    c->group         = make(p, sizeof(*c->group));
    *c->group        = (struct key_group){ ROUTES_NONE, found.n, found.items };
    c->null_rejected = i->region != s->region;
}

/* ---- equalities ---- */

static void
learn_pair(struct planner *p, struct scope *s, struct expr *a, struct expr *b,
           struct region *only)
{
    uint32_t a_column, b_column;
    a = bare(a);
    b = bare(b);
    if (a->kind == EXPR_ROW && b->kind == EXPR_ROW) {
        struct expr *x = a->args, *y = b->args;
        for (; x != NULL && y != NULL; x = x->next, y = y->next)
            learn_pair(p, s, x, y, only);
        return;
    }
    struct instance *x = a->kind == EXPR_COLUMN ? scope_column(s, a->path, &a_column) : NULL;
    struct instance *y = b->kind == EXPR_COLUMN ? scope_column(s, b->path, &b_column) : NULL;
    if (x != NULL && y != NULL) {
        bool x_here = scope_has(s, x), y_here = scope_has(s, y);
        if (x_here && y_here)
            where_equal(p, x, a_column, y, b_column, only);
        else if (x_here)
            where_bind(p, x, a_column, y, b_column);
        else if (y_here)
            where_bind(p, y, b_column, x, a_column);
        return;
    }
    /* Not only keys: t.other = 5 AND t.other = u.key fixes u. */
    struct instance *column = x != NULL ? x : y;
    struct operand   o;
    if (only != NULL || column == NULL || !scope_has(s, column) ||
        !operand_make(p, x != NULL ? b : a, &o))
        return;
    struct class *c = class_of(node_of(p, column, x != NULL ? a_column : b_column));
    if (c->group != NULL && c->group->n_keys == 1)
        return;
    struct operand *kept = make(p, sizeof(*kept));
    *kept                = o;
    c->group             = make(p, sizeof(*c->group));
    *c->group            = (struct key_group){ ROUTES_NONE, 1, kept };
    c->null_rejected     = column->region != s->region;
}

static void
learn_equalities(struct planner *p, struct scope *s, struct expr *e, struct region *only)
{
    e = bare(e);
    if (e->kind == EXPR_AND)
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            learn_equalities(p, s, arg, only);
    else if (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL)
        learn_pair(p, s, e->args, e->args->next, only);
}

void
where_learn(struct planner *p, struct scope *s, struct expr *e, struct region *only)
{
    if (p->gathers) {
        struct condition *c = make(p, sizeof(*c));
        *c = (struct condition){ s, e, only == NULL ? s->region : only, p->conditions };
        p->conditions = c;
    }
    learn_equalities(p, s, e, only);
    if (only != NULL)
        return;
    for (struct instance *i = s->first; i != NULL; i = i->next) {
        if (instance_sharded(i))
            learn_keys(p, s, e, i, i->key);
        for (uint32_t k = 0; i->table != NULL && k < i->table->n_lookups; k++)
            learn_keys(p, s, e, i, i->table->lookups[k].column);
    }
}

/* ---- conclusions ---- */

static struct node *
key_in_class(struct planner *p, struct class *c)
{
    for (struct node *n = p->nodes; n != NULL; n = n->next)
        if (is_own_key(n) && class_of(n) == c)
            return n;
    return NULL;
}

/* Every sharded table has a class, and a WHERE that fixes the nullable side of a
 * join fixes the other side as well, as rows filled with NULL are filtered out. */
void
where_complete(struct planner *p)
{
    for (struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (instance_sharded(i))
            node_of(p, i, i->key);
    for (struct node *n = p->nodes; n != NULL; n = n->next) {
        struct class *c = class_of(n);
        if (!c->null_rejected || c->group == NULL || c->outer == NULL)
            continue;
        struct class *outer = class_of(c->outer);
        if (outer->group == NULL)
            outer->group = c->group;
    }
}

/* Where the rows of the class lie: constants, or (NULL) with those of *anchor. */
static struct key_group *
resolve(struct planner *p, struct class *c, struct class **anchor)
{
    while (c->exported != NULL || c->outer != NULL) {
        if (c->exported != NULL) {
            c = class_of(node_of(p, c->exported, c->exported->key));
            continue;
        }
        if (c->outer == NULL)
            break;
        struct class *outer = class_of(c->outer);
        if (key_in_class(p, outer) == NULL && outer->outer == NULL) {
            if (c->group == NULL)
                c->group = outer->group;
            break;
        }
        c = outer;
    }
    *anchor = c;
    return c->group;
}

const struct key_group *
where_keys(struct planner *p, struct instance *i)
{
    struct class *anchor;
    return resolve(p, class_of(node_of(p, i, i->key)), &anchor);
}

bool
where_hangs(struct planner *p, struct instance *i)
{
    struct class *c = class_of(node_of(p, i, i->key)), *anchor;
    while (c->exported != NULL)
        c = class_of(node_of(p, c->exported, c->exported->key));
    (void)resolve(p, c, &anchor);
    return anchor != c;
}

bool
where_equals(struct planner *p, struct instance *a, struct instance *b)
{
    return class_of(node_of(p, a, a->key)) == class_of(node_of(p, b, b->key));
}

bool
where_is_key(struct planner *p, struct instance *i, uint32_t column)
{
    if (instance_sharded(i) && i->key == column)
        return true;
    return key_in_class(p, class_of(node_of(p, i, column))) != NULL;
}

static bool
expr_is_key(struct planner *p, struct scope *s, struct query *q, struct expr *e)
{
    uint32_t column;
    e = bare(e);
    if (e->kind == EXPR_LITERAL && e->literal == TOK_INT && q->items != NULL) {
        uint64_t at;
        if (!literal_u64((struct span){ p->text.ptr + e->start, e->end - e->start }, &at))
            return false;
        struct select_item *item = q->items;
        while (item != NULL && --at > 0)
            item = item->next;
        return item != NULL && item->expr->kind != EXPR_LITERAL &&
               expr_is_key(p, s, q, item->expr);
    }
    if (e->kind != EXPR_COLUMN)
        return false;
    struct instance *i = scope_column(s, e->path, &column);
    if (i != NULL && scope_has(s, i))
        return i->region == s->region && where_is_key(p, i, column);
    return false;
}

bool
where_groups_by_key(struct planner *p, struct scope *s, struct query *q)
{
    if (q->with_rollup)
        return false;
    for (struct order_item *o = q->group_by; o != NULL; o = o->next)
        if (expr_is_key(p, s, q, o->expr))
            return true;
    return false;
}

/* Is the key one of the columns that `*` stands for? */
static bool
star_has_key(const struct instance *i)
{
    return i->derived != NULL ? i->key < i->derived->n_items
                              : i->table == NULL || !i->table->columns[i->key].invisible;
}

bool
where_items_have_key(struct planner *p, struct scope *s, struct query *q)
{
    for (struct select_item *item = q->items; item != NULL; item = item->next) {
        struct expr *e = bare(item->expr);
        if (e->kind == EXPR_STAR)
            for (struct instance *i = s->first; i != NULL; i = i->next)
                if (instance_sharded(i) && i->region == s->region && star_has_key(i) &&
                    (e->path == NULL || e->path->table.ptr == NULL ||
                     span_equal_nocase(e->path->table, i->alias)))
                    return true;
        if (expr_is_key(p, s, q, e))
            return true;
    }
    return false;
}

struct instance *
where_export(struct planner *p, struct scope *s, struct query *q)
{
    struct instance *key = NULL;
    if (q->limit != NULL || q->with_rollup ||
        (p->stmt->flags & (STMT_HAS_WINDOW | STMT_HAS_ROWNUM)) != 0)
        return NULL;
    if (q->group_by != NULL ? !where_groups_by_key(p, s, q)
                            : query_aggregates(q) || s->aggregated)
        return NULL;
    for (struct instance *i = s->first; i != NULL; i = i->next) {
        if (!instance_sharded(i) || i->region != s->region)
            continue;
        struct class *c = class_of(node_of(p, i, i->key));
        if (c->outer != NULL)
            return NULL;
        if (key != NULL && class_of(node_of(p, key, key->key)) != c)
            return NULL;
        key = i;
    }
    return key;
}

void
where_exported(struct planner *p, struct instance *inside_one, struct instance *derived)
{
    struct class *c = class_of(node_of(p, inside_one, inside_one->key));
    c->exported     = derived;
    class_of(node_of(p, derived, derived->key))->group = c->group;
}

static bool
target_unsharded(struct planner *p, struct target *out)
{
    if (p->home_conflict)
        return NOT_YET(p, "shardd: '%.*s' and other tables of this statement are on different "
                          "shards; make one of them a reference table, or use the tables one by "
                          "one",
                       SHOWN(p->conflict_name));
    if (p->any_global) {
        out->kind = TARGET_HOME;
        out->home = p->home;
    } else if (p->any_system) {
        out->kind = TARGET_HOME;
        out->home = plan_information_home(p);
    }
    return true;
}

static void
add_group(struct planner *p, struct target *out, struct key_group *g, uint32_t table)
{
    struct key_group *groups = (struct key_group *)(uintptr_t)out->groups;
    if (g->table == ROUTES_NONE)
        g->table = table;
    for (uint32_t i = 0; i < out->n_groups; i++)
        if (groups[i].keys == g->keys)
            return;
    struct key_group *more = make(p, (out->n_groups + 1) * sizeof(*more));
    if (out->n_groups > 0)
        memcpy(more, groups, out->n_groups * sizeof(*more));
    more[out->n_groups++] = *g;
    out->groups           = more;
}

/* Every row of `main` has a row of the class in it, so that the shards have different ones.
 * Without it each shard would answer for rows that have no match there, or none at all. */
static bool
cuts(const struct class *c, const struct region *main)
{
    const struct region *r = c->region;
    while (r != main && r->nullable && c->null_rejected)
        r = r->parent;
    return r == main;
}

bool
where_target(struct planner *p, const struct region *main, struct target *out)
{
    struct class *common = NULL;
    *out                 = (struct target){ .kind = TARGET_ANY, .home = ROUTES_NONE };
    if (p->refused)
        return false;
    if (!p->any_sharded)
        return target_unsharded(p, out);
    where_complete(p);
    for (struct instance *i = p->instances; i != NULL; i = i->next_all) {
        struct class *anchor;
        if (!instance_sharded(i))
            continue;
        struct key_group *g = resolve(p, class_of(node_of(p, i, i->key)), &anchor);
        struct span name = i->table != NULL ? i->table->name : i->alias;
        if (g != NULL) {
            add_group(p, out, g, i->table_index);
            out->one_shard |= !cuts(anchor, main);
            continue;
        }
        if ((common != NULL && common != anchor) || anchor->region != main)
            return NOT_YET(p, "shardd: the rows of '%.*s' that this statement needs are on other "
                              "shards than those they are combined with; join the tables on their "
                              "keys, or give the key of each", SHOWN(name));
        common = anchor;
    }
    if (p->home_conflict)
        return target_unsharded(p, out);
    out->home = p->home;
    if (common == NULL) {
        out->kind    = TARGET_KEYS;
        out->at_home = p->any_global || p->any_system;
        if (p->any_system && p->home == ROUTES_NONE)
            out->home = home_of(p, p->context->schema, &p->home_database);
        return true;
    }
    if (out->n_groups > 0 || p->any_global || p->any_system)
        return NOT_YET(p, "shardd: the sharded table '%.*s' is combined with tables that are not "
                          "on "
                          "every shard; make those reference tables, or give the key",
                       SHOWN(p->sharded_name));
    out->kind = TARGET_ALL;
    return true;
}
