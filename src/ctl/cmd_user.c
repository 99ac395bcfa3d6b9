/* SPDX-License-Identifier: Apache-2.0 */
/* user add, user passwd, user del, user list. Passwords come in and are hashed; none is kept. */
#include <stdio.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "ctl/addr.h"
#include "ctl/json.h"
#include "ctl/listing.h"
#include "ctl/rpc.h"
#include "ctl/table.h"
#include "subscriber/subscriber.h"
#include "util/err.h"
#include "util/random.h"

#define PASSWORD_LEN 20 /* made up: 100 bits */

struct user_errand {
	struct ctl_call *call;
	struct ctl_env *env;
	char aor_space[SIP_AOR_MAX];
	struct str aor, user, domain;
	char made_up[PASSWORD_LEN + 1]; /* empty: none */
};

static void errand_free(struct user_errand *e)
{
	explicit_bzero(e, sizeof(*e));
	free(e);
}

/* --- answers --- */

static void answer_ok(struct user_errand *e)
{
	char sip[SIP_AOR_MAX + 8];
	json_t *o = json_object();
	bool ok;

	(void)snprintf(sip, sizeof(sip), "sip:%.*s", STR_FMT(e->aor));
	ok = o && ctl_json_set(o, "aor", ctl_json_str(str_from(sip))) &&
	     (!e->made_up[0] || ctl_json_set(o, "password", json_string(e->made_up)));
	if (!ok) {
		json_decref(o);
		o = NULL;
	}
	ctl_call_reply(e->call, o);
}

/* It is durable, or not done. */
static void done(int err, void *arg)
{
	struct user_errand *e = arg;

	switch (err) {
	case 0: answer_ok(e); break;
	case BELFRY_EEXIST:
		ctl_call_fail(e->call, CTL_EFAILED,
		              "sip:%.*s is there already; `user passwd` changes its password",
		              STR_FMT(e->aor));
		break;
	case BELFRY_ENOENT:
		ctl_call_fail(e->call, CTL_EFAILED, "there is no user sip:%.*s", STR_FMT(e->aor));
		break;
	default:
		ctl_call_fail(e->call, CTL_EFAILED, "sip:%.*s: %s", STR_FMT(e->aor),
		              belfry_strerror(err));
	}
	errand_free(e);
}

/* --- parameters --- */

/* "user@domain" or a URI; false: answered. */
static bool take_aor(struct user_errand *e, struct ctl_env *env)
{
	e->aor = ctl_aor(ctl_call_param(e->call, "aor"), e->aor_space);
	if (e->aor.n == 0) {
		ctl_call_fail(e->call, CTL_EPARAMS, "a user is wanted, as in alice@example.com");
		return false;
	}
	e->domain = ctl_aor_domain(e->aor);
	e->user = str_make(e->aor.p, e->aor.n - e->domain.n - 1);
	if (!conf_is_local_domain(env->conf, e->domain)) {
		ctl_call_fail(e->call, CTL_EFAILED, "%.*s is no domain of this server",
		              (int)(e->domain.n < 200 ? e->domain.n : 200), e->domain.p);
		return false;
	}
	return true;
}

/* Letters and digits that are not taken for one another. */
static void make_up(char out[PASSWORD_LEN + 1])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char random[PASSWORD_LEN];

	_Static_assert(sizeof(letters) - 1 == 32, "each letter is as likely");
	random_key(random, sizeof(random));
	for (size_t i = 0; i < PASSWORD_LEN; i++) {
		out[i] = letters[random[i] % 32];
	}
	out[PASSWORD_LEN] = '\0';
	explicit_bzero(random, sizeof(random));
}

/* What was given, or a new one. false: answered. */
static bool take_password(struct user_errand *e, struct str *password_r)
{
	if (!ctl_call_has(e->call, "password")) {
		make_up(e->made_up);
		*password_r = str_from(e->made_up);
		return true;
	}
	*password_r = ctl_call_param(e->call, "password");
	if (password_r->n == 0) {
		ctl_call_fail(e->call, CTL_EPARAMS, "an empty password is none");
		return false;
	}
	return true;
}

