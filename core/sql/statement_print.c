/* statement_print.c - see ast_print.h. Of data definition and administration
 * it prints what routing looks at.
 */
#include "core/sql/ast_print.h"

static void
put_text(struct buf *out, const char *before, struct span s)
{
    if (s.ptr == NULL)
        return;
    buf_append_text(out, before);
    buf_append_span(out, s);
}

static void
put_path(struct buf *out, const char *before, const struct path *path)
{
    if (path->name.ptr == NULL)
        return;
    put_text(out, before, path->schema);
    put_text(out, path->schema.ptr != NULL ? "." : before, path->table);
    put_text(out, path->schema.ptr != NULL || path->table.ptr != NULL ? "." : before, path->name);
}

static void
put_expr(struct buf *out, struct span text, const char *name, const struct expr *e)
{
    if (e == NULL)
        return;
    buf_printf(out, " (%s", name);
    for (; e != NULL; e = e->next) {
        buf_append_byte(out, ' ');
        ast_print_expr(out, text, e);
    }
    buf_append_byte(out, ')');
}

static void
put_assignments(struct buf *out, struct span text, const char *name, const struct assignment *a)
{
    if (a == NULL)
        return;
    buf_printf(out, " (%s", name);
    for (; a != NULL; a = a->next) {
        put_path(out, " (", &a->column);
        buf_append_byte(out, ' ');
        ast_print_expr(out, text, a->value);
        buf_append_byte(out, ')');
    }
    buf_append_byte(out, ')');
}

/* What has no printer of its own here is printed as a query with that part. */
static void
put_part(struct buf *out, struct span text, struct query part)
{
    buf_append_byte(out, ' ');
    ast_print_query(out, text, &part);
}

static void
put_names(struct buf *out, const char *name, const struct name_item *n)
{
    if (n == NULL)
        return;
    buf_printf(out, " (%s", name);
    for (; n != NULL; n = n->next)
        put_text(out, " ", n->name);
    buf_append_byte(out, ')');
}

static void
put_insert(struct buf *out, struct span text, const struct insert *i)
{
    buf_printf(out, "%s%s", i->replace ? "replace" : "insert", i->ignore ? " ignore" : "");
    put_path(out, " ", &i->table);
    put_names(out, "columns", i->columns);
    if (i->rows != NULL)
        put_part(out, text, (struct query){ .kind = QUERY_VALUES, .rows = i->rows });
    put_assignments(out, text, "set", i->set);
    if (i->query != NULL)
        put_part(out, text, *i->query);
    put_assignments(out, text, "on-duplicate", i->on_duplicate);
    if (i->returning != NULL)
        put_part(out, text, (struct query){ .items = i->returning });
}

static void
put_tables(struct buf *out, const char *name, const struct table_item *t)
{
    if (t == NULL)
        return;
    buf_printf(out, " (%s", name);
    for (; t != NULL; t = t->next) {
        put_path(out, " ", &t->table);
        put_text(out, " as ", t->alias);
        if (t->lock != NO_KEYWORD)
            buf_printf(out, " %s", keyword_text(t->lock));
        put_path(out, " to ", &t->renamed);
    }
    buf_append_byte(out, ')');
}

static void
put_update(struct buf *out, struct span text, const struct update *u)
{
    buf_printf(out, "update%s", u->multi ? " multi" : "");
    put_assignments(out, text, "set", u->set);
    put_part(out, text, (struct query){ .from = u->tables, .where = u->where,
                                        .order_by = u->order_by, .limit = u->limit });
}

static void
put_delete(struct buf *out, struct span text, const struct delete *d)
{
    buf_printf(out, "delete%s", d->multi ? " multi" : d->history ? " history" : "");
    put_tables(out, "targets", d->targets);
    put_part(out, text, (struct query){ .from = d->tables, .where = d->where,
                                        .order_by = d->order_by, .limit = d->limit,
                                        .items = d->returning });
    if (d->before != NULL) {
        buf_append_text(out, " (before ");
        ast_print_expr(out, text, d->before);
        buf_append_byte(out, ')');
    }
}

