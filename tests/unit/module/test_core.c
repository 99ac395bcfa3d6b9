/* SPDX-License-Identifier: Apache-2.0 */
/* Modules at work: order of hooks, settings, waiting, timers, packets, reload, commands. */
#include "module/rig.h"

#include "sip/addr.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* What happened, in words. One rig at a time. */
static char story[1024];
static struct rig rig;

static void tell(const char *word)
{
	size_t n = strlen(story);

	snprintf(story + n, sizeof(story) - n, "%s%s", n ? " " : "", word);
}

static const char *told(void)
{
	static char copy[1024];

	memcpy(copy, story, sizeof(copy));
	story[0] = '\0';
	return copy;
}

static int begin(const struct belfry_module *const *modules, const char *settings)
{
	const struct rig_params params = { .modules = modules, .settings = settings };

	story[0] = '\0';
	return rig_init(&rig, &params);
}

static int message(void)
{
	static uint32_t cseq;

	return rig_ask(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                            .cseq = ++cseq,
	                                            .uri = "sip:alice@example.com",
	                                            .from = "<sip:bob@elsewhere.example>" });
}

/* --- order --- */

static enum belfry_verdict say_first(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)req;
	(void)mod;
	tell("first");
	return BELFRY_CONTINUE;
}

static enum belfry_verdict say_second(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	tell("second");
	return belfry_reply(req, 418, "Teapot");
}

static enum belfry_verdict say_third(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)req;
	(void)mod;
	tell("third");
	return BELFRY_CONTINUE;
}

static const struct belfry_hook late_hooks[] = { BELFRY_ON_REQUEST(30, say_third),
	                                         BELFRY_ON_REQUEST(20, say_second),
	                                         { 0 } };
static const struct belfry_hook early_hooks[] = { BELFRY_ON_REQUEST(10, say_first), { 0 } };
static const struct belfry_module late = { .abi = BELFRY_MOD_ABI,
	                                   .name = "late",
	                                   .hooks = late_hooks };
static const struct belfry_module early = { .abi = BELFRY_MOD_ABI,
	                                    .name = "early",
	                                    .hooks = early_hooks };

START_TEST(hooks_run_by_their_number_until_one_answers)
{
	const struct belfry_module *const one[] = { &late, &early, NULL };
	const struct belfry_module *const other[] = { &early, &late, NULL };

	ck_assert_int_eq(begin(one, NULL), 0);
	ck_assert_int_eq(message(), 418);
	ck_assert_str_is(rig.last->reason, "Teapot");
	ck_assert_str_eq(told(), "first second");
	rig_fini(&rig);
	ck_assert_int_eq(begin(other, NULL), 0);
	ck_assert_int_eq(message(), 418);
	ck_assert_str_eq(told(), "first second");
	rig_fini(&rig);
}
END_TEST

/* --- coming, going, settings --- */

struct life_conf {
	int status;
};

static const struct belfry_setting life_settings[] = {
	BELFRY_SET_INT(struct life_conf, status, 486, 400, 699, "status to answer with"),
	BELFRY_SET_END,
};

enum { LIFE_REQUESTS, LIFE_TIMERS };
static const struct belfry_counter life_counters[] = {
	{ "belfry_life_total", "what=\"request\"", "requests" },
	{ "belfry_life_total", "what=\"timer\"", "timers" },
	{ 0 },
};

static bool life_fails;

static int life_init(struct belfry_core *core, const void *values, void **data_r,
                     const char **error_r)
{
	const struct life_conf *conf = values;
	unsigned char key[16], again[16], other[16];

	ck_assert_int_ge(conf->status, 400);
	ck_assert_ptr_nonnull(belfry_core_conf(core, "life"));
	ck_assert_ptr_null(belfry_core_conf(core, "nothing"));
	ck_assert_int_eq(belfry_derive_key(core, "life", 0, key, sizeof(key)), 0);
	ck_assert_int_eq(belfry_derive_key(core, "life", 0, again, sizeof(again)), 0);
	ck_assert_int_eq(belfry_derive_key(core, "death", 0, other, sizeof(other)), 0);
	ck_assert_int_eq(memcmp(key, again, sizeof(key)), 0);
	ck_assert_int_ne(memcmp(key, other, sizeof(key)), 0);
	ck_assert_int_eq(belfry_derive_key(core, "life", 1, key, sizeof(key)), BELFRY_ENOENT);
	tell("init");
	*data_r = story;
	*error_r = "no life here";
	return life_fails ? BELFRY_EDENIED : 0;
}

