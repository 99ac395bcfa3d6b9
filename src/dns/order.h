/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which servers are tried: SRV (RFC 2782), NAPTR (RFC 3403 4.1). */
#pragma once

#include "dns/rr.h"
#include "util/random.h"

/* By priority; within one, drawn at random by weight ("Usage rules"). Only SRV records. */
void dns_srv_order(struct dns_rr *v, size_t n, struct random *random);
/* By order, then by preference; keeps the place of equal ones. Only NAPTR records. */
void dns_naptr_order(struct dns_rr *v, size_t n);
