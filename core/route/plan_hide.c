/* plan_hide.c - see plan_internal.h: rows that statements not fixed by a key must not see.
 *
 * While rows move, a shard may hold some that are another's (route_table.hide). What goes to
 * shards without being fixed by a key value is told so for each such table:
 *
 *   NOT EXISTS (SELECT 1 FROM `shardd_move`.`set` AS `shardd_h` WHERE `shardd_h`.`k` <=> `t`.`id`)
 *
 * It stands in the WHERE of the table's block. Told is one table of those that are cut into parts
 * by the key: where a row of it is this shard's own, so are rows with the same key in all others,
 * and rows with other keys are not looked at beside it. (That is why the shards can do their parts
 * alone; where_target() has made sure.)
 *
 * The conditions are not put into the statement but noted by where they stand in it;
 * text_source() says them wherever it copies that place.
 *
 * Where rows are locked, what is read is what is committed now, not the transaction's snapshot,
 * and that must be true of the set, too, and at the moment when the row is looked at: hence LOCK
 * IN SHARE MODE, and <=>, for which the server looks each key up and copies no set beforehand.
 * Elsewhere it is <=> as well: with = MariaDB makes NOT IN of it, and 10.11 loses a materialized
 * NOT IN where a joined table is read through a join buffer and the rows are sorted in a temporary
 * table. Keys of views may be NULL.
 */
#include <ctype.h>

#include "core/route/plan_internal.h"

enum { VIEW_SETS_MAX = 8 };

/* Added text, and where. Of several at one place the inner one comes first. */
struct insertion {
    uint32_t                     at;
    uint32_t                     n;
    const struct template_piece *pieces;
};

/* ---- which ---- */

static bool
is_view(const struct route_table *t)
{
    return t->kind == TABLE_VIEW && t->view_kind == TABLE_SHARDED;
}

static bool
has_set(const struct route_table *t)
{
    return t->kind == TABLE_SHARDED && t->hide.len > 0;
}

/* While rows go to new servers, no shard that a statement asks has rows to hide. */
bool
hide_table(const struct planner *p, const struct route_table *t)
{
    return p->routes->hides && has_set(t);
}

/* A view's text is not known: what it shows may be of any table with keys of its type. Keys in
 * the set of another table are not this shard's either. */
static bool
may_show(const struct route_table *view, const struct route_table *t)
{
    return has_set(t) && (view->key == ROUTES_NONE ||
                        keyhash_colocated(&view->columns[view->key], &t->columns[t->key]));
}

bool
hide_table_moves(const struct planner *p, const struct route_table *t)
{
    if (!is_view(t))
        return has_set(t);
    for (uint32_t at = 0; at < p->routes->n_tables; at++)
        if (may_show(t, &p->routes->tables[at]))
            return true;
    return false;
}

static bool
instance_moves(const struct planner *p, const struct instance *i)
{
    return i->ref != NULL && i->table != NULL && hide_table_moves(p, i->table);
}

static bool
instance_hides(const struct planner *p, const struct instance *i)
{
    return p->routes->hides && instance_moves(p, i);
}

bool
hide_routes(const struct routes *r)
{
    for (uint32_t i = 0; r->hides && i < r->n_tables; i++)
        if (has_set(&r->tables[i]))
            return true;
    return false;
}

bool
hide_moving(const struct planner *p)
{
    for (const struct instance *i = p->instances; i != NULL; i = i->next_all)
        if (instance_moves(p, i))
            return true;
    return false;
}

static bool
hide_any(const struct planner *p)
{
    return p->routes->hides && hide_moving(p);
}

/* ---- the condition ---- */

static bool
has_word(struct span text, struct span word)
{
    for (size_t at = 0; at + word.len <= text.len; at++)
        if (span_equal_nocase((struct span){ text.ptr + at, word.len }, word))
            return true;
    return false;
}

/* An alias that is no part of any name in the statement. */
static struct span
free_alias(const struct planner *p)
{
    char   alias[32] = "shardd_h";
    size_t n         = strlen(alias);
    while (has_word(p->text, (struct span){ (const uint8_t *)alias, n }) && n + 1 < sizeof(alias))
        alias[n++] = 'h';
    return arena_copy(p->arena, (struct span){ (const uint8_t *)alias, n });
}

