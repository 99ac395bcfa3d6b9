/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this layer share. The order of the files is that of proxy.h.
 */
#pragma once

#include "proxy/context.h"
#include "transport/branch.h"
#include "util/sbuf.h"
#include "util/slab.h"

#define PROXY_TARGETS_MAX 256  /* of one request; what is beyond is not tried */
#define PROXY_EXPAND_MAX  32   /* addresses-of-record looked up for one request */
#define PROXY_VIA_TCP_MS  2000 /* how long a large request waits for TCP before it goes by UDP */
#define PROXY_TEXT_MAX    1024 /* bytes of what we put into one request, URIs of others apart */
#define PROXY_RR_MAX      128  /* bytes of our Record-Route line, host and port apart */

enum step_result { STEP_NEXT, STEP_WAIT, STEP_DONE };

/* Why a request was refused: label of belfry_rejected_total. */
enum refusal {
	REFUSED_SYNTAX,
	REFUSED_SCHEME,
	REFUSED_MAX_FORWARDS,
	REFUSED_LOOP,
	REFUSED_EXTENSION,
	REFUSED_METHOD,
	REFUSED_RELAY,
	REFUSED_RULE,
	REFUSED_NOT_FOUND,
	REFUSED_UNAVAILABLE,
	REFUSED_MAX_BREADTH,
	REFUSED_MAX_CALLS,
	REFUSED_OVERLOAD,
	REFUSED_DRAIN,
	REFUSED_ERROR,
	REFUSED_N
};

struct proxy_ids { /* of counters and timer kinds */
	int timer_c, wait, probe;
	int rejected[REFUSED_N];
	int setup, redirected, failovers;
};

struct own_names; /* names.c */
struct trunks;    /* trunk.c */
struct why_ring;  /* why.c */

struct proxy {
	struct worker *w;
	struct transport *tp;
	struct transport_group *tg;
	struct txn_layer *txns;
	struct dns_resolver *dns;
	struct loc_table *location;
	struct sub_table *subs;
	const struct hash_key *dialog_key[2];
	uint8_t dialog_key_id[2]; /* told in what a key has made, so that a rotation does no harm */
	struct hash_key spare_key; /* when none was given */
	struct worker_conf *wc;    /* the settings that names, trunks and ring are made from */
	struct hook_table *hooks;
	struct hook_table no_hooks;
	struct slab reqs, branches;
	struct list live;
	size_t open_n; /* requests that are not compact */
	bool draining;
	struct proxy_ids ids;
	struct own_names *names;
	struct trunks *trunks;
	struct why_ring *ring;
	struct list own; /* requests of ours under way (uac.c) */
	struct proxy_wire_hooks wire;
	struct proxy_shared *shared;
	bool owns_shared;
};

struct loc_held {
	struct loc_held *next;
	struct loc_set *set;
};

struct proxy_target {
	struct proxy_target *next;
	struct proxy_target *alt; /* the next flow of the same instance (RFC 5626 7) */
	struct sip_uri uri;
	struct str request_uri; /* @uri without what may not be in a Request-URI */
	struct str path;        /* Route values to put in front; empty: none */
	struct str instance;    /* empty: none */
	struct str aor;         /* binding: whose */
	struct str contact;     /* binding: as registered */
	struct str received;    /* binding: where it was registered from */
	uint64_t binding_id;
	struct str hop; /* URI to send to, the Request-URI untouched (305); empty: none */
	const struct conf_trunk *conf_trunk; /* sent to its targets, the Request-URI untouched */
	struct trunk *trunk;                 /* its state; NULL: none */
	struct tp_flow flow;
	uint16_t q;
	bool from_location, has_flow, is_alt;
	bool by_operator; /* said by the settings, a static binding or a module */
	bool tried;       /* or not to be tried any more */
};

enum branch_state {
	BRANCH_PREPARING, /* hooks, DNS */
	BRANCH_RUNNING,   /* a client transaction */
	BRANCH_ENDED,
};

/* What a client transaction's user begins with. */
struct client_ops {
	void (*response)(void *user, struct txn_client *ct, struct sip_msg *resp);
	void (*failed)(void *user, struct txn_client *ct, int err);
	void (*client_end)(void *user, struct txn_client *ct);
};

