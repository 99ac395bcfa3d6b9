/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/build.h"

#include "sip/token.h"
#include "util/sbuf.h"

#include <errno.h>

#define NUMBERS_MAX 128 /* bytes of fixed words and numbers in a message, at most */

/* The bytes [off, end) of @msg. */
static void add_raw(struct sbuf *b, const struct sip_msg *msg, size_t off, size_t end)
{
	sbuf_add(b, str_make(msg->text.p + off, end - off));
}

static size_t value_end(const struct sip_header *h)
{
	return (size_t)h->value_off + h->value_n;
}

static const struct sip_header *find(const struct sip_msg *msg, enum sip_hdr id)
{
	return msg->first[id] >= 0 ? &msg->headers[msg->first[id]] : NULL;
}

/* The field as it was, if it is there. */
static void add_field(struct sbuf *b, const struct sip_msg *msg, enum sip_hdr id)
{
	const struct sip_header *h = find(msg, id);

	if (h) {
		add_raw(b, msg, h->off, h->next_off);
	}
}

static size_t field_n(const struct sip_msg *msg, enum sip_hdr id)
{
	const struct sip_header *h = find(msg, id);

	return h ? h->next_off - h->off : 0;
}

/* A Via value without received and rport. */
static void add_stripped_via(struct sbuf *b, const struct sip_via *via)
{
	struct str rest = via->params, name, value;

	if (rest.p == NULL) {
		sbuf_add(b, via->text);
		return;
	}
	sbuf_add(b, str_make(via->text.p, (size_t)(rest.p - via->text.p)));
	while (rest.n) {
		const char *begin = rest.p;

		if (!sip_param_next(&rest, &name, &value)) {
			break;
		}
		if (!sip_is_word(name, "received", 8) && !sip_is_word(name, "rport", 5)) {
			sbuf_add(b, str_make(begin, (size_t)(rest.p - begin)));
		}
	}
	sbuf_add(b, rest); /* what cannot be read stays */
}

static void add_vias(struct sbuf *b, const struct sip_msg *msg, struct str extra)
{
	int i = msg->first[SIP_H_VIA];

	if (i >= 0 && extra.n) {
		const struct sip_header *h = &msg->headers[i];

		add_raw(b, msg, h->off, msg->via_off);
		add_stripped_via(b, &msg->via);
		sbuf_add(b, extra);
		add_raw(b, msg, msg->via_end, h->next_off);
		i = sip_msg_next(msg, SIP_H_VIA, i);
	}
	for (; i >= 0; i = sip_msg_next(msg, SIP_H_VIA, i)) {
		add_raw(b, msg, msg->headers[i].off, msg->headers[i].next_off);
	}
}

static size_t vias_n(const struct sip_msg *msg)
{
	size_t n = 0;

	for (int i = msg->first[SIP_H_VIA]; i >= 0; i = sip_msg_next(msg, SIP_H_VIA, i)) {
		n += msg->headers[i].next_off - msg->headers[i].off;
	}
	return n;
}

static void add_to(struct sbuf *b, const struct sip_msg *msg, struct str tag)
{
	const struct sip_header *h = find(msg, SIP_H_TO);

	if (h && tag.n && msg->to_tag.n == 0) {
		add_raw(b, msg, h->off, value_end(h));
		sbuf_add(b, STR(";tag="));
		sbuf_add(b, tag);
		sbuf_add(b, STR("\r\n"));
	} else {
		add_field(b, msg, SIP_H_TO);
	}
}

static void add_length(struct sbuf *b, struct str body)
{
	sbuf_add(b, STR("Content-Length: "));
	sbuf_u64(b, body.n);
	sbuf_add(b, STR("\r\n\r\n"));
	sbuf_add(b, body);
}

/* Space for one message in one span. */
static int begin(struct sbuf *b, struct arena *arena, size_t cap, struct sip_out *out_r)
{
	char *space;

	out_r->iov = arena_alloc(arena, sizeof(*out_r->iov) + cap);
	if (out_r->iov == NULL) {
		return -ENOMEM;
	}
	space = (char *)(out_r->iov + 1);
	sbuf_init(b, space, cap);
	return 0;
}

static int finish(const struct sbuf *b, struct sip_out *out_r)
{
	if (!sbuf_ok(b)) {
		return -ENOSPC;
	}
	*out_r->iov = (struct iovec){ .iov_base = b->p, .iov_len = b->n };
	out_r->iov_n = 1;
	out_r->len = b->n;
	return 0;
}

int sip_build_reply(const struct sip_msg *req, const struct sip_reply *reply, struct arena *arena,
                    struct sip_out *out_r)
{
	struct str reason = reply->reason.n ? reply->reason : sip_reason_phrase(reply->code);
	size_t cap = NUMBERS_MAX + reason.n + vias_n(req) + reply->via_extra.n +
	             field_n(req, SIP_H_FROM) + field_n(req, SIP_H_TO) + reply->to_tag.n +
	             field_n(req, SIP_H_CALL_ID) + field_n(req, SIP_H_CSEQ) +
	             field_n(req, SIP_H_TIMESTAMP) + reply->headers.n + reply->body.n;
	struct sbuf b;
	int err = begin(&b, arena, cap, out_r);

