/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked on the way to an answer, for people. */
#include "dns/query.h"

#include "util/err.h"

static void tell(const struct dns_question *question, struct str name, uint16_t type,
                 dns_record_cb *cb, void *arg)
{
	if (!question) {
		return;
	}
	if (!question->is_done) {
		cb(arg, name, type, BELFRY_ETIMEOUT, NULL);
		return;
	}
	if (question->err || question->rrs.n == 0) {
		cb(arg, name, type, question->err, NULL);
		return;
	}
	for (size_t i = 0; i < question->rrs.n; i++) {
		cb(arg, name, type, 0, &question->rrs.v[i]);
	}
}

void dns_query_each(const struct dns_query *query, dns_record_cb *cb, void *arg)
{
	tell(query->naptr, query->plan.host, DNS_NAPTR, cb, arg);
	for (unsigned i = 0; i < query->sets_n; i++) {
		tell(query->sets[i].question, query->sets[i].name, DNS_SRV, cb, arg);
	}
	for (unsigned i = 0; i < query->sites_n; i++) {
		tell(query->sites[i].a, query->sites[i].name, DNS_A, cb, arg);
		tell(query->sites[i].aaaa, query->sites[i].name, DNS_AAAA, cb, arg);
	}
}
