/* fuzz_proxy.c - a PROXY header lies within its bytes, and what begins one goes on being one.
 *
 * What is a header stays the same one whatever follows; no shorter piece of it is one, and
 * none is anything but a possible beginning. */
#include <stdlib.h>

#include "core/io/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static enum proxy_result
parse(const uint8_t *data, size_t len, struct proxy_header *out)
{
    uint8_t *copy = malloc(len + (len == 0));

    memcpy(copy, data, len);
    enum proxy_result result = proxy_parse((struct span){ copy, len }, out);
    free(copy);
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h = { 0 }, again = { 0 };
    char                text[SOCK_NAME_BYTES];

    if (parse(data, size, &h) != PROXY_OK)
        return 0;
    check(h.used <= size && h.used >= 14);
    check(strlen(sock_name(&h.client, text)) < SOCK_NAME_BYTES);
    check(strlen(sock_host(&h.client, text)) < SOCK_NAME_BYTES);
    check(parse(data, h.used, &again) == PROXY_OK && again.used == h.used);
    for (size_t n = 0; n < h.used; n += 1 + n / 64)
        check(parse(data, n, &again) == PROXY_PARTIAL);
    return 0;
}
