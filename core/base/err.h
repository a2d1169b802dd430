/* err.h - the two kinds of error that carry a sentence.
 *
 * struct err is for people: settings, tools, the controller. struct sql_error
 * is for clients of the MySQL protocol: a code and SQLSTATE that programs
 * compare, and a sentence that says what to do. Both are filled only when a
 * call fails.
 */
#ifndef CORE_BASE_ERR_H
#define CORE_BASE_ERR_H

#include "core/base/base.h"

struct err {
    char text[512];
};

/* Returns false, so that a failing function can `return err_set(...)`. */
bool err_set(struct err *err, const char *fmt, ...) printf_like(2, 3);

struct sql_error {
    uint16_t code;
    char     sqlstate[6]; /* NUL-terminated */
    char     message[512];
};

/* Codes of our own making use these unless the server has one that fits
 * (see mysqld_error.h): DESIGN section 12. */
enum {
    SQL_UNKNOWN_ERROR = 1105, /* ER_UNKNOWN_ERROR, HY000 */
    SQL_TOO_MANY_ROWS = 1172, /* ER_TOO_MANY_ROWS, 42000 */
    SQL_NOT_SUPPORTED = 1235, /* ER_NOT_SUPPORTED_YET, 42000 */
};

/* The SQLSTATE follows from the code. The sentence of a text of our own begins
 * with "shardd: ". Returns false. */
bool sql_error_set(struct sql_error *error, uint16_t code, const char *fmt,
                   ...) printf_like(3, 4);

/* The SQLSTATE that MariaDB sends with `code`; "HY000" when it has none of
 * its own. Source: MariaDB include/sql_state.h as documented in the
 * "MariaDB Error Codes" page. */
const char *sql_state_of(uint16_t code);

#endif
