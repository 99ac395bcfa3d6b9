/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading from streams (RFC 3261 18.3). Bytes are read into the buffer that becomes the message's;
 * where several messages came at once each gets a buffer of its own and the tail moves to the
 * front.
 */
#include <errno.h>

#include "transport/stream.h"
#include "util/err.h"

#define READS_MAX   8U     /* per event; then others get their turn */
#define WIDE_SIZE   16384U /* of a buffer for a stream that is never read empty */
#define DISCARD_MAX 65536U /* bytes read and dropped per event */

/* --- handing up ----------------------------------------------------------------------------------
 */

/* A buffer with the message alone: the stream's own if there is nothing else in it. */
static struct msgbuf *take_message(struct stream *s, size_t off, size_t n)
{
	struct msgbuf *buf = s->buf;

	if (off == 0 && n == s->n && (buf->cap == MSGBUF_SIZE || buf->cap <= 2 * n)) {
		s->buf = NULL;
		s->n = 0;
		return buf;
	}
	buf = tp_input_buf(s->tp, n);
	if (buf) {
		memcpy(buf->data, s->buf->data + off, n);
	}
	return buf;
}

/* false: no room for it now. @status: 0, or what to refuse it with, here and now. */
static bool hand_up(struct stream *s, size_t off, size_t n, uint16_t status)
{
	struct tp_input notes = {
		.n = (uint32_t)n, .status = status, .parse_flags = SIP_PARSE_STREAM, .from = s->flow
	};
	unsigned owner = s->tp->w->id;
	struct msgbuf *buf;

	if (status == 0) {
		owner = tp_owner(s->tp->w, str_make(s->buf->data + off, n));
	}
	if (!str_starts(str_make(s->buf->data + off, n), STR("SIP/"))) {
		s->asked_ms = s->in_ms;
	}
	if (owner != s->tp->w->id && !worker_can_post(s->tp->w, owner)) {
		return false;
	}
	buf = take_message(s, off, n);
	if (!buf) {
		return false;
	}
	tp_input(s->tp, owner, buf, &notes);
	return true;
}

static void refuse(struct stream *s, size_t off, size_t n, enum tp_reject why)
{
	uint16_t status = why == TP_REJECT_TOO_LARGE ? 513 : 400;

	tp_count(s->tp, s->tp->g->counts.rejected[why]);
	conn_read_off(&s->conn);
	s->is_answered = false;
	if (n > 0 && hand_up(s, off, n, status)) {
		stream_set_state(s, STREAM_REFUSING);
	} else {
		stream_end(s, BELFRY_EPARSE);
	}
}

static void not_sip(struct stream *s, size_t off)
{
	enum tp_verdict verdict = TP_CONTINUE;
	const struct transport_user *user = &s->tp->user;

	if (user->packet) {
		verdict =
			user->packet(user->arg, str_make(s->buf->data + off, s->n - off), &s->flow);
	}
	if (verdict != TP_DONE) {
		tp_count(s->tp, s->tp->g->counts.rejected[TP_REJECT_NOT_SIP]);
		stream_end(s, BELFRY_EPARSE);
	}
}

/* --- framing -------------------------------------------------------------------------------------
 */

static void keepalive(struct stream *s)
{
	static const char crlf[] = "\r\n";
	const struct iovec iov = { (void *)(uintptr_t)crlf, 2 };

	stream_put(s, &iov, 1); /* a full queue: the peer does not read anyway */
}

/* Deals with what stands at @off. Bytes that are done with; 0: that was all for now. */
static size_t frame_one(struct stream *s, size_t off)
{
	struct str data = str_make(s->buf->data + off, s->n - off);
	size_t n = 0;

	switch (sip_framer_next(&s->framer, data, SIP_MSG_MAX, &n)) {
	case SIP_FRAME_MORE: return 0;
	case SIP_FRAME_MESSAGE:
		if (!hand_up(s, off, n, 0)) {
			stream_pause(s);
			return 0;
		}
		break;
	case SIP_FRAME_KEEPALIVE: keepalive(s); break;
	case SIP_FRAME_CRLF: break;
	case SIP_FRAME_NOT_SIP:
		not_sip(s, off);
		n = data.n;
		break;
	case SIP_FRAME_TOO_LARGE:
		refuse(s, off, n, TP_REJECT_TOO_LARGE);
		n = data.n;
		break;
	default:
		refuse(s, off, n, TP_REJECT_NO_LENGTH);
		n = data.n;
		break;
	}
	s->framer = (struct sip_framer){ 0 };
	return n;
}

