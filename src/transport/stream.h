/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SIP connection of a worker, for src/transport/stream*.c.
 *
 * connecting -> open -> half_closed: the peer has sent FIN; responses can still go out
 *                    -> refusing: a message that ends the stream has been handed up; its answer
 *                       leaves, then FIN, then what the peer still sends is read and dropped
 *                       (draining), so that no RST overtakes the answer
 *            -> ended: closed; told to the user, then freed, in the run queue
 */
#pragma once

#include "transport/priv.h"

enum stream_state {
	STREAM_CONNECTING,
	STREAM_OPEN,
	STREAM_HALF_CLOSED,
	STREAM_REFUSING,
	STREAM_DRAINING,
	STREAM_ENDED
};

struct stream {
	struct conn conn; /* first: callbacks get this one */
	struct transport *tp;
	struct tp_flow flow; /* flow.conn is its id */
	struct timer timer;  /* looks after time-outs, or ends a pause */
	struct list by_remote, dirty;
	struct list unfinished; /* in the table's while begun_ms is set */
	uint32_t unfinished_n;  /* bytes of its buffer there */
	struct peer_entry peer; /* accepted ones: what other workers find it by */
	struct job end;
	uint8_t state;
	bool is_up;       /* user->flow(up) was called */
	bool is_paused;   /* not read from: no room where its message belongs */
	bool is_watched;  /* the timer runs, and for a short time */
	bool is_answered; /* refusing: the answer has been sent */
	bool is_wide;     /* reads were full: the next buffer is a large one */
	uint8_t held_n;
	char held[3];       /* a beginning of CRLFs, kept without a buffer */
	uint32_t n;         /* bytes in buf */
	struct msgbuf *buf; /* begins with the message being read; NULL: nothing of one yet */
	struct sip_framer framer;
	uint64_t born_ms, in_ms; /* last received */
	uint64_t asked_ms;       /* last request received; 0: none */
	uint64_t state_ms;       /* of the last change of state */
	uint64_t begun_ms;       /* first byte of a message that is not whole yet; 0: none */
	uint64_t stall_ms;       /* since when output waits without progress; 0: does not */
	uint64_t stall_written;  /* conn.written at that time */
};

struct stream_slot {
	struct stream *s; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct stream_table {
	struct conn_env env;
	struct stream_slot *slots;
	uint32_t slots_n, slots_cap, first_free;
	_Atomic uint32_t *alive; /* by slot: generation << 3 and the flags below; others read it */
	_Atomic uint32_t *held;  /* by slot: monotonic s until which it is no idle one, */
	_Atomic uint64_t *users; /* while bindings use it: generation << 32 and how many */
	struct list *by_remote;  /* those that we opened */
	size_t buckets;          /* a power of two */
	struct list dirty;       /* have output in this turn */
	struct list unfinished;  /* hold a message that is not whole; the oldest first */
	size_t unfinished_bytes, unfinished_max;
	int timer_kind;
};

#define STREAM_USABLE    1U /* can be sent on */
#define STREAM_IS_FLOW   2U /* and may be given new requests */
#define STREAM_IN_DOUBT  4U /* nobody knows yet whether what is sent on it gets there */
#define STREAM_FLAGS     7U
#define STREAM_FLAG_BITS 3

/* --- stream.c ------------------------------------------------------------------------------------
 */

struct stream *stream_find(const struct transport *tp, uint64_t conn);
struct stream *stream_of_remote(const struct transport *tp, uint8_t proto,
                                const struct net_addr *remote);
/* Begins to connect. BELFRY_EUNREACH, BELFRY_EFULL, -ENOMEM. */
int stream_connect(struct transport *tp, const struct tp_flow *flow, struct stream **s_r);
void stream_set_state(struct stream *s, enum stream_state state);
/* The peer has sent FIN. */
void stream_half_close(struct stream *s);
/* Closes now; the rest follows in the run queue. @err: why, for the log. */
void stream_end(struct stream *s, int err);
/* Looks after it soon (time-outs of a message, of output). */
void stream_watch(struct stream *s);
void stream_pause(struct stream *s);
/* It holds a message that is not whole (since now, if @is_new), or does not any more. */
void stream_unfinished(struct stream *s, bool is_new);
void stream_finished(struct stream *s);
/* Ends the oldest of those when they hold too much, or all buffers together are few. */
void streams_shed(struct transport *tp);
/* May another worker send on it, or is it even a flow for new requests (@flag)? Any thread. */
bool stream_has_flag(struct transport_group *g, uint64_t conn, uint32_t flag);

static inline unsigned stream_worker(uint64_t conn)
{
	return (unsigned)(conn >> 56);
}

/* --- stream_in.c ---------------------------------------------------------------------------------
 */

void stream_readable(struct conn *c);
/* Tries again what could not be handed on. */
void stream_resume(struct stream *s);

/* --- stream_out.c --------------------------------------------------------------------------------
 */

/* Borrows the bytes until the turn's end. */
int stream_put(struct stream *s, const struct iovec *iov, unsigned n);
