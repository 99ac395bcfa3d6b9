/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records out of a DNS answer as it was on the wire (RFC 1035 4, RFC 2782, RFC 3403, RFC 3596).
 * Pure; every length and every compression pointer is checked, since the bytes come from anybody.
 */
#pragma once

#include "util/arena.h"
#include "util/str.h"

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_NAPTR = 35 };
enum dns_rcode { DNS_NOERROR = 0, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3 };

#define DNS_RR_MAX   64  /* records taken from one answer; the rest is left out */
#define DNS_NAME_MAX 253 /* characters of a name without its last dot */

struct dns_srv {
	uint16_t priority, weight, port;
	struct str target; /* without the last dot; empty: "." (not offered) */
};

struct dns_naptr {
	uint16_t order, preference;
	struct str flags, service, regexp;
	struct str replacement; /* as a target */
};

struct dns_rr {
	uint16_t type; /* enum dns_type */
	uint32_t ttl_s;
	union {
		uint8_t ip[16]; /* A: the first four */
		struct dns_srv srv;
		struct dns_naptr naptr;
	};
};

struct dns_rrs {
	int rcode;
	struct dns_rr *v;
	size_t n;
};

/* Takes the records of @type from the answer section, whatever name they have (they follow from the
 * question by CNAMEs). Strings and array in @arena. BELFRY_EPARSE, -ENOMEM. Records with names that
 * cannot be hosts are left out. */
int dns_rrs_parse(struct str packet, uint16_t type, struct arena *arena, struct dns_rrs *rrs_r);
