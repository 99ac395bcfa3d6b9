/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/addr.h"
#include "sip/token.h"

int sip_auth_parse(struct str value, struct sip_auth_params *auth_r)
{
	const char *p, *end, *rest;

	*auth_r = (struct sip_auth_params){ 0 };
	if (value.n == 0) {
		return BELFRY_EPARSE;
	}
	end = value.p + value.n;
	p = sip_span(value.p, end, SIP_C_TOKEN);
	rest = sip_skip_lws(p, end);
	if (p == value.p || rest == p) {
		return BELFRY_EPARSE;
	}
	auth_r->scheme = sip_slice(value.p, p);
	auth_r->rest = sip_slice(rest, end);
	return 0;
}

int sip_auth_next(struct sip_auth_params *auth, struct str *name_r, struct str *value_r)
{
	const char *p = auth->rest.p, *end, *begin;

	if (auth->rest.n == 0) {
		return 0;
	}
	end = p + auth->rest.n;
	begin = p = sip_span(p, end, SIP_C_LWS);
	p = sip_span(p, end, SIP_C_TOKEN);
	*name_r = sip_slice(begin, p);
	p = sip_skip_lws(p, end);
	if (name_r->n == 0 || p == end || *p != '=') {
		return BELFRY_EPARSE;
	}
	begin = sip_skip_lws(p + 1, end);
	p = begin < end && *begin == '"' ? sip_quoted_end(begin, end) : sip_span_value(begin, end);
	if (p == NULL || p == begin) {
		return BELFRY_EPARSE;
	}
	*value_r = sip_slice(begin, p);
	p = sip_skip_lws(p, end);
	if (p < end && *p != ',') {
		return BELFRY_EPARSE;
	}
	if (p < end) { /* a comma needs something behind it */
		p = sip_skip_lws(p + 1, end);
		if (p == end) {
			return BELFRY_EPARSE;
		}
	}
	auth->rest = sip_slice(p, end);
	return 1;
}

struct str sip_unquote(struct arena *arena, struct str text)
{
	struct str inner;
	char *out, *p;

	if (text.n < 2 || text.p[0] != '"' || text.p[text.n - 1] != '"') {
		return text;
	}
	inner = str_make(text.p + 1, text.n - 2);
	if (memchr(inner.p, '\\', inner.n) == NULL) {
		return inner;
	}
	out = p = arena_alloc(arena, inner.n);
	if (out == NULL) {
		return STR_NONE;
	}
	for (size_t i = 0; i < inner.n; i++) {
		if (inner.p[i] == '\\' && i + 1 < inner.n) {
			i++;
		}
		*p++ = inner.p[i];
	}
	return sip_slice(out, p);
}
