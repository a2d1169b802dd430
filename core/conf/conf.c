/* conf.c - a settings file to struct conf, and one struct conf to the next. */
#include "core/conf/conf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/conf/conf_table.h"

/* Longer than any sensible file; keeps a wrong path from being read for ever. */
#define FILE_BYTES_MAX (1 << 20)

#define NAME_CHARACTERS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*"

void
conf_defaults(struct conf *conf)
{
    struct err err;

    memset(conf, 0, sizeof(*conf));
    for (size_t i = 0; i < conf_n_settings; i++) {
        bool ok = conf_parse(&conf_settings[i], conf_settings[i].initial, conf, &err);
        assert(ok);
        (void)ok;
    }
}

/* --- addresses ---------------------------------------------------------- */

static bool
parse_port(const char *text, uint16_t *port)
{
    char         *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != 0 || value == 0 || value > UINT16_MAX)
        return false;
    *port = htons((uint16_t)value);
    return true;
}

bool
conf_sockaddr(const char *text, struct sockaddr_storage *addr, socklen_t *len)
{
    char                 host[64];
    const char          *colon = strrchr(text, ':');
    struct sockaddr_in  *in4   = (struct sockaddr_in *)addr;
    struct sockaddr_in6 *in6   = (struct sockaddr_in6 *)addr;
    struct sockaddr_un  *un    = (struct sockaddr_un *)addr;

    memset(addr, 0, sizeof(*addr));
    if (*text == '/') {
        un->sun_family = AF_UNIX;
        *len           = sizeof(*un);
        if (strlen(text) >= sizeof(un->sun_path))
            return false;
        memcpy(un->sun_path, text, strlen(text));
        return true;
    }
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (host[0] == '[' && colon[-1] == ']') {
        host[colon - text - 1] = 0;
        in6->sin6_family       = AF_INET6;
        *len                   = sizeof(*in6);
        return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 &&
               parse_port(colon + 1, &in6->sin6_port);
    }
    in4->sin_family = AF_INET;
    *len            = sizeof(*in4);
    return inet_pton(AF_INET, host, &in4->sin_addr) == 1 && parse_port(colon + 1, &in4->sin_port);
}

/* --- mistakes ----------------------------------------------------------- */

static void mistake(struct conf_mistakes *m, const char *file, unsigned line, const char *fmt, ...)
    printf_like(4, 5);

static void
mistake(struct conf_mistakes *m, const char *file, unsigned line, const char *fmt, ...)
{
    char    text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (line != 0)
        buf_printf(&m->lines, "%s:%u: %s\n", file, line, text);
    else
        buf_printf(&m->lines, "%s: %s\n", file, text);
    m->n++;
}

/* Insertions, deletions and replacements between two names (Levenshtein). */
static unsigned
distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t   n = strlen(b);

    if (n >= countof(row))
        return UINT32_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != 0; i++) {
        unsigned diagonal = row[0];
        row[0]            = i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal      = row[j];
            best          = row[j] + 1 < best ? row[j] + 1 : best;
            best          = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j]        = best;
        }
    }
    return row[n];
}

static const char *
nearest(const char *name)
{
    const char *found = NULL;
    unsigned    least = (unsigned)strlen(name) / 2 + 1;

    for (size_t i = 0; i < conf_n_settings; i++) {
        unsigned d = distance(name, conf_settings[i].name);
        if (d < least) {
            least = d;
            found = conf_settings[i].name;
        }
    }
    return found;
}

/* --- the file ------------------------------------------------------------- */

static const struct conf_setting *
find(const char *name)
{
    for (size_t i = 0; i < conf_n_settings; i++)
        if (strcmp(conf_settings[i].name, name) == 0)
            return &conf_settings[i];
    return NULL;
}

/* libconfig's value as text. False when it is of a kind that `s` cannot be. */
static bool
value_text(const config_setting_t *value, const struct conf_setting *s, struct buf *out)
{
    bool is_word = s->type != CONF_BOOL && s->type != CONF_INT;

    switch (config_setting_type(value)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        buf_printf(out, "%lld", config_setting_get_int64(value));
        return s->type == CONF_INT;
    case CONFIG_TYPE_BOOL:
        buf_append_text(out, config_setting_get_bool(value) ? "true" : "false");
        return s->type == CONF_BOOL;
    case CONFIG_TYPE_STRING: /* sizes may be written "64M" */
        buf_append_text(out, config_setting_get_string(value));
        return is_word || (s->type == CONF_INT && strcmp(s->unit, "bytes") == 0);
    case CONFIG_TYPE_FLOAT:
        buf_printf(out, "%g", config_setting_get_float(value));
        return false;
    default:
        buf_append_text(out, "(a group or list)");
        return false;
    }
}