static void life_fini(struct belfry_core *core, void *data)
{
	(void)core;
	ck_assert_ptr_eq(data, story);
	tell("fini");
}

static int life_worker_init(struct belfry_mod *mod, void **state_r)
{
	ck_assert_uint_eq(belfry_worker_id(mod), 0);
	ck_assert_uint_eq(belfry_worker_n(mod), 1);
	ck_assert_ptr_eq(belfry_data(mod), story);
	*state_r = &rig;
	tell("worker_init");
	return 0;
}

static void life_worker_fini(struct belfry_mod *mod, void *state)
{
	ck_assert_ptr_eq(state, &rig);
	ck_assert_ptr_eq(belfry_state(mod), &rig);
	tell("worker_fini");
}

static struct belfry_timer *running;

static void life_timer(struct belfry_mod *mod, void *arg)
{
	ck_assert_ptr_eq(arg, &running);
	ck_assert_int_ge(((const struct life_conf *)belfry_conf(mod))->status, 400);
	belfry_count(mod, LIFE_TIMERS, 1);
	running = NULL;
	tell("timer");
}

static enum belfry_verdict life_request(struct belfry_req *req, struct belfry_mod *mod)
{
	const struct life_conf *conf = belfry_conf(mod);
	char ip[BELFRY_IP_TEXT];

	belfry_count(mod, LIFE_REQUESTS, 1);
	ck_assert_str_is(belfry_source_ip(req, ip), "192.0.2.50");
	ck_assert_uint_eq(belfry_source_port(req), 5060);
	ck_assert_int_eq(belfry_source_proto(req), BELFRY_UDP);
	ck_assert(belfry_source_is(req, STR("192.0.2.50")));
	ck_assert(!belfry_source_is(req, STR("192.0.2.5")));
	ck_assert(!belfry_source_is(req, STR("example.com")));
	ck_assert(!belfry_is_trusted(req) && !belfry_is_in_our_dialog(req));
	ck_assert(belfry_ruri_is_local(req) && !belfry_goes_elsewhere(req));
	ck_assert(belfry_is_local_domain(req, STR("Example.ORG.")));
	ck_assert(!belfry_is_local_domain(req, STR("sip.example.com")));
	ck_assert(!belfry_is_on(req, "life", "status") && !belfry_is_on(req, "auth", "register"));
	ck_assert_ptr_nonnull(belfry_source_flow(req));
	ck_assert_str_is(belfry_user(req), "");
	ck_assert_str_is(belfry_header(req, "call-id"), "c1");
	ck_assert(!belfry_is_dry_run(req));
	if (!running) {
		running = belfry_timer_start(mod, 1000, life_timer, &running);
	}
	belfry_add_reply_header(req, STR("X-Life: yes\r\n"));
	return belfry_reply(req, conf->status, NULL);
}

static const struct belfry_hook life_hooks[] = { BELFRY_ON_REQUEST(10, life_request), { 0 } };
static const struct belfry_module life = {
	.abi = BELFRY_MOD_ABI,
	.name = "life",
	.version = "3",
	.settings = life_settings,
	.conf_size = sizeof(struct life_conf),
	.init = life_init,
	.fini = life_fini,
	.worker_init = life_worker_init,
	.worker_fini = life_worker_fini,
	.hooks = life_hooks,
	.counters = life_counters,
};
static const struct belfry_module *const life_only[] = { &life, NULL };

START_TEST(a_module_comes_lives_and_goes)
{
	life_fails = false;
	ck_assert_int_eq(begin(life_only, "life: { status = 603; };"), 0);
	ck_assert_str_eq(told(), "init worker_init");
	ck_assert_int_eq(message(), 603);
	ck_assert_str_is(sip_msg_header_named(rig.last, STR("X-Life")), "yes");
	rig_advance(&rig, 999);
	ck_assert_str_eq(told(), "");
	rig_advance(&rig, 2);
	ck_assert_str_eq(told(), "timer");
	ck_assert_int_eq(message(), 603);
	belfry_timer_cancel(&running);
	ck_assert_ptr_null(running);
	rig_advance(&rig, 2000);
	ck_assert_uint_eq(rig_count(&rig, "belfry_life_total", "what=\"request\""), 2);
	ck_assert_uint_eq(rig_count(&rig, "belfry_life_total", "what=\"timer\""), 1);
	rig_fini(&rig);
	ck_assert_str_eq(told(), "worker_fini fini");
}
END_TEST

