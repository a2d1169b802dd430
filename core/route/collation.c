/* collation.c - see collation.h. */
#include "core/route/collation.h"

#include "core/route/latin1.h"
#include "core/route/weights.h"

static const struct collation collations[] = {
    /* id    character set    fold              pads */
    {    8, CHARSET_LATIN1,  FOLD_LATIN1,      true  }, /* latin1_swedish_ci */
    { 1032, CHARSET_LATIN1,  FOLD_LATIN1,      false },
    {   47, CHARSET_LATIN1,  FOLD_BIN,         true  },
    { 1071, CHARSET_LATIN1,  FOLD_BIN,         false },
    {   11, CHARSET_ASCII,   FOLD_ASCII,       true  }, /* ascii_general_ci */
    { 1035, CHARSET_ASCII,   FOLD_ASCII,       false },
    {   65, CHARSET_ASCII,   FOLD_BIN,         true  },
    { 1089, CHARSET_ASCII,   FOLD_BIN,         false },
    {   33, CHARSET_UTF8MB3, FOLD_GENERAL,     true  },
    { 1057, CHARSET_UTF8MB3, FOLD_GENERAL,     false },
    {   83, CHARSET_UTF8MB3, FOLD_BIN,         true  },
    { 1107, CHARSET_UTF8MB3, FOLD_BIN,         false },
    {  192, CHARSET_UTF8MB3, FOLD_UNICODE,     true  },
    { 1216, CHARSET_UTF8MB3, FOLD_UNICODE,     false },
    {  214, CHARSET_UTF8MB3, FOLD_UNICODE_520, true  },
    { 1238, CHARSET_UTF8MB3, FOLD_UNICODE_520, false },
    {   45, CHARSET_UTF8MB4, FOLD_GENERAL,     true  },
    { 1069, CHARSET_UTF8MB4, FOLD_GENERAL,     false },
    {   46, CHARSET_UTF8MB4, FOLD_BIN,         true  },
    { 1070, CHARSET_UTF8MB4, FOLD_BIN,         false },
    {  224, CHARSET_UTF8MB4, FOLD_UNICODE,     true  },
    { 1248, CHARSET_UTF8MB4, FOLD_UNICODE,     false },
    {  246, CHARSET_UTF8MB4, FOLD_UNICODE_520, true  },
    { 1270, CHARSET_UTF8MB4, FOLD_UNICODE_520, false },
};

/* All collations of a character set, foldable or not, by their ids: what a
 * connection may have. The server's list is in
 * information_schema.COLLATION_CHARACTER_SET_APPLICABILITY. */
static const struct {
    uint16_t     first, last;
    enum charset charset;
} ids[] = {
    {    5,    5, CHARSET_LATIN1 },  {    8,    8, CHARSET_LATIN1 },
    {   11,   11, CHARSET_ASCII },   {   15,   15, CHARSET_LATIN1 },
    {   31,   31, CHARSET_LATIN1 },  {   33,   33, CHARSET_UTF8MB3 },
    {   45,   46, CHARSET_UTF8MB4 }, {   47,   49, CHARSET_LATIN1 },
    {   63,   63, CHARSET_BINARY },  {   65,   65, CHARSET_ASCII },
    {   83,   83, CHARSET_UTF8MB3 }, {   94,   94, CHARSET_LATIN1 },
    {  192,  215, CHARSET_UTF8MB3 }, {  223,  223, CHARSET_UTF8MB3 },
    {  224,  247, CHARSET_UTF8MB4 }, {  576,  578, CHARSET_UTF8MB3 },
    {  608,  610, CHARSET_UTF8MB4 }, { 1032, 1032, CHARSET_LATIN1 },
    { 1035, 1035, CHARSET_ASCII },   { 1057, 1057, CHARSET_UTF8MB3 },
    { 1069, 1070, CHARSET_UTF8MB4 }, { 1071, 1071, CHARSET_LATIN1 },
    { 1089, 1089, CHARSET_ASCII },   { 1107, 1107, CHARSET_UTF8MB3 },
    { 1216, 1216, CHARSET_UTF8MB3 }, { 1238, 1238, CHARSET_UTF8MB3 },
    { 1248, 1248, CHARSET_UTF8MB4 }, { 1270, 1270, CHARSET_UTF8MB4 },
    { 2048, 2303, CHARSET_UTF8MB3 }, { 2304, 2559, CHARSET_UTF8MB4 },
};

const struct collation *
collation_find(uint16_t id)
{
    for (size_t i = 0; i < countof(collations); i++)
        if (collations[i].id == id)
            return &collations[i];
    return NULL;
}

enum charset
collation_charset(uint16_t id)
{
    for (size_t i = 0; i < countof(ids); i++)
        if (id >= ids[i].first && id <= ids[i].last)
            return ids[i].charset;
    return CHARSET_UNKNOWN;
}

