/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages a trace shows. No I/O, no clock. */
#pragma once

#include "net/addr.h"
#include "util/str.h"

struct trace_filter { /* what is empty lets everything pass */
	struct str call_id;
	struct str user; /* "alice", or canonical "alice@example.com" */
	struct net_prefix source;
	bool has_source;
	uint16_t port; /* of the source; 0: any */
};

/* "192.0.2.1", "192.0.2.0/24", "192.0.2.1:5060", "[2001:db8::1]:5060". 0 or BELFRY_EPARSE. */
int trace_filter_source(struct trace_filter *filter, struct str text);

/* What of a message filters look at; points into its text. */
struct trace_facts {
	struct str start_line, call_id, from, to;
};
/* false: this is no SIP. Tolerant, without allocation. */
bool trace_facts_read(struct str text, struct trace_facts *facts_r);

/* Is user or source asked for? Then the rest of a call that matched once is shown too. */
static inline bool trace_filter_by_call(const struct trace_filter *filter)
{
	return filter->user.n > 0 || filter->has_source;
}
bool trace_filter_call_id(const struct trace_filter *filter, const struct trace_facts *facts);
/* User (in Request-URI, From or To) and source (the peer, whether it sends or receives). */
bool trace_filter_rest(const struct trace_filter *filter, const struct trace_facts *facts,
                       const struct net_addr *remote);