/* As it was written, or, where that may be another's name as well, not at all. */
static bool
check_names(struct planner *p, const struct scope *s, const struct instance *i)
{
    const struct route_column *key = &i->table->columns[i->table->key];
    if (!span_is_ascii(key->name) && p->context->lex.charset != LEX_UTF8)
        return NOT_YET(p, "shardd: rows of '%.*s' are being moved, and the name of its key is not "
                          "in ASCII: use character_set_client=utf8mb4 until 'shardctl job list' "
                          "shows that the move is done", SHOWN(i->table->name));
    for (const struct instance *other = s->first; other != NULL; other = other->next)
        if (other != i && span_equal_nocase(other->alias, i->alias))
            return NOT_YET(p, "shardd: rows of '%.*s' are being moved, and another table of the "
                              "statement has the same name: give one of them an alias, or wait "
                              "until 'shardctl job list' shows that the move is done",
                           SHOWN(i->table->name));
    return true;
}

void
hide_condition(struct text *t, const struct route_table *hiding, struct span alias,
               const struct route_column *key, bool locks)
{
    struct span own = free_alias(t->p);

    text_const(t, "NOT EXISTS (SELECT 1 FROM `" ROUTES_MOVE_SCHEMA "`.");
    text_name(t, hiding->hide);
    text_const(t, " AS ");
    text_name(t, own);
    text_const(t, " WHERE ");
    text_name(t, own);
    text_const(t, ".`k` <=> ");
    text_name(t, alias);
    text_const(t, ".");
    text_name(t, key->name);
    text_const(t, locks ? " LOCK IN SHARE MODE)" : ")");
}

/* All that is to be said of one occurrence, joined by AND. */
static bool
conditions(struct planner *p, struct text *t, const struct scope *s, const struct instance *i)
{
    const struct route_table  *table = i->table;
    const struct route_column *key   = &table->columns[table->key];
    uint32_t                   n     = 0;
    if (!check_names(p, s, i))
        return false;
    if (!is_view(table)) {
        hide_condition(t, table, i->alias, key, p->hide_locks);
        return true;
    }
    for (uint32_t at = 0; at < p->routes->n_tables; at++) {
        const struct route_table *hiding = &p->routes->tables[at];
        if (!may_show(table, hiding))
            continue;
        if (n == VIEW_SETS_MAX)
            return NOT_YET(p, "shardd: rows of many tables are being moved, and any of them may be "
                              "what view '%.*s' shows: use its SELECT instead, or wait until "
                              "'shardctl job list' shows that the move is done",
                           SHOWN(table->name));
        if (n++ > 0)
            text_const(t, " AND ");
        hide_condition(t, hiding, i->alias, key, p->hide_locks);
    }
    return true;
}

/* ---- where ---- */

static void
insert(struct planner *p, uint32_t at, const struct text *t)
{
    if (p->n_insertions == p->insertions_cap) {
        uint32_t          cap  = p->insertions_cap == 0 ? 8 : 2 * p->insertions_cap;
        struct insertion *more = make(p, cap * sizeof(*more));
        if (p->n_insertions > 0)
            memcpy(more, p->insertions, p->n_insertions * sizeof(*more));
        p->insertions     = more;
        p->insertions_cap = cap;
    }
    uint32_t to = p->n_insertions++;
    for (; to > 0 && p->insertions[to - 1].at > at; to--)
        p->insertions[to] = p->insertions[to - 1];
    p->insertions[to] = (struct insertion){ at, t->n, t->pieces };
}

static void
insert_words(struct planner *p, uint32_t at, const char *words)
{
    struct text t;
    text_begin(&t, p);
    text_const(&t, words);
    insert(p, at, &t);
}

/* WHERE e becomes WHERE t AND (e): what e complains about rows that must not be seen is not
 * heard. */
static void
insert_and(struct planner *p, uint32_t start, uint32_t end, const struct text *t)
{
    struct text all;
    text_begin(&all, p);
    text_const(&all, " ");
    for (uint32_t i = 0; i < t->n; i++)
        text_piece(&all, t->pieces[i]);
    text_const(&all, " AND (");
    insert(p, start, &all);
    insert_words(p, end, ")");
}

/* Where a WHERE is, or (start 0) would begin. */
static struct range
where_of(const struct planner *p, const struct scope *s)
{
    struct range at = { 0 };
    if (s->query != NULL) {
        at = s->query->where_range;
        if (at.end == 0)
            at.end = s->query->from_range.end;
    } else if (p->stmt->kind == STMT_UPDATE) {
        at = p->stmt->update->where_range;
        if (at.end == 0)
            at.end = p->stmt->update->set_range.end;
    } else {
        at = p->stmt->delete->where_range;
        if (at.end == 0)
            at.end = p->stmt->delete->tables->range.end;
    }
    return at;
}

