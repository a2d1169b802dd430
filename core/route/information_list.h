/* information_list.h - the columns of the tables in information.h, as MariaDB 10.6 to 11 has
 * them: KEY columns tell rows apart, SUM and MAX ones are added up over the shards. */
#ifndef CORE_ROUTE_INFORMATION_LIST_H
#define CORE_ROUTE_INFORMATION_LIST_H

#include "core/route/information.h"

enum information_how {
    HOW_HOME,    /* of the shard that counts */
    HOW_KEY, HOW_SUM, HOW_MAX,
    HOW_AVERAGE, /* the sum of DATA_LENGTH over that of TABLE_ROWS */
    HOW_ESTIMATE, /* CARDINALITY */
    HOW_STATUS,  /* by the variable's name */
};

struct information_column {
    const char          *name, *type;
    enum information_how how;
};

#define WORDS(n) "VARCHAR(" #n ") CHARACTER SET utf8mb3"
#define NUMBER   "BIGINT UNSIGNED"

static const struct information_column tables_columns[] = {
    { "TABLE_CATALOG", WORDS(512), HOW_HOME },   { "TABLE_SCHEMA", WORDS(64), HOW_KEY },
    { "TABLE_NAME", WORDS(64), HOW_KEY },        { "TABLE_TYPE", WORDS(64), HOW_HOME },
    { "ENGINE", WORDS(64), HOW_HOME },           { "VERSION", NUMBER, HOW_HOME },
    { "ROW_FORMAT", WORDS(10), HOW_HOME },       { "TABLE_ROWS", NUMBER, HOW_SUM },
    { "AVG_ROW_LENGTH", NUMBER, HOW_AVERAGE },   { "DATA_LENGTH", NUMBER, HOW_SUM },
    { "MAX_DATA_LENGTH", NUMBER, HOW_MAX },      { "INDEX_LENGTH", NUMBER, HOW_SUM },
    { "DATA_FREE", NUMBER, HOW_SUM },            { "AUTO_INCREMENT", NUMBER, HOW_MAX },
    { "CREATE_TIME", "DATETIME", HOW_HOME },     { "UPDATE_TIME", "DATETIME", HOW_MAX },
    { "CHECK_TIME", "DATETIME", HOW_MAX },       { "TABLE_COLLATION", WORDS(64), HOW_HOME },
    { "CHECKSUM", NUMBER, HOW_HOME },            { "CREATE_OPTIONS", WORDS(2048), HOW_HOME },
    { "TABLE_COMMENT", WORDS(2048), HOW_HOME },  { "MAX_INDEX_LENGTH", NUMBER, HOW_MAX },
    { "TEMPORARY", WORDS(1), HOW_HOME },
};

static const struct information_column partitions_columns[] = {
    { "TABLE_CATALOG", WORDS(512), HOW_HOME },
    { "TABLE_SCHEMA", WORDS(64), HOW_KEY },
    { "TABLE_NAME", WORDS(64), HOW_KEY },
    { "PARTITION_NAME", WORDS(64), HOW_KEY },
    { "SUBPARTITION_NAME", WORDS(64), HOW_KEY },
    { "PARTITION_ORDINAL_POSITION", NUMBER, HOW_HOME },
    { "SUBPARTITION_ORDINAL_POSITION", NUMBER, HOW_HOME },
    { "PARTITION_METHOD", WORDS(18), HOW_HOME },
    { "SUBPARTITION_METHOD", WORDS(12), HOW_HOME },
    { "PARTITION_EXPRESSION", "LONGTEXT CHARACTER SET utf8mb3", HOW_HOME },
    { "SUBPARTITION_EXPRESSION", "LONGTEXT CHARACTER SET utf8mb3", HOW_HOME },
    { "PARTITION_DESCRIPTION", "LONGTEXT CHARACTER SET utf8mb3", HOW_HOME },
    { "TABLE_ROWS", NUMBER, HOW_SUM },
    { "AVG_ROW_LENGTH", NUMBER, HOW_AVERAGE },
    { "DATA_LENGTH", NUMBER, HOW_SUM },
    { "MAX_DATA_LENGTH", NUMBER, HOW_MAX },
    { "INDEX_LENGTH", NUMBER, HOW_SUM },
    { "DATA_FREE", NUMBER, HOW_SUM },
    { "CREATE_TIME", "DATETIME", HOW_HOME },
    { "UPDATE_TIME", "DATETIME", HOW_MAX },
    { "CHECK_TIME", "DATETIME", HOW_MAX },
    { "CHECKSUM", NUMBER, HOW_HOME },
    { "PARTITION_COMMENT", WORDS(80), HOW_HOME },
    { "NODEGROUP", WORDS(12), HOW_HOME },
    { "TABLESPACE_NAME", WORDS(64), HOW_HOME },
};

static const struct information_column statistics_columns[] = {
    { "TABLE_CATALOG", WORDS(512), HOW_HOME }, { "TABLE_SCHEMA", WORDS(64), HOW_KEY },
    { "TABLE_NAME", WORDS(64), HOW_KEY },      { "NON_UNIQUE", "BIGINT", HOW_HOME },
    { "INDEX_SCHEMA", WORDS(64), HOW_HOME },   { "INDEX_NAME", WORDS(64), HOW_KEY },
    { "SEQ_IN_INDEX", "INT UNSIGNED", HOW_KEY }, { "COLUMN_NAME", WORDS(64), HOW_HOME },
    { "COLLATION", WORDS(1), HOW_HOME },       { "CARDINALITY", "BIGINT", HOW_ESTIMATE },
    { "SUB_PART", "BIGINT", HOW_HOME },        { "PACKED", WORDS(10), HOW_HOME },
    { "NULLABLE", WORDS(3), HOW_HOME },        { "INDEX_TYPE", WORDS(16), HOW_HOME },
    { "COMMENT", WORDS(16), HOW_HOME },        { "INDEX_COMMENT", WORDS(1024), HOW_HOME },
    { "IGNORED", WORDS(3), HOW_HOME },
};

static const struct information_column tablestats_columns[] = {
    { "TABLE_ID", NUMBER, HOW_HOME },         { "NAME", WORDS(64), HOW_KEY },
    { "STATS_INITIALIZED", "INT", HOW_HOME }, { "NUM_ROWS", NUMBER, HOW_SUM },
    { "CLUST_INDEX_SIZE", NUMBER, HOW_SUM },  { "OTHER_INDEX_SIZE", NUMBER, HOW_SUM },
    { "MODIFIED_COUNTER", NUMBER, HOW_SUM },  { "AUTOINC", NUMBER, HOW_MAX },
    { "REF_COUNT", "INT", HOW_MAX },
};

static const struct information_column status_columns[] = {
    { "VARIABLE_NAME", WORDS(64), HOW_KEY },
    { "VARIABLE_VALUE", WORDS(4096), HOW_STATUS },
};

#endif