static void
take(const char *path, const config_setting_t *value, struct conf *conf, struct conf_mistakes *m)
{
    const char                *name = config_setting_name(value);
    const char                *file = config_setting_source_file(value);
    unsigned                   line = config_setting_source_line(value);
    const struct conf_setting *s    = find(name);
    struct buf                 text = { 0 }, allowed = { 0 };
    struct err                 err;

    file = file != NULL ? file : path;
    if (s == NULL) {
        const char *near = nearest(name);
        mistake(m, file, line, "%s: there is no such setting%s%s%s", name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return;
    }
    conf_allowed(s, &allowed);
    if (!value_text(value, s, &text))
        mistake(m, file, line, "%s: %s%s%s is not %s", name,
                config_setting_type(value) == CONFIG_TYPE_STRING ? "\"" : "", buf_cstr(&text),
                config_setting_type(value) == CONFIG_TYPE_STRING ? "\"" : "", buf_cstr(&allowed));
    else if (!conf_parse(s, buf_cstr(&text), conf, &err))
        mistake(m, file, line, "%s: %s", name, err.text);
    buf_fini(&text);
    buf_fini(&allowed);
}

static void
check_tls(const char *path, const config_t *file, const struct conf *conf,
          struct conf_mistakes *m)
{
    const struct {
        const char *name, *needs;
        bool        is_set, has;
    } rules[] = {
        { "tls_cert", "tls_key", conf->tls_cert[0] != 0, conf->tls_key[0] != 0 },
        { "tls_key", "tls_cert", conf->tls_key[0] != 0, conf->tls_cert[0] != 0 },
        { "tls_ca", "tls_cert", conf->tls_ca[0] != 0, conf->tls_cert[0] != 0 },
        { "tls_require_client_cert", "tls_ca", conf->tls_require_client_cert,
          conf->tls_ca[0] != 0 },
        { "server_tls_ca", "server_tls", conf->server_tls_ca[0] != 0,
          conf->server_tls != SERVER_TLS_OFF },
    };

    for (size_t i = 0; i < countof(rules); i++)
        if (rules[i].is_set && !rules[i].has)
            mistake(m, path, config_setting_source_line(config_lookup(file, rules[i].name)),
                    "%s: it needs %s, which is not set", rules[i].name, rules[i].needs);
}

/* What one row of the table cannot say. */
static void
check_together(const char *path, const config_t *file, const struct conf *conf,
               struct conf_mistakes *m)
{
    const struct {
        const char *name;
        uint32_t    value;
    } powers[] = { { "ring_entries", conf->ring_entries }, { "recv_buffers", conf->recv_buffers } };

    for (size_t i = 0; i < countof(powers); i++) {
        const config_setting_t *at = config_lookup(file, powers[i].name);
        if (at != NULL && (powers[i].value & (powers[i].value - 1)) != 0)
            mistake(m, path, config_setting_source_line(at), "%s: %u is not a power of two",
                    powers[i].name, powers[i].value);
    }
    if (conf->pool_min_idle > conf->pool_max) {
        const config_setting_t *at = config_lookup(file, "pool_min_idle");
        if (at == NULL)
            at = config_lookup(file, "pool_max");
        mistake(m, path, config_setting_source_line(at),
                "pool_min_idle: %u is more than pool_max, which is %u", conf->pool_min_idle,
                conf->pool_max);
    }
    check_tls(path, file, conf, m);
    if (conf->socket[0] != 0 && strcmp(conf->socket, conf->listen) == 0)
        mistake(m, path, config_setting_source_line(config_lookup(file, "socket")),
                "socket: \"%s\" is what listen is already", conf->socket);
    if (conf->http[0] != 0 && strcmp(conf->http, conf->listen) == 0) {
        const config_setting_t *at = config_lookup(file, "http");
        if (at == NULL)
            at = config_lookup(file, "listen");
        mistake(m, path, config_setting_source_line(at), "http: \"%s\" is what listen is already",
                conf->http);
    }
}

/* The whole file with a NUL behind it, for free(); NULL with errno set. Not by
 * libconfig, whose scanner exits the program when it is given a directory. */
static char *
read_file(const char *path)
{
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char       *text = NULL;
    size_t      len  = 0;
    ssize_t     n    = -1;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else {
        text = mem_alloc(FILE_BYTES_MAX + 1);
        while (len < FILE_BYTES_MAX && (n = read(fd, text + len, FILE_BYTES_MAX - len)) > 0)
            len += (size_t)n;
        if (n > 0)
            errno = EFBIG;
    }
    if (n != 0) {
        int saved = errno;
        free(text);
        text  = NULL;
        errno = saved;
    }
    close(fd);
    return text;
}

/* The end of the string or comment that begins at `p`, else `p`. */
static const char *
skip_text(const char *p)
{
    const char *end;

    if (*p == '"') {
        for (p++; *p != 0 && *p != '"'; p++)
            p += p[0] == '\\' && p[1] != 0;
        return *p != 0 ? p + 1 : p;
    }
    if (*p == '#' || strncmp(p, "//", 2) == 0)
        return p + strcspn(p, "\n");
    if (strncmp(p, "/*", 2) != 0)
        return p;
    end = strstr(p + 2, "*/");
    return end != NULL ? end + 2 : p + strlen(p);
}

/* Whether the string or comment from `p` to the end of the file is never closed. */
static bool
is_open(const char *p)
{
    const char *end = skip_text(p);

    if (*p == '"')
        return end == p + 1 || end[-1] != '"' || end[-2] == '\\';
    return strncmp(p, "/*", 2) == 0 && (end < p + 4 || strncmp(end - 2, "*/", 2) != 0);
}

/* libconfig 1.5 silently takes 5000000000 for 705032704, without an L behind it, and a
 * string or comment that is never closed for the end of the file. */
static void
find_what_is_skipped(const char *path, const char *text, struct conf_mistakes *m)
{
    const char *p = text, *next;
    unsigned    line = 1;

    for (; *p != 0; p = next) {
        next = skip_text(p);
        if (*next == 0 && is_open(p))
            mistake(m, path, line, "%s is never closed", *p == '"' ? "a string" : "a comment");
        if (next == p && isdigit((unsigned char)*p)) {
            char *end;
            if (strtoull(p, &end, 0) > INT32_MAX && *end != 'L' && *end != '.')
                mistake(m, path, line, "%.*s is too large for a number; write it in quotes",
                        (int)(end - p), p);
            next = end;
        } else if (next == p)
            next += 1 + (isalpha((unsigned char)*p) ? strspn(p + 1, NAME_CHARACTERS) : 0);
        for (; p < next; p++)
            line += *p == '\n';
    }
}

static void
load_settings(const char *path, const config_t *file, struct conf *conf, struct conf_mistakes *m)
{
    const config_setting_t *root = config_root_setting(file);

    for (int i = 0; i < config_setting_length(root); i++)
        take(path, config_setting_get_elem(root, (unsigned)i), conf, m);
    if (m->n == 0)
        check_together(path, file, conf, m);
}

static const char *
line_of(const char *text, unsigned line)
{
    for (; line > 1 && *text; line--)
        text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n');
    return text;
}

static void
load_text(const char *path, const char *text, struct conf *conf, struct conf_mistakes *m)
{
    config_t file;

    config_init(&file);
    if (config_read_string(&file, text)) {
        find_what_is_skipped(path, text, m);
        load_settings(path, &file, conf, m);
    } else {
        const char *included = config_error_file(&file);
        unsigned    line     = (unsigned)config_error_line(&file);
        const char *at       = included ? "" : line_of(text, line);

        mistake(m, included ? included : path, line, "%s%s%.*s", config_error_text(&file),
                *at ? ": " : "", (int)strcspn(at, "\r\n"), at);
    }
    config_destroy(&file);
}

bool
conf_load(const char *path, struct conf *conf, struct conf_mistakes *m)
{
    struct conf loaded;
    char       *text;

    conf_defaults(&loaded);
    if (path != NULL) {
        text = read_file(path);
        if (text == NULL) {
            mistake(m, path, 0, "%s", strerror(errno));
            return false;
        }
        load_text(path, text, &loaded, m);
        free(text);
    }
    if (m->n != 0)
        return false;
    *conf = loaded;
    return true;
}

void
conf_reload(struct conf *running, const struct conf *loaded, struct buf *changed,
            struct buf *restart)
{
    for (size_t i = 0; i < conf_n_settings; i++) {
        const struct conf_setting *s   = &conf_settings[i];
        char                      *old = (char *)running + s->offset;
        const char                *new = (const char *)loaded + s->offset;

        if (memcmp(old, new, s->size) == 0)
            continue;
        if (s->when == CONF_RESTART) {
            buf_printf(restart, "%s%s", buf_len(restart) ? ", " : "", s->name);
            continue;
        }
        buf_printf(changed, "%s%s ", buf_len(changed) ? ", " : "", s->name);
        conf_print(s, running, changed);
        buf_append_text(changed, " -> ");
        conf_print(s, loaded, changed);
        memcpy(old, new, s->size);
    }
}

enum log_format
conf_log_format(const struct conf *conf)
{
    switch (conf->log_format) {
    case CONF_LOG_HUMAN:
        return LOG_HUMAN;
    case CONF_LOG_JSON:
        return LOG_JSON;
    case CONF_LOG_JOURNAL:
        return LOG_JOURNAL;
    case CONF_LOG_AUTO:
        break;
    }
    if (log_is_journal())
        return LOG_JOURNAL;
    return isatty(STDERR_FILENO) ? LOG_HUMAN : LOG_JSON;
}
