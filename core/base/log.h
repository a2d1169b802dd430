/* log.h - one line per event, for people on a terminal or for journald.
 *
 *   2026-01-31 12:00:00.123 worker 1  info  listening on 127.0.0.1:7306
 *   {"time":"...","process":"worker 1","level":"info","message":"..."}
 *   <6>worker 1: listening on ...            (stderr is the journal)
 *
 * Lines of a thread that works on a request name it: "request" in JSON, request=ID elsewhere.
 *
 * Only programs (workers/, ctl/) log; core/ returns what happened instead.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include "core/base/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_HUMAN, LOG_JSON, LOG_JOURNAL };

/* `process` is copied. Call once per process, and again after a fork. */
void log_init(const char *process, enum log_level level, enum log_format format);

enum { LOG_REQUEST_MAX = 64 };

/* This thread works on this request from now on; NULL: on none. `id` is copied. */
void log_request(const char *id);

void log_error(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_debug(const char *fmt, ...) printf_like(1, 2);

#endif
