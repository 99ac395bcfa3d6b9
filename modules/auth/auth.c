/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: digest authentication (RFC 3261 22, RFC 7616, RFC 8760).
 *
 * One hook, before any state is kept. A REGISTER for a domain of ours needs credentials of its To's
 * domain (401); so does, with 407, a request that names a user of ours in From. Without good ones
 * it is answered with a challenge per algorithm; nothing is remembered of that, for the nonce
 * checks itself (nonce.h). Wrong password and unknown user take the same way through here.
 *
 * Never asked: ACK and CANCEL, trusted peers, dialogs that we record-routed, OPTIONS to this
 * server. Credentials for our domains are not forwarded.
 */
#include "auth/digest.h"
#include "auth/guard.h"
#include "auth/nonce.h"
#include "belfry/module.h"
#include "util/sbuf.h"

#include <errno.h>
#include <stdlib.h>

#define NONCES_MAX (1U << 20) /* used ones, remembered until they are too old */
#define AHEAD_MS   30000U     /* that the clock of who made a nonce may be ahead of ours */

enum calls { CALLS_LOCAL, CALLS_NONE };

struct auth_conf {
	bool registers;
	int calls; /* enum calls */
	struct str_list algorithms;
	int nonce_lifetime, max_failures, ban_time;
};

struct auth {               /* all workers */
	struct guard guard; /* first: for its commands */
	struct nonce_keys keys;
	struct hash_key fake_key; /* HA1 of users that do not exist */
	struct belfry_shared *windows;
};

struct auth_worker {
	struct digest digest;
};

enum auth_counter {
	COUNT_OK,
	COUNT_CHALLENGE,
	COUNT_STALE,
	COUNT_FAILED,
	COUNT_DENIED,
	COUNT_BAD,
};

static const struct belfry_setting auth_settings[] = {
	{ .name = "register",
	  .type = BELFRY_T_BOOL,
	  .offset = offsetof(struct auth_conf, registers),
	  .dflt = "true",
	  .help = "challenge REGISTER (401)" },
	BELFRY_SET_ENUM(struct auth_conf, calls, "local", "local|none",
	                "challenge (407) requests whose From is in a local domain"),
	{ .name = "algorithms",
	  .type = BELFRY_T_ENUMS,
	  .offset = offsetof(struct auth_conf, algorithms),
	  .dflt = "SHA-256,MD5",
	  .min = 1,
	  .max = BELFRY_ALGORITHM_N,
	  .words = "SHA-256|SHA-512-256|MD5",
	  .help = "digest algorithms, offered in this order (RFC 8760)" },
	BELFRY_SET_INT(struct auth_conf, nonce_lifetime, 300, 1, 86400, "s until a nonce is stale"),
	BELFRY_SET_INT(
		struct auth_conf, max_failures, 20, 0, 1000000,
		"wrong passwords from one address within ban_time until it is banned; 0: never"),
	BELFRY_SET_INT(struct auth_conf, ban_time, 60, 0, 86400,
	               "s for which a source is refused; 0: never"),
	BELFRY_SET_END,
};

static const char *auth_check(const void *values)
{
	const struct auth_conf *conf = values;

	for (size_t i = 0; i < conf->algorithms.n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (str_eq(conf->algorithms.v[i], conf->algorithms.v[k])) {
				return "algorithms names one twice";
			}
		}
	}
	return NULL;
}

/* --- one request --- */

enum outcome {
	AUTH_NONE, /* no credentials for this realm that we could use */
	AUTH_OK,
	AUTH_STALE,  /* of a nonce that is too old, used up or not for this address */
	AUTH_FAILED, /* user or password wrong */
	AUTH_BAD,    /* malformed: 400 */
};

struct attempt {
	struct belfry_req *req;
	struct belfry_mod *mod;
	const struct auth_conf *conf;
	struct auth *auth;
	bool is_register;
	struct str realm;
	char ip_text[BELFRY_IP_TEXT];
	struct str ip;
	const char *bad; /* reason phrase */
	struct str user; /* "name@realm", when AUTH_OK */
	bool priority;
};

/* Address of the sender, printed when it is first needed: most requests need no digest. */
static struct str source(struct attempt *a)
{
	if (a->ip.n == 0) {
		a->ip = belfry_source_ip(a->req, a->ip_text);
	}
	return a->ip;
}

