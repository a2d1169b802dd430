/* page.h - lists in pages.
 *
 *   GET /v1/users?limit=2              {"users": [a, b], "next_cursor": "..."}
 *   GET /v1/users?limit=2&cursor=...   {"users": [c]}
 *
 * A cursor says behind which item the next page begins, not how many came before: what is added
 * or removed meanwhile makes no item come twice or not at all. Without a limit the list is whole.
 */
#ifndef CTL_API_PAGE_H
#define CTL_API_PAGE_H

#include "ctl/api/request.h"

/* Members of the query that lists take besides their own. */
#define PAGE_TAKES "limit:int(1..1000) cursor:text"

/* Cuts r->answer as r->query says; `list` is the route's. Returns the HTTP status: 200, or 400
 * when the cursor is none of ours. */
unsigned page_cut(struct request *r, const char *list);

/* "users" of "users name", in `out`. */
void page_member(const char *list, char out[48]);

#endif
