/* bulk.h - COM_STMT_BULK_EXECUTE: a prepared statement with the values of many executions.
 *
 *   0xfa | statement id 4 | flags 2 | [2 bytes of type for each parameter] | rows
 *   row: for each parameter an indicator, and a value behind BULK_VALUE
 *
 * Pure. Source: MariaDB knowledge base, COM_STMT_BULK_EXECUTE.
 */
#ifndef CORE_MYSQL_BULK_H
#define CORE_MYSQL_BULK_H

#include "core/mysql/command.h"

enum bulk_flag { BULK_UNIT_RESULTS = 64, BULK_TYPES = 128 };

enum bulk_indicator { BULK_VALUE, BULK_NULL, BULK_DEFAULT, BULK_IGNORE, BULK_INDICATORS };

struct bulk {
    uint16_t    flags;
    struct span rows; /* not empty */
};

/* `types` are the statement's, as with execute_decode(): filled when types come along, used
 * when they do not. False: malformed, or the first time and without types; nothing is
 * written. A statement without parameters has no rows. */
bool bulk_decode(struct span payload, uint32_t n_params, uint16_t *types,
                 struct bulk *out) must_check;

/* The next of the rows; values point into it. Without a value a parameter is NULL. False:
 * malformed. */
bool bulk_next(struct span *rows, uint32_t n_params, const uint16_t *types,
               enum bulk_indicator *indicators, struct param_value *params) must_check;

#endif
