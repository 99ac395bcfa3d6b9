/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between belfryd and its modules. A module is a shared object that exports one
 * descriptor (BELFRY_MODULE); it includes this header, sip/ and util/, and nothing else.
 *
 * The story of an INVITE. A worker has parsed it (struct sip_msg, read-only) and found no
 * transaction for it. The core makes a request context, struct belfry_req, and calls in this order:
 *
 * - request: every module in the order of its order number, before any state is kept: it answers
 *   (BELFRY_DONE, sent without state), lets it pass (BELFRY_CONTINUE), or waits (BELFRY_WAITING).
 *   Then the core refuses or accepts: relay policy, max_transactions, a server transaction.
 * - serve: only for a method that a module claims (REGISTER), with a local Request-URI: it answers.
 *   The registrar has the hooks register of the others run before and after the change.
 * - targets: the target set is known (RFC 3261 16.5) and may be changed.
 * - branch: one branch is about to be forwarded (16.6); header fields may be added.
 * - response: a response is about to go upstream (16.7), header fields may be added; or a branch's
 *   final response came, which may be turned into new targets.
 * - end: all is over.
 *
 * packet is called for data that is not SIP, flow for connections that come and go.
 *
 * Everything about one request happens on one worker; state of a module is made per worker in
 * worker_init and needs no lock. What must hold on all workers lives in shared tables
 * (belfry_shared_*). Text in a message lives as long as the request context; what is added to it
 * goes into belfry_arena(req). Nothing may block. Settings are those the request began with.
 *
 * After BELFRY_WAITING the core keeps the request, sends 100 and bounds the wait; belfry_resume()
 * from any thread leads to the continuation on the request's worker. A stale handle is ignored.
 */
#pragma once

#include "sip/addr.h"
#include "sip/msg.h"
#include "sip/uri.h"
#include "util/arena.h"
#include "util/err.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/setting.h"
#include "util/str.h"

#define BELFRY_MOD_ABI 1

struct belfry_req; /* a request and its response context */
struct belfry_mod; /* a module on one worker */
struct belfry_branch;
struct belfry_core; /* the daemon, during init */

enum belfry_verdict {
	BELFRY_CONTINUE, /* nothing to say */
	BELFRY_DONE,     /* answered (belfry_reply) or taken over */
	BELFRY_WAITING,  /* belfry_wait() was called */
};

enum belfry_proto { BELFRY_UDP, BELFRY_TCP, BELFRY_TLS, BELFRY_WS, BELFRY_WSS };

/* --- descriptor --- */

enum belfry_hook_point {
	BELFRY_H_END_OF_TABLE = 0,
	BELFRY_H_PACKET,
	BELFRY_H_REQUEST,
	BELFRY_H_REGISTER,
	BELFRY_H_TARGETS,
	BELFRY_H_BRANCH,
	BELFRY_H_RESPONSE,
	BELFRY_H_FLOW,
	BELFRY_H_END,
	BELFRY_H_N
};

struct belfry_packet {
	struct str data;
	struct str source; /* "192.0.2.1:5060" */
	enum belfry_proto proto;
	const void *flow; /* for belfry_send_raw() */
};

struct belfry_registration; /* see below */
enum belfry_register_phase { BELFRY_REGISTER_BEFORE, BELFRY_REGISTER_AFTER };

union belfry_hook_fn {
	enum belfry_verdict (*packet)(const struct belfry_packet *pkt, struct belfry_mod *mod);
	enum belfry_verdict (*request)(struct belfry_req *req, struct belfry_mod *mod);
	enum belfry_verdict (*on_register)(struct belfry_req *req, enum belfry_register_phase phase,
	                                   struct belfry_registration *reg, struct belfry_mod *mod);
	enum belfry_verdict (*targets)(struct belfry_req *req, struct belfry_mod *mod);
	enum belfry_verdict (*branch)(struct belfry_req *req, struct belfry_branch *br,
	                              struct belfry_mod *mod);
	/* @resp: about to go upstream when @br is NULL; else the final response of that branch, and
	 * DONE means that new targets were added instead of it (belfry_target_add). */
	enum belfry_verdict (*response)(struct belfry_req *req, struct belfry_branch *br,
	                                const struct sip_msg *resp, struct belfry_mod *mod);
	void (*flow)(const void *flow, bool up, struct belfry_mod *mod);
	void (*end)(struct belfry_req *req, struct belfry_mod *mod);
};

