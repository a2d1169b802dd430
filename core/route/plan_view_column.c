/* plan_view_column.c - see view_write.h: what names of a statement that writes a view mean. */
#include "core/mysql/literal.h"
#include "core/route/view_write.h"

enum {
    ERR_UNKNOWN_COLUMN = 1054, ERR_NOT_UPDATABLE = 1348, ERR_SEVERAL_TABLES = 1393,
};

/* ---- columns of the view ---- */

static const struct select_item *
item_named(const struct view_writer *w, struct span name)
{
    const struct select_item *item = w->q->items;
    while (item != NULL && !span_equal_nocase(item->alias, name))
        item = item->next;
    return item;
}

/* The table's column that the item is; empty: it is something else. */
struct span
view_column_of(const struct select_item *item)
{
    const struct expr *e = item->expr;
    return e->kind == EXPR_COLUMN ? e->path->name : (struct span){ 0 };
}

static void
put_column(const struct view_writer *w, struct span column, struct buf *out)
{
    literal_identifier(out, w->called);
    buf_append_byte(out, '.');
    literal_identifier(out, column);
}

struct columns {
    const struct view_writer *w;
    struct range         list[256];
    struct span          names[256];
    uint32_t             n;
    bool                 full;
};

static bool
see_own(struct visitor *v, struct expr *e)
{
    struct columns *c = v->context;
    if (c->w->joined || e->kind != EXPR_COLUMN || e->path->table.ptr == NULL ||
        !span_equal_nocase(e->path->table, c->w->inner))
        return true;
    c->full = c->full || c->n == countof(c->list);
    if (!c->full) {
        c->list[c->n]    = (struct range){ e->start, e->end };
        c->names[c->n++] = e->path->name;
    }
    return true;
}

/* What the view computes, with the names of the new statement. */
void
view_put_inner(struct view_writer *w, struct expr *e, struct buf *out)
{
    struct columns *c    = make(w->p, sizeof(*c));
    struct visitor  v    = { .expr = see_own, .context = c };
    struct span     text = w->view->view_text;
    uint32_t        at   = e->start;
    *c = (struct columns){ .w = w };
    visit_expr(&v, e);
    w->failed |= c->full;
    for (uint32_t done = 0; done < c->n; done++) {
        uint32_t next = ROUTES_NONE;
        for (uint32_t i = 0; i < c->n; i++)
            if (c->list[i].start >= at && (next == ROUTES_NONE ||
                                           c->list[i].start < c->list[next].start))
                next = i;
        if (next == ROUTES_NONE)
            break;
        buf_append(out, text.ptr + at, c->list[next].start - at);
        put_column(w, c->names[next], out);
        at = c->list[next].end;
    }
    buf_append(out, text.ptr + at, e->end - at);
}

void
view_put_item(struct view_writer *w, const struct select_item *item, struct buf *out)
{
    struct span column = view_column_of(item);
    if (column.ptr != NULL && w->joined) {
        view_put_inner(w, item->expr, out);
        return;
    }
    if (column.ptr != NULL) {
        put_column(w, column, out);
        return;
    }
    buf_append_byte(out, '(');
    view_put_inner(w, item->expr, out);
    buf_append_byte(out, ')');
}

/* ---- edits ---- */

void
view_edit(struct view_writer *w, struct range range, struct buf *words)
{
    if (!w->counts)
        w->edits[w->n] = (struct view_edit_at){ range, arena_copy(w->p->arena, buf_unread(words)) };
    w->n++;
    buf_clear(words);
}

void
view_say(struct view_writer *w, uint32_t start, uint32_t end, const char *words)
{
    struct buf out = { 0 };
    buf_append_text(&out, words);
    view_edit(w, (struct range){ start, end }, &out);
    buf_fini(&out);
}

static bool
is_qualified(const struct view_writer *w, const struct path *path)
{
    struct span in = w->p->routes->databases[w->view->database].name;
    return path->table.ptr != NULL && span_equal_nocase(path->table, w->alias) &&
           (path->schema.ptr == NULL || (!w->aliased && span_equal_nocase(path->schema, in)));
}

static bool
is_hidden(const struct view_writer *w, struct span name)
{
    return w->table->n_columns == 0 || routes_column(w->table, name) != ROUTES_NONE;
}

static void
unknown(struct view_writer *w, struct span name)
{
    w->failed = true;
    w->p->refused = false;
    refuse(w->p, ERR_UNKNOWN_COLUMN, "Unknown column '%.*s' in 'field list'", SHOWN(name));
}

/* None of the tables beside it has such a column. */
static bool
others_lack(const struct view_writer *w, const struct table_ref *tree, struct span name)
{
    if (tree == w->ref)
        return true;
    if (tree->kind == TABLE_REF_JOIN)
        return others_lack(w, tree->left, name) && others_lack(w, tree->right, name);
    const struct route_table *t = tree->kind == TABLE_REF_TABLE ? view_table(w->p, &tree->table)
                                                                : NULL;
    return t != NULL && t->n_columns != 0 && routes_column(t, name) == ROUTES_NONE;
}

