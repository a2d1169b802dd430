/* information.c - see information.h. */
#include "workers/query/information.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mysql/row.h"
#include "core/route/information.h"
#include "workers/query/derived.h"
#include "workers/query/leg.h"
#include "workers/query/status.h"
#include "workers/query/txn.h"

enum { CELLS_MAX = 32 };

/* The tables are asked one after the other. */
struct collecting {
    uint32_t            shard;  /* where the statement runs */
    enum query_command  command;
    enum information_table table; /* the one under way */
    struct information *rows;
    struct buf          text;   /* owned: the statement so far */
};

static void ask(struct query_run *q);

/* --- the account ----------------------------------------------------------- */

/* 'joe'@'%' as a value. */
static void
say_grantee(struct buf *out, const char *user)
{
    buf_append_text(out, "_utf8mb3 x'27");
    buf_append_hex(out, span_of(user));
    buf_append_text(out, "2740272527' AS GRANTEE");
}

static void
say_privileges(struct buf *out, const struct session *s, enum information_table t)
{
    static const char *const more[INFORMATION_N] = {
        [INFORMATION_USER_PRIVILEGES]   = "",
        [INFORMATION_SCHEMA_PRIVILEGES] = "TABLE_SCHEMA, ",
        [INFORMATION_TABLE_PRIVILEGES]  = "TABLE_SCHEMA, TABLE_NAME, ",
        [INFORMATION_COLUMN_PRIVILEGES] = "TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ",
    };

    if (t == INFORMATION_APPLICABLE_ROLES) {
        buf_append_text(out, "(SELECT * FROM information_schema.APPLICABLE_ROLES"
                             " WHERE ROLE_NAME <> 'shardd_committer')");
        return;
    }
    buf_append_text(out, "(SELECT ");
    say_grantee(out, s->user);
    buf_printf(out, ", TABLE_CATALOG, %sPRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.%s)",
               more[t], information_name(t));
}

void
information_account(struct query_run *q)
{
    if (q->command == QUERY_PREPARE || q->plan == NULL ||
        q->plan->plan.information >> INFORMATION_SUMS == 0)
        return;
    for (int t = INFORMATION_SUMS; t < INFORMATION_N; t++) {
        struct buf     rows = { 0 }, text = { 0 };
        struct derived d    = { .lex = q->s->lex, .schema = q->s->schema,
                                .table = information_name((enum information_table)t) };

        if ((q->plan->plan.information >> t & 1) == 0)
            continue;
        say_privileges(&rows, q->s, (enum information_table)t);
        d.rows = buf_unread(&rows);
        if (derived_replace(&d, q->text, &text))
            q->text = arena_copy(&q->arena, buf_unread(&text));
        buf_fini(&rows);
        buf_fini(&text);
    }
}

/* --- sums ------------------------------------------------------------------- */

static uint32_t
wanted(const struct query_run *q)
{
    return q->plan->plan.information & ((1u << INFORMATION_SUMS) - 1);
}

static bool
must_ask(const struct query_run *q)
{
    return q->command != QUERY_PREPARE && q->command != QUERY_OTHER && wanted(q) != 0 &&
           q->routes->routes->n_shards > 1;
}

static void
render(struct query_run *q, const struct sql_template *from, struct buf *out)
{
    struct bind_list binds = { 0 };

    if (from != NULL)
        plan_render(&q->plan->plan, from, &q->values, RENDER_TEXT, out, &binds);
    free(binds.items);
}

/* All is known: the statement, with the rows. */
static void
run(struct query_run *q)
{
    struct collecting *c = q->local;

    q->command = c->command;
    q->text    = arena_copy(&q->arena, buf_unread(&c->text));
    buf_fini(&c->text);
    q->local = NULL;
    query_relay(q, c->shard);
}

static void
failed(struct query_run *q)
{
    struct collecting *c = q->local;

    q->command = c->command;
    buf_fini(&c->text);
    query_fail(q, &q->error);
}

static bool
is_status(enum information_table t)
{
    return t == INFORMATION_GLOBAL_STATUS || t == INFORMATION_SESSION_STATUS;
}

