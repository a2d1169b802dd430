/* keyhash_cli.c - the key hash for test_keyhash.py: one question a line.
 *
 *   stored|compare|row TYPE UNSIGNED AUTO COLLATION LENGTH SCALE KIND VALUE_COLLATION HEX
 *   fold COLLATION HEX(utf8)
 *
 * TYPE and KIND are the enums' numbers. Answers: hash N, any, none, auto,
 * undecided, bad; or the weights in hexadecimal.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/route/collation.h"
#include "core/route/keyhash.h"

static size_t
unhex(const char *text, uint8_t *out)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = { text[2 * i], text[2 * i + 1], 0 };
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void
fold(unsigned id, struct span bytes)
{
    const struct collation *c = collation_find((uint16_t)id);
    uint16_t weights[FOLD_WEIGHTS_MAX];
    uint32_t cp;
    size_t   used;

    while (bytes.len > 0 && charset_next(CHARSET_UTF8MB4, bytes, &cp, &used)) {
        size_t n = fold_weights(c->fold, cp, weights);
        for (size_t i = 0; i < n; i++)
            printf("%04X", weights[i]);
        bytes = span_from(bytes, used);
    }
    puts("");
}

static void
answer(enum key_result result, uint64_t hash)
{
    static const char *const words[] = {
        [KEY_ANY] = "any", [KEY_NONE] = "none", [KEY_AUTO] = "auto",
        [KEY_UNDECIDED] = "undecided",
    };

    if (result == KEY_HASH)
        printf("hash %llu\n", (unsigned long long)hash);
    else
        puts(words[result]);
}

int
main(void)
{
    static char    line[1 << 20], hex[1 << 20];
    static uint8_t bytes[1 << 19];

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char     question[16];
        unsigned type, is_unsigned, automatic, collation, length, scale, kind, from;

        hex[0] = 0;
        if (sscanf(line, "fold %u %s", &collation, hex) >= 1) {
            fold(collation, (struct span){ bytes, unhex(hex, bytes) });
            continue;
        }
        if (sscanf(line, "%15s %u %u %u %u %u %u %u %u %s", question, &type, &is_unsigned,
                   &automatic, &collation, &length, &scale, &kind, &from, hex) < 9)
            return 2;
        struct route_column c = {
            .name = SPAN("k"), .type = (enum column_type)type, .is_unsigned = is_unsigned != 0,
            .nullable = true, .auto_increment = automatic != 0,
            .collation = (uint16_t)collation, .length = length, .scale = (uint8_t)scale,
        };
        struct key_value v = { .kind = (enum key_value_kind)kind,
                               .bytes = { bytes, unhex(hex, bytes) },
                               .collation = (uint16_t)from };
        struct err err;
        uint64_t   hash = 0;
        if (!keyhash_column_supported(&c, &err)) {
            puts("bad");
        } else if (strcmp(question, "row") == 0) {
            bool good = keyhash_row(&c, v.bytes, v.collation, &hash);
            answer(good ? KEY_HASH : KEY_UNDECIDED, hash);
        } else {
            enum key_result result = strcmp(question, "stored") == 0
                                         ? keyhash_stored(&c, &v, true, &hash)
                                         : keyhash_compare(&c, &v, &hash);
            answer(result, hash);
        }
    }
    return 0;
}
