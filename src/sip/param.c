/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/token.h"
#include "sip/uri.h"

/* Tolerant on purpose: header and URI parameters alike, checked when the message was parsed. */
bool sip_param_next(struct str *rest, struct str *name_r, struct str *value_r)
{
	const char *p = rest->p, *end, *begin;

	if (rest->n == 0) {
		return false;
	}
	end = p + rest->n;
	p = sip_skip_lws(p, end);
	if (p == end || *p != ';') {
		return false;
	}
	begin = p = sip_skip_lws(p + 1, end);
	while (p < end && *p != '=' && sip_is(*p, SIP_C_VALUE)) {
		p++;
	}
	if (p == begin) {
		return false;
	}
	*name_r = sip_slice(begin, p);
	*value_r = str_make(p, 0);
	p = sip_skip_lws(p, end);
	if (p < end && *p == '=') {
		begin = sip_skip_lws(p + 1, end);
		p = begin < end && *begin == '"' ? sip_quoted_end(begin, end)
		                                 : sip_span(begin, end, SIP_C_VALUE);
		if (p == NULL) {
			return false;
		}
		*value_r = sip_slice(begin, p);
	}
	*rest = sip_slice(p, end);
	return true;
}

bool sip_param_find(struct str params, struct str name, struct str *value_r)
{
	struct str found;

	while (sip_param_next(&params, &found, value_r)) {
		if (str_eq_nocase(found, name)) {
			return true;
		}
	}
	*value_r = STR_NONE;
	return false;
}

bool sip_uri_param(const struct sip_uri *uri, struct str name, struct str *value_r)
{
	return sip_param_find(uri->params, name, value_r);
}
