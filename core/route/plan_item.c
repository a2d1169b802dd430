/* plan_item.c - see plan_internal.h: expressions as columns that can be compared.
 *
 * Strings are compared by hidden columns of WEIGHT_STRING, ENUM and SET by
 * their numbers (MIN and MAX of them as strings), FLOAT as DOUBLE (its text has
 * too few digits), INET4 and INET6 by their bytes; everything else by its own
 * value, which is selected again, hidden, when it is not an item.
 */
#include "core/route/merge_field.h"
#include "core/route/plan_scatter.h"

struct hidden_column {
    const char           *before;
    uint32_t              start, end;
    uint32_t              index;
    struct hidden_column *next;
};

/* Holds no literal and no parameter, which may differ from run to run. */
static bool
is_fixed(const struct planner *p, uint32_t start, uint32_t end)
{
    for (uint32_t i = 0; p->digest != NULL && i < p->digest->n_literals; i++)
        if (p->digest->literals[i].start >= start && p->digest->literals[i].start < end)
            return false;
    for (uint32_t i = 0; i < p->n_params; i++)
        if (p->params[i] >= start && p->params[i] < end)
            return false;
    return true;
}

/* The same letters, whatever the literals of a run are. */
static bool
same_text(const struct planner *p, const struct expr *a, uint32_t start, uint32_t end)
{
    return a->end - a->start == end - start &&
           memcmp(p->text.ptr + a->start, p->text.ptr + start, end - start) == 0 &&
           is_fixed(p, a->start, a->end) && is_fixed(p, start, end);
}

/* An alias of the client's is called like this column: ORDER BY could mean either. */
static bool
is_shadowed(const struct scatter *c, const struct expr *e)
{
    if (e->kind != EXPR_COLUMN)
        return false;
    for (const struct select_item *item = c->q->items; item != NULL; item = item->next)
        if (item->alias.ptr != NULL && span_equal_nocase(item->alias, e->path->name))
            return true;
    return false;
}

uint32_t
item_hide(struct scatter *c, const char *before, const struct expr *e, const char *behind)
{
    for (struct hidden_column *h = c->columns; h != NULL; h = h->next)
        if (strcmp(h->before, before) == 0 && same_text(c->p, e, h->start, h->end))
            return h->index;
    struct hidden_column *h = make(c->p, sizeof(*h));
    *h = (struct hidden_column){ before, e->start, e->end, MERGE_HIDDEN + c->n_hidden++,
                                 c->columns };
    c->columns = h;
    text_const(&c->hidden, ", ");
    text_const(&c->hidden, before);
    text_source(&c->hidden, e->start, e->end);
    text_const(&c->hidden, behind);
    if (before[0] == '\0' && is_shadowed(c, e))
        text_const(&c->hidden, " AS `shardd`");
    return h->index;
}

static bool
find_aggregate(struct visitor *v, struct expr *e)
{
    if (e->kind == EXPR_SUBQUERY)
        return false;
    if (e->kind == EXPR_FUNC && e->func->klass == FUNC_AGGREGATE)
        *(bool *)v->context = true;
    return true;
}

bool
has_aggregate(struct expr *e)
{
    bool           found = false;
    struct visitor v     = { .expr = find_aggregate, .context = &found };
    if (e != NULL)
        visit_expr(&v, e);
    return found;
}

static struct item_ref
item_at(struct scatter *c, uint64_t at)
{
    struct select_item *item = c->q->items;
    for (uint32_t i = 0; i < at && item != NULL; i++)
        item = item->next;
    struct item_ref ref = { .expr    = item == NULL ? NULL : item->expr,
                            .visible = at < c->star_at ? (uint32_t)at : MERGE_NONE };
    return ref;
}

