/* plan_view_write.c - see plan_internal.h: a view that is written becomes its table.
 *
 *   UPDATE v SET n = 1 WHERE k > 5   -->  UPDATE `d`.`t` AS `v` SET `v`.`a` = 1
 *                                         WHERE (`v`.`id` > 5) AND (`v`.`b` = 2)
 *   INSERT INTO v (k, n) VALUES ...  -->  INSERT INTO `d`.`t` (`id`, `a`) VALUES ...
 *
 * of a view with one table in its FROM, whose rows are rows of the table. The new text is a
 * statement of its own, planned anew: a view of a view is the next turn's. Where a name might mean
 * something else in it, nothing is done, and the statement stays refused.
 */
#include "core/mysql/literal.h"
#include "core/route/view_write.h"

enum { ERR_NO_DEFAULT = 1423, TITLE_MAX = 255 };

/* ---- the view ---- */

static bool
is_simple(const struct query *q)
{
    const struct table_ref *from = q->from;
    return q->with == NULL && !q->distinct && q->group_by == NULL && q->having == NULL &&
           q->limit == NULL && q->windows == NULL && !query_aggregates(q) && from != NULL &&
           from->partition.end == 0 && !from->system_time;
}

static bool
find_inner(struct visitor *v, struct table_ref *ref)
{
    struct view_writer *w    = v->context;
    struct span    name = ref->alias.ptr != NULL ? ref->alias : ref->table.name;
    if (ref != w->q->from)
        w->failed |= ref->kind == TABLE_REF_TABLE && span_equal_nocase(name, w->inner);
    return true;
}

static bool
find_window(struct visitor *v, struct expr *e)
{
    struct view_writer *w = v->context;
    w->failed |= e->kind == EXPR_FUNC && e->func->over != NULL;
    return true;
}

static bool
is_of_tables(const struct table_ref *from)
{
    if (from->kind == TABLE_REF_JOIN)
        return is_of_tables(from->left) && is_of_tables(from->right);
    return from->kind == TABLE_REF_TABLE && from->partition.end == 0 && !from->system_time;
}

static bool
open_view(struct view_writer *w)
{
    struct visitor v = { .table_ref = find_inner, .expr = find_window, .context = w };
    w->q = view_query(w->p, w->view);
    if (w->q == NULL || !is_simple(w->q))
        return false;
    if (w->q->from->kind == TABLE_REF_JOIN) {
        const struct update *u = w->p->stmt->kind == STMT_UPDATE ? w->p->stmt->update : NULL;
        w->joined              = true;
        return u != NULL && w->single && u->order_by == NULL && u->limit == NULL &&
               is_of_tables(w->q->from);
    }
    if (w->q->from->kind != TABLE_REF_TABLE)
        return false;
    w->base  = &w->q->from->table;
    w->inner = w->q->from->alias.ptr != NULL ? w->q->from->alias : w->base->name;
    w->table = view_table(w->p, w->base);
    visit_query(&v, (struct query *)(uintptr_t)w->q);
    return w->base->schema.ptr != NULL && w->table != NULL && !w->failed;
}

/* ---- RETURNING ---- */

static void
put_all(struct view_writer *w, struct buf *out)
{
    for (const struct select_item *item = w->q->items; item != NULL; item = item->next) {
        if (item != w->q->items)
            buf_append_text(out, ", ");
        view_put_item(w, item, out);
        buf_append_text(out, " AS ");
        literal_identifier(out, item->alias);
    }
}

/* The answer's columns are called as they were written. */
static void
see_returning(struct view_writer *w, const struct select_item *item)
{
    struct buf out = { 0 };
    for (; item != NULL; item = item->next) {
        const struct expr *e     = item->expr;
        struct span        title = { w->p->text.ptr + e->start, e->end - e->start };
        if (e->kind == EXPR_STAR) {
            put_all(w, &out);
            view_edit(w, (struct range){ e->start, e->end }, &out);
            continue;
        }
        if (item->alias.ptr != NULL || title.len > TITLE_MAX)
            continue;
        if (e->kind != EXPR_COLUMN)
            w->p->out->cacheable = false;
        buf_append_text(&out, " AS ");
        literal_identifier(&out, e->kind == EXPR_COLUMN ? e->path->name : title);
        view_edit(w, (struct range){ item->range.end, item->range.end }, &out);
    }
    buf_fini(&out);
}

/* ---- WHERE ---- */

