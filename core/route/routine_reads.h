/* routine_reads.h - a stored procedure or function that only reads tables, and does so alike on
 * every server that has their rows.
 *
 * Read by its words, with no grammar, as in routine_look.h: a word that could begin a write, or
 * ask for something of the server or session that another one has not, is enough to say no. What
 * it calls is not looked at.
 */
#ifndef CORE_ROUTE_ROUTINE_READS_H
#define CORE_ROUTE_ROUTINE_READS_H

#include "core/sql/lex.h"

/* CREATE PROCEDURE's or FUNCTION's text. `*tail` is where its list of parameters begins, as an
 * offset into the text, when it only reads. */
bool routine_reads(struct span text, struct lex_options options, uint32_t *tail) must_check;

#endif