/* What is too large to be a position is a constant. */
static bool
item_position(struct scatter *c, struct expr *e, const char *clause, struct item_ref *out)
{
    struct planner *p      = c->p;
    struct span     digits = { p->text.ptr + e->start, e->end - e->start };
    uint64_t        at;
    if (!literal_u64(digits, &at))
        return true;
    if (at > c->star_at)
        return NOT_YET(p, "shardd: a position behind '*' in ORDER BY or GROUP BY of a statement on "
                          "several shards is not supported; name the column");
    if (at > 0)
        *out = item_at(c, at - 1);
    if (at == 0 || out->expr == NULL)
        return refuse(p, 1054, "Unknown column '%.*s' in '%s'", SHOWN(digits), clause);
    return true;
}

/* An item that is this very column. */
static bool
item_of_column(struct scatter *c, const struct expr *e, struct item_ref *out)
{
    uint32_t         column, other;
    struct instance *i  = scope_column(c->s, e->path, &column);
    uint32_t         at = 0;
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++) {
        struct expr *x = bare(item->expr);
        if (i == NULL || x->kind != EXPR_COLUMN || scope_column(c->s, x->path, &other) != i ||
            other != column)
            continue;
        *out = item_at(c, at);
        return true;
    }
    return false;
}

static bool
item_alias(struct scatter *c, const struct expr *e, struct item_ref *out)
{
    uint32_t at = 0;
    if (e->path->table.ptr != NULL)
        return false;
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++) {
        if (item->alias.ptr == NULL || !span_equal_nocase(item->alias, e->path->name))
            continue;
        *out = item_at(c, at);
        return true;
    }
    return false;
}

bool
item_find(struct scatter *c, struct expr *e, bool prefer_column, struct item_ref *out)
{
    uint32_t column, at = 0;
    e    = bare(e);
    *out = (struct item_ref){ e, MERGE_NONE };
    if (e->kind == EXPR_LITERAL && e->literal == TOK_INT && e->n_args == 0)
        return item_position(c, e, prefer_column ? "GROUP BY" : "ORDER BY", out);
    if (e->kind == EXPR_COLUMN) {
        bool known = scope_column(c->s, e->path, &column) != NULL;
        if (prefer_column && known && item_of_column(c, e, out))
            return true;
        if (prefer_column && known)
            return true;
        if (item_alias(c, e, out) || item_of_column(c, e, out))
            return true;
        return true;
    }
    /* The same expression, letter by letter. */
    for (struct select_item *item = c->q->items; item != NULL; item = item->next, at++)
        if (same_text(c->p, item->expr, e->start, e->end) && item->expr->kind == e->kind) {
            *out = item_at(c, at);
            return true;
        }
    return true;
}

/* ---- types ---- */

struct item_type {
    bool                       known;
    const struct route_column *column; /* a column's own type */
    uint16_t                   collation; /* of a string, 0: not known */
};

static bool
is_one_of(const struct func *f, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_equal_nocase(f->name.name, span_of(names[i])))
            return true;
    return false;
}

/* Functions whose string is in the connection's collation. */
static bool
makes_string(const struct func *f)
{
    static const char *const names[] = {
        "DATE_FORMAT", "TIME_FORMAT", "HEX", "MD5", "SHA", "SHA1", "SHA2", "DAYNAME", "MONTHNAME",
        "FORMAT", "BIN", "OCT", "CONV",
    };
    return is_one_of(f, names, countof(names));
}

/* Functions whose string has the collation of their string arguments. */
static bool
keeps_collation(const struct func *f)
{
    static const char *const names[] = {
        "LOWER", "LCASE", "UPPER", "UCASE", "LEFT", "RIGHT", "SUBSTRING", "SUBSTR", "MID", "TRIM",
        "LTRIM", "RTRIM", "REVERSE", "CONCAT", "COALESCE", "IFNULL", "NULLIF", "MIN", "MAX",
        "REPLACE", "REPEAT", "LPAD", "RPAD", "ANY_VALUE", "IF",
    };
    return is_one_of(f, names, countof(names));
}

