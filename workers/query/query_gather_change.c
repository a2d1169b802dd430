/* query_gather_change.c - what a write has done to the copies; see change.h. */
#include <stdlib.h>

#include "core/mysql/row.h"
#include "workers/query/gather.h"


static const struct change_spec *
spec_of(const struct gathering *g)
{
    return g->q->plan->plan.change;
}

/* --- before --------------------------------------------------------------- */

/* Numbers that are not given yet are missing, and what is generated nobody gives. */
static const bool *
optional_columns(struct gathering *g, const struct change_table *t)
{
    const struct gather_copy *copy     = t->copy;
    bool                     *optional = arena_alloc(&g->q->arena, copy->n * sizeof(*optional));

    for (uint32_t i = 0; i < copy->n; i++)
        optional[i] = copy->definition->columns[i].auto_increment ||
                      t->table->columns[i].generated;
    for (uint32_t i = 0; t->target->numbers != NULL && i < t->target->n_columns; i++)
        if (t->target->numbers[i].len != 0)
            optional[t->target->columns[i]] = true;
    return optional;
}

/* Of new rows it is known on the shards only. */
static bool
has_generated_key(const struct change_table *t)
{
    const struct gather_definition *d = t->copy->definition;

    for (uint32_t k = 0; k < d->n_keys; k++)
        for (uint32_t i = 0; i < d->keys[k].n; i++)
            if (t->table->columns[d->keys[k].columns[i]].generated)
                return true;
    return false;
}

static bool
knows_defaults(const struct gather_copy *copy, struct err *err)
{
    for (uint32_t i = 0; i < copy->n; i++) {
        const struct gather_column *c = &copy->definition->columns[copy->columns[i]];
        if (c->doubtful)
            return err_set(err, "the default of column %.*s has a '?', and servers say so for "
                                "letters beyond U+FFFF as well: give the values, with no subquery "
                                "beside them", (int)c->name.len, c->name.ptr);
    }
    return true;
}

static bool
plan_one(struct gathering *g, uint32_t i, struct err *err)
{
    const struct change_spec *spec   = spec_of(g);
    struct source            *source = &g->sources[spec->targets[i].at];
    struct change_table      *t      = &g->changes[i];

    *t = (struct change_table){
        .verb   = spec->targets[i].verb,
        .table  = &g->q->routes->routes->tables[source->table->table],
        .copy   = &source->copy,
        .target = &spec->targets[i],
    };
    source->copy.computes = true;
    g->q->changing->versions |= t->verb == CHANGE_UPDATE && source->definition->d.versioned;
    if (source->copy.n != source->definition->d.n_columns)
        return err_set(err, "its columns are not those in the routes");
    if (!change_table_init(&g->q->arena, t, err))
        return false;
    if ((spec->takes_defaults || g->spec->asks_defaults) &&
        !knows_defaults(&source->copy, err))
        return false;
    if (spec->verb == CHANGE_INSERT)
        source->copy.optional = optional_columns(g, t);
    source->copy.unique = spec->verb != CHANGE_INSERT || spec->meets;
    if (spec->meets && has_generated_key(t))
        return err_set(err, "table %.*s has a unique key of a generated column, so ON DUPLICATE "
                            "KEY UPDATE may name its own columns only, when rows of several shards "
                            "are needed", (int)t->table->name.len, t->table->name.ptr);
    if (spec->meets && source->definition->d.versioned)
        return err_set(err, "table %.*s has system versioning, so ON DUPLICATE KEY UPDATE may name "
                            "its own columns only, when rows of several shards are needed",
                       (int)t->table->name.len, t->table->name.ptr);
    if (t->moves && spec->ignore && spec->verb == CHANGE_UPDATE && !t->target->whole)
        return err_set(err, "UPDATE IGNORE of a column of a unique key that is not in the primary "
                            "key is not supported on several shards: leave IGNORE out");
    if (t->moves && source->definition->referenced)
        return err_set(err, "foreign keys refer to table %.*s (or its name does not tell), so a "
                            "column of its primary or unique key cannot be written on several "
                            "shards: insert the row anew and delete it",
                       (int)t->table->name.len, t->table->name.ptr);
    return true;
}

bool
gather_plan_changes(struct gathering *g)
{
    const struct change_spec *spec = spec_of(g);
    struct sql_error          why;
    struct err                err = { .text = "" };

    g->changes = arena_alloc(&g->q->arena, spec->n_targets * sizeof(*g->changes));
    for (uint32_t i = 0; i < spec->n_targets; i++)
        if (!plan_one(g, i, &err)) {
            sql_error_set(&why, SQL_NOT_SUPPORTED, "shardd: %s", err.text);
            gather_stop(g, &why);
            return false;
        }
    return true;
}

static const struct change_table *
change_at(const struct gathering *g, uint32_t source)
{
    const struct change_spec *spec = spec_of(g);

    for (uint32_t i = 0; g->changes != NULL && i < spec->n_targets; i++)
        if (spec->targets[i].at == source)
            return &g->changes[i];
    return NULL;
}

bool
gather_keeps_before(const struct gathering *g, uint32_t i)
{
    const struct change_table *t = change_at(g, i);

    return t != NULL && t->verb != CHANGE_INSERT;
}

void
gather_keep_before(struct gathering *g, struct buf *text, uint32_t i)
{
    const struct change_table *t = change_at(g, i);

    gather_before_text(t->copy, change_before(&g->q->arena, t), text);
}

/* --- behind --------------------------------------------------------------- */

