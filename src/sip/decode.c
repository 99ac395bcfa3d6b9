/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that routing needs, decoded while the message is parsed. */
#include "sip/scan.h"
#include "sip/token.h"

void sip_msg_count_vias(struct sip_msg *msg, struct str value)
{
	const char *p = value.p, *end = p + value.n;

	for (msg->vias_n++; (p = sip_value_end(p, end)) < end; p++) {
		msg->vias_n++;
	}
	if (msg->vias_n > SIP_VIAS_MAX) {
		sip_msg_refuse(msg, 400, "Too Many Via Values");
	}
}

static void decode_top_via(struct sip_msg *msg, uint16_t index, struct str value)
{
	const char *end = value.p + value.n, *value_end = sip_value_end(value.p, end);

	if (value_end == end) {
		msg->vias_n++;
	} else {
		sip_msg_count_vias(msg, value);
		while (value_end > value.p && sip_is(value_end[-1], SIP_C_LWS)) {
			value_end--;
		}
	}
	msg->via_header = index;
	msg->via_off = (uint32_t)(value.p - msg->text.p);
	msg->via_end = (uint32_t)(value_end - msg->text.p);
	if (sip_via_parse(sip_slice(value.p, value_end), &msg->via)) {
		sip_msg_refuse(msg, 400, "Bad Via");
	}
}

static void decode_from(struct sip_msg *msg, struct str value)
{
	struct sip_addr addr;

	if (sip_addr_scan(value, &addr, &msg->from_tag)) {
		sip_msg_refuse(msg, 400, "Bad From");
	} else {
		msg->from_uri_text = addr.uri_text;
	}
}

static void decode_to(struct sip_msg *msg, struct str value)
{
	struct sip_addr addr;

	if (sip_addr_scan(value, &addr, &msg->to_tag)) {
		sip_msg_refuse(msg, 400, "Bad To");
	} else {
		msg->to_uri_text = addr.uri_text;
	}
}

/* Tolerant: printable and without white space is enough. */
static void decode_call_id(struct sip_msg *msg, struct str value)
{
	msg->call_id = value;
	if (value.n == 0 || sip_has_blank(value.p, value.p + value.n)) {
		sip_msg_refuse(msg, 400, "Bad Call-ID");
	}
}

static void decode_cseq(struct sip_msg *msg, struct str value)
{
	struct sip_cseq cseq;

	if (sip_cseq_parse(value, &cseq)) {
		sip_msg_refuse(msg, 400, "Bad CSeq");
		return;
	}
	msg->cseq = cseq.number;
	msg->cseq_method = cseq.method;
	if (!msg->is_request) {
		msg->method = (uint8_t)sip_method_find(cseq.method);
		msg->method_text = cseq.method;
	} else if (!str_eq(cseq.method, msg->method_text)) {
		sip_msg_refuse(msg, 400, "CSeq Method Mismatch");
	}
}

static void decode_max_forwards(struct sip_msg *msg, struct str value)
{
	uint32_t n;

	if (sip_delta_parse(value, &n)) {
		sip_msg_refuse(msg, 400, "Bad Max-Forwards");
		return;
	}
	msg->max_forwards = (int16_t)(n > 255 ? 255 : n);
}

static void decode_content_length(struct sip_msg *msg, struct str value)
{
	uint32_t n;

	if (sip_delta_parse(value, &n) || n > INT32_MAX) {
		sip_msg_refuse(msg, 400, "Bad Content-Length");
		return;
	}
	msg->content_length = (int32_t)n;
}

void sip_msg_decode(struct sip_msg *msg, uint16_t index)
{
	struct str value = sip_msg_value(msg, index);

	switch (msg->headers[index].id) {
	case SIP_H_VIA: decode_top_via(msg, index, value); break;
	case SIP_H_FROM: decode_from(msg, value); break;
	case SIP_H_TO: decode_to(msg, value); break;
	case SIP_H_CALL_ID: decode_call_id(msg, value); break;
	case SIP_H_CSEQ: decode_cseq(msg, value); break;
	case SIP_H_MAX_FORWARDS: decode_max_forwards(msg, value); break;
	case SIP_H_CONTENT_LENGTH: decode_content_length(msg, value); break;
	default: break;
	}
}