struct belfry_hook {
	enum belfry_hook_point point;
	int order; /* lower first; independent of the order in which modules are listed */
	union belfry_hook_fn fn;
};
/* clang-format off */
#define BELFRY_ON_PACKET(o, f) { BELFRY_H_PACKET, (o), { .packet = (f) } }
#define BELFRY_ON_REQUEST(o, f){ BELFRY_H_REQUEST, (o), { .request = (f) } }
#define BELFRY_ON_REGISTER(o, f){ BELFRY_H_REGISTER, (o), { .on_register = (f) } }
#define BELFRY_ON_TARGETS(o, f){ BELFRY_H_TARGETS, (o), { .targets = (f) } }
#define BELFRY_ON_BRANCH(o, f) { BELFRY_H_BRANCH, (o), { .branch = (f) } }
#define BELFRY_ON_RESPONSE(o, f){ BELFRY_H_RESPONSE, (o), { .response = (f) } }
#define BELFRY_ON_FLOW(o, f)   { BELFRY_H_FLOW, (o), { .flow = (f) } }
#define BELFRY_ON_END(o, f)    { BELFRY_H_END, (o), { .end = (f) } }
/* clang-format on */
/* Orders in use: 50 registrar (Require), 100 auth; leave gaps. */

/* A method that the module serves for local domains (REGISTER); the core does not proxy it then. */
struct belfry_service {
	const char *method; /* NULL ends the table */
	enum belfry_verdict (*serve)(struct belfry_req *req, struct belfry_mod *mod);
};

/* A command of the module's own. Runs on the main thread; params and result are JSON text (one
 * object). Answer by belfry_command_reply() now or later, exactly once. */
struct belfry_call;
struct belfry_command {
	const char *name; /* "ban.list"; NULL ends the table */
	const char *args; /* "ADDR [--expires S]": positional in capitals, options with -- */
	const char *help;
	bool changes; /* something: logged with who asked */
	void (*run)(struct belfry_call *call, struct belfry_core *core, void *data);
};

struct belfry_counter {
	const char *name, *labels, *help; /* NULL name ends the table; id = index */
};

struct belfry_module {
	uint32_t abi;     /* BELFRY_MOD_ABI; first, never moves */
	const char *name; /* second, never moves */
	const char *version;
	const struct belfry_setting *settings;
	size_t conf_size;
	/* Checks what a table cannot; no side effects; NULL or a sentence (static storage). */
	const char *(*check)(const void *values);
	/* Main thread, once, before its first worker_init: keys, shared tables. *data_r is found
	 * again by belfry_data(): what all workers share, read-only from then on. 0, or a BELFRY_E
	 * code with a sentence in *error_r (static storage, may be left alone). */
	int (*init)(struct belfry_core *core, const void *values, void **data_r,
	            const char **error_r);
	void (*fini)(struct belfry_core *core, void *data); /* workers have ended */
	/* On each worker, or for it before it starts: *state_r is found again by belfry_state(). */
	int (*worker_init)(struct belfry_mod *mod, void **state_r);
	void (*worker_fini)(struct belfry_mod *mod, void *state);
	const struct belfry_hook *hooks;
	const struct belfry_service *services;
	const struct belfry_command *commands;
	const struct belfry_counter *counters;
};
#define BELFRY_MODULE(ident) BELFRY_API const struct belfry_module belfry_module_##ident

/* --- a module on its worker --- */

BELFRY_API const void *belfry_conf(const struct belfry_mod *mod); /* valid until the hook returns */
BELFRY_API void *belfry_state(const struct belfry_mod *mod);
BELFRY_API void *belfry_data(const struct belfry_mod *mod); /* of init */
BELFRY_API unsigned belfry_worker_id(const struct belfry_mod *mod);
BELFRY_API unsigned belfry_worker_n(const struct belfry_mod *mod);
BELFRY_API uint64_t belfry_now_ms(const struct belfry_mod *mod); /* monotonic */
BELFRY_API int64_t belfry_unix_ms(const struct belfry_mod *mod); /* UTC */
BELFRY_API void belfry_random(struct belfry_mod *mod, void *out, size_t n);
BELFRY_API void belfry_count(struct belfry_mod *mod, unsigned counter, int64_t n);