struct belfry_branch {
	const struct client_ops *ops;
	struct belfry_req *req;
	struct belfry_branch *next;
	struct proxy_target *target;
	struct txn_client *ct;
	struct timer timer_c;
	uint8_t state; /* enum branch_state */
	bool got_provisional, got_2xx, by_flow;
	bool is_queued;    /* its hooks wait until those of another branch have answered */
	bool by_tcp;       /* a large request that would have gone by UDP */
	bool tcp_refused;  /* it could not: by UDP then */
	bool timed_out;    /* Timer C fired */
	bool is_refused;   /* not the next hop's fault: a limit of ours */
	bool is_prepared;  /* route_lines and next_hop are made */
	bool hops_done;    /* there is no other next hop to resolve */
	bool is_told;      /* dry run: an attempt has been explained */
	uint64_t followed; /* 3xx: Contacts that have become targets, a bit each */
	unsigned breadth;
	uint16_t hook_i;
	struct proxy_lines *lines;

	struct str route_line;  /* "Route: ...\r\n" as sent; empty: none */
	bool route_changed;     /* it is not what the request has */
	struct str request_uri; /* as sent */
	struct sip_uri next_hop;
	bool is_ruri;              /* next_hop is the Request-URI */
	struct trunk_order *order; /* to a trunk: its targets yet to be tried */
	struct trunk_target *trunk_target;
	struct dns_query *query;
	struct dns_target *hops; /* of the next hop, in the order to try */
	struct dns_target numeric;
	size_t hops_n, hop_i;
	int last_error; /* why the last attempt ended */
};

/* --- proxy.c */
void proxy_count(struct proxy *p, int id);
/* What is made from the settings (names, trunks, ring) is made anew when they have changed; without
 * memory it stays, and the next request tries again. */
int proxy_follow_settings(struct proxy *p);
enum tp_verdict proxy_on_packet(void *arg, struct str data, const struct tp_flow *from);
bool proxy_on_in_use(void *arg, const struct tp_flow *flow);

/* --- context.c, wait.c */
void proxy_on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from);
/* At the end: all that are left. */
void proxy_reqs_free(struct proxy *p);
struct belfry_req *proxy_req_new(struct proxy *p, struct sip_msg *msg, const struct tp_flow *from);
/* Goes on with the steps from where it stands. */
void proxy_run(struct belfry_req *req);
/* Whatever it waits for is called off. */
void proxy_stop_waiting(struct belfry_req *req);
/* A step is about to return STEP_WAIT: a server transaction, 100, a bound. STEP_DONE: refused. */
enum step_result proxy_begin_wait(struct belfry_req *req);
/* The rest of the hooks of a step; STEP_NEXT when all let it pass. */
enum step_result proxy_request_hooks(struct belfry_req *req);
enum step_result proxy_targets_hooks(struct belfry_req *req);
/* The rest of a branch's hooks: STEP_DONE when one has answered. */
enum step_result proxy_branch_hooks(struct belfry_branch *br);
/* The hook has added targets instead of this response. */
bool proxy_response_hooks(struct belfry_req *req, struct belfry_branch *br,
                          const struct sip_msg *resp);
void proxy_end_hooks(struct belfry_req *req);
void proxy_wait_timer(struct timer *t, void *arg);

/* --- reply.c */
/* An error of ours: counted, noted under @rule. Always STEP_DONE. */
enum step_result proxy_refuse(struct belfry_req *req, enum refusal why, int code, const char *rule,
                              struct str headers);
/* 400 with what is wrong as its phrase. */
enum step_result proxy_refuse_syntax(struct belfry_req *req, struct str reason, const char *rule);
/* The lines of Retry-After: @s and up to as much again (a spread). In the arena. */
struct str proxy_retry_after(struct belfry_req *req, unsigned s);
struct str proxy_allow(struct belfry_req *req); /* "Allow: ...\r\n" for the server itself */

/* --- why.c */
/* A decision: @rule is the setting or RFC section, @text a sentence in which %s stands for @s, %n
 * for @n and %q for @n thousandths; both static. Costs one test when nobody wants to know, a copy
 * of @s when somebody does. */
void proxy_note(struct belfry_req *req, const char *rule, const char *text, struct str s,
                int64_t n);
