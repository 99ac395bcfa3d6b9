/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/via.h"

#include "sip/token.h"
#include "util/err.h"

/* "/" with white space on both sides; behind it, or NULL. */
static const char *skip_slash(const char *p, const char *end)
{
	p = sip_skip_lws(p, end);
	return p < end && *p == '/' ? sip_skip_lws(p + 1, end) : NULL;
}

/* sent-protocol, to the first byte of sent-by. *known_r: it is SIP/2.0. */
static const char *parse_protocol(const char *p, const char *end, struct sip_via *via,
                                  bool *known_r)
{
	const char *name = p, *version, *at;

	if (end - p > 8 && memcmp(p, "SIP/2.0/", 8) == 0) { /* the usual spelling */
		*known_r = true;
		at = p + 8;
	} else {
		struct str got;

		p = sip_span(p, end, SIP_C_TOKEN);
		got = sip_slice(name, p);
		version = skip_slash(p, end);
		if (version == NULL) {
			return NULL;
		}
		p = sip_span(version, end, SIP_C_TOKEN);
		*known_r =
			str_eq_nocase(got, STR("SIP")) && str_eq(sip_slice(version, p), STR("2.0"));
		at = skip_slash(p, end);
		if (at == NULL) {
			return NULL;
		}
	}
	at = sip_skip_lws(at, end);
	p = sip_span(at, end, SIP_C_TOKEN);
	via->transport = sip_slice(at, p);
	at = sip_skip_lws(p, end);
	return p > via->transport.p && at > p ? at : NULL;
}

static int parse_rport(struct sip_via *via, struct str value)
{
	via->has_rport = true;
	return value.n == 0 || sip_port_end(value.p, value.p + value.n, &via->rport) ==
	                               value.p + value.n
	               ? 0
	               : BELFRY_EPARSE;
}

static int keep_param(struct sip_via *via, struct str name, struct str value)
{
	switch (name.n) {
	case 5:
		if (sip_is_word(name, "rport", 5)) {
			return parse_rport(via, value);
		}
		if (sip_is_word(name, "maddr", 5)) {
			via->maddr = value;
		}
		break;
	case 6:
		if (sip_is_word(name, "branch", 6)) {
			via->branch = value;
			via->is_rfc3261 = value.n > 7 &&
			                  str_eq_nocase(str_make(value.p, 7), SIP_BRANCH_COOKIE);
		}
		break;
	case 8:
		if (sip_is_word(name, "received", 8)) {
			via->received = value;
		}
		break;
	default: break;
	}
	return 0;
}

static int parse_params(const char *p, const char *end, struct sip_via *via)
{
	struct str name, value;
	int got;

	via->params = sip_slice(p, end);
	while ((got = sip_take_param(&p, end, &name, &value)) == 1) {
		got = keep_param(via, name, value);
		if (got) {
			return got;
		}
	}
	return got == 0 && p == end ? 0 : BELFRY_EPARSE;
}

int sip_via_parse(struct str text, struct sip_via *via_r)
{
	const char *end, *p, *next;
	bool known;

	*via_r = (struct sip_via){ .text = text };
	if (text.n == 0) {
		return BELFRY_EPARSE;
	}
	end = text.p + text.n;
	p = parse_protocol(text.p, end, via_r, &known);
	if (p == NULL) {
		return BELFRY_EPARSE;
	}
	next = sip_host_end(p, end);
	if (next == NULL) {
		return BELFRY_EPARSE;
	}
	via_r->host = sip_slice(p, next);
	p = sip_skip_lws(next, end);
	if (p < end && *p == ':') {
		p = sip_port_end(sip_skip_lws(p + 1, end), end, &via_r->port);
		if (p == NULL) {
			via_r->host = STR_NONE; /* an answer would go to the wrong port */
			return BELFRY_EPARSE;
		}
		p = sip_skip_lws(p, end);
	}
	return parse_params(p, end, via_r) == 0 && known ? 0 : BELFRY_EPARSE;
}

uint16_t sip_via_default_port(struct str transport)
{
	if (str_eq_nocase(transport, STR("TLS"))) {
		return 5061;
	}
	if (str_eq_nocase(transport, STR("WS"))) {
		return 80;
	}
	if (str_eq_nocase(transport, STR("WSS"))) {
		return 443;
	}
	return 5060;
}