static void
put_set(struct buf *out, struct span text, const struct set *set)
{
    static const char *const kinds[] = { "system", "user", "names", "charset", "transaction",
                                         "password", "role" };

    buf_append_text(out, "set");
    for (const struct set_item *i = set->items; i != NULL; i = i->next) {
        buf_printf(out, " (%s", kinds[i->kind]);
        if (i->scope != NO_KEYWORD)
            buf_printf(out, " %s", keyword_text(i->scope));
        put_text(out, " ", i->name);
        put_text(out, " collate ", i->collation);
        if (i->isolation != NO_KEYWORD)
            buf_printf(out, " %s%s", i->uncommitted ? "UN" : "", keyword_text(i->isolation));
        if (i->access != NO_KEYWORD)
            buf_printf(out, " %s", keyword_text(i->access));
        if (i->value != NULL) {
            buf_append_byte(out, ' ');
            ast_print_expr(out, text, i->value);
        }
        buf_append_byte(out, ')');
    }
    if (set->statement != NULL) {
        buf_append_byte(out, ' ');
        ast_print_stmt(out, text, set->statement);
    }
}

static void
put_show(struct buf *out, struct span text, const struct show *sh)
{
    buf_printf(out, "show%s %s", sh->full ? " full" : "", keyword_text(sh->kind));
    if (sh->object != NO_KEYWORD)
        buf_printf(out, " %s", keyword_text(sh->object));
    if (sh->scope != NO_KEYWORD)
        buf_printf(out, " %s", keyword_text(sh->scope));
    put_path(out, " ", &sh->table);
    put_text(out, " from ", sh->schema);
    put_text(out, " ", sh->name);
    put_expr(out, text, "like", sh->like);
    put_expr(out, text, "where", sh->where);
}

static void
put_explain(struct buf *out, struct span text, const struct explain *e)
{
    buf_printf(out, "explain%s%s%s", e->shardd ? " shardd" : "", e->analyze ? " analyze" : "",
               e->extended ? " extended" : "");
    put_text(out, " format ", e->format);
    put_expr(out, text, "connection", e->connection);
    if (e->statement != NULL) {
        buf_append_byte(out, ' ');
        ast_print_stmt(out, text, e->statement);
    }
}

static void
put_txn(struct buf *out, const char *name, const struct txn *t)
{
    buf_printf(out, "%s%s%s%s%s%s%s%s", name, t->consistent_snapshot ? " snapshot" : "",
               t->read_only ? " read-only" : "", t->read_write ? " read-write" : "",
               t->chain ? " chain" : "", t->no_chain ? " no-chain" : "",
               t->release ? " release" : "", t->no_release ? " no-release" : "");
}

/* Data definition. */

static void
put_references(struct buf *out, const struct references *r)
{
    static const char *const actions[] = { "", "restrict", "cascade", "set-null", "no-action",
                                           "set-default" };

    put_path(out, " (references ", &r->table);
    put_names(out, "columns", r->columns);
    if (r->on_delete != REF_DEFAULT)
        buf_printf(out, " delete:%s", actions[r->on_delete]);
    if (r->on_update != REF_DEFAULT)
        buf_printf(out, " update:%s", actions[r->on_update]);
    buf_append_byte(out, ')');
}

static void
put_type(struct buf *out, struct span text, const struct data_type *t)
{
    put_text(out, " ", t->name);
    if (t->has_scale)
        buf_printf(out, "(%u,%u)", t->length, t->scale);
    else if (t->has_length)
        buf_printf(out, "(%u)", t->length);
    put_expr(out, text, "members", t->members);
    buf_append_text(out, t->is_unsigned ? " unsigned" : "");
    put_text(out, " charset:", t->charset);
    put_text(out, " collate:", t->collation);
}

static void
put_column(struct buf *out, struct span text, const struct column_def *c)
{
    put_text(out, " (column ", c->name);
    put_type(out, text, &c->type);
    buf_printf(out, "%s%s%s%s%s%s%s", c->not_null ? " not-null" : "",
               c->auto_increment ? " auto" : "", c->primary ? " primary" : "",
               c->unique ? " unique" : "", c->stored ? " stored" : "",
               c->invisible ? " invisible" : "", c->first ? " first" : "");
    put_text(out, " after:", c->after);
    put_expr(out, text, "default", c->default_value);
    put_expr(out, text, "on-update", c->on_update);
    put_expr(out, text, "as", c->generated);
    put_expr(out, text, "check", c->check);
    put_expr(out, text, "comment", c->comment);
    if (c->references != NULL)
        put_references(out, c->references);
    buf_append_byte(out, ')');
}

