/* routine_text.h - the text of a stored routine or trigger, word by word.
 *
 * There is no grammar: a reader sees the current token, the one before and the next one, and the
 * names that the text has declared so far, which hide the server's own.
 */
#ifndef CORE_ROUTE_ROUTINE_TEXT_H
#define CORE_ROUTE_ROUTINE_TEXT_H

#include "core/sql/lex.h"

enum { ROUTINE_NAMES_MAX = 100 };

struct routine_text {
    struct lex   l;
    struct token before, t, next;
    struct span  names[ROUTINE_NAMES_MAX]; /* parameters and variables */
    uint32_t     n_names;
    bool         too_many;                 /* it has more of them */
    bool         is_procedure, is_aggregate; /* behind routine_head() */
};

/* Where a word says something: */
enum routine_place {
    ANYWHERE,
    BARE,   /* without '(' behind it: not the function of that name */
    CALLED, /* with it */
};

/* The first token is the current one. `text` has to stay. */
void routine_begin(struct routine_text *r, struct span text, struct lex_options options);
void routine_step(struct routine_text *r);
bool routine_at_end(const struct routine_text *r); /* or at bytes that are no token */

/* Steps from CREATE to the '(' of the parameters. False: there is none, or no body behind it
 * (SONAME), or it is a PACKAGE. */
bool routine_head(struct routine_text *r) must_check;

bool        token_is_name(struct token t); /* keywords are, too */
bool        routine_is(const struct routine_text *r, struct token t, const char *word);
bool        routine_behind(const struct routine_text *r, const char *word); /* the one before */
bool        routine_at(const struct routine_text *r, const char *word);     /* the current one */
bool        routine_then(const struct routine_text *r, const char *word);   /* the next one */
bool        routine_at_set(const struct routine_text *r); /* of variables: no type, no function */
bool        routine_says(const struct routine_text *r, const char *word, enum routine_place place);
struct span routine_name(const struct routine_text *r, struct token t); /* without its quotes */

/* The current token is the name of a parameter or variable; one that is no name is left out. */
void routine_declare(struct routine_text *r);
bool routine_has_declared(const struct routine_text *r, struct token t);

#endif