/* NULL: answered. */
static struct user_errand *errand_new(struct ctl_call *call, struct ctl_env *env)
{
	struct user_errand *e;

	if (!env->subscribers) {
		ctl_call_fail(call, CTL_EFAILED, "this server keeps no users");
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		ctl_call_reply(call, NULL);
		return NULL;
	}
	e->call = call;
	e->env = env;
	if (!take_aor(e, env)) {
		errand_free(e);
		return NULL;
	}
	return e;
}

/* --- commands --- */

static void run_with_password(struct ctl_call *call, struct ctl_env *env, bool is_new)
{
	struct user_errand *e = errand_new(call, env);
	struct str password;
	int err;

	if (!e) {
		return;
	}
	if (!take_password(e, &password)) {
		errand_free(e);
		return;
	}
	if (is_new) {
		bool priority = str_eq(ctl_call_param(call, "priority"), STR("true"));

		err = sub_add(env->subscribers, e->user, e->domain, password, priority, done, e);
	} else {
		err = sub_set_password(env->subscribers, e->user, e->domain, password, done, e);
	}
	if (!e->made_up[0]) {
		explicit_bzero((void *)(uintptr_t)password.p, password.n);
	}
	if (err) {
		done(err, e);
	}
}

static void run_add(struct ctl_call *call, struct ctl_env *env)
{
	run_with_password(call, env, true);
}

static void run_passwd(struct ctl_call *call, struct ctl_env *env)
{
	run_with_password(call, env, false);
}

static void forgotten(int err, void *arg)
{
	struct user_errand *e = arg;

	if (err == 0) {
		done(0, e);
		return;
	}
	ctl_call_fail(e->call, CTL_EFAILED,
	              "the user is deleted, but not the bindings of sip:%.*s: %s", STR_FMT(e->aor),
	              belfry_strerror(err));
	errand_free(e);
}

/* Without its user nobody may change the bindings any more: they go too. */
static void deleted(int err, void *arg)
{
	struct user_errand *e = arg;

	if (err || !e->env->location) {
		done(err, e);
		return;
	}
	err = ctl_location_forget(e->env, e->aor, forgotten, e);
	if (err) {
		forgotten(err, e);
	}
}

static void run_del(struct ctl_call *call, struct ctl_env *env)
{
	struct user_errand *e = errand_new(call, env);
	int err;

	if (!e) {
		return;
	}
	err = sub_del(env->subscribers, e->user, e->domain, deleted, e);
	if (err) {
		done(err, e);
	}
}

static json_t *user_json(struct str user, struct str domain, bool priority, int64_t created)
{
	char sip[SIP_AOR_MAX + 8];
	json_t *o = json_object();

	(void)snprintf(sip, sizeof(sip), "sip:%.*s@%.*s", STR_FMT(user), STR_FMT(domain));
	if (!o || !ctl_json_set(o, "aor", ctl_json_str(str_from(sip))) ||
	    !ctl_json_set(o, "priority", json_boolean(priority)) ||
	    !ctl_json_set(o, "created", json_integer(created))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static bool list_one(void *arg, struct str user, struct str domain, bool priority, int64_t created)
{
	return ctl_listing_add(arg, user_json(user, domain, priority, created));
}

static void run_list(struct ctl_call *call, struct ctl_env *env)
{
	struct ctl_listing l;

	ctl_listing_begin(&l, "users");
	if (!l.failed && env->subscribers) {
		l.failed = sub_each(env->subscribers, list_one, &l) < 0 || l.failed;
	}
	ctl_listing_end(&l, call);
}

const struct ctl_command ctl_user_commands[] = {
	{ "user.add", "AOR [--password-stdin] [--priority]",
	  "add a user; without --password-stdin a password is made up and printed once", NULL, true,
	  run_add },
	{ "user.passwd", "AOR [--password-stdin]",
	  "change a password; without --password-stdin one is made up and printed once", NULL, true,
	  run_passwd },
	{ "user.del", "AOR", "delete a user and the bindings that its phones registered", NULL,
	  true, run_del },
	{ "user.list", "", "users", "aor priority created", false, run_list },
	{ 0 },
};