static inline void note(struct belfry_req *req, const char *rule, const char *text)
{
	if (req->notes) {
		proxy_note(req, rule, text, STR_NONE, 0);
	}
}
static inline void note_s(struct belfry_req *req, const char *rule, const char *text, struct str s)
{
	if (req->notes) {
		proxy_note(req, rule, text, s, 0);
	}
}
static inline void note_n(struct belfry_req *req, const char *rule, const char *text, int64_t n)
{
	if (req->notes) {
		proxy_note(req, rule, text, STR_NONE, n);
	}
}
/* What only `explain` has time to tell: checks that were passed, details. printf-like. */
void proxy_note_detail(struct belfry_req *req, const char *rule, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void proxy_notes_begin(struct belfry_req *req);
void proxy_explain_end(struct belfry_req *req);
int proxy_ring_update(struct proxy *p);
void proxy_ring_keep(struct belfry_req *req);
void proxy_ring_free(struct proxy *p);

/* --- names.c */
int proxy_names_update(struct proxy *p);
void proxy_names_free(struct proxy *p);
/* A name or address of this server (not a domain), and a port of ours or none. */
bool proxy_is_own_host(const struct belfry_req *req, struct str host);
bool proxy_is_own_port(const struct belfry_req *req, uint16_t port);
/* What a URI is to us. */
enum proxy_ruri proxy_uri_kind(const struct belfry_req *req, const struct sip_uri *uri);
/* Names us in a Route: host as above or a domain of ours. */
bool proxy_uri_is_own(const struct belfry_req *req, const struct sip_uri *uri);

/* --- validate.c, preprocess.c, policy.c, rules.c, own.c: steps */
enum step_result proxy_validate(struct belfry_req *req);
enum step_result proxy_require(struct belfry_req *req); /* Require, addressed to ourselves */
enum step_result proxy_preprocess(struct belfry_req *req);
enum step_result proxy_serve(struct belfry_req *req);
enum step_result proxy_rules(struct belfry_req *req);
/* RFC 3261 16.3 step 2: 416 when nothing but the Request-URI tells the next hop, and it is of
 * another scheme. Comes before anybody is asked for a password. */
enum step_result proxy_scheme(struct belfry_req *req);
bool proxy_has_rule(const struct belfry_req *req); /* one that matches */
enum step_result proxy_policy(struct belfry_req *req);
enum step_result proxy_answer_own(struct belfry_req *req); /* addressed to the server itself */
/* The hash by which a loop is known (RFC 5393 4.2.2), made when it is first needed. */
uint64_t proxy_loop(struct belfry_req *req);

/* --- rr.c */
/* Is @value the check in a Record-Route of ours for this request's dialog? */
bool proxy_rr_check(const struct belfry_req *req, struct str value);
bool proxy_rr_wanted(const struct belfry_req *req, const struct belfry_branch *br,
                     const struct tp_flow *out);
/* "Record-Route: ...\r\n" for a request that leaves by @out. */
void proxy_rr_print(struct sbuf *b, const struct belfry_req *req, const struct tp_flow *out);

/* --- targets.c */
/* @uri is to become targets: itself, or the bindings behind it. @parent is the URI that led there.
 * -ENOMEM, BELFRY_EFULL, BELFRY_EEXIST. */
int proxy_expand_add(struct belfry_req *req, const struct sip_uri *uri, uint16_t q,
                     struct expand *parent);
/* The same of a route rule's URI. */
int proxy_expand_rule(struct belfry_req *req, const struct sip_uri *uri);
enum step_result proxy_expand(struct belfry_req *req);
enum step_result proxy_no_target(struct belfry_req *req); /* 404, 480 or 482 */
/* After forking has begun (redirects). STEP_WAIT: forking goes on by itself when it is done. */
enum step_result proxy_expand_more(struct belfry_req *req);
/* One more target. @uri is copied, its text is not. NULL: there is one like it (16.5), there are
 * too many, or no memory is left. */
struct proxy_target *proxy_target_new(struct belfry_req *req, const struct sip_uri *uri, uint16_t q,
                                      const struct tp_flow *flow, struct str path);
/* The same once more, to be reached in another way (305). NULL: no memory, or too many. */
struct proxy_target *proxy_target_again(struct belfry_req *req, const struct proxy_target *like,
                                        uint16_t q);
void proxy_targets_release(struct belfry_req *req);

/* --- fork.c */
enum step_result proxy_fork(struct belfry_req *req);
/* Starts what may be started now; chooses the final response when nothing is left. */
void proxy_fork_go_on(struct belfry_req *req);

/* --- branch.c, hop.c, forward.c */
void proxy_branch_start(struct belfry_req *req, struct proxy_target *target, unsigned breadth);
void proxy_branch_go_on(struct belfry_branch *br); /* after its hooks */
/* The attempt under way has failed with @code (408, 430, 503) or @resp: the next hop, the next flow
 * of the instance, or the end of the branch. */
void proxy_branch_failed(struct belfry_branch *br, uint16_t code, struct sip_msg *resp);
/* Ends it with a final response (NULL: made up) for the response context. */
void proxy_branch_end(struct belfry_branch *br, uint16_t code, struct sip_msg *resp,
                      struct str headers);
/* Not of interest any more: CANCEL, or dropped if nothing was sent. */
void proxy_branch_cancel(struct belfry_branch *br, struct str extra);
void proxy_cancel_pending(struct belfry_req *req, struct str extra);
void proxy_branch_free(struct belfry_branch *br);
/* Over without an answer: something else stands in for it. */
void proxy_branch_replaced(struct belfry_branch *br);
void proxy_branch_by_udp(struct belfry_branch *br);
/* The next next-hop URI (a trunk has several) by RFC 3263: hops, hop_i. BELFRY_WAIT:
 * proxy_branch_resolved() follows. BELFRY_ENOENT with hops_done set: there was none. */
int proxy_resolve(struct belfry_branch *br);
/* A numeric host needs no DNS (RFC 3263 4.1, 4.2). false: ask. */
bool proxy_numeric_hop(const struct sip_uri *uri, bool sips, struct dns_target *hop_r);
unsigned proxy_have_protos(const struct conf *conf); /* bit per enum tp_proto */
/* Request-URI, Route and next hop of the target (16.6 steps 2 and 6). -ENOMEM, BELFRY_EPARSE. */
int proxy_route(struct belfry_branch *br);
void proxy_branch_resolved(struct belfry_branch *br, int err);
/* Sends the request of @br by @flow: a client transaction, or without state for an ACK. */
int proxy_forward(struct belfry_branch *br, struct tp_flow *flow, bool by_flow);
/* An ACK that is too large for UDP: by @tcp, or by @udp if that does not open. */
int proxy_forward_ack(struct belfry_branch *br, struct tp_flow *tcp, struct tp_flow *udp);
/* More than proxy.mtu as it would be sent over UDP. */
bool proxy_is_too_large(const struct belfry_branch *br);
void proxy_timer_c(struct timer *t, void *arg);

/* --- response.c, best.c, redirect.c, cancel.c, flow.c: the response context */
extern const struct client_ops proxy_branch_ops;
void proxy_on_cancelled(void *user, struct txn_server *st, const struct sip_msg *cancel);
void proxy_on_server_end(void *user, struct txn_server *st);
void proxy_send_upstream(struct belfry_req *req, struct sip_msg *resp, uint64_t followed);
/* The challenges of @a for @resp, which goes up. */
void proxy_challenge_add(struct sip_edits *edits, const struct sip_msg *resp,
                         const struct proxy_answer *a);
void proxy_answer_keep(struct belfry_req *req, const struct proxy_answer *answer);
void proxy_answers_release(struct belfry_req *req);
void proxy_send_best(struct belfry_req *req);
/* Targets from the Contacts of a 3xx; *followed_r: which. true: nothing is left to pass on. */
bool proxy_follow_redirect(struct belfry_branch *br, const struct sip_msg *resp,
                           uint64_t *followed_r);
/* A binding's flow is dead: every binding that uses it is suspended. */
void proxy_flow_failed(struct belfry_branch *br);
/* 430: this binding is removed. */
void proxy_binding_remove(struct belfry_branch *br);
void proxy_on_flow(void *arg, const struct tp_flow *flow, bool up);

/* --- trunk.c, probe.c */
struct trunk_target; /* state of one target of a trunk */
struct trunk_order {
	struct trunk_order *next;
	struct str uri;
	struct trunk_target *state; /* NULL: none */
};
int proxy_trunks_update(struct proxy *p);
void proxy_trunks_free(struct proxy *p);
struct trunk *proxy_trunk_find(struct proxy *p, struct str name);
/* max_calls: counts an INVITE. false: there are too many already. */
bool proxy_trunk_enter(struct belfry_req *req, const struct proxy_target *t);
void proxy_trunk_leave(struct belfry_req *req);
/* Its targets in the order to try them, in the arena; NULL: no memory. */
struct trunk_order *proxy_trunk_order(struct belfry_req *req, const struct proxy_target *t);
/* What came of a request to it: @status of its answer, or in place of one. One that failed is tried
 * last for dns.failure_ttl, or for as long as it said, 0: it said nothing (at most ten times as
 * long). */
void proxy_trunk_good(struct proxy *p, struct trunk_target *state, int status);
void proxy_trunk_failed(struct proxy *p, struct trunk_target *state, int status,
                        uint32_t retry_after_s);
void proxy_probe_timer(struct timer *t, void *arg);

/* --- uac.c */
void proxy_own_free(struct proxy *p);