static void count(const struct attempt *a, enum auth_counter counter)
{
	if (!belfry_is_dry_run(a->req)) {
		belfry_count(a->mod, counter, 1);
	}
}

static const char *rule_of(const struct attempt *a)
{
	return a->is_register ? "auth.register" : "auth.calls";
}

static bool is_offered(const struct auth_conf *conf, enum belfry_algorithm algorithm)
{
	for (size_t i = 0; i < conf->algorithms.n; i++) {
		if (algorithm_find(conf->algorithms.v[i]) == (int)algorithm) {
			return true;
		}
	}
	return false;
}

/* The digest `uri` names the same user and host as the Request-URI. */
static bool uri_fits(const struct sip_msg *msg, struct str uri_text)
{
	char a[SIP_AOR_MAX], b[SIP_AOR_MAX];
	struct sip_uri uri;
	struct str mine, theirs;

	if (str_eq(uri_text, msg->ruri_text)) {
		return true;
	}
	if (sip_uri_parse(uri_text, &uri, NULL) < 0) {
		return false;
	}
	mine = sip_uri_aor(&msg->ruri, a, sizeof(a));
	theirs = sip_uri_aor(&uri, b, sizeof(b));
	return mine.n > 0 && str_eq(mine, theirs);
}

/* What stands for the HA1 of a user that is not there: as unknown to the sender as a real one. */
static void fake_ha1(const struct auth *auth, const struct credentials *c, struct str realm,
                     unsigned char ha1[32])
{
	struct hash_state st;
	struct hash128 h;

	hash_begin(&st, &auth->fake_key, true);
	hash_add(&st, c->username);
	hash_add(&st, realm);
	h = hash_end128(&st);
	memcpy(ha1, &h, sizeof(h)); /* twice: 128 bits are enough of a secret */
	memcpy(ha1 + sizeof(h), &h, sizeof(h));
}

static bool password_is_right(const struct attempt *a, const struct credentials *c,
                              bool *priority_r)
{
	struct auth_worker *w = belfry_state(a->mod);
	struct belfry_credential cred = { 0 };
	unsigned char want[32], fake[32];
	size_t size = algorithm_size(c->algorithm);
	bool known;
	int ret;

	known = belfry_subscriber(a->mod, c->username, a->realm, &cred) && cred.has[c->algorithm];
	fake_ha1(a->auth, c, a->realm, fake);
	ret = digest_response(&w->digest, c, known ? cred.ha1[c->algorithm] : fake,
	                      belfry_msg(a->req)->method_text, want);
	*priority_r = cred.priority;
	return ret == 0 &&
	       str_eq_secret(str_make((char *)want, size),
	                     str_make((const char *)c->response, size)) &&
	       known;
}

struct use {
	uint32_t nc;
	uint64_t issued_ms; /* on the monotonic clock, rounded down */
	bool *peeked_r;     /* explain only */
};

static int take_nc(const struct belfry_shared_look *look, void *arg)
{
	const struct use *use = arg;

	/* The table was full and has lost windows of nonces as old as this one: was it used before?
	 */
	if (look->is_new && look->evicted_ms > 0 && use->issued_ms <= look->evicted_ms) {
		return BELFRY_ESTALE;
	}
	return nonce_window_take(look->value, use->nc) ? 0 : 1;
}

/* What take_nc() would say; nothing is taken. */
static int peek_nc(const struct belfry_shared_look *look, void *arg)
{
	const struct use *use = arg;
	struct nonce_window copy = *(const struct nonce_window *)look->value;
	const struct belfry_shared_look as_if = { .value = &copy,
		                                  .is_new = look->is_new,
		                                  .evicted_ms = look->evicted_ms };
	int ret = take_nc(&as_if, arg);

	*use->peeked_r = ret == 0;
	return look->is_new ? BELFRY_ECANCELED : ret; /* negative: no entry is made */
}

static bool nc_is_new(const struct attempt *a, const struct nonce *nonce, uint32_t nc,
                      uint64_t age_ms)
{
	uint64_t now_ms = belfry_now_ms(a->mod);
	struct use use = { .nc = nc, .issued_ms = now_ms > age_ms ? now_ms - age_ms : 0 };
	uint32_t ttl_ms = (uint32_t)a->conf->nonce_lifetime * 1000 + AHEAD_MS + 1000;
	struct str id = str_make((const char *)nonce->id, NONCE_ID);
	bool is_good = false;

	if (belfry_is_dry_run(a->req)) {
		use.peeked_r = &is_good;
		(void)belfry_shared_with(a->auth->windows, id, now_ms, ttl_ms, peek_nc, &use);
		return is_good;
	}
	return belfry_shared_with(a->auth->windows, id, now_ms, ttl_ms, take_nc, &use) == 0;
}

