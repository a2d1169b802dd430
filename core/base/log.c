/* log.c - see log.h. */
#include "core/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/base/json.h"

static struct {
    char            process[32];
    enum log_level  level;
    enum log_format format;
} config = { "shardd", LOG_LEVEL_INFO, LOG_HUMAN };

/* Of the request that this thread works on; "": of none. */
static _Thread_local char request[LOG_REQUEST_MAX + 1];

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int         syslog_levels[] = { 3, 4, 6, 7 };

void
log_init(const char *process, enum log_level level, enum log_format format)
{
    snprintf(config.process, sizeof(config.process), "%s", process);
    config.level  = level;
    config.format = format;
}

void
log_request(const char *id)
{
    snprintf(request, sizeof(request), "%s", id ? id : "");
}

static void
format_line(struct buf *line, enum log_level level, char *text)
{
    struct timespec now;
    struct tm       tm;
    char            stamp[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);

    if (config.format == LOG_JSON) {
        buf_printf(line, "{\"time\":\"%s.%03ldZ\",\"process\":\"%s\","
                   "\"level\":\"%s\",\"message\":", stamp,
                   now.tv_nsec / 1000000, config.process, level_names[level]);
        json_text(line, span_of(text));
        if (request[0]) {
            buf_append_text(line, ",\"request\":");
            json_text(line, span_of(request));
        }
        buf_append_text(line, "}\n");
        return;
    }
    for (char *p = text; *p != 0; p++) /* one event, one line */
        if (*p == '\n')
            *p = ' ';
    if (config.format == LOG_JOURNAL)
        buf_printf(line, "<%d>%s: %s%s%s\n", syslog_levels[level], config.process,
                   text, request[0] ? " request=" : "", request);
    else
        buf_printf(line, "%s.%03ld %-10s %-5s %s%s%s\n", stamp,
                   now.tv_nsec / 1000000, config.process, level_names[level],
                   text, request[0] ? " request=" : "", request);
}

static void
write_line(enum log_level level, const char *fmt, va_list args)
{
    char       text[1024];
    struct buf line = { 0 };

    if (level > config.level)
        return;
    vsnprintf(text, sizeof(text), fmt, args);
    format_line(&line, level, text);
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