START_TEST(a_module_that_cannot_begin_says_why)
{
	struct module_core_params params;
	struct belfry_core *core;
	char *error;

	life_fails = false;
	ck_assert_int_eq(begin(life_only, NULL), 0);
	params = (struct module_core_params){ .loader = rig.loader,
		                              .conf = rig.conf,
		                              .workers = rig.w->group,
		                              .counters = rig.w->counters };
	life_fails = true;
	told();
	ck_assert_int_eq(module_core_new(&params, &core, &error), BELFRY_EDENIED);
	ck_assert_str_eq(error, "module life: no life here");
	ck_assert_str_eq(told(), "init");
	free(error);
	rig_fini(&rig);
}
END_TEST

/* --- reload --- */

static struct conf *conf_of(const char *modules, const char *settings)
{
	char text[1024];
	struct conf *conf = NULL;
	char *error = NULL;

	snprintf(text, sizeof(text),
	         "server: { name = \"x\"; }; domains = ( \"example.com\", \"example.org\" );\n"
	         "modules = ( %s );\n%s\n",
	         modules, settings);
	ck_assert_msg(conf_load_text(str_from(text), "t.conf", NULL, 0, module_conf_info,
	                             rig.loader, &conf, &error) == 0,
	              "%s", error);
	return conf;
}

static void adopted(struct worker *w, void *arg)
{
	(void)w;
	tell(arg);
}

static void reload(const char *modules, const char *settings)
{
	struct conf *conf = conf_of(modules, settings);
	char *error;

	ck_assert_int_eq(module_core_prepare(rig.core, conf, &error), 0);
	ck_assert_int_eq(workers_set_conf(rig.w->group, conf, NULL, NULL), 0);
	rig_settle(&rig);
	ck_assert_int_eq(module_core_adopt(rig.core, conf, adopted, (void *)(uintptr_t) "adopted"),
	                 0);
	rig_settle(&rig);
	conf_unref(&conf);
}

static void note_info(void *arg, const struct module_info *info)
{
	struct str *all = arg;

	*all = arena_printf(&rig.arena, "%.*s%.*s/%.*s:%d:%.*s ", STR_FMT(*all),
	                    STR_FMT(info->name), STR_FMT(info->version), info->enabled,
	                    STR_FMT(info->hooks));
}

static struct str infos(void)
{
	struct str all = STR("");

	module_core_each(rig.core, note_info, &all);
	return all;
}

START_TEST(a_reload_changes_settings_and_takes_modules_in_and_out)
{
	static const struct belfry_module *const only_early[] = { &early, NULL };
	const char *why;

	life_fails = false;
	ck_assert_int_eq(begin(only_early, NULL), 0);
	ck_assert_int_eq(module_add(rig.loader, &life, &why), 0);
	ck_assert_int_eq(message(), 480);
	ck_assert_str_eq(told(), "first");
	ck_assert_str_is(infos(), "early/:1:request life/3:0:request ");

	reload("\"early\", \"life\"", "life: { status = 600; };");
	ck_assert_str_eq(told(), "init worker_init adopted");
	ck_assert_int_eq(message(), 600);
	told();
	reload("\"life\"", "");
	ck_assert_str_eq(told(), "adopted");
	ck_assert_int_eq(message(), 486);
	ck_assert_str_eq(told(), "");
	ck_assert_str_is(infos(), "early/:0:request life/3:1:request ");

	reload("\"early\"", "");
	ck_assert_int_eq(message(), 480);
	reload("\"life\"", "");
	ck_assert_int_eq(message(), 486);
	ck_assert_str_eq(told(), "adopted first adopted");
	belfry_timer_cancel(&running);
	rig_fini(&rig);
	ck_assert_str_eq(told(), "worker_fini fini");
}
END_TEST