static void
see_where(struct view_writer *w, const struct expr *where, uint32_t behind)
{
    struct buf out = { 0 };
    if (w->q->where == NULL)
        return;
    if (where != NULL)
        view_say(w, where->start, where->start, "(");
    buf_append_text(&out, where != NULL ? ") AND (" : " WHERE (");
    view_put_inner(w, w->q->where, &out);
    buf_append_byte(&out, ')');
    uint32_t at = where != NULL ? where->end : behind;
    view_edit(w, (struct range){ at, at }, &out);
    buf_fini(&out);
}

/* ---- the statement ---- */

static void
put_base(const struct view_writer *w, struct buf *out)
{
    literal_identifier(out, w->base->schema);
    buf_append_byte(out, '.');
    literal_identifier(out, w->base->name);
}

static void
see_table(struct view_writer *w, const struct path *path, bool as)
{
    struct buf out = { 0 };
    if (w->joined) {
        struct range r = w->q->from->range;
        buf_append(&out, w->view->view_text.ptr + r.start, r.end - r.start);
        view_edit(w, w->ref->range, &out);
        buf_fini(&out);
        return;
    }
    put_base(w, &out);
    if (as && !w->aliased) {
        buf_append_text(&out, " AS ");
        literal_identifier(&out, w->alias);
    }
    view_edit(w, path->range, &out);
    buf_fini(&out);
}

static bool
see_block(struct visitor *v, struct query *q)
{
    struct view_writer *w = v->context;
    if (!w->counts)
        w->blocks[w->n_blocks] = q;
    w->n_blocks++;
    return true;
}

/* One more table of that name inside would take names that are the view's. */
struct others {
    struct span name;
    uint32_t    n;
    bool        unclear;
};

static bool
see_other(struct visitor *v, struct table_ref *ref)
{
    struct others *o    = v->context;
    struct span    name = ref->alias.ptr != NULL ? ref->alias : ref->table.name;
    o->n       += ref->kind != TABLE_REF_JOIN && span_equal_nocase(name, o->name);
    o->unclear |= ref->natural || ref->using_columns != NULL;
    return true;
}

static bool
names_clear(struct view_writer *w, struct span name, uint32_t most)
{
    struct others  o = { .name = name };
    struct visitor v = { .table_ref = see_other, .context = &o };
    visit_statement(&v, (struct stmt *)(uintptr_t)w->p->stmt);
    return !o.unclear && o.n <= most;
}

static void
edit_update(struct view_writer *w, const struct path *path)
{
    const struct update *u = w->p->stmt->update;
    see_table(w, path, true);
    view_see_assignments(w, u->set, false);
    see_where(w, u->where, u->set_range.end);
}

/* DELETE FROM v USING t AS v, which takes no more than a WHERE. */
static bool
deletes_all(const struct view_writer *w)
{
    const struct delete *d = w->p->stmt->kind == STMT_DELETE ? w->p->stmt->delete : NULL;
    return d != NULL && !d->multi && d->order_by == NULL && d->limit == NULL &&
           d->returning == NULL;
}

static void
edit_delete(struct view_writer *w, const struct path *path)
{
    const struct delete *d = w->p->stmt->delete;
    if (deletes_all(w)) {
        struct buf out = { 0 };
        literal_identifier(&out, w->alias);
        buf_append_text(&out, " USING ");
        view_edit(w, (struct range){ path->range.start, path->range.start }, &out);
        buf_fini(&out);
    }
    see_table(w, path, d->multi || deletes_all(w));
    see_where(w, d->where, d->tables->range.end);
    see_returning(w, d->returning);
    for (const struct table_item *t = d->multi ? d->targets : NULL; t != NULL; t = t->next)
        w->failed |= t->table.schema.ptr != NULL;
}

/* A column that the view lacks has to have a value of its own. */
static void
check_defaults(struct view_writer *w)
{
    for (uint32_t i = 0; w->table->kind != TABLE_VIEW && i < w->table->n_columns; i++) {
        const struct route_column *c     = &w->table->columns[i];
        bool                       found = false;
        for (const struct select_item *item = w->q->items; item != NULL; item = item->next)
            found = found || span_equal_nocase(view_column_of(item), c->name);
        if (found || c->nullable || c->has_default || c->generated || c->auto_increment)
            continue;
        w->failed     = true;
        w->p->refused = false;
        refuse(w->p, ERR_NO_DEFAULT, "Field of view '%.*s.%.*s' underlying table doesn't have a "
                                     "default value",
               SHOWN(w->p->routes->databases[w->view->database].name), SHOWN(w->view->name));
        return;
    }
}

