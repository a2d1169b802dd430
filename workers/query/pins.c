/* pins.c - see pins.h. */
#include "workers/query/pins.h"

#include <stdio.h>

#include "core/mysql/wire.h"
#include "core/sql/literal.h"
#include "workers/query/uservars.h"

static const enum counter gauges[PIN_REASONS] = {
    [PIN_TEMPORARY_TABLE] = COUNTER_PINNED_TEMPORARY_TABLE,
    [PIN_USER_LOCK]       = COUNTER_PINNED_USER_LOCK,
    [PIN_LOCK_TABLES]     = COUNTER_PINNED_LOCK_TABLES,
    [PIN_HANDLER]         = COUNTER_PINNED_HANDLER,
    [PIN_USER_VARIABLE]   = COUNTER_PINNED_USER_VARIABLE,
    [PIN_CURSOR]          = COUNTER_PINNED_CURSOR,
};

void
pins_add(struct pins *p, struct slot *slot, enum pin_reason reason)
{
    if (pins_has(p, reason))
        return;
    p->set |= 1u << reason;
    p->ever |= 1u << reason;
    slot_count(slot, gauges[reason]);
    slot_count(slot, COUNTER_PINS);
}

void
pins_remove(struct pins *p, struct slot *slot, enum pin_reason reason)
{
    if (!pins_has(p, reason))
        return;
    p->set &= ~(1u << reason);
    slot_sub(slot, gauges[reason], 1);
}

void
pins_clear(struct pins *p, struct slot *slot)
{
    for (enum pin_reason r = PIN_NONE + 1; r < PIN_REASONS; r++)
        pins_remove(p, slot, r);
    buf_fini(&p->tables);
    buf_fini(&p->locks);
    p->unknown_lock = false;
}

void
pins_text(uint32_t set, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (enum pin_reason r = PIN_NONE + 1; r < PIN_REASONS && n < size; r++)
        if (set >> r & 1)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n != 0 ? "," : "",
                                  pin_reason_name(r));
}

/* --- temporary tables ---------------------------------------------------- */

static bool
listed(struct span list, struct span name)
{
    struct span other;

    while (uservars_next(&list, &other))
        if (span_equal_nocase(other, name))
            return true;
    return false;
}

void
pins_add_tables(struct pins *p, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_names; i++)
        if (!listed(buf_unread(&p->tables), plan->names[i]))
            wire_put_lenenc_bytes(&p->tables, plan->names[i]);
}

bool
pins_drop_tables(struct pins *p, const struct plan *plan)
{
    struct buf  left = { 0 };
    struct span list = buf_unread(&p->tables), name;

    while (uservars_next(&list, &name)) {
        bool dropped = false;
        for (uint32_t i = 0; i < plan->n_names; i++)
            dropped = dropped || span_equal_nocase(plan->names[i], name);
        if (!dropped)
            wire_put_lenenc_bytes(&left, name);
    }
    buf_fini(&p->tables);
    p->tables = left;
    return buf_len(&left) == 0;
}

bool
pins_has_table(const struct pins *p, struct span schema, struct span name)
{
    struct buf  full  = { 0 };
    bool        found = false;

    if (!pins_has(p, PIN_TEMPORARY_TABLE))
        return false;
    buf_append_span(&full, schema);
    buf_append_byte(&full, '.');
    buf_append_span(&full, name);
    found = listed(buf_unread(&p->tables), buf_unread(&full));
    buf_fini(&full);
    return found;
}

bool
pins_any_named(struct span tables, struct span text, struct lex_options lex)
{
    struct lex   l;
    struct token t;
    struct buf   name  = { 0 };
    bool         found = false;

    lex_init(&l, text, lex);
    while (!found && (t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        struct span list = tables, full;
        if (t.kind != TOK_IDENT && t.kind != TOK_QUOTED && t.kind != TOK_KEYWORD)
            continue;
        buf_clear(&name);
        literal_name(token_text(&l, t), lex, &name);
        while (uservars_next(&list, &full)) {
            const uint8_t *dot = memchr(full.ptr, '.', full.len);
            size_t         at  = dot == NULL ? 0 : (size_t)(dot - full.ptr) + 1;
            found = found || span_equal_nocase(span_from(full, at), buf_unread(&name));
        }
    }
    buf_fini(&name);
    return found;
}

bool
pins_names_table(const struct pins *p, struct span text, struct lex_options lex)
{
    return pins_any_named(buf_unread(&p->tables), text, lex);
}

/* --- locks --------------------------------------------------------------- */

static bool
is_name(const struct lex *l, struct token t, const char *name)
{
    return (t.kind == TOK_IDENT || t.kind == TOK_KEYWORD) &&
           span_equal_nocase(token_text(l, t), span_of(name));
}

/* Servers of 10.2 and newer take 'b' and 'B' for two locks, so the list does as well. */
static bool
is_noted(struct span list, struct span name)
{
    struct span other;

    while (uservars_next(&list, &other))
        if (span_equal(other, name))
            return true;
    return false;
}

static void
note_lock(struct pins *p, struct lex l)
{
    bool         call = token_is_op(lex_next(&l), '(');
    struct token name = lex_next(&l);

    if (!call || name.kind != TOK_STRING || !token_is_op(lex_next(&l), ','))
        p->unknown_lock = true;
    else if (!is_noted(buf_unread(&p->locks), token_text(&l, name)))
        wire_put_lenenc_bytes(&p->locks, token_text(&l, name));
}

bool
pins_locks(struct pins *p, struct span text, struct lex_options lex, struct buf *ask, bool *ended)
{
    struct lex   l;
    struct token t;
    bool         takes = false, all = false;
    struct span  list, name;

    lex_init(&l, text, lex);
    while ((t = lex_next(&l)).kind != TOK_END && t.kind != TOK_BAD) {
        if (is_name(&l, t, "GET_LOCK")) {
            takes = true;
            note_lock(p, l);
        }
        all = all || is_name(&l, t, "RELEASE_ALL_LOCKS");
    }
    *ended = all && !takes;
    if (*ended) {
        buf_fini(&p->locks);
        p->unknown_lock = false;
    }
    if (*ended || p->unknown_lock)
        return false;
    buf_append_text(ask, "SELECT 0");
    list = buf_unread(&p->locks);
    while (uservars_next(&list, &name)) {
        buf_append_text(ask, " + IFNULL(IS_USED_LOCK(");
        buf_append_span(ask, name);
        buf_append_text(ask, ") = CONNECTION_ID(), 0)");
    }
    buf_append_text(ask, " LIMIT 1");
    return true;
}
