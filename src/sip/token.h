/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small scanners shared by the parsers of this folder. They work on [p, end), never read at end,
 * and answer with the position where they stopped.
 */
#pragma once

#include "util/err.h"
#include "util/str.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

#ifdef __SSE2__
static inline __m128i sip_load16(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}
#endif

/* Behind the characters of SIP_C_VALUE: tags and branches are long. */
static inline const char *sip_span_value(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i v = sip_load16(p), stop;
		unsigned int hits;

		/* Bytes above 127 are below all others here and go the slow way. */
		stop = _mm_or_si128(_mm_cmpgt_epi8(_mm_set1_epi8('!'), v),
		                    _mm_cmpeq_epi8(v, _mm_set1_epi8(127)));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, _mm_set1_epi8(';')));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, _mm_set1_epi8(',')));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, _mm_set1_epi8('<')));
		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(v, _mm_set1_epi8('>')));
		hits = (unsigned int)_mm_movemask_epi8(stop);
		if (hits) {
			p += __builtin_ctz(hits);
			break;
		}
	}
#endif
	return sip_span(p, end, SIP_C_VALUE);
}

/* Is there a byte in [p, end) up to and including the space? */
static inline bool sip_has_blank(const char *p, const char *end)
{
	const uint64_t ones = UINT64_MAX / 255;

	for (; end - p >= 8; p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		if ((v - ones * 0x21) & ~v & ones * 0x80) {
			return true;
		}
	}
	while (p < end && (unsigned char)*p > ' ') {
		p++;
	}
	return p < end;
}

/* Is @s the word @lower of @n small letters, in any case? @n is a constant from 3 to 8. */
static inline bool sip_is_word(struct str s, const char *lower, size_t n)
{
	uint32_t a, b, c, d;

	if (s.n != n) {
		return false;
	}
	if (n == 3) {
		return (s.p[0] | 0x20) == lower[0] && (s.p[1] | 0x20) == lower[1] &&
		       (s.p[2] | 0x20) == lower[2];
	}
	memcpy(&a, s.p, 4); /* the first four and, perhaps overlapping, the last four: up to 8 */
	memcpy(&b, lower, 4);
	memcpy(&c, s.p + n - 4, 4);
	memcpy(&d, lower + n - 4, 4);
	return (((a | 0x20202020u) ^ b) | ((c | 0x20202020u) ^ d)) == 0;
}

static inline const char *sip_skip_lws(const char *p, const char *end)
{
	return sip_span(p, end, SIP_C_LWS);
}

static inline struct str sip_slice(const char *p, const char *end)
{
	return str_make(p, (size_t)(end - p));
}

/* The first @c in [p, end), or end. */
static inline const char *sip_find_char(const char *p, const char *end, char c)
{
#ifdef __SSE2__
	const __m128i wanted = _mm_set1_epi8(c);

	for (; end - p >= 16; p += 16) {
		unsigned int hits =
			(unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(sip_load16(p), wanted));

		if (hits) {
			return p + __builtin_ctz(hits);
		}
	}
#endif
	while (p < end && *p != c) {
		p++;
	}
	return p;
}

/* The first '"' or '\' in [p, end), or end. */
static inline const char *sip_find_quote(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');

	for (; end - p >= 16; p += 16) {
		__m128i v = sip_load16(p);
		unsigned int hits = (unsigned int)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));

		if (hits) {
			return p + __builtin_ctz(hits);
		}
	}
#endif
	while (p < end && *p != '"' && *p != '\\') {
		p++;
	}
	return p;
}

/* @p at a '"'. Behind the closing one, NULL if there is none. */
static inline const char *sip_quoted_end(const char *p, const char *end)
{
	p = sip_find_quote(p + 1, end);
	while (p < end && *p == '\\') {
		p = p + 1 < end ? sip_find_quote(p + 2, end) : end;
	}
	return p < end ? p + 1 : NULL;
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
