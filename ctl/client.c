/* client.c - libcurl over a Unix socket. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/client.h"

static size_t
take(char *bytes, size_t size, size_t n, void *context)
{
    buf_append(context, bytes, size * n);
    return size * n;
}

static json_t *
understand(const struct cluster_paths *paths, CURLcode rc, long status, struct buf *bytes,
           unsigned *code, struct err *err)
{
    json_t *answer, *error;

    if (rc == CURLE_COULDNT_CONNECT) {
        err_set(err, "no controller answers on %s; is it running? Start it with "
                     "'shardctl up --home %s'", paths->socket, paths->home);
        return NULL;
    }
    if (rc != CURLE_OK) {
        err_set(err, "the controller on %s broke off: %s", paths->socket,
                curl_easy_strerror(rc));
        return NULL;
    }
    answer = json_loadb((const char *)bytes->bytes + bytes->start, buf_len(bytes), 0, NULL);
    if (status / 100 == 2 && answer)
        return answer;
    error = json_object_get(answer, "error");
    if (code)
        *code = (unsigned)model_number(error, "code");
    err_set(err, "%s", error ? model_text(error, "message")
                             : "the controller's answer cannot be understood");
    json_decref(answer);
    return NULL;
}

json_t *
client_call(const struct cluster_paths *paths, const char *method, const char *path,
            const json_t *body, unsigned *code, struct err *err)
{
    CURL       *curl = curl_easy_init();
    struct buf  bytes = { 0 };
    char       *text  = body ? json_dumps(body, JSON_COMPACT) : mem_strdup("");
    char        url[2048];
    long        status = 0;
    CURLcode    rc;
    json_t     *answer;

    if (code)
        *code = 0;
    snprintf(url, sizeof(url), "http://controller%s", path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, paths->socket);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &bytes);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    answer = understand(paths, rc, status, &bytes, code, err);
    buf_fini(&bytes);
    free(text);
    return answer;
}

char *
client_path(const char *prefix, const char *name)
{
    return client_path_to(prefix, name, "");
}

char *
client_path_to(const char *prefix, const char *name, const char *rest)
{
    struct buf out = { 0 };
    char      *path;

    buf_append_text(&out, prefix);
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_')
            buf_append_byte(&out, c);
        else
            buf_printf(&out, "%%%02X", (unsigned)c);
    }
    buf_append_text(&out, rest);
    path = mem_strdup(buf_cstr(&out));
    buf_fini(&out);
    return path;
}
