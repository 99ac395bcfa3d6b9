/* SPDX-License-Identifier: Apache-2.0 */
/* What modules may do to a request, requests that wait for them, explain and why. */
#include "proxy/rig.h"

static enum belfry_verdict verdict; /* what the hooks of these tests answer */
static int calls;
static struct belfry_req *waiting;
static int ended;

static void on_ended(struct hook_wait *wait)
{
	(void)wait;
	ended++;
}

static struct hook_wait a_wait = { .ended = on_ended };

static enum belfry_verdict answer_hook(struct belfry_req *req)
{
	calls++;
	if (verdict == BELFRY_WAITING) {
		waiting = req;
		proxy_req_set_wait(req, &a_wait);
	} else if (verdict == BELFRY_DONE) {
		proxy_reply(req, 499, STR("Not Today"), STR("X-Why: because\r\n"), STR("body"));
	}
	return verdict;
}

static enum belfry_verdict on_request(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	return answer_hook(req);
}

static enum belfry_verdict on_branch(struct belfry_req *req, struct belfry_branch *br,
                                     struct belfry_mod *mod)
{
	struct belfry_target t;

	(void)mod;
	proxy_branch_target(br, &t);
	ck_assert(str_starts(t.uri, STR("sip:bob@192.0.2.")));
	proxy_branch_add_header(br, SIP_H_FROM, STR("X-Branch: here\r\n"));
	return answer_hook(req);
}

static void reset(enum belfry_verdict v)
{
	verdict = v;
	calls = ended = 0;
	waiting = NULL;
}

/* What the module layer does when a wait is over. */
static void resume(struct rig *rig, enum belfry_verdict v)
{
	proxy_enter(waiting);
	proxy_req_set_wait(waiting, NULL);
	proxy_req_continue(waiting, v);
	proxy_leave(waiting);
	worker_turn(rig->w);
}

static struct rig *phone(enum belfry_hook_point point, union belfry_hook_fn fn,
                         enum belfry_verdict v)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_hook(rig, point, fn);
	reset(v);
	return rig;
}

#define ON_REQUEST                                                                                 \
	BELFRY_H_REQUEST, (union belfry_hook_fn)                                                   \
	{                                                                                          \
		.request = on_request                                                              \
	}
#define ON_BRANCH                                                                                  \
	BELFRY_H_BRANCH, (union belfry_hook_fn)                                                    \
	{                                                                                          \
		.branch = on_branch                                                                \
	}

START_TEST(a_request_hook_answers_without_state)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_DONE);
	const struct sent *m = rig_refuses(rig, "499 Not Today", .proto = TP_UDP);

	ck_assert_hdr(m, "X-Why", "because");
	ck_assert_str_eq(strstr(m->text, "\r\n\r\n") + 4, "body");
	ck_assert_uint_eq(txn_layer_counts(rig->txns).server_open, 0);
	rig_free(rig);
}
END_TEST

START_TEST(a_hook_that_waits_has_a_server_transaction_and_100_and_goes_on)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_WAITING);

	rig_ask(rig, .proto = TP_UDP);
	rig_sent(rig, "SIP/2.0 100");
	rig_nothing(rig);
	ck_assert_uint_eq(txn_layer_counts(rig->txns).server_open, 1);
	rig_ask(rig, .again = true); /* absorbed */
	rig_sent(rig, "SIP/2.0 100");
	ck_assert_int_eq(calls, 1);
	resume(rig, BELFRY_CONTINUE);
	rig_sent(rig, "INVITE sip:bob@192.0.2.60 ");
	rig_nothing(rig);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(ended, 0);
	rig_free(rig);
}
END_TEST

START_TEST(a_wait_ends_with_cancel_and_the_answer_is_487)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_WAITING);

	rig_ask(rig, .proto = TP_UDP);
	rig_sent(rig, "SIP/2.0 100");
	rig_ask(rig, .method = "CANCEL", .again = true);
	ck_assert_int_eq(ended, 1);
	rig_sent(rig, "SIP/2.0 200");
	rig_sent(rig, "SIP/2.0 487");
	rig_nothing(rig);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(a_wait_is_bounded)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_WAITING);

	rig_ask(rig, .proto = TP_UDP);
	rig_sent(rig, "SIP/2.0 100");
	rig_pass(rig, BELFRY_WAIT_MAX_MS - 1);
	ck_assert_int_eq(ended, 0);
	rig_pass(rig, 2);
	ck_assert_int_eq(ended, 1);
	rig_sent(rig, "SIP/2.0 504");
	rig_free(rig);
}
END_TEST

START_TEST(a_wait_ends_when_the_proxy_goes)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_WAITING);

	rig_ask(rig, .proto = TP_UDP);
	proxy_free(rig->p);
	rig->p = NULL;
	ck_assert_int_eq(ended, 1);
	rig_free(rig);
}
END_TEST

