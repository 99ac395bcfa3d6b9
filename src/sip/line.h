/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts a message into lines and header fields. A line ends with CR LF and with nothing else: a lone
 * CR or LF, which the next element might take for a line end, makes a message malformed.
 */
#pragma once

#include "sip/hdr_find.h"
#include "sip/token.h"

/* The first CR or LF in [p, end), or end. */
static inline const char *sip_find_eol(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');

	for (; end - p >= 16; p += 16) {
		__m128i v = sip_load16(p);
		int hit = _mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, cr), _mm_cmpeq_epi8(v, lf)));

		if (hit) {
			return p + __builtin_ctz((unsigned int)hit);
		}
	}
#endif
	while (p < end && *p != '\r' && *p != '\n') {
		p++;
	}
	return p;
}

static inline bool sip_is_crlf(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* A header field that begins at @p and its continuation lines (RFC 3261 7.3.1): the CR LF that ends
 * it, NULL if the text ends first. *bad_r is set when there was a lone CR or LF. */
static inline const char *sip_field_end(const char *p, const char *end, bool *bad_r)
{
	for (;;) {
		p = sip_find_eol(p, end);
		if (end - p < 3) {
			return sip_is_crlf(p, end) ? p : NULL;
		}
		if (p[0] != '\r' || p[1] != '\n') {
			*bad_r = true;
			p++;
		} else if (p[2] == ' ' || p[2] == '\t') {
			p += 3;
		} else {
			return p;
		}
	}
}

/* The first colon, blank, control or non-ASCII character in [p, end), or end. */
static inline const char *sip_name_end(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i v = sip_load16(p);
		__m128i stop = _mm_or_si128(_mm_cmpgt_epi8(_mm_set1_epi8('!'), v),
		                            _mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
		unsigned int hits = (unsigned int)_mm_movemask_epi8(stop);

		if (hits) {
			return p + __builtin_ctz(hits);
		}
	}
#endif
	while (p<end && * p> ' ' && *p != ':') {
		p++;
	}
	return p;
}

struct sip_field {
	struct str name, value; /* the value without white space at both ends */
	enum sip_hdr id;
	const char *next; /* behind the CR LF */
};

/* A known name is made of the right characters; another one has to be looked at. */
static inline bool sip_name_find(struct str name, enum sip_hdr *id_r)
{
	const char *end = name.p + name.n;

	if (name.n == 0 || name.n > UINT8_MAX) {
		return false;
	}
	*id_r = sip_hdr_find_token(name);
	return *id_r != SIP_H_OTHER || sip_span(name.p, end, SIP_C_TOKEN) == end;
}

/* 1: a field; BELFRY_EPARSE: the line is none, go on at field_r->next; 0: the text ends within it.
 */
static inline int sip_field_take(const char *p, const char *end, struct sip_field *field_r)
{
	const char *name_end = sip_name_end(p, end), *colon = name_end, *value, *eol;
	bool bad = false;

	while (colon < end && (*colon == ' ' || *colon == '\t')) {
		colon++;
	}
	eol = sip_field_end(colon, end, &bad);
	if (eol == NULL) {
		return 0;
	}
	field_r->next = eol + 2;
	field_r->name = sip_slice(p, name_end);
	if (*colon != ':' || bad || !sip_name_find(field_r->name, &field_r->id)) {
		return BELFRY_EPARSE;
	}
	value = sip_skip_lws(colon + 1, eol);
	while (eol > value && sip_is(eol[-1], SIP_C_LWS)) {
		eol--;
	}
	field_r->value = sip_slice(value, eol);
	return 1;
}