/* What is left becomes the beginning; nothing or CRLFs need no buffer. */
static void keep_rest(struct stream *s, size_t off)
{
	size_t n = s->n - off;

	if (n > 0 && off > 0) {
		memmove(s->buf->data, s->buf->data + off, n);
	}
	s->n = (uint32_t)n;
	if (n == 0 || (n <= sizeof(s->held) && s->buf->data[0] == '\r')) {
		memcpy(s->held, s->buf->data, n);
		s->held_n = (uint8_t)n;
		s->n = 0;
		s->framer = (struct sip_framer){ 0 };
		msgbuf_unref(&s->buf, s->tp->w->bufs);
	}
}

static void frames(struct stream *s)
{
	size_t off = 0, n;
	bool was_begun = s->begun_ms != 0;

	do {
		n = frame_one(s, off);
		off += n;
	} while (n > 0 && s->buf && off < s->n && s->state == STREAM_OPEN);
	if (s->state != STREAM_OPEN) {
		msgbuf_unref(&s->buf, s->tp->w->bufs);
		s->n = 0;
		return;
	}
	if (s->buf) {
		keep_rest(s, off);
	}
	if (!s->buf || s->is_paused) {
		stream_finished(s);
		return;
	}
	stream_unfinished(s, off > 0 || !was_begun);
	streams_shed(s->tp); /* perhaps this one */
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* Room for more behind what is there. -ENOMEM: no buffer. */
static int make_room(struct stream *s)
{
	struct msgbuf *buf = NULL;
	size_t size = s->is_wide ? WIDE_SIZE : MSGBUF_SIZE - sizeof(struct tp_input);

	if (s->buf && s->n < tp_input_cap(s->buf)) {
		return 0;
	}
	if (s->buf) {
		size = 2 * (size_t)s->buf->cap;
		size = size < SIP_MSG_MAX ? size : SIP_MSG_MAX + 8;
	}
	streams_shed(s->tp);
	/* Datagrams cannot wait, streams can. */
	if (s->state == STREAM_OPEN && !msgbuf_pool_is_tight(s->tp->w->bufs)) {
		buf = tp_input_buf(s->tp, size);
	}
	if (!buf) {
		return -ENOMEM;
	}
	if (s->buf) {
		memcpy(buf->data, s->buf->data, s->n);
		msgbuf_unref(&s->buf, s->tp->w->bufs);
	} else {
		memcpy(buf->data, s->held, s->held_n);
		s->n = s->held_n;
		s->held_n = 0;
	}
	s->buf = buf;
	if (s->begun_ms) {
		stream_unfinished(s, false);
	}
	return 0;
}

/* false: no more for now. */
static bool read_once(struct stream *s)
{
	size_t room;
	ssize_t got;

	if (make_room(s) != 0) {
		if (s->state == STREAM_OPEN) {
			stream_pause(s);
		}
		return false;
	}
	room = tp_input_cap(s->buf) - s->n;
	got = s->conn.ops->read(&s->conn, s->buf->data + s->n, room);
	if (got <= 0) {
		keep_rest(s, 0);
		if (got == 0) {
			stream_half_close(s);
		} else if (got != -EAGAIN) {
			stream_end(s, (int)got);
		}
		return false;
	}
	s->n += (uint32_t)got;
	s->in_ms = s->tp->w->clock.now_ms;
	s->is_wide = (size_t)got == room;
	frames(s);
	return (size_t)got == room && s->state == STREAM_OPEN && !s->is_paused;
}

static void discard(struct stream *s)
{
	char space[4096];
	ssize_t got = 1;

	for (size_t n = 0; got > 0 && n < DISCARD_MAX; n += sizeof(space)) {
		got = s->conn.ops->read(&s->conn, space, sizeof(space));
	}
	if (got <= 0 && got != -EAGAIN) {
		stream_end(s, (int)got);
	}
}

void stream_readable(struct conn *c)
{
	struct stream *s = (struct stream *)(void *)c;

	if (s->state != STREAM_OPEN) {
		discard(s);
		return;
	}
	for (unsigned i = 0; i < READS_MAX && !worker_is_behind(s->tp->w) && read_once(s); i++) {
	}
}

void stream_resume(struct stream *s)
{
	s->is_paused = false;
	if (s->buf) {
		frames(s);
	}
	if (!s->is_paused && s->state == STREAM_OPEN) {
		conn_read_on(&s->conn);
		stream_watch(s);
	}
}
