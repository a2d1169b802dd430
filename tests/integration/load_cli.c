/* load_cli.c - the files of LOAD DATA for test_load_file.py: one file a line.
 *
 *   FIELD_TERM ENCLOSED ESCAPE LINE_START LINE_TERM COLUMNS CHARSET SKIP FILE
 *
 * All but COLUMNS, CHARSET (a collation's id) and SKIP in hexadecimal; "-": none.
 * Answers the records: fields as x and hexadecimal, N, - (missing) or ? (broken), each with a
 * comma behind it, each record with a semicolon.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/route/load_file.h"

enum { COLUMNS_MAX = 8 };

static struct span
unhex(const char *text, uint8_t *out)
{
    size_t n = text[0] == '-' ? 0 : strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = { text[2 * i], text[2 * i + 1], 0 };
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (struct span){ out, n };
}

static int
byte_of(const char *text)
{
    return text[0] == '-' ? LOAD_NO_BYTE : (int)strtoul(text, NULL, 16);
}

static void
print(const struct load_field *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!fields[i].present)
            putchar('-');
        else if (fields[i].null)
            putchar('N');
        else
            putchar(fields[i].broken ? '?' : 'x');
        for (size_t at = 0; fields[i].present && !fields[i].null && at < fields[i].value.len; at++)
            printf("%02x", fields[i].value.ptr[at]);
        putchar(',');
    }
    putchar(';');
}

static void
answer(const struct load_format *f, struct span file, unsigned long skip)
{
    static const uint32_t wanted[COLUMNS_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    struct load_field     fields[COLUMNS_MAX];
    struct buf            room = { 0 };
    size_t                used, start;

    if (f->one_term)
        skip = 0;
    for (; skip > 0 && f->line_term.len != 0 &&
           load_skip_line(f, file, true, &used) == LOAD_RECORD; skip--)
        file = span_from(file, used);
    if (f->line_term.len != 0 && skip != 0)
        file.len = 0;
    while (load_record(f, file, true, wanted, f->n_columns, fields, &room, &start, &used) ==
           LOAD_RECORD) {
        if (skip == 0)
            print(fields, f->n_columns);
        skip -= skip != 0;
        file = span_from(file, used);
    }
    puts("");
    buf_fini(&room);
}

int
main(void)
{
    static char    word[9][1 << 16];
    static uint8_t bytes[4][1 << 15];

    while (scanf("%60s %60s %60s %60s %60s %60s %60s %60s %65000s", word[0], word[1], word[2],
                 word[3], word[4], word[5], word[6], word[7], word[8]) == 9) {
        struct load_format f = {
            .field_term = unhex(word[0], bytes[0]),
            .enclosed   = byte_of(word[1]),
            .escape     = byte_of(word[2]),
            .line_start = unhex(word[3], bytes[1]),
            .line_term  = unhex(word[4], bytes[2]),
            .n_columns  = (uint32_t)atoi(word[5]),
        };
        if (!load_format_finish(&f, (uint16_t)atoi(word[6])))
            puts("no");
        else
            answer(&f, unhex(word[8], bytes[3]), strtoul(word[7], NULL, 10));
        fflush(stdout);
    }
    return 0;
}