START_TEST(a_reload_to_a_module_that_fails_is_refused)
{
	static const struct belfry_module *const only_early[] = { &early, NULL };
	const char *why;
	struct conf *conf;
	char *error;

	ck_assert_int_eq(begin(only_early, NULL), 0);
	ck_assert_int_eq(module_add(rig.loader, &life, &why), 0);
	conf = conf_of("\"life\"", "");
	life_fails = true;
	ck_assert_int_eq(module_core_prepare(rig.core, conf, &error), BELFRY_EDENIED);
	ck_assert_ptr_nonnull(strstr(error, "no life here"));
	free(error);
	conf_unref(&conf);
	ck_assert_int_eq(message(), 480);
	rig_fini(&rig);
}
END_TEST

/* --- waiting --- */

static struct belfry_handle handle;
static struct belfry_core *handle_core;
static int waits;                  /* how often the hook waits */
static enum belfry_verdict answer; /* of the continuation */

static void wait_cancelled(struct belfry_mod *mod, void *arg)
{
	ck_assert_ptr_nonnull(belfry_core(mod));
	ck_assert_ptr_eq(arg, &waits);
	tell("cancelled");
}

static enum belfry_verdict wait_over(struct belfry_req *req, struct belfry_mod *mod, void *arg)
{
	ck_assert_ptr_eq(arg, &waits);
	tell("resumed");
	if (--waits > 0) {
		return belfry_wait(req, mod, wait_over, wait_cancelled, &waits, &handle);
	}
	return answer == BELFRY_DONE ? belfry_reply(req, 488, NULL) : answer;
}

static enum belfry_verdict wait_request(struct belfry_req *req, struct belfry_mod *mod)
{
	if (waits == 0) {
		return BELFRY_CONTINUE;
	}
	handle_core = belfry_core(mod);
	tell("waits");
	return belfry_wait(req, mod, wait_over, wait_cancelled, &waits, &handle);
}

static const struct belfry_hook wait_hooks[] = { BELFRY_ON_REQUEST(10, wait_request), { 0 } };
static const struct belfry_module waiter = { .abi = BELFRY_MOD_ABI,
	                                     .name = "waiter",
	                                     .hooks = wait_hooks };
static const struct belfry_module *const wait_modules[] = { &waiter, &late, NULL };

static void begin_waiting(int n, const char *method)
{
	ck_assert_int_eq(begin(wait_modules, NULL), 0);
	waits = n;
	answer = BELFRY_CONTINUE;
	rig_send(&rig, &(struct rig_request){ .method = method,
	                                      .uri = "sip:alice@example.com",
	                                      .from = "<sip:bob@elsewhere.example>" });
	ck_assert_str_eq(told(), "waits");
}

static int next_status(void)
{
	return rig_next(&rig) ? rig.last->status : 0;
}

static void *resume_from_elsewhere(void *arg)
{
	(void)arg;
	belfry_resume(handle_core, handle);
	return NULL;
}

START_TEST(a_request_that_waits_goes_on_where_it_was)
{
	pthread_t thread;

	begin_waiting(1, "INVITE");
	ck_assert_int_eq(next_status(), 100);
	ck_assert_int_eq(pthread_create(&thread, NULL, resume_from_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "resumed second");
	ck_assert_int_eq(next_status(), 418);
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "");
	rig_fini(&rig);
}
END_TEST

START_TEST(a_continuation_may_answer_or_wait_again)
{
	struct belfry_handle first;

	begin_waiting(2, "MESSAGE");
	answer = BELFRY_DONE;
	first = handle;
	belfry_resume(handle_core, handle);
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "resumed");
	belfry_resume(handle_core, first);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "");
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "resumed");
	ck_assert_int_eq(next_status(), 488);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_wait_without_end_is_504)
{
	begin_waiting(1, "INVITE");
	ck_assert_int_eq(next_status(), 100);
	rig_advance(&rig, BELFRY_WAIT_MAX_MS - 10);
	ck_assert_str_eq(told(), "");
	rig_advance(&rig, 20);
	ck_assert_str_eq(told(), "cancelled");
	ck_assert_int_eq(next_status(), 504);
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "");
	rig_fini(&rig);
}
END_TEST

