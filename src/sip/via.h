/* SPDX-License-Identifier: Apache-2.0 */
/* One Via value (RFC 3261 20.42, 25.1; RFC 3581 rport; RFC 5118 4.5 received with brackets). */
#pragma once

#include "util/str.h"

struct sip_via {
	struct str text;      /* the value */
	struct str transport; /* "UDP", "TCP", "TLS", "WS", "WSS", anything else as it was */
	struct str host;      /* sent-by; IPv6 with brackets */
	uint16_t port;        /* 0: absent */
	bool has_rport;       /* with or without value */
	bool is_rfc3261;      /* the branch begins with the magic cookie */
	uint16_t rport;       /* 0: no value */
	struct str params;    /* with the first ';' */
	struct str branch, received, maddr;
};

#define SIP_BRANCH_COOKIE STR("z9hG4bK")

/* @text is exactly one value, without surrounding white space. BELFRY_EPARSE: malformed or not
 * SIP/2.0; host and port are there all the same if they could be read. */
BELFRY_API int sip_via_parse(struct str text, struct sip_via *via_r);
/* The default port of a Via transport: 5061 for TLS, 80/443 for WS/WSS (RFC 7118 5.? as Via port when
 * absent), else 5060. */
BELFRY_API uint16_t sip_via_default_port(struct str transport);
