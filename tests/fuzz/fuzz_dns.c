/* SPDX-License-Identifier: Apache-2.0 */
/* DNS answers: the first byte chooses the type of record, the rest is the packet. */
#include "dns/order.h"
#include "dns/rr.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look(struct str s, size_t max)
{
	MUST(s.n <= max);
	for (size_t i = 0; i < s.n; i++) {
		MUST(s.p[i] != '/' && s.p[i] != '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR };
	struct random random = { 0 };
	struct dns_rrs rrs;
	struct arena arena;
	uint16_t type;

	if (n == 0) {
		return 0;
	}
	type = types[data[0] % 4];
	arena_init(&arena, NULL);
	if (dns_rrs_parse(str_make((const char *)data + 1, n - 1), type, &arena, &rrs) == 0) {
		MUST(rrs.n <= DNS_RR_MAX);
		for (size_t i = 0; i < rrs.n; i++) {
			MUST(rrs.v[i].type == type);
			if (type == DNS_SRV) {
				look(rrs.v[i].srv.target, DNS_NAME_MAX);
			} else if (type == DNS_NAPTR) {
				look(rrs.v[i].naptr.replacement, DNS_NAME_MAX);
				MUST(rrs.v[i].naptr.service.n <= 255);
			}
		}
		if (type == DNS_SRV) {
			dns_srv_order(rrs.v, rrs.n, &random);
		} else if (type == DNS_NAPTR) {
			dns_naptr_order(rrs.v, rrs.n);
		}
	}
	arena_fini(&arena);
	return 0;
}
