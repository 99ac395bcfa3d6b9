/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and its response context (RFC 3261 16.2), struct belfry_req: what the steps of the
 * proxy work on, and what the functions of belfry/module.h are thin calls into.
 *
 * It begins when the transaction layer hands a new request up and ends when nothing more can come
 * for it: all branches over, the server transaction done. Text lives in the request's arena
 * (req->msg->arena) and is gone once the context is compact: an answered INVITE that only waits for
 * late 2xx keeps neither message nor settings.
 *
 * One worker. A pointer to it is good until the hook or callback that got it returns; who has to
 * wait longer leaves a struct hook_wait (hooks.h).
 */
#pragma once

#include "belfry/module.h"
#include "location/location.h"
#include "proxy/hooks.h"
#include "proxy/proxy.h"
#include "transaction/transaction.h"
#include "util/list.h"

struct belfry_branch;
struct expand;
struct loc_held;
struct notes;
struct proxy_target;
struct trunk;

/* The chain of steps a request goes through; each may wait and be taken up again at the same place.
 */
enum proxy_step {
	PROXY_STEP_VALIDATE,   /* 16.3, without the scheme */
	PROXY_STEP_PREPROCESS, /* 16.4 */
	PROXY_STEP_REQUEST,    /* hooks: request */
	PROXY_STEP_SERVE,      /* methods that modules serve */
	PROXY_STEP_RULES,      /* routes, and requests addressed to the server itself */
	PROXY_STEP_POLICY,     /* relay */
	PROXY_STEP_EXPAND,     /* 16.5: URIs become targets */
	PROXY_STEP_TARGETS,    /* hooks: targets */
	PROXY_STEP_FORK,       /* 16.6, 16.7: branches run */
};

/* What the Request-URI, as it is after 16.4, is to us. */
enum proxy_ruri {
	PROXY_RURI_ELSEWHERE,
	PROXY_RURI_LOCAL, /* user at a domain of ours */
	PROXY_RURI_HOST,  /* user at a name or address of this server that is no domain */
	PROXY_RURI_SELF,  /* the server itself: no user */
	PROXY_RURI_OTHER, /* another scheme */
};

struct proxy_lines { /* header lines added by modules */
	struct proxy_lines *next;
	enum sip_hdr before;
	struct str text;
};

struct proxy_hidden {
	struct proxy_hidden *next;
	int index; /* header field of the request */
};

/* A final response of a branch, kept until the best one is chosen (16.7 item 4). */
struct proxy_answer {
	struct proxy_answer *next; /* of challenges */
	struct sip_msg *msg;       /* a reference; NULL: made up by us */
	uint16_t code;
	uint16_t rank;      /* lower is better */
	bool from_location; /* its target is a binding */
	bool about_us;      /* a 503 that is about this server: goes upstream as it is */
	uint64_t followed;  /* 3xx: Contact values that we follow ourselves, a bit each */
	struct str headers; /* made up: complete lines */
};

struct belfry_req {
	struct proxy *p;
	struct list node;       /* of p->reqs */
	struct sip_msg *msg;    /* a reference; NULL once compact */
	struct worker_conf *wc; /* a reference; NULL once compact */
	const struct conf *conf;
	struct hook_table *hooks;
	struct txn_server *st; /* NULL: not accepted yet, no state */
	struct tp_flow from;
	uint64_t start_us;

	/* Where it stands. */
	uint8_t step;      /* enum proxy_step */
	uint8_t ruri_kind; /* enum proxy_ruri */
	uint16_t hook_i;   /* next entry of the hook of this step */
	unsigned depth;    /* frames of ours on the stack: freed when the last one is left */
	bool is_invite, is_ack;
	bool dry;        /* explain: nothing is sent or changed */
	bool over;       /* nothing more will come */
	bool final_sent; /* a final response has gone upstream, or none is to be sent */
	bool accepted;   /* there is, or was, a server transaction */
	bool compact;
	uint16_t final_status;

	/* What is known about it. */
	bool trusted;        /* proxy.trusted */
	bool in_dialog;      /* inside a dialog that we record-routed (16.12) */
	bool elsewhere;      /* next hop behind our own Route entries is not ours */
	bool leaves;         /* a route rule leads to a trunk */
	bool maddr;          /* a maddr that is not ours: the Request-URI is the only target */
	bool route_popped;   /* strict router: the last Route value has become the Request-URI */
	bool user_priority;  /* of the authenticated user */
	struct str user;     /* authenticated, canonical AOR; empty: nobody */
	struct sip_uri ruri; /* after 16.4 */
	unsigned route_skip; /* own Route values at the top, to be removed */
	struct str route;    /* first remaining Route value; empty: none */
	struct sip_uri route_uri;
	const struct tp_listener *out_hint; /* the side our last own Route entry names, or NULL */
	uint64_t loop; /* RFC 5393 hash of the request as it came, 0: not made yet; see proxy_loop() */
	unsigned breadth;                   /* Max-Breadth not given to a running branch */

