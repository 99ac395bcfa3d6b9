/* SPDX-License-Identifier: Apache-2.0 */
/* location list, location add, location rm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/addr.h"
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/listing.h"
#include "ctl/rpc.h"
#include "ctl/table.h"
#include "location/location.h"
#include "util/err.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- printing -----------------------------------------------------------------------------------
 */

/* "<sip:a;lr>, <sip:b,c>" as an array: commas inside <> and quotes do not separate. */
static json_t *path_json(struct str path)
{
	json_t *list = json_array();
	bool in_quotes = false, in_angle = false;
	size_t from = 0;

	for (size_t i = 0; list && i <= path.n; i++) {
		char c = i < path.n ? path.p[i] : ',';

		if (i < path.n && c == '"') {
			in_quotes = !in_quotes;
		} else if (!in_quotes && (c == '<' || c == '>')) {
			in_angle = c == '<';
		} else if (c == ',' && ((!in_quotes && !in_angle) || i == path.n)) {
			struct str one = str_trim(str_make(path.p + from, i - from));

			from = i + 1;
			if (one.n && json_array_append_new(list, ctl_json_str(one))) {
				json_decref(list);
				return NULL;
			}
		}
	}
	return list;
}

static json_t *text_or_null(struct str s)
{
	return s.n ? ctl_json_str(s) : json_null();
}

static json_t *expires_json(const struct loc_binding *b, uint64_t now)
{
	if (b->expires_ms == UINT64_MAX) {
		return json_null();
	}
	return json_integer(b->expires_ms > now ? (json_int_t)((b->expires_ms - now + 999) / 1000)
	                                        : 0);
}

static json_t *flow_json(const struct loc_binding *b)
{
	char text[NET_ADDR_TEXT], all[NET_ADDR_TEXT + 8];
	struct str proto, addr;

	if (!b->has_flow) {
		return json_null();
	}
	proto = tp_proto_param(b->flow.proto);
	addr = net_addr_text(&b->flow.remote, text);
	(void)snprintf(all, sizeof(all), "%.*s:%.*s", STR_FMT(proto), STR_FMT(addr));
	return ctl_json_str(str_from(all));
}

static const char *flow_state(const struct loc_binding *b, struct ctl_env *env)
{
	if (!b->has_flow) {
		return "none";
	}
	if (b->flow_dead || (env->transports && b->flow.conn &&
	                     !transport_flow_is_alive(env->transports, &b->flow))) {
		return "dead";
	}
	return "live";
}

