/* segment.c - see segment.h. */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { SEGMENT_VERSION = 1, NAME_SIZE = SEGMENT_INSTANCE_MAX + 32, PERMISSIONS = 0640 };

/* "shardd\0\1" read as a little-endian number. */
#define SEGMENT_MAGIC   UINT64_C(0x0100646472616873)
#define SEGMENT_LARGEST ((off_t)1 << 40)

/* What the first bytes say. The magic is stored last when a segment is made,
 * so that a half-made one is not taken for a good one. */
struct header {
    _Atomic uint64_t magic;
    uint32_t         version;
    uint32_t         kind;
    uint64_t         size;
};

static const char *const kind_name[] = {
    [SEGMENT_ROUTES] = "routes",
    [SEGMENT_SLOTS]  = "slots",
};

void
segment_instance(const char *home, char out[SEGMENT_INSTANCE_MAX])
{
    char resolved[PATH_MAX];

    /* A home that does not exist yet is named by its path without the slashes
     * at its end. */
    if (realpath(home, resolved) == NULL) {
        snprintf(resolved, sizeof(resolved), "%s", home);
        for (size_t n = strlen(resolved); n > 1 && resolved[n - 1] == '/'; n--)
            resolved[n - 1] = 0;
    }
    snprintf(out, SEGMENT_INSTANCE_MAX, "%016llx",
             (unsigned long long)XXH3_64bits(resolved, strlen(resolved)));
}

static bool
name_make(char name[NAME_SIZE], enum segment_kind kind, const char *instance,
          struct err *err)
{
    size_t len = strlen(instance);

    for (size_t i = 0; i < len; i++) {
        char c = instance[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!plain)
            return err_set(err, "instance name '%s' may hold only letters, "
                           "digits, '-' and '_'", instance);
    }
    if (len == 0 || len >= SEGMENT_INSTANCE_MAX)
        return err_set(err, "instance name '%s' must have 1 to %d characters",
                       instance, SEGMENT_INSTANCE_MAX - 1);
    snprintf(name, NAME_SIZE, "/shardd-%s-%s", instance, kind_name[kind]);
    return true;
}

/* Whose it is and who may write it: a stranger's segment could say anything,
 * and shrink under us. */
static bool
file_check(int fd, const char *name, struct stat *st, struct err *err)
{
    if (fstat(fd, st) != 0)
        return err_set(err, "/dev/shm%s: %s", name, strerror(errno));
    if (!S_ISREG(st->st_mode))
        return err_set(err, "/dev/shm%s is not a plain file", name);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return err_set(err, "/dev/shm%s belongs to user %u, not to us (%u): "
                       "run under that user, or remove it",
                       name, st->st_uid, geteuid());
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, "/dev/shm%s may be written by other users (mode "
                       "%03o): remove it", name, st->st_mode & 0777);
    return true;
}

static bool
header_check(const struct header *h, enum segment_kind kind, size_t size,
             const char *name, struct err *err)
{
    if (atomic_load_explicit(&h->magic, memory_order_acquire) != SEGMENT_MAGIC)
        return err_set(err, "/dev/shm%s is not a segment of shardd: remove it",
                       name);
    if (h->version != SEGMENT_VERSION)
        return err_set(err, "/dev/shm%s is of version %u, this program of %d: "
                       "stop shardd and shardctl, remove it, and start them",
                       name, h->version, SEGMENT_VERSION);
    if (h->kind != kind)
        return err_set(err, "/dev/shm%s does not hold %s: remove it", name,
                       kind_name[kind]);
    if (h->size != size)
        return err_set(err, "/dev/shm%s has %zu bytes and says %llu: remove it",
                       name, size, (unsigned long long)h->size);
    return true;
}

static bool
map(struct segment *s, int protection, const char *name, struct err *err)
{
    void *base = mmap(NULL, s->size, protection, MAP_SHARED, s->fd, 0);

    if (base == MAP_FAILED)
        return err_set(err, "/dev/shm%s: cannot map %zu bytes: %s", name,
                       s->size, strerror(errno));
    s->base = base;
    return true;
}

int
segment_writer(const struct segment *s)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(s->fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

static bool
lock_take(const struct segment *s, enum segment_kind kind, const char *name,
          struct err *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(s->fd, F_SETLK, &lock) == 0)
        return true;
    if (errno != EACCES && errno != EAGAIN)
        return err_set(err, "/dev/shm%s: cannot lock: %s", name, strerror(errno));
    return err_set(err, "another %s already runs for this instance: process %d "
                   "writes /dev/shm%s",
                   kind == SEGMENT_ROUTES ? "controller" : "shardd",
                   segment_writer(s), name);
}

/* Under the lock. A size of 0, or zeroes where the magic goes, is one whose
 * making was interrupted. */
