/* fuzz_load_file.c - files of LOAD DATA: no claim past the end, and one way to cut a
 * file however it arrives.
 *
 * The input: lengths of the three separators, two bytes for enclosed and escape, one
 * for the character set; the separators; the file.
 */
#include <stdlib.h>

#include "core/route/load_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 3, HEAD = 6 };

static struct span
take(struct span *in, size_t len)
{
    struct span out = { in->ptr, len < in->len ? len : in->len };

    *in = span_from(*in, out.len);
    return out;
}

static void
check_fields(const struct load_field *fields, size_t used)
{
    for (int i = 0; i < COLUMNS; i++)
        if (fields[i].present && (fields[i].from > fields[i].to || fields[i].to > used))
            __builtin_trap();
}

/* Less of the file gives the same record, or none yet. */
static void
check_prefix(const struct load_format *f, struct span file, size_t used)
{
    static const uint32_t wanted[COLUMNS] = { 0, 1, 2 };
    struct load_field     fields[COLUMNS];
    struct buf            room = { 0 };
    size_t                start, less;
    struct span           some = { file.ptr, file.len / 2 };

    enum load_status s = load_record(f, some, false, wanted, COLUMNS, fields, &room, &start, &less);
    if (s == LOAD_END || (s == LOAD_RECORD && less != used))
        __builtin_trap();
    buf_fini(&room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t wanted[COLUMNS] = { 0, 1, 2 };
    static const uint16_t charsets[]      = { 63, 45, 33, 8 };
    struct load_field     fields[COLUMNS];
    struct buf            room = { 0 };
    struct span           file = { data, size };
    size_t                start, used;

    if (size < HEAD)
        return 0;
    file = span_from(file, HEAD);
    struct load_format f = {
        .field_term = take(&file, data[0] % 4),
        .line_term  = take(&file, data[1] % 4),
        .line_start = take(&file, data[2] % 3),
        .enclosed   = data[3] >= 0x80 ? LOAD_NO_BYTE : data[3],
        .escape     = data[4] >= 0x80 ? LOAD_NO_BYTE : data[4],
        .n_columns  = COLUMNS,
    };
    if (!load_format_finish(&f, charsets[data[5] % countof(charsets)]))
        return 0;
    while (load_record(&f, file, true, wanted, COLUMNS, fields, &room, &start, &used) ==
           LOAD_RECORD) {
        if (used == 0 || used > file.len || start > used)
            __builtin_trap();
        check_fields(fields, used);
        check_prefix(&f, file, used);
        file = span_from(file, used);
    }
    buf_fini(&room);
    return 0;
}
