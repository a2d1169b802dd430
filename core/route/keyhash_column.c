/* keyhash_column.c - which columns can be keys, and which lie together. */
#include "core/route/keyhash_part.h"

enum class { CLASS_NONE, CLASS_INT, CLASS_YEAR, CLASS_BIT, CLASS_DECIMAL, CLASS_TEXT,
             CLASS_BINARY, CLASS_VARBINARY, CLASS_DATE, CLASS_TIME, CLASS_DATETIME,
             CLASS_UUID, CLASS_INET4, CLASS_INET6 };

/* One row per type: what it counts as, and why it cannot be a key. */
static const struct {
    enum class  class;
    const char *name, *why_not;
} types[] = {
    [COLUMN_OTHER]      = { CLASS_NONE, "its type", "shardd does not know the type" },
    [COLUMN_TINYINT]    = { CLASS_INT, "TINYINT", NULL },
    [COLUMN_SMALLINT]   = { CLASS_INT, "SMALLINT", NULL },
    [COLUMN_MEDIUMINT]  = { CLASS_INT, "MEDIUMINT", NULL },
    [COLUMN_INT]        = { CLASS_INT, "INT", NULL },
    [COLUMN_BIGINT]     = { CLASS_INT, "BIGINT", NULL },
    [COLUMN_DECIMAL]    = { CLASS_DECIMAL, "DECIMAL", NULL },
    [COLUMN_FLOAT]      = { CLASS_NONE, "FLOAT", "its values are not exact" },
    [COLUMN_DOUBLE]     = { CLASS_NONE, "DOUBLE", "its values are not exact" },
    [COLUMN_BIT]        = { CLASS_BIT, "BIT", NULL },
    [COLUMN_CHAR]       = { CLASS_TEXT, "CHAR", NULL },
    [COLUMN_VARCHAR]    = { CLASS_TEXT, "VARCHAR", NULL },
    [COLUMN_TEXT]       = { CLASS_NONE, "TEXT", "its values have no useful limit; use VARCHAR" },
    [COLUMN_BINARY]     = { CLASS_BINARY, "BINARY", NULL },
    [COLUMN_VARBINARY]  = { CLASS_VARBINARY, "VARBINARY", NULL },
    [COLUMN_BLOB]       = { CLASS_NONE, "BLOB", "its values have no useful limit; use VARBINARY" },
    [COLUMN_DATE]       = { CLASS_DATE, "DATE", NULL },
    [COLUMN_TIME]       = { CLASS_TIME, "TIME", NULL },
    [COLUMN_DATETIME]   = { CLASS_DATETIME, "DATETIME", NULL },
    [COLUMN_TIMESTAMP]  = { CLASS_NONE, "TIMESTAMP",
                            "what a value means depends on the session's time zone; use DATETIME" },
    [COLUMN_YEAR]       = { CLASS_YEAR, "YEAR", NULL },
    [COLUMN_ENUM]       = { CLASS_NONE, "ENUM",
                            "it compares by name and by number; use VARCHAR or an integer" },
    [COLUMN_SET]        = { CLASS_NONE, "SET", "it compares by name and by number" },
    [COLUMN_JSON]       = { CLASS_NONE, "JSON", "its values have no useful limit" },
    [COLUMN_UUID]       = { CLASS_UUID, "UUID", NULL },
    [COLUMN_INET4]      = { CLASS_INET4, "INET4", NULL },
    [COLUMN_INET6]      = { CLASS_INET6, "INET6", NULL },
    [COLUMN_GEOMETRY]   = { CLASS_NONE, "GEOMETRY", "shapes have no simple equality" },
};

bool
keyhash_column_supported(const struct route_column *c, struct err *err)
{
    int            len  = (int)c->name.len;
    const uint8_t *name = c->name.ptr;

    if (c->type >= countof(types) || types[c->type].class == CLASS_NONE) {
        size_t type = c->type < countof(types) ? c->type : COLUMN_OTHER;
        return err_set(err, "column '%.*s' cannot be a key: %s (%s)", len, name,
                       types[type].why_not, types[type].name);
    }
    if (c->generated)
        return err_set(err, "column '%.*s' cannot be a key: the server computes "
                       "it; use a column that the application writes", len, name);
    if (c->type == COLUMN_YEAR && c->length == 2)
        return err_set(err, "column '%.*s' cannot be a key: of a YEAR(2) a server shows only two "
                       "digits; use YEAR", len, name);
    if (types[c->type].class == CLASS_TEXT && collation_find(c->collation) == NULL)
        return err_set(err, "column '%.*s' cannot be a key: shardd cannot fold "
                       "collation number %u exactly; give the column a _bin, "
                       "general_ci or unicode_ci collation (utf8mb4, utf8mb3), a "
                       "latin1 or an ascii one", len, name, c->collation);
    return true;
}

bool
keyhash_colocated(const struct route_column *a, const struct route_column *b)
{
    struct err err;

    if (!keyhash_column_supported(a, &err) || !keyhash_column_supported(b, &err) ||
        types[a->type].class != types[b->type].class)
        return false;
    if (types[a->type].class != CLASS_TEXT)
        return true;

    const struct collation *x = collation_find(a->collation);
    const struct collation *y = collation_find(b->collation);
    /* Equal under either column's collation must mean equal hashes. */
    return x->fold == y->fold && column_pads(a, x) == column_pads(b, y);
}

static uint32_t
int_bits(const struct route_column *c)
{
    switch ((int)c->type) {
    case COLUMN_TINYINT:   return 8;
    case COLUMN_SMALLINT:  return 16;
    case COLUMN_MEDIUMINT: return 24;
    case COLUMN_INT:       return 32;
    default:               return 64;
    }
}

uint64_t
keyhash_int_max(const struct route_column *c)
{
    if (types[c->type].class != CLASS_INT)
        return 0;
    return UINT64_MAX >> (64 - int_bits(c) + !c->is_unsigned);
}

static bool
int_copies(const struct route_column *from, const struct route_column *to)
{
    if (from->is_unsigned == to->is_unsigned)
        return int_bits(from) <= int_bits(to);
    return from->is_unsigned && int_bits(from) < int_bits(to);
}

static bool
decimal_copies(const struct route_column *from, const struct route_column *to)
{
    return from->scale <= to->scale && from->length - from->scale <= to->length - to->scale &&
           (from->is_unsigned || !to->is_unsigned);
}

bool
keyhash_copies(const struct route_column *from, const struct route_column *to)
{
    if (!keyhash_colocated(from, to) || (from->nullable && !to->nullable))
        return false;
    switch (types[to->type].class) {
    case CLASS_INT:       return int_copies(from, to);
    case CLASS_DECIMAL:   return decimal_copies(from, to);
    case CLASS_TEXT:      return from->collation == to->collation && from->length <= to->length;
    case CLASS_BINARY:    return from->length == to->length;
    case CLASS_BIT:
    case CLASS_VARBINARY:
    case CLASS_TIME:
    case CLASS_DATETIME:  return from->length <= to->length;
    case CLASS_YEAR:
    case CLASS_DATE:
    case CLASS_UUID:
    case CLASS_INET4:
    case CLASS_INET6:     return true;
    case CLASS_NONE:      break;
    }
    return false;
}
