/* settings.c - see settings.h. */
#include "workers/query/settings.h"

#include "core/mysql/literal.h"
#include "workers/query/leg.h"
#include "workers/query/meaning.h"

enum { COLUMNS = 3 };

struct settings {
    struct leg *leg;
    struct vars vars, rest; /* what the session's will be; without character sets */

    /* As SET wants them; in the query's arena, ptr NULL: not told. */
    struct span client, results, connection, collation; /* character sets */
    struct span mode, big_selects, timestamp;

    bool said_names, said_selects; /* the session has SET some of its character sets; the other */
    bool big;        /* max_join_size may be too small for a question */
};

/* A client that wants to hear it itself has its servers say so. */
bool
settings_may_change(const struct leg *leg)
{
    const struct query_run *q    = leg->q;
    const struct plan      *plan = q->plan == NULL ? NULL : &q->plan->plan;

    return plan != NULL && plan->runs_code && plan->kind != PLAN_SET && !leg->is_engine &&
           q->command != QUERY_PREPARE && (q->s->modes == NULL || !q->s->modes->track_changes);
}

/* SET would clear what SHOW WARNINGS shows; and what the client has SET stays. */
bool
settings_may_forget(const struct leg *leg)
{
    const struct query_run *q = leg->q;

    return (q->plan == NULL || !q->plan->plan.diagnostics) &&
           (q->s->modes == NULL || !q->s->modes->track_changes);
}

bool
settings_may_have_changed(const struct leg *leg)
{
    const struct query_run *q = leg->q;

    const struct plan      *plan = &q->plan->plan;

    if (!plan->runs_code || leg->is_engine || q->s->before != NULL)
        return false;
    /* A SET tells of itself too; and with an error nobody says so. */
    if (plan->kind == PLAN_SET || leg->x.reader.error != 0)
        return true;
    /* What is told of a transaction changes nothing. */
    return leg->backend->tells_transaction ? q->told_change : leg->x.reader.session_changed;
}

/* --- the questions ------------------------------------------------------- */

/* The session's names for what has another one. */
static const struct {
    const char *key, *name;
} aliases[] = {
    { "isolation level", "tx_isolation" },
    { "access mode",     "tx_read_only" },
};

static const char *const names[] = {
    "names", "character_set_client", "character_set_results", "character_set_connection",
    "collation_connection",
};

static bool
is_names(struct span name)
{
    for (size_t i = 0; i < countof(names); i++)
        if (span_equal_nocase(name, span_of(names[i])))
            return true;
    return false;
}

/* Of a list "a,b,". */
static bool
next_name(struct span *key, struct span *name)
{
    const uint8_t *comma = key->len == 0 ? NULL : memchr(key->ptr, ',', key->len);

    if (comma == NULL)
        return false;
    *name = (struct span){ key->ptr, (size_t)(comma - key->ptr) };
    *key  = span_from(*key, name->len + 1);
    return true;
}

struct naming {
    struct settings *r;
    struct buf      *text;
};

static void
add_name(void *ctx, struct span key, struct span statement)
{
    struct naming *n = ctx;

    (void)statement;
    for (struct span name; next_name(&key, &name);) {
        for (size_t i = 0; i < countof(aliases); i++)
            if (span_equal(name, span_of(aliases[i].key)))
                name = span_of(aliases[i].name);
        n->r->said_names |= is_names(name);
        n->r->said_selects |= span_equal_nocase(name, SPAN("sql_big_selects"));
        buf_printf(n->text, ", '%.*s'", (int)name.len, name.ptr);
    }
}

void
settings_ask(struct leg *leg, struct buf *text, struct settings **out)
{
    struct settings *r = arena_alloc(&leg->q->arena, sizeof(*r));

    *r = (struct settings){ .leg = leg };
    vars_init(&r->vars);
    vars_init(&r->rest);
    buf_append_text(text,
        "SELECT VARIABLE_NAME, SESSION_VALUE, VARIABLE_TYPE"
        " FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_SCOPE LIKE 'SESSION%'"
        " AND READ_ONLY = 'NO' AND VARIABLE_NAME NOT IN"
        " ('rand_seed1', 'rand_seed2', 'pseudo_thread_id', 'last_insert_id', 'identity',"
        " 'gtid_seq_no', 'wsrep_gtid_seq_no'");
    if (leg->backend->tells_changes)
        buf_append_text(text, ", 'session_track_state_change'"); /* that is only for us, */
    if (leg->backend->tells_transaction)
        buf_append_text(text, ", 'session_track_transaction_info'"); /* and this */
    buf_append_text(text,
        ") AND (NOT SESSION_VALUE <=> IFNULL(GLOBAL_VALUE, DEFAULT_VALUE) OR VARIABLE_NAME IN"
        " ('character_set_client', 'character_set_results', 'character_set_connection',"
        " 'collation_connection', 'timestamp', 'sql_big_selects'");
    vars_each(&leg->q->s->vars, add_name, &(struct naming){ r, text });
    buf_append_text(text, ")) LIMIT 10000"); /* sql_select_limit may be small */
    *out = r;
}

void
settings_ask_meaning(const struct settings *r, struct buf *text)
{
    if (r->big)
        buf_append_text(text, "SET STATEMENT sql_big_selects = 1 FOR ");
    buf_append_text(text, meaning_question);
    buf_append_text(text, " LIMIT 1");
}

/* --- the answers --------------------------------------------------------- */

static bool
is(struct span name, const char *other)
{
    return span_equal_nocase(name, span_of(other));
}

