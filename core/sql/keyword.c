/* keyword.c - see keyword.h.
 *
 * A hash table made beforehand, with linear probing; the hash reads the word's
 * first and last eight bytes at once, so that it costs the same for any length.
 */
#include "core/sql/keyword.h"

enum { HASH_BITS = 11, LENGTH_MAX = 29 };

#include "core/sql/keyword_hash.h"

struct word {
    uint8_t len;
    char    text[30];
    bool    reserved;
};

static const struct word words[KW_COUNT_OF_ALL] = {
    { 0, "", false },
#define R(word) { sizeof(#word) - 1, #word, true },
#define N(word) { sizeof(#word) - 1, #word, false },
#include "core/sql/keyword_list.h"
#undef R
#undef N
};

static uint64_t
load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t
load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* The case bit set in every byte: names' characters stay distinct. */
static void
ends_of(const uint8_t *w, size_t len, uint64_t *first, uint64_t *last)
{
    const uint64_t fold = 0x2020202020202020;

    if (len >= 8) {
        *first = load64(w) | fold;
        *last  = load64(w + len - 8) | fold;
    } else if (len >= 4) {
        *first = load32(w) | (uint32_t)fold;
        *last  = load32(w + len - 4) | (uint32_t)fold;
    } else {
        *first = (uint64_t)w[0] | (uint64_t)w[len / 2] << 8 | 0x2020;
        *last  = w[len - 1] | 0x20;
    }
}

static uint32_t
word_hash(uint64_t first, uint64_t last, size_t len)
{
    const uint64_t multiplier = 0x9E3779B97F4A7C15;
    uint64_t       mixed      = first * multiplier;

    mixed = ((mixed ^ (mixed >> 32)) + last + len) * multiplier;
    return (uint32_t)(mixed >> (64 - HASH_BITS));
}

enum keyword
keyword_find(const uint8_t *word, size_t len)
{
    uint64_t first, last;

    if (len == 0 || len > LENGTH_MAX)
        return NO_KEYWORD;
    ends_of(word, len, &first, &last);
    for (uint32_t at = word_hash(first, last, len);; at++) {
        uint16_t    k = slots[at & ((1 << HASH_BITS) - 1)];
        uint64_t    their_first, their_last;

        if (k == NO_KEYWORD)
            return NO_KEYWORD;
        if (words[k].len != len)
            continue;
        ends_of((const uint8_t *)words[k].text, len, &their_first, &their_last);
        if (first == their_first && last == their_last &&
            (len <= 16 || strncasecmp((const char *)word, words[k].text, len) == 0))
            return k;
    }
}

const char *
keyword_text(enum keyword k)
{
    return words[k].text;
}

bool
keyword_reserved(enum keyword k)
{
    return words[k].reserved;
}
