/* client_stream.c - server-sent events from the controller, see client.h. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "ctl/catalog/model.h"
#include "ctl/client.h"

struct listening {
    CURL      *curl;
    struct buf bytes;
    bool     (*heard)(void *context, const char *event, json_t *data);
    void      *context;
    bool       enough; /* `heard` has said so */
};

/* One event: lines up to an empty one, which is not among them. */
static void
understand(struct listening *l, char *block)
{
    char    event[32] = "message", *state = NULL;
    json_t *data = NULL;

    for (char *line = strtok_r(block, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (strncmp(line, "event: ", 7) == 0)
            snprintf(event, sizeof(event), "%s", line + 7);
        else if (strncmp(line, "data: ", 6) == 0 && !data)
            data = json_loads(line + 6, JSON_ALLOW_NUL, NULL);
    }
    if (data && !l->enough)
        l->enough = !l->heard(l->context, event, data);
    json_decref(data);
}

static size_t
take(char *bytes, size_t size, size_t n, void *context)
{
    struct listening *l      = context;
    long              status = 0;
    const char       *end;

    buf_append(&l->bytes, bytes, size * n);
    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) /* an error, to be read as a whole */
        return size * n;
    while (!l->enough && (end = strstr(buf_cstr(&l->bytes), "\n\n"))) {
        size_t len   = (size_t)(end - buf_cstr(&l->bytes));
        char  *block = (char *)l->bytes.bytes + l->bytes.start;

        block[len] = '\0';
        understand(l, block);
        buf_consume(&l->bytes, len + 2);
    }
    return l->enough ? 0 : size * n; /* 0 ends it */
}

/* Returns false with `err` when it is not an answer to listen to. */
static bool
judge(const struct cluster_paths *paths, struct listening *l, CURLcode rc, struct err *err)
{
    long    status = 0;
    json_t *answer;

    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    if (l->enough || status == 204 || (status == 200 && rc != CURLE_COULDNT_CONNECT))
        return true;
    if (rc != CURLE_OK)
        return err_set(err, "no controller answers on %s; is it running? Start it with "
                       "'shardctl up --home %s'", paths->socket, paths->home);
    answer = json_loads(buf_cstr(&l->bytes), 0, NULL);
    err_set(err, "%s", answer ? model_text(json_object_get(answer, "error"), "message")
                              : "the controller's answer cannot be understood");
    json_decref(answer);
    return false;
}

bool
client_listen(const struct cluster_paths *paths, const char *path,
              bool (*heard)(void *context, const char *event, json_t *data), void *context,
              struct err *err)
{
    struct listening l = { .curl = curl_easy_init(), .heard = heard, .context = context };
    char             url[2048];
    CURLcode         rc;
    bool             ok;

    snprintf(url, sizeof(url), "http://controller%s", path);
    curl_easy_setopt(l.curl, CURLOPT_URL, url);
    curl_easy_setopt(l.curl, CURLOPT_UNIX_SOCKET_PATH, paths->socket);
    curl_easy_setopt(l.curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(l.curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(l.curl, CURLOPT_WRITEDATA, &l);
    curl_easy_setopt(l.curl, CURLOPT_NOSIGNAL, 1L);
    rc = curl_easy_perform(l.curl);
    ok = judge(paths, &l, rc, err);
    curl_easy_cleanup(l.curl);
    buf_fini(&l.bytes);
    return ok;
}
