/* SPDX-License-Identifier: Apache-2.0 */
/* Trunks: failover, weights, OPTIONS probes, max_calls; requests of our own. */
#include "proxy/rig.h"

#define TO_TRUNK "routes = ( { name = \"pstn\"; match: { user = \"+*\"; }; to = \"trunk:t\"; } );\n"
#define TRUNK(settings)                                                                            \
	TO_TRUNK "trunks: { t: { targets = ( \"sip:192.0.2.80\", \"sip:192.0.2.81\" ); " settings  \
		 " }; };\n"

static const struct ask number = { .uri = "sip:+1555@example.com" };

START_TEST(a_number_goes_to_the_trunk_with_its_request_uri)
{
	struct rig *rig = rig_new(TRUNK("probe = 0;"));
	const struct sent *got;

	rig_call(rig, &number, &got, 1);
	ck_assert_str_eq(got->to, "192.0.2.80:5060");
	ck_assert(rig_has(got, "INVITE sip:+1555@example.com SIP/2.0\r\n"));
	ck_assert_uint_eq(rig_hdr_n(got, "Route"), 0);
	rig_free(rig);
}
END_TEST

START_TEST(any_scheme_goes_to_a_trunk)
{
	struct rig *rig =
		rig_new("proxy: { relay = \"any\"; };\n"
	                "routes = ( { name = \"s\"; match: { uri = \"urn:service:sos*\"; };\n"
	                "  to = \"trunk:t\"; }, { name = \"t\"; match: { user = \"+*\"; };\n"
	                "  to = \"trunk:t\"; } );\n"
	                "trunks: { t: { targets = ( \"sip:192.0.2.80\" ); probe = 0; }; };\n");

	rig_ask(rig, .method = "MESSAGE", .uri = "urn:service:sos.fire");
	rig_sent(rig, "MESSAGE urn:service:sos.fire ");
	rig_ask(rig, .method = "MESSAGE", .uri = "tel:+1555");
	rig_sent(rig, "MESSAGE tel:+1555 ");
	rig_free(rig);
}
END_TEST

