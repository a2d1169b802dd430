/* plan_hint.c - see plan_internal.h: what a comment before or in a statement asks of shardd.
 *
 *   / * shardd: consistency=eventual * / SELECT ...
 *
 * The comment is part of the normalised text: a plan is for one hint only.
 */
#include "core/route/plan_internal.h"

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

/* Words that are not known are left to later versions, wrong values are not. */
void
plan_note_hint(struct planner *p)
{
    static const struct span key  = { (const uint8_t *)"consistency=", 12 };
    struct span              hint = { 0 };

    if (p->digest == NULL || (p->digest->flags & DIGEST_HINT) == 0)
        return;
    hint = p->digest->hint;
    for (struct span word; (word = next_word(&hint)).len != 0;) {
        if (word.len < key.len || !span_equal_nocase((struct span){ word.ptr, key.len }, key))
            continue;
        struct span value   = span_from(word, key.len);
        p->out->consistency = consistency_find(value);
        if (p->out->consistency == CONSISTENCY_UNSET)
            refuse(p, ERR_WRONG_VALUE, "shardd: consistency in a comment is strong, causal or "
                   "eventual, not '%.*s'", (int)(value.len < 64 ? value.len : 64), value.ptr);
    }
}
