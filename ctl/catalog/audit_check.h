/* audit_check.h - does a chain of lines hold? Fed with files, piece by piece. */
#ifndef CTL_CATALOG_AUDIT_CHECK_H
#define CTL_CATALOG_AUDIT_CHECK_H

#include "ctl/catalog/audit_line.h"

/* All zeroes but for `list`. */
struct audit_check {
    struct audit_link last;   /* of the last line */
    bool              begun;  /* `last` is known: the next line has to follow it */
    int64_t           first;  /* line's number; 0: none yet */
    int64_t           until;  /* lines above are not looked at; 0: all are */
    uint64_t          lines, wrong; /* seen; problems, the untold included */
    const char       *expect; /* "SEQ:HASH" that has to come; NULL: none */
    bool              met;
    json_t           *list;   /* of problems, at most AUDIT_PROBLEMS_MAX; the caller's */
};

/* All lines of a file. False: it cannot be read, which is a problem as well. */
bool audit_check_file(struct audit_check *check, const char *path);

/* Behind the last file: whether `head` (NULL: not known) was reached, and `expect` was met. */
void audit_check_end(struct audit_check *check, const struct audit_link *head);

void audit_check_problem(struct audit_check *check, const char *fmt, ...) printf_like(2, 3);

/* What was found, to be owned: see audit_log_verify(). Takes over `list`. */
json_t *audit_check_report(struct audit_check *check);

#endif