static json_t *binding_json(struct str aor, const struct loc_binding *b, struct ctl_env *env,
                            uint64_t now)
{
	char sip[SIP_AOR_MAX + 8];
	json_t *o = json_object();
	bool ok;

	(void)snprintf(sip, sizeof(sip), "sip:%.*s", STR_FMT(aor));
	ok = o && ctl_json_set(o, "aor", ctl_json_str(str_from(sip))) &&
	     ctl_json_set(o, "contact", ctl_json_str(b->contact)) &&
	     ctl_json_set(o, "expires", expires_json(b, now)) &&
	     ctl_json_set(o, "q", json_real(b->q / 1000.0)) &&
	     ctl_json_set(o, "call_id", text_or_null(b->call_id)) &&
	     ctl_json_set(o, "cseq", b->is_static ? json_null() : json_integer(b->cseq)) &&
	     ctl_json_set(o, "instance", text_or_null(b->instance)) &&
	     ctl_json_set(o, "reg_id", b->reg_id ? json_integer(b->reg_id) : json_null()) &&
	     ctl_json_set(o, "pub_gruu", json_null()) && /* none are given out yet */
	     ctl_json_set(o, "temp_gruu", json_null()) &&
	     ctl_json_set(o, "path", path_json(b->path)) && ctl_json_set(o, "flow", flow_json(b)) &&
	     ctl_json_set(o, "flow_state", json_string(flow_state(b, env))) &&
	     ctl_json_set(o, "received", text_or_null(b->received)) &&
	     ctl_json_set(o, "user_agent", text_or_null(b->user_agent)) &&
	     ctl_json_set(o, "static", json_boolean(b->is_static));
	if (!ok) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* --- list ---------------------------------------------------------------------------------------
 */

struct listing {
	struct ctl_listing to;
	struct ctl_env *env;
	uint64_t now;
};

static bool add_set(void *arg, struct loc_set *set)
{
	struct listing *l = arg;
	struct loc_binding b;

	for (size_t i = 0; !l->to.failed && set && i < loc_set_n(set); i++) {
		loc_set_get(set, i, &b);
		if (b.expires_ms <= l->now) {
			continue;
		}
		(void)ctl_listing_add(&l->to, binding_json(loc_set_aor(set), &b, l->env, l->now));
	}
	return !l->to.failed;
}

static bool list_begin(struct listing *l, struct ctl_env *env)
{
	*l = (struct listing){ .env = env, .now = now_ms() };
	ctl_listing_begin(&l->to, "bindings");
	return !l->to.failed;
}

/* --- one AOR: on its owner ----------------------------------------------------------------------
 */

/* From the main thread to the owner of the AOR, and back. */
struct errand {
	struct job job;
	struct ctl_call *call;
	struct ctl_env *env;
	struct worker *worker;
	void (*with)(struct errand *e, struct loc_set *set); /* the bindings are known */
	char aor_space[SIP_AOR_MAX];
	struct str aor;
	char *uri; /* heap or NULL */
	uint64_t expires_ms;
	uint16_t q;
	bool has_q;
	struct loc_query *query;
	ctl_forgotten_cb *then; /* of ctl_location_forget(), which has no call */
	void *then_arg;
	int err;
	struct loc_set *set; /* a reference, for the answer */
};

static void errand_free(struct errand *e)
{
	loc_set_unref(&e->set);
	free(e->uri);
	free(e);
}

static void answer(struct job *job, void *ctx)
{
	struct errand *e = (struct errand *)(void *)job;
	struct listing l;

	(void)ctx;
	if (e->err == BELFRY_ENOENT) {
		ctl_call_fail(e->call, CTL_EFAILED, "sip:%.*s has no such binding",
		              STR_FMT(e->aor));
	} else if (e->err) {
		ctl_call_fail(e->call, CTL_EFAILED, "sip:%.*s: %s", STR_FMT(e->aor),
		              belfry_strerror(e->err));
	} else {
		(void)list_begin(&l, e->env);
		(void)add_set(&l, e->set);
		ctl_listing_end(&l.to, e->call);
	}
	errand_free(e);
}

static void forgotten(struct job *job, void *ctx)
{
	struct errand *e = (struct errand *)(void *)job;

	(void)ctx;
	e->then(e->err, e->then_arg);
	errand_free(e);
}

/* Back on the main thread; @set may be NULL. */
static void go_home(struct errand *e, int err, struct loc_set *set)
{
	e->err = err;
	e->set = set ? loc_set_ref(set) : NULL;
	e->job.run = e->then ? forgotten : answer;
	mailbox_post_sure(e->env->mailbox, &e->job);
}

static void committed(int err, struct loc_set *set, void *arg)
{
	go_home(arg, err, set);
}

static void apply(struct errand *e, const struct loc_op *ops, size_t ops_n, bool remove_all)
{
	struct loc_change change = {
		.aor = e->aor,
		.ops = ops,
		.ops_n = ops_n,
		.remove_all = remove_all,
		.by_operator = e->then == NULL, /* static bindings are changed as well */
		.durability = LOC_FULL,
	};
	int err = loc_apply(e->env->location, e->worker, &change, committed, e, &e->query);

	if (err) {
		go_home(e, err, NULL);
	}
}

static void with_list(struct errand *e, struct loc_set *set)
{
	go_home(e, 0, set);
}

static void with_add(struct errand *e, struct loc_set *set)
{
	struct loc_op op = {
		.kind = LOC_OP_SET,
		.b = {
			.contact = str_from(e->uri),
			.is_static = true,
			.q = e->has_q ? e->q : 1000,
			.has_q = e->has_q,
			.expires_ms = e->expires_ms,
		},
	};

	(void)set;
	apply(e, &op, 1, false);
}

/* Is @uri among the bindings that have not expired? */
static bool has_contact(struct loc_set *set, const char *uri, uint64_t now)
{
	struct sip_uri want, have;
	struct loc_binding b;

	if (uri && sip_uri_parse(str_from(uri), &want, NULL)) {
		return false;
	}
	for (size_t i = 0; set && i < loc_set_n(set); i++) {
		loc_set_get(set, i, &b);
		if (b.expires_ms > now && (!uri || (sip_uri_parse(b.contact, &have, NULL) == 0 &&
		                                    sip_uri_eq(&want, &have)))) {
			return true;
		}
	}
	return false;
}

static void with_rm(struct errand *e, struct loc_set *set)
{
	struct loc_op op = { .kind = LOC_OP_REMOVE };

	if (!has_contact(set, e->uri, e->worker->clock.now_ms)) {
		go_home(e, BELFRY_ENOENT, NULL);
		return;
	}
	op.b.contact = str_from(e->uri);
	apply(e, &op, e->uri ? 1 : 0, e->uri == NULL);
}

static void with_forget(struct errand *e, struct loc_set *set)
{
	(void)set;
	apply(e, NULL, 0, true);
}

static void looked_up(int err, struct loc_set *set, void *arg)
{
	struct errand *e = arg;

	if (err) {
		go_home(e, err, NULL);
	} else {
		e->with(e, set);
	}
}

static void on_owner(struct job *job, void *ctx)
{
	struct errand *e = (struct errand *)(void *)job;
	struct loc_set *set = NULL;
	int err;

	e->worker = ctx;
	err = loc_lookup(e->env->location, e->worker, e->aor, &set, looked_up, e, &e->query);
	if (err != BELFRY_WAIT) {
		looked_up(err, set, e);
		loc_set_unref(&set);
	}
}

static void send_errand(struct errand *e)
{
	struct worker *any = workers_get(e->env->workers, 0);

	e->job.run = on_owner;
	workers_post(e->env->workers, transport_owner_of_aor(any, e->aor), &e->job);
}

int ctl_location_forget(struct ctl_env *env, struct str aor, ctl_forgotten_cb *then, void *arg)
{
	struct errand *e = aor.n <= SIP_AOR_MAX ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		return -ENOMEM;
	}
	e->env = env;
	e->with = with_forget;
	e->then = then;
	e->then_arg = arg;
	memcpy(e->aor_space, aor.p, aor.n);
	e->aor = str_make(e->aor_space, aor.n);
	send_errand(e);
	return 0;
}

