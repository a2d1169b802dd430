/* account_words.h - reading statements about accounts, word by word; private to ctl/job.
 *
 * What they mean is read and said anew: no word of the client reaches a server as it is.
 */
#ifndef CTL_JOB_ACCOUNT_WORDS_H
#define CTL_JOB_ACCOUNT_WORDS_H

#include "ctl/job/ddl_step.h"

enum {
    ACCOUNT_CANNOT_USER = 1396, /* ER_CANNOT_USER */
    ACCOUNT_NAMES_MAX   = 64,
};

struct words {
    struct ddl  *d;
    struct lex   l;
    struct token t; /* the one to be read next */
};

struct words words_of(struct ddl *d, struct lex_options options);
void         words_take(struct words *w);
bool         words_at(const struct words *w, const char *word);
bool         words_accept(struct words *w, const char *word);
/* Several words with spaces between; all or none. */
bool words_accept_all(struct words *w, const char *words);
bool words_accept_op(struct words *w, char op);
bool words_at_end(const struct words *w);

/* "not understood near ...", unless an error stands already. Returns false. */
bool words_misread(struct words *w);

/* A name or a string, in the arena; NULL: neither. */
const char *words_name(struct words *w);

/* A number; false: there is none. */
bool words_number(struct words *w, int64_t *out);

/* user, 'user'@'%', CURRENT_USER[()]. False with the error set. */
bool words_user(struct words *w, const char **out) must_check;

/* `name` in backquotes; as a pattern of GRANT _ and % are escaped. */
void words_put_name(struct buf *out, const char *name, bool pattern);

/* ddl_account_rights.c: GRANT and REVOKE, behind that word. */
bool account_rights(struct words *w, bool grant) must_check;

/* ddl_account_show.c: SHOW GRANTS and SHOW CREATE USER, whole. */
bool account_show(struct words *w) must_check;

/* ddl_account.c: whether the client is an administrator of shardd, without and with an
 * error; and its name for the records. */
bool        account_is_admin(struct ddl *d);
bool        account_may(struct ddl *d);
const char *account_who(const struct ddl *d);

#endif
