/* web.c - see web.h. The files come into the program through the assembler. */
#include <stdio.h>

#include <xxhash.h>

#include "ctl/api/web.h"

#define EMBED(name, file) \
    __asm__(".pushsection .rodata\n" \
            "web_" #name ": .incbin \"build/web/" file "\"\n" \
            "web_" #name "_end: .byte 0\n" \
            ".popsection\n"); \
    extern const uint8_t web_##name[], web_##name##_end[]

EMBED(index, "index.html");
EMBED(script, "app.js");
EMBED(style, "app.css");
EMBED(icon, "icon.svg");

/* A browser runs our scripts and asks us, and nobody else. uPlot places its lines by styles. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct {
    const char    *path, *type;
    const uint8_t *from, *to;
} files[] = {
    { "/",         "text/html; charset=utf-8",       web_index,  web_index_end },
    { "/app.js",   "text/javascript; charset=utf-8", web_script, web_script_end },
    { "/app.css",  "text/css; charset=utf-8",        web_style,  web_style_end },
    { "/icon.svg", "image/svg+xml",                  web_icon,   web_icon_end },
};

bool
web_find(const char *path, struct web_file *out)
{
    for (size_t i = 0; i < countof(files); i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        out->type  = files[i].type;
        out->bytes = (struct span){ files[i].from, (size_t)(files[i].to - files[i].from) };
        snprintf(out->etag, sizeof(out->etag), "\"%016llx\"",
                 (unsigned long long)XXH3_64bits(out->bytes.ptr, out->bytes.len));
        return true;
    }
    return false;
}

static const struct {
    const char *name, *value;
} headers[] = {
    { "Cache-Control",           "no-cache" },
    { "Content-Security-Policy", policy },
    { "Referrer-Policy",         "no-referrer" },
    { "X-Content-Type-Options",  "nosniff" },
};

bool
web_answer(struct MHD_Connection *connection, const char *method, const char *url,
           enum MHD_Result *result)
{
    const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    struct MHD_Response *response;
    struct web_file      file;
    bool                 same;

    if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) || !web_find(url, &file))
        return false;
    same     = known && strcmp(known, file.etag) == 0;
    response = MHD_create_response_from_buffer(same ? 0 : file.bytes.len,
                                               (void *)(uintptr_t)file.bytes.ptr,
                                               MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", file.type);
    MHD_add_response_header(response, "ETag", file.etag);
    for (size_t i = 0; i < countof(headers); i++)
        MHD_add_response_header(response, headers[i].name, headers[i].value);
    *result = MHD_queue_response(connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return true;
}
