/* catalog.c - what every store has in common: how objects are named. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/memory.h"
#include "ctl/catalog/catalog.h"

static void
append_part(struct buf *out, const char *part)
{
    for (; *part; part++) {
        if (*part == '.' || *part == '%' || *part == '/')
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*part);
        else
            buf_append_byte(out, (uint8_t)*part);
    }
}

char *
catalog_table_name(const char *database, const char *table)
{
    struct buf out = { 0 };
    char      *name;

    append_part(&out, database);
    buf_append_byte(&out, '.');
    append_part(&out, table);
    name = mem_strdup(buf_cstr(&out));
    buf_fini(&out);
    return name;
}