/* --- parameters ---------------------------------------------------------------------------------
 */

/* "user@domain" or a URI to the canonical form; false: answered. */
static bool take_aor(struct errand *e, struct ctl_call *call)
{
	struct str domain;

	e->aor = ctl_aor(ctl_call_param(call, "aor"), e->aor_space);
	if (e->aor.n == 0) {
		ctl_call_fail(call, CTL_EPARAMS,
		              "an address-of-record is wanted, as in user@domain");
		return false;
	}
	domain = ctl_aor_domain(e->aor);
	if (!conf_is_local_domain(e->env->conf, domain)) {
		ctl_call_fail(call, CTL_EFAILED, "%.*s is no domain of this server",
		              (int)(domain.n < 200 ? domain.n : 200), domain.p);
		return false;
	}
	return true;
}

static bool take_uri(struct errand *e, struct ctl_call *call)
{
	struct str text = ctl_call_param(call, "uri");
	struct sip_uri uri;
	const char *why = NULL;

	if (text.n == 0) {
		return true;
	}
	if (sip_uri_parse(text, &uri, &why) ||
	    (uri.scheme != SIP_URI_SIP && uri.scheme != SIP_URI_SIPS)) {
		ctl_call_fail(call, CTL_EPARAMS, "a SIP URI is wanted: %s",
		              why ? why : "another scheme");
		return false;
	}
	e->uri = str_dup(text);
	if (!e->uri) {
		ctl_call_reply(call, NULL);
	}
	return e->uri != NULL;
}

