/* set_statement.c - see set_statement.h. */
#include "workers/query/limits.h"
#include "workers/query/set_statement.h"

/* What only says how a server does its work: not what the answer is, how texts are read, or what
 * the session is afterwards. In alphabetical order. */
static const char *const harmless[] = {
    "eq_range_index_dive_limit", "histogram_size", "in_predicate_conversion_threshold",
    "innodb_lock_wait_timeout", "join_buffer_size", "join_buffer_space_limit", "join_cache_level",
    "lock_wait_timeout", "log_slow_filter", "log_slow_query", "log_slow_query_time",
    "log_slow_rate_limit", "log_slow_verbosity", "long_query_time", "max_heap_table_size",
    "max_rowid_filter_size", "max_seeks_for_key", "min_examined_row_limit", "mrr_buffer_size",
    "optimizer_max_sel_arg_weight", "optimizer_prune_level", "optimizer_search_depth",
    "optimizer_selectivity_sampling_limit", "optimizer_switch", "optimizer_trace",
    "optimizer_trace_max_mem_size", "optimizer_use_condition_selectivity", "preload_buffer_size",
    "query_alloc_block_size", "query_cache_type", "query_prealloc_size", "read_buffer_size",
    "read_rnd_buffer_size", "rowid_merge_buff_size", "slow_query_log", "sort_buffer_size",
    "tmp_disk_table_size", "tmp_memory_table_size", "tmp_table_size", "use_stat_tables",
};

static bool
is_word(const struct lex *l, struct token t, struct span word)
{
    return (t.kind == TOK_KEYWORD || t.kind == TOK_IDENT) &&
           span_equal_nocase(token_text(l, t), word);
}

/* "1.5" seconds; a number so small that it is none of milliseconds counts as one. */
static bool
read_seconds(struct span text, uint64_t *ms)
{
    uint64_t unit = 1000, value = 0;
    bool     some = false, fraction = false;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (c < '0' || c > '9' || value > 100000000000)
            return false;
        some |= c != '0';
        if (fraction)
            value += (uint64_t)(c - '0') * (unit /= 10);
        else
            value = value * 10 + (uint64_t)(c - '0') * 1000;
    }
    *ms = some && value == 0 ? 1 : value;
    return true;
}

static bool
is_harmless(const struct lex *l, struct token t)
{
    for (size_t i = 0; i < countof(harmless); i++)
        if (is_word(l, t, (struct span){ (const uint8_t *)harmless[i], strlen(harmless[i]) }))
            return true;
    return false;
}

/* A number, a text, or a word such as ON and DEFAULT. */
static bool
skip_value(struct lex *l)
{
    struct token t = lex_next(l);

    if (token_is_op(t, '-'))
        t = lex_next(l);
    return t.kind == TOK_INT || t.kind == TOK_DECIMAL || t.kind == TOK_STRING ||
           t.kind == TOK_IDENT || t.kind == TOK_KEYWORD;
}

/* One "name = value". */
static bool
take_setting(struct lex *l, uint64_t *ms)
{
    struct token name = lex_next(l), value;
    bool         time = is_word(l, name, SPAN("max_statement_time"));

    if ((!time && !is_harmless(l, name)) || !token_is_op(lex_next(l), '='))
        return false;
    if (!time)
        return skip_value(l);
    value = lex_next(l);
    return (value.kind == TOK_INT || value.kind == TOK_DECIMAL) &&
           read_seconds(token_text(l, value), ms);
}

void
query_take_settings(struct query_run *q, struct span *text)
{
    struct lex   l;
    struct token t;
    uint64_t     ms = session_statement_ms(q->s);

    if (text->len < 3 || (text->ptr[0] | 0x20) != 's' || (text->ptr[1] | 0x20) != 'e')
        return;
    lex_init(&l, *text, q->s->lex);
    if (!is_word(&l, lex_next(&l), SPAN("SET")) || !is_word(&l, lex_next(&l), SPAN("STATEMENT")))
        return;
    do {
        if (!take_setting(&l, &ms))
            return;
        t = lex_next(&l);
    } while (token_is_op(t, ','));
    if (!is_word(&l, t, SPAN("FOR")) || l.had_exec_comment || l.in_comment)
        return;
    size_t head = l.at;
    t = lex_next(&l);
    if (t.kind == TOK_END || t.kind == TOK_BAD)
        return;
    q->limit_ms = ms;
    q->for_text = (struct span){ text->ptr, head };
    *text       = span_from(*text, t.start);
}

void
leg_send_set(struct leg *leg, const struct exchange_ops *ops)
{
    struct buf text = { 0 };

    buf_append_span(&text, leg->q->for_text);
    buf_append_byte(&text, ' ');
    buf_append_span(&text, leg_text(leg));
    backend_send(leg->backend, COM_QUERY, buf_unread(&text), &leg->x, ops);
    buf_fini(&text);
}
