/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registrar: REGISTER for the domains of this server (RFC 3261 10.3, RFC 3327, RFC 3608, RFC 5626
 * 6).
 *
 * The order of RFC 3261 10.3: Require is looked at before anybody is asked for a password (hook
 * request, before auth), then the proxy hands the request to registrar_serve(): address-of-record,
 * Path, Contacts, Call-ID and CSeq. The change goes to the location as one operation with its
 * conditions; the 200 leaves when it is durable.
 */
#include "registrar/registrar.h"

#include "sip/build.h"
#include "util/sbuf.h"

#include <errno.h>

enum store { STORE_SQLITE, STORE_REDIS };

enum registrar_counter {
	COUNT_OK,
	COUNT_BAD,       /* 400, 439 */
	COUNT_DENIED,    /* 403: too many contacts */
	COUNT_UNKNOWN,   /* 404 */
	COUNT_EXTENSION, /* 420 */
	COUNT_INTERVAL,  /* 423 */
	COUNT_STALE,     /* 500: old CSeq */
	COUNT_STORE,     /* 500, 503: the store fails or has too much to do */
};

static const struct belfry_setting registrar_settings[] = {
	BELFRY_SET_ENUM(struct registrar_conf, store, "sqlite", "sqlite|redis",
	                "where bindings are kept"),
	BELFRY_SET_ENUM(
		struct registrar_conf, durability, "full", "full|process|async",
		"full: synced to disk before the 200; process: in the WAL before it; async: "
		"written every flush_interval"),
	BELFRY_SET_INT(struct registrar_conf, flush_interval, 60, 1, 3600,
	               "s between writes, for async"),
	BELFRY_SET_INT(struct registrar_conf, min_expires, 60, 0, 3600,
	               "s; a shorter expiry is refused with 423"),
	BELFRY_SET_BOOL(struct registrar_conf, replace_instance, true,
	                "a Contact with +sip.instance replaces that instance's bindings of other "
	                "Call-IDs"),
	BELFRY_SET_INT(struct registrar_conf, default_expires, 3600, 1, 31536000,
	               "s, when the request names no expiry"),
	BELFRY_SET_INT(struct registrar_conf, max_expires, 86400, 1, 31536000,
	               "s; a longer expiry is shortened"),
	BELFRY_SET_INT(struct registrar_conf, max_contacts, 10, 1, 1000,
	               "bindings per address-of-record"),
	BELFRY_SET_INT(struct registrar_conf, expires_jitter, 0, 0, 90,
	               "percent by which granted expiry is shortened at random"),
	BELFRY_SET_STRS(struct registrar_conf, service_route, "", "RFC 3608 URIs given in the 200"),
	BELFRY_SET_BOOL(struct registrar_conf, gruu, false,
	                "give out GRUUs (RFC 5627); true is refused until a later release"),
	BELFRY_SET_END,
};

static const char *registrar_check(const void *values)
{
	const struct registrar_conf *conf = values;
	struct sip_uri uri;

	if (conf->store != STORE_SQLITE) {
		return "store \"redis\" comes in a later release; use \"sqlite\"";
	}
	if (conf->gruu) {
		return "gruu comes in a later release; leave it out";
	}
	if (conf->min_expires > conf->max_expires) {
		return "min_expires is above max_expires";
	}
	if (conf->default_expires < conf->min_expires) {
		return "default_expires is below min_expires";
	}
	for (size_t i = 0; i < conf->service_route.n; i++) {
		if (sip_uri_parse(conf->service_route.v[i], &uri, NULL) < 0 ||
		    (uri.scheme != SIP_URI_SIP && uri.scheme != SIP_URI_SIPS)) {
			return "service_route has an entry that is no SIP URI";
		}
	}
	return NULL;
}

static void count(const struct belfry_req *req, struct belfry_mod *mod,
                  enum registrar_counter counter)
{
	if (!belfry_is_dry_run(req)) {
		belfry_count(mod, counter, 1);
	}
}

/* --- before authentication: Require --- */

static bool is_supported(struct str option)
{
	return str_eq_nocase(option, STR("path"));
}

static enum belfry_verdict check_options(struct belfry_req *req, struct belfry_mod *mod)
{
	struct str text = sip_build_unsupported(belfry_msg(req), SIP_H_REQUIRE, is_supported,
	                                        belfry_arena(req));

	if (!text.p) {
		return belfry_reply(req, 503, NULL);
	}
	if (text.n == 0) {
		return BELFRY_CONTINUE;
	}
	count(req, mod, COUNT_EXTENSION);
	belfry_decide(req, "RFC 3261 8.2.2.3", "an extension is required that is not supported");
	return belfry_reply_with(req, 420, STR_NONE, text, STR_NONE);
}