START_TEST(a_branch_hook_adds_header_lines)
{
	struct rig *rig = phone(ON_BRANCH, BELFRY_CONTINUE);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert(rig_has(got, "\r\nX-Branch: here\r\nFrom: "));
	rig_free(rig);
}
END_TEST

START_TEST(branch_hooks_wait_one_after_the_other)
{
	struct rig *rig = phone(ON_BRANCH, BELFRY_WAITING);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_ask(rig, .proto = TP_UDP);
	rig_sent(rig, "SIP/2.0 100");
	ck_assert_int_eq(calls, 1);
	resume(rig, BELFRY_CONTINUE);
	rig_sent(rig, "INVITE sip:bob@192.0.2.61 ");
	rig_nothing(rig);
	ck_assert_int_eq(calls, 2);
	resume(rig, BELFRY_CONTINUE);
	rig_sent(rig, "INVITE sip:bob@192.0.2.60 ");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(a_branch_hook_may_answer_the_request)
{
	struct rig *rig = phone(ON_BRANCH, BELFRY_DONE);

	rig_refuses(rig, "499", .proto = TP_UDP);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	ck_assert_uint_eq(rig->p->branches.used_n, 0);
	rig_free(rig);
}
END_TEST

static enum belfry_verdict on_response(struct belfry_req *req, struct belfry_branch *br,
                                       const struct sip_msg *resp, struct belfry_mod *mod)
{
	struct belfry_target t = { .uri = STR("sip:voicemail@192.0.2.77"), .q = 1000 };

	(void)mod;
	if (br && resp->status == 486) {
		ck_assert_int_eq(proxy_target_add(req, &t), 0);
		ck_assert_int_eq(proxy_target_add(req, &t), BELFRY_EEXIST);
		return BELFRY_DONE;
	}
	if (br == NULL) {
		proxy_add_reply_header(req, STR("X-Up: yes\r\n"));
	}
	return BELFRY_CONTINUE;
}

START_TEST(a_response_hook_puts_new_targets_in_its_place_and_adds_headers)
{
	struct rig *rig =
		phone(BELFRY_H_RESPONSE, (union belfry_hook_fn){ .response = on_response }, 0);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 486, NULL, NULL);
	rig_sent(rig, "ACK ");
	got = rig_sent(rig, "INVITE sip:voicemail@192.0.2.77 ");
	rig_answer(rig, got, 200, NULL, NULL);
	ck_assert_hdr(rig_sent(rig, "SIP/2.0 200"), "X-Up", "yes");
	rig_free(rig);
}
END_TEST

static enum belfry_verdict on_targets(struct belfry_req *req, struct belfry_mod *mod)
{
	struct belfry_target t;

	(void)mod;
	ck_assert_uint_eq(proxy_target_n(req), 2);
	proxy_target_get(req, 0, &t);
	ck_assert(t.from_location);
	ck_assert_str_is(t.uri, "sip:bob@192.0.2.61");
	proxy_target_remove(req, 0);
	return BELFRY_CONTINUE;
}

START_TEST(a_targets_hook_sees_and_changes_the_target_set)
{
	struct rig *rig =
		phone(BELFRY_H_TARGETS, (union belfry_hook_fn){ .targets = on_targets }, 0);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert_str_eq(got->to, "192.0.2.60:5060");
	rig_free(rig);
}
END_TEST

static enum belfry_verdict hide(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	for (int i = req->msg->first[SIP_H_PROXY_AUTHORIZATION]; i >= 0;
	     i = sip_msg_next(req->msg, SIP_H_PROXY_AUTHORIZATION, i)) {
		if (str_contains_nocase(sip_msg_value(req->msg, i), STR("example.com"))) {
			proxy_hide_header(req, i);
			proxy_hide_header(req, i);
		}
	}
	return BELFRY_CONTINUE;
}

START_TEST(hidden_headers_are_not_forwarded_others_are)
{
	struct rig *rig = phone(BELFRY_H_REQUEST, (union belfry_hook_fn){ .request = hide }, 0);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE",
	        .lines = "Proxy-Authorization: Digest realm=\"example.com\"\n"
	                 "Proxy-Authorization: Digest realm=\"other\"\n");
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_uint_eq(rig_hdr_n(m, "Proxy-Authorization"), 1);
	ck_assert_hdr(m, "Proxy-Authorization", "Digest realm=\"other\"");
	/* In an ACK too. */
	rig_ask(rig, .method = "ACK",
	        .lines = "Proxy-Authorization: Digest realm=\"example.com\"\n");
	ck_assert_uint_eq(rig_hdr_n(rig_sent(rig, "ACK "), "Proxy-Authorization"), 0);
	rig_free(rig);
}
END_TEST

