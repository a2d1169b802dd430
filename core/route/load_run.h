/* load_run.h - rows of a LOAD DATA: which shard, which number.
 *
 * A row's key must be told by its line exactly: where the server would change what it
 * reads (clip, round, pad with zeroes, make '' a 0), or where we cannot tell, the
 * line is an error.
 */
#ifndef CORE_ROUTE_LOAD_RUN_H
#define CORE_ROUTE_LOAD_RUN_H

#include "core/route/load_file.h"
#include "core/route/plan.h"

/* What the row gets in the AUTO_INCREMENT column: see insert_inspect(). `field` is that
 * column's, NULL when the file has none for it. False and `error`: not exactly known. */
bool load_inspect(const struct load_spec *spec, const struct routes *r,
                  const struct load_field *field, enum insert_number *number, uint64_t *value,
                  struct sql_error *error) must_check;

/* The shard of a row whose key was read as `field`, or (NULL) is the sequence's `number`,
 * or (key_null) is NULL. */
bool load_shard(const struct load_spec *spec, const struct routes *r,
                const struct load_field *field, uint64_t number, uint32_t *shard,
                struct sql_error *error) must_check;

#endif
