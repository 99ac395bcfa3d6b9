/* SPDX-License-Identifier: Apache-2.0 */
/* When two URIs are the same (RFC 3261 19.1.4, RFC 5954 for IPv6, RFC 3966 4 for tel). */
#include "sip/token.h"
#include "sip/uri.h"

#include <arpa/inet.h>

/* Beyond that many parameters or headers only the same text is equal: no work that grows with the
 * square of what a stranger sends. */
#define PARTS_MAX 64

#define ESCAPED 256 /* marks an escaped reserved character: it differs from the bare one */

static bool is_reserved(int c)
{
	return c != 0 && strchr(";/?:@&=+$,", c) != NULL;
}

/* The character at *p, escapes resolved; moves on. */
static int take_char(const char **p, const char *end, bool nocase)
{
	int c = (unsigned char)*(*p)++;

	if (c == '%' && end - *p >= 2) {
		int high = ascii_hex_value((unsigned char)(*p)[0]);
		int low = ascii_hex_value((unsigned char)(*p)[1]);

		if (high >= 0 && low >= 0) {
			*p += 2;
			c = high << 4 | low;
			if (is_reserved(c)) {
				return c | ESCAPED;
			}
		}
	}
	return nocase ? ascii_lower((unsigned char)c) : c;
}

static bool text_eq(struct str a, struct str b, bool nocase)
{
	const char *pa = a.p, *pb = b.p, *a_end, *b_end;

	if (a.n == 0 || b.n == 0) {
		return a.n == b.n;
	}
	a_end = pa + a.n;
	b_end = pb + b.n;
	while (pa < a_end && pb < b_end) {
		if (take_char(&pa, a_end, nocase) != take_char(&pb, b_end, nocase)) {
			return false;
		}
	}
	return pa == a_end && pb == b_end;
}

static bool ip6_value(struct str host, struct in6_addr *addr_r)
{
	char text[INET6_ADDRSTRLEN];

	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
		host = str_make(host.p + 1, host.n - 2);
	}
	if (host.n >= sizeof(text) || host.n == 0 || memchr(host.p, ':', host.n) == NULL ||
	    memchr(host.p, '\0', host.n)) {
		return false;
	}
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(AF_INET6, text, addr_r) == 1;
}

bool sip_host_eq(struct str a, struct str b)
{
	struct in6_addr a6, b6;

	if (str_eq(a, b)) { /* mostly */
		return true;
	}
	if (ip6_value(a, &a6)) {
		return ip6_value(b, &b6) && memcmp(&a6, &b6, sizeof(a6)) == 0;
	}
	a.n -= a.n > 1 && a.p[a.n - 1] == '.';
	b.n -= b.n > 1 && b.p[b.n - 1] == '.';
	return str_eq_nocase(a, b);
}

/* Parameters that must be in both or in neither. */
static bool is_never_ignored(struct str name)
{
	static const struct str names[] = { STR_INIT("transport"), STR_INIT("user"),
		                            STR_INIT("ttl"), STR_INIT("method"),
		                            STR_INIT("maddr") };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (text_eq(name, names[i], true)) {
			return true;
		}
	}
	return false;
}

static bool find_param(struct str params, struct str name, struct str *value_r)
{
	struct str found;

	while (sip_param_next(&params, &found, value_r)) {
		if (text_eq(found, name, true)) {
			return true;
		}
	}
	return false;
}

static size_t count_char(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		n += s.p[i] == c;
	}
	return n;
}

/* Each of @a agrees with @b. @all: one that is missing in @b is never ignored. */
static bool params_agree(struct str a, struct str b, bool all)
{
	struct str name, value, other;

	while (sip_param_next(&a, &name, &value)) {
		if (find_param(b, name, &other)) {
			if (!text_eq(value, other, true)) {
				return false;
			}
		} else if (all || is_never_ignored(name)) {
			return false;
		}
	}
	return true;
}

static bool params_eq(struct str a, struct str b, bool all)
{
	if (str_eq(a, b)) {
		return true;
	}
	if (count_char(a, ';') > PARTS_MAX || count_char(b, ';') > PARTS_MAX) {
		return false;
	}
	return params_agree(a, b, all) && params_agree(b, a, all);
}

/* How often the header part @name=@value is in @headers. */
static size_t count_header(struct str headers, struct str name, struct str value)
{
	struct str part, n, v;
	size_t count = 0;

	while (headers.n) {
		str_cut(headers, '&', &part, &headers);
		str_cut(part, '=', &n, &v);
		count += text_eq(n, name, true) && text_eq(v, value, false);
	}
	return count;
}

/* Each header part of @a is in @b as often. */
static bool headers_agree(struct str a, struct str b)
{
	struct str rest = a, part, name, value;

	while (rest.n) {
		str_cut(rest, '&', &part, &rest);
		str_cut(part, '=', &name, &value);
		if (count_header(a, name, value) != count_header(b, name, value)) {
			return false;
		}
	}
	return true;
}

static bool headers_eq(struct str a, struct str b)
{
	if (str_eq(a, b)) {
		return true;
	}
	if (a.n == 0 || b.n == 0 || count_char(a, '&') >= PARTS_MAX ||
	    count_char(b, '&') >= PARTS_MAX) {
		return false;
	}
	return headers_agree(a, b) && headers_agree(b, a);
}

static bool sip_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	return a->port == b->port && a->has_user == b->has_user &&
	       (a->password.p != NULL) == (b->password.p != NULL) &&
	       text_eq(a->user, b->user, false) && text_eq(a->password, b->password, false) &&
	       sip_host_eq(a->host, b->host) && params_eq(a->params, b->params, false) &&
	       headers_eq(a->headers, b->headers);
}

static const char *skip_separators(const char *p, const char *end)
{
	while (p < end && (*p == '-' || *p == '.' || *p == '(' || *p == ')')) {
		p++;
	}
	return p;
}

static bool number_eq(struct str a, struct str b)
{
	const char *pa = a.p, *pb = b.p, *a_end = pa + a.n, *b_end = pb + b.n;

	for (;; pa++, pb++) {
		pa = skip_separators(pa, a_end);
		pb = skip_separators(pb, b_end);
		if (pa == a_end || pb == b_end) {
			return pa == a_end && pb == b_end;
		}
		if (ascii_lower((unsigned char)*pa) != ascii_lower((unsigned char)*pb)) {
			return false;
		}
	}
}

bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme) {
		return false;
	}
	switch (a->scheme) {
	case SIP_URI_SIP:
	case SIP_URI_SIPS: return sip_eq(a, b);
	case SIP_URI_TEL:
		return number_eq(a->user, b->user) && params_eq(a->params, b->params, true);
	default:
		return str_eq_nocase(a->scheme_text, b->scheme_text) &&
		       str_eq(str_skip(a->text, a->scheme_text.n),
		              str_skip(b->text, b->scheme_text.n));
	}
}