/* Another table of the same rows has the same key: one without rows to hide, or one that is told
 * already. */
static bool
is_covered(struct planner *p, const struct scope *s, struct instance *i)
{
    bool before = true;
    for (struct instance *other = s->first; other != NULL; other = other->next) {
        before = before && other != i;
        if (other != i && other->ref != NULL && instance_sharded(other) &&
            other->region == s->region && (before || !instance_hides(p, other)) &&
            where_equals(p, i, other))
            return true;
    }
    return false;
}

/* The conditions of a block. *n: how many tables they are about. */
static bool
block_conditions(struct planner *p, const struct scope *s, struct text *t, uint32_t *n)
{
    text_begin(t, p);
    *n = 0;
    for (struct instance *i = s->first; i != NULL; i = i->next) {
        if (!instance_hides(p, i) || where_hangs(p, i))
            continue;
        if (i->region != s->region)
            return NOT_YET(p, "shardd: rows of '%.*s' are being moved, and this statement may be "
                              "about each of them twice: wait until 'shardctl job list' shows that "
                              "the move is done", SHOWN(i->table->name));
        if (is_covered(p, s, i))
            continue;
        if ((*n)++ > 0)
            text_const(t, " AND ");
        if (!conditions(p, t, s, i))
            return false;
    }
    return true;
}

/* A CTE is looked at wherever it is named, and stands in the text once. */
static bool
is_done(const struct planner *p, const struct scope *s)
{
    for (const struct scope *at = p->scopes; at != s; at = at->next_all)
        if (at->query != NULL && at->query == s->query && at->hidden)
            return true;
    return false;
}

static bool
hide_block(struct planner *p, struct scope *s)
{
    struct text t;
    uint32_t    n;
    if (is_done(p, s) || !block_conditions(p, s, &t, &n))
        return !p->refused;
    if (n == 0)
        return true;
    struct range where = where_of(p, s);
    s->hidden          = true;
    if (where.start != 0) {
        insert_and(p, where.start + (uint32_t)strlen("WHERE"), where.end, &t);
    } else {
        insert_words(p, where.end, " WHERE ");
        insert(p, where.end, &t);
    }
    return true;
}

bool
hide_make(struct planner *p)
{
    if (p->n_insertions > 0 || !hide_any(p))
        return true;
    p->hide_locks = p->out->is_write || p->out->locks;
    for (struct scope *s = p->scopes; s != NULL; s = s->next_all)
        if (!hide_block(p, s)) {
            p->n_insertions = 0;
            return false;
        }
    p->out->hides = true;
    return true;
}

bool
hide_statement(struct planner *p)
{
    if (!hide_make(p))
        return false;
    if (!p->out->hides)
        return true;
    struct text t;
    text_begin(&t, p);
    text_source(&t, p->stmt->range.start, p->stmt->range.end);
    p->out->text = text_keep(&t);
    return true;
}

void
hide_write(struct planner *p)
{
    struct target *t = &p->out->target;
    if (p->refused || (t->kind == TARGET_KEYS && target_certainly_one(p, t)) || hide_statement(p) ||
        t->kind != TARGET_KEYS)
        return;
    p->refused   = false; /* good for one shard; the error says why not for more */
    t->one_shard = true;
}

void
hide_explain(struct planner *p, const struct plan *inner)
{
    struct text t;
    if (!inner->hides)
        return;
    text_begin(&t, p);
    text_source(&t, p->stmt->range.start, p->stmt->explain->text.start);
    for (uint32_t i = 0; i < inner->text->n; i++)
        text_piece(&t, inner->text->pieces[i]);
    p->out->hides        = true;
    p->out->text         = text_keep(&t);
    p->out->has_limit    = inner->has_limit;
    p->out->limit_count  = inner->limit_count;
    p->out->limit_offset = inner->limit_offset;
}

/* ---- in a text ---- */

uint32_t
hide_first(const struct planner *p, uint32_t behind)
{
    uint32_t i = 0;
    while (i < p->n_insertions && p->insertions[i].at <= behind)
        i++;
    return i;
}

uint32_t
hide_at(const struct planner *p, uint32_t i)
{
    return i < p->n_insertions ? p->insertions[i].at : UINT32_MAX;
}

void
hide_say(struct text *t, uint32_t i)
{
    const struct insertion *said = &t->p->insertions[i];
    for (uint32_t n = 0; n < said->n; n++)
        text_piece(t, said->pieces[n]);
}