	if (err) {
		return err;
	}
	sbuf_add(&b, STR("SIP/2.0 "));
	sbuf_u64(&b, (uint64_t)reply->code);
	sbuf_char(&b, ' ');
	sbuf_add(&b, reason);
	sbuf_add(&b, STR("\r\n"));
	add_vias(&b, req, reply->via_extra);
	add_field(&b, req, SIP_H_FROM);
	add_to(&b, req, reply->code == 100 ? STR_NONE : reply->to_tag);
	add_field(&b, req, SIP_H_CALL_ID);
	add_field(&b, req, SIP_H_CSEQ);
	if (reply->code == 100) {
		add_field(&b, req, SIP_H_TIMESTAMP); /* 8.2.6.1 */
	}
	sbuf_add(&b, reply->headers);
	add_length(&b, reply->body);
	return finish(&b, out_r);
}

struct str sip_via_received_params(struct arena *arena, const struct sip_via *via,
                                   struct str source_ip, uint16_t source_port)
{
	const struct str name = STR(";received="), rport = STR(";rport=");
	size_t cap = name.n + source_ip.n + rport.n + 5;
	struct sbuf b;
	char *space;

	if (!via->has_rport && via->received.p == NULL && sip_host_eq(via->host, source_ip)) {
		return STR("");
	}
	space = arena_alloc(arena, cap);
	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, cap);
	sbuf_add(&b, name);
	sbuf_add(&b, source_ip);
	if (via->has_rport) { /* RFC 3581 4: both, even when nothing differs */
		sbuf_add(&b, rport);
		sbuf_u64(&b, source_port);
	}
	return sbuf_str(&b);
}

struct str sip_via_with_received(struct arena *arena, const struct sip_via *via,
                                 struct str source_ip, uint16_t source_port)
{
	struct str extra = sip_via_received_params(arena, via, source_ip, source_port);
	struct sbuf b;
	char *space;

	if (extra.n == 0) {
		return extra.p ? via->text : STR_NONE;
	}
	space = arena_alloc(arena, via->text.n + extra.n);
	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, via->text.n + extra.n);
	add_stripped_via(&b, via);
	sbuf_add(&b, extra);
	return sbuf_str(&b);
}

/* CANCEL and ACK of an INVITE that was sent on a branch. */
static int build_hop(const struct sip_msg *req, const struct sip_hop_request *hop,
                     struct str method, struct arena *arena, struct sip_out *out_r)
{
	struct str to = hop->to_value.n ? hop->to_value : sip_msg_header(req, SIP_H_TO);
	size_t cap = NUMBERS_MAX + hop->ruri.n + hop->via.n + hop->route_lines.n +
	             field_n(req, SIP_H_FROM) + to.n + field_n(req, SIP_H_CALL_ID) + hop->extra.n;
	struct sbuf b;
	int err = begin(&b, arena, cap, out_r);

	if (err) {
		return err;
	}
	sbuf_add(&b, method);
	sbuf_char(&b, ' ');
	sbuf_add(&b, hop->ruri);
	sbuf_add(&b, STR(" SIP/2.0\r\n"));
	sbuf_add(&b, hop->via);
	sbuf_add(&b, hop->route_lines);
	sbuf_add(&b, STR("Max-Forwards: "));
	sbuf_u64(&b, (uint64_t)hop->max_forwards);
	sbuf_add(&b, STR("\r\n"));
	add_field(&b, req, SIP_H_FROM);
	sbuf_add(&b, STR("To: "));
	sbuf_add(&b, to);
	sbuf_add(&b, STR("\r\n"));
	add_field(&b, req, SIP_H_CALL_ID);
	sbuf_add(&b, STR("CSeq: "));
	sbuf_u64(&b, req->cseq);
	sbuf_char(&b, ' ');
	sbuf_add(&b, method);
	sbuf_add(&b, STR("\r\n"));
	sbuf_add(&b, hop->extra);
	add_length(&b, STR_NONE);
	return finish(&b, out_r);
}

int sip_build_cancel(const struct sip_msg *req, const struct sip_hop_request *hop,
                     struct arena *arena, struct sip_out *out_r)
{
	return build_hop(req, hop, STR("CANCEL"), arena, out_r);
}

int sip_build_ack(const struct sip_msg *req, const struct sip_hop_request *hop, struct arena *arena,
                  struct sip_out *out_r)
{
	return build_hop(req, hop, STR("ACK"), arena, out_r);
}

struct str sip_build_unsupported(const struct sip_msg *req, enum sip_hdr id,
                                 sip_is_known_cb *is_known, struct arena *arena)
{
	struct sip_values it;
	struct sbuf b = { 0 };

	sip_values_init(&it, req, id);
	while (sip_values_next(&it)) {
		if (is_known && is_known(it.value)) {
			continue;
		}
		if (!b.p) {
			/* Of "a,b" becomes "a, b". */
			size_t cap = 2 * req->text.n + 32;
			char *space = arena_alloc(arena, cap);

			if (!space) {
				return STR_NONE;
			}
			sbuf_init(&b, space, cap);
		}
		sbuf_add(&b, b.n ? STR(", ") : STR("Unsupported: "));
		sbuf_add(&b, it.value);
	}
	if (!b.p) {
		return STR("");
	}
	sbuf_add(&b, STR("\r\n"));
	return sbuf_str(&b);
}
