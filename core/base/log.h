/* log.h - one line per event, for people on a terminal or for journald.
 *
 *   2026-01-31 12:00:00.123 worker 1  info  listening on 127.0.0.1:7306
 *   {"time":"...","process":"worker 1","level":"info","message":"..."}
 *   MESSAGE=worker 1: listening on ..., PRIORITY=6, PROCESS=worker 1     (the journal)
 *
 * What a line is about is in fields of their own in JSON and in the journal, where
 * `journalctl SHARD=shard-2` finds it:
 *   the request and the job that the thread works on       REQUEST_ID, JOB: log_about()
 *   the subject of the sentence                            SHARD, REPLICA, ENGINE, WORKER, ...
 * A subject stands at the beginning, as a noun and a name: "shard s1: ...", "worker 2 (process
 * 17) was ended ...", "job 12, from shard s1: ...", "scaler: decision 3: ...".
 *
 * Where the format is the journal's and stderr is not the journal, lines go to stderr with their
 * level as a number ("<6>worker 1: ..."), as systemd-cat and the like take them.
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

/* Whether stderr is what systemd gave us for the journal: $JOURNAL_STREAM, systemd.exec(5). */
bool log_is_journal(void) must_check;

enum log_about { LOG_REQUEST, LOG_JOB, LOG_ABOUT_N };

enum { LOG_NAME_MAX = 64 };

/* This thread works on this request, or this job, from now on; NULL: on none. `id` is copied and
 * cut. */
void log_about(enum log_about what, const char *id);

void log_error(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_debug(const char *fmt, ...) printf_like(1, 2);

#endif