	/* Modules. */
	struct proxy_hidden *hidden;
	struct proxy_lines *reply_lines;
	struct hook_wait *wait;
	struct timer wait_timer;
	struct belfry_branch *hook_branch; /* whose hook `branch` waits */

	/* Targets (16.5). */
	struct proxy_target *targets, *targets_last;
	unsigned targets_n, expand_n;
	struct expand *expand, *expand_last, *expand_at; /* URIs that become targets */
	bool in_loop, needs_tls;                         /* why there may be none */
	struct loc_query *lookup;
	struct loc_held *sets; /* what targets point into */
	struct trunk *trunk;   /* whose max_calls counts this one */

	/* Response context (16.7). */
	struct belfry_branch *branches;
	unsigned pending; /* branches that have not ended */
	bool forking, fork_again;
	uint16_t group_q;
	bool got_2xx, got_6xx, cancelled, rang;
	struct proxy_answer best;        /* code 0: none yet */
	struct proxy_answer *challenges; /* 401 and 407 of all branches */
	struct str cancel_extra;         /* Reason lines of the upstream CANCEL */
	struct str via_in;               /* top Via with received and rport; made once */

	struct notes *notes; /* decisions; NULL: nobody wants to know */
	proxy_explain_cb *explain_cb;
	void *explain_arg;
	struct job reap;
};

/* --- facts */

static inline struct arena *proxy_arena(struct belfry_req *req)
{
	return &req->msg->arena;
}
/* A domain of ours, or the server itself. */
static inline bool proxy_ruri_is_local(const struct belfry_req *req)
{
	return req->ruri_kind == PROXY_RURI_LOCAL || req->ruri_kind == PROXY_RURI_HOST ||
	       req->ruri_kind == PROXY_RURI_SELF;
}

bool proxy_leads_to_trunk(const struct belfry_req *req); /* by a rule of `routes` */

/* --- what modules may do to a request */

/* The user that has authenticated; @aor is copied. -ENOMEM (then nobody is). */
int proxy_set_user(struct belfry_req *req, struct str aor, bool priority);
/* Header field @index is not forwarded. */
void proxy_hide_header(struct belfry_req *req, int index);
/* Answers: without state before proxy_accept(), never to an ACK. The request is done with (pending
 * branches are cancelled); the context is gone when the hook or callback has returned. @reason
 * empty: the registered phrase; @headers complete lines; text lives in the arena or is static. */
void proxy_reply(struct belfry_req *req, int code, struct str reason, struct str headers,
                 struct str body);
/* Lines for whatever goes upstream as an answer to this request. Text as above. */
void proxy_add_reply_header(struct belfry_req *req, struct str lines);
/* Makes the server transaction, if there is none. 0, or BELFRY_EFULL: 503 has been sent. No-op for
 * ACK and in a dry run. */
int proxy_accept(struct belfry_req *req);
/* A decision, if anybody wants to know (belfry_decide). @rule is static text. */
void proxy_note_v(struct belfry_req *req, const char *rule, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Waiting: hooks.h, proxy_req_set_wait() and proxy_req_continue(). The proxy accepts the request
 * when a hook answers BELFRY_WAITING, sends 100 by its rules and gives up after BELFRY_WAIT_MAX_MS
 * (504). */

/* Around work done for a request outside of its hooks (a commit's callback): proxy_leave() frees it
 * when it is over. */
void proxy_enter(struct belfry_req *req);
void proxy_leave(struct belfry_req *req);

/* --- targets and branches */

size_t proxy_target_n(const struct belfry_req *req);
void proxy_target_get(const struct belfry_req *req, size_t i, struct belfry_target *t_r);
/* Copies the text. BELFRY_EEXIST: that URI is or was a target already (16.5); BELFRY_EDENIED: a
 * final response has gone, or after CANCEL or 6xx; BELFRY_EPARSE. */
int proxy_target_add(struct belfry_req *req, const struct belfry_target *t);
/* Only targets that have not been tried. */
void proxy_target_remove(struct belfry_req *req, size_t i);
void proxy_branch_target(const struct belfry_branch *br, struct belfry_target *t_r);
void proxy_branch_add_header(struct belfry_branch *br, enum sip_hdr before, struct str lines);

/* --- requests of our own */

struct proxy_own_request {
	struct str method, uri, from_uri, to_uri; /* from_uri empty: sip:server.name */
	struct str next_hop;                      /* URI to send to instead of @uri; empty: none */
	struct str headers;                       /* complete lines */
	struct str body;
};
/* @resp is the final response (borrowed), or NULL with @err. Once, never inside the call. */
typedef void(proxy_own_cb)(void *arg, int err, const struct sip_msg *resp);
/* Text is copied. 0 or BELFRY_E: no callback then. */
int proxy_send_request(struct proxy *p, const struct proxy_own_request *r, proxy_own_cb *cb,
                       void *arg);
