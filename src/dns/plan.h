/* SPDX-License-Identifier: Apache-2.0 */
/* What RFC 3263 4.1 says before anything is asked: host, port and transports of a URI. */
#pragma once

#include "dns/resolve.h"

#define DNS_PROTO_NONE 255

struct dns_plan {
	struct str host; /* TARGET: maddr or host, without a last dot, IPv6 in brackets */
	uint16_t port;   /* 0: absent */
	uint8_t fixed;   /* transport that the URI asks for; DNS_PROTO_NONE */
	uint8_t dflt;    /* the one to use when nothing else decides */
	bool is_sips;
	unsigned have; /* usable ones: what we have and the scheme allows, bit per proto */
};

/* BELFRY_ENOENT: not a SIP or SIPS URI, or no transport for it. */
int dns_plan_make(const struct dns_ask *ask, struct dns_plan *plan_r);

uint16_t dns_default_port(uint8_t proto);
/* "_sip._udp." etc., to be put before the host. */
struct str dns_srv_prefix(uint8_t proto);
/* "SIP+D2U" etc.; DNS_PROTO_NONE for anything else. */
uint8_t dns_naptr_proto(struct str service);

static inline bool dns_plan_has(const struct dns_plan *plan, uint8_t proto)
{
	return proto < 8 && (plan->have & 1U << proto);
}