static struct str join(struct arena *arena, struct str left, char between, struct str right)
{
	size_t n = left.n + 1 + right.n;
	char *p = arena_alloc(arena, n);
	struct sbuf b;

	if (!p) {
		return STR_NONE;
	}
	sbuf_init(&b, p, n);
	sbuf_add(&b, left);
	sbuf_char(&b, between);
	sbuf_add(&b, right);
	return sbuf_str(&b);
}

static enum outcome judge(struct attempt *a, const struct credentials *c)
{
	uint64_t now_ms = (uint64_t)belfry_unix_ms(a->mod), age_ms;
	struct nonce nonce;
	bool is_ahead;

	if (!c->is_usable || !is_offered(a->conf, c->algorithm) ||
	    (!c->has_qop && c->algorithm != BELFRY_MD5)) {
		return AUTH_NONE;
	}
	if (!uri_fits(belfry_msg(a->req), c->uri)) {
		a->bad = "Digest URI Is Not The Request-URI";
		return AUTH_BAD;
	}
	if (!nonce_read(&a->auth->keys, c->nonce, source(a), &nonce)) {
		return AUTH_STALE;
	}
	/* stale=true says that the password was right (RFC 7616 3.3), so that is looked at first.
	 */
	if (!password_is_right(a, c, &a->priority)) {
		return AUTH_FAILED;
	}
	age_ms = now_ms > nonce.issued_ms ? now_ms - nonce.issued_ms : 0;
	/* The clock was put back: such a nonce would be good for longer than its use is remembered.
	 */
	is_ahead = nonce.issued_ms > now_ms + AHEAD_MS;
	if (is_ahead || age_ms >= (uint64_t)a->conf->nonce_lifetime * 1000 ||
	    !nc_is_new(a, &nonce, c->has_qop ? c->nc : 0, age_ms)) {
		return AUTH_STALE;
	}
	a->user = join(belfry_arena(a->req), c->username, '@', a->realm);
	return a->user.p ? AUTH_OK : AUTH_NONE;
}

/* The first credentials for the realm decide, unless we cannot use them at all. */
static enum outcome authenticate(struct attempt *a)
{
	enum sip_hdr id = a->is_register ? SIP_H_AUTHORIZATION : SIP_H_PROXY_AUTHORIZATION;
	const struct sip_msg *msg = belfry_msg(a->req);

	for (int i = -1; (i = sip_msg_next(msg, id, i)) >= 0;) {
		struct str value = sip_msg_value(msg, i);
		struct credentials c;
		int ret = credentials_parse(belfry_arena(a->req), value, &c, &a->bad);
		enum outcome outcome;

		if (!sip_host_eq(ret < 0 ? credentials_realm(value) : c.realm, a->realm)) {
			continue;
		}
		outcome = ret < 0 ? AUTH_BAD : judge(a, &c);
		if (outcome != AUTH_NONE) {
			return outcome;
		}
	}
	return AUTH_NONE;
}

#define CHALLENGE_MAX 160 /* bytes of one challenge but for the realm */

static enum belfry_verdict challenge(struct attempt *a, bool is_stale)
{
	struct str name = a->is_register ? STR("WWW-Authenticate: Digest realm=\"")
	                                 : STR("Proxy-Authenticate: Digest realm=\"");
	size_t cap = a->conf->algorithms.n * (CHALLENGE_MAX + a->realm.n);
	char *space = arena_alloc(belfry_arena(a->req), cap), nonce[NONCE_LEN];
	struct sbuf b;
	uint64_t salt;

