/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/uri.h"

#include "sip/token.h"
#include "util/err.h"

static int fail(const char **error_r, const char *why)
{
	if (error_r) {
		*error_r = why;
	}
	return BELFRY_EPARSE;
}

/* user [ ":" password ], all of [p, at). */
static int parse_userinfo(struct sip_uri *uri, const char *p, const char *at, const char **error_r)
{
	const char *end = sip_span_escaped(p, at, SIP_C_USER);

	if (end == p) {
		return fail(error_r, "no user before @");
	}
	uri->has_user = true;
	uri->user = sip_slice(p, end);
	if (end == at) {
		return 0;
	}
	if (*end != ':') {
		return fail(error_r, "bad character in user");
	}
	p = end + 1;
	if (sip_span_escaped(p, at, SIP_C_PASSWORD) != at) {
		return fail(error_r, "bad character in password");
	}
	uri->password = sip_slice(p, at);
	return 0;
}

/* *( ";" name [ "=" value ] ); where they end, NULL if one is bad. */
static const char *params_end(const char *p, const char *end)
{
	while (p < end && *p == ';') {
		const char *name = ++p;

		p = sip_span_escaped(p, end, SIP_C_URI_PARAM);
		if (p == name) {
			return NULL;
		}
		if (p < end && *p == '=') {
			p = sip_span_escaped(p + 1, end, SIP_C_URI_PARAM);
		}
	}
	return p;
}

static int parse_sip(struct sip_uri *uri, const char *p, const char *end, const char **error_r)
{
	const char *at = memchr(p, '@', (size_t)(end - p)), *next;

	if (at) {
		int err = parse_userinfo(uri, p, at, error_r);

		if (err) {
			return err;
		}
		p = at + 1;
	}
	next = sip_host_end(p, end);
	if (next == NULL) {
		return fail(error_r, "bad host");
	}
	uri->host = sip_slice(p, next);
	p = next;
	if (p < end && *p == ':') {
		p = sip_port_end(p + 1, end, &uri->port);
		if (p == NULL) {
			return fail(error_r, "bad port");
		}
	}
	next = params_end(p, end);
	if (next == NULL) {
		return fail(error_r, "bad parameter");
	}
	uri->params = sip_slice(p, next);
	p = next;
	if (p < end && *p == '?') {
		next = sip_span_escaped(++p, end, SIP_C_URI_HEADER);
		uri->headers = sip_slice(p, next);
		p = next;
	}
	return p == end ? 0 : fail(error_r, "bad character");
}

/* RFC 3966 3: digits with visual separators, or a local number with the letters and signs it may
 * have; then parameters. */
static int parse_tel(struct sip_uri *uri, const char *p, const char *end, const char **error_r)
{
	const char *begin = p;
	bool digits = false;

	p += p < end && *p == '+';
	for (; p < end && *p != ';'; p++) {
		unsigned char c = (unsigned char)*p;
		bool local = *begin != '+' && (ascii_hex_value(c) >= 0 || c == '*' || c == '#');

		if (ascii_is_digit(c) || local) {
			digits = true;
		} else if (c != '-' && c != '.' && c != '(' && c != ')') {
			return fail(error_r, "bad character in number");
		}
	}
	if (!digits) {
		return fail(error_r, "no number");
	}
	uri->has_user = true;
	uri->user = sip_slice(begin, p);
	uri->params = sip_slice(p, end);
	return params_end(p, end) == end ? 0 : fail(error_r, "bad parameter");
}

/* Nothing that could not stand in a Request-URI or between < and >. */
static int check_other(const char *p, const char *end, const char **error_r)
{
	if (p == end) {
		return fail(error_r, "nothing behind the scheme");
	}
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c <= ' ' || c >= 127 || c == '<' || c == '>' || c == '"') {
			return fail(error_r, "bad character");
		}
	}
	return 0;
}

static const char *scheme_end(const char *p, const char *end)
{
	if (p == end || !ascii_is_alpha((unsigned char)*p)) {
		return NULL;
	}
	for (; p < end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == ':') {
			return p;
		}
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '+' && c != '-' && c != '.') {
			break;
		}
	}
	return NULL;
}

static enum sip_scheme scheme_find(const char *p, size_t n)
{
	char lower[4];

	if (n != 3 && n != 4) {
		return SIP_URI_OTHER;
	}
	for (size_t i = 0; i < n; i++) {
		lower[i] = (char)ascii_lower((unsigned char)p[i]);
	}
	if (memcmp(lower, "sip", 3) == 0) {
		return n == 3 ? SIP_URI_SIP : lower[3] == 's' ? SIP_URI_SIPS : SIP_URI_OTHER;
	}
	return n == 3 && memcmp(lower, "tel", 3) == 0 ? SIP_URI_TEL : SIP_URI_OTHER;
}

int sip_uri_parse(struct str text, struct sip_uri *uri_r, const char **error_r)
{
	const char *end, *colon;

	*uri_r = (struct sip_uri){ .text = text };
	if (text.n == 0) {
		return fail(error_r, "no scheme");
	}
	end = text.p + text.n;
	colon = scheme_end(text.p, end);
	if (colon == NULL) {
		return fail(error_r, "no scheme");
	}
	uri_r->scheme_text = sip_slice(text.p, colon);
	uri_r->scheme = (uint8_t)scheme_find(text.p, uri_r->scheme_text.n);
	switch (uri_r->scheme) {
	case SIP_URI_SIP:
	case SIP_URI_SIPS: return parse_sip(uri_r, colon + 1, end, error_r);
	case SIP_URI_TEL: return parse_tel(uri_r, colon + 1, end, error_r);
	default: return check_other(colon + 1, end, error_r);
	}
}