/* Every shard has answered about one table. */
static void
all_over(struct query_run *q)
{
    struct collecting *c    = q->local;
    struct buf         rows = { 0 }, text = { 0 };
    struct derived     d    = { .lex = q->s->lex, .table = information_name(c->table) };

    if (q->failed) {
        txn_settle(q, q->error.code, failed);
        return;
    }
    if (is_status(c->table))
        status_own(q, c->rows, c->table == INFORMATION_SESSION_STATUS);
    information_say(c->rows, &rows);
    d.schema = q->s->schema;
    d.rows   = buf_unread(&rows);
    (void)derived_replace(&d, buf_unread(&c->text), &text);
    buf_fini(&rows);
    buf_fini(&c->text);
    c->text = text;
    c->table++;
    ask(q);
}

static void
take_row(struct query_run *q, uint32_t shard, struct span payload)
{
    struct collecting *c = q->local;
    struct cell        cells[CELLS_MAX];
    struct span        row[CELLS_MAX] = { { 0 } };
    size_t             n = information_columns(c->table);

    if (!row_text_decode(payload, (uint32_t)n, cells))
        return;
    for (size_t i = 0; i < n; i++)
        if (!cells[i].is_null)
            row[i] = cells[i].bytes;
    if (is_status(c->table) && !status_counts(row[0], c->table == INFORMATION_SESSION_STATUS))
        return;
    information_row(c->rows, shard, row);
}

static void
on_message(struct exchange *x, struct backend *b, const struct result_message *m, bool last)
{
    struct leg      *leg = container_of(x, struct leg, x);
    struct sql_error why;

    (void)b;
    if (m->kind == RESULT_IS_ROW)
        take_row(leg->q, leg->shard, m->message.payload);
    if (m->kind == RESULT_IS_ERR && !reply_err_decode(m->message.payload, &leg->error))
        sql_error_set(&leg->error, SQL_UNKNOWN_ERROR, "shardd: a shard sent an unreadable error");
    if (!last)
        return;
    why = leg->error;
    leg_over(leg, why.code != 0 ? &why : NULL);
}

static const struct exchange_ops ops = { .on_message = on_message, .on_lost = leg_lost };

static void
ready(struct leg *leg)
{
    leg_send(leg, &ops);
}

/* The next table that is wanted, or the statement itself. */
static void
ask(struct query_run *q)
{
    struct collecting   *c      = q->local;
    const struct routes *r      = q->routes->routes;
    struct shard_set     shards = { 0 };
    struct buf           where  = { 0 };

    while (c->table < INFORMATION_SUMS && (wanted(q) >> c->table & 1) == 0)
        c->table++;
    if (c->table == INFORMATION_SUMS) {
        run(q);
        return;
    }
    for (uint32_t i = 0; i < r->n_shards; i++)
        shard_set_add(&shards, i);
    c->rows      = information_new(&q->arena, r, c->table, c->shard);
    q->command   = QUERY_TEXT;
    q->leg_ready = ready;
    q->leg_ended = NULL;
    q->all_over  = all_over;
    legs_make(q, &shards);
    render(q, q->plan->plan.information_where, &where);
    for (uint32_t i = 0; i < q->n_legs; i++) {
        if (is_status(c->table) && q->plan->plan.information_text != NULL)
            buf_append_text(&q->legs[i].text, "SHOW GLOBAL STATUS");
        else
            information_query(c->table, i == c->shard, buf_unread(&where), &q->legs[i].text);
    }
    buf_fini(&where);
    for (uint32_t i = 0; i < q->n_legs; i++)
        leg_start(&q->legs[i]);
}

void
information_relay(struct query_run *q, uint32_t shard)
{
    struct collecting *c;

    if (!must_ask(q)) {
        query_relay(q, shard);
        return;
    }
    c          = arena_alloc(&q->arena, sizeof(*c));
    c->shard   = shard;
    c->command = q->command;
    q->local   = c;
    if (q->plan->plan.information_text != NULL)
        render(q, q->plan->plan.information_text, &c->text);
    else
        buf_append_span(&c->text, q->text);
    ask(q);
}
