/* keyword.h - the words of the grammar.
 *
 * KW_SELECT and so on; NO_KEYWORD (0) is not a keyword. A word that is not
 * reserved is a name unless the grammar wants the keyword at that place.
 */
#ifndef CORE_SQL_KEYWORD_H
#define CORE_SQL_KEYWORD_H

#include "core/base/base.h"

enum keyword {
    NO_KEYWORD,
#define R(word) KW_##word,
#define N(word) KW_##word,
#include "core/sql/keyword_list.h"
#undef R
#undef N
    KW_COUNT_OF_ALL
};

/* The keyword that `word` is in any case of letters, or NO_KEYWORD. */
enum keyword keyword_find(const uint8_t *word, size_t len);

/* In capitals, NUL-terminated; "" for NO_KEYWORD. */
const char *keyword_text(enum keyword k);

/* Cannot be a name unless quoted, or next to a dot. */
bool keyword_reserved(enum keyword k);

#endif
