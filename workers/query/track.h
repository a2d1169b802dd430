/* track.h - what an answer tells a client with CLIENT_SESSION_TRACK about its session.
 *
 * The bytes are those of a server, which tells of a SET what the variables in
 * session_track_system_variables are now, of USE and of a login the schema (session_track_schema),
 * and that something has changed (session_track_state_change). What a SET tells depends on
 * its words and on the variables that the session has then, and is remembered with these.
 */
#ifndef WORKERS_QUERY_TRACK_H
#define WORKERS_QUERY_TRACK_H

#include "workers/query/query.h"

/* The session has the schema now; empty: none, as its own was dropped. */
struct span track_schema(struct arena *a, const struct session *s, struct span name);

/* Something of the session has changed that has no entry of its own; may be empty. */
struct span track_change(const struct session *s);

/* What a server's answer, an OK packet with its header, told; may be empty. */
struct span track_read(struct span answer);

/* What it told of the session, and of its next transaction, for q->told_change and the like. */
void track_note(struct query_run *q, struct span track);

/* Of what a server's answer told those entries that the client wants to hear; may be empty. */
struct span track_filter(struct arena *a, const struct session *s, struct span track);

/* Refuses a SET that asks for what cannot be told. */
bool track_refuses(struct query_run *q);

#endif