/* As a literal that SET takes: numbers as they are, words in quotes. */
static struct span
literal(struct settings *r, struct span name, const struct cell *value, struct span type)
{
    struct literal_mode mode = { .charset = CHARSET_UTF8MB4_GENERAL_CI };
    struct buf          text = { 0 };

    if (value->is_null || (value->bytes.len == 0 && is(name, "character_set_results")))
        buf_append_text(&text, "NULL");
    else if (memmem(type.ptr, type.len, "INT", 3) != NULL || is(type, "DOUBLE"))
        buf_append_span(&text, value->bytes);
    else
        literal_quote(&text, value->bytes, &mode);
    struct span copy = arena_copy(&r->leg->q->arena, buf_unread(&text));
    buf_fini(&text);
    return copy;
}

static void
keep(struct settings *r, struct span name, struct span value)
{
    struct buf key = { 0 }, text = { 0 };

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        buf_append_byte(&key, c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
    }
    buf_printf(&text, "SET SESSION %.*s = %.*s", (int)buf_len(&key), buf_unread(&key).ptr,
               (int)value.len, value.ptr);
    buf_append_text(&key, ",");
    vars_set(&r->rest, buf_unread(&key), buf_unread(&text));
    buf_fini(&key);
    buf_fini(&text);
}

void
settings_take(struct settings *r, struct span row)
{
    struct cell cells[COLUMNS];

    if (!row_text_decode(row, COLUMNS, cells))
        return;
    struct span name = cells[0].bytes, value = literal(r, name, &cells[1], cells[2].bytes);
    struct span *const special[] = { &r->client, &r->results, &r->connection, &r->collation,
                                     &r->mode, &r->big_selects, &r->timestamp };
    static const char *const special_names[] = {
        "character_set_client", "character_set_results", "character_set_connection",
        "collation_connection", "sql_mode", "sql_big_selects", "timestamp",
    };
    for (size_t i = 0; i < countof(special); i++)
        if (is(name, special_names[i])) {
            *special[i] = value;
            return;
        }
    r->big |= is(name, "max_join_size");
    keep(r, name, value);
}

static bool
are_same(const struct session_modes *a, const struct session_modes *b)
{
    return b != NULL && strcmp(a->charset, b->charset) == 0 &&
           strcmp(a->results, b->results) == 0 && strcmp(a->collation, b->collation) == 0;
}

/* In their own words, which may say more: the collation of what is sent. */
static void
copy_names(void *ctx, struct span key, struct span text)
{
    bool found = false;

    for (struct span rest = key, name; next_name(&rest, &name);)
        found |= is_names(name);
    if (found)
        vars_set(ctx, key, text);
}

/* Unlike the login's, or SET before: all of them. */
static void
keep_names(struct settings *r, const struct meaning *m)
{
    struct session *s    = r->leg->q->s;
    struct buf      text = { 0 };

    if (!r->said_names && m->collation == s->charset && span_equal(r->client, r->results) &&
        span_equal(r->client, r->connection))
        return;
    if (r->said_names && are_same(&m->modes, s->modes)) {
        vars_each(&s->vars, copy_names, &r->vars);
        return;
    }
    buf_printf(&text, "SET SESSION character_set_client = %.*s, character_set_results = %.*s, "
               "collation_connection = %.*s", (int)r->client.len, r->client.ptr,
               (int)r->results.len, r->results.ptr, (int)r->collation.len, r->collation.ptr);
    vars_set(&r->vars, SPAN("names,"), buf_unread(&text));
    buf_fini(&text);
}

/* A clock of its own stands still from one question to the other. */
static void
keep_time(struct settings *r, const struct meaning *m)
{
    struct span now = span_of(m->modes.timestamp);

    if (r->leg->backend->fixed_time) {
        if (vars_set_time(&r->leg->q->s->vars)) /* not ours to know: as it was */
            keep(r, SPAN("timestamp"), span_of(r->leg->q->s->modes->timestamp));
    } else if (r->timestamp.len != 0 && span_equal(r->timestamp, now))
        keep(r, SPAN("timestamp"), now);
}

static void
copy_var(void *ctx, struct span key, struct span text)
{
    vars_set(ctx, key, text);
}

/* Texts before sql_mode are read as in a new session. */
bool
settings_adopt(struct settings *r, struct span row)
{
    struct session *s = r->leg->q->s;
    struct cell     cells[MEANING_CELLS];
    struct meaning  m = { 0 };

    if (!row_text_decode(row, MEANING_CELLS, cells) || r->client.ptr == NULL ||
        r->results.ptr == NULL || r->connection.ptr == NULL || r->collation.ptr == NULL)
        return false;
    meaning_read(&m, cells);
    m.modes.track_changes &= !r->leg->backend->tells_changes;
    bool selects = r->said_selects || r->big || !span_equal(r->big_selects, SPAN("'ON'"));
    if (selects && r->big_selects.len != 0) /* behind max_join_size, which changes it */
        keep(r, SPAN("sql_big_selects"), r->big_selects);
    keep_time(r, &m);
    if (r->mode.ptr != NULL)
        keep(r, SPAN("sql_mode"), r->mode);
    keep_names(r, &m);
    vars_each(&r->rest, copy_var, &r->vars);
    vars_fini(&s->vars);
    vars_move(&s->vars, &r->vars);
    meaning_apply(s, &m);
    r->leg->backend->vars_hash = s->vars.hash;
    return true;
}

void
settings_fini(struct settings *r)
{
    vars_fini(&r->vars);
    vars_fini(&r->rest);
}
