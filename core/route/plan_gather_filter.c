/* plan_gather_filter.c - see plan_internal.h: conditions that the shards can look at.
 *
 * A conjunct of a WHERE or ON goes to the fetch of a table when it is about columns of one
 * occurrence of it alone, and its truth is the same wherever and whenever the row is looked at;
 * and when rows for which it does not hold can matter to nothing: those of the condition's own
 * region, not those that an outer join below it would fill with NULL. With several occurrences
 * a row is fetched when one of them wants it.
 */
#include "core/route/plan_gather.h"

enum {
    FILTERS_MAX = 8, /* occurrences with conditions of their own */
    PARTS_MAX   = 64,
};

/* Functions of their arguments alone, and of settings that every backend of the session has.
 * Sorted, in capitals. */
static const char *const pure[] = {
    "ABS", "ASCII", "BIT_COUNT", "BIT_LENGTH", "CEIL", "CEILING", "CHARACTER_LENGTH",
    "CHAR_LENGTH", "COALESCE", "CONCAT", "CONCAT_WS", "CRC32", "DATE", "DATEDIFF", "DATE_ADD",
    "DATE_FORMAT", "DATE_SUB", "DAY", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "ELT", "EXTRACT",
    "FIELD", "FIND_IN_SET", "FLOOR", "GREATEST", "HEX", "HOUR", "IF", "IFNULL", "INET6_ATON",
    "INET6_NTOA", "INET_ATON", "INET_NTOA", "INSTR", "ISNULL", "LAST_DAY", "LCASE", "LEAST",
    "LEFT", "LENGTH", "LOCATE", "LOWER", "LPAD", "LTRIM", "MD5", "MICROSECOND", "MID", "MINUTE",
    "MOD", "MONTH", "NULLIF", "OCTET_LENGTH", "ORD", "POSITION", "QUARTER", "REPEAT", "REPLACE",
    "REVERSE", "RIGHT", "ROUND", "RPAD", "RTRIM", "SECOND", "SHA1", "SHA2", "SIGN", "STRCMP",
    "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX", "TIME", "TIMESTAMPDIFF", "TIME_TO_SEC", "TO_DAYS",
    "TRIM", "TRUNCATE", "UCASE", "UNHEX", "UPPER", "WEEKDAY", "YEAR",
};

static bool
is_pure(const struct func *f)
{
    if (f->klass != FUNC_PLAIN || f->name.schema.ptr != NULL)
        return false;
    for (size_t i = 0; i < countof(pure); i++)
        if (span_equal_nocase(f->name.name, span_of(pure[i])))
            return true;
    return false;
}

/* ---- which occurrence a condition is about ---- */

struct subject {
    const struct condition *c;
    struct instance        *of;
    bool                    joined; /* USING or NATURAL JOIN: a bare name may be either side's */
    bool                    fits;
};

static bool
see_column(struct subject *s, const struct expr *e)
{
    uint32_t         at;
    struct instance *i = scope_column(s->c->s, e->path, &at);
    if (i == NULL || i->table == NULL || i->region != s->c->region ||
        (s->of != NULL && s->of != i) || (s->joined && e->path->table.ptr == NULL))
        return false;
    s->of = i;
    return i->table->columns[at].type != COLUMN_TIME; /* as a DATETIME it is one of today */
}

static bool
see(struct visitor *v, struct expr *e)
{
    struct subject *s = v->context;
    switch ((int)e->kind) {
    case EXPR_TEMPORAL: s->fits &= e->word != KW_TIME; break;
    case EXPR_LITERAL: case EXPR_PARAM: case EXPR_NULL: case EXPR_BOOL:
    case EXPR_UNARY: case EXPR_AND: case EXPR_OR: case EXPR_BETWEEN: case EXPR_IN:
    case EXPR_LIKE: case EXPR_IS: case EXPR_ROW: case EXPR_PAREN: case EXPR_CASE:
    case EXPR_CAST: case EXPR_CONVERT: case EXPR_COLLATE: case EXPR_INTERVAL:
    case EXPR_MATCH: break; /* match_check() looks at it */
    case EXPR_BINARY: s->fits &= e->op != EXPR_OP_MEMBER; break;
    case EXPR_FUNC:   s->fits &= is_pure(e->func); break;
    case EXPR_COLUMN: s->fits &= see_column(s, e); break;
    default:          s->fits = false; break;
    }
    return s->fits;
}