	if (!space) {
		return belfry_reply(a->req, 503, NULL);
	}
	belfry_random(a->mod, &salt, sizeof(salt));
	sbuf_init(&b, space, cap);
	for (size_t i = 0; i < a->conf->algorithms.n; i++) {
		nonce_make(&a->auth->keys, (uint64_t)belfry_unix_ms(a->mod), salt + i, source(a),
		           nonce);
		sbuf_add(&b, name);
		sbuf_add(&b, a->realm);
		sbuf_add(&b, STR("\", nonce=\""));
		sbuf_add(&b, str_make(nonce, sizeof(nonce)));
		sbuf_add(&b, STR("\", algorithm="));
		sbuf_add(&b, a->conf->algorithms.v[i]);
		sbuf_add(&b, STR(", qop=\"auth\""));
		sbuf_add(&b, is_stale ? STR(", stale=true\r\n") : STR("\r\n"));
	}
	count(a, is_stale ? COUNT_STALE : COUNT_CHALLENGE);
	belfry_decide(a->req, rule_of(a), "challenged for realm %.*s", STR_FMT(a->realm));
	return belfry_reply_with(a->req, a->is_register ? 401 : 407, STR_NONE, sbuf_str(&b),
	                         STR_NONE);
}

static enum belfry_verdict failed(struct attempt *a)
{
	belfry_count(a->mod, COUNT_FAILED, 1);
	log_info("auth.failed", LOG_S("source", source(a)), LOG_S("realm", a->realm),
	         LOG_S("call_id", belfry_msg(a->req)->call_id));
	guard_failure(&a->auth->guard, a->mod, source(a), a->conf->max_failures, a->conf->ban_time);
	return challenge(a, false);
}

/* The address-of-record in the URI of To or From. */
static struct str aor_in(struct str uri_text, char out[SIP_AOR_MAX])
{
	struct sip_uri uri;

	return sip_uri_parse(uri_text, &uri, NULL) < 0 ? STR_NONE
	                                               : sip_uri_aor(&uri, out, SIP_AOR_MAX);
}

static struct str domain_of(struct str aor)
{
	const char *at = aor.n > 0 ? memrchr(aor.p, '@', aor.n) : NULL;

	return at ? str_skip(aor, (size_t)(at - aor.p) + 1) : STR_NONE;
}

static enum belfry_verdict pass_as_user(struct attempt *a)
{
	count(a, COUNT_OK);
	belfry_set_user(a->req, a->user, a->priority);
	belfry_decide(a->req, rule_of(a), "authenticated as %.*s", STR_FMT(a->user));
	return BELFRY_CONTINUE;
}

/* A user acts for itself only: To of a REGISTER (RFC 3261 10.3 step 4), From of anything else. */
static enum belfry_verdict deny(struct attempt *a, struct str aor)
{
	count(a, COUNT_DENIED);
	belfry_decide(a->req, a->is_register ? "RFC 3261 10.3 (4)" : "auth.calls",
	              "%.*s may not act for %.*s", STR_FMT(a->user), STR_FMT(aor));
	return belfry_reply(a->req, 403,
	                    a->is_register ? "Not Your Address-Of-Record" : "Not Your From");
}

/* --- explain --- */

static const char *text_of(enum outcome outcome)
{
	switch (outcome) {
	case AUTH_STALE: return "its credentials are of a nonce that is too old or used up";
	case AUTH_FAILED: return "user or password of its credentials are wrong";
	default: return "it has no credentials for that";
	}
}

/* What is to be explained mostly lies behind the challenge: goes on as if it had been met, where
 * that can be. */
static enum belfry_verdict explain_challenge(struct attempt *a, struct str aor,
                                             enum outcome outcome)
{
	int code = a->is_register ? 401 : 407;

	belfry_decide(a->req, rule_of(a), "challenged with %d for realm %.*s: %s", code,
	              STR_FMT(a->realm), text_of(outcome));
	if (!belfry_user_exists(a->mod, aor)) {
		belfry_decide(a->req, rule_of(a), "there is no user %.*s: nothing helps",
		              STR_FMT(aor));
		return belfry_reply(a->req, code, NULL);
	}
	belfry_decide(a->req, rule_of(a), "from here on as if %.*s had authenticated",
	              STR_FMT(aor));
	belfry_set_user(a->req, aor, false);
	return BELFRY_CONTINUE;
}

/* Why it needs none. */
static void explain_pass(const struct attempt *a)
{
	if (belfry_is_trusted(a->req)) {
		belfry_decide(a->req, "proxy.trusted",
		              "the source is a trusted peer: no credentials are asked for");
	} else if (!a->is_register && belfry_is_in_our_dialog(a->req)) {
		belfry_decide(a->req, "RFC 3261 16.12",
		              "inside a dialog that this server is on the way of: no credentials "
		              "are asked for");
	} else {
		belfry_decide(a->req, rule_of(a), "no credentials are asked for");
	}
}

