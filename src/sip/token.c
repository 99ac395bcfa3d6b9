/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"

#include <arpa/inet.h>

#define IN(c, low, high) ((c) >= (low) && (c) <= (high))
#define ALNUM(c)         (IN(c, 'a', 'z') || IN(c, 'A', 'Z') || IN(c, '0', '9'))
#define MARK(c)                                                                                    \
	((c) == '-' || (c) == '_' || (c) == '.' || (c) == '!' || (c) == '~' || (c) == '*' ||       \
	 (c) == '\'' || (c) == '(' || (c) == ')')
#define UNRESERVED(c) (ALNUM(c) || MARK(c))
#define TOKEN(c)                                                                                   \
	(ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '!' || (c) == '%' || (c) == '*' ||         \
	 (c) == '_' || (c) == '+' || (c) == '`' || (c) == '\'' || (c) == '~')
#define PASSWORD(c)                                                                                \
	(UNRESERVED(c) || (c) == '&' || (c) == '=' || (c) == '+' || (c) == '$' || (c) == ',')
#define USER(c) (PASSWORD(c) || (c) == ';' || (c) == '?' || (c) == '/' || (c) == '#')
#define URI_PARAM(c)                                                                               \
	(UNRESERVED(c) || (c) == '[' || (c) == ']' || (c) == '/' || (c) == ':' || (c) == '&' ||    \
	 (c) == '+' || (c) == '$')
#define URI_HEADER(c)                                                                              \
	(UNRESERVED(c) || (c) == '[' || (c) == ']' || (c) == '/' || (c) == '?' || (c) == ':' ||    \
	 (c) == '+' || (c) == '$' || (c) == '=' || (c) == '&')
#define HOST(c) (ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_')
#define LWS(c)  ((c) == ' ' || (c) == '\t' || (c) == '\r' || (c) == '\n')
#define VALUE(c)                                                                                   \
	((c) > ' ' && (c) != 127 && (c) != ',' && (c) != ';' && (c) != '"' && (c) != '<' &&        \
	 (c) != '>')

#define CHAR(c)                                                                                    \
	((TOKEN(c) ? SIP_C_TOKEN : 0) | (USER(c) ? SIP_C_USER : 0) |                               \
	 (PASSWORD(c) ? SIP_C_PASSWORD : 0) | (URI_PARAM(c) ? SIP_C_URI_PARAM : 0) |               \
	 (URI_HEADER(c) ? SIP_C_URI_HEADER : 0) | (HOST(c) ? SIP_C_HOST : 0) |                     \
	 (LWS(c) ? SIP_C_LWS : 0) | (VALUE(c) ? SIP_C_VALUE : 0))
#define CHAR4(c)  CHAR(c), CHAR((c) + 1), CHAR((c) + 2), CHAR((c) + 3)
#define CHAR16(c) CHAR4(c), CHAR4((c) + 4), CHAR4((c) + 8), CHAR4((c) + 12)
#define CHAR64(c) CHAR16(c), CHAR16((c) + 16), CHAR16((c) + 32), CHAR16((c) + 48)

const uint8_t sip_chars[256] = { CHAR64(0), CHAR64(64), CHAR64(128), CHAR64(192) };

const char *sip_span_escaped(const char *p, const char *end, unsigned int class)
{
	for (;;) {
		p = sip_span(p, end, class);
		if (end - p < 3 || *p != '%' || ascii_hex_value((unsigned char)p[1]) < 0 ||
		    ascii_hex_value((unsigned char)p[2]) < 0) {
			return p;
		}
		p += 3;
	}
}

static const char *ip6_reference_end(const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t n;

	if (close == NULL) {
		return NULL;
	}
	n = (size_t)(close - (p + 1));
	if (n >= sizeof(text) || memchr(p + 1, '\0', n) != NULL) {
		return NULL;
	}
	memcpy(text, p + 1, n);
	text[n] = '\0';
	return inet_pton(AF_INET6, text, &addr) == 1 ? close + 1 : NULL;
}

const char *sip_host_end(const char *p, const char *end)
{
	const char *begin = p;

	if (p < end && *p == '[') {
		return ip6_reference_end(p, end);
	}
	for (; p < end && sip_is(*p, SIP_C_HOST); p++) {
		if (*p == '.' && (p == begin || p[-1] == '.')) {
			return NULL; /* an empty label */
		}
	}
	return p > begin ? p : NULL;
}

const char *sip_port_end(const char *p, const char *end, uint16_t *port_r)
{
	unsigned int port = 0;

	for (; p < end && ascii_is_digit((unsigned char)*p); p++) {
		port = port * 10 + (unsigned int)(*p - '0');
		if (port > UINT16_MAX) {
			return NULL;
		}
	}
	*port_r = (uint16_t)port;
	return port != 0 ? p : NULL;
}

int sip_take_param(const char **p, const char *end, struct str *name_r, struct str *value_r)
{
	const char *at = sip_skip_lws(*p, end), *begin;

	*p = at;
	if (at == end || *at != ';') {
		return 0;
	}
	begin = sip_skip_lws(at + 1, end);
	at = sip_span(begin, end, SIP_C_TOKEN);
	if (at == begin) {
		return BELFRY_EPARSE;
	}
	*name_r = sip_slice(begin, at);
	*value_r = str_make(at, 0);
	*p = at;
	at = sip_skip_lws(at, end);
	if (at == end || *at != '=') {
		return 1;
	}
	begin = sip_skip_lws(at + 1, end);
	at = begin < end && *begin == '"' ? sip_quoted_end(begin, end) : sip_span_value(begin, end);
	if (at == NULL) {
		return BELFRY_EPARSE;
	}
	*value_r = sip_slice(begin, at);
	*p = at;
	return 1;
}
