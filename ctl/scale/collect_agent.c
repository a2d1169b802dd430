/* collect_agent.c - CPU, memory and disk of a server on another machine, by node-exporter there:
 * the shard's `agent` is the address of its metrics. */
#include <stdlib.h>

#include <curl/curl.h>

#include "core/base/buf.h"
#include "core/base/memory.h"
#include "ctl/catalog/model.h"
#include "ctl/scale/collect.h"
#include "ctl/scale/exposition.h"

enum { PAGE_MAX = 8 << 20 };

struct state {
    char   directory[1024]; /* of the server's data; "": not asked yet */
    double idle_s, all_s;   /* at the last look; NAN: none */
};

static size_t
take(char *bytes, size_t size, size_t n, void *context)
{
    struct buf *page = context;

    if (buf_len(page) + size * n > PAGE_MAX)
        return 0;
    buf_append(page, bytes, size * n);
    return size * n;
}

static bool
fetch(const char *url, struct buf *page, struct err *err)
{
    CURL    *curl = curl_easy_init();
    long     status = 0;
    CURLcode rc;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)COLLECT_DEADLINE_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, page);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (rc != CURLE_OK)
        return err_set(err, "%s: %s", url, curl_easy_strerror(rc));
    return status == 200 || err_set(err, "%s answers with status %ld", url, status);
}

static bool
ask_directory(const json_t *shard, struct state *s, struct err *err)
{
    struct server    server = { .answer_s = COLLECT_DEADLINE_S };
    struct sql_error error;

    if (s->directory[0])
        return true;
    bool ok = server_open(&server, shard, &error) &&
              server_value(&server, s->directory, sizeof(s->directory), &error,
                           "SELECT @@GLOBAL.datadir");
    server_close(&server);
    return ok || err_set(err, "%s", error.message);
}

static void
fill(const struct machine *m, struct state *s, struct shard_load *out)
{
    out->cpu_limit    = m->cpus;
    out->memory_limit = m->memory_total;
    out->memory       = 1 - m->memory_available / m->memory_total;
    out->disk_free    = m->disk_available;
    out->disk_used    = m->disk_size - m->disk_available;
    if (m->cpu_all_s > s->all_s && m->cpu_idle_s >= s->idle_s)
        out->cpu = 1 - (m->cpu_idle_s - s->idle_s) / (m->cpu_all_s - s->all_s);
    s->idle_s = m->cpu_idle_s;
    s->all_s  = m->cpu_all_s;
}

static bool
run(const struct collect_about *about, void **state, struct shard_load *out, struct err *err)
{
    const char    *url  = model_text(about->shard, "agent");
    struct buf     page = { 0 };
    struct state  *s    = *state;
    struct machine m;

    if (!url[0])
        return true;
    if (!s) {
        *state = s = mem_alloc(sizeof(*s));
        s->idle_s = s->all_s = NAN;
    }
    bool ok = ask_directory(about->shard, s, err) && fetch(url, &page, err);
    if (ok) {
        machine_read(buf_unread(&page), s->directory, &m);
        ok = !isnan(m.cpu_all_s) ||
             err_set(err, "%s has no node_cpu_seconds_total: is it node-exporter?", url);
    }
    if (ok)
        fill(&m, s, out);
    buf_fini(&page);
    return ok;
}

const struct collector collect_agent = { "agent", 0, true, run, free };
