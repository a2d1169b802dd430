/* docker_api.c - libcurl over the Engine API's Unix socket. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/provision/docker.h"

enum { CONNECT_MS = 3000, ANSWER_MAX = 16 << 20 };

static size_t
take(char *bytes, size_t size, size_t n, void *context)
{
    struct buf *out = context;

    if (buf_len(out) + size * n > ANSWER_MAX)
        return 0;
    buf_append(out, bytes, size * n);
    return size * n;
}

static bool
no_daemon(const char *socket, CURLcode rc, struct err *err)
{
    if (rc == CURLE_COULDNT_CONNECT)
        return err_set(err, "no Docker daemon answers on %.100s; is it running, and may this user "
                            "(group docker) use it? See --docker-socket", socket);
    return err_set(err, "the Docker daemon on %.100s broke off: %s", socket,
                   curl_easy_strerror(rc));
}

static unsigned
call(const char *socket, const char *method, const char *path, const char *body, int wait_ms,
     struct buf *out, struct err *err)
{
    CURL              *curl    = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char               url[2048];
    long               status = 0;
    CURLcode           rc;

    snprintf(url, sizeof(url), "http://docker%s", path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)wait_ms);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (rc == CURLE_OK && status > 0)
        return (unsigned)status;
    no_daemon(socket, rc, err);
    return 0;
}

unsigned
docker_call(const char *socket, const char *method, const char *path, const json_t *body,
            int wait_ms, json_t **answer, struct err *err)
{
    char      *text   = body ? json_dumps(body, JSON_COMPACT) : mem_strdup("");
    struct buf bytes  = { 0 };
    unsigned   status = call(socket, method, path, text, wait_ms, &bytes, err);

    *answer = json_loadb((const char *)bytes.bytes + bytes.start, buf_len(&bytes),
                         JSON_DISABLE_EOF_CHECK, NULL);
    buf_fini(&bytes);
    free(text);
    return status;
}

unsigned
docker_bytes(const char *socket, const char *path, int wait_ms, struct buf *out, struct err *err)
{
    return call(socket, "GET", path, "", wait_ms, out, err);
}

bool
docker_refused(const char *what, unsigned status, const json_t *answer, struct err *err)
{
    const char *message = model_text(answer, "message");

    if (status == 0)
        return false; /* `err` says it */
    return err_set(err, "the Docker daemon cannot %.80s: %.360s", what,
                   message[0] ? message : "it does not say why");
}
