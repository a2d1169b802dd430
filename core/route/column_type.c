/* column_type.c - see column_type.h. */
#include "core/route/column_type.h"

static const struct {
    const char      *name;
    enum column_type type;
} types[] = {
    { "tinyint", COLUMN_TINYINT },       { "smallint", COLUMN_SMALLINT },
    { "mediumint", COLUMN_MEDIUMINT },   { "int", COLUMN_INT },
    { "bigint", COLUMN_BIGINT },         { "decimal", COLUMN_DECIMAL },
    { "float", COLUMN_FLOAT },           { "double", COLUMN_DOUBLE },
    { "bit", COLUMN_BIT },               { "char", COLUMN_CHAR },
    { "varchar", COLUMN_VARCHAR },       { "text", COLUMN_TEXT },
    { "tinytext", COLUMN_TEXT },         { "mediumtext", COLUMN_TEXT },
    { "longtext", COLUMN_TEXT },         { "binary", COLUMN_BINARY },
    { "varbinary", COLUMN_VARBINARY },   { "blob", COLUMN_BLOB },
    { "tinyblob", COLUMN_BLOB },         { "mediumblob", COLUMN_BLOB },
    { "longblob", COLUMN_BLOB },         { "date", COLUMN_DATE },
    { "time", COLUMN_TIME },             { "datetime", COLUMN_DATETIME },
    { "timestamp", COLUMN_TIMESTAMP },   { "year", COLUMN_YEAR },
    { "enum", COLUMN_ENUM },             { "set", COLUMN_SET },
    { "json", COLUMN_JSON },             { "uuid", COLUMN_UUID },
    { "inet4", COLUMN_INET4 },           { "inet6", COLUMN_INET6 },
    { "geometry", COLUMN_GEOMETRY },     { "point", COLUMN_GEOMETRY },
    { "linestring", COLUMN_GEOMETRY },   { "polygon", COLUMN_GEOMETRY },
    { "multipoint", COLUMN_GEOMETRY },   { "multilinestring", COLUMN_GEOMETRY },
    { "multipolygon", COLUMN_GEOMETRY }, { "geometrycollection", COLUMN_GEOMETRY },
};

const char *
column_type_name(enum column_type type)
{
    for (size_t i = 0; i < countof(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return "other";
}

enum column_type
column_type_of(struct span name)
{
    for (size_t i = 0; i < countof(types); i++)
        if (span_equal_nocase(span_of(types[i].name), name))
            return types[i].type;
    return COLUMN_OTHER;
}
