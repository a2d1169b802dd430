/* web.h - the page (ctl/web) as the bytes that shardctl carries in itself.
 *
 * `make` writes the files into build/web/; where npm was not there, index.html says so.
 */
#ifndef CTL_API_WEB_H
#define CTL_API_WEB_H

#include <microhttpd.h>

#include "core/base/base.h"

struct web_file {
    const char *type;     /* of its content */
    struct span bytes;    /* static */
    char        etag[24]; /* quoted, of the bytes */
};

/* The file at "/" or "/app.js". False: there is none. */
bool web_find(const char *path, struct web_file *out) must_check;

/* Answers a GET or HEAD of one of the files, which anybody may have: what it shows it has to ask
 * for. False: it is a request of another kind. */
bool web_answer(struct MHD_Connection *connection, const char *method, const char *url,
                enum MHD_Result *result) must_check;

#endif
