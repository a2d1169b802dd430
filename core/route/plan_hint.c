/* plan_hint.c - see plan_internal.h: what a comment before or in a statement asks of shardd.
 *
 *   / * shardd: consistency=eventual timeout=500 * / SELECT ...
 *
 *   consistency=strong|causal|eventual   shard=NAME   scatter=on|off   gather=on|off   timeout=MS
 *
 * The comment is part of the normalised text: a plan is for one hint only.
 */
#include "core/route/gather.h"
#include "core/route/plan_call.h"

enum { ERR_WRONG_VALUE = 1231 };

static const char *const names[CONSISTENCIES] = {
    [CONSISTENCY_UNSET]  = "",       [CONSISTENCY_STRONG]   = "strong",
    [CONSISTENCY_CAUSAL] = "causal", [CONSISTENCY_EVENTUAL] = "eventual",
};

const char *
consistency_name(enum consistency c)
{
    return names[c];
}

enum consistency
consistency_find(struct span word)
{
    for (size_t i = CONSISTENCY_STRONG; i < CONSISTENCIES; i++)
        if (span_equal_nocase(word, span_of(names[i])))
            return (enum consistency)i;
    return CONSISTENCY_UNSET;
}

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

static struct span
next_word(struct span *text)
{
    while (text->len > 0 && is_space(text->ptr[0]))
        *text = span_from(*text, 1);
    struct span word = { text->ptr, 0 };

    while (word.len < text->len && !is_space(text->ptr[word.len]))
        word.len++;
    *text = span_from(*text, word.len);
    return word;
}

static bool
is_read(const struct planner *p)
{
    return p->stmt != NULL && p->stmt->kind == STMT_SELECT && p->out->is_read && !p->out->locks;
}

static bool
wrong(struct planner *p, const char *key, const char *values, struct span value)
{
    return refuse(p, ERR_WRONG_VALUE, "shardd: %s in a comment is %s, not '%.*s'", key, values,
                  (int)(value.len < 64 ? value.len : 64), (const char *)value.ptr);
}

static bool
is_on(struct planner *p, const char *key, struct span value, bool *on)
{
    *on = span_equal_nocase(value, SPAN("on"));
    return *on || span_equal_nocase(value, SPAN("off")) || wrong(p, key, "on or off", value);
}

/* ---- shard=NAME ---- */

/* What stood against the statement no longer counts: one server does all of it. */
static void
to_shard(struct planner *p, struct span name)
{
    struct plan *out   = p->out;
    uint32_t     shard = 0;

    while (shard < p->routes->n_shards && !span_equal_nocase(p->routes->shards[shard].name, name))
        shard++;
    if (shard == p->routes->n_shards) {
        wrong(p, "shard", "a shard's name, as SHOW SHARDD SHARDS has them", name);
        return;
    }
    bool call = p->stmt != NULL && p->stmt->kind == STMT_CALL;
    if (call ? !call_may_go(p) : !is_read(p) || hide_moving(p)) {
        p->refused = false;
        NOT_YET(p, "shardd: shard=%.*s in a comment is for plain reads, and CALL of procedures "
                   "that only read, with constants and user variables, and not for tables whose "
                   "rows move", SHOWN(name));
        return;
    }
    out->is_write |= call; /* as any CALL: its words say that it only reads */
    out->opaque |= call;
    p->any_stored |= p->refused;
    p->hinted        = true;
    p->refused       = false;
    p->home_database = ROUTES_NONE;
    out->kind        = PLAN_ONE;
    out->target      = (struct target){ .kind = TARGET_HOME, .home = shard };
    out->text        = NULL;
    out->merge       = NULL;
    out->gather      = NULL;
    out->lookup      = NULL;
    out->error       = (struct sql_error){ .code = 0 };
    out->reason      = "a comment names the shard";
}

/* ---- scatter=, gather= ---- */

static void
refuse_scatter(struct planner *p)
{
    struct plan *out   = p->out;
    bool         keys  = out->target.kind == TARGET_KEYS;
    bool         found = out->lookup != NULL && out->lookup->n_values == 1;
    bool         many  = out->kind == PLAN_GATHER || out->kind == PLAN_CHANGE ||
                out->target.kind == TARGET_ALL || out->target.kind == TARGET_EVERY;

    if (p->refused || out->reference_write || found || (!many && !keys) ||
        out->kind == PLAN_INSERT || out->kind == PLAN_DDL)
        return;
    out->gather = NULL;
    out->change = NULL;
    sql_error_set(&out->error, SQL_NOT_SUPPORTED, "shardd: a comment says scatter=off, and the "
                  "statement is for several shards: give the key, or leave that out");
    if (many)
        p->refused = true;
    else
        out->target.one_shard = true;
}

static void
refuse_gather(struct planner *p)
{
    struct plan *out = p->out;

    if (p->refused)
        return;
    if (out->kind == PLAN_GATHER || out->kind == PLAN_CHANGE)
        NOT_YET(p, "shardd: a comment says that the statement is not to be gathered, and no shard "
                   "can do it alone");
    out->gather = NULL;
    out->change = NULL;
}

static void
force_gather(struct planner *p)
{
    struct plan *out = p->out;

    if (p->refused || out->kind != PLAN_SCATTER || !is_read(p))
        return;
    NOT_YET(p, "shardd: the statement cannot be gathered");
    out->text   = NULL;
    out->merge  = NULL;
    out->lookup = NULL;
    plan_gather(p, p->stmt->query);
    if (!p->refused)
        out->reason = "a comment asks for it";
}

/* ---- words ---- */

static void
note_consistency(struct planner *p, struct span value)
{
    p->out->consistency = consistency_find(value);
    if (p->out->consistency == CONSISTENCY_UNSET)
        wrong(p, "consistency", "strong, causal or eventual", value);
}

static void
note_scatter(struct planner *p, struct span value)
{
    bool on;

    if (is_on(p, "scatter", value, &on))
        (on ? refuse_gather : refuse_scatter)(p);
}

static void
note_gather(struct planner *p, struct span value)
{
    bool on;

    if (is_on(p, "gather", value, &on))
        (on ? force_gather : refuse_gather)(p);
}

static void
note_timeout(struct planner *p, struct span value)
{
    uint64_t ms;

    if (!literal_u64(value, &ms) || ms == 0)
        wrong(p, "timeout", "milliseconds", value);
    else
        p->out->timeout_ms = ms;
}

static const struct {
    struct span key;
    void (*note)(struct planner *p, struct span value);
} words[] = {
#define WORD(key, note) { { (const uint8_t *)(key), sizeof(key) - 1 }, note }
    WORD("consistency=", note_consistency), WORD("shard=", to_shard),
    WORD("scatter=", note_scatter),         WORD("gather=", note_gather),
    WORD("timeout=", note_timeout),
};

/* Words that are not known are left to later versions, wrong values are not. */
void
plan_note_hint(struct planner *p)
{
    struct span hint;

    if (p->digest == NULL || (p->digest->flags & DIGEST_HINT) == 0)
        return;
    hint = p->digest->hint;
    for (struct span word; (word = next_word(&hint)).len != 0;)
        for (size_t i = 0; i < countof(words); i++) {
            struct span key = words[i].key;
            if (word.len >= key.len &&
                span_equal_nocase((struct span){ word.ptr, key.len }, key))
                words[i].note(p, span_from(word, key.len));
        }
}