START_TEST(cancel_ends_a_wait)
{
	struct net_addr from;
	struct str cancel;
	char text[1024];

	begin_waiting(1, "INVITE");
	ck_assert_int_eq(next_status(), 100);
	snprintf(text, sizeof(text),
	         "CANCEL sip:alice@example.com SIP/2.0\r\nVia: %.*s\r\nMax-Forwards: 70\r\n"
	         "From: <sip:bob@elsewhere.example>;tag=f\r\nTo: <sip:alice@example.com>\r\n"
	         "Call-ID: c1\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n",
	         STR_FMT(rig_field(&rig, SIP_H_VIA, 0)));
	cancel = str_from(text);
	net_addr_parse(STR("192.0.2.50"), 5060, &from);
	fake_wire_receive(rig.wire, cancel, TP_UDP, &from);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "cancelled");
	ck_assert_int_eq(next_status(), 200);
	ck_assert_int_eq(next_status(), 487);
	rig_fini(&rig);
}
END_TEST

START_TEST(waits_are_cancelled_at_the_end_of_a_drain)
{
	begin_waiting(1, "INVITE");
	ck_assert_int_eq(next_status(), 100);
	belfry_resume(handle_core, handle); /* on its way already */
	module_worker_cancel_waits(rig.mw);
	ck_assert_str_eq(told(), "cancelled");
	rig_settle(&rig);
	ck_assert_str_eq(told(), "");
	ck_assert_int_eq(next_status(), 503);
	module_worker_cancel_waits(rig.mw);
	waits = 1;
	rig_send(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                      .uri = "sip:alice@example.com",
	                                      .from = "<sip:bob@elsewhere.example>" });
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "waits resumed second");
	rig_fini(&rig);
}
END_TEST

START_TEST(a_server_that_ends_cancels_what_waits)
{
	begin_waiting(1, "MESSAGE");
	rig_fini(&rig);
	ck_assert_str_eq(told(), "cancelled");
}
END_TEST

START_TEST(handles_that_never_were_are_ignored)
{
	begin_waiting(1, "MESSAGE");
	belfry_resume(handle_core, (struct belfry_handle){ { 7ULL << 32, 0 } });
	belfry_resume(handle_core, (struct belfry_handle){ { UINT32_MAX, 0 } });
	belfry_resume(handle_core, (struct belfry_handle){ { 5, 3 } });
	belfry_resume(handle_core, (struct belfry_handle){ { handle.v[0], handle.v[1] + 1 } });
	rig_settle(&rig);
	ck_assert_str_eq(told(), "");
	rig_fini(&rig);
}
END_TEST

static int oom_wait(void *arg)
{
	int err = begin(wait_modules, NULL);

	(void)arg;
	if (err) {
		return err;
	}
	waits = 1;
	rig_send(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                      .uri = "sip:alice@example.com",
	                                      .from = "<sip:bob@elsewhere.example>" });
	if (strcmp(told(), "waits") == 0) {
		belfry_resume(handle_core, handle);
		rig_settle(&rig);
	}
	err = rig_next(&rig) && rig.last->status == 418 ? 0 : -ENOMEM;
	rig_fini(&rig);
	return err;
}

START_TEST(waiting_survives_any_allocation_failing)
{
	oom_each(oom_wait, NULL);
}
END_TEST

/* --- register hooks --- */

extern const struct belfry_module belfry_module_registrar;

static enum belfry_verdict verdict_before;

static enum belfry_verdict watch_register(struct belfry_req *req, enum belfry_register_phase phase,
                                          struct belfry_registration *reg, struct belfry_mod *mod)
{
	struct belfry_binding b;
	size_t i = 0;

	if (phase == BELFRY_REGISTER_AFTER) {
		ck_assert(belfry_bindings_next(reg->bindings, &i, &b));
		ck_assert_str_is(b.contact, "sip:a@192.0.2.50");
		ck_assert_str_is(b.received, "udp:192.0.2.50:5060");
		ck_assert_str_is(b.call_id, "c1");
		ck_assert_uint_eq(b.expires_s, 77);
		ck_assert(!belfry_bindings_next(reg->bindings, &i, &b));
		belfry_add_reply_header(req, STR("X-After: yes\r\n"));
		tell("after");
		return BELFRY_CONTINUE;
	}
	ck_assert_str_is(reg->change->aor, "alice@example.com");
	ck_assert_uint_eq(reg->change->ops_n, 1);
	reg->change->ops[0].b.expires_s = 77;
	tell("before");
	switch (verdict_before) {
	case BELFRY_DONE: return belfry_reply(req, 606, NULL);
	case BELFRY_WAITING:
		waits = 1;
		answer = BELFRY_CONTINUE;
		handle_core = belfry_core(mod);
		return belfry_wait(req, mod, wait_over, wait_cancelled, &waits, &handle);
	default: return BELFRY_CONTINUE;
	}
}