static bool
make(struct segment *s, enum segment_kind kind, size_t size, const char *name,
     struct err *err)
{
    if (ftruncate(s->fd, 0) != 0 || ftruncate(s->fd, (off_t)size) != 0)
        return err_set(err, "/dev/shm%s: cannot set its size to %zu: %s", name,
                       size, strerror(errno));
    int failed = segment_back(s, 0, SEGMENT_HEADER);
    if (failed != 0)
        return err_set(err, "/dev/shm%s: no memory for it: %s", name,
                       strerror(-failed));
    s->size = size;
    if (!map(s, PROT_READ | PROT_WRITE, name, err))
        return false;

    struct header *h = (struct header *)s->base;
    h->version = SEGMENT_VERSION;
    h->kind    = kind;
    h->size    = size;
    atomic_store_explicit(&h->magic, SEGMENT_MAGIC, memory_order_release);
    return true;
}

static bool
is_half_made(int fd, const struct stat *st)
{
    uint64_t magic;

    return st->st_size == 0 ||
           (pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == 0);
}

static bool
adopt(struct segment *s, enum segment_kind kind, size_t size,
      const struct stat *st, const char *name, struct err *err)
{
    if (st->st_size != (off_t)size)
        return err_set(err, "/dev/shm%s has %lld bytes instead of %zu: remove it",
                       name, (long long)st->st_size, size);
    s->size = size;
    return map(s, PROT_READ | PROT_WRITE, name, err) &&
           header_check((const struct header *)s->base, kind, size, name, err);
}

/* Between opening and locking, the name may have been removed by the last
 * writer; then ours would be a segment that nobody else can find. */
static bool
is_named(const struct stat *st)
{
    return st->st_nlink > 0;
}

bool
segment_create(struct segment *s, enum segment_kind kind, const char *instance,
               size_t size, bool *made, struct err *err)
{
    char           name[NAME_SIZE];
    struct stat    st;
    struct segment opened = { .fd = -1, .writer = true };

    if (!name_make(name, kind, instance, err))
        return false;
    opened.fd = shm_open(name, O_RDWR | O_CREAT, PERMISSIONS);
    if (opened.fd < 0)
        return err_set(err, "/dev/shm%s: cannot open for writing: %s", name,
                       strerror(errno));
    if (!lock_take(&opened, kind, name, err) ||
        !file_check(opened.fd, name, &st, err))
        goto fail;
    if (!is_named(&st)) {
        err_set(err, "/dev/shm%s was removed just now: try again", name);
        goto fail;
    }

    bool fresh = is_half_made(opened.fd, &st);
    if (fresh ? !make(&opened, kind, size, name, err)
              : !adopt(&opened, kind, size, &st, name, err))
        goto fail;
    if (made != NULL)
        *made = fresh;
    *s = opened;
    return true;

fail:
    segment_close(&opened);
    return false;
}

bool
segment_open(struct segment *s, enum segment_kind kind, const char *instance,
             struct err *err)
{
    char           name[NAME_SIZE];
    struct stat    st;
    struct segment opened = { .fd = -1 };

    if (!name_make(name, kind, instance, err))
        return false;
    opened.fd = shm_open(name, O_RDONLY, 0);
    if (opened.fd < 0)
        return err_set(err, "/dev/shm%s: %s", name,
                       errno == ENOENT ? "does not exist (yet)" : strerror(errno));
    if (!file_check(opened.fd, name, &st, err))
        goto fail;
    if (st.st_size < SEGMENT_HEADER || st.st_size > SEGMENT_LARGEST) {
        err_set(err, "/dev/shm%s has %lld bytes: not ready, or not a segment",
                name, (long long)st.st_size);
        goto fail;
    }
    opened.size = (size_t)st.st_size;
    if (!map(&opened, PROT_READ, name, err) ||
        !header_check((const struct header *)opened.base, kind, opened.size,
                      name, err))
        goto fail;
    *s = opened;
    return true;

fail:
    segment_close(&opened);
    return false;
}

int
segment_back(const struct segment *s, size_t offset, size_t len)
{
    int failed;

    do
        failed = posix_fallocate(s->fd, (off_t)offset, (off_t)len);
    while (failed == EINTR);
    return -failed;
}

void
segment_close(struct segment *s)
{
    if (s->base != NULL)
        munmap(s->base, s->size);
    if (s->fd >= 0)
        close(s->fd);
    *s = (struct segment){ .fd = -1 };
}

int
segment_unlink(enum segment_kind kind, const char *instance)
{
    char       name[NAME_SIZE];
    struct err err;

    if (!name_make(name, kind, instance, &err))
        return -EINVAL;
    return shm_unlink(name) == 0 ? 0 : -errno;
}