/* What the tables of the subqueries around a place say of a name. */
enum inside { INSIDE_LACKS, INSIDE_HAS, INSIDE_UNKNOWN };

static enum inside
table_has(const struct view_writer *w, const struct table_ref *tree, struct span name)
{
    if (tree == NULL)
        return INSIDE_LACKS;
    if (tree->kind == TABLE_REF_JOIN) {
        enum inside left = table_has(w, tree->left, name), right = table_has(w, tree->right, name);
        return left > right ? left : right;
    }
    const struct route_table *t = tree->kind == TABLE_REF_TABLE ? view_table(w->p, &tree->table)
                                                                : NULL;
    if (t == NULL || t->n_columns == 0)
        return INSIDE_UNKNOWN;
    return routes_column(t, name) != ROUTES_NONE ? INSIDE_HAS : INSIDE_LACKS;
}

static enum inside
look_inside(const struct view_writer *w, uint32_t at, struct span name)
{
    enum inside found = INSIDE_LACKS;
    for (uint32_t i = 0; i < w->n_blocks; i++) {
        const struct query *q = w->blocks[i];
        if (q->with != NULL)
            return INSIDE_UNKNOWN;
        if (at < q->outer_range.start || at >= q->outer_range.end)
            continue;
        enum inside own = table_has(w, q->from, name);
        found           = own > found ? own : found;
    }
    return found;
}

/* A name that others may have: it stays when it means the same behind as before. */
static const struct select_item *
bare_name(struct view_writer *w, const struct path *path, uint32_t at)
{
    const struct select_item *item   = item_named(w, path->name);
    enum inside               inside = look_inside(w, at, path->name);
    if (inside == INSIDE_HAS)
        return NULL;
    if (inside == INSIDE_LACKS && w->source == NULL && others_lack(w, w->tree, path->name)) {
        if (item == NULL)
            unknown(w, path->name);
        return item;
    }
    bool same = item != NULL && span_equal_nocase(view_column_of(item), path->name);
    w->failed |= item != NULL ? !same : is_hidden(w, path->name);
    return NULL;
}

/* The item that the name means, if it is one of the view's. */
static const struct select_item *
find_item(struct view_writer *w, const struct path *path, uint32_t at)
{
    if (path->table.ptr == NULL)
        return bare_name(w, path, at);
    if (!is_qualified(w, path))
        return NULL;
    const struct select_item *item = item_named(w, path->name);
    if (item == NULL)
        unknown(w, path->name);
    return item;
}

static bool
is_in_source(const struct view_writer *w, uint32_t at)
{
    return w->source != NULL && at >= w->source->outer_range.start &&
           at < w->source->outer_range.end;
}

bool
view_see_column(struct visitor *v, struct expr *e)
{
    struct view_writer *w = v->context;
    if (e->kind != EXPR_COLUMN || is_in_source(w, e->start))
        return true;
    const struct select_item *item = find_item(w, e->path, e->start);
    struct buf                out  = { 0 };
    if (item != NULL) {
        view_put_item(w, item, &out);
        view_edit(w, (struct range){ e->start, e->end }, &out);
    }
    buf_fini(&out);
    return true;
}

void
view_not_insertable(struct view_writer *w)
{
    w->failed     = true;
    w->p->refused = false;
    refuse(w->p, ERR_NOT_INSERTABLE, "The target table %.*s of the INSERT is not insertable-into",
           SHOWN(w->view->name));
}

/* One table of a join at a time. */
static void
see_owner(struct view_writer *w, const struct expr *column)
{
    struct span owner = column->path->table;
    if (!w->joined || owner.ptr == NULL || w->owner.ptr == NULL ||
        span_equal_nocase(w->owner, owner)) {
        w->owner = owner;
        return;
    }
    w->failed     = true;
    w->p->refused = false;
    refuse(w->p, ERR_SEVERAL_TABLES, "Can not modify more than one base table through a join view "
                                     "'%.*s.%.*s'",
           SHOWN(w->p->routes->databases[w->view->database].name), SHOWN(w->view->name));
}

/* What is assigned is a column of the table. */
void
view_see_assigned(struct view_writer *w, const struct path *path, struct range range, bool bare)
{
    const struct select_item *item = find_item(w, path, range.start);
    struct buf                out  = { 0 };
    if (item == NULL)
        return;
    if (view_column_of(item).ptr == NULL) {
        if (w->ref == NULL) {
            view_not_insertable(w);
            return;
        }
        w->failed     = true;
        w->p->refused = false;
        refuse(w->p, ERR_NOT_UPDATABLE, "Column '%.*s' is not updatable", SHOWN(path->name));
        return;
    }
    if (bare)
        literal_identifier(&out, view_column_of(item));
    else
        view_put_item(w, item, &out);
    see_owner(w, item->expr);
    view_edit(w, range, &out);
    buf_fini(&out);
}

void
view_see_assignments(struct view_writer *w, const struct assignment *a, bool bare)
{
    for (; a != NULL; a = a->next)
        view_see_assigned(w, &a->column, a->column.range, bare);
}
