/* api_txn.c - transactions in doubt. */
#include "ctl/api/request.h"
#include "ctl/job/txn_doubt.h"

unsigned
api_txn_list(struct request *r)
{
    r->answer = txn_doubt_list(r->cluster);
    return 200;
}

unsigned
api_txn_show(struct request *r)
{
    json_t  *all = txn_doubt_list(r->cluster), *each;
    size_t   i;
    unsigned status = 404;

    json_array_foreach(json_object_get(all, "transactions"), i, each)
        if (strcmp(json_string_value(json_object_get(each, "transaction")), r->part[1]) == 0) {
            r->answer = json_incref(each);
            status    = 200;
        }
    json_decref(all);
    return status == 200 ? status : request_no_such(r, "txn", r->part[1]);
}

unsigned
api_txn_resolve(struct request *r)
{
    struct sql_error error;

    r->answer = txn_doubt_resolve(r->cluster, r->who, r->part[1], request_text(r, "force"),
                                  &error);
    return request_done(r, r->answer != NULL, &error);
}
