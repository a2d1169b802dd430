/* charset.c - see charset.h; and how the lexer reads each set.
 *
 * Sets that cannot be a client's (ucs2, utf16, utf32) only occur as
 * introducers.
 */
#include "core/sql/charset.h"

#include "core/sql/lex.h"

static const struct {
    const char      *name;
    enum lex_charset lex;
} sets[] = {
    { "utf8mb4", LEX_UTF8 },   { "utf8", LEX_UTF8 },      { "utf8mb3", LEX_UTF8 },
    { "latin1", LEX_LATIN1 },  { "binary", LEX_BYTES },   { "ascii", LEX_BYTES },
    { "big5", LEX_UNSAFE },    { "gbk", LEX_UNSAFE },     { "sjis", LEX_UNSAFE },
    { "cp932", LEX_UNSAFE },   { "ucs2", LEX_UNSAFE },    { "utf16", LEX_UNSAFE },
    { "utf16le", LEX_UNSAFE }, { "utf32", LEX_UNSAFE },   { "ujis", LEX_BYTES },
    { "eucjpms", LEX_BYTES },  { "euckr", LEX_BYTES },    { "gb2312", LEX_BYTES },
    { "dec8", LEX_BYTES },     { "cp850", LEX_BYTES },    { "hp8", LEX_BYTES },
    { "koi8r", LEX_BYTES },    { "latin2", LEX_BYTES },   { "swe7", LEX_UNSAFE },
    { "hebrew", LEX_BYTES },   { "tis620", LEX_BYTES },   { "koi8u", LEX_BYTES },
    { "greek", LEX_BYTES },    { "cp1250", LEX_BYTES },   { "latin5", LEX_BYTES },
    { "armscii8", LEX_BYTES }, { "cp866", LEX_BYTES },    { "keybcs2", LEX_BYTES },
    { "macce", LEX_BYTES },    { "macroman", LEX_BYTES }, { "cp852", LEX_BYTES },
    { "latin7", LEX_BYTES },   { "cp1251", LEX_BYTES },   { "cp1256", LEX_BYTES },
    { "cp1257", LEX_BYTES },   { "geostd8", LEX_BYTES },
};

bool
charset_known(struct span name)
{
    for (size_t i = 0; i < countof(sets); i++)
        if (span_equal_nocase(name, span_of(sets[i].name)))
            return true;
    return false;
}

bool
charset_has_ascii(struct span name)
{
    static const char *const others[] = { "ucs2", "utf16", "utf16le", "utf32", "swe7" };

    for (size_t i = 0; i < countof(others); i++)
        if (span_equal_nocase(name, span_of(others[i])))
            return false;
    return true;
}

enum lex_charset
lex_charset_of(struct span name)
{
    for (size_t i = 0; i < countof(sets); i++)
        if (span_equal_nocase(name, span_of(sets[i].name)))
            return sets[i].lex;
    return LEX_UNSAFE;
}

const char *
charset_of_collation(uint16_t id)
{
    static const struct {
        const char *name;
        uint16_t    first, last;
    } ids[] = {
        { "utf8mb4", 45, 46 },   { "utf8mb4", 224, 247 }, { "utf8mb4", 1069, 1070 },
        { "utf8mb3", 33, 33 },   { "utf8mb3", 83, 83 },   { "utf8mb3", 192, 215 },
        { "latin1", 8, 8 },      { "latin1", 5, 5 },      { "latin1", 15, 15 },
        { "latin1", 31, 31 },    { "latin1", 47, 49 },    { "latin1", 94, 94 },
        { "binary", 63, 63 },    { "ascii", 11, 11 },     { "ascii", 65, 65 },
    };

    for (size_t n = 0; n < countof(ids); n++)
        if (id >= ids[n].first && id <= ids[n].last)
            return ids[n].name;
    return NULL;
}
