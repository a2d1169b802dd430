/* log.c - see log.h. */
#include "core/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "core/base/json.h"

enum { TEXT_MAX = 1024, SUBJECTS_MAX = 3, FIELDS_MAX = 5 + LOG_ABOUT_N + SUBJECTS_MAX };

static struct {
    char            process[32];
    enum log_level  level;
    enum log_format format;
    bool            native; /* fields go to the journal itself */
} config = { "shardd", LOG_LEVEL_INFO, LOG_HUMAN, false };

/* What this thread works on; "": nothing. */
static _Thread_local char about[LOG_ABOUT_N][LOG_NAME_MAX + 1];

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int         syslog_levels[] = { 3, 4, 6, 7 };

/* In JSON, and in the journal. */
struct field {
    const char *json, *journal;
    struct span value;
};

static const struct field about_fields[LOG_ABOUT_N] = {
    [LOG_REQUEST] = { .json = "request", .journal = "REQUEST_ID" },
    [LOG_JOB]     = { .json = "job", .journal = "JOB" },
};

/* Nouns that sentences begin with. */
static const struct field subjects[] = {
    { .json = "shard", .journal = "SHARD" },     { .json = "replica", .journal = "REPLICA" },
    { .json = "engine", .journal = "ENGINE" },   { .json = "worker", .journal = "WORKER" },
    { .json = "job", .journal = "JOB" },         { .json = "decision", .journal = "DECISION" },
};

bool
log_is_journal(void)
{
    const char        *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat        st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void
log_init(const char *process, enum log_level level, enum log_format format)
{
    snprintf(config.process, sizeof(config.process), "%s", process);
    config.level  = level;
    config.format = format;
    config.native = format == LOG_JOURNAL && log_is_journal();
}

void
log_about(enum log_about what, const char *id)
{
    snprintf(about[what], sizeof(about[what]), "%s", id ? id : "");
}

/* --- fields ---------------------------------------------------------------------------- */

static size_t
name_length(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

static bool
has(const struct field *fields, size_t n, const char *journal)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].journal, journal) == 0)
            return true;
    return false;
}

/* "shard s1", with what stands behind it; NULL: it is no subject. */
static const char *
take_subject(const char *text, struct field *out)
{
    for (size_t i = 0; i < countof(subjects); i++) {
        size_t len = strlen(subjects[i].json), name;

        if (strncmp(text, subjects[i].json, len) != 0 || text[len] != ' ')
            continue;
        text += len + 1;
        name  = name_length(text);
        if (name == 0 || strchr(" ,:;", text[name]) == NULL) /* the end is one of them as well */
            return NULL;
        *out       = subjects[i];
        out->value = (struct span){ (const uint8_t *)text, name };
        return text + name;
    }
    return NULL;
}

/* Past "move: ", "scaler: " and the like. */
static const char *
past_area(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz");

    return len > 0 && text[len] == ':' && text[len + 1] == ' ' ? text + len + 2 : text;
}

/* What the line is about; how many fields. */
static size_t
find_fields(const char *text, struct field out[LOG_ABOUT_N + SUBJECTS_MAX])
{
    static const char *const between[] = { ", from ", ", on ", ", " };
    size_t                   n = 0;

    for (int i = 0; i < LOG_ABOUT_N; i++) {
        if (!about[i][0])
            continue;
        out[n]         = about_fields[i];
        out[n++].value = span_of(about[i]);
    }
    text = past_area(text);
    for (int i = 0; i < SUBJECTS_MAX && text; i++) {
        const char *rest = take_subject(text, &out[n]);

        if (!rest)
            break;
        n += !has(out, n, out[n].journal);
        text = NULL;
        for (size_t b = 0; b < countof(between) && !text; b++)
            if (strncmp(rest, between[b], strlen(between[b])) == 0)
                text = rest + strlen(between[b]);
    }
    return n;
}

/* --- forms ------------------------------------------------------------------------------ */

static void
stamp_of(char out[40])
{
    struct timespec now;
    struct tm       tm;
    size_t          len;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    len = strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + len, 40 - len, ".%03d", (int)(now.tv_nsec / 1000000));
}

static void
format_json(struct buf *line, enum log_level level, const char *text)
{
    struct field fields[LOG_ABOUT_N + SUBJECTS_MAX];
    size_t       n = find_fields(text, fields);
    char         stamp[40];

    stamp_of(stamp);
    buf_printf(line, "{\"time\":\"%sZ\",\"process\":\"%s\",\"level\":\"%s\",\"message\":", stamp,
               config.process, level_names[level]);
    json_text(line, span_of(text));
    for (size_t i = 0; i < n; i++) {
        buf_printf(line, ",\"%s\":", fields[i].json);
        json_text(line, fields[i].value);
    }
    buf_append_text(line, "}\n");
}

static void
format_text(struct buf *line, enum log_level level, const char *text)
{
    const char *id = about[LOG_REQUEST];
    char        stamp[40];

    stamp_of(stamp);
    if (config.format == LOG_JOURNAL)
        buf_printf(line, "<%d>%s: ", syslog_levels[level], config.process);
    else
        buf_printf(line, "%s %-10s %-5s ", stamp, config.process, level_names[level]);
    buf_printf(line, "%s%s%s\n", text, id[0] ? " request=" : "", id);
}

/* A master and its workers say which of them speaks; a program that is one process does not
 * repeat its name. */
static bool
send_fields(enum log_level level, const char *text)
{
    struct field fields[LOG_ABOUT_N + SUBJECTS_MAX];
    size_t       n     = find_fields(text, fields);
    const char  *whose = strcmp(config.process, program_invocation_short_name) == 0
                             ? "" : config.process;
    char         line[FIELDS_MAX][TEXT_MAX + 64];
    struct iovec iov[FIELDS_MAX];
    size_t       all = 0;

    snprintf(line[all++], sizeof(line[0]), "MESSAGE=%s%s%s", whose, whose[0] ? ": " : "", text);
    snprintf(line[all++], sizeof(line[0]), "PRIORITY=%d", syslog_levels[level]);
    snprintf(line[all++], sizeof(line[0]), "SYSLOG_IDENTIFIER=%s", program_invocation_short_name);
    snprintf(line[all++], sizeof(line[0]), "PROCESS=%s", config.process);
    for (size_t i = 0; i < n; i++)
        snprintf(line[all++], sizeof(line[0]), "%s=%.*s", fields[i].journal,
                 (int)fields[i].value.len, (const char *)fields[i].value.ptr);
    for (size_t i = 0; i < all; i++)
        iov[i] = (struct iovec){ line[i], strlen(line[i]) };
    return sd_journal_sendv(iov, (int)all) == 0;
}

static void
one_line(char *text)
{
    for (; *text != 0; text++)
        if (*text == '\n')
            *text = ' ';
}

static void
write_line(enum log_level level, const char *fmt, va_list args)
{
    char       text[TEXT_MAX];
    struct buf line = { 0 };

    if (level > config.level)
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    if (config.format != LOG_JSON)
        one_line(text);
    if (config.native && send_fields(level, text))
        return;
    if (config.format == LOG_JSON)
        format_json(&line, level, text);
    else
        format_text(&line, level, text);
    /* One write keeps lines of several processes apart. When stderr is gone
     * there is nobody left to tell. */
    if (write(STDERR_FILENO, line.bytes, buf_len(&line)) < 0)
        line.end = line.start;
    buf_fini(&line);
}

#define LOG_FUNCTION(name, level)    \
    void name(const char *fmt, ...)  \
    {                                \
        va_list args;                \
        va_start(args, fmt);         \
        write_line(level, fmt, args); \
        va_end(args);                \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
