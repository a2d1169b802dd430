/* load.h - what each server of a shard had to do and what it had left, as measured.
 *
 *   collectors --> monitor.c --load_put()--> raw, minutes, hours --> detector, forecast, API
 *    (collect.h)    a tick each 10 s          (history.h: and on disk)
 *
 * One measurement of a shard is a struct shard_load: numbers in base units, averages over its
 * `seconds`, of its primary, whichever server that is. Each replica has measurements of its own, by
 * its id in the routes, which is ROUTES_REPLICA_ID or more. What was not measured, or not lately,
 * is NAN, never 0. Readers get copies, so that they may take their time; every function here may
 * be called by any thread.
 *
 * Where the heat is: workers count statements by the position of their key's hash, in
 * LOAD_PARTS equal parts of the key space, and keep the keys that come most often.
 */
#ifndef CTL_SCALE_LOAD_H
#define CTL_SCALE_LOAD_H

#include <math.h>

#include "core/base/base.h"
#include "core/route/table.h"

/* X(name, how several become one, unit, help). */
#define LOAD_FIELDS(X) \
  X(statements_per_s,  MEAN, "per_second", "Statements that workers sent to the shard") \
  X(errors_per_s,      MEAN, "per_second", "Errors that it answered") \
  X(latency_mean_us,   MEAN, "us", "From a statement sent to its answer's last byte") \
  X(latency_p50_us,    MEAN, "us", "Half of the statements are faster") \
  X(latency_p95_us,    MEAN, "us", "95 of 100 are faster") \
  X(latency_p99_us,    MEAN, "us", "99 of 100 are faster") \
  X(connections,       MAX,  "", "Connections of workers to it") \
  X(waiting,           MAX,  "", "Statements that wait for a connection to it") \
  X(threads_connected, MAX,  "", "Connections of anybody, as the server counts them") \
  X(threads_running,   MAX,  "", "Of these those at work") \
  X(max_connections,   LAST, "", "How many the server takes") \
  X(cpu,               MEAN, "ratio", "Of the CPU it may use, how much it used: 0 to 1") \
  X(cpu_limit,         LAST, "cores", "The CPU it may use") \
  X(memory,            MEAN, "ratio", "Of the memory it may use, how much it has: 0 to 1") \
  X(memory_limit,      LAST, "bytes", "The memory it may use") \
  X(disk_used,         LAST, "bytes", "Used on the disk of its data, by whomever") \
  X(disk_free,         LAST, "bytes", "Free there") \
  X(buffer_pool,       MEAN, "ratio", "Of the buffer pool, how much holds data: 0 to 1") \
  X(buffer_pool_miss,  MEAN, "ratio", "Of its reads, how many went to the disk: 0 to 1") \
  X(rows,              LAST, "", "Rows of all tables, as the server estimates them") \
  X(bytes,             LAST, "bytes", "Data and indexes of all tables") \
  X(lag_s,             MAX,  "seconds", "How far the slowest replica is behind") \
  X(replicas_wanted,   LAST, "", "Replicas that are not disabled") \
  X(replicas_following, LAST, "", "Of these those that answer and follow")

enum load_field {
#define LOAD_ENUM(name, how, unit, help) LOAD_##name,
    LOAD_FIELDS(LOAD_ENUM)
#undef LOAD_ENUM
    LOAD_FIELDS_N
};

enum load_how { LOAD_MEAN, LOAD_MAX, LOAD_LAST };

struct load_field_info {
    const char   *name, *unit, *help;
    enum load_how how;
};

extern const struct load_field_info load_fields[LOAD_FIELDS_N];

struct shard_load {
    uint32_t id;      /* of the shard or the replica, in the routes */
    char     name[64];
    int64_t  at_ms;   /* its end, in Unix time */
    double   seconds; /* it is about so long */
    union {
        double value[LOAD_FIELDS_N]; /* by enum load_field */
        struct {
#define LOAD_MEMBER(name, how, unit, help) double name;
            LOAD_FIELDS(LOAD_MEMBER)
#undef LOAD_MEMBER
        };
    };
};

/* All NAN. */
void shard_load_init(struct shard_load *out, uint32_t id, const char *name);

/* The share of the disk that is used; NAN: not known. */
static inline double
shard_load_disk(const struct shard_load *m)
{
    return m->disk_used / (m->disk_used + m->disk_free);
}

/* A table's part on one shard. */
struct table_load {
    char   name[130]; /* database.table */
    double rows, bytes;
};