static bool
see_join(struct visitor *v, struct table_ref *ref)
{
    *(bool *)v->context |= ref->natural || ref->using_columns != NULL;
    return ref->kind == TABLE_REF_JOIN;
}

static bool
has_common_columns(const struct query *q)
{
    bool           found = false;
    struct visitor v     = { .table_ref = see_join, .context = &found };
    visit_table_ref(&v, q->from);
    return found;
}

bool
gather_is_about(struct scope *s, struct instance *i, struct expr *e)
{
    struct condition c = { .s = s, .e = e, .region = i->region };
    struct subject   t = { .c = &c, .fits = true };
    struct visitor   v = { .expr = see, .context = &t };
    visit_expr(&v, e);
    return t.fits && t.of == i;
}

/* ---- filters ---- */

static struct filter *
filter_of(struct gathering *list, const struct instance *i)
{
    struct gathering *g = gathering_of(list, i);
    struct filter    *f = g == NULL ? NULL : g->filters;
    while (f != NULL && f->of != i)
        f = f->next;
    return f;
}

static void
filter_add(struct planner *p, struct filter *f, struct expr *e)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->parts[i] == e)
            return;
    if (f->n == PARTS_MAX)
        return;
    if (f->n == f->cap) {
        uint32_t      cap  = f->cap == 0 ? 4 : 2 * f->cap;
        struct expr **more = make(p, cap * sizeof(struct expr *));
        if (f->n > 0)
            memcpy(more, f->parts, f->n * sizeof(struct expr *));
        f->parts = more;
        f->cap   = cap;
    }
    f->parts[f->n++] = e;
}

static void
learn_filter(struct planner *p, struct gathering *list, const struct condition *c, struct expr *e)
{
    e = bare(e);
    if (e->kind == EXPR_AND) {
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            learn_filter(p, list, c, arg);
        return;
    }
    struct subject s = { .c = c, .fits = true, .joined = has_common_columns(c->s->query) };
    struct visitor v = { .expr = see, .context = &s };
    visit_expr(&v, e);
    struct filter *f = s.fits && s.of != NULL ? filter_of(list, s.of) : NULL;
    if (f != NULL)
        filter_add(p, f, e);
}

/* ---- keys that are known by way of other tables ---- */

/* What a whole number is compared with in one way, whichever column has it. */
static bool
is_plain(const struct operand *o, const struct digest *d)
{
    if (o->collate || o->as != KEY_VALUE_OTHER)
        return false;
    return o->kind == OPERAND_PARAM ||
           (o->kind == OPERAND_CONST && o->constant.kind == KEY_VALUE_INT) ||
           (o->kind == OPERAND_LITERAL && d != NULL && o->ordinal < d->n_literals &&
            d->literals[o->ordinal].kind == TOK_INT);
}

struct mention {
    struct span column;
    bool        found;
};

static bool
see_mention(struct visitor *v, struct expr *e)
{
    struct mention *m = v->context;
    m->found |= e->kind == EXPR_COLUMN && span_equal_nocase(e->path->name, m->column);
    return true;
}

static void
learn_keys(struct planner *p, const struct gathering *g, struct filter *f)
{
    const struct key_group *keys = g->table->kind == TABLE_SHARDED ? where_keys(p, f->of) : NULL;
    if (keys == NULL || keys->n_keys > PARTS_MAX)
        return;
    struct mention m = { .column = g->table->columns[g->table->key].name };
    struct visitor v = { .expr = see_mention, .context = &m };
    for (uint32_t i = 0; i < f->n; i++)
        visit_expr(&v, f->parts[i]);
    bool plain = !m.found && column_is_integer(g->table->columns[g->table->key].type);
    for (uint32_t i = 0; i < keys->n_keys; i++)
        plain = plain && is_plain(&keys->keys[i], p->digest);
    if (plain)
        f->keys = keys;
}

/* ---- */

static bool
filters_equal(const struct filter *a, const struct filter *b)
{
    return a->n == b->n && a->keys == b->keys &&
           (a->n == 0 || memcmp(a->parts, b->parts, a->n * sizeof(*a->parts)) == 0);
}

