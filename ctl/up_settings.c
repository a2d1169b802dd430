/* up_settings.c - see up_settings.h. */
#include "ctl/up_settings.h"

#include "core/conf/conf.h"
#include "ctl/catalog/model.h"

/* NULL: it was not said. */
static const char *
said(const json_t *settings, const char *key)
{
    const char *text = model_text(settings, key);

    return text[0] ? text : NULL;
}

static bool
remember(struct cluster *c, const char *key, const json_t *settings, struct err *err)
{
    struct catalog_change *change = catalog_begin(c->catalog, "shardctl");
    json_t                *meta   = catalog_read(change, CATALOG_META, "cluster", NULL);

    json_object_set(meta, key, (json_t *)(uintptr_t)settings);
    catalog_put(change, CATALOG_META, "cluster", meta, CATALOG_ANY);
    json_decref(meta);
    return catalog_commit(change, err) == 0;
}

/* --- the API ------------------------------------------------------------------------- */

struct api *
up_open_api(struct cluster *c, const json_t *given, struct err *err)
{
    json_t       *meta     = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    const json_t *settings = json_object_size(given) > 0 ? given : json_object_get(meta, "api");
    struct api   *api;

    struct api_options options = {
        .socket = c->path.socket,
        .listen = said(settings, "listen"),
        .cert = said(settings, "cert"),
        .key = said(settings, "key"),
        .plain = said(settings, "plain") != NULL,
        .group = said(settings, "group"),
        .group_role = said(settings, "role"),
    };
    api = api_open(c, &options, err);
    if (api && settings == given && !json_equal(given, json_object_get(meta, "api")) &&
        !remember(c, "api", given, err)) {
        api_close(api);
        api = NULL;
    }
    json_decref(meta);
    return api;
}

/* --- the log ------------------------------------------------------------------------- */

static enum log_level
level_of(const char *word)
{
    static const char *const words[] = { "error", "warn", "info", "debug" };

    for (size_t i = 0; i < countof(words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

static enum log_format
format_of(const char *word)
{
    static const struct {
        const char          *word;
        enum conf_log_format format;
    } words[] = {
        { "auto", CONF_LOG_AUTO }, { "text", CONF_LOG_HUMAN }, { "human", CONF_LOG_HUMAN },
        { "json", CONF_LOG_JSON }, { "journal", CONF_LOG_JOURNAL },
    };
    struct conf conf = { .log_format = CONF_LOG_AUTO };

    for (size_t i = 0; i < countof(words); i++)
        if (strcmp(words[i].word, word) == 0)
            conf.log_format = words[i].format;
    return conf_log_format(&conf);
}

void
up_begin_log(const json_t *given)
{
    log_init("shardctl", level_of(model_text(given, "log_level")),
             format_of(model_text(given, "log_format")));
}

bool
up_settle_log(struct cluster *c, const json_t *given, struct err *err)
{
    json_t *meta = catalog_get(c->catalog, CATALOG_META, "cluster", NULL);
    json_t *old  = json_object_get(meta, "log"), *now = old ? json_copy(old) : json_object();
    bool    ok   = true;

    json_object_update(now, (json_t *)(uintptr_t)given);
    if (!json_equal(now, old) && json_object_size(now) > 0)
        ok = remember(c, "log", now, err);
    up_begin_log(now);
    json_decref(now);
    json_decref(meta);
    return ok;
}
