/* stream_filter.h - how the halves of a stream use its filters (see filter.h). */
#ifndef CORE_IO_STREAM_FILTER_H
#define CORE_IO_STREAM_FILTER_H

#include "core/io/stream.h"

/* Bytes from the kernel: decoded and shown by on_data, unless paused. */
void stream_filter_received(struct stream *stream, struct span bytes);

/* Decode what waits and show it, until nothing whole is left or the reader
 * pauses. */
void stream_filter_pump(struct stream *stream);

/* Is something received and not decoded? It may be less than a unit. */
bool stream_filter_waits(const struct stream *stream);

/* All of `out` that can be, through the filters; `sending` must be empty and
 * has what goes to the kernel then. */
void stream_filter_encode(struct stream *stream);

/* The last words of each filter, behind all output. */
void stream_filter_finish(struct stream *stream);

/* The stream broke: encoded bytes go nowhere. */
void stream_filter_drop(struct stream *stream);

/* Empty buffers go back to the ring's spares. */
void stream_filter_give_back(struct stream *stream);

void stream_filter_free(struct stream *stream);

#endif
