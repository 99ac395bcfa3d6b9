/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/addr.h"

#include "sip/scan.h"
#include "sip/token.h"

static bool is_uri_text(const char *p, const char *end)
{
	const char *colon = sip_span(p, end, SIP_C_TOKEN);

	if (colon == p || end - colon < 2 || *colon != ':') {
		return false;
	}
	for (p = sip_span_value(colon, end); p < end && (*p == ',' || *p == ';');) {
		p = sip_span_value(p + 1, end);
	}
	return p == end;
}

/* The display name, up to '<'. NULL: there is none that could be one. Unquoted ones get away with
 * more than tokens (many a phone sends UTF-8), but not with what separates values. */
static const char *scan_display(const char *p, const char *end, struct sip_addr *addr)
{
	const char *begin = p, *last;

	if (p < end && *p == '"') {
		p = sip_quoted_end(p, end);
		if (p == NULL) {
			return NULL;
		}
		addr->display = sip_slice(begin, p);
		p = sip_skip_lws(p, end);
	} else {
		p = sip_span(p, end, SIP_C_VALUE | SIP_C_LWS);
		for (last = p; last > begin && sip_is(last[-1], SIP_C_LWS); last--) {
		}
		addr->display = sip_slice(begin, last);
	}
	return p < end && *p == '<' ? p : NULL;
}

static int scan_params(const char *p, const char *end, struct sip_addr *addr, struct str *tag_r)
{
	struct str name, value;
	int got;

	p = sip_skip_lws(p, end);
	addr->params = sip_slice(p, end);
	while ((got = sip_take_param(&p, end, &name, &value)) == 1) {
		if (sip_is_word(name, "tag", 3)) {
			*tag_r = value;
		}
	}
	return got == 0 && p == end ? 0 : BELFRY_EPARSE;
}

int sip_addr_scan(struct str text, struct sip_addr *addr, struct str *tag_r)
{
	const char *p = text.p, *end, *open, *close;

	addr->text = text;
	addr->is_star = false;
	addr->display = addr->params = STR_NONE;
	if (text.n == 0) {
		return BELFRY_EPARSE;
	}
	end = p + text.n;
	open = scan_display(p, end, addr);
	addr->has_brackets = open != NULL;
	if (open) {
		p = open + 1;
		close = sip_find_char(p, end, '>');
		if (close == end) {
			return BELFRY_EPARSE;
		}
		addr->uri_text = sip_slice(p, close);
		end = close++;
	} else {
		addr->display = STR_NONE;
		close = sip_span(p, end, SIP_C_VALUE);
		addr->uri_text = sip_slice(p, close);
		if (memchr(p, '?', (size_t)(close - p))) { /* 20.10: needs <> */
			return BELFRY_EPARSE;
		}
		end = close;
	}
	if (!is_uri_text(p, end)) {
		return BELFRY_EPARSE;
	}
	return scan_params(close, text.p + text.n, addr, tag_r);
}

int sip_addr_parse(struct str text, struct sip_addr *addr_r, const char **error_r)
{
	struct str tag;

	text = str_trim(text);
	if (str_eq(text, STR("*"))) {
		*addr_r = (struct sip_addr){ .text = text, .uri_text = text, .is_star = true };
		return 0;
	}
	if (sip_addr_scan(text, addr_r, &tag)) {
		if (error_r) {
			*error_r = "malformed name or address";
		}
		return BELFRY_EPARSE;
	}
	return sip_uri_parse(addr_r->uri_text, &addr_r->uri, error_r);
}

bool sip_addr_param(const struct sip_addr *addr, struct str name, struct str *value_r)
{
	return sip_param_find(addr->params, name, value_r);
}

int sip_addr_next(struct sip_values *it, struct sip_addr *addr_r)
{
	if (!sip_values_next(it)) {
		return 0;
	}
	return sip_addr_parse(it->value, addr_r, NULL) == 0 ? 1 : BELFRY_EPARSE;
}