/* Well-formed UTF-8 of the shortest form (RFC 3629); `most` bytes a character. */
static bool
utf8_next(struct span s, size_t most, uint32_t *code_point, size_t *bytes)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t  lead = s.ptr[0];
    size_t   n    = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2
                 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
    uint32_t cp   = n == 1 ? lead : lead & (0xffu >> (n + 1));

    if (n == 0 || n > most || n > s.len)
        return false;
    for (size_t i = 1; i < n; i++) {
        if ((s.ptr[i] & 0xc0) != 0x80)
            return false;
        cp = cp << 6 | (s.ptr[i] & 0x3f);
    }
    if (cp < smallest[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return false;
    *code_point = cp;
    *bytes      = n;
    return true;
}

bool
charset_next(enum charset charset, struct span s, uint32_t *code_point,
             size_t *bytes)
{
    uint8_t lead = s.ptr[0];

    switch (charset) {
    case CHARSET_UTF8MB4:
        return utf8_next(s, 4, code_point, bytes);
    case CHARSET_UTF8MB3:
        return utf8_next(s, 3, code_point, bytes);
    case CHARSET_LATIN1:
        *code_point = lead >= 0x80 && lead < 0xa0 ? weights_latin1_high[lead - 0x80]
                                                  : lead;
        *bytes = 1;
        return true;
    case CHARSET_UNKNOWN:
    case CHARSET_BINARY:
    case CHARSET_ASCII:
        *code_point = lead;
        *bytes      = 1;
        return lead < 0x80;
    }
    return false;
}

bool
charset_has(enum charset charset, uint32_t code_point)
{
    switch (charset) {
    case CHARSET_UTF8MB4:
        return true;
    case CHARSET_UTF8MB3:
        return code_point <= 0xffff;
    case CHARSET_LATIN1:
        return latin1_byte(code_point) >= 0;
    case CHARSET_UNKNOWN:
    case CHARSET_BINARY:
    case CHARSET_ASCII:
        return code_point < 0x80;
    }
    return false;
}

/* The page's words, or NULL. */
static const uint64_t *
page(const struct weights *w, uint32_t code_point)
{
    uint32_t high   = code_point >> 8;
    uint32_t number = high < w->n_high ? w->page_of[high] : 0;

    if (number == 0)
        return NULL;
    number--;
    return w->part[number / WEIGHTS_PART_PAGES] +
           (size_t)(number % WEIGHTS_PART_PAGES) * 64;
}

/* The Unicode Collation Algorithm's rule for characters without an entry, as
 * the server applies it. */
static size_t
implicit(uint32_t code_point, uint16_t *out)
{
    uint32_t base = 0xfbc0;

    if (code_point >= 0x3400 && code_point <= 0x4db5)
        base = 0xfb80;
    else if (code_point >= 0x4e00 && code_point <= 0x9fa5)
        base = 0xfb40;
    out[0] = (uint16_t)(base + (code_point >> 15));
    out[1] = (uint16_t)((code_point & 0x7fff) | 0x8000);
    return 2;
}

static size_t
unicode_weights(const struct weights *w, uint32_t code_point, uint16_t *out)
{
    const uint64_t *words = page(w, code_point);
    uint32_t        entry = words != NULL ? weights_entry(words, code_point & 0xff)
                                          : WEIGHTS_IMPLICIT;

    if (entry == WEIGHTS_IMPLICIT)
        return implicit(code_point, out);
    if (entry < WEIGHTS_MANY) {
        out[0] = (uint16_t)entry;
        return 1;
    }
    size_t n = weights_entry(w->many, entry - WEIGHTS_MANY);
    for (uint32_t i = 0; i < n && i < FOLD_WEIGHTS_MAX; i++)
        out[i] = weights_entry(w->many, entry - WEIGHTS_MANY + 1 + i);
    return n;
}

static uint16_t
general_weight(uint32_t code_point)
{
    const uint64_t *words = page(&weights_general, code_point);

    if (code_point > 0xffff)
        return 0xfffd; /* all characters outside of the BMP are equal */
    return words != NULL ? weights_entry(words, code_point & 0xff)
                         : (uint16_t)code_point;
}

size_t
fold_weights(enum fold fold, uint32_t code_point, uint16_t out[FOLD_WEIGHTS_MAX])
{
    bool capital = code_point >= 'A' && code_point <= 'Z';
    int  byte;

    switch (fold) {
    case FOLD_UNICODE:
        if (code_point <= 0xffff)
            return unicode_weights(&weights_unicode, code_point, out);
        out[0] = 0xfffd;
        return 1;
    case FOLD_UNICODE_520:
        return unicode_weights(&weights_unicode_520, code_point, out);
    case FOLD_GENERAL:
        out[0] = general_weight(code_point);
        return 1;
    case FOLD_LATIN1:
        byte   = latin1_byte(code_point);
        out[0] = byte >= 0 ? weights_latin1[byte] : 0;
        return 1;
    case FOLD_ASCII:
    case FOLD_BIN:
        out[0] = (uint16_t)(code_point | (capital ? 0x20 : 0));
        return 1;
    }
    return 0;
}

bool
names_alike(struct span a, struct span b)
{
    while (a.len != 0 && b.len != 0) {
        uint16_t left[FOLD_WEIGHTS_MAX], right[FOLD_WEIGHTS_MAX];
        uint32_t one, other;
        size_t   n, m;
        if (!charset_next(CHARSET_UTF8MB4, a, &one, &n) ||
            !charset_next(CHARSET_UTF8MB4, b, &other, &m))
            return false;
        size_t weights = fold_weights(FOLD_GENERAL, one, left);
        if (one != other && (weights != fold_weights(FOLD_GENERAL, other, right) ||
                             memcmp(left, right, weights * sizeof(*left)) != 0))
            return false;
        a = span_from(a, n);
        b = span_from(b, m);
    }
    return a.len == b.len;
}