/* RFC 3261 10.3 step 2. */
static enum belfry_verdict registrar_request(struct belfry_req *req, struct belfry_mod *mod)
{
	const struct sip_msg *msg = belfry_msg(req);

	if (msg->method != SIP_M_REGISTER || msg->first[SIP_H_REQUIRE] < 0 ||
	    !belfry_ruri_is_local(req) || belfry_goes_elsewhere(req)) {
		return BELFRY_CONTINUE;
	}
	return check_options(req, mod);
}

/* --- the request --- */

static enum belfry_verdict refuse(struct belfry_req *req, struct belfry_mod *mod, int code,
                                  const char *reason, enum registrar_counter counter)
{
	count(req, mod, counter);
	return belfry_reply(req, code, reason);
}

/* Where phones authenticate, only users have bindings. Who just did as @aor is one. */
static bool is_user(const struct belfry_req *req, struct belfry_mod *mod, struct str aor)
{
	if (!belfry_is_dry_run(req) && str_eq(belfry_user(req), aor)) {
		return true;
	}
	return !belfry_is_on(req, "auth", "register") || belfry_user_exists(mod, aor);
}

/* Steps 1 and 5. The canonical AOR in @r->change, or an answer. */
static int find_aor(struct belfry_req *req, struct belfry_mod *mod, struct registering *r)
{
	const struct sip_msg *msg = belfry_msg(req);
	char *space = arena_alloc(belfry_arena(req), SIP_AOR_MAX);
	struct sip_uri to;

	if (!space) {
		belfry_reply(req, 500, NULL);
		return -ENOMEM;
	}
	if (sip_uri_parse(msg->to_uri_text, &to, NULL) < 0 ||
	    (to.scheme != SIP_URI_SIP && to.scheme != SIP_URI_SIPS)) {
		refuse(req, mod, 400, "To Is No SIP URI", COUNT_BAD); /* RFC 4475 3.3.4 */
		return BELFRY_EPARSE;
	}
	r->change.aor = sip_uri_aor(&to, space, SIP_AOR_MAX);
	if (r->change.aor.n == 0 || !to.has_user || !sip_host_eq(to.host, msg->ruri.host) ||
	    !belfry_is_local_domain(req, to.host) || !is_user(req, mod, r->change.aor)) {
		belfry_decide(req, "RFC 3261 10.3 (5)", "no such address-of-record");
		refuse(req, mod, 404, NULL, COUNT_UNKNOWN);
		return BELFRY_ENOENT;
	}
	return 0;
}

static enum belfry_verdict refuse_contacts(struct belfry_req *req, struct belfry_mod *mod,
                                           const struct registering *r)
{
	struct str line;

	if (r->code != 423) {
		return refuse(req, mod, r->code, r->bad, r->code == 403 ? COUNT_DENIED : COUNT_BAD);
	}
	line = arena_printf(belfry_arena(req), "Min-Expires: %d\r\n", r->conf->min_expires);
	count(req, mod, COUNT_INTERVAL);
	belfry_decide(req, "registrar.min_expires", "an expiry is below %d s",
	              r->conf->min_expires);
	return belfry_reply_with(req, 423, STR_NONE, line, STR_NONE);
}

/* Not now: the phone comes back after a while, and not all at the same moment. */
static enum belfry_verdict refuse_for_now(struct belfry_req *req, struct belfry_mod *mod, int code,
                                          const char *reason)
{
	unsigned char random;

	belfry_count(mod, COUNT_STORE, 1);
	belfry_random(mod, &random, sizeof(random));
	return belfry_reply_with(req, code, str_from(reason),
	                         arena_printf(belfry_arena(req), "Retry-After: %d\r\n",
	                                      5 + random % 16),
	                         STR_NONE);
}

static enum belfry_verdict refuse_change(struct belfry_req *req, struct belfry_mod *mod, int err)
{
	switch (err) {
	case BELFRY_EFULL: return refuse(req, mod, 403, "Too Many Contacts", COUNT_DENIED);
	case BELFRY_ETOOBIG: return refuse(req, mod, 400, "Contact Too Large", COUNT_BAD);
	case BELFRY_ESTALE:
		belfry_count(mod, COUNT_STALE, 1);
		return belfry_reply_with(req, 500, STR("CSeq Out Of Order"),
		                         STR("Retry-After: 0\r\n"), STR_NONE);
	case -EBUSY: return refuse_for_now(req, mod, 503, NULL);
	default: return refuse_for_now(req, mod, 500, "Registration Not Stored");
	}
}

