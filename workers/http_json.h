/* http_json.h - the answer to a statement as a JSON document, while it comes.
 *
 *   {"columns": [{"name": "id", "type": "BIGINT"}, ...], "rows": [[1, "a"], ...],
 *    "warnings": 0}
 *   {"affected_rows": 1, "insert_id": 7, "warnings": 0, "info": "..."}
 *   {"error": {"code": 1064, "sqlstate": "42000", "message": "..."}}
 *
 * Further results (of CALL) are the elements of "more". An error behind rows stands
 * after them, as "error" of the whole document.
 *
 * No value loses anything: whole numbers are numbers as far as a double holds them (up
 * to 2^53) and strings beyond, DECIMAL is a string, so are dates; bytes without a
 * character set are a string in base64 and their column says "encoding": "base64".
 */
#ifndef WORKERS_HTTP_JSON_H
#define WORKERS_HTTP_JSON_H

#include "core/mysql/cell.h"
#include "core/mysql/result.h"

struct json_answer {
    uint64_t       capabilities;
    bool           binary;    /* rows are those of COM_STMT_EXECUTE */
    struct column *columns;   /* owned [n_columns]; without their spans */
    struct cell   *cells;     /* owned [n_columns] */
    uint32_t       n_columns, n_seen, n_results;
    uint64_t       n_rows;    /* of this result */
    bool           in_result, in_rows;
};

/* Next: the first message of an answer. Memory is kept between answers. */
void json_answer_begin(struct json_answer *a, uint64_t capabilities, bool binary);
void json_answer_fini(struct json_answer *a);

/* One message of the answer that is not RESULT_IS_ERR, just read by `r`. False: a malformed
 * one, or one that has no place in a document (a request for a file). */
bool json_answer_add(struct json_answer *a, struct buf *out, const struct result_reader *r,
                     const struct result_message *message) must_check;

/* The document ends here, with `error` or (NULL) without. */
void json_answer_end(struct json_answer *a, struct buf *out, const struct sql_error *error);

#endif
