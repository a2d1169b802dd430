/* stream_send.h - what the two halves of a stream say to each other. */
#ifndef CORE_IO_STREAM_SEND_H
#define CORE_IO_STREAM_SEND_H

#include "core/io/stream.h"

/* In stream_send.c, for stream.c. */
void stream_sent(struct op *op, int result, uint32_t flags);
void stream_send_task(struct task *task);
void stream_post_send(struct stream *stream); /* stream_send_task(), in a moment */

/* In stream.c, for stream_send.c. */
void stream_broke(struct stream *stream, int error);
void stream_flushed(struct stream *stream); /* FLUSHING, and all output was taken */
void stream_quiet(struct stream *stream);   /* CLOSING, and the send is done */
void stream_take(struct stream *stream, struct span bytes); /* OPEN: received, from the other */

#endif
