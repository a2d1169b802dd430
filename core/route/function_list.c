/* function_list.c - see function_class.h: names of classes, lists of functions. */
#include "core/route/function_class.h"

#include <string.h>

#include "core/route/routine_body.h"

static const struct {
    const char *name, *why;
} classes[] = {
    [FUNCTION_UNKNOWN] = { "unknown", "what it does is not known; CREATE OR REPLACE FUNCTION makes "
                           "it known" },
    [FUNCTION_PLAIN]   = { "plain", "" },
    [FUNCTION_READS]   = { "reads", "it reads tables, calls other routines or runs statements, "
                           "which it would do on one shard alone" },
    [FUNCTION_VARIES]  = { "varies", "its value depends on more than its arguments, such as the "
                           "clock, chance or the session; give that as an argument" },
    [FUNCTION_VARIABLES] = { "variables", "it reads or sets variables of the session; give their "
                             "values as arguments" },
    [FUNCTION_HOME]    = { "home", "" },
    [FUNCTION_SPREAD]  = { "spread", "it names, or may reach, sharded or reference tables, views, "
                           "tables of another home, or routines that do or are not known" },
    [FUNCTION_TEXT]    = { "text", "it executes text that it makes, and what that does cannot be "
                           "seen" },
    [FUNCTION_ENDS]    = { "ends", "it may begin or end a transaction, which may be on several "
                           "shards" },
    [FUNCTION_DEFINES] = { "defines", "it defines or locks tables, or asks or tells the server "
                           "about itself" },
    [FUNCTION_LOCKS]   = { "locks", "it uses locks by name, which are kept on another server" },
    [FUNCTION_FAR]     = { "far", "it names, or may reach, sharded or reference tables" },
};

const char *
function_class_name(enum function_class class)
{
    return classes[class].name;
}

enum function_class
function_class_named(struct span name)
{
    for (size_t i = 0; i < countof(classes); i++)
        if (span_equal(name, span_of(classes[i].name)))
            return (enum function_class)i;
    return FUNCTION_UNKNOWN;
}

const char *
function_class_why(enum function_class class)
{
    return classes[class].why;
}

/* Each: a letter of the class, a capital one when all it uses is at home, the name, a byte 0.
 * Before that of one that only reads a byte 1, and then of each table a byte 2, its database, a
 * byte 3, its name; then the body, of bytes 4 to 6 and others: see routine_body.h. */
enum { ENDS, READS, TABLE, NAME, MARKS = 6 };

void
function_list_add(struct buf *list, struct span name, enum function_class class, bool at_home,
                  struct span tables, struct span body)
{
    buf_append_byte(list, (uint8_t)((at_home ? 'A' : 'a') + class));
    buf_append_span(list, name);
    if (tables.ptr != NULL) {
        buf_append_byte(list, READS);
        buf_append_span(list, tables);
    }
    buf_append_span(list, body);
    buf_append_byte(list, ENDS);
}

bool
function_table_sayable(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= MARKS)
            return false;
    return name.len > 0;
}

void
function_table_add(struct buf *tables, struct span database, struct span name)
{
    buf_append_byte(tables, TABLE);
    buf_append_span(tables, database);
    buf_append_byte(tables, NAME);
    buf_append_span(tables, name);
}

static struct span
up_to(struct span text, uint8_t byte)
{
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.ptr, byte, text.len);

    return end == NULL ? text : (struct span){ text.ptr, (size_t)(end - text.ptr) };
}

bool
function_table_next(struct span *tables, struct span *database, struct span *name)
{
    struct span one;

    if (tables->len == 0 || tables->ptr[0] != TABLE)
        return false;
    one       = up_to(span_from(*tables, 1), TABLE);
    *database = up_to(one, NAME);
    if (database->len == 0 || one.len < database->len + 2)
        return false;
    *name   = span_from(one, database->len + 1);
    *tables = span_from(*tables, one.len + 1);
    return true;
}

static bool
tables_ok(struct span tables)
{
    struct span database, name;

    while (tables.len != 0)
        if (!function_table_next(&tables, &database, &name))
            return false;
    return true;
}

struct one {
    enum function_class class;
    bool                at_home;
    struct span         name;
    struct span         tables; /* ptr NULL: it is not known to only read */
    struct span         body;
};

static bool
next_one(struct span *list, struct one *one)
{
    const uint8_t *end = list->len < 3 ? NULL : memchr(list->ptr, ENDS, list->len);
    struct span    text;

    if (end == NULL || end - list->ptr < 2)
        return false;
    one->at_home = list->ptr[0] < 'a';
    int letter   = list->ptr[0] - (one->at_home ? 'A' : 'a');
    if (letter < 0 || letter >= (int)countof(classes))
        return false;
    text        = (struct span){ list->ptr + 1, (size_t)(end - list->ptr) - 1 };
    *list       = span_from(*list, text.len + 2);
    one->class  = (enum function_class)letter;
    one->body   = span_from(text, routine_body_at(text));
    text.len   -= one->body.len;
    one->name   = up_to(text, READS);
    one->tables = (struct span){ 0 };
    if (one->name.len < text.len)
        one->tables = span_from(text, one->name.len + 1);
    return one->name.len > 0 && tables_ok(one->tables);
}

bool
function_list_ok(struct span list)
{
    struct one one;

    while (list.len != 0)
        if (!next_one(&list, &one))
            return false;
    return true;
}

static struct one
find(struct span list, struct span name)
{
    struct one one;

    while (next_one(&list, &one))
        if (span_equal_nocase(one.name, name))
            return one;
    return (struct one){ .class = FUNCTION_UNKNOWN };
}

enum function_class
function_list_find(struct span list, struct span name)
{
    return find(list, name).class;
}

bool
function_list_at_home(struct span list, struct span name)
{
    return find(list, name).at_home;
}

bool
function_list_reads(struct span list, struct span name, struct span *tables)
{
    struct one one = find(list, name);

    if (one.tables.ptr != NULL)
        *tables = one.tables;
    return one.tables.ptr != NULL;
}

struct span
function_list_body(struct span list, struct span name)
{
    return find(list, name).body;
}

bool
function_list_any_reads(struct span list)
{
    return list.len != 0 && memchr(list.ptr, READS, list.len) != NULL;
}