static enum belfry_verdict explain(struct attempt *a, struct str aor, bool must)
{
	enum outcome outcome = AUTH_OK;

	a->user = belfry_user(a->req); /* taken as authenticated by who asks */
	if (a->user.n == 0) {
		outcome = authenticate(a);
	}
	if (outcome == AUTH_OK && str_eq(aor, a->user)) {
		return pass_as_user(a);
	}
	if (!must) {
		explain_pass(a);
		return BELFRY_CONTINUE;
	}
	switch (outcome) {
	case AUTH_OK: return deny(a, aor);
	case AUTH_BAD: return belfry_reply(a->req, 400, a->bad);
	default: return explain_challenge(a, aor, outcome);
	}
}

/* @aor: whose request it says it is. @must: without its good credentials it does not pass. */
static enum belfry_verdict decide(struct attempt *a, struct str aor, bool must)
{
	enum outcome outcome;

	if (belfry_is_dry_run(a->req)) {
		return explain(a, aor, must);
	}
	outcome = authenticate(a);
	if (outcome == AUTH_OK && str_eq(aor, a->user)) {
		return pass_as_user(a);
	}
	if (!must) {
		return BELFRY_CONTINUE;
	}
	switch (outcome) {
	case AUTH_OK: return deny(a, aor);
	case AUTH_BAD: belfry_count(a->mod, COUNT_BAD, 1); return belfry_reply(a->req, 400, a->bad);
	case AUTH_FAILED: return failed(a);
	default: return challenge(a, outcome == AUTH_STALE);
	}
}

/* Credentials for our domains go no further (Authorization is for the far end and stays). */
static void hide_credentials(struct belfry_req *req)
{
	const struct sip_msg *msg = belfry_msg(req);

	for (int i = -1; (i = sip_msg_next(msg, SIP_H_PROXY_AUTHORIZATION, i)) >= 0;) {
		struct str realm = credentials_realm(sip_msg_value(msg, i));

		if (realm.n > 0 && belfry_is_local_domain(req, realm)) {
			belfry_hide_header(req, i);
		}
	}
}

static enum belfry_verdict check_register(struct attempt *a)
{
	const struct sip_msg *msg = belfry_msg(a->req);
	char space[SIP_AOR_MAX], ruri_space[SIP_AOR_MAX];
	struct str aor;

	a->is_register = true;
	if (!a->conf->registers) {
		belfry_decide(a->req, rule_of(a), "no credentials are asked for");
		return BELFRY_CONTINUE;
	}
	aor = aor_in(msg->to_uri_text, space);
	a->realm = domain_of(aor);
	if (!sip_host_eq(msg->ruri.host, a->realm)) {
		struct str asked = domain_of(sip_uri_aor(&msg->ruri, ruri_space, SIP_AOR_MAX));

		a->realm = belfry_is_local_domain(a->req, asked) ? asked : a->realm;
	}
	if (!belfry_is_local_domain(a->req, a->realm)) {
		return BELFRY_CONTINUE; /* no such address-of-record: the registrar says so */
	}
	return decide(a, aor, !belfry_is_trusted(a->req));
}

/* Neither Route nor maddr leads past this server. */
static bool ends_here(const struct belfry_req *req)
{
	return belfry_ruri_is_local(req) && !belfry_goes_elsewhere(req);
}

static bool is_for_server(const struct belfry_req *req)
{
	const struct sip_msg *msg = belfry_msg(req);

	return msg->method == SIP_M_OPTIONS && !msg->ruri.has_user && ends_here(req);
}

/* Does it need credentials, if its From is ours? */
static bool must_show(const struct attempt *a)
{
	return (a->conf->calls == CALLS_LOCAL || belfry_needs_user(a->req)) &&
	       !belfry_is_trusted(a->req) && !belfry_is_in_our_dialog(a->req) &&
	       !is_for_server(a->req);
}

static enum belfry_verdict check_call(struct attempt *a)
{
	const struct sip_msg *msg = belfry_msg(a->req);
	char space[SIP_AOR_MAX];
	bool must = must_show(a);
	struct str aor;

