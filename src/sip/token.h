/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small scanners shared by the parsers of this folder. They work on [p, end), never read at end,
 * and answer with the position where they stopped.
 */
#pragma once

#include "util/err.h"
#include "util/str.h"

enum sip_char_class {                     /* RFC 3261 25.1 */
	              SIP_C_TOKEN = 0x01, /* token */
	              SIP_C_USER = 0x02,  /* user, without escapes; '#' too: dialled by many phones
	                                     as it is */
	              SIP_C_PASSWORD = 0x04,  /* password, without escapes */
	              SIP_C_URI_PARAM = 0x08, /* paramchar, without escapes */
	              SIP_C_URI_HEADER =
	                      0x10,      /* hnv-unreserved / unreserved, without escapes, and = & */
	              SIP_C_HOST = 0x20, /* host name; '_' too: found in names in use */
	              SIP_C_LWS = 0x40,  /* SP HTAB CR LF: folds were checked when the field was cut
	                                    out */
	              SIP_C_VALUE = 0x80, /* visible, no separator of a header value: , ; " < > */
};

extern const uint8_t sip_chars[256];

static inline bool sip_is(char c, unsigned int class)
{
	return (sip_chars[(unsigned char)c] & class) != 0;
}

static inline const char *sip_span(const char *p, const char *end, unsigned int class)
{
	while (p < end && sip_is(*p, class)) {
		p++;
	}
	return p;
}

static inline const char *sip_skip_lws(const char *p, const char *end)
{
	return sip_span(p, end, SIP_C_LWS);
}

static inline struct str sip_slice(const char *p, const char *end)
{
	return str_make(p, (size_t)(end - p));
}

/* @p at a '"'. Behind the closing one, NULL if there is none. */
static inline const char *sip_quoted_end(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"') {
			return p + 1;
		}
		if (*p == '\\' && ++p == end) {
			break;
		}
	}
	return NULL;
}

/* Characters of @class and %XX escapes. */
const char *sip_span_escaped(const char *p, const char *end, unsigned int class);

/* A host name, IPv4 address or IPv6 reference: behind it, or NULL if there is none or a bad one. */
const char *sip_host_end(const char *p, const char *end);

/* @p behind the ':'. Behind the digits, or NULL if it is no port (1..65535). */
const char *sip_port_end(const char *p, const char *end, uint16_t *port_r);

/* ";name[=value]" with white space wherever the grammar lets it be; names are tokens, values
 * tokens, hosts or quoted strings (taken with their quotes). 1: *p is behind it; 0: no ';' here, *p
 * is behind the white space; BELFRY_EPARSE. */
int sip_take_param(const char **p, const char *end, struct str *name_r, struct str *value_r);

/* The comma that ends the first value of a list, or @end. Commas in quotes and <> do not. */
const char *sip_value_end(const char *p, const char *end);
