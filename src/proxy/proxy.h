/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy core (RFC 3261 16): one struct proxy per worker, the transaction layer's user. The way
 * of a request, a file each:
 *
 *   context.c    the request context: its chain of steps, its end; wait.c: hooks, and being taken
 * up again after one has waited; reply.c: answers of our own validate.c   16.3: checks in order
 *   preprocess.c 16.4: strict routers, our own Route entries, maddr; names.c: what is ours; rr.c:
 * the keyed check in our Record-Route rules.c      route rules; own.c: requests addressed to the
 * server itself; policy.c: relay policy targets.c    16.5: target set from Request-URI, location,
 * redirects fork.c       16.6: groups by q, Max-Breadth branch.c     one target: attempts,
 * failover, instances with several flows; hop.c: Request-URI, Route, next hop; forward.c: the
 * request as it leaves response.c   16.7: what client transactions report, Timer C; best.c: the
 * choice of the final response; redirect.c: 3xx; cancel.c: 16.10; flow.c: dead flows trunk.c
 * trunks: failover, weights, max_calls; probe.c: OPTIONS probes; uac.c: requests of our own why.c
 * decisions: explain, why
 *
 * Everything that may be refused without state is; a server transaction is made when the request is
 * about to be forwarded, or waits. Where a step waits (look-up, DNS, hook) it is left and taken up
 * again by the same functions that run it through at once.
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
	struct dns_resolver *dns; /* NULL: numeric hosts only */
	struct loc_table *location;
	struct sub_table *subscribers; /* NULL: none */
	const struct hash_key
		*dialog_key[2];      /* Record-Route check: now, before rotation (may be NULL) */
	struct proxy_shared *shared; /* the same for all workers; NULL: this one is alone */
};
/* State of trunks, shared by the proxies of all workers. Main thread; freed after them. */
struct proxy_shared *proxy_shared_new(void);
void proxy_shared_free(struct proxy_shared *shared);

int proxy_new(const struct proxy_params *params,
              struct proxy **p_r); /* sets the txn layer's user */
void proxy_free(struct proxy *p);
/* Replaces the table; requests in progress keep theirs. The table is freed by the caller after the
 * workers have adopted the next one and @p no longer uses it (proxy_hooks_in_use). */
void proxy_set_hooks(struct proxy *p, struct hook_table *hooks);
bool proxy_hooks_in_use(const struct proxy *p, const struct hook_table *hooks);
/* What the transport tells and nobody below wants: for the hooks packet and flow. Each may be NULL.
 * The proxy has suspended the bindings of a flow that went before @flow is called. */
struct proxy_wire_hooks {
	enum tp_verdict (*packet)(void *arg, struct str data, const struct tp_flow *from);
	void (*flow)(void *arg, const struct tp_flow *flow, bool up);
	bool (*in_use)(void *arg, const struct tp_flow *flow); /* a stream that is to stay open */
	void *arg;
};
void proxy_set_wire_hooks(struct proxy *p, const struct proxy_wire_hooks *wire);
/* drain: new INVITEs get 503 + Retry-After; the rest goes on. */
void proxy_set_draining(struct proxy *p, bool on);
size_t proxy_open_requests(const struct proxy *p);

/* --- decisions */

struct proxy_decision {
	struct proxy_decision *next;
	const char *rule; /* "proxy.relay", "RFC 3261 16.3 (4)" */
	struct str text;  /* one sentence */
	uint64_t at_us;   /* since the request came */
};

/* explain: runs the same steps with nothing sent and nothing changed; @cb once, with the list.
 * @source may be NULL (unknown, untrusted). @user: as if authenticated; empty: as it is. */
typedef void(proxy_explain_cb)(void *arg, const struct proxy_decision *first);
int proxy_explain(struct proxy *p, struct sip_msg *req, const struct tp_flow *from, struct str user,
                  proxy_explain_cb *cb, void *arg);
/* why: decisions of calls in progress and of recent ones on this worker, newest first; a ring of
 * server.trace_ring entries over all workers. Everything is valid during the call only. */
struct proxy_why {
	struct str call_id, method, uri, from; /* from: its URI */
	struct str source;                     /* "192.0.2.1:5060" */
	int64_t unix_ms;                       /* when it came */
	uint32_t took_ms;                      /* until now, or its end */
	int final_status;                      /* 0: in progress, or none was given */
	const struct proxy_decision *first;
};
typedef void(proxy_why_cb)(void *arg, const struct proxy_why *why);
void proxy_why(struct proxy *p, struct str call_id, proxy_why_cb *cb, void *arg);

/* --- trunks */

struct proxy_trunk_info {
	struct str trunk, target;
	bool is_known;           /* there has been a probe or a request */
	bool up;                 /* the last one was answered, or there has been none */
	int last_status;         /* of the last probe, 0: none yet */
	uint64_t checked_ms_ago; /* UINT64_MAX: never */
	int calls;               /* INVITE transactions not yet answered, all workers */
};
typedef void(proxy_trunk_cb)(void *arg, const struct proxy_trunk_info *info);
void proxy_each_trunk(struct proxy *p, proxy_trunk_cb *cb, void *arg);
/* The same on any thread, for the trunks of @conf; without checked_ms_ago. */
struct conf;
void proxy_shared_each_trunk(struct proxy_shared *shared, const struct conf *conf,
                             proxy_trunk_cb *cb, void *arg);