static enum belfry_verdict last_register(struct belfry_req *req, enum belfry_register_phase phase,
                                         struct belfry_registration *reg, struct belfry_mod *mod)
{
	(void)req;
	(void)reg;
	(void)mod;
	tell(phase == BELFRY_REGISTER_AFTER ? "last-after" : "last-before");
	return BELFRY_CONTINUE;
}

static const struct belfry_hook watch_hooks[] = { BELFRY_ON_REGISTER(10, watch_register),
	                                          BELFRY_ON_REGISTER(20, last_register),
	                                          { 0 } };
static const struct belfry_module watcher = { .abi = BELFRY_MOD_ABI,
	                                      .name = "watcher",
	                                      .hooks = watch_hooks };
static const struct belfry_module *const registrar_watched[] = { &belfry_module_registrar, &watcher,
	                                                         NULL };

static void register_with(enum belfry_verdict before)
{
	verdict_before = before;
	ck_assert_int_eq(begin(registrar_watched, NULL), 0);
	rig_send(&rig, &(struct rig_request){ .headers = "Contact: <sip:a@192.0.2.50>\r\n" });
}

START_TEST(register_hooks_see_the_change_and_what_came_of_it)
{
	register_with(BELFRY_CONTINUE);
	ck_assert_str_eq(told(), "before last-before after last-after");
	ck_assert_int_eq(next_status(), 200);
	ck_assert_str_is(sip_msg_header_named(rig.last, STR("X-After")), "yes");
	ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT), "<sip:a@192.0.2.50>;expires=77");
	rig_fini(&rig);
}
END_TEST

START_TEST(a_register_hook_may_answer_in_the_registrar_s_place)
{
	register_with(BELFRY_DONE);
	ck_assert_str_eq(told(), "before");
	ck_assert_int_eq(next_status(), 606);
	ck_assert_uint_eq(loc_count(rig.location), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_register_hook_may_wait)
{
	register_with(BELFRY_WAITING);
	ck_assert_str_eq(told(), "before");
	ck_assert_int_eq(next_status(), 0);
	belfry_resume(handle_core, handle);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "resumed last-before after last-after");
	ck_assert_int_eq(next_status(), 200);
	rig_fini(&rig);
}
END_TEST

/* --- packets and flows --- */

static enum belfry_verdict echo_packet(const struct belfry_packet *pkt, struct belfry_mod *mod)
{
	if (pkt->data.p[0] != 1) {
		return BELFRY_CONTINUE;
	}
	ck_assert_str_is(pkt->source, "192.0.2.50:5060");
	ck_assert_int_eq(pkt->proto, BELFRY_UDP);
	ck_assert_int_eq(belfry_send_raw(mod, pkt->flow, STR("\001pong")), 0);
	tell("packet");
	return BELFRY_DONE;
}

static void watch_flow(const void *flow, bool up, struct belfry_mod *mod)
{
	(void)mod;
	ck_assert_ptr_nonnull(flow);
	tell(up ? "up" : "down");
}

static void watch_end(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	ck_assert_int_eq(belfry_msg(req)->method, SIP_M_REGISTER);
	tell("end");
}

static const struct belfry_hook packet_hooks[] = { BELFRY_ON_PACKET(10, echo_packet),
	                                           BELFRY_ON_FLOW(10, watch_flow),
	                                           BELFRY_ON_END(10, watch_end),
	                                           { 0 } };
static const struct belfry_module packets = { .abi = BELFRY_MOD_ABI,
	                                      .name = "packets",
	                                      .hooks = packet_hooks };

START_TEST(packets_and_flows_reach_their_hooks)
{
	static const struct belfry_module *const modules[] = { &packets, &belfry_module_registrar,
		                                               NULL };
	struct net_addr from;
	struct str bytes;
	struct tp_flow flow;

	ck_assert_int_eq(begin(modules, NULL), 0);
	net_addr_parse(STR("192.0.2.50"), 5060, &from);
	fake_wire_receive(rig.wire, STR("\001ping"), TP_UDP, &from);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "packet");
	ck_assert(fake_wire_sent(rig.wire, &bytes, &flow));
	ck_assert_str_is(bytes, "\001pong");
	ck_assert(net_addr_eq(&flow.remote, &from));
	fake_wire_receive(rig.wire, STR("\002ping"), TP_UDP, &from);
	rig_settle(&rig);
	ck_assert(!fake_wire_sent(rig.wire, &bytes, &flow));

	ck_assert_int_eq(rig_ask(&rig, &(struct rig_request){ .proto = TP_TCP }), 200);
	ck_assert_str_eq(told(), "up end");
	fake_wire_unreachable(rig.wire, TP_TCP, &from);
	rig_settle(&rig);
	ck_assert_str_eq(told(), "down");
	rig_fini(&rig);
}
END_TEST

