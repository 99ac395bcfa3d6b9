/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/addr.h"
#include "sip/token.h"

int sip_q_parse(struct str text, uint16_t *q_r)
{
	unsigned int q, unit = 100;

	if (text.n == 0 || text.n > 5 || (text.p[0] != '0' && text.p[0] != '1') ||
	    (text.n > 1 && text.p[1] != '.')) {
		return BELFRY_EPARSE;
	}
	q = text.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < text.n; i++, unit /= 10) {
		if (!ascii_is_digit((unsigned char)text.p[i])) {
			return BELFRY_EPARSE;
		}
		q += (unsigned int)(text.p[i] - '0') * unit;
	}
	if (q > 1000) {
		return BELFRY_EPARSE;
	}
	*q_r = (uint16_t)q;
	return 0;
}

int sip_delta_parse(struct str text, uint32_t *s_r)
{
	uint64_t s = 0;

	if (text.n == 0) {
		return BELFRY_EPARSE;
	}
	for (size_t i = 0; i < text.n; i++) {
		if (!ascii_is_digit((unsigned char)text.p[i])) {
			return BELFRY_EPARSE;
		}
		s = s * 10 + (uint64_t)(text.p[i] - '0');
		if (s > UINT32_MAX) {
			s = UINT32_MAX;
		}
	}
	*s_r = (uint32_t)s;
	return 0;
}

int sip_cseq_parse(struct str text, struct sip_cseq *cseq_r)
{
	const char *p = text.p, *end, *method;
	uint64_t n = 0;

	if (text.n == 0) {
		return BELFRY_EPARSE;
	}
	end = p + text.n;
	for (; p < end && ascii_is_digit((unsigned char)*p); p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > INT32_MAX) { /* 8.1.1.5: less than 2**31 */
			return BELFRY_EPARSE;
		}
	}
	method = sip_skip_lws(p, end);
	if (p == text.p || method == p || method == end ||
	    sip_span(method, end, SIP_C_TOKEN) != end) {
		return BELFRY_EPARSE;
	}
	cseq_r->number = (uint32_t)n;
	cseq_r->method = sip_slice(method, end);
	return 0;
}
