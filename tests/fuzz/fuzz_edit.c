/* SPDX-License-Identifier: Apache-2.0 */
/* A message, of which the last bytes say what to edit: what comes out has those values less, and
 * all others in their order. */
#include "sip/edit.h"

#include "must.h"

#define VALUES_MAX 64
#define STEPS      8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum sip_hdr lists[] = { SIP_H_ROUTE, SIP_H_VIA, SIP_H_CONTACT, SIP_H_SUPPORTED };

static unsigned int all_values(const struct sip_msg *msg, enum sip_hdr id, struct sip_values *v)
{
	struct sip_values it;
	unsigned int n = 0;

	sip_values_init(&it, msg, id);
	while (n < VALUES_MAX && sip_values_next(&it)) {
		v[n++] = it;
	}
	return n;
}

/* The edited message is @got: it has the values of @before that are not @gone. */
static void compare(struct sip_msg *before, enum sip_hdr id, const bool *gone, struct sip_msg *got)
{
	struct sip_values was[VALUES_MAX], is[VALUES_MAX];
	unsigned int was_n = all_values(before, id, was), is_n = all_values(got, id, is), at = 0;

	for (unsigned int i = 0; i < was_n; i++) {
		if (!gone[i]) {
			MUST(at < is_n && str_eq(is[at].value, was[i].value));
			at++;
		}
	}
	MUST(at == is_n || was_n == VALUES_MAX);
	MUST(str_eq(before->body, got->body));
}

static void edit(struct sip_msg *msg, const uint8_t *ops)
{
	enum sip_hdr id = lists[ops[0] % 4];
	struct sip_values v[VALUES_MAX];
	bool gone[VALUES_MAX] = { false };
	unsigned int n = all_values(msg, id, v);
	struct sip_edits e, copy;
	struct sip_out out;
	struct sip_msg *got;
	char *text;

	sip_edits_init(&e, msg, &msg->arena);
	for (int i = 1; n && i < STEPS; i++) {
		sip_edit_remove_value(&e, &v[ops[i] % n]);
		gone[ops[i] % n] = true;
		if (ops[i] & 0x40) {
			sip_edit_append(&e, STR("Foo: bar\r\n"));
		}
		if (ops[i] & 0x80) {
			sip_edit_insert(&e, id, STR("Foo: bar\r\n"));
		}
	}
	sip_edits_copy(&copy, &e, &msg->arena);
	MUST(sip_edits_out(&copy, &msg->arena, &out) == 0 && out.iov_n <= SIP_OUT_SPANS_MAX);
	text = malloc(out.len);
	MUST(sip_out_copy(&out, text, out.len) == out.len);
	if (out.len <= SIP_MSG_MAX &&
	    (sip_msg_parse_text(str_make(text, out.len), 0, &got) == 0 || got)) {
		compare(msg, id, gone, got);
		sip_msg_unref(&got);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_msg *msg;

	if (size < STEPS ||
	    sip_msg_parse_text(str_make((const char *)data, size - STEPS), 0, &msg)) {
		if (size >= STEPS) {
			sip_msg_unref(&msg);
		}
		return 0;
	}
	edit(msg, data + size - STEPS);
	sip_msg_unref(&msg);
	return 0;
}