struct belfry_timer;
typedef void(belfry_timer_cb)(struct belfry_mod *mod, void *arg);
/* One shot; NULL when out of memory. Freed when it fires or is cancelled. */
BELFRY_API struct belfry_timer *belfry_timer_start(struct belfry_mod *mod, uint32_t ms,
                                                   belfry_timer_cb *cb, void *arg);
BELFRY_API void belfry_timer_cancel(struct belfry_timer **t);

/* --- a request --- */

BELFRY_API const struct sip_msg *belfry_msg(const struct belfry_req *req);
BELFRY_API struct str belfry_header(const struct belfry_req *req,
                                    const char *name); /* first value */
BELFRY_API struct arena *belfry_arena(struct belfry_req *req);
BELFRY_API enum belfry_proto belfry_source_proto(const struct belfry_req *req);
#define BELFRY_IP_TEXT 64
/* "192.0.2.1", "2001:db8::1", written into @out. */
BELFRY_API struct str belfry_source_ip(const struct belfry_req *req, char out[BELFRY_IP_TEXT]);
BELFRY_API uint16_t belfry_source_port(const struct belfry_req *req);
/* Is @host (of a URI or Via) the source's address, in whatever spelling? */
BELFRY_API bool belfry_source_is(const struct belfry_req *req, struct str host);
BELFRY_API const void *belfry_source_flow(const struct belfry_req *req);
BELFRY_API bool belfry_is_trusted(const struct belfry_req *req); /* proxy.trusted */
/* Inside a dialog that we record-routed, proven by our keyed Record-Route (RFC 3261 16.12). */
BELFRY_API bool belfry_is_in_our_dialog(const struct belfry_req *req);
BELFRY_API bool belfry_is_local_domain(const struct belfry_req *req, struct str host);
BELFRY_API bool
belfry_ruri_is_local(const struct belfry_req *req); /* domain of ours, or the server itself */
/* Where it would go next, our own Route entries taken away: true if that is elsewhere. */
BELFRY_API bool belfry_goes_elsewhere(const struct belfry_req *req);
/* It goes elsewhere, or by a rule to a trunk, and proxy.relay takes that from users and trusted
 * peers only: 403, unless belfry_set_user() is called. */
BELFRY_API bool belfry_needs_user(const struct belfry_req *req);

/* The user that has authenticated, canonical AOR; empty: nobody. Set by auth. */
BELFRY_API struct str belfry_user(const struct belfry_req *req);
BELFRY_API void belfry_set_user(struct belfry_req *req, struct str aor, bool priority);
/* Header field @index of the request is not forwarded (credentials for our realm). */
BELFRY_API void belfry_hide_header(struct belfry_req *req, int index);

/* Answers; the context may be gone afterwards. Without a server transaction yet: without state. ACK
 * is never answered. Always BELFRY_DONE. @headers: complete lines, in belfry_arena(req) or static.
 */
BELFRY_API enum belfry_verdict belfry_reply(struct belfry_req *req, int code, const char *reason);
BELFRY_API enum belfry_verdict belfry_reply_with(struct belfry_req *req, int code,
                                                 struct str reason, struct str headers,
                                                 struct str body);
/* Lines added to what the core or another module answers or sends upstream for this request. */
BELFRY_API void belfry_add_reply_header(struct belfry_req *req, struct str lines);
/* Takes the request over for longer: a server transaction is made now, 100 follows by its rules. 0
 * or BELFRY_EFULL (answered 503 already). A service that answers later calls it first. */
BELFRY_API int belfry_accept(struct belfry_req *req);

/* Is the module @module in use, and its setting @name (a boolean) true? By the request's settings.
 */
BELFRY_API bool belfry_is_on(const struct belfry_req *req, const char *module, const char *name);

