/* base.h - the few words the language lacks. Includes nothing of ours. */
#ifndef CORE_BASE_BASE_H
#define CORE_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define container_of(ptr, type, member) \
    ((type *)((char *)(ptr)-offsetof(type, member)))

#define countof(array) (sizeof(array) / sizeof((array)[0]))

#define must_check __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* Some bytes that belong to somebody else. */
struct span {
    const uint8_t *ptr;
    size_t         len;
};

/* A span over a string literal, without its NUL. */
#define SPAN(literal) \
    ((struct span){ (const uint8_t *)(literal), sizeof(literal) - 1 })

static inline struct span
span_of(const char *text)
{
    return (struct span){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Equal but for the case of ASCII letters. */
static inline bool
span_equal_nocase(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp((const char *)a.ptr,
                                     (const char *)b.ptr, a.len) == 0);
}

static inline bool
span_is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= 0x80)
            return false;
    return true;
}

static inline struct span
span_from(struct span s, size_t offset)
{
    return (struct span){ s.ptr + offset, s.len - offset };
}

#endif
