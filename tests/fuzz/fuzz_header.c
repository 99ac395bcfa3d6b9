/* SPDX-License-Identifier: Apache-2.0 */
/* One header value through every decoder. */
#include "sip/addr.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct str part, struct str text)
{
	return part.n == 0 || (part.p >= text.p && part.p + part.n <= text.p + text.n);
}

static void check_addr(struct str text)
{
	struct sip_addr addr;
	struct str rest, name, value;

	if (sip_addr_parse(text, &addr, NULL)) {
		return;
	}
	MUST(is_inside(addr.display, text) && is_inside(addr.uri_text, text));
	MUST(is_inside(addr.params, text));
	rest = addr.params;
	while (sip_param_next(&rest, &name, &value)) {
		MUST(name.n > 0 && is_inside(value, text));
	}
	MUST(rest.n == 0); /* what the strict parser took the tolerant one takes too */
}

static void check_scalars(struct str text)
{
	struct sip_cseq cseq;
	uint16_t q;
	uint32_t s;
	int64_t t, again;
	char out[30];

	MUST(sip_q_parse(text, &q) || q <= 1000);
	sip_delta_parse(text, &s);
	MUST(sip_cseq_parse(text, &cseq) || (cseq.number <= INT32_MAX && cseq.method.n));
	if (sip_date_parse(text, &t) == 0) {
		sip_date_print(t, out);
		MUST(strlen(out) == 29);
		MUST(sip_date_parse(str_from(out), &again) == 0 && again == t);
	}
}

static void check_auth(struct str text)
{
	struct sip_auth_params auth;
	struct str name, value;
	struct arena arena;

	if (sip_auth_parse(text, &auth)) {
		return;
	}
	arena_init(&arena, NULL);
	while (sip_auth_next(&auth, &name, &value) == 1) {
		MUST(name.n > 0 && value.n > 0);
		MUST(sip_unquote(&arena, value).n <= value.n);
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct sip_via via;

	if (sip_via_parse(text, &via) == 0) {
		MUST(via.host.n > 0 && via.transport.n > 0 && is_inside(via.branch, text));
	}
	check_addr(text);
	check_scalars(text);
	check_auth(text);
	return 0;
}
