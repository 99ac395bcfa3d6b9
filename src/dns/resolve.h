/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locating SIP servers (RFC 3263): URI -> ordered targets of transport, address and port. One
 * resolver per worker (libunbound inside the worker's event base); never blocks. Failed targets are
 * remembered per worker and broadcast (dns/health.h).
 */
#pragma once

#include "net/addr.h"
#include "sip/uri.h"
#include "util/arena.h"
#include "worker/worker.h"

struct dns_target {
	struct net_addr addr;
	uint8_t proto;    /* CONF_UDP .. CONF_WSS == TP_UDP .. */
	struct str name;  /* the name asked for: TLS identity (RFC 5922) */
};

struct dns_answer {
	struct dns_target *v; /* in the order to try */
	size_t n;
};

struct dns_resolver;
struct dns_query;

/* 0: targets. BELFRY_ENXDOMAIN: no such name; BELFRY_ETIMEOUT; BELFRY_ENOENT: no usable address or
 * transport. @answer lives during the call. Never called inside dns_resolve(). */
typedef void(dns_cb)(int err, const struct dns_answer *answer, void *arg);

int dns_resolver_new(struct worker *w, struct dns_resolver **r_r, char **error_r);
void dns_resolver_free(struct dns_resolver *r);
/* Adopts changed `dns` settings at a reload. */
int dns_resolver_set_conf(struct dns_resolver *r, const struct conf *conf);

struct dns_ask {
	const struct sip_uri *uri;
	bool sips;              /* TLS on every hop, whatever the scheme */
	unsigned have_protos;   /* bit per proto that we can send by */
};

/* 0: answered at once in @arena (*answer_r), numeric hosts always. BELFRY_WAIT: @cb follows on this
 * worker unless cancelled. Other: no usable target, e.g. BELFRY_ENOENT. */
int dns_resolve(struct dns_resolver *r, const struct dns_ask *ask, struct arena *arena,
		struct dns_answer *answer_r, dns_cb *cb, void *arg, struct dns_query **query_r);
void dns_cancel(struct dns_query **query);

/* Health of (address, port, transport): what failed is tried last for failure_ttl. */
void dns_mark_failed(struct dns_resolver *r, const struct dns_target *t, uint32_t retry_after_s);
void dns_mark_good(struct dns_resolver *r, const struct dns_target *t);
bool dns_is_failed(struct dns_resolver *r, const struct dns_target *t);
/* Puts the marked ones last; keeps order otherwise. */
void dns_order(struct dns_resolver *r, struct dns_target *v, size_t n);
