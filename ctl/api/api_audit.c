/* api_audit.c - who changed what, and whether that is still all and true. */
#include <stdlib.h>

#include "ctl/api/request.h"
#include "ctl/catalog/audit_log.h"

enum { SHOWN = 100 };

static long
number_of(const struct request *r, const char *key, long fallback)
{
    const char *text = json_string_value(json_object_get(r->query, key));

    return text ? strtol(text, NULL, 10) : fallback; /* digits: the schema has looked */
}

/* ?limit=100&before=N: the newest, older than line N. */
unsigned
api_audit(struct request *r)
{
    struct audit_ends ends;
    json_t *lines = audit_log_read(r->cluster->audit, number_of(r, "before", 0),
                                   (size_t)number_of(r, "limit", SHOWN));

    catalog_audit_ends(r->cluster->catalog, &ends);
    r->answer = json_pack("{s:o, s:{s:I, s:s}, s:I}", "audit", lines, "head", "seq",
                          (json_int_t)ends.head.seq, "hash", ends.head.hash, "first",
                          (json_int_t)ends.before.seq + 1);
    return 200;
}

unsigned
api_audit_verify(struct request *r)
{
    const char *expect = json_string_value(json_object_get(r->query, "expect"));

    r->answer = audit_log_verify(r->cluster->audit, expect);
    return 200;
}
