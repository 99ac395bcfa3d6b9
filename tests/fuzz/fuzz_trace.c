/* SPDX-License-Identifier: Apache-2.0 */
/* A message as anybody may have sent it, about to be shown: what proves a password is masked. */
#include "ctl/redact.h"
#include "ctl/trace_filter.h"
#include "sip/addr.h"
#include "sip/msg.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_proof(const struct sip_msg *msg, struct str value, const char *shown)
{
	struct sip_auth_params auth;
	struct str name, v;

	if (sip_auth_parse(value, &auth) || !str_eq_nocase(auth.scheme, STR("Digest"))) {
		return;
	}
	while (sip_auth_next(&auth, &name, &v) == 1) {
		for (size_t i = 0; str_eq_nocase(name, STR("response")) && i < v.n; i++) {
			char c = shown[v.p + i - msg->text.p];

			MUST(c == 'x' || c == '"' || c == ' ' || c == '\t' || c == '\r' ||
			     c == '\n');
		}
	}
}

static void check_fields(const struct sip_msg *msg, const char *shown)
{
	static const enum sip_hdr ids[] = { SIP_H_AUTHORIZATION, SIP_H_PROXY_AUTHORIZATION };

	for (size_t k = 0; k < 2; k++) {
		for (int i = -1; (i = sip_msg_next(msg, ids[k], i)) >= 0;) {
			check_proof(msg, sip_msg_value(msg, i), shown);
		}
	}
}

static void check_facts(struct str text)
{
	struct trace_filter filter = { .user = STR("alice@example.com") };
	struct net_addr remote = { .family = 4 };
	struct trace_facts facts;

	if (trace_facts_read(text, &facts)) {
		(void)trace_filter_call_id(&filter, &facts);
		(void)trace_filter_rest(&filter, &facts, &remote);
		filter.user = STR("alice");
		(void)trace_filter_rest(&filter, &facts, &remote);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	char *shown = malloc(size + 1);
	struct sip_msg *msg;

	MUST(shown);
	memcpy(shown, data, size);
	ctl_redact(shown, size);
	for (size_t i = 0; i < size; i++) {
		MUST(shown[i] == 'x' || shown[i] == text.p[i]);
	}
	if (sip_msg_parse_text(text, 0, &msg) == 0) {
		check_fields(msg, shown);
	}
	sip_msg_unref(&msg);
	check_facts(text);
	free(shown);
	return 0;
}
