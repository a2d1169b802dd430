/* function_class.h - what a stored function may do, from its text.
 *
 * A plain function is one of its arguments alone: it reads no table, variable or clock, calls no
 * other routine, and leaves nothing behind; so it gives the same value on every server. What is
 * not proven to be plain is not. The text is read by its words, with no grammar: every word that
 * could begin something else is enough to say so.
 */
#ifndef CORE_ROUTE_FUNCTION_CLASS_H
#define CORE_ROUTE_FUNCTION_CLASS_H

#include "core/base/buf.h"
#include "core/route/table.h"
#include "core/sql/lex.h"

/* The class of CREATE FUNCTION's text. `*tail` is where its list of parameters begins, as an
 * offset into the text, for FUNCTION_PLAIN. */
enum function_class function_classify(struct span text, struct lex_options options, uint32_t *tail);

/* Columns of NEW, as written. */
struct trigger_columns {
    struct span name[64];
    uint32_t    n;
};

struct trigger_look {
    struct span            schema, table; /* whose rows it is for; schema empty: not said */
    bool                   before, insert;
    struct trigger_columns set, named;    /* it assigns; it assigns or reads */
};

/* The same of CREATE TRIGGER's text: FUNCTION_PLAIN is one that uses its row, its own variables,
 * functions of their arguments alone and the statement's time, and leaves nothing behind but the
 * row or an error, whose number it does not choose: 1213 would mean more. Else the class says why
 * not, as far as `out` is set: its table may be empty. */
enum function_class trigger_classify(struct span text, struct lex_options options,
                                     struct trigger_look *out);

/* The server has a function of its own with this name. */
bool function_name_is_builtin(struct span name);

/* "plain" ... and back; FUNCTION_UNKNOWN for other words. */
const char         *function_class_name(enum function_class class);
enum function_class function_class_named(struct span name);

/* Why a function of this class cannot be used beside rows of several shards: "it reads ..." */
const char *function_class_why(enum function_class class);

/* A list as route_database.functions has it: one more; is it such a list; the class of the
 * function of this name in it, without regard to case. FUNCTION_UNKNOWN: it is not there.
 * `tables` is kept for one that only reads, with all that it calls: those that it may name;
 * ptr NULL: it is not known to only read. `body`: as routine_body.h has it; empty: not known. */
void function_list_add(struct buf *list, struct span name, enum function_class class,
                       bool at_home, struct span tables, struct span body);
bool function_list_ok(struct span list);
enum function_class function_list_find(struct span list, struct span name);

/* All that it uses is on its database's home, and there it can be used. */
bool function_list_at_home(struct span list, struct span name);

/* It only reads: it is on every shard and engine. `*tables` is what it was added with, ptr not
 * NULL. */
bool function_list_reads(struct span list, struct span name, struct span *tables);

/* What it was added with; empty. */
struct span function_list_body(struct span list, struct span name);

bool function_list_any_reads(struct span list);

/* Such tables: one more, and the next one. Names have no control characters: */
bool function_table_sayable(struct span name);
void function_table_add(struct buf *tables, struct span database, struct span name);
bool function_table_next(struct span *tables, struct span *database, struct span *name);

#endif
