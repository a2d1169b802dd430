/* processlist.c - see processlist.h. */
#include "workers/query/processlist.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "workers/query/derived.h"

/* The columns that MariaDB 10.6 has, in its order; the first row gives their types. */
static const char columns[] =
    "SELECT ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO, TIME_MS, STAGE, MAX_STAGE, PROGRESS,"
    " MEMORY_USED, MAX_MEMORY_USED, EXAMINED_ROWS, QUERY_ID, INFO_BINARY, TID"
    " FROM information_schema.PROCESSLIST WHERE FALSE";

/* --- rows ---------------------------------------------------------------- */

static void
say_text(struct buf *out, const char *text)
{
    if (text[0] == '\0') {
        buf_append_text(out, "NULL");
        return;
    }
    buf_append_hex_literal(out, "CONVERT(", span_of(text));
    buf_append_text(out, " USING utf8mb4)");
}

/* As a server names them. */
static const char *
command_word(uint64_t command)
{
    switch (command) {
    case 0:                return "Sleep";
    case COM_QUERY:        return "Query";
    case COM_INIT_DB:      return "Init DB";
    case COM_STMT_PREPARE: return "Prepare";
    case COM_STMT_EXECUTE:
    case COM_STMT_BULK_EXECUTE: return "Execute";
    case COM_STMT_FETCH:   return "Fetch";
    case COM_CHANGE_USER:  return "Change user";
    default:               return "Query";
    }
}

const char *
processlist_state(const struct client_info *info)
{
    return (info->state & CLIENT_WAITS_FOR_MOVE) != 0 ? "Waiting for rows to move" : "";
}

static void
say_row(struct buf *out, const struct client_info *info, uint64_t now)
{
    uint64_t    ms   = now > info->since_ms ? now - info->since_ms : 0;
    const char *text = info->command != 0 ? info->statement : "";

    buf_printf(out, " UNION ALL SELECT %llu, ", (unsigned long long)info->id);
    say_text(out, info->user);
    buf_append_text(out, ", ");
    if (info->host[0] == '\0')
        buf_append_text(out, "''");
    else
        say_text(out, info->host);
    buf_append_text(out, ", ");
    say_text(out, info->schema);
    buf_printf(out, ", '%s', %llu, '%s', ", command_word(info->command),
               (unsigned long long)ms / 1000, processlist_state(info));
    say_text(out, text);
    buf_printf(out, ", %llu.000, 0, 0, 0.000, 0, 0, 0, 0, ", (unsigned long long)ms);
    say_text(out, text);
    buf_append_text(out, ", 0");
}

/* Others' rows are for administrators. */
static void
say_rows(struct buf *out, const struct query_run *q)
{
    const struct slots *slots = q->ctx->slots;
    struct client_info *info  = mem_alloc(sizeof(*info));
    uint64_t            now   = slots_now_ms();

    for (uint32_t w = 0; w < slots->n_workers; w++)
        for (uint32_t row = 0; row < slots->n_clients; row++)
            if (client_read(slots_at(slots, w), row, info) &&
                (q->s->admin || strcmp(info->user, q->s->user) == 0))
                say_row(out, info, now);
    free(info);
}

/* --- the statement ------------------------------------------------------- */

/* information_schema.PROCESSLIST, and PROCESSLIST in that schema, become rows. */
static void
replace(const struct query_run *q, struct span rows, struct buf *out)
{
    struct buf     query = { 0 };
    struct derived d     = { .lex = q->s->lex, .schema = q->s->schema, .table = "PROCESSLIST" };

    buf_append_text(&query, "(");
    buf_append_span(&query, rows);
    buf_append_text(&query, ")");
    d.rows = buf_unread(&query);
    (void)derived_replace(&d, q->text, out);
    buf_fini(&query);
}

static void
show(const struct query_run *q, struct span rows, struct buf *out)
{
    buf_append_text(out, "SELECT ID AS `Id`, USER AS `User`, HOST AS `Host`, DB AS `db`, "
                         "COMMAND AS `Command`, TIME AS `Time`, STATE AS `State`, ");
    buf_append_text(out, q->plan->plan.processlist == PROCESSLIST_FULL
                             ? "INFO AS `Info`, " : "LEFT(INFO, 100) AS `Info`, ");
    buf_append_text(out, "0.000e0 AS `Progress` FROM (");
    buf_append_span(out, rows);
    buf_append_text(out, ") AS PROCESSLIST ORDER BY ID");
}

void
processlist_fill(struct query_run *q)
{
    struct buf rows = { 0 }, text = { 0 };

    if (q->command == QUERY_PREPARE || q->plan == NULL ||
        q->plan->plan.processlist == PROCESSLIST_NONE)
        return;
    buf_append_text(&rows, columns);
    say_rows(&rows, q);
    if (q->plan->plan.processlist == PROCESSLIST_TABLE)
        replace(q, buf_unread(&rows), &text);
    else
        show(q, buf_unread(&rows), &text);
    q->text = arena_copy(&q->arena, buf_unread(&text));
    buf_fini(&rows);
    buf_fini(&text);
}