/* What every occurrence says the same once; nothing when one wants all rows. */
static void
simplify(struct gathering *g)
{
    uint32_t n = 0;
    for (struct filter *f = g->filters; f != NULL; f = f->next) {
        for (struct filter **at = &f->next; *at != NULL;)
            if (filters_equal(f, *at))
                *at = (*at)->next;
            else
                at = &(*at)->next;
        if ((f->n == 0 && f->keys == NULL) || ++n > FILTERS_MAX) {
            g->filters = NULL;
            return;
        }
    }
}

/* ---- keys ---- */

/* Of few bytes, and compared alike by every kind of index. */
static bool
can_be_key(const struct route_column *c)
{
    switch ((int)c->type) {
    case COLUMN_TINYINT: case COLUMN_SMALLINT: case COLUMN_MEDIUMINT: case COLUMN_INT:
    case COLUMN_BIGINT: case COLUMN_DECIMAL: case COLUMN_DATE: case COLUMN_DATETIME:
    case COLUMN_TIMESTAMP: case COLUMN_YEAR: case COLUMN_ENUM: case COLUMN_UUID:
        return true;
    case COLUMN_CHAR: case COLUMN_VARCHAR: case COLUMN_BINARY: case COLUMN_VARBINARY:
        return c->length <= 128;
    default: return false;
    }
}

/* Compared as what they are. MariaDB looks for 0.001 in a key of whole numbers and finds 0. */
static bool
are_alike(const struct instance *x, uint32_t x_column, const struct instance *y, uint32_t y_column)
{
    const struct route_column *a = x == NULL ? NULL : instance_column(x, x_column);
    const struct route_column *b = y == NULL ? NULL : instance_column(y, y_column);
    if (a == NULL || b == NULL || (column_is_integer(a->type) && column_is_integer(b->type)))
        return a != NULL && b != NULL;
    bool exact = a->type == COLUMN_DECIMAL || a->type == COLUMN_DATETIME;
    return a->type == b->type && a->collation == b->collation &&
           (!exact || (a->length == b->length && a->scale == b->scale));
}

/* And every value of one is one of the other. */
static bool
are_same(const struct instance *x, uint32_t x_column, const struct instance *y, uint32_t y_column)
{
    if (!are_alike(x, x_column, y, y_column))
        return false;
    const struct route_column *a = instance_column(x, x_column);
    const struct route_column *b = instance_column(y, y_column);
    return a->type == b->type && a->is_unsigned == b->is_unsigned;
}

static void
want_key(struct gathering *list, const struct instance *i, uint32_t at)
{
    struct gathering *g = i == NULL ? NULL : gathering_of(list, i);
    if (g != NULL && at < g->table->n_columns && can_be_key(&g->table->columns[at]))
        g->keys[at] = true;
}

static void
learn_join(struct gathering *list, const struct scope *s, struct expr *a, struct expr *b)
{
    uint32_t         a_column = 0, b_column = 0;
    struct instance *x, *y;
    a = bare(a);
    b = bare(b);
    x = a->kind == EXPR_COLUMN ? scope_column(s, a->path, &a_column) : NULL;
    y = b->kind == EXPR_COLUMN ? scope_column(s, b->path, &b_column) : NULL;
    if (x == y || !are_alike(x, a_column, y, b_column))
        return;
    want_key(list, x, a_column);
    want_key(list, y, b_column);
}

static void
learn_joins(struct gathering *list, const struct scope *s, struct expr *e)
{
    e = bare(e);
    if (e->kind == EXPR_AND)
        for (struct expr *arg = e->args; arg != NULL; arg = arg->next)
            learn_joins(list, s, arg);
    else if (e->kind == EXPR_BINARY && e->op == EXPR_OP_EQUAL)
        learn_join(list, s, e->args, e->args->next);
}

struct in_search {
    struct gathering *list;
    struct scope     *scopes, *s;
    bool              forbids; /* keys that must not be, whoever wants them */
};

static void
forbid_key(struct gathering *list, const struct instance *i, uint32_t at)
{
    struct gathering *g = i == NULL ? NULL : gathering_of(list, i);
    if (g != NULL && at < g->table->n_columns)
        g->keys[at] = false;
}

/* x IN (SELECT y ...), x <> ALL (SELECT y ...). With a key of y MariaDB looks x up there, and where
 * x is no value that y could have, it forgets the NULLs that are there: NOT IN was true of 2^64 - 1
 * and a BIGINT. */
