/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/plan.h"

#include "conf/conf.h"
#include "util/err.h"

#define BIT(proto) (1U << (proto))
#define SECURE     (BIT(CONF_TLS) | BIT(CONF_WSS))

struct proto_row {
	struct str param, naptr, srv;
	uint16_t port;
};

static const struct proto_row protos[] = {
	[CONF_UDP] = { STR_INIT("udp"), STR_INIT("SIP+D2U"), STR_INIT("_sip._udp."), 5060 },
	[CONF_TCP] = { STR_INIT("tcp"), STR_INIT("SIP+D2T"), STR_INIT("_sip._tcp."), 5060 },
	[CONF_TLS] = { STR_INIT("tls"), STR_INIT("SIPS+D2T"), STR_INIT("_sips._tcp."), 5061 },
	[CONF_WS] = { STR_INIT("ws"), STR_INIT("SIP+D2W"), STR_INIT("_sip._ws."), 80 },
	[CONF_WSS] = { STR_INIT("wss"), STR_INIT("SIPS+D2W"), STR_INIT("_sips._ws."), 443 },
};

#define PROTOS_N (sizeof(protos) / sizeof(protos[0]))

uint16_t dns_default_port(uint8_t proto)
{
	return protos[proto].port;
}

struct str dns_srv_prefix(uint8_t proto)
{
	return protos[proto].srv;
}

static uint8_t proto_of(struct str text, bool by_naptr)
{
	for (uint8_t i = 0; i < PROTOS_N; i++) {
		if (str_eq_nocase(text, by_naptr ? protos[i].naptr : protos[i].param)) {
			return i;
		}
	}
	return DNS_PROTO_NONE;
}

uint8_t dns_naptr_proto(struct str service)
{
	return proto_of(service, true);
}

/* sips means TLS whatever the transport parameter calls it (RFC 3261 26.2.2). */
static uint8_t secured(uint8_t proto)
{
	switch (proto) {
	case CONF_TCP: return CONF_TLS;
	case CONF_WS: return CONF_WSS;
	default: return proto;
	}
}

static int plan_transport(const struct sip_uri *uri, struct dns_plan *plan)
{
	struct str param;

	plan->fixed = DNS_PROTO_NONE;
	plan->dflt = plan->is_sips ? CONF_TLS : CONF_UDP;
	if (sip_uri_param(uri, STR("transport"), &param)) {
		plan->fixed = proto_of(param, false);
		if (plan->is_sips) {
			plan->fixed = secured(plan->fixed);
		}
		plan->dflt = plan->fixed;
	} else if (!plan->is_sips && !dns_plan_has(plan, CONF_UDP)) {
		/* Without UDP the next best; TLS is not at a port meant for something else. */
		plan->dflt = dns_plan_has(plan, CONF_TCP) || plan->port ? CONF_TCP : CONF_TLS;
	}
	return dns_plan_has(plan, plan->dflt) ? 0 : BELFRY_ENOENT;
}

int dns_plan_make(const struct dns_ask *ask, struct dns_plan *plan_r)
{
	const struct sip_uri *uri = ask->uri;
	struct dns_plan plan = { .host = uri->host, .port = uri->port, .have = ask->have_protos };
	struct str maddr;

	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return BELFRY_ENOENT;
	}
	plan.is_sips = ask->sips || uri->scheme == SIP_URI_SIPS;
	if (plan.is_sips) {
		plan.have &= SECURE;
	}
	if (sip_uri_param(uri, STR("maddr"), &maddr)) {
		plan.host = maddr;
	}
	if (plan.host.n > 0 && plan.host.p[plan.host.n - 1] == '.') {
		plan.host.n--;
	}
	*plan_r = plan;
	return plan_transport(uri, plan_r);
}