/* --- targets, branches, responses --- */

static enum belfry_verdict change_targets(struct belfry_req *req, struct belfry_mod *mod)
{
	struct belfry_target t;

	(void)mod;
	ck_assert_uint_eq(belfry_target_n(req), 1);
	belfry_target_get(req, 0, &t);
	ck_assert_str_is(t.uri, "sip:a@192.0.2.50");
	ck_assert(t.from_location);
	belfry_target_remove(req, 0);
	ck_assert_int_eq(belfry_target_add(req,
	                                   &(struct belfry_target){
						   .uri = STR("sip:other@192.0.2.70"), .q = 1000 }),
	                 0);
	tell("targets");
	return BELFRY_CONTINUE;
}

static enum belfry_verdict change_branch(struct belfry_req *req, struct belfry_branch *br,
                                         struct belfry_mod *mod)
{
	struct belfry_target t;

	(void)req;
	(void)mod;
	belfry_branch_target(br, &t);
	tell(t.uri.p[4] == 'o' ? "other" : "third");
	belfry_branch_add_header(br, SIP_H_OTHER, STR("X-Branch: yes\r\n"));
	return BELFRY_CONTINUE;
}

static enum belfry_verdict change_response(struct belfry_req *req, struct belfry_branch *br,
                                           const struct sip_msg *resp, struct belfry_mod *mod)
{
	(void)mod;
	if (!br) {
		tell("upstream");
		belfry_add_reply_header(req, STR("X-Up: yes\r\n"));
		return BELFRY_CONTINUE;
	}
	if (resp->status != 486) {
		return BELFRY_CONTINUE;
	}
	tell("retarget");
	return belfry_target_add(req, &(struct belfry_target){ .uri = STR("sip:third@192.0.2.71"),
	                                                       .q = 1000 }) == 0
	               ? BELFRY_DONE
	               : BELFRY_CONTINUE;
}

static const struct belfry_hook route_hooks[] = { BELFRY_ON_TARGETS(10, change_targets),
	                                          BELFRY_ON_BRANCH(10, change_branch),
	                                          BELFRY_ON_RESPONSE(10, change_response),
	                                          { 0 } };
static const struct belfry_module router = { .abi = BELFRY_MOD_ABI,
	                                     .name = "router",
	                                     .hooks = route_hooks };

/* The answer of the next hop to the request that was sent to it last. */
static void answer_last(int code, const char *ip)
{
	struct str vias = STR(""), to = sip_msg_header(rig.last, SIP_H_TO);
	char text[2048];
	struct net_addr from;
	int n;

	for (int i = -1; (i = sip_msg_next(rig.last, SIP_H_VIA, i)) >= 0;) {
		struct str v = sip_msg_value(rig.last, i);

		vias = arena_printf(&rig.arena, "%.*sVia: %.*s\r\n", STR_FMT(vias), STR_FMT(v));
	}
	n = snprintf(text, sizeof(text),
	             "SIP/2.0 %d X\r\n%.*sFrom: %.*s\r\nTo: %.*s;tag=t\r\nCall-ID: %.*s\r\n"
	             "CSeq: %u MESSAGE\r\nContent-Length: 0\r\n\r\n",
	             code, STR_FMT(vias), STR_FMT(sip_msg_header(rig.last, SIP_H_FROM)),
	             STR_FMT(to), STR_FMT(rig.last->call_id), rig.last->cseq);
	net_addr_parse(str_from(ip), 5060, &from);
	fake_wire_receive(rig.wire, str_make(text, (size_t)n), TP_UDP, &from);
	rig_settle(&rig);
}