/* The change is durable, or was refused: the rest is the answer. */
static void applied(struct belfry_req *req, struct belfry_mod *mod, int err,
                    const struct belfry_bindings *bs, void *arg)
{
	struct registering *r = arg;

	if (!req) {
		return;
	}
	if (err < 0) {
		refuse_change(req, mod, err);
		return;
	}
	r->registration.bindings = bs;
	if (belfry_run_register(req, mod, BELFRY_REGISTER_AFTER, &r->registration, NULL, NULL) ==
	    BELFRY_CONTINUE) {
		belfry_count(mod, COUNT_OK, 1);
		answer_ok(req, mod, r, bs);
	}
}

/* Step 7: all Contacts together, or none. */
static enum belfry_verdict apply(struct belfry_req *req, struct belfry_mod *mod, void *arg)
{
	struct registering *r = arg;
	int ret;

	if (belfry_accept(req) < 0) {
		return BELFRY_DONE;
	}
	ret = belfry_location_apply(req, mod, &r->change, applied, r);
	return ret < 0 ? refuse_change(req, mod, ret) : BELFRY_DONE;
}

static struct registering *registering_new(struct belfry_req *req, struct belfry_mod *mod)
{
	struct registering *r = arena_zalloc(belfry_arena(req), sizeof(*r));
	const struct sip_msg *msg = belfry_msg(req);

	if (!r) {
		return NULL;
	}
	r->conf = belfry_conf(mod);
	r->change = (struct belfry_change){
		.call_id = msg->call_id,
		.cseq = msg->cseq,
		.max_contacts = (unsigned)r->conf->max_contacts,
		.replace_instance = r->conf->replace_instance,
		.durability = (enum belfry_durability)r->conf->durability,
		.flush_interval_s = (unsigned)r->conf->flush_interval,
	};
	r->registration.change = &r->change;
	return r;
}

static enum belfry_verdict registrar_serve(struct belfry_req *req, struct belfry_mod *mod)
{
	struct registering *r = registering_new(req, mod);
	enum belfry_verdict verdict;
	int ret;

	if (!r) {
		return belfry_reply(req, 500, NULL);
	}
	if (find_aor(req, mod, r) < 0) {
		return BELFRY_DONE;
	}
	ret = path_read(req, r);
	if (ret == BELFRY_EPARSE) {
		return refuse(req, mod, 400, "Bad Path", COUNT_BAD);
	}
	if (ret == 0) {
		ret = contacts_read(req, mod, r);
	}
	if (ret == BELFRY_EPARSE) {
		return refuse_contacts(req, mod, r);
	}
	if (ret < 0) {
		return belfry_reply(req, 500, NULL);
	}
	if (belfry_is_dry_run(req)) {
		explain_change(req, r);
		return belfry_reply(req, 200, NULL);
	}
	verdict = belfry_run_register(req, mod, BELFRY_REGISTER_BEFORE, &r->registration, apply, r);
	return verdict == BELFRY_CONTINUE ? apply(req, mod, r) : verdict;
}

static const struct belfry_hook registrar_hooks[] = {
	BELFRY_ON_REQUEST(50, registrar_request),
	{ 0 },
};

static const struct belfry_service registrar_services[] = {
	{ "REGISTER", registrar_serve },
	{ 0 },
};

#define REGISTRAR_HELP "REGISTER requests by result"

static const struct belfry_counter registrar_counters[] = {
	[COUNT_OK] = { "belfry_registrations_total", "result=\"ok\"", REGISTRAR_HELP },
	[COUNT_BAD] = { "belfry_registrations_total", "result=\"malformed\"", REGISTRAR_HELP },
	[COUNT_DENIED] = { "belfry_registrations_total", "result=\"denied\"", REGISTRAR_HELP },
	[COUNT_UNKNOWN] = { "belfry_registrations_total", "result=\"unknown\"", REGISTRAR_HELP },
	[COUNT_EXTENSION] = { "belfry_registrations_total", "result=\"extension\"",
	                      REGISTRAR_HELP },
	[COUNT_INTERVAL] = { "belfry_registrations_total", "result=\"interval\"", REGISTRAR_HELP },
	[COUNT_STALE] = { "belfry_registrations_total", "result=\"stale\"", REGISTRAR_HELP },
	[COUNT_STORE] = { "belfry_registrations_total", "result=\"store\"", REGISTRAR_HELP },
	[COUNT_STORE + 1] = { 0 },
};

BELFRY_MODULE(registrar) = {
	.abi = BELFRY_MOD_ABI,
	.name = "registrar",
	.version = "1",
	.settings = registrar_settings,
	.conf_size = sizeof(struct registrar_conf),
	.check = registrar_check,
	.hooks = registrar_hooks,
	.services = registrar_services,
	.counters = registrar_counters,
};