static void
edit_columns(struct view_writer *w)
{
    const struct insert *in  = w->p->stmt->insert;
    struct buf           out = { 0 };
    struct range         at  = in->columns_range;
    if (in->columns_range.end == 0)
        at = (struct range){ in->table.range.end, in->table.range.end };
    for (const struct select_item *item = w->q->items; in->columns_range.end == 0 && item != NULL;
         item = item->next) {
        if (view_column_of(item).ptr == NULL)
            view_not_insertable(w);
        buf_append_text(&out, item == w->q->items ? " (" : ", ");
        literal_identifier(&out, view_column_of(item));
    }
    if (in->columns_range.end == 0)
        buf_append_byte(&out, ')');
    if (buf_len(&out) != 0)
        view_edit(w, at, &out);
    buf_fini(&out);
    for (const struct name_item *c = in->columns; c != NULL; c = c->next) {
        struct path path = { .name = c->name };
        const struct query *source = w->source;
        w->source = NULL; /* its names are not meant */
        view_see_assigned(w, &path, c->range, true);
        w->source = source;
    }
    for (const struct row *row = in->rows; row != NULL; row = row->next)
        w->failed |= row->n_values == 0 && in->columns_range.end == 0;
}

static void
edit_insert(struct view_writer *w, const struct path *path)
{
    const struct insert *in = w->p->stmt->insert;
    see_table(w, path, false);
    if (in->source == INSERT_SET)
        view_see_assignments(w, in->set, true);
    else
        edit_columns(w);
    view_see_assignments(w, in->on_duplicate, false);
    see_returning(w, in->returning);
    if (!w->failed)
        check_defaults(w);
}

static void
edit(struct view_writer *w, const struct path *path)
{
    struct visitor v = { .expr = view_see_column, .context = w };
    w->n = 0;
    switch ((int)w->p->stmt->kind) {
    case STMT_UPDATE: edit_update(w, path); break;
    case STMT_DELETE: edit_delete(w, path); break;
    default:          edit_insert(w, path); break;
    }
    if (!w->failed)
        visit_statement(&v, (struct stmt *)(uintptr_t)w->p->stmt);
}

/* Those at one place in the order in which they were made. */
static void
sort_edits(struct view_writer *w)
{
    for (uint32_t i = 1; i < w->n; i++)
        for (uint32_t k = i; k > 0 && w->edits[k - 1].range.start > w->edits[k].range.start; k--) {
            struct view_edit_at moved = w->edits[k];
            w->edits[k]       = w->edits[k - 1];
            w->edits[k - 1]   = moved;
        }
}

static const struct sql_template *
new_text(struct view_writer *w)
{
    struct planner *p  = w->p;
    uint32_t        at = 0;
    struct text     t;
    sort_edits(w);
    p->n_insertions = 0;
    text_begin(&t, p);
    for (uint32_t i = 0; i < w->n; i++) {
        text_source(&t, at, w->edits[i].range.start);
        text_span(&t, w->edits[i].words);
        at = w->edits[i].range.end;
    }
    text_source(&t, at, (uint32_t)p->text.len);
    return text_keep(&t);
}

/* A view that is a table of an UPDATE or DELETE; NULL: there is none. */
static const struct table_ref *
find_ref(const struct planner *p, const struct table_ref *tree)
{
    if (tree == NULL)
        return NULL;
    if (tree->kind == TABLE_REF_JOIN) {
        const struct table_ref *left = find_ref(p, tree->left);
        return left != NULL ? left : find_ref(p, tree->right);
    }
    const struct route_table *t = tree->kind == TABLE_REF_TABLE ? view_table(p, &tree->table)
                                                                : NULL;
    return t != NULL && t->kind == TABLE_VIEW ? tree : NULL;
}

static void
find_blocks(struct view_writer *w)
{
    struct visitor v = { .query = see_block, .context = w };
    w->counts = true;
    visit_statement(&v, (struct stmt *)(uintptr_t)w->p->stmt);
    w->blocks   = make(w->p, (w->n_blocks + 1) * sizeof(*w->blocks));
    w->n_blocks = 0;
    w->counts   = false;
    visit_statement(&v, (struct stmt *)(uintptr_t)w->p->stmt);
}

/* Which table the statement says, how it calls it, and what is around. */
static const struct path *
find_path(struct view_writer *w)
{
    const struct stmt      *s   = w->p->stmt;
    const struct table_ref *ref = NULL, *tree = NULL;
    const struct path      *path;
    if (s->kind == STMT_INSERT) {
        path      = &s->insert->table;
        w->source = s->insert->source == INSERT_QUERY ? s->insert->query : NULL;
        if (s->insert->partition.end != 0)
            return NULL;
    } else {
        bool update = s->kind == STMT_UPDATE;
        tree        = update ? s->update->tables : s->delete->tables;
        ref         = find_ref(w->p, tree);
        if (ref == NULL || ref->system_time || ref->partition.end != 0 || ref->hints.end != 0 ||
            (update ? s->update->portion.end : s->delete->portion.end) != 0 ||
            (update ? s->update->with : s->delete->with) != NULL ||
            (!update && s->delete->history))
            return NULL;
        path = &ref->table;
    }
    w->aliased = ref != NULL && ref->alias.ptr != NULL;
    w->alias   = w->aliased ? ref->alias : path->name;
    w->single  = ref == tree;
    w->ref     = ref;
    w->tree    = tree;
    w->view    = view_table(w->p, path);
    return w->view != NULL && w->view->kind == TABLE_VIEW ? path : NULL;
}