static void
append(struct change_list *list, struct change_statement *s)
{
    if (list->first == NULL)
        list->first = s;
    else
        list->last->next = s;
    list->last = s;
}

static void
take_statement(void *context, struct span text, uint64_t rows, bool behind)
{
    struct gathering        *g = context;
    struct changing         *c = g->q->changing;
    struct change_statement *s = arena_alloc(c->arena, sizeof(*s));

    *s = (struct change_statement){ .text = arena_copy(c->arena, text), .rows = rows };
    if (rows != 0 && g->writer.n_numbers != 0) {
        struct span holes = { (const uint8_t *)g->writer.holes,
                              g->writer.n_numbers * sizeof(uint32_t) };
        s->n_holes = g->writer.n_numbers;
        s->holes   = (const uint32_t *)(const void *)arena_copy(c->arena, holes).ptr;
    }
    append(behind ? &c->behind : &c->now, s);
}

static void
spoil(struct gathering *g, const struct sql_error *why)
{
    if (g->q->changing->error.code == 0)
        g->q->changing->error = *why;
}

static bool
is_beyond(struct gathering *g)
{
    const struct conf *conf = &g->q->ctx->conf;
    struct sql_error   why;

    if (g->q->changing->n_rows <= conf->gather_max_rows &&
        g->q->changing->arena->total <= conf->gather_max_bytes)
        return false;
    sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the statement changes more than "
                  "gather_max_rows (%llu) rows or gather_max_bytes (%llu) bytes on several shards: "
                  "narrow it down, or raise the setting",
                  (unsigned long long)conf->gather_max_rows,
                  (unsigned long long)conf->gather_max_bytes);
    spoil(g, &why);
    return true;
}

static void
take_row(struct gathering *g, struct span payload)
{
    const struct change_table *t = g->writer.t;
    struct cell               *cells = malloc(t->n_cells * sizeof(*cells));
    struct sql_error           why;
    struct err                 err = { .text = "" };

    if (cells == NULL || !row_text_decode(payload, t->n_cells, cells)) {
        sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the engine sent an unreadable row");
        spoil(g, &why);
    } else if (!change_row(&g->writer, cells, &err)) {
        sql_error_set(&why, SQL_NOT_SUPPORTED, "shardd: %s", err.text);
        spoil(g, &why);
    }
    g->q->changing->n_rows++;
    free(cells);
}

static void read_next(struct gathering *g);

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);
    struct sql_error  why;

    (void)b;
    if (m->kind == RESULT_IS_ERR) {
        if (!reply_err_decode(m->message.payload, &why))
            sql_error_set(&why, SQL_UNKNOWN_ERROR, "shardd: the engine sent an unreadable error");
        spoil(g, &why);
    } else if (m->kind == RESULT_IS_ROW && g->q->changing->error.code == 0 && !is_beyond(g))
        take_row(g, m->message.payload);
    if (!last)
        return;
    if (g->q->changing->error.code == 0)
        change_end(&g->writer);
    change_writer_fini(&g->writer);
    g->writer = (struct change_writer){ 0 };
    g->n_read++;
    read_next(g);
}

static void
on_lost(struct exchange *x, struct backend *b, const struct sql_error *why)
{
    struct gathering *g = container_of(x, struct gathering, engine.x);

    (void)b;
    g->engine.backend = NULL;
    g->engine.lost    = true;
    if (g->q->finished)
        return;
    slot_count(g->q->ctx->slot, COUNTER_ERRORS_BACKEND_LOST);
    spoil(g, why);
    gather_ended(g);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = on_lost };

/* With values in it: these statements have no parameters. */
static struct span
render(struct gathering *g, const struct sql_template *template, struct buf *out)
{
    struct sql_error why;

    if (!query_render_alone(g->q, template, out, &why))
        spoil(g, &why);
    return buf_unread(out);
}

static void
read_next(struct gathering *g)
{
    const struct change_spec *spec = spec_of(g);
    struct buf                text = { 0 };

    if (g->q->changing->error.code != 0 || g->n_read == spec->n_targets) {
        gather_ended(g);
        return;
    }
    const struct change_table *t      = &g->changes[g->n_read];
    const struct source       *source = &g->sources[spec->targets[g->n_read].at];
    g->writer = (struct change_writer){
        .t = t, .emit = take_statement, .context = g, .whole = g->q->changing->one_insert,
    };
    if (t->verb == CHANGE_INSERT) {
        g->writer.head = render(g, &spec->head, &g->head);
        g->writer.tail = render(g, &spec->tail, &g->tail);
    }
    if (g->q->changing->error.code != 0) {
        gather_ended(g);
        return;
    }
    change_select_text(t, source->n_stored, &text);
    backend_resume(g->engine.backend);
    backend_send(g->engine.backend, COM_QUERY, buf_unread(&text), &g->engine.x, &ops);
    buf_fini(&text);
}

void
gather_read_changes(struct gathering *g)
{
    g->n_read = 0;
    read_next(g);
}

bool
change_has_generated(const struct query_run *q)
{
    const struct change_spec *spec  = q->plan->plan.change;
    bool                      found = false;

    for (uint32_t i = 0; spec != NULL && i < spec->n_targets; i++) {
        uint32_t                  at = q->plan->plan.gather->tables[spec->targets[i].at].table;
        const struct route_table *t  = &q->routes->routes->tables[at];
        for (uint32_t c = 0; c < t->n_columns; c++)
            found = found || t->columns[c].generated;
    }
    return found;
}