static bool take_expires(struct errand *e, struct ctl_call *call)
{
	struct str text = ctl_call_param(call, "expires");
	uint64_t s;

	e->expires_ms = UINT64_MAX;
	if (text.n == 0) {
		return true;
	}
	if (str_to_u64(text, INT32_MAX, &s) || s == 0) {
		ctl_call_fail(call, CTL_EPARAMS, "--expires wants seconds, 1 to %d", INT32_MAX);
		return false;
	}
	e->expires_ms = now_ms() + s * 1000;
	return true;
}

/* RFC 3261 25.1 qvalue. */
static bool take_q(struct errand *e, struct ctl_call *call)
{
	struct str text = ctl_call_param(call, "q");
	char copy[8], *end = copy;
	double q = -1;

	e->has_q = text.n > 0;
	if (!e->has_q) {
		return true;
	}
	if (text.n <= 5 && ascii_is_digit((unsigned char)text.p[0])) {
		memcpy(copy, text.p, text.n);
		copy[text.n] = '\0';
		q = strtod(copy, &end);
	}
	if (*end || end == copy || !(q >= 0 && q <= 1)) {
		ctl_call_fail(call, CTL_EPARAMS, "--q wants a number from 0 to 1, as in 0.5");
		return false;
	}
	e->q = (uint16_t)(q * 1000 + 0.5);
	return true;
}

static struct errand *errand_new(struct ctl_call *call, struct ctl_env *env,
                                 void (*with)(struct errand *, struct loc_set *))
{
	struct errand *e = calloc(1, sizeof(*e));

	if (!e) {
		ctl_call_reply(call, NULL);
		return NULL;
	}
	e->call = call;
	e->env = env;
	e->with = with;
	if (take_aor(e, call) && take_uri(e, call) && take_expires(e, call) && take_q(e, call)) {
		return e;
	}
	errand_free(e);
	return NULL;
}

/* --- commands -----------------------------------------------------------------------------------
 */

static void run_with(struct ctl_call *call, struct ctl_env *env,
                     void (*with)(struct errand *, struct loc_set *))
{
	struct errand *e = errand_new(call, env, with);

	if (e) {
		send_errand(e);
	}
}

static void run_list(struct ctl_call *call, struct ctl_env *env)
{
	struct listing l;

	if (ctl_call_has(call, "aor")) {
		run_with(call, env, with_list);
		return;
	}
	if (list_begin(&l, env)) {
		loc_each(env->location, add_set, &l);
	}
	ctl_listing_end(&l.to, call);
}

static void run_add(struct ctl_call *call, struct ctl_env *env)
{
	run_with(call, env, with_add);
}

static void run_rm(struct ctl_call *call, struct ctl_env *env)
{
	run_with(call, env, with_rm);
}

#define COLUMNS "aor contact expires q flow_state static instance user_agent"

const struct ctl_command ctl_location_commands[] = {
	{ "location.list", "[AOR]", "bindings", COLUMNS, false, run_list },
	{ "location.add", "AOR URI [--expires S] [--q Q]",
	  "add a static binding; without --expires it stays until it is removed", COLUMNS, true,
	  run_add },
	{ "location.rm", "AOR [URI]", "remove one binding, or all", COLUMNS, true, run_rm },
	{ 0 },
};
