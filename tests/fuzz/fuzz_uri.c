/* SPDX-License-Identifier: Apache-2.0 */
/* Two URIs, one a line: parsed, compared, turned into an address-of-record and into a target. */
#include "sip/uri.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_aor(const struct sip_uri *uri)
{
	char out[SIP_AOR_MAX];
	struct str aor = sip_uri_aor(uri, out, sizeof(out));

	MUST(aor.n <= sizeof(out));
	for (size_t i = 0; i < aor.n; i++) {
		MUST((unsigned char)aor.p[i] >= ' ' && aor.p[i] != 127);
	}
	MUST(aor.n == 0 || memchr(aor.p, '@', aor.n));
}

static void check_target(const struct sip_uri *uri)
{
	static const struct str drop[] = { STR_INIT("gr"), STR_INIT("transport") };
	struct sip_uri again;
	struct arena arena;
	struct str target, value;

	arena_init(&arena, NULL);
	target = sip_uri_as_target(&arena, uri, drop, 2);
	MUST(target.n > 0 && target.n <= uri->text.n);
	MUST(sip_uri_parse(target, &again, NULL) == 0);
	if (uri->scheme != SIP_URI_OTHER) {
		MUST(again.headers.p == NULL);
		MUST(!sip_uri_param(&again, STR("METHOD"), &value));
		MUST(!sip_uri_param(&again, STR("gr"), &value));
		MUST(str_eq(again.user, uri->user) && str_eq(again.host, uri->host));
	}
	arena_fini(&arena);
}

static void check_escape(struct str user)
{
	struct arena arena;
	struct str escaped;
	char *out = malloc(user.n + 1);

	arena_init(&arena, NULL);
	escaped = sip_escape_user(&arena, user);
	MUST(sip_unescape(escaped, out, user.n) == (ptrdiff_t)user.n);
	MUST(user.n == 0 || memcmp(out, user.p, user.n) == 0);
	arena_fini(&arena);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size), first, second;
	struct sip_uri a, b;
	const char *why = NULL;

	str_cut(text, '\n', &first, &second);
	check_escape(first);
	if (sip_uri_parse(first, &a, &why)) {
		MUST(why != NULL);
		return 0;
	}
	MUST(sip_uri_eq(&a, &a));
	check_aor(&a);
	check_target(&a);
	if (sip_uri_parse(second, &b, NULL) == 0) {
		MUST(sip_uri_eq(&a, &b) == sip_uri_eq(&b, &a));
		MUST(sip_host_eq(a.host, b.host) == sip_host_eq(b.host, a.host));
	}
	return 0;
}