static int ends;

static void on_end(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	ck_assert_ptr_nonnull(req->msg);
	ends++;
}

START_TEST(the_end_hook_is_called_once_per_transaction)
{
	struct rig *rig = phone(BELFRY_H_END, (union belfry_hook_fn){ .end = on_end }, 0);
	const struct sent *got;

	ends = 0;
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert_int_eq(ends, 0);
	rig_answer(rig, got, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	ck_assert_int_eq(ends, 1);
	rig_pass(rig, 60000);
	ck_assert_int_eq(ends, 1);
	rig_free(rig);
}
END_TEST

static enum belfry_verdict serve(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	return answer_hook(req);
}

START_TEST(a_service_gets_its_method_for_local_request_uris)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	struct hook_service service = { .method = STR("REGISTER"), .serve = serve };

	rig->hooks.services = &service;
	rig->hooks.services_n = 1;
	proxy_set_hooks(rig->p, &rig->hooks);
	reset(BELFRY_DONE);
	rig_refuses(rig, "499", .method = "REGISTER", .uri = "sip:example.com");
	ck_assert_hdr(rig_refuses(rig, "200", .method = "OPTIONS", .uri = "sip:example.com"),
	              "Allow", "OPTIONS, REGISTER");
	ck_assert_int_eq(calls, 1);
	rig_ask(rig, .method = "REGISTER", .uri = "sip:192.0.2.70");
	rig_sent(rig, "REGISTER sip:192.0.2.70 "); /* elsewhere: proxied */
	reset(BELFRY_WAITING);
	rig_ask(rig, .method = "REGISTER", .uri = "sip:example.com");
	rig_nothing(rig);
	proxy_enter(waiting);
	proxy_req_set_wait(waiting, NULL);
	proxy_reply(waiting, 200, STR_NONE, STR_NONE, STR_NONE);
	proxy_leave(waiting);
	rig_sent(rig, "SIP/2.0 200 OK");
	rig_free(rig);
}
END_TEST

START_TEST(requests_in_progress_keep_their_hooks)
{
	struct rig *rig = phone(ON_REQUEST, BELFRY_WAITING);

	rig_ask(rig, .proto = TP_UDP);
	proxy_set_hooks(rig->p, NULL);
	ck_assert(proxy_hooks_in_use(rig->p, &rig->hooks));
	resume(rig, BELFRY_DONE);
	rig_ask(rig, .method = "CANCEL", .again = true);
	ck_assert(!proxy_hooks_in_use(rig->p, &rig->hooks));
	rig_free(rig);
}
END_TEST

/* --- explain, why */

static char told[4096];

static void add(const struct proxy_decision *first)
{
	told[0] = '\0';
	for (const struct proxy_decision *d = first; d; d = d->next) {
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "[%s] %.*s\n", d->rule,
		         STR_FMT(d->text));
	}
}

static void on_explained(void *arg, const struct proxy_decision *first)
{
	++*(int *)arg;
	add(first);
}

static const char invite[] = "INVITE sip:bob@example.com SIP/2.0\r\n"
			     "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
			     "From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\n"
			     "Call-ID: i\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";

static void explain(struct rig *rig, const char *text, const char *user, int *n)
{
	struct sip_msg *msg;

	ck_assert_int_eq(sip_msg_parse_text(str_from(text), 0, &msg), 0);
	ck_assert_int_eq(proxy_explain(rig->p, msg, NULL, str_from(user), on_explained, n), 0);
	sip_msg_unref(&msg);
}