static void
put_key(struct buf *out, struct span text, const struct key_def *k)
{
    static const char *const kinds[] = { "key", "primary", "unique", "foreign", "fulltext",
                                         "spatial", "check" };

    buf_printf(out, " (%s", kinds[k->kind]);
    put_text(out, " constraint:", k->constraint);
    put_text(out, " name:", k->name);
    for (const struct key_part *part = k->parts; part != NULL; part = part->next) {
        put_text(out, " ", part->column);
        if (part->length != 0)
            buf_printf(out, "(%u)", part->length);
        buf_append_text(out, part->descending ? "-desc" : "");
    }
    if (k->references != NULL)
        put_references(out, k->references);
    put_expr(out, text, "check", k->check);
    buf_append_byte(out, ')');
}

static void
put_option(struct buf *out, const struct table_option *o)
{
    buf_printf(out, " (%s", keyword_text(o->word));
    put_text(out, " ", o->value);
    buf_append_byte(out, ')');
}

static void
put_create_table(struct buf *out, struct span text, const struct create_table *c)
{
    buf_printf(out, "create%s%s%s table", c->temporary ? " temporary" : "",
               c->or_replace ? " or-replace" : "", c->if_not_exists ? " if-not-exists" : "");
    put_path(out, " ", &c->table);
    put_path(out, " like ", &c->like);
    for (const struct column_def *column = c->columns; column != NULL; column = column->next)
        put_column(out, text, column);
    for (const struct key_def *k = c->keys; k != NULL; k = k->next)
        put_key(out, text, k);
    for (const struct table_option *o = c->options; o != NULL; o = o->next)
        put_option(out, o);
    if (c->partition.end != 0)
        buf_append_text(out, " partition");
    if (c->query != NULL)
        put_part(out, text, *c->query);
}

static void
put_action(struct buf *out, struct span text, const struct alter_action *a)
{
    static const char *const kinds[] = {
        "add-column", "drop-column", "modify", "change", "rename-column", "default", "add-key",
        "drop-key", "drop-primary", "drop-foreign", "drop-constraint", "rename-key", "visibility",
        "rename", "option", "convert", "order", "keys", "tablespace", "force", "partition",
        "versioning", "period", "algorithm", "lock",
    };

    buf_printf(out, " (%s", kinds[a->kind]);
    put_text(out, " ", a->name);
    put_text(out, " to ", a->new_name);
    put_text(out, " collate ", a->collation);
    put_path(out, " ", &a->table);
    for (const struct column_def *c = a->column; c != NULL; c = c->next)
        put_column(out, text, c);
    for (const struct key_def *k = a->key; k != NULL; k = k->next)
        put_key(out, text, k);
    put_expr(out, text, "default", a->default_value);
    if (a->option != NULL)
        put_option(out, a->option);
    buf_append_byte(out, ')');
}

static void
put_alter(struct buf *out, struct span text, const char *name, const struct alter_table *a)
{
    buf_append_text(out, name);
    put_path(out, " ", &a->table);
    for (const struct alter_action *action = a->actions; action != NULL; action = action->next)
        put_action(out, text, action);
}

static void
put_database(struct buf *out, const struct database *d)
{
    buf_printf(out, "%s database", keyword_text(d->word));
    put_text(out, " ", d->name);
    for (const struct table_option *o = d->options; o != NULL; o = o->next)
        put_option(out, o);
}

static void
put_view(struct buf *out, struct span text, const struct create_view *v)
{
    buf_printf(out, "%s view", v->alter ? "alter" : "create");
    put_path(out, " ", &v->view);
    put_names(out, "columns", v->columns);
    put_part(out, text, *v->query);
}

