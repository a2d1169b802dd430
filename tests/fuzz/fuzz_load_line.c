/* fuzz_load_line.c - rows of a server as lines: a line has as many fields as the row cells.
 *
 * The first bytes choose the columns, the rest is the row.
 */
#include "core/mysql/load_line.h"
#include "core/route/load_file.h"

enum { COLUMNS = 4, HEAD = 1 + COLUMNS, BINARY = 63 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct buf *line, uint32_t n)
{
    static const uint32_t wanted[COLUMNS] = { 0, 1, 2, 3 };
    struct load_format f = { .field_term = SPAN("\t"), .line_term = SPAN("\n"),
                             .enclosed = LOAD_NO_BYTE, .escape = '\\', .n_columns = n };
    struct load_field fields[COLUMNS];
    struct buf        room = { 0 };
    size_t            start, used;

    if (!load_format_finish(&f, BINARY) ||
        load_record(&f, buf_unread(line), true, wanted, n, fields, &room, &start, &used) !=
            LOAD_RECORD ||
        used != buf_len(line) || !fields[n - 1].present)
        __builtin_trap();
    buf_fini(&room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = { MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_DOUBLE,
                                     MYSQL_TYPE_DATETIME, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_BLOB,
                                     MYSQL_TYPE_TIME, MYSQL_TYPE_BIT, MYSQL_TYPE_GEOMETRY };
    struct column        columns[COLUMNS] = { 0 };
    struct cell          cells[COLUMNS];
    uint8_t              forms[COLUMNS];
    struct buf           out = { 0 };

    if (size < HEAD)
        return 0;
    struct load_line l = { .n = 1 + data[0] % COLUMNS, .forms = forms, .columns = columns,
                           .cells = cells };
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].type     = types[data[1 + i] % countof(types)];
        columns[i].decimals = NOT_FIXED_DEC;
        /* What a server sends as a number has no tabs in it; this row may have. */
        forms[i] = (uint8_t)(data[1 + i] & 0x80 ? LOAD_FORM_EPOCH : LOAD_FORM_BYTES);
    }
    struct span row = { data + HEAD, size - HEAD };
    if (load_line_text(&l, row, &out))
        check(&out, l.n);
    else if (buf_len(&out) != 0)
        __builtin_trap();
    buf_clear(&out);
    if (load_line_binary(&l, row, &out))
        check(&out, l.n);
    else if (buf_len(&out) != 0)
        __builtin_trap();
    buf_fini(&out);
    return 0;
}
