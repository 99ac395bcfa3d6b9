/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram, stream message or frame: parsed, peeked at, all its values decoded, answered. */
#include "sip/addr.h"
#include "sip/build.h"
#include "util/err.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of the head belongs to the start line, to one field or to a line that is none. */
static void check_fields(const struct sip_msg *msg)
{
	uint32_t at = msg->headers_off;

	for (int i = 0; i < msg->headers_n; i++) {
		const struct sip_header *h = &msg->headers[i];

		MUST(h->off >= at && h->off + h->name_n < h->value_off + h->value_n + 1);
		MUST(h->value_off + h->value_n + 2 <= h->next_off);
		MUST(msg->error || h->off == at);
		at = h->next_off;
	}
	MUST(at <= msg->body_off && msg->body_off <= msg->text.n);
	MUST(msg->error || at + 2 == msg->body_off);
	MUST(msg->body.p + msg->body.n == msg->text.p + msg->text.n);
}

static void decode_values(const struct sip_msg *msg)
{
	struct sip_values it;
	struct sip_addr addr;
	struct sip_via via;
	char aor[SIP_AOR_MAX];

	for (int id = SIP_H_OTHER + 1; id < SIP_H_COUNT; id++) {
		sip_values_init(&it, msg, (enum sip_hdr)id);
		while (sip_values_next(&it)) {
			MUST(it.value.n > 0 && it.end - it.off == it.value.n);
			sip_via_parse(it.value, &via);
			if (sip_addr_parse(it.value, &addr, NULL) == 0) {
				sip_uri_aor(&addr.uri, aor, sizeof(aor));
			}
		}
	}
}

static void check_peek(const struct sip_msg *msg, struct str text)
{
	struct sip_peek peek;

	if (sip_msg_peek(text, &peek)) {
		MUST(peek.is_request == msg->is_request);
		MUST(!msg->is_request || str_eq(peek.call_id, msg->call_id));
		MUST(str_eq(peek.via_branch, msg->via.branch));
		MUST(!peek.to.p || str_eq(peek.to, sip_msg_header(msg, SIP_H_TO)));
	}
}

static void answer(struct sip_msg *msg)
{
	struct sip_reply reply = { .code = msg->error ? msg->error : 404, .to_tag = STR("tag") };
	struct sip_msg *resp;
	struct sip_out out;

	reply.via_extra = sip_via_received_params(&msg->arena, &msg->via, STR("192.0.2.1"), 5060);
	MUST(reply.via_extra.p != NULL);
	MUST(sip_build_reply(msg, &reply, &msg->arena, &out) == 0 && out.iov_n == 1);
	if (sip_msg_parse_text(str_make(out.iov->iov_base, out.len), SIP_PARSE_STREAM, &resp)) {
		MUST(msg->error || msg->text.n > SIP_MSG_MAX / 2);
		return;
	}
	MUST(!resp->is_request && resp->status == reply.code);
	MUST(str_eq(resp->call_id, msg->call_id) && resp->cseq == msg->cseq);
	/* A Via with a broken rport is read up to there; the answer's has a good one instead. */
	MUST(msg->error || str_eq(resp->via.branch, msg->via.branch));
	MUST(resp->vias_n == msg->vias_n);
	sip_msg_unref(&resp);
}

static void parse(struct str text, int flags)
{
	struct sip_msg *msg;
	struct sip_edits edits;
	struct sip_out out;
	int err = sip_msg_parse_text(text, flags, &msg);

	if (msg == NULL) {
		MUST(err == BELFRY_EPARSE);
		return;
	}
	MUST((err == 0) == (msg->error == 0));
	check_fields(msg);
	decode_values(msg);
	if (msg->is_request) {
		answer(msg);
	}
	if (err == 0) {
		check_peek(msg, text);
		sip_edits_init(&edits, msg, &msg->arena);
		MUST(sip_edits_out(&edits, &msg->arena, &out) == 0 && out.iov_n == 1);
		MUST(out.iov->iov_base == (const void *)msg->text.p && out.len == msg->text.n);
	}
	sip_msg_unref(&msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);

	parse(text, 0);
	parse(text, SIP_PARSE_STREAM);
	return 0;
}