static void
put_load(struct buf *out, struct span text, const struct load *l)
{
    buf_printf(out, "load%s", l->local ? " local" : "");
    put_text(out, " ", l->file);
    put_path(out, " ", &l->table);
    put_text(out, " charset ", l->charset);
    if (l->ignore_lines != 0)
        buf_printf(out, " skip %llu", (unsigned long long)l->ignore_lines);
    for (const struct load_item *i = l->items; i != NULL; i = i->next)
        put_text(out, i->variable ? " @" : " ", i->name);
    put_assignments(out, text, "set", l->set);
}

static void
put_kill(struct buf *out, struct span text, const struct kill *k)
{
    buf_printf(out, "kill%s", k->query ? " query" : "");
    put_expr(out, text, "id", k->id);
}

/* Kinds that keep what they say in the fields every statement has. */
static void
put_common(struct buf *out, struct span text, const struct stmt *s)
{
    static const char *const names[] = {
        [STMT_UNKNOWN] = "unknown",     [STMT_USE] = "use",
        [STMT_SAVEPOINT] = "savepoint", [STMT_RELEASE] = "release",
        [STMT_XA] = "xa",               [STMT_LOCK_TABLES] = "lock",
        [STMT_UNLOCK_TABLES] = "unlock", [STMT_DROP_TABLE] = "drop",
        [STMT_TRUNCATE] = "truncate",   [STMT_RENAME_TABLE] = "rename",
        [STMT_OBJECT] = "object",       [STMT_PREPARE] = "prepare",
        [STMT_EXECUTE] = "execute",     [STMT_DEALLOCATE] = "deallocate",
        [STMT_CALL] = "call",           [STMT_DO] = "do",
        [STMT_HANDLER] = "handler",     [STMT_ADMIN_TABLE] = "admin-table",
        [STMT_FLUSH] = "flush",         [STMT_HELP] = "help",
        [STMT_SIGNAL] = "signal",       [STMT_ADMIN] = "admin",
    };

    buf_append_text(out, names[s->kind]);
    if (s->word != NO_KEYWORD)
        buf_printf(out, " %s", keyword_text(s->word));
    buf_append_text(out, s->temporary ? " temporary" : "");
    if (s->object != NO_KEYWORD)
        buf_printf(out, " %s", keyword_text(s->object));
    buf_append_text(out, s->if_exists ? " if-exists" : "");
    put_path(out, " ", &s->path);
    put_text(out, " ", s->name);
    put_expr(out, text, "expr", s->expr);
    put_expr(out, text, "args", s->args);
    put_tables(out, "tables", s->tables);
    for (const struct path_item *n = s->names; n != NULL; n = n->next)
        put_path(out, " ", &n->path);
}

void
ast_print_stmt(struct buf *out, struct span text, const struct stmt *s)
{
    if (s->kind == STMT_SELECT) {
        ast_print_query(out, text, s->query);
        return;
    }
    buf_append_byte(out, '(');
    switch ((unsigned)s->kind) {
    case STMT_INSERT: put_insert(out, text, s->insert); break;
    case STMT_UPDATE: put_update(out, text, s->update); break;
    case STMT_DELETE: put_delete(out, text, s->delete); break;
    case STMT_SET: put_set(out, text, s->set); break;
    case STMT_SHOW: put_show(out, text, s->show); break;
    case STMT_EXPLAIN: put_explain(out, text, s->explain); break;
    case STMT_BEGIN: put_txn(out, "begin", &s->txn); break;
    case STMT_COMMIT: put_txn(out, "commit", &s->txn); break;
    case STMT_ROLLBACK:
        put_txn(out, "rollback", &s->txn);
        put_text(out, " to ", s->name);
        break;
    case STMT_CREATE_TABLE: put_create_table(out, text, s->create_table); break;
    case STMT_ALTER_TABLE: put_alter(out, text, "alter", s->alter_table); break;
    case STMT_CREATE_INDEX: put_alter(out, text, "create-index", s->alter_table); break;
    case STMT_DROP_INDEX: put_alter(out, text, "drop-index", s->alter_table); break;
    case STMT_DATABASE: put_database(out, s->database); break;
    case STMT_CREATE_VIEW: put_view(out, text, s->create_view); break;
    case STMT_KILL: put_kill(out, text, s->kill); break;
    case STMT_LOAD: put_load(out, text, s->load); break;
    default: put_common(out, text, s); break;
    }
    buf_append_byte(out, ')');
}
