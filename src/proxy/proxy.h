/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy core (RFC 3261 16): one struct proxy per worker, the transaction layer's user. The way
 * of a request, a file each:
 *
 *   validate.c  16.3: checks in order, stateless refusals
 *   preprocess.c 16.4: strict routers, our own Route entries, maddr
 *   route.c     the chain of steps: hooks -> policy -> route rules -> targets; each step may wait and
 *               be resumed; decisions are noted
 *   policy.c    relay policy, dialogs that we record-routed (rr.c has the keyed check)
 *   targets.c   16.5: target set from Request-URI, location, trunks, redirects
 *   fork.c      groups by q, Max-Breadth, instances with several flows
 *   branch.c    16.6: copy, Request-URI, Max-Forwards, Record-Route, Route, Via; next hop, failover
 *   response.c  16.7: response context, best response, CANCEL of others; 3xx, 408, 503
 *   cancel.c    16.10; ack.c: ACK for 2xx; own.c: requests addressed to the server itself
 *   trunk.c     trunks: failover, weights, OPTIONS probes, max_calls
 */
#pragma once

#include "dns/resolve.h"
#include "location/location.h"
#include "proxy/hooks.h"
#include "subscriber/subscriber.h"
#include "transaction/transaction.h"

struct proxy;

struct proxy_params {
	struct worker *worker;
	struct transport *transport;
	struct transport_group *transports; /* NULL in unit tests */
	struct txn_layer *txns;
	struct dns_resolver *dns;  /* NULL: numeric hosts only */
	struct loc_table *location;
	struct sub_table *subscribers; /* NULL: none */
	const struct hash_key *dialog_key[2]; /* Record-Route check: now, before rotation (may be NULL) */
};
int proxy_new(const struct proxy_params *params, struct proxy **p_r); /* sets the txn layer's user */
void proxy_free(struct proxy *p);
/* Replaces the table; requests in progress keep theirs. The table is freed by the caller after the
 * workers have adopted the next one and @p no longer uses it (proxy_hooks_in_use). */
void proxy_set_hooks(struct proxy *p, struct hook_table *hooks);
/* drain: new INVITEs get 503 + Retry-After; the rest goes on. */
void proxy_set_draining(struct proxy *p, bool on);
size_t proxy_open_requests(const struct proxy *p);

/* --- decisions ----------------------------------------------------------------------------------- */

struct proxy_decision {
	struct proxy_decision *next;
	const char *rule;  /* "proxy.relay", "RFC 3261 16.3 (4)" */
	struct str text;   /* one sentence */
	uint64_t at_us;    /* since the request came */
};

/* explain: runs the same steps with nothing sent and nothing changed; @cb once, with the list. @source may be
 * NULL (unknown, untrusted). @user: as if authenticated; empty: as it is. */
typedef void(proxy_explain_cb)(void *arg, const struct proxy_decision *first);
int proxy_explain(struct proxy *p, struct sip_msg *req, const struct tp_flow *from, struct str user,
		  proxy_explain_cb *cb, void *arg);
/* why: decisions of recent calls on this worker, newest first; ring of server.trace_ring entries. */
typedef void(proxy_why_cb)(void *arg, const struct sip_msg *req, int64_t unix_ms, int final_status,
			   const struct proxy_decision *first);
void proxy_why(struct proxy *p, struct str call_id, proxy_why_cb *cb, void *arg);

/* --- trunks ------------------------------------------------------------------------------------------ */

struct proxy_trunk_info {
	struct str trunk, target;
	bool up;             /* last probe or request was answered */
	int last_status;     /* of the last probe, 0: none yet */
	uint64_t checked_ms_ago; /* UINT64_MAX: never */
	int calls;           /* INVITE transactions not yet answered, this worker */
};
typedef void(proxy_trunk_cb)(void *arg, const struct proxy_trunk_info *info);
void proxy_each_trunk(struct proxy *p, proxy_trunk_cb *cb, void *arg);