START_TEST(modules_change_targets_branches_and_responses)
{
	static const struct belfry_module *const modules[] = { &belfry_module_registrar, &router,
		                                               NULL };

	ck_assert_int_eq(begin(modules, NULL), 0);
	ck_assert_int_eq(rig_ask(&rig,
	                         &(struct rig_request){
					 .headers = "Contact: <sip:a@192.0.2.50>\r\n" }),
	                 200);
	told();
	message();
	ck_assert_str_is(rig.last->ruri_text, "sip:other@192.0.2.70");
	ck_assert_str_is(sip_msg_header_named(rig.last, STR("X-Branch")), "yes");
	ck_assert_str_eq(told(), "targets other");
	answer_last(486, "192.0.2.70");
	ck_assert_ptr_nonnull(rig_next(&rig));
	ck_assert_str_is(rig.last->ruri_text, "sip:third@192.0.2.71");
	ck_assert_str_eq(told(), "retarget third");
	answer_last(200, "192.0.2.71");
	ck_assert_int_eq(next_status(), 200);
	ck_assert_str_is(sip_msg_header_named(rig.last, STR("X-Up")), "yes");
	ck_assert_str_eq(told(), "upstream");
	rig_fini(&rig);
}
END_TEST

/* --- requests of our own --- */

static void probed(struct belfry_mod *mod, int err, const struct sip_msg *resp, void *arg)
{
	ck_assert_ptr_nonnull(belfry_core(mod));
	ck_assert_ptr_eq(arg, story);
	tell(err == BELFRY_ETIMEOUT ? "timeout" : resp && resp->status == 486 ? "486" : "other");
}

static enum belfry_verdict probe(struct belfry_req *req, struct belfry_mod *mod)
{
	const struct belfry_own_request r = {
		.method = "MESSAGE",
		.uri = STR("sip:probe@192.0.2.70"),
		.from_uri = STR("sip:me@example.com"),
		.to_uri = STR("sip:probe@192.0.2.70"),
		.headers = STR("Subject: probe\r\n"),
	};

	ck_assert_int_eq(belfry_send_request(mod, &r, probed, story), 0);
	return belfry_reply(req, 480, NULL);
}

static const struct belfry_hook probe_hooks[] = { BELFRY_ON_REQUEST(10, probe), { 0 } };
static const struct belfry_module prober = { .abi = BELFRY_MOD_ABI,
	                                     .name = "prober",
	                                     .hooks = probe_hooks };

/* Sends a probe; it is the last message then. */
static void begin_probe(void)
{
	message();
	while (rig.last && !rig.last->is_request) {
		rig_next(&rig);
	}
	ck_assert_ptr_nonnull(rig.last);
	ck_assert_str_is(rig.last->ruri_text, "sip:probe@192.0.2.70");
	ck_assert_str_is(sip_msg_header(rig.last, SIP_H_SUBJECT), "probe");
	ck_assert(str_contains_nocase(sip_msg_header(rig.last, SIP_H_FROM),
	                              STR("sip:me@example.com")));
}

START_TEST(a_module_sends_requests_and_hears_what_came_of_them)
{
	static const struct belfry_module *const modules[] = { &prober, NULL };

	ck_assert_int_eq(begin(modules, NULL), 0);
	begin_probe();
	answer_last(486, "192.0.2.70");
	ck_assert_str_eq(told(), "486");
	while (rig_next(&rig)) {
	}
	begin_probe();
	rig_advance(&rig, 32100);
	ck_assert_str_eq(told(), "timeout");
	rig_fini(&rig);
}
END_TEST

UNIT_MAIN("module/core", hooks_run_by_their_number_until_one_answers, a_module_comes_lives_and_goes,
          a_module_that_cannot_begin_says_why,
          a_reload_changes_settings_and_takes_modules_in_and_out,
          a_reload_to_a_module_that_fails_is_refused, a_request_that_waits_goes_on_where_it_was,
          a_continuation_may_answer_or_wait_again, a_wait_without_end_is_504, cancel_ends_a_wait,
          waits_are_cancelled_at_the_end_of_a_drain, a_server_that_ends_cancels_what_waits,
          handles_that_never_were_are_ignored, waiting_survives_any_allocation_failing,
          register_hooks_see_the_change_and_what_came_of_it,
          a_register_hook_may_answer_in_the_registrar_s_place, a_register_hook_may_wait,
          packets_and_flows_reach_their_hooks, modules_change_targets_branches_and_responses,
          a_module_sends_requests_and_hears_what_came_of_them)
