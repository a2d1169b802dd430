/* publish.h - from the catalog to the workers.
 *
 *   catalog --model_routes--> blob --routes segment--> poke the master --> workers
 *                                                                            |
 *                   publish_now() waits <----- "edition in use" in the slots +
 *
 * One per controller; any thread may publish. What is published is always the
 * catalog as of now, so two publications in a row are as good as one.
 */
#ifndef CTL_CATALOG_PUBLISH_H
#define CTL_CATALOG_PUBLISH_H

#include "ctl/catalog/catalog.h"

struct publisher;

enum { PUBLISH_WAIT_MS = 2000 };

/* `control` is the path of the master's control socket; it need not exist yet.
 * Fails when another controller writes the segment. */
struct publisher *publisher_open(struct catalog *c, const char *instance, const char *control,
                                 struct err *err);
void              publisher_close(struct publisher *p);

/* Publishes, and waits until all live workers use it, at most `wait_ms`.
 * Returns false with `err` when it could not be published (the last edition
 * stands); `acknowledged` (may be NULL) says whether all followed in time. */
bool publish_now(struct publisher *p, int wait_ms, bool *acknowledged, struct err *err);

/* Waits until no statement routed by an older generation than the published
 * one is under way. False after `wait_ms`. True when there are no workers. */
bool publish_drained(struct publisher *p, int wait_ms);

/* The workers' slots, opened when there are some; NULL as long as no data plane
 * ever ran. Locked until publish_slots_done(). */
struct slots;
const struct slots *publish_slots(struct publisher *p);
void                publish_slots_done(struct publisher *p);

#endif