/* A replica of a shard, as it was when it was last asked. */
struct replica_load {
    uint32_t id;
    char     name[64];
    bool     wanted;  /* it is not disabled */
    bool     answers, follows;
    double   lag_s;   /* NAN: not known */
    char     problem[160]; /* why it does not follow; "": it does */
};

enum {
    LOAD_PARTS     = 65536, /* of the key space, by the highest bits of a hash */
    LOAD_PART_BITS = 16,
    LOAD_KEYS_MAX  = 64,    /* hot keys that are kept */
    LOAD_KEY_MAX   = 64,    /* bytes of a key shown */
};

/* A key that comes often. */
struct load_key {
    uint64_t hash;
    uint32_t shard;    /* its id */
    char     table[130];
    char     key[LOAD_KEY_MAX + 4]; /* its beginning, printable, "..." where it was longer */
    double   per_s;    /* statements with it per second, lately: at least so many, */
    double   error;    /* and at most so many more */
    double   share;    /* of all statements of its shard that a key fixes; 0 to 1 */
};

/* How old and how many: raw as measured, at most LOAD_RAW_MAX; then one per minute, per hour. */
enum load_grain { LOAD_RAW, LOAD_MINUTE, LOAD_HOUR, LOAD_GRAINS_N };

enum { LOAD_RAW_MAX = 64, LOAD_MINUTES_MAX = 360, LOAD_HOURS_MAX = 840 };

struct load;

struct load *load_new(void);
void         load_free(struct load *l);

/* Takes a measurement over. Older ones than the last of this shard are left out. Fills, when it
 * completes a minute or an hour, `minute` or `hour` (may be NULL) and sets the bits
 * 1 << LOAD_MINUTE, 1 << LOAD_HOUR in what it returns. */
unsigned load_put(struct load *l, const struct shard_load *m, struct shard_load *minute,
                  struct shard_load *hour);

/* What was kept on disk, at the start: goes where it belongs, oldest first. */
void load_restore(struct load *l, enum load_grain grain, const struct shard_load *m);

/* Shards and replicas that are no more are forgotten; `ids` ascend. */
void load_keep(struct load *l, const uint32_t *ids, size_t n);

/* The last measurement of each shard, not of replicas, by id; returns how many, at most `max`. */
size_t load_latest(struct load *l, struct shard_load *out, size_t max);
bool   load_latest_of(struct load *l, uint32_t id, struct shard_load *out);

/* History of one shard or replica from `since_ms` on, oldest first: the newest `max` of them. A
 * point of LOAD_MINUTE or LOAD_HOUR has the average, the maximum or the last of its raw ones, as
 * load_fields says; the minute and hour under way are not there. */
size_t load_history(struct load *l, uint32_t id, enum load_grain grain, int64_t since_ms,
                    struct shard_load *out, size_t max);

/* The tables of a shard when it was last asked, largest first; returns how many there are, of
 * which at most `max` are in `out`. */
size_t load_tables(struct load *l, uint32_t id, struct table_load *out, size_t max);
void   load_put_tables(struct load *l, uint32_t id, const struct table_load *t, size_t n);

/* The replicas of a shard, by id; returns how many there are, of which at most `max` are in
 * `out`. */
size_t load_replicas(struct load *l, uint32_t id, struct replica_load *out, size_t max);
void   load_put_replicas(struct load *l, uint32_t id, const struct replica_load *r, size_t n);

/* Statements per second with a key whose hash lies in each of the LOAD_PARTS parts of the key
 * space; a moving average over about half a minute. False: nothing was measured yet. */
bool load_heat(struct load *l, float out[LOAD_PARTS]);
void load_put_heat(struct load *l, const float heat[LOAD_PARTS]);

/* Hot keys, those that come most often first; of one shard, or of all (id ROUTES_NONE). */
size_t load_keys(struct load *l, uint32_t id, struct load_key *out, size_t max);
void   load_put_keys(struct load *l, const struct load_key *keys, size_t n);

/* The heat of [first, last], both included. What is finer than a part is taken to be even,
 * but for the hot keys, which lie where they lie. `hot` may be NULL. */
double load_heat_of(const float heat[LOAD_PARTS], const struct load_key *hot, size_t n_hot,
                    uint64_t first, uint64_t last);

/* Where to cut `ranges` of `shard` (index in them) so that the part before has `share` of the
 * shard's heat: the first hash of what comes after. `*got` is the share it has really: far from
 * `share` when one key is hot. False: the shard has no heat, or nothing can be cut. */
bool load_cut(const float heat[LOAD_PARTS], const struct load_key *hot, size_t n_hot,
              const struct route_range *ranges, uint32_t n_ranges, uint32_t shard, double share,
              uint64_t *at, double *got);

#endif