static bool
has_ref(const struct table_ref *tree, const struct table_ref *ref)
{
    return tree == ref || (tree != NULL && tree->kind == TABLE_REF_JOIN &&
                           (has_ref(tree->left, ref) || has_ref(tree->right, ref)));
}

/* An outer join may have no row of it, and then its condition says nothing. */
static bool
may_lack(const struct table_ref *tree, const struct table_ref *ref)
{
    if (tree == ref || tree == NULL || tree->kind != TABLE_REF_JOIN)
        return false;
    return (tree->join == JOIN_LEFT && has_ref(tree->right, ref)) ||
           (tree->join == JOIN_RIGHT && has_ref(tree->left, ref)) ||
           may_lack(tree->left, ref) || may_lack(tree->right, ref);
}

/* Its rows' names are the statement's for the view, or the table's own where no other can be
 * given; then nothing else may be called so. */
static bool
call_it(struct view_writer *w)
{
    const struct stmt *s     = w->p->stmt;
    if (w->joined)
        return w->n_blocks == 0;
    bool               other = s->kind == STMT_UPDATE ||
                 (s->kind == STMT_DELETE && s->delete->multi);
    other = other || deletes_all(w);
    w->called = other ? w->alias : w->base->name;
    return names_clear(w, w->called, other ? 1 : 0) &&
           names_clear(w, w->alias, s->kind != STMT_INSERT);
}

/* It is what the statement changes, and not only read beside that. */
static bool
is_target(const struct view_writer *w)
{
    const struct stmt *s = w->p->stmt;
    if (s->kind == STMT_INSERT || w->single)
        return true;
    const struct assignment *a = s->kind == STMT_UPDATE ? s->update->set : NULL;
    const struct table_item *t = s->kind == STMT_DELETE ? s->delete->targets : NULL;
    for (; a != NULL; a = a->next)
        if (span_equal_nocase(a->column.table, w->alias))
            return true;
    for (; t != NULL; t = t->next)
        if (span_equal_nocase(t->table.name, w->alias))
            return true;
    return false;
}

/* As a server says it. */
static bool
is_merged(struct planner *p, const struct view_writer *w)
{
    enum stmt_kind kind = p->stmt->kind;
    const char    *verb = kind == STMT_INSERT ? "INSERT"
                          : kind == STMT_UPDATE ? "UPDATE" : "DELETE";

    if (!w->view->view_materialized || !is_target(w))
        return true;
    p->refused    = false;
    p->out->error = (struct sql_error){ 0 };
    return refuse(p, kind == STMT_INSERT ? ERR_NOT_INSERTABLE : ERR_NOT_UPDATABLE_TABLE,
                  "The target table %.*s of the %s is not %s", SHOWN(w->alias), verb,
                  kind == STMT_INSERT ? "insertable-into" : "updatable");
}

static bool
is_unchecked(struct planner *p, const struct view_writer *w)
{
    if (p->stmt->kind == STMT_DELETE || w->view->view_unchecked ||
        (w->q->where == NULL && !w->joined && w->table->kind != TABLE_VIEW))
        return true;
    p->refused    = false;
    p->out->error = (struct sql_error){ 0 };
    return NOT_YET(p, "shardd: the view '%.*s' has a CHECK OPTION (or was made before shardd kept "
                      "whether it has: make it anew), and the rows of this write may be on several "
                      "shards: write its table", SHOWN(w->view->name));
}

bool
view_write(struct planner *p)
{
    struct view_writer      w    = { .p = p };
    const struct path *path = find_path(&w);
    if (path == NULL || !is_merged(p, &w) || !view_is_sayable(p, w.view) || !open_view(&w))
        return false;
    find_blocks(&w);
    if (!call_it(&w) || may_lack(w.tree, w.ref) || !is_unchecked(p, &w))
        return false;
    w.counts = true;
    edit(&w, path);
    if (w.failed)
        return false;
    w.edits  = make(p, (w.n + 1) * sizeof(*w.edits));
    w.counts = false;
    edit(&w, path);
    if (w.failed)
        return false;
    p->out->text = new_text(&w);
    return true;
}
