/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/trace_filter.h"

#include "ctl/addr.h"
#include "sip/addr.h"
#include "sip/line.h"
#include "util/err.h"

int trace_filter_source(struct trace_filter *filter, struct str text)
{
	struct str host;
	uint16_t port;

	(void)ctl_addr_split(text, &host, &port);
	if (net_prefix_parse(host, &filter->source)) {
		return BELFRY_EPARSE;
	}
	filter->has_source = true;
	filter->port = port;
	return 0;
}

/* --- facts --------------------------------------------------------------------------------------
 */

static bool is_start_line(struct str line)
{
	const char *end = line.p + line.n, *space = sip_span(line.p, end, SIP_C_TOKEN);

	if (str_starts_nocase(line, STR("SIP/"))) {
		return true;
	}
	return space > line.p && space < end && *space == ' ';
}

static void take(struct trace_facts *facts, const struct sip_field *field)
{
	struct str *to = field->id == SIP_H_CALL_ID ? &facts->call_id
	                 : field->id == SIP_H_FROM  ? &facts->from
	                 : field->id == SIP_H_TO    ? &facts->to
	                                            : NULL;

	if (to && !to->p) {
		*to = field->value;
	}
}

bool trace_facts_read(struct str text, struct trace_facts *facts_r)
{
	const char *p = text.p, *end = p + text.n, *eol;
	struct sip_field field;

	*facts_r = (struct trace_facts){ 0 };
	while (sip_is_crlf(p, end)) {
		p += 2;
	}
	eol = sip_find_eol(p, end);
	if (eol == p || !is_start_line(sip_slice(p, eol))) {
		return false;
	}
	facts_r->start_line = sip_slice(p, eol);
	p = end - eol < 2 ? end : eol + 2;
	while (p < end && !sip_is_crlf(p, end)) {
		int got = sip_field_take(p, end, &field);

		if (got == 0) {
			break;
		}
		if (got > 0) {
			take(facts_r, &field);
		}
		p = field.next;
	}
	return true;
}

/* --- matching -----------------------------------------------------------------------------------
 */

bool trace_filter_call_id(const struct trace_filter *filter, const struct trace_facts *facts)
{
	return filter->call_id.n == 0 || str_eq(filter->call_id, facts->call_id);
}

static bool is_user(struct str want, const struct sip_uri *uri)
{
	char space[SIP_AOR_MAX];
	struct str aor = sip_uri_aor(uri, space, sizeof(space));
	size_t at = aor.n;

	if (aor.n == 0) {
		return str_eq(want, uri->user);
	}
	if (str_find(want, '@') >= 0) {
		return str_eq(want, aor);
	}
	while (at > 0 && aor.p[at - 1] != '@') {
		at--;
	}
	return at > 0 && str_eq(want, str_make(aor.p, at - 1));
}

static bool user_in_field(struct str want, struct str value)
{
	struct sip_addr addr;

	return value.n > 0 && sip_addr_parse(value, &addr, NULL) == 0 && is_user(want, &addr.uri);
}

static bool user_in_request_uri(struct str want, struct str line)
{
	struct str method, rest, text;
	struct sip_uri uri;

	if (str_starts_nocase(line, STR("SIP/")) || !str_cut(line, ' ', &method, &rest) ||
	    !str_cut(rest, ' ', &text, &rest)) {
		return false;
	}
	return sip_uri_parse(text, &uri, NULL) == 0 && is_user(want, &uri);
}

bool trace_filter_rest(const struct trace_filter *filter, const struct trace_facts *facts,
                       const struct net_addr *remote)
{
	if (filter->has_source && (!net_prefix_has(&filter->source, remote) ||
	                           (filter->port && filter->port != remote->port))) {
		return false;
	}
	return filter->user.n == 0 || user_in_request_uri(filter->user, facts->start_line) ||
	       user_in_field(filter->user, facts->from) || user_in_field(filter->user, facts->to);
}