	if (!must && msg->first[SIP_H_PROXY_AUTHORIZATION] < 0 && !belfry_is_dry_run(a->req)) {
		return BELFRY_CONTINUE; /* whoever sent it */
	}
	aor = aor_in(msg->from_uri_text, space);
	a->realm = domain_of(aor);
	if (!belfry_is_local_domain(a->req, a->realm)) {
		if (belfry_is_dry_run(a->req)) {
			belfry_decide(a->req, rule_of(a),
			              "From is of no domain of ours: nobody to authenticate");
		}
		return BELFRY_CONTINUE;
	}
	return decide(a, aor, must);
}

static enum belfry_verdict auth_request(struct belfry_req *req, struct belfry_mod *mod)
{
	struct attempt a = {
		.req = req,
		.mod = mod,
		.conf = belfry_conf(mod),
		.auth = belfry_data(mod),
	};
	uint8_t method = belfry_msg(req)->method;

	hide_credentials(req);
	if (method == SIP_M_ACK || method == SIP_M_CANCEL) {
		return BELFRY_CONTINUE;
	}
	return method == SIP_M_REGISTER && ends_here(req) ? check_register(&a) : check_call(&a);
}

/* --- coming and going --- */

static int auth_init(struct belfry_core *core, const void *values, void **data_r,
                     const char **error_r)
{
	struct auth *auth = calloc(1, sizeof(*auth));
	int ret = -ENOMEM;

	(void)values;
	if (!auth) {
		return -ENOMEM;
	}
	ret = nonce_keys_derive(core, &auth->keys);
	if (ret == 0) {
		ret = belfry_derive_key(core, "auth unknown user", 0, &auth->fake_key,
		                        sizeof(auth->fake_key));
	}
	if (ret < 0) {
		*error_r = "no key for nonces can be made";
		goto fail;
	}
	ret = guard_init(&auth->guard, core);
	auth->windows = belfry_shared_new(core, NONCE_ID, sizeof(struct nonce_window), NONCES_MAX);
	if (ret < 0 || !auth->windows) {
		ret = -ENOMEM;
		goto fail;
	}
	*data_r = auth;
	return 0;
fail:
	free(auth);
	return ret;
}

static void auth_fini(struct belfry_core *core, void *data)
{
	(void)core;
	free(data);
}

static int auth_worker_init(struct belfry_mod *mod, void **state_r)
{
	struct auth_worker *w = calloc(1, sizeof(*w));
	int ret;

	(void)mod;
	if (!w) {
		return -ENOMEM;
	}
	ret = digest_init(&w->digest);
	if (ret < 0) {
		free(w);
		return ret;
	}
	*state_r = w;
	return 0;
}

static void auth_worker_fini(struct belfry_mod *mod, void *state)
{
	struct auth_worker *w = state;

	(void)mod;
	digest_fini(&w->digest);
	free(w);
}

static const struct belfry_hook auth_hooks[] = {
	BELFRY_ON_REQUEST(100, auth_request),
	{ 0 },
};

static const struct belfry_command auth_commands[] = {
	{ "ban.list", "", "sources refused for failed authentication", false, guard_list },
	{ "ban.del", "ADDRESS", "take a ban away", true, guard_del },
	{ 0 },
};

#define AUTH_HELP "Digest authentications by result"

static const struct belfry_counter auth_counters[] = {
	[COUNT_OK] = { "belfry_auth_total", "result=\"ok\"", AUTH_HELP },
	[COUNT_CHALLENGE] = { "belfry_auth_total", "result=\"challenge\"", AUTH_HELP },
	[COUNT_STALE] = { "belfry_auth_total", "result=\"stale\"", AUTH_HELP },
	[COUNT_FAILED] = { "belfry_auth_total", "result=\"failed\"", AUTH_HELP },
	[COUNT_DENIED] = { "belfry_auth_total", "result=\"denied\"", AUTH_HELP },
	[COUNT_BAD] = { "belfry_auth_total", "result=\"malformed\"", AUTH_HELP },
	[COUNT_BAD + 1] = { 0 },
};

BELFRY_MODULE(auth) = {
	.abi = BELFRY_MOD_ABI,
	.name = "auth",
	.version = "1",
	.settings = auth_settings,
	.conf_size = sizeof(struct auth_conf),
	.check = auth_check,
	.init = auth_init,
	.fini = auth_fini,
	.worker_init = auth_worker_init,
	.worker_fini = auth_worker_fini,
	.hooks = auth_hooks,
	.commands = auth_commands,
	.counters = auth_counters,
};