START_TEST(explain_tells_the_decisions_and_sends_nothing)
{
	struct rig *rig = rig_new(NULL);
	int n = 0;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", ";q=0.7");
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61;transport=tcp", ";q=0.2");
	explain(rig, invite, "", &n);
	ck_assert_int_eq(n, 1);
	ck_assert_msg(strstr(told, "[location] binding sip:bob@192.0.2.60, q 0.700\n") != NULL,
	              "%s", told);
	ck_assert_msg(strstr(told, "sent by UDP to 192.0.2.60:5060\n") != NULL, "%s", told);
	ck_assert_msg(strstr(told, "sent by TCP to 192.0.2.61:5060\n") != NULL, "%s", told);
	ck_assert_msg(strstr(told, "[proxy.fork] forks to the targets of q 0.7\n") != NULL,
	              "%s", told);
	rig_nothing(rig);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(explain_tells_why_something_is_refused)
{
	static const char foreign[] =
		"MESSAGE sip:x@192.0.2.70 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
		"From: <sip:alice@example.com>;tag=a\r\nTo: <sip:x@192.0.2.70>\r\n"
		"Call-ID: i\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
	struct rig *rig = rig_new(NULL);
	int n = 0;

	explain(rig, foreign, "", &n);
	ck_assert_msg(strstr(told, "[proxy.relay] refused with 403 Forbidden\n") != NULL, "%s", told);
	explain(rig, foreign, "alice@example.com", &n);
	ck_assert_msg(strstr(told, "authenticated as alice@example.com\n") != NULL, "%s", told);
	ck_assert_msg(strstr(told, "sent by UDP to 192.0.2.70:5060\n") != NULL, "%s", told);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.rejected[REFUSED_RELAY]), 0);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(explain_waits_where_a_request_would)
{
	struct rig *rig = rig_new_async(NULL);
	int n = 0;

	rig_name(rig, &(struct rig_name){
			      .name = "slow.test", .later = true, .addr = { "192.0.2.93" } });
	rig_bind(rig, "bob@example.com", "sip:bob@slow.test", NULL);
	explain(rig, invite, "", &n);
	ck_assert_int_eq(n, 0);
	rig_pass(rig, 1);
	rig_dns_answer(rig);
	ck_assert_int_eq(n, 1);
	ck_assert_msg(strstr(told, "asks DNS for slow.test\n") != NULL, "%s", told);
	ck_assert_msg(strstr(told, "sent by UDP to 192.0.2.93:5060\n") != NULL, "%s", told);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

struct whys {
	int n, status;
	uint32_t took_ms;
};

static void on_why(void *arg, const struct proxy_why *why)
{
	struct whys *w = arg;

	ck_assert_str_is(why->method, "INVITE");
	ck_assert_str_is(why->from, "sip:alice@example.net");
	ck_assert_str_is(why->source, ALICE ":5060");
	ck_assert_int_gt(why->unix_ms, 0);
	w->n++;
	w->status = why->final_status;
	w->took_ms = why->took_ms;
	add(why->first);
}

START_TEST(why_remembers_the_last_calls)
{
	static char large[1500];
	struct rig *rig = rig_new(NULL);
	struct whys w = { 0 };
	const struct sent *got;

	rig->conf->server.trace_ring = 2;
	ck_assert_int_eq(proxy_ring_update(rig->p), 0);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ .call_id = "one" }, &got, 1);
	rig_pass(rig, 250);
	proxy_why(rig->p, STR("one"), on_why, &w);
	ck_assert_int_eq(w.n, 1);
	ck_assert_int_eq(w.status, 0); /* in progress */
	w.n = 0;
	rig_answer(rig, got, 486, NULL, NULL);
	rig_skip(rig);
	rig_ask(rig, .call_id = "two", .uri = "sip:nobody@example.com");
	rig_skip(rig);
	proxy_why(rig->p, STR("one"), on_why, &w);
	ck_assert_int_eq(w.n, 1);
	ck_assert_int_eq(w.status, 486);
	ck_assert_uint_eq(w.took_ms, 250);
	ck_assert_msg(strstr(told, "the best response is 486\n") != NULL, "%s", told);
	w.n = 0;
	proxy_why(rig->p, STR_NONE, on_why, &w);
	ck_assert_int_eq(w.n, 2);
	rig_ask(rig, .call_id = "three", .uri = "sip:nobody@example.com");
	rig_skip(rig);
	w.n = 0;
	proxy_why(rig->p, STR("one"), on_why, &w);
	ck_assert_int_eq(w.n, 0);
	memset(large, 'x', sizeof(large) - 1);
	rig_ask(rig, .call_id = large, .uri = "sip:nobody@example.com");
	rig_skip(rig);
	proxy_why(rig->p, str_from(large), on_why, &w);
	ck_assert_int_eq(w.n, 0); /* only its beginning is kept */
	proxy_why(rig->p, str_make(large, 1024), on_why, &w);
	ck_assert_int_eq(w.n, 1);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/hooks", a_request_hook_answers_without_state,
          a_hook_that_waits_has_a_server_transaction_and_100_and_goes_on,
          a_wait_ends_with_cancel_and_the_answer_is_487, a_wait_is_bounded,
          a_wait_ends_when_the_proxy_goes, a_branch_hook_adds_header_lines,
          branch_hooks_wait_one_after_the_other, a_branch_hook_may_answer_the_request,
          a_response_hook_puts_new_targets_in_its_place_and_adds_headers,
          a_targets_hook_sees_and_changes_the_target_set,
          hidden_headers_are_not_forwarded_others_are, the_end_hook_is_called_once_per_transaction,
          a_service_gets_its_method_for_local_request_uris, requests_in_progress_keep_their_hooks,
          explain_tells_the_decisions_and_sends_nothing, explain_tells_why_something_is_refused,
          explain_waits_where_a_request_would, why_remembers_the_last_calls)
