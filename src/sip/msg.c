/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/msg.h"

#include "sip/hdr_find.h"
#include "sip/line.h"
#include "sip/scan.h"

#include <errno.h>

#define HEADERS_FIRST 32 /* room at the beginning; doubled when needed */

static struct sip_msg *msg_new(struct arena_pool *pool)
{
	struct arena arena;
	struct sip_msg *msg;

	arena_init(&arena, pool);
	msg = arena_alloc(&arena, sizeof(*msg));
	if (msg == NULL) {
		return NULL;
	}
	*msg = (struct sip_msg){ .refs = 1, .max_forwards = -1, .content_length = -1 };
	memset(msg->first, 0xff, sizeof(msg->first)); /* all -1 */
	msg->arena = arena;
	return msg;
}

struct sip_msg *sip_msg_ref(struct sip_msg *msg)
{
	msg->refs++;
	return msg;
}

void sip_msg_unref(struct sip_msg **msgp)
{
	struct sip_msg *msg = *msgp;
	struct arena arena;

	*msgp = NULL;
	if (msg == NULL || --msg->refs > 0) {
		return;
	}
	if (msg->buf) {
		msgbuf_unref(&msg->buf, msg->self);
	}
	arena = msg->arena; /* the message itself lives in it */
	arena_fini(&arena);
}

/* Room for one more; *cap is a power of two. */
static int grow_headers(struct sip_msg *msg, unsigned int *cap)
{
	unsigned int more = *cap ? *cap * 2 : HEADERS_FIRST;
	struct sip_header *headers = arena_alloc(&msg->arena, more * sizeof(*headers));

	if (headers == NULL) {
		return -ENOMEM;
	}
	if (*cap) {
		memcpy(headers, msg->headers, *cap * sizeof(*headers));
	}
	msg->headers = headers;
	*cap = more;
	return 0;
}

static void record_field(struct sip_msg *msg, const struct sip_field *field)
{
	uint16_t index = msg->headers_n++;
	struct sip_header *h = &msg->headers[index];
	enum sip_hdr id = field->id;

	h->id = (uint16_t)id;
	h->name_n = (uint16_t)field->name.n;
	h->off = (uint32_t)(field->name.p - msg->text.p);
	h->value_off = (uint32_t)(field->value.p - msg->text.p);
	h->value_n = (uint32_t)field->value.n;
	h->next_off = (uint32_t)(field->next - msg->text.p);
	if (id == SIP_H_OTHER) {
		return;
	}
	if (msg->first[id] < 0) {
		msg->first[id] = (int16_t)index;
		if (sip_hdr_flags[id] & SIP_HF_DECODE) {
			sip_msg_decode(msg, index);
		}
	} else if (id == SIP_H_VIA) {
		sip_msg_count_vias(msg, field->value);
	} else if (sip_hdr_flags[id] & SIP_HF_SINGLE) {
		sip_msg_refuse(msg, 400, sip_hdr_duplicate(id));
	}
}

/* From @p, the first header field, to behind the empty line. */
static int parse_fields(struct sip_msg *msg, const char *p, const char *end)
{
	unsigned int cap = 0;
	struct sip_field field;
	int got;

	while (p == end || *p != '\r' || !sip_is_crlf(p, end)) {
		got = sip_field_take(p, end, &field);
		if (got == 0) {
			sip_msg_refuse(msg, 400, "Incomplete Header");
			msg->body_off = (uint32_t)msg->text.n;
			return 0;
		}
		p = field.next;
		if (got < 0) {
			sip_msg_refuse(msg, 400, "Bad Header Field");
			continue;
		}
		if (msg->headers_n == SIP_HEADERS_MAX) {
			sip_msg_refuse(msg, 400, "Too Many Header Fields");
			continue;
		}
		if (msg->headers_n == cap && grow_headers(msg, &cap)) {
			return -ENOMEM;
		}
		record_field(msg, &field);
	}
	msg->body_off = (uint32_t)(p + 2 - msg->text.p);
	return 0;
}

static void check_mandatory(struct sip_msg *msg)
{
	static const struct {
		enum sip_hdr id;
		const char *why;
	} needed[] = {
		{ SIP_H_VIA, "Missing Via" },   { SIP_H_FROM, "Missing From" },
		{ SIP_H_TO, "Missing To" },     { SIP_H_CALL_ID, "Missing Call-ID" },
		{ SIP_H_CSEQ, "Missing CSeq" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (msg->first[needed[i].id] < 0) {
			sip_msg_refuse(msg, 400, needed[i].why);
		}
	}
}

/* RFC 3261 18.3: a datagram may be longer than the message in it, but not shorter. */
static void delimit_body(struct sip_msg *msg, int flags)
{
	size_t there = msg->text.n - msg->body_off, length = there;

	if (msg->content_length >= 0) {
		length = (size_t)msg->content_length;
	} else if ((flags & SIP_PARSE_STREAM) && msg->first[SIP_H_CONTENT_LENGTH] < 0) {
		sip_msg_refuse(msg, 400, "Missing Content-Length");
	}
	if (length > there) {
		sip_msg_refuse(msg, 400, "Bad Content-Length");
		length = there;
	}
	msg->body = str_make(msg->text.p + msg->body_off, length);
	msg->body_cut = length < there;
	msg->text.n = msg->body_off + length;
}

/* 0: parsed, perhaps with error set. BELFRY_EPARSE: this is no SIP. */
static int parse(struct sip_msg *msg, struct str text, int flags)
{
	const char *p = text.p, *end, *eol;

	if (text.n == 0 || text.n > SIP_MSG_MAX) {
		return BELFRY_EPARSE;
	}
	end = p + text.n;
	while (sip_is_crlf(p, end)) { /* 7.5 */
		p += 2;
	}
	msg->text = sip_slice(p, end);
	eol = sip_find_eol(p, end);
	if (!sip_is_crlf(eol, end) || !sip_start_line(msg, sip_slice(p, eol))) {
		return BELFRY_EPARSE;
	}
	msg->headers_off = (uint32_t)(eol + 2 - p);
	if (parse_fields(msg, eol + 2, end)) {
		return -ENOMEM;
	}
	check_mandatory(msg);
	delimit_body(msg, flags);
	return 0;
}

static int finish(struct sip_msg *msg, int err, struct sip_msg **msg_r)
{
	if (err == 0 && msg->error == 0) {
		*msg_r = msg;
		return 0;
	}
	/* Can anything be said about it to anyone? */
	if (err == 0 && msg->is_request && msg->via.host.n) {
		*msg_r = msg;
		return BELFRY_EPARSE;
	}
	sip_msg_unref(&msg);
	return err ? err : BELFRY_EPARSE;
}

int sip_msg_parse(struct msgbuf *buf, size_t n, int flags, struct arena_pool *pool,
                  struct msgbuf_pool *self, struct sip_msg **msg_r)
{
	struct sip_msg *msg = msg_new(pool);

	*msg_r = NULL;
	if (msg == NULL) {
		msgbuf_unref(&buf, self);
		return -ENOMEM;
	}
	msg->buf = buf;
	msg->self = self;
	return finish(msg, parse(msg, str_make(buf->data, n), flags), msg_r);
}

int sip_msg_parse_text(struct str text, int flags, struct sip_msg **msg_r)
{
	struct sip_msg *msg = msg_new(NULL);

	*msg_r = NULL;
	return msg ? finish(msg, parse(msg, text, flags), msg_r) : -ENOMEM;
}
