/* keyhash_string.c - strings folded by their collation, then hashed.
 *
 * Trailing spaces do not count in most collations, and one only knows that they
 * trailed when the string has ended: they are held back as a number until
 * something else follows. The same is done with weights, because other
 * characters weigh as much as a space and count as little.
 */
#define XXH_STATIC_LINKING_ONLY /* the state on the stack */
#include <xxhash.h>

#include "core/route/keyhash_part.h"

enum { CHUNK = 512 };

/* Collects the folded bytes. One chunk is hashed at once, longer ones as a
 * stream; XXH3-64 gives the same. */
struct folder {
    const struct collation *collation;
    bool                    pads;
    uint32_t                space;  /* a space as it is folded */
    size_t                  spaces; /* held back */
    size_t                  len;
    bool                    streams;
    uint8_t                 chunk[CHUNK];
    XXH3_state_t            state;
};

static void
flush(struct folder *f)
{
    if (!f->streams)
        XXH3_64bits_reset(&f->state);
    f->streams = true;
    XXH3_64bits_update(&f->state, f->chunk, f->len);
    f->len = 0;
}

static void
put_byte(struct folder *f, uint32_t byte)
{
    if (f->len == CHUNK)
        flush(f);
    f->chunk[f->len++] = (uint8_t)byte;
}

static void
put_utf8(struct folder *f, uint32_t cp)
{
    if (cp < 0x80) {
        put_byte(f, cp);
        return;
    }
    if (cp < 0x800) {
        put_byte(f, 0xc0 | cp >> 6);
    } else {
        if (cp < 0x10000) {
            put_byte(f, 0xe0 | cp >> 12);
        } else {
            put_byte(f, 0xf0 | cp >> 18);
            put_byte(f, 0x80 | (cp >> 12 & 0x3f));
        }
        put_byte(f, 0x80 | (cp >> 6 & 0x3f));
    }
    put_byte(f, 0x80 | (cp & 0x3f));
}

static void
put_raw(struct folder *f, uint32_t unit)
{
    if (f->collation->fold == FOLD_BIN) {
        put_utf8(f, unit);
    } else {
        put_byte(f, unit >> 8);
        put_byte(f, unit);
    }
}

/* A code point or a weight. */
static void
put(struct folder *f, uint32_t unit)
{
    if (f->pads && unit == f->space) {
        f->spaces++;
        return;
    }
    for (; f->spaces > 0; f->spaces--)
        put_raw(f, f->space);
    put_raw(f, unit);
}

static void
put_character(struct folder *f, uint32_t code_point)
{
    uint16_t weights[FOLD_WEIGHTS_MAX];

    if (f->collation->fold == FOLD_BIN) {
        put(f, code_point);
        return;
    }
    size_t n = fold_weights(f->collation->fold, code_point, weights);
    for (size_t i = 0; i < n; i++)
        put(f, weights[i]);
}

static uint32_t
space_of(enum fold fold)
{
    uint16_t weights[FOLD_WEIGHTS_MAX] = { 0 };

    if (fold == FOLD_BIN)
        return ' ';
    (void)fold_weights(fold, ' ', weights);
    return weights[0];
}

bool
hash_string(const struct collation *collation, bool pads, enum charset from,
            struct span bytes, uint64_t *hash, size_t *n)
{
    struct folder f;
    size_t        characters = 0;

    f.collation = collation;
    f.pads      = pads;
    f.space     = space_of(collation->fold);
    f.spaces    = f.len = 0;
    f.streams   = false;
    for (uint32_t cp; bytes.len > 0; characters++) {
        size_t used;
        if (!charset_next(from, bytes, &cp, &used) ||
            !charset_has(collation->charset, cp))
            return false;
        put_character(&f, cp);
        bytes = span_from(bytes, used);
    }
    if (f.streams)
        flush(&f);
    *hash = f.streams ? XXH3_64bits_digest(&f.state) : XXH3_64bits(f.chunk, f.len);
    *n    = characters;
    return true;
}

uint64_t
hash_bytes(struct span bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}

uint64_t
hash_word(uint64_t word)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(word >> i * 8);
    return XXH3_64bits(bytes, sizeof(bytes));
}

uint64_t
hash_decimal(const struct number *n)
{
    uint8_t text[160];
    size_t  len = 0;

    if (n->negative)
        text[len++] = '-';
    if (n->whole.len == 0)
        text[len++] = '0';
    for (size_t i = 0; i < n->whole.len; i++)
        text[len++] = n->whole.ptr[i];
    if (n->fraction.len > 0)
        text[len++] = '.';
    for (size_t i = 0; i < n->fraction.len; i++)
        text[len++] = n->fraction.ptr[i];
    return XXH3_64bits(text, len);
}