START_TEST(the_next_target_is_tried_after_503_or_a_transport_error)
{
	struct rig *rig = rig_new(TRUNK("probe = 0;"));
	const struct sent *got, *second;
	struct net_addr dead;

	rig_call(rig, &number, &got, 1);
	rig_answer(rig, got, 503, NULL, "Retry-After: 17 (soon)\n");
	rig_sent(rig, "ACK ");
	second = rig_sent(rig, "INVITE sip:+1555@example.com ");
	ck_assert_str_eq(second->to, "192.0.2.81:5060");
	ck_assert_str_ne(rig_hdr(second, "Via", 0), rig_hdr(got, "Via", 0));
	ck_assert_str_eq(rig->marked, "failed 192.0.2.80:5060/udp/17");
	rig_answer(rig, second, 486, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 486");
	rig_call(rig, &number, &got, 1); /* what has failed comes last now */
	ck_assert_str_eq(got->to, "192.0.2.81:5060");
	net_addr_parse(STR("192.0.2.81"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	second = rig_sent(rig, "INVITE sip:+1555@example.com ");
	rig_answer(rig, second, 503, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 500"); /* a 503 of branches only */
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.failovers), 2);
	rig_free(rig);
}
END_TEST

/* A call whose first attempt goes to @first, is refused with @status and ends at the other. */
static void fail_over(struct rig *rig, const char *first, int status, const char *lines)
{
	const struct sent *got;

	rig_call(rig, &number, &got, 1);
	ck_assert_str_eq(got->to, first);
	rig_answer(rig, got, status, NULL, lines);
	if (status == 503) {
		rig_sent(rig, "ACK ");
		rig_answer(rig, rig_sent(rig, "INVITE "), 486, NULL, NULL);
	}
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 486");
}

START_TEST(rfc3263_4_3_a_target_that_failed_is_tried_last_for_failure_ttl)
{
	struct rig *rig = rig_new("dns: { failure_ttl = 10; };\n" TRUNK("probe = 0;"));

	fail_over(rig, "192.0.2.80:5060", 503, NULL);
	fail_over(rig, "192.0.2.81:5060", 486, NULL);
	rig_pass(rig, 10001);
	rig_skip(rig);
	fail_over(rig, "192.0.2.80:5060", 503, "Retry-After: 1000\n"); /* ten times at most */
	rig_pass(rig, 99000);
	rig_skip(rig);
	fail_over(rig, "192.0.2.81:5060", 486, NULL);
	rig_pass(rig, 1001);
	rig_skip(rig);
	fail_over(rig, "192.0.2.80:5060", 486, NULL);
	rig_free(rig);
}
END_TEST

START_TEST(any_other_answer_is_the_trunks_answer)
{
	struct rig *rig = rig_new(TRUNK("probe = 0;"));
	const struct sent *got;

	rig_call(rig, &number, &got, 1);
	rig_answer(rig, got, 404, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 404");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(a_timeout_fails_over_with_time_for_it_only)
{
	struct rig *rig = rig_new("timers: { b = 1000; f = 1000; };\n" TRUNK("probe = 0;"));
	const struct sent *got;

	rig_call(rig, &number, &got, 1);
	rig_pass(rig, 990);
	rig_skip(rig);
	rig_pass(rig, 20);
	ck_assert_str_eq(rig_sent(rig, "INVITE ")->to, "192.0.2.81:5060");
	rig_pass(rig, 950);
	rig_skip(rig);
	rig_pass(rig, 60);
	rig_sent(rig, "SIP/2.0 408");
	rig_free(rig);
}
END_TEST

START_TEST(weights_share_out_the_calls)
{
	struct rig *rig = rig_new(TRUNK("probe = 0; policy = \"weighted\"; weights = ( 3, 1 );"));
	unsigned first = 0;

	for (int i = 0; i < 400; i++) {
		rig_ask(rig, .method = "MESSAGE", .uri = "sip:+1555@example.com");
		worker_turn(rig->w);
		{
			struct tp_flow flow;
			char text[NET_ADDR_TEXT];

			ck_assert(fake_wire_sent(rig->wire, NULL, &flow));
			net_addr_text(&flow.remote, text);
			first += strcmp(text, "192.0.2.80:5060") == 0;
		}
	}
	ck_assert_uint_gt(first, 250);
	ck_assert_uint_lt(first, 350);
	rig_free(rig);
}
END_TEST

START_TEST(max_calls_counts_unanswered_invites)
{
	struct rig *rig = rig_new(TRUNK("probe = 0; max_calls = 1;"));
	const struct sent *got, *m;

	rig_call(rig, &number, &got, 1);
	rig_ask_with(rig, &number);
	m = rig_sent(rig, "SIP/2.0 503");
	ck_assert_ptr_nonnull(rig_hdr(m, "Retry-After", 0));
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.rejected[REFUSED_MAX_CALLS]), 1);
	rig_ask(rig, .method = "MESSAGE", .uri = number.uri); /* not counted */
	rig_sent(rig, "MESSAGE ");
	rig_answer(rig, got, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_call(rig, &number, &got, 1);
	rig_answer(rig, got, 486, NULL, NULL);
	rig_skip(rig);
	rig_call(rig, &number, &got, 1);
	rig_free(rig);
}
END_TEST

struct seen {
	struct proxy_trunk_info v[4];
	size_t n;
};

static void see(void *arg, const struct proxy_trunk_info *info)
{
	struct seen *seen = arg;

	seen->v[seen->n++] = *info;
}

START_TEST(probes_find_out_which_targets_are_up)
{
	struct rig *rig = rig_new(TRUNK("probe = 30;"));
	const struct sent *a, *b, *got;
	struct seen seen = { 0 };

	proxy_each_trunk(rig->p, see, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_is(seen.v[1].trunk, "t");
	ck_assert_str_is(seen.v[1].target, "sip:192.0.2.81");
	ck_assert_int_eq(seen.v[0].last_status, 0);
	ck_assert_uint_eq(seen.v[0].checked_ms_ago, UINT64_MAX);
	rig_pass(rig, 200);
	a = rig_sent(rig, "OPTIONS sip:192.0.2.80 ");
	b = rig_sent(rig, "OPTIONS sip:192.0.2.81 ");
	ck_assert_str_eq(a->to, "192.0.2.80:5060");
	ck_assert_uint_eq(rig_hdr_n(a, "Via"), 1);
	ck_assert_str_ne(rig_hdr(a, "Call-ID", 0), rig_hdr(b, "Call-ID", 0));
	ck_assert_hdr(a, "CSeq", "1 OPTIONS");
	ck_assert(strncmp(rig_hdr(a, "From", 0), "<sip:proxy.example.com>;tag=", 28) == 0);
	rig_answer(rig, b, 404, NULL, NULL); /* any answer will do */
	rig_pass(rig, 40000);
	rig_skip(rig);
	seen.n = 0;
	proxy_each_trunk(rig->p, see, &seen);
	ck_assert(!seen.v[0].up);
	ck_assert_int_eq(seen.v[0].last_status, 408);
	ck_assert(seen.v[1].up);
	ck_assert_int_eq(seen.v[1].last_status, 404);
	/* What is down goes last. */
	rig_call(rig, &number, &got, 1);
	ck_assert_str_eq(got->to, "192.0.2.81:5060");
	seen.n = 0;
	proxy_each_trunk(rig->p, see, &seen);
	ck_assert_int_eq(seen.v[0].calls, 1);
	rig_free(rig);
}
END_TEST

START_TEST(without_probe_nothing_is_sent)
{
	struct rig *rig = rig_new(TRUNK("probe = 0;"));

	rig_pass(rig, 100000);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

static enum belfry_verdict authenticate(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	proxy_set_user(req, STR("alice@example.com"), false);
	return BELFRY_CONTINUE;
}

START_TEST(once_users_can_authenticate_a_trunk_is_for_them_and_trusted_peers)
{
	struct rig *rig =
		rig_new(TRUNK("probe = 0;") "proxy: { trusted = ( \"198.51.100.1\" ); };\n");
	struct str auth[] = { STR_INIT("auth") };
	struct str_list none = rig->conf->modules;

	rig->conf->modules = (struct str_list){ .v = auth, .n = 1 };
	rig_refuses(rig, "403", .uri = number.uri);
	rig_ask(rig, .method = "MESSAGE", .uri = number.uri, .ip = "198.51.100.1");
	rig_sent(rig, "MESSAGE ");
	rig_hook(rig, BELFRY_H_REQUEST, (union belfry_hook_fn){ .request = authenticate });
	rig_ask(rig, .method = "MESSAGE", .uri = number.uri);
	rig_sent(rig, "MESSAGE ");
	rig->conf->modules = none;
	rig_free(rig);
}
END_TEST

struct answer {
	int n, err, status;
};

static void on_answer(void *arg, int err, const struct sip_msg *resp)
{
	struct answer *a = arg;

	a->n++;
	a->err = err;
	a->status = resp ? resp->status : 0;
}

START_TEST(a_request_of_our_own_is_answered_or_fails_once)
{
	struct rig *rig = rig_new(NULL);
	struct proxy_own_request r = { .method = STR("NOTIFY"),
		                       .uri = STR("sip:x@192.0.2.90;transport=tcp"),
		                       .from_uri = STR("sip:a@example.com"),
		                       .to_uri = STR("sip:x@example.com"),
		                       .headers = STR("Event: x\r\n"),
		                       .body = STR("hello") };
	struct answer a = { 0 };
	const struct sent *m;

	ck_assert_int_eq(proxy_send_request(rig->p, &r, on_answer, &a), 0);
	m = rig_sent(rig, "NOTIFY sip:x@192.0.2.90;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP ");
	ck_assert_hdr(m, "To", "<sip:x@example.com>");
	ck_assert_hdr(m, "Event", "x");
	ck_assert_str_eq(strstr(m->text, "\r\n\r\n") + 4, "hello");
	rig_answer(rig, m, 100, NULL, NULL);
	ck_assert_int_eq(a.n, 0);
	rig_answer(rig, m, 202, NULL, NULL);
	ck_assert_int_eq(a.n, 1);
	ck_assert_int_eq(a.status, 202);
	r.uri = STR("sip:x@nowhere.invalid");
	ck_assert_int_eq(proxy_send_request(rig->p, &r, on_answer, &a), 0);
	ck_assert_int_eq(a.n, 1); /* never inside the call */
	worker_turn(rig->w);
	ck_assert_int_eq(a.n, 2);
	ck_assert_int_eq(a.err, BELFRY_ENXDOMAIN);
	r.uri = STR("no uri at all");
	ck_assert_int_lt(proxy_send_request(rig->p, &r, on_answer, &a), 0);
	/* One that is under way when the proxy goes. */
	r.uri = STR("sip:x@192.0.2.90");
	ck_assert_int_eq(proxy_send_request(rig->p, &r, on_answer, &a), 0);
	proxy_free(rig->p);
	rig->p = NULL;
	ck_assert_int_eq(a.n, 3);
	ck_assert_int_eq(a.err, BELFRY_ECANCELED);
	rig_free(rig);
}
END_TEST

START_TEST(a_request_of_our_own_tries_the_next_hop)
{
	struct rig *rig = rig_new(NULL);
	struct proxy_own_request r = { .method = STR("OPTIONS"), .uri = STR("sip:peer.test") };
	struct answer a = { 0 };
	struct net_addr dead;

	rig_name(rig, &(struct rig_name){ .name = "peer.test",
	                                  .addr = { "192.0.2.91", "192.0.2.92" },
	                                  .later = true });
	ck_assert_int_eq(proxy_send_request(rig->p, &r, on_answer, &a), 0);
	rig_dns_answer(rig);
	ck_assert_str_eq(rig_sent(rig, "OPTIONS ")->to, "192.0.2.91:5060");
	net_addr_parse(STR("192.0.2.91"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	ck_assert_str_eq(rig_sent(rig, "OPTIONS ")->to, "192.0.2.92:5060");
	rig_pass(rig, 33000);
	ck_assert_int_eq(a.n, 1);
	ck_assert_int_eq(a.err, BELFRY_ETIMEOUT);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/trunk", a_number_goes_to_the_trunk_with_its_request_uri,
          any_scheme_goes_to_a_trunk, the_next_target_is_tried_after_503_or_a_transport_error,
          rfc3263_4_3_a_target_that_failed_is_tried_last_for_failure_ttl,
          any_other_answer_is_the_trunks_answer, a_timeout_fails_over_with_time_for_it_only,
          weights_share_out_the_calls, max_calls_counts_unanswered_invites,
          probes_find_out_which_targets_are_up, without_probe_nothing_is_sent,
          once_users_can_authenticate_a_trunk_is_for_them_and_trusted_peers,
          a_request_of_our_own_is_answered_or_fails_once, a_request_of_our_own_tries_the_next_hop)