static bool
is_string(const struct route_column *c)
{
    return c->type == COLUMN_CHAR || c->type == COLUMN_VARCHAR || c->type == COLUMN_TEXT ||
           c->type == COLUMN_JSON;
}

struct collation_search {
    struct scatter *c;
    uint16_t        collation;
    bool            mixed, number;
    bool            extreme; /* of MIN or MAX of a column */
};

static bool
visit_collation(struct visitor *v, struct expr *e)
{
    struct collation_search *search = v->context;
    uint32_t                 column;
    if (e->kind == EXPR_SUBQUERY || e->kind == EXPR_COLLATE || e->kind == EXPR_CONVERT ||
        e->kind == EXPR_CAST) {
        search->mixed = true;
        return false;
    }
    if (e->kind == EXPR_FUNC && makes_string(e->func))
        return false;
    if (e->kind == EXPR_FUNC && !keeps_collation(e->func))
        search->mixed = true;
    if (e->kind != EXPR_COLUMN)
        return true;
    struct instance           *i = scope_column(search->c->s, e->path, &column);
    const struct route_column *t = i == NULL ? NULL : instance_column(i, column);
    if (t != NULL && t->type >= COLUMN_TINYINT && t->type <= COLUMN_DOUBLE)
        return search->number = true; /* as a string: of the connection */
    bool enumerated = t != NULL && search->extreme &&
                      (t->type == COLUMN_ENUM || t->type == COLUMN_SET);
    if (t == NULL || (!is_string(t) && !enumerated) ||
        (search->collation != 0 && search->collation != t->collation))
        search->mixed = true;
    else
        search->collation = t->collation;
    return true;
}

/* MIN and MAX of a FLOAT are FLOATs, of an INET6 INET6; of a BIT they are of type BIT and, as a
 * server's way of grouping will have it, its bytes or a number in decimal. */
static bool
extreme_of_type(struct scatter *c, struct expr *e, const struct route_column **out)
{
    uint32_t         column;
    struct instance *i = scope_column(c->s, e->path, &column);
    *out               = i == NULL ? NULL : instance_column(i, column);
    if (*out != NULL && ((*out)->type == COLUMN_FLOAT || (*out)->type == COLUMN_INET4 ||
                         (*out)->type == COLUMN_INET6 || (*out)->type == COLUMN_BIT))
        return true;
    *out = NULL;
    return false;
}

static struct item_type
type_of(struct scatter *c, struct expr *e)
{
    struct item_type out = { 0 };
    uint32_t         column;
    e = bare(e);
    if (e->kind == EXPR_COLUMN) {
        struct instance *i = scope_column(c->s, e->path, &column);
        out.column         = i == NULL ? NULL : instance_column(i, column);
        out.known          = out.column != NULL;
        out.collation      = out.known && is_string(out.column) ? out.column->collation : 0;
        return out;
    }
    if (e->kind == EXPR_FUNC && e->func->klass == FUNC_AGGREGATE && e->n_args == 1 &&
        bare(e->args)->kind == EXPR_COLUMN && extreme_of_type(c, bare(e->args), &out.column)) {
        out.known = true;
        return out;
    }
    if (e->kind == EXPR_COLLATE)
        out.collation = collation_named(*e->name);
    if (e->kind == EXPR_CAST && e->type->keyword == KW_CHAR && e->type->charset.ptr == NULL)
        out.collation = c->p->context->collation;
    if ((e->kind == EXPR_FUNC && (keeps_collation(e->func) || makes_string(e->func))) ||
        e->kind == EXPR_CASE) {
        struct collation_search search = {
            .c = c, .extreme = e->kind == EXPR_FUNC && e->func->klass == FUNC_AGGREGATE &&
                               e->n_args == 1 && bare(e->args)->kind == EXPR_COLUMN };
        struct visitor          v      = { .expr = visit_collation, .context = &search };
        visit_expr(&v, e);
        uint16_t found = search.collation != 0 ? search.collation : c->p->context->collation;
        bool     number = search.collation == 0 && search.number && e->kind == EXPR_FUNC &&
                      e->func->klass == FUNC_AGGREGATE;
        out.collation  = search.mixed || number ? 0 : found;
    }
    return out;
}

