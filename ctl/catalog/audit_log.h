/* audit_log.h - the audit log as files: what the catalog's outbox has, one JSON object a line.
 *
 *   catalog: outbox --append--> DIR/0000000000000001.jsonl  (named by its first line's number)
 *                      |            ...
 *                      |        DIR/0000000000004711.jsonl  <- grows
 *                      +--fsync, every 2 s--> lines leave the outbox
 *
 * A line is in the outbox with the change it tells of or not at all, and stays there until it is
 * safe in a file; so whatever ends the controller at whatever moment, each line is written, and
 * once. What a crash may have left behind the last safe line is written again from the outbox.
 * When a file is full the next begins; of too many the oldest goes, and the catalog remembers
 * which line was before those that stay. One thread writes; all calls may come from any thread.
 */
#ifndef CTL_CATALOG_AUDIT_LOG_H
#define CTL_CATALOG_AUDIT_LOG_H

#include "ctl/catalog/catalog.h"

enum { AUDIT_FILE_BYTES = 4 << 20, AUDIT_FILES = 32, AUDIT_PROBLEMS_MAX = 20 };

struct audit_log;

/* `dir` is made when it is not there. Sizes 0: the defaults above. NULL with `err` when the
 * directory cannot be used. Closed before the catalog. */
struct audit_log *audit_log_open(struct catalog *c, const char *dir, size_t file_bytes,
                                 unsigned files, struct err *err);
void              audit_log_close(struct audit_log *log); /* NULL is fine */

/* Waits until there is a line above `seq` in the files, at most `ms`. Returns the last line's
 * number. */
int64_t audit_log_wait(struct audit_log *log, int64_t seq, unsigned ms);

/* At most `limit` lines below `before` (0: the last), newest first; all that were committed
 * before the call. The caller owns the array. */
json_t *audit_log_read(struct audit_log *log, int64_t before, size_t limit);

/* Lines above `after`, oldest first, at most `limit`. NULL: they are no longer kept. */
json_t *audit_log_after(struct audit_log *log, int64_t after, size_t limit);

/* {"ok", "lines", "first", "head": {"seq", "hash"}, "problems": ["...", ...]} of all files and the
 * ends that the catalog knows. `expect` "SEQ:HASH" of a line that somebody has noted elsewhere
 * must be among them; NULL: none. The caller owns it. */
json_t *audit_log_verify(struct audit_log *log, const char *expect);

/* The same of these files, in this order, without a catalog. */
json_t *audit_files_verify(const char *const *paths, size_t n, const char *expect);

#endif
