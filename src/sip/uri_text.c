/* SPDX-License-Identifier: Apache-2.0 */
/* Texts made of URIs: escapes, addresses-of-record, targets. */
#include "sip/token.h"
#include "sip/uri.h"
#include "util/sbuf.h"

#include <arpa/inet.h>
#include <errno.h>

ptrdiff_t sip_unescape(struct str in, char *out, size_t cap)
{
	size_t n = 0;

	if (in.n > 0 && in.n <= cap && memchr(in.p, '%', in.n) == NULL) {
		memcpy(out, in.p, in.n);
		return (ptrdiff_t)in.n;
	}
	for (size_t i = 0; i < in.n; i++, n++) {
		int c = (unsigned char)in.p[i];

		if (c == '%' && in.n - i > 2) {
			int high = ascii_hex_value((unsigned char)in.p[i + 1]);
			int low = ascii_hex_value((unsigned char)in.p[i + 2]);

			if (high >= 0 && low >= 0) {
				c = high << 4 | low;
				i += 2;
			}
		}
		if (n == cap) {
			return -ENOSPC;
		}
		out[n] = (char)c;
	}
	return (ptrdiff_t)n;
}

/* What RFC 3261 25.1 has as unreserved or user-unreserved; '#' is taken but not made. */
static bool is_plain_user(char c)
{
	return c != '#' && sip_is(c, SIP_C_USER);
}

struct str sip_escape_user(struct arena *arena, struct str user)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = arena_alloc(arena, user.n * 3 + 1), *p = out;

	if (out == NULL) {
		return STR_NONE;
	}
	for (size_t i = 0; i < user.n; i++) {
		unsigned char c = (unsigned char)user.p[i];

		if (is_plain_user((char)c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	return sip_slice(out, p);
}

/* An IPv6 reference in one spelling of the many. */
static void add_ip6(struct sbuf *b, struct str host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (host.n - 2 >= sizeof(text)) {
		b->overflow = true;
		return;
	}
	memcpy(text, host.p + 1, host.n - 2);
	text[host.n - 2] = '\0';
	if (inet_pton(AF_INET6, text, &addr) != 1 ||
	    inet_ntop(AF_INET6, &addr, text, sizeof(text)) == NULL) {
		b->overflow = true;
		return;
	}
	sbuf_char(b, '[');
	sbuf_add(b, str_from(text));
	sbuf_char(b, ']');
}

static void add_host(struct sbuf *b, struct str host)
{
	if (host.p[0] == '[') {
		add_ip6(b, host);
		return;
	}
	host.n -= host.n > 1 && host.p[host.n - 1] == '.';
	if (host.n > b->cap - b->n) {
		b->overflow = true;
		return;
	}
	for (const char *p = host.p, *end = p + host.n; p < end; p++) {
		b->p[b->n++] = (char)ascii_lower((unsigned char)*p);
	}
}

static bool has_control(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)p[i] < ' ' || p[i] == 127) {
			return true;
		}
	}
	return false;
}

struct str sip_uri_aor(const struct sip_uri *uri, char *out, size_t cap)
{
	struct sbuf b;
	ptrdiff_t user_n;

	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return STR_NONE;
	}
	user_n = sip_unescape(uri->user, out, cap);
	if (user_n < 0) {
		return STR_NONE;
	}
	/* An escape may stand for a control character, nothing else in a user can. */
	if ((size_t)user_n < uri->user.n && has_control(out, (size_t)user_n)) {
		return STR_NONE;
	}
	sbuf_init(&b, out, cap);
	b.n = (size_t)user_n;
	sbuf_char(&b, '@');
	add_host(&b, uri->host);
	return sbuf_ok(&b) ? sbuf_str(&b) : STR_NONE;
}

static bool is_dropped(struct str name, const struct str *drop, size_t drop_n)
{
	if (str_eq_nocase(name, STR("method"))) {
		return true;
	}
	for (size_t i = 0; i < drop_n; i++) {
		if (str_eq_nocase(name, drop[i])) {
			return true;
		}
	}
	return false;
}

struct str sip_uri_as_target(struct arena *arena, const struct sip_uri *uri, const struct str *drop,
                             size_t drop_n)
{
	struct str rest = uri->params, name, value;
	struct sbuf b;
	bool changed = uri->headers.p != NULL;
	char *out;

	if (uri->scheme == SIP_URI_OTHER || (uri->params.n == 0 && !changed)) {
		return uri->text;
	}
	out = arena_alloc(arena, uri->text.n);
	if (out == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, out, uri->text.n);
	sbuf_add(&b, sip_slice(uri->text.p, uri->params.p));
	while (rest.n) {
		const char *begin = rest.p;

		if (!sip_param_next(&rest, &name, &value)) {
			break;
		}
		if (is_dropped(name, drop, drop_n)) {
			changed = true;
		} else {
			sbuf_add(&b, sip_slice(begin, rest.p));
		}
	}
	return changed ? sbuf_str(&b) : uri->text;
}

/* Behind "sip:" or "sips:" at @p, or NULL. */
static char *behind_scheme(char *p, const char *end)
{
	size_t n = (size_t)(end - p);

	if (n >= 4 && str_eq_nocase(str_make(p, 4), STR("sip:"))) {
		return p + 4;
	}
	return n >= 5 && str_eq_nocase(str_make(p, 5), STR("sips:")) ? p + 5 : NULL;
}

/* Masks the password of the userinfo at @p, if there is one; where to go on. */
static char *mask_userinfo(char *p, const char *end)
{
	char *colon = p + (sip_span_escaped(p, end, SIP_C_USER) - p), *at;

	if (colon == end || *colon != ':') {
		return colon;
	}
	at = colon + 1 + (sip_span_escaped(colon + 1, end, SIP_C_USER) - (colon + 1));
	if (at == end || *at != '@') {
		return p; /* HOST:PORT, and perhaps another URI in the rest */
	}
	memset(colon + 1, 'x', (size_t)(at - (colon + 1)));
	return at;
}

void sip_mask_passwords(char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		char *userinfo = behind_scheme(p, end);

		p = userinfo ? mask_userinfo(userinfo, end) : p + 1;
	}
}