/* A decision, for explain and why: what was decided, and the setting or RFC section behind it. */
BELFRY_API void belfry_decide(struct belfry_req *req, const char *rule, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* true: nothing may be changed or sent, only decided (belfryctl explain). */
BELFRY_API bool belfry_is_dry_run(const struct belfry_req *req);

struct belfry_handle {
	uint64_t v[2];
};
#define BELFRY_WAIT_MAX_MS 30000 /* then @cancel is called and the request gets 504 */
typedef enum belfry_verdict(belfry_resume_cb)(struct belfry_req *req, struct belfry_mod *mod,
                                              void *arg);
typedef void(belfry_cancel_cb)(struct belfry_mod *mod, void *arg);
/* From request, register, targets or branch hooks and services; return its result. @resume runs on
 * this worker after belfry_resume(); it answers like the hook would. @cancel comes instead of it:
 * CANCEL, time-out, drain. BELFRY_DONE: no room to wait, answered with 503; neither follows. */
BELFRY_API enum belfry_verdict belfry_wait(struct belfry_req *req, struct belfry_mod *mod,
                                           belfry_resume_cb *resume, belfry_cancel_cb *cancel,
                                           void *arg, struct belfry_handle *handle_r);
BELFRY_API void belfry_resume(struct belfry_core *core,
                              struct belfry_handle handle); /* any thread */
BELFRY_API struct belfry_core *belfry_core(const struct belfry_mod *mod);

/* --- targets and branches --- */

struct belfry_target {
	struct str uri;
	struct str route; /* Route values to put in front (Path), empty: none */
	uint16_t q;       /* thousandths */
	bool from_location;
};
BELFRY_API size_t belfry_target_n(const struct belfry_req *req);
BELFRY_API void belfry_target_get(const struct belfry_req *req, size_t i,
                                  struct belfry_target *t_r);
BELFRY_API int belfry_target_add(struct belfry_req *req, const struct belfry_target *t);
BELFRY_API void belfry_target_remove(struct belfry_req *req, size_t i);
BELFRY_API void belfry_branch_target(const struct belfry_branch *br, struct belfry_target *t_r);
/* Lines added to this branch's request, before the first field of that kind. */
BELFRY_API void belfry_branch_add_header(struct belfry_branch *br, enum sip_hdr before,
                                         struct str lines);

/* --- location --- */

struct belfry_binding {
	struct str contact, params, instance, call_id, path, user_agent, received;
	uint32_t reg_id, cseq, expires_s; /* expires_s: seconds left (read), granted (change) */
	uint16_t q;                       /* thousandths */
	bool has_q, is_static, flow_dead;
	bool use_flow; /* requests go down the flow the REGISTER came by */
	bool has_flow; /* read */
};

struct belfry_contact_op {
	bool remove;
	struct belfry_binding b;
};

enum belfry_durability { BELFRY_FULL, BELFRY_PROCESS, BELFRY_ASYNC };

struct belfry_change {
	struct str aor;
	struct belfry_contact_op *ops;
	size_t ops_n;
	bool remove_all, replace_instance;
	struct str call_id;
	uint32_t cseq;
	unsigned max_contacts;
	enum belfry_durability durability;
	unsigned flush_interval_s;
};

struct belfry_bindings; /* what is registered: valid during the callback */
/* Walks what has not expired, newest first; *i begins with 0. false at the end. */
BELFRY_API bool belfry_bindings_next(const struct belfry_bindings *bs, size_t *i,
                                     struct belfry_binding *b_r);

/* @err 0, BELFRY_EAGAIN (store failing: 500 + Retry-After), or what belfry_location_apply() may
 * answer. Runs once, on this worker, never inside belfry_location_apply(). BELFRY_ECANCELED with
 * @req NULL: the request has ended meanwhile; the change is made all the same. */
typedef void(belfry_applied_cb)(struct belfry_req *req, struct belfry_mod *mod, int err,
                                const struct belfry_bindings *bs, void *arg);
/* The caller has belfry_accept()ed, and the AOR is that of the REGISTER's To. 0: @cb follows.
 * BELFRY_EFULL (max_contacts), BELFRY_ESTALE (Call-ID and CSeq), BELFRY_ETOOBIG, BELFRY_EAGAIN
 * (store failing), -EBUSY (store queue full), -ENOMEM: nothing has changed, no callback. */
BELFRY_API int belfry_location_apply(struct belfry_req *req, struct belfry_mod *mod,
                                     const struct belfry_change *change, belfry_applied_cb *cb,
                                     void *arg);

/* What the hooks `register` see: before, @change may be amended; after, @bindings stand. */
struct belfry_registration {
	struct belfry_change *change;
	const struct belfry_bindings *bindings;
};
/* For the registrar: runs the register hooks. CONTINUE: all have been; DONE: one has answered;
 * WAITING (only in the phase before the change, and @reg must live on): @then goes on in the
 * registrar's place when they are through, and its verdict is the registrar's. */
BELFRY_API enum belfry_verdict belfry_run_register(struct belfry_req *req, struct belfry_mod *mod,
                                                   enum belfry_register_phase phase,
                                                   struct belfry_registration *reg,
                                                   belfry_resume_cb *then, void *arg);

/* --- subscribers --- */

enum belfry_algorithm { BELFRY_MD5, BELFRY_SHA256, BELFRY_SHA512_256, BELFRY_ALGORITHM_N };
struct belfry_credential {
	bool has[BELFRY_ALGORITHM_N];
	unsigned char ha1[BELFRY_ALGORITHM_N][32];
	bool priority;
};
/* Does not tell by its time whether the user exists. */
BELFRY_API bool belfry_subscriber(const struct belfry_mod *mod, struct str user, struct str domain,
                                  struct belfry_credential *cred_r);
BELFRY_API bool belfry_user_exists(const struct belfry_mod *mod, struct str aor);

/* --- init: keys, shared tables --- */

/* Derived from the master secret by @purpose; @generation 0: today's, 1: the one before a rotation.
 */
BELFRY_API int belfry_derive_key(struct belfry_core *core, const char *purpose, unsigned generation,
                                 void *out, size_t n);

/* A sharded table of small values over all workers (nonce windows, failure counts). Keys of at most
 * @key_max bytes, values of exactly @value_size; at most @limit entries: the one longest untouched
 * goes first. Freed by the core after fini. */
struct belfry_shared;
BELFRY_API struct belfry_shared *belfry_shared_new(struct belfry_core *core, size_t key_max,
                                                   size_t value_size, size_t limit);
struct belfry_shared_look {
	void *value; /* aligned to 8; zeroed when new */
	bool is_new;
	uint64_t evicted_ms; /* when the latest entry that had to go before its time was touched
	                      * last: a key may be new only because of that; 0: none */
};
/* Under the lock of @key's shard: @fn sees and changes the value; keep it short, call nothing. The
 * entry is forgotten @ttl_ms after this touch. Result of @fn; negative: the entry is dropped.
 * -ENOMEM without calling @fn; BELFRY_ETOOBIG: key too long. Any thread. */
typedef int(belfry_shared_cb)(const struct belfry_shared_look *look, void *arg);
BELFRY_API int belfry_shared_with(struct belfry_shared *t, struct str key, uint64_t now_ms,
                                  uint32_t ttl_ms, belfry_shared_cb *fn, void *arg);
BELFRY_API bool belfry_shared_del(struct belfry_shared *t, struct str key); /* was it there? */
/* What has not expired, shard by shard, under its lock: call nothing of the table. false: enough.
 */
typedef bool(belfry_shared_each_cb)(struct str key, const void *value, void *arg);
BELFRY_API void belfry_shared_each(struct belfry_shared *t, uint64_t now_ms,
                                   belfry_shared_each_cb *cb, void *arg);

/* Sources refused by every worker (UDP dropped, streams closed) until then. Any worker. */
BELFRY_API void belfry_ban(struct belfry_mod *mod, struct str ip, uint32_t s);
BELFRY_API void belfry_unban(struct belfry_core *core, struct str ip);

/* --- commands --- */

BELFRY_API struct str belfry_command_param(struct belfry_call *call,
                                           const char *name); /* text; empty: absent */
BELFRY_API void belfry_command_reply(struct belfry_call *call,
                                     struct str json); /* {"bans": [...]} */
BELFRY_API void belfry_command_fail(struct belfry_call *call, const char *why);
BELFRY_API const void *belfry_core_conf(struct belfry_core *core,
                                        const char *module); /* settings of now, main thread */
BELFRY_API uint64_t belfry_core_now_ms(struct belfry_core *core);

/* --- sending --- */

/* An answer to a packet that is not SIP, down the flow it came by. */
BELFRY_API int belfry_send_raw(struct belfry_mod *mod, const void *flow, struct str data);

/* A request of our own, outside of any dialog, routed by its Request-URI (RFC 3263). */
struct belfry_own_request {
	const char *method;
	struct str uri, from_uri, to_uri; /* from_uri empty: this server */
	struct str headers;               /* complete lines */
	struct str body;
};
/* @resp is the final response, or NULL with @err when none came. Once, on this worker, never inside
 * belfry_send_request(). */
typedef void(belfry_response_cb)(struct belfry_mod *mod, int err, const struct sip_msg *resp,
                                 void *arg);
/* Text is copied. 0, or BELFRY_E: no callback then. */
BELFRY_API int belfry_send_request(struct belfry_mod *mod, const struct belfry_own_request *r,
                                   belfry_response_cb *cb, void *arg);
