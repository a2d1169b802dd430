/* docker_text.c - what is said to the Engine API, and what is made of its words. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/catalog/user.h"
#include "ctl/provision/docker.h"

void
docker_image(const char *image, char name[256], char tag[128])
{
    const char *digest = strchr(image, '@'), *slash = strrchr(image, '/');
    const char *colon  = digest ? digest : strrchr(slash ? slash : image, ':');

    snprintf(name, 256, "%.*s", colon ? (int)(colon - image) : 255, image);
    snprintf(tag, 128, "%s", colon ? colon + 1 : "latest");
}

void
docker_quote(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-_.~", c))
            buf_append_byte(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* --- logs -------------------------------------------------------------------------- */

/* A frame is the stream's number, three zeroes, and the length in 4 bytes, big end first. A
 * container with a terminal has none. */
enum { FRAME_HEADER = 8 };

static bool
is_frame(struct span at)
{
    return at.len >= FRAME_HEADER && at.ptr[0] <= 2 && at.ptr[1] == 0 && at.ptr[2] == 0 &&
           at.ptr[3] == 0;
}

void
docker_logs(struct span frames, struct buf *out)
{
    while (is_frame(frames)) {
        size_t len = (size_t)frames.ptr[4] << 24 | (size_t)frames.ptr[5] << 16 |
                     (size_t)frames.ptr[6] << 8 | frames.ptr[7];

        frames.ptr += FRAME_HEADER;
        frames.len -= FRAME_HEADER;
        len = len < frames.len ? len : frames.len;
        buf_append(out, frames.ptr, len);
        frames.ptr += len;
        frames.len -= len;
    }
    buf_append_span(out, frames);
}

/* --- the container ------------------------------------------------------------------ */

/* "name=value" lines as options of mariadbd. log_warnings: the health check has no account, and
 * each look would be a line. */
static json_t *
command(const char *settings)
{
    json_t *list = json_pack("[s, s]", "mariadbd", "--log-warnings=1");
    char    option[512];

    while (*settings) {
        size_t len = strcspn(settings, "\n");

        snprintf(option, sizeof(option), "--%.*s", (int)len, settings);
        json_array_append_new(list, json_string(option));
        settings += len + (settings[len] == '\n');
    }
    return list;
}

static json_t *
labels(const json_t *shard, const char *uuid, const char *instance)
{
    char number[24];

    snprintf(number, sizeof(number), "%lld", (long long)model_number(shard, "id"));
    return json_pack("{s:s, s:s, s:s, s:s}", DOCKER_CLUSTER, uuid, DOCKER_INSTANCE, instance,
                     DOCKER_SHARD, number, DOCKER_NAME, model_text(shard, "name"));
}

/* The secret itself is not told: whoever may inspect containers sees their environment. */
static json_t *
environment(const json_t *shard)
{
    char verifier[USER_VERIFIER_LEN + 1], hash[USER_VERIFIER_LEN + 64];
    int  n;

    user_verifier(AUTH_NATIVE, model_text(shard, "secret"), verifier);
    n = snprintf(hash, sizeof(hash), "MARIADB_ROOT_PASSWORD_HASH=*%s", verifier);
    for (int i = (int)strlen("MARIADB_ROOT_PASSWORD_HASH=*"); i < n; i++)
        hash[i] = (char)toupper((unsigned char)hash[i]);
    return json_pack("[s, s]", hash, "MARIADB_ROOT_HOST=%");
}

/* A server that refuses the account is there: that is health enough. */
static json_t *
healthcheck(const char *port)
{
    const int64_t second = 1000000000;

    return json_pack("{s:[s, s, s, s, s, s, s, s], s:I, s:I, s:I, s:i}", "Test", "CMD",
                     "mariadb-admin", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", port,
                     "--connect-timeout=5", "ping", "Interval", (json_int_t)(10 * second),
                     "Timeout", (json_int_t)(10 * second), "StartPeriod",
                     (json_int_t)(300 * second), "Retries", 3);
}

static json_t *
host_config(const json_t *shard, const json_t *labelled, const char *network, const char *port)
{
    const char *volume = model_text(shard, "container");
    json_t     *host   = json_pack(
        "{s:s, s:I, s:I, s:{s:s}, s:[s], s:[{s:s, s:s, s:s, s:{s:O}}]}", "NetworkMode", network,
        "Memory", (json_int_t)model_number(shard, "memory_bytes"), "NanoCpus",
        (json_int_t)(model_number(shard, "milli_cpus") * 1000000), "RestartPolicy", "Name",
        "unless-stopped", "SecurityOpt", "no-new-privileges", "Mounts", "Type", "volume",
        "Source", volume, "Target", "/var/lib/mysql", "VolumeOptions", "Labels",
        (json_t *)(uintptr_t)labelled);

    if (strcmp(network, "host") != 0)
        json_object_set_new(host, "PortBindings",
                            json_pack("{s:[{s:s, s:s}]}", "3306/tcp", "HostIp", "127.0.0.1",
                                      "HostPort", port));
    return host;
}

json_t *
docker_container(const json_t *shard, const char *uuid, const char *instance,
                 const char *settings, const char *image, const char *network)
{
    bool    host = strcmp(network, "host") == 0;
    char    port[24], option[32];
    json_t *labelled = labels(shard, uuid, instance), *body;

    snprintf(port, sizeof(port), "%lld", (long long)model_number(shard, "port"));
    snprintf(option, sizeof(option), "--port=%s", host ? port : "3306");
    body = json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:o}", "Image", image, "Cmd",
                     command(settings), "Env", environment(shard), "Labels", labelled,
                     "Healthcheck", healthcheck(option), "StopTimeout", 120, "HostConfig",
                     host_config(shard, labelled, network, port));
    if (!host)
        json_object_set_new(body, "ExposedPorts", json_pack("{s:{}}", "3306/tcp"));
    return body;
}
