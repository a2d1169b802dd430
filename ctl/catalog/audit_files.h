/* audit_files.h - the files of the audit log: which there are, and what is in them. Private to
 * audit_log.c. Files are named by the number of their first line, so their order is that of
 * their names. */
#ifndef CTL_CATALOG_AUDIT_FILES_H
#define CTL_CATALOG_AUDIT_FILES_H

#include <sys/types.h>

#include "ctl/catalog/audit_line.h"

struct audit_files {
    int64_t *first; /* owned; ascending */
    size_t   n;
};

void audit_files_list(const char *dir, struct audit_files *out);
void audit_files_fini(struct audit_files *files);

/* DIR/0000000000000001.jsonl */
void audit_files_path(const char *dir, int64_t first, char *out, size_t room);

/* The names in the directory are on the disk. */
void audit_files_sync(const char *dir);

/* The last line of a file that is one. */
bool audit_files_last(const char *path, struct audit_link *out);

/* Where line `seq` ends in a file. False: it is not there, or its end is not. */
bool audit_files_find(const char *path, int64_t seq, off_t *end);

/* Lines as objects (what is no JSON is left out), below `before` newest first, or above `after`
 * oldest first. */
json_t *audit_files_before(const char *dir, int64_t before, size_t limit);
json_t *audit_files_after(const char *dir, int64_t after, size_t limit);

#endif