static bool
unordered(struct scatter *c, const struct expr *e, const char *why)
{
    return NOT_YET(c->p, "shardd: '%.*s' %s, so rows of several shards cannot be put in order or "
                         "grouped by it",
                   SHOWN(((struct span){ c->p->text.ptr + e->start, e->end - e->start })), why);
}

static bool
string_key(struct scatter *c, struct item_ref item, uint16_t collation, struct merge_key *out)
{
    struct span pad;
    if (!collation_pad(collation, &pad))
        return unordered(c, item.expr, "has a collation whose order is not known to the proxy");
    out->collation = collation;
    out->weight    = item_hide(c, "WEIGHT_STRING(", item.expr, ")");
    return true;
}

/* ascii_bin and latin1_bin: servers sort columns of these with 'a' and 'a ' as equal, and what is
 * computed with 'a' before 'a '. */
static bool
sorts_in_two_ways(const struct item_type *t)
{
    return !t->known && (t->collation == 47 || t->collation == 65);
}

struct alias_search {
    struct scatter *c;
    bool            found;
};

static bool
find_alias(struct visitor *v, struct expr *e)
{
    struct alias_search *search = v->context;
    struct item_ref      item;
    uint32_t             column;
    if (e->kind == EXPR_COLUMN && scope_column(search->c->s, e->path, &column) == NULL)
        search->found |= item_alias(search->c, e, &item);
    return e->kind != EXPR_SUBQUERY;
}

/* ORDER BY and GROUP BY know aliases, also inside an expression, where no column has that name;
 * a hidden column, which is one of the select list, does not. */
static bool
is_of_alias(struct scatter *c, const struct item_ref *item)
{
    struct alias_search search = { .c = c };
    struct visitor      v      = { .expr = find_alias, .context = &search };
    if (item->visible == MERGE_NONE)
        visit_expr(&v, item->expr);
    return search.found;
}

bool
item_key(struct scatter *c, struct item_ref item, bool sorts, struct merge_key *out)
{
    if (is_of_alias(c, &item))
        return unordered(c, item.expr, "is computed from an alias");
    struct item_type t = type_of(c, item.expr);
    *out               = (struct merge_key){ .column = item.visible, .weight = MERGE_NONE };
    if (t.known) {
        switch ((int)t.column->type) {
        case COLUMN_BIT:
            if (bare(item.expr)->kind == EXPR_COLUMN)
                break; /* bytes always */
            /* fallthrough */
        case COLUMN_ENUM: case COLUMN_SET:
            out->column = item_hide(c, "0+(", item.expr, ")");
            return true;
        case COLUMN_FLOAT:
            out->column = item_hide(c, "0e0+(", item.expr, ")");
            return true;
        case COLUMN_INET4: case COLUMN_INET6:
            if (sorts)
                out->column = item_hide(c, "CAST(", item.expr, t.column->type == COLUMN_INET4
                                                               ? " AS BINARY(4))"
                                                               : " AS BINARY(16))");
            out->collation = 63;
            break;
        case COLUMN_UUID: case COLUMN_GEOMETRY:
            if (sorts)
                return unordered(c, item.expr, "has a type that sorts unlike its text");
            out->collation = 63;
            break;
        case COLUMN_OTHER:
            if (!is_string(t.column))
                return unordered(c, item.expr, "has a type the proxy does not know");
            break;
        default: break;
        }
    }
    if (sorts && sorts_in_two_ways(&t))
        return unordered(c, item.expr, "is sorted unlike a column of its collation");
    c->spec->uncertain = c->spec->uncertain || !t.known;
    if (out->column == MERGE_NONE)
        out->column = item_hide(c, "", item.expr, "");
    return t.collation == 0 || t.collation == 63 || string_key(c, item, t.collation, out);
}
