/* plan_function.c - see plan_internal.h: functions of the server's own.
 *
 * From information_schema.SQL_FUNCTIONS of MariaDB 10.11 and its grammar. Any
 * other name is a stored function, which may read whatever it likes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "core/route/plan_internal.h"

/* Sorted. */
static const char *const names[] = {
    "ABS", "ACOS", "ADDDATE", "ADDTIME", "ADD_MONTHS", "AES_DECRYPT", "AES_ENCRYPT", "ASCII",
    "ASIN", "ATAN", "ATAN2", "AVG", "BENCHMARK", "BIN", "BINARY", "BINLOG_GTID_POS", "BIT_AND",
    "BIT_COUNT", "BIT_LENGTH", "BIT_OR", "BIT_XOR", "CAST", "CEIL", "CEILING", "CHAR",
    "CHARACTER_LENGTH", "CHARSET", "CHAR_LENGTH", "CHR", "COALESCE", "COERCIBILITY", "COLLATION",
    "COLUMN_ADD", "COLUMN_CHECK", "COLUMN_CREATE", "COLUMN_DELETE", "COLUMN_EXISTS", "COLUMN_GET",
    "COLUMN_JSON", "COLUMN_LIST", "COMPRESS", "CONCAT", "CONCAT_OPERATOR_ORACLE", "CONCAT_WS",
    "CONNECTION_ID", "CONTAINS", "CONV", "CONVERT", "CONVERT_TZ", "COS", "COT", "COUNT", "CRC32",
    "CRC32C", "CUME_DIST", "CURDATE", "CURRENT_DATE", "CURRENT_ROLE", "CURRENT_TIME",
    "CURRENT_TIMESTAMP", "CURRENT_USER", "CURTIME", "DATABASE", "DATE", "DATEDIFF", "DATE_ADD",
    "DATE_FORMAT", "DATE_SUB", "DAY", "DAYNAME", "DAYOFMONTH", "DAYOFWEEK", "DAYOFYEAR", "DECODE",
    "DECODE_HISTOGRAM", "DECODE_ORACLE", "DEGREES", "DENSE_RANK", "DES_DECRYPT", "DES_ENCRYPT",
    "ELT", "ENCODE", "ENCRYPT", "EXISTS", "EXP", "EXPORT_SET", "EXTRACT", "EXTRACTVALUE", "FIELD",
    "FIND_IN_SET", "FIRST_VALUE", "FLOOR", "FORMAT", "FOUND_ROWS", "FROM_BASE64", "FROM_DAYS",
    "FROM_UNIXTIME", "GEOMETRYCOLLECTION", "GET_FORMAT", "GET_LOCK", "GREATEST", "GROUPING",
    "GROUP_CONCAT", "HEX", "HOUR", "IF", "IFNULL", "INET6_ATON", "INET6_NTOA", "INET_ATON",
    "INET_NTOA", "INSERT", "INSTR", "INTERVAL", "ISNULL", "IS_FREE_LOCK", "IS_IPV4",
    "IS_IPV4_COMPAT", "IS_IPV4_MAPPED", "IS_IPV6", "IS_USED_LOCK", "JSON_ARRAY", "JSON_ARRAYAGG",
    "JSON_ARRAY_APPEND", "JSON_ARRAY_INSERT", "JSON_COMPACT", "JSON_CONTAINS",
    "JSON_CONTAINS_PATH", "JSON_DEPTH", "JSON_DETAILED", "JSON_EQUALS", "JSON_EXISTS",
    "JSON_EXTRACT", "JSON_INSERT", "JSON_KEYS", "JSON_KEY_VALUE", "JSON_LENGTH", "JSON_LOOSE",
    "JSON_MERGE", "JSON_MERGE_PATCH", "JSON_MERGE_PRESERVE", "JSON_NORMALIZE", "JSON_OBJECT",
    "JSON_OBJECTAGG", "JSON_OVERLAPS", "JSON_PRETTY", "JSON_QUERY", "JSON_QUOTE", "JSON_REMOVE",
    "JSON_REPLACE", "JSON_SCHEMA_VALID", "JSON_SEARCH", "JSON_SET", "JSON_TYPE", "JSON_UNQUOTE",
    "JSON_VALID", "JSON_VALUE", "KDF", "LAG", "LASTVAL", "LAST_DAY", "LAST_INSERT_ID",
    "LAST_VALUE", "LCASE", "LEAD", "LEAST", "LEFT", "LENGTH", "LENGTHB", "LINESTRING", "LN",
    "LOAD_FILE", "LOCALTIME", "LOCALTIMESTAMP", "LOCATE", "LOG", "LOG10", "LOG2", "LOWER", "LPAD",
    "LPAD_ORACLE", "LTRIM", "LTRIM_ORACLE", "MAKEDATE", "MAKETIME", "MAKE_SET",
    "MASTER_GTID_WAIT", "MASTER_POS_WAIT", "MAX", "MD5", "MEDIAN", "MICROSECOND", "MID", "MIN",
    "MINUTE", "MOD", "MONTH", "MONTHNAME", "MULTILINESTRING", "MULTIPOINT", "MULTIPOLYGON",
    "NAME_CONST", "NATURAL_SORT_KEY", "NEXTVAL", "NOW", "NTH_VALUE", "NTILE", "NULLIF", "NVL",
    "NVL2", "OCT", "OCTET_LENGTH", "OLD_PASSWORD", "ORD", "PASSWORD", "PERCENTILE_CONT",
    "PERCENTILE_DISC", "PERCENT_RANK", "PERIOD_ADD", "PERIOD_DIFF", "PI", "POINT", "POLYGON",
    "POSITION", "POW", "POWER", "QUARTER", "QUOTE", "RADIANS", "RAND", "RANDOM_BYTES", "RANK",
    "REGEXP_INSTR", "REGEXP_REPLACE", "REGEXP_SUBSTR", "RELEASE_ALL_LOCKS", "RELEASE_LOCK",
    "REPEAT", "REPLACE", "REPLACE_ORACLE", "REVERSE", "RIGHT", "ROUND", "ROWNUM", "ROW_COUNT",
    "ROW_NUMBER", "RPAD", "RPAD_ORACLE", "RTRIM", "RTRIM_ORACLE", "SCHEMA", "SCHEMAS", "SECOND",
    "SEC_TO_TIME", "SESSION_USER", "SETVAL", "SFORMAT", "SHA", "SHA1", "SHA2", "SIGN", "SIN",
    "SLEEP", "SOUNDEX", "SPACE", "SQRT", "STD", "STDDEV", "STDDEV_POP", "STDDEV_SAMP", "STRCMP",
    "STR_TO_DATE", "ST_SRID", "SUBDATE", "SUBSTR", "SUBSTRING", "SUBSTRING_INDEX",
    "SUBSTR_ORACLE", "SUBTIME", "SUM", "SYSDATE", "SYSTEM_USER", "SYS_GUID", "TAN", "TIME",
    "TIMEDIFF", "TIMESTAMP", "TIMESTAMPADD", "TIMESTAMPDIFF", "TIME_FORMAT", "TIME_TO_SEC",
    "TO_BASE64", "TO_CHAR", "TO_DAYS", "TO_SECONDS", "TRIM", "TRIM_ORACLE", "TRUNCATE", "UCASE",
    "UNCOMPRESS", "UNCOMPRESSED_LENGTH", "UNHEX", "UNIX_TIMESTAMP", "UPDATEXML", "UPPER", "USER",
    "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UUID", "UUID_SHORT", "VALUE", "VALUES", "VARIANCE",
    "VAR_POP", "VAR_SAMP", "VERSION", "WEEK", "WEEKDAY", "WEEKOFYEAR", "WEIGHT_STRING",
    "WSREP_LAST_SEEN_GTID", "WSREP_LAST_WRITTEN_GTID", "WSREP_SYNC_WAIT_UPTO_GTID", "YEAR",
    "YEARWEEK",
};

static int
compare(const void *key, const void *name)
{
    const struct span *s     = key;
    const char        *other = *(const char *const *)name;

    /* In capitals, as the table is sorted: '_' lies between the two cases. */
    for (size_t i = 0; i < s->len; i++) {
        int order = toupper(s->ptr[i]) - (unsigned char)other[i];
        if (order != 0)
            return order;
    }
    return other[s->len] == '\0' ? 0 : -1;
}

bool
function_is_builtin(const struct func *f)
{
    if (f->klass != FUNC_PLAIN)
        return true;
    return f->name.schema.ptr == NULL &&
           bsearch(&f->name.name, names, countof(names), sizeof(names[0]), compare) != NULL;
}