static bool
see_in(struct visitor *v, struct expr *e)
{
    struct in_search *w = v->context;
    uint32_t          column, other;
    if (e->kind == EXPR_SUBQUERY)
        return false;
    if ((e->kind != EXPR_IN && e->kind != EXPR_QUANTIFIED) || e->n_args != 2 ||
        e->args->next->kind != EXPR_SUBQUERY)
        return true;
    const struct query *q = e->args->next->query;
    struct expr        *x = bare(e->args), *y = q->items == NULL ? NULL : bare(q->items->expr);
    for (const struct scope *s = w->scopes; s != NULL; s = s->next_all)
        if (s->query == q && y != NULL && y->kind == EXPR_COLUMN) {
            const struct instance *i = scope_column(s, y->path, &column);
            const struct instance *o = x->kind == EXPR_COLUMN
                                           ? scope_column(w->s, x->path, &other) : NULL;
            bool same = o != NULL && are_same(i, column, o, other);
            if (same && !w->forbids && e->kind == EXPR_IN)
                want_key(w->list, i, column);
            else if (!same && w->forbids)
                forbid_key(w->list, i, column);
        }
    return true;
}

static bool
see_using(struct visitor *v, struct table_ref *ref)
{
    struct in_search *w = v->context;
    for (const struct name_item *n = ref->using_columns; n != NULL; n = n->next)
        for (const struct instance *i = w->s->first; i != NULL; i = i->next)
            for (const struct instance *o = w->s->first; o != NULL; o = o->next)
                if (i != o && i->table != NULL && o->table != NULL &&
                    are_alike(i, routes_column(i->table, n->name), o,
                              routes_column(o->table, n->name)))
                    want_key(w->list, i, routes_column(i->table, n->name));
    return true;
}

static bool
see_own(struct visitor *v, struct query *q)
{
    return q == ((const struct in_search *)v->context)->s->query;
}

/* ---- user variables that the statement sets ---- */

static bool
count_assign(struct visitor *v, struct expr *e)
{
    *(uint32_t *)v->context += e->kind == EXPR_ASSIGN;
    return true;
}

static bool
see_no_query(struct visitor *v, struct query *q)
{
    (void)v, (void)q;
    return false;
}

/* What is set for each row that is looked at, and not only for those that are taken, depends on
 * which rows there are: all of them have to be. */
static bool
sets_on_the_way(struct planner *p)
{
    uint32_t       all = 0, items = 0;
    struct visitor whole = { .expr = count_assign, .context = &all };
    struct visitor own   = { .query = see_no_query, .expr = count_assign, .context = &items };
    if (p->digest != NULL && (p->digest->flags & DIGEST_ASSIGN) == 0)
        return false;
    visit_query(&whole, p->whole);
    for (struct select_item *i = p->whole->kind == QUERY_BLOCK ? p->whole->items : NULL; i != NULL;
         i = i->next)
        visit_expr(&own, i->expr);
    return all != items;
}

/* ---- */

void
gather_filters(struct planner *p, struct gathering *list)
{
    struct in_search w = { .list = list, .scopes = p->scopes };
    struct visitor   v = { see_own, see_using, see_in, &w };
    if (sets_on_the_way(p)) {
        for (; list != NULL; list = list->next) {
            list->filters   = NULL;
            list->all_rows = true;
        }
        return;
    }
    for (const struct condition *c = p->conditions; c != NULL; c = c->next) {
        learn_filter(p, list, c, c->e);
        learn_joins(list, c->s, c->e);
    }
    for (w.s = p->scopes; w.s != NULL; w.s = w.s->next_all)
        visit_query(&v, w.s->query);
    for (struct gathering *g = list; g != NULL; g = g->next) {
        for (struct filter *f = g->filters; f != NULL; f = f->next)
            learn_keys(p, g, f);
        simplify(g);
    }
    v         = (struct visitor){ .query = see_own, .expr = see_in, .context = &w };
    w.forbids = true;
    for (w.s = p->scopes; w.s != NULL; w.s = w.s->next_all)
        visit_query(&v, w.s->query);
    for (struct gathering *g = list; g != NULL; g = g->next)
        if (g->all_rows)
            g->filters = NULL;
}

bool
gather_is_filtered(const struct gathering *g)
{
    return g->filters != NULL;
}
