/* sql_mode.c - see sql_mode.h. */
#include "core/sql/sql_mode.h"

#include <string.h>
#include <strings.h>

/* In the order of the bits. The last stands for several before it. */
static const char *const reading[] = { "REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES",
                                       "IGNORE_SPACE", "HIGH_NOT_PRECEDENCE",
                                       "NO_BACKSLASH_ESCAPES", "EMPTY_STRING_IS_NULL", "ANSI" };

/* Each stands for several, of which not all are about reading. */
static const char *const dialects[] = { "ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL",
                                        "MYSQL323", "MYSQL40" };

/* The next word, and what is behind its comma. */
static struct span
next_word(struct span *list)
{
    const uint8_t *comma = list->len == 0 ? NULL : memchr(list->ptr, ',', list->len);
    struct span    word  = { list->ptr, comma == NULL ? list->len : (size_t)(comma - list->ptr) };

    *list = span_from(*list, comma == NULL ? list->len : word.len + 1);
    return word;
}

static bool
is_one_of(struct span word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_equal_nocase(word, span_of(words[i])))
            return true;
    return false;
}

bool
sql_mode_has(struct span list, const char *word)
{
    while (list.len != 0)
        if (span_equal_nocase(next_word(&list), span_of(word)))
            return true;
    return false;
}

static bool
alike(struct span a, struct span b, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sql_mode_has(a, words[i]) != sql_mode_has(b, words[i]))
            return false;
    return true;
}

enum sql_mode_reading
sql_mode_compare(struct span a, struct span b)
{
    if (!alike(a, b, dialects, countof(dialects)))
        return SQL_MODE_DIALECT;
    return alike(a, b, reading, countof(reading)) ? SQL_MODE_ALIKE : SQL_MODE_OTHER;
}

static void
add(struct buf *out, size_t from, struct span word)
{
    if (word.len == 0)
        return;
    if (buf_len(out) != from)
        buf_append_text(out, ",");
    buf_append_span(out, word);
}

uint16_t
sql_mode_reading(struct span list)
{
    unsigned bits = 0;

    while (list.len != 0) {
        struct span word = next_word(&list);
        for (size_t i = 0; i < countof(reading); i++)
            if (span_equal_nocase(word, span_of(reading[i])))
                bits |= 1u << i;
        if (is_one_of(word, dialects, countof(dialects)))
            bits |= SQL_MODE_ANY_DIALECT;
        if (span_equal_nocase(word, span_of(dialects[0])))
            bits |= SQL_MODE_ORACLE;
    }
    return (uint16_t)bits;
}

void
sql_mode_read_as(struct span wanted, uint16_t bits, struct buf *out)
{
    struct buf words = { 0 };

    for (size_t i = 0; i < countof(reading); i++)
        if (bits & 1u << i)
            add(&words, 0, span_of(reading[i]));
    sql_mode_merge(wanted, buf_unread(&words), out);
    buf_fini(&words);
}

void
sql_mode_merge(struct span wanted, struct span reads, struct buf *out)
{
    size_t      from = buf_len(out);
    struct span word;

    while (wanted.len != 0) {
        word = next_word(&wanted);
        if (!is_one_of(word, reading, countof(reading)))
            add(out, from, word);
    }
    while (reads.len != 0) {
        word = next_word(&reads);
        if (is_one_of(word, reading, countof(reading)))
            add(out, from, word);
    }
}
