/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses whose connection is gone (RFC 3261 18.2.2, RFC 3263 5). Upstream is 192.0.2.11:5060 and
 * calls itself up.example.net in its Via; a name server on a loopback port says where that is.
 */
#include "transaction/rig.h"

#include "dns/resolve.h"
#include "dns/server.h"
#include "util/err.h"

#include <event2/event.h>
#include <stdio.h>

#define REQUEST                                                                                    \
	"%s sip:bob@example.com SIP/2.0\n"                                                         \
	"v: SIP/2.0/TCP %s;branch=z9hG4bK%s , SIP/2.0/UDP far.example.net\n"                       \
	"Max-Forwards: 70\n"                                                                       \
	"From: <sip:alice@example.net>;tag=al\n"                                                   \
	"To: <sip:bob@example.com>\n"                                                              \
	"Call-ID: call@example.net\n"                                                              \
	"CSeq: 7 %s\n"                                                                             \
	"Content-Length: 0\n\n"

struct net {
	struct rig rig;
	struct dns_server *server;
	struct dns_resolver *dns;
	struct str server_address;
};

static struct net *net_new(void)
{
	struct net *net = calloc(1, sizeof(*net));
	char *error = NULL;

	ck_assert_ptr_nonnull(net);
	ck_assert_int_eq(rig_init(&net->rig), 0);
	net->server = dns_server_new(net->rig.w->base);
	net->server_address = dns_server_address(net->server);
	net->rig.conf.dns = (struct conf_dns){ .timeout = 5, .failure_ttl = 60 };
	net->rig.conf.dns.nameservers = (struct str_list){ &net->server_address, 1 };
	ck_assert_int_eq(dns_resolver_new(net->rig.w, &net->dns, &error), 0);
	txn_layer_set_dns(net->rig.l, net->dns);
	return net;
}

static void net_free(struct net *net)
{
	struct rig *rig = &net->rig;

	sip_msg_unref(&rig->req);
	txn_layer_free(rig->l);
	rig->l = NULL;
	dns_resolver_free(net->dns);
	dns_server_free(net->server);
	rig_fini(rig);
	free(net);
}

/* A request over TCP with that sent-by, accepted. */
static void accept_from(struct net *net, const char *method, const char *sent_by)
{
	struct rig *rig = &net->rig;
	char text[1024], want[64];

	snprintf(text, sizeof(text), REQUEST, method, sent_by, method, method);
	rig_receive_text(rig, TP_TCP, &rig->up, text);
	snprintf(want, sizeof(want), "request:%s", method);
	rig_expect(rig, want);
	ck_assert_int_eq(rig_server_new(rig, &rig->st), 0);
	sip_msg_unref(&rig->req);
}

/* Its connection ends. */
static void hang_up(struct net *net)
{
	fake_wire_unreachable(net->rig.wire, TP_TCP, &net->rig.up);
}

static void reply(struct net *net, int code)
{
	struct sip_reply r = { .code = code };

	txn_server_reply(net->rig.st, &r);
}

/* Fails the test when nothing comes of it for too long. */
static void turn(struct net *net, uint64_t end)
{
	ck_assert(unit_wait_more(end));
	event_base_loop(net->rig.w->base, EVLOOP_NONBLOCK);
	worker_turn(net->rig.w);
}

/* The next attempt is that response to that address. */
static struct tp_flow expect_try(struct net *net, const char *start, const char *where)
{
	struct rig *rig = &net->rig;
	uint64_t end = unit_wait_begin();
	char at[NET_ADDR_TEXT];
	struct tp_flow flow;
	struct str text;

	worker_turn(rig->w);
	while (!fake_wire_sent(rig->wire, &text, &flow)) {
		ck_assert_uint_gt(rig->l->detours_n, 0);
		turn(net, end);
	}
	ck_assert(str_starts(text, str_from(start)));
	ck_assert_int_eq(flow.proto, TP_TCP);
	net_addr_text(&flow.remote, at);
	ck_assert_str_eq(at, where);
	return flow;
}

/* The connection being opened for it is refused. */
static void refuse(struct net *net, const char *start, const char *where)
{
	struct tp_flow flow = expect_try(net, start, where);

	fake_wire_close(net->rig.wire, flow.conn);
}

static uint64_t undelivered(const struct net *net)
{
	return counters_get(net->rig.w->counters, net->rig.l->ids.undelivered);
}

static void expect_end(struct net *net, unsigned undelivered_n)
{
	uint64_t end = unit_wait_begin();

	while (net->rig.l->detours_n > 0) {
		turn(net, end);
	}
	rig_nothing_sent(&net->rig);
	ck_assert_uint_eq(net->rig.l->detour_bytes, 0);
	ck_assert(list_is_empty(&net->rig.l->detours));
	ck_assert_uint_eq(undelivered(net), undelivered_n);
}

/* --- the way ----------------------------------------------------------------------------------
 */

START_TEST(rfc3261_18_2_2_a_new_connection_goes_to_received_and_nobody_is_asked)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	reply(net, 180);
	ck_assert_uint_eq(net->rig.l->detours_n, 1); /* until it is open */
	expect_try(net, "SIP/2.0 180 ", "192.0.2.11:5070");
	expect_end(net, 0);
	reply(net, 486); /* by the connection that is there now */
	ck_assert_uint_eq(net->rig.l->detours_n, 0);
	expect_try(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	expect_end(net, 0);
	ck_assert_uint_eq(dns_server_asked(net->server, "up.example.net", 1), 0);
	net_free(net);
}
END_TEST

START_TEST(rfc3263_5_a_name_with_port_is_asked_for_addresses_tried_in_order)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 10 5 5099 other.example.net");
	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 486);
	refuse(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	expect_try(net, "SIP/2.0 486 ", "192.0.2.77:5070");
	ck_assert_uint_eq(net->rig.l->detours_n, 1);
	fake_wire_slow(net->rig.wire, false);
	expect_end(net, 0); /* it opens */
	ck_assert_uint_eq(dns_server_asked(net->server, "_sip._tcp.up.example.net", 33), 0);
	net_free(net);
}
END_TEST

START_TEST(rfc3263_5_a_name_without_port_is_asked_for_srv)
{
	struct net *net = net_new();

	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 10 5 5081 a.example.net");
	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 20 5 5082 b.example.net");
	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 30 5 5083 c.example.net");
	dns_server_add(net->server, "a.example.net A 192.0.2.71");
	dns_server_add(net->server, "b.example.net AAAA 2001:db8::72");
	dns_server_add(net->server, "c.example.net A 192.0.2.73");
	accept_from(net, "MESSAGE", "up.example.net");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 200);
	refuse(net, "SIP/2.0 200 ", "192.0.2.11:5060");
	refuse(net, "SIP/2.0 200 ", "192.0.2.71:5081");
	refuse(net, "SIP/2.0 200 ", "[2001:db8::72]:5082");
	refuse(net, "SIP/2.0 200 ", "192.0.2.73:5083");
	expect_end(net, 1);
	ck_assert_uint_eq(dns_server_asked(net->server, "up.example.net", 35), 0); /* no NAPTR */
	net_free(net);
}
END_TEST

START_TEST(what_cannot_even_be_begun_is_skipped)
{
	struct net *net = net_new();

	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 10 5 5081 a.example.net");
	dns_server_add(net->server, "_sip._tcp.up.example.net SRV 20 5 5082 b.example.net");
	dns_server_add(net->server, "a.example.net A 192.0.2.71");
	dns_server_add(net->server, "b.example.net A 192.0.2.72");
	accept_from(net, "INVITE", "up.example.net");
	hang_up(net);
	fake_wire_fail(net->rig.wire, 3, BELFRY_EUNREACH); /* received, again, a */
	reply(net, 486);
	expect_try(net, "SIP/2.0 486 ", "192.0.2.72:5082");
	expect_end(net, 0);
	net_free(net);
}
END_TEST

START_TEST(responses_on_one_connection_that_does_not_open_all_go_on_in_order)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 180);
	reply(net, 486);
	expect_try(net, "SIP/2.0 180 ", "192.0.2.11:5070");
	refuse(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	fake_wire_slow(net->rig.wire, false);
	expect_try(net, "SIP/2.0 180 ", "192.0.2.77:5070");
	expect_try(net, "SIP/2.0 486 ", "192.0.2.77:5070");
	expect_end(net, 0);
	net_free(net);
}
END_TEST

/* --- nobody there -----------------------------------------------------------------------------
 */

/* Where received is refused and that is all. */
static void gives_up(struct net *net, const char *sent_by, const char *where)
{
	accept_from(net, "MESSAGE", sent_by);
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 200);
	refuse(net, "SIP/2.0 200 ", where);
	expect_end(net, 1);
	rig_pass(&net->rig, 1);
	rig_expect(&net->rig, "server_end");
	net_free(net);
}

START_TEST(a_numeric_host_is_not_looked_up)
{
	gives_up(net_new(), "192.0.2.99:5070", "192.0.2.11:5070");
	gives_up(net_new(), "192.0.2.11", "192.0.2.11:5060");
	gives_up(net_new(), "[2001:db8::9]:5070", "192.0.2.11:5070");
}
END_TEST

START_TEST(a_name_that_does_not_exist_ends_it)
{
	gives_up(net_new(), "up.example.net:5070", "192.0.2.11:5070");
}
END_TEST

START_TEST(what_was_refused_before_is_not_tried_again)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.11");
	gives_up(net, "up.example.net:5070", "192.0.2.11:5070");
}
END_TEST

START_TEST(a_name_leads_nobody_from_elsewhere_to_this_machine_or_to_a_crowd)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 127.0.0.1");
	dns_server_add(net->server, "up.example.net A 0.0.0.0");
	dns_server_add(net->server, "up.example.net A 224.0.1.75");
	dns_server_add(net->server, "up.example.net AAAA ::1");
	gives_up(net, "up.example.net:5070", "192.0.2.11:5070");
}
END_TEST

START_TEST(without_a_resolver_names_are_not_looked_up)
{
	struct net *net = net_new();

	txn_layer_set_dns(net->rig.l, NULL);
	gives_up(net, "up.example.net:5070", "192.0.2.11:5070");
}
END_TEST

START_TEST(rfc6026_7_1_the_transaction_goes_on_whatever_becomes_of_the_response)
{
	struct net *net = net_new();
	struct rig *rig = &net->rig;

	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(rig->wire, true);
	reply(net, 180);
	refuse(net, "SIP/2.0 180 ", "192.0.2.11:5070");
	expect_end(net, 1);
	ck_assert(!txn_server_is_final(rig->st));
	reply(net, 486);
	refuse(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	expect_end(net, 2);
	ck_assert(txn_server_is_final(rig->st));
	rig_expect(rig, "");
	rig_pass(rig, 31999);
	rig_expect(rig, "");
	rig_pass(rig, 1); /* Timer H */
	rig_expect(rig, "server_end");
	net_free(net);
}
END_TEST

/* --- time -------------------------------------------------------------------------------------
 */

START_TEST(the_transaction_may_end_while_the_question_is_open)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	accept_from(net, "MESSAGE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 200);
	refuse(net, "SIP/2.0 200 ", "192.0.2.11:5070");
	rig_pass(&net->rig, 1); /* Timer J is 0 */
	rig_expect(&net->rig, "server_end");
	ck_assert_ptr_null(net->rig.st);
	ck_assert(!txn_layer_is_idle(net->rig.l));
	fake_wire_slow(net->rig.wire, false);
	expect_try(net, "SIP/2.0 200 ", "192.0.2.77:5070");
	expect_end(net, 0);
	ck_assert(txn_layer_is_idle(net->rig.l));
	net_free(net);
}
END_TEST

START_TEST(the_layer_may_go_while_the_question_is_open)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net SILENT");
	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 486);
	refuse(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	ck_assert_ptr_nonnull(
		container_of(net->rig.l->detours.next, struct txn_detour, node)->query);
	net_free(net);
}
END_TEST

START_TEST(a_name_server_that_is_silent_is_waited_for_no_longer_than_dns_timeout)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net SILENT");
	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true);
	reply(net, 486);
	refuse(net, "SIP/2.0 486 ", "192.0.2.11:5070");
	rig_pass(&net->rig, 4999);
	ck_assert_uint_eq(net->rig.l->detours_n, 1);
	rig_pass(&net->rig, 1);
	expect_end(net, 1);
	net_free(net);
}
END_TEST

START_TEST(after_64_t1_a_response_is_of_no_use)
{
	struct net *net = net_new();

	accept_from(net, "MESSAGE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(net->rig.wire, true); /* and stays so */
	reply(net, 200);
	expect_try(net, "SIP/2.0 200 ", "192.0.2.11:5070");
	rig_pass(&net->rig, 31999);
	ck_assert_uint_eq(net->rig.l->detours_n, 1);
	rig_pass(&net->rig, 1);
	expect_end(net, 1);
	net_free(net);
}
END_TEST

/* --- a peer that has sent FIN -----------------------------------------------------------------
 */

START_TEST(a_response_to_who_has_gone_after_its_fin_goes_by_a_new_connection)
{
	struct net *net = net_new();
	uint64_t conn;

	accept_from(net, "INVITE", "up.example.net:5070");
	conn = fake_wire_half_close(net->rig.wire, TP_TCP, &net->rig.up);
	reply(net, 180);
	ck_assert_uint_eq(expect_try(net, "SIP/2.0 180 ", "192.0.2.11:5070").conn, conn);
	ck_assert_uint_eq(net->rig.l->detours_n, 1);
	fake_wire_close(net->rig.wire, conn); /* RST */
	ck_assert_uint_ne(expect_try(net, "SIP/2.0 180 ", "192.0.2.11:5070").conn, conn);
	expect_end(net, 0);
	net_free(net);
}
END_TEST

START_TEST(a_response_to_who_only_stopped_sending_is_sent_once)
{
	struct net *net = net_new();

	accept_from(net, "MESSAGE", "up.example.net:5070");
	fake_wire_half_close(net->rig.wire, TP_TCP, &net->rig.up);
	reply(net, 200);
	expect_try(net, "SIP/2.0 200 ", "192.0.2.11:5070");
	ck_assert_uint_eq(net->rig.l->detours_n, 1);
	rig_pass(&net->rig, 1);
	rig_expect(&net->rig, "server_end");
	ck_assert(txn_layer_is_idle(net->rig.l)); /* no reason to put off an end */
	rig_pass(&net->rig, TXN_DOUBT_MS);
	expect_end(net, 0);
	net_free(net);
}
END_TEST

/* --- what is not looked after -----------------------------------------------------------------
 */

START_TEST(an_answer_without_state_is_sent_once)
{
	struct net *net = net_new();
	struct rig *rig = &net->rig;
	struct sip_reply r = { .code = 403 };

	rig_receive(rig, TP_TCP, "MESSAGE", "z9hG4bK1", "", "");
	hang_up(net);
	fake_wire_slow(rig->wire, true);
	ck_assert_int_eq(txn_reply_stateless(rig->l, rig->req, &rig->from, &r), 0);
	refuse(net, "SIP/2.0 403 ", "192.0.2.11:5060");
	expect_end(net, 0);
	net_free(net);
}
END_TEST

START_TEST(a_datagram_that_reaches_nobody_changes_nothing)
{
	struct net *net = net_new();
	struct rig *rig = &net->rig;

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	rig_server(rig, TP_UDP, "MESSAGE");
	rig_reply(rig, 200);
	rig_sent(rig, "SIP/2.0 200 ");
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->up); /* ICMP */
	expect_end(net, 0);
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 200 ");
	rig_expect(rig, "");
	ck_assert_uint_eq(dns_server_asked(net->server, "up.example.net", 1), 0);
	net_free(net);
}
END_TEST

START_TEST(what_is_kept_is_bounded)
{
	struct net *net = net_new();
	struct rig *rig = &net->rig;

	accept_from(net, "INVITE", "up.example.net:5070");
	hang_up(net);
	fake_wire_slow(rig->wire, true);
	for (unsigned i = 0; i < TXN_DETOURS_MAX + 10; i++) {
		reply(net, 180);
	}
	ck_assert_uint_eq(rig->l->detours_n, TXN_DETOURS_MAX);
	ck_assert_uint_eq(rig_count_sent(rig, "SIP/2.0 180 "), TXN_DETOURS_MAX + 10);
	rig_pass(rig, 64 * 500);
	expect_end(net, TXN_DETOURS_MAX);
	rig->l->detour_bytes = TXN_DETOUR_BYTES_MAX; /* as if large ones were kept */
	reply(net, 180);
	ck_assert_uint_eq(rig->l->detours_n, 0);
	rig->l->detour_bytes = 0;
	net_free(net);
}
END_TEST

/* --- memory -----------------------------------------------------------------------------------
 */

/* By numbers alone, since what libunbound does with its memory is its own affair. */
static int memory_scenario(void *arg)
{
	struct sip_reply r = { .code = 180 };
	struct rig rig;

	(void)arg;
	if (rig_init(&rig) != 0) {
		return -1;
	}
	fake_wire_slow(rig.wire, true);
	rig_receive(&rig, TP_TCP, "INVITE", "z9hG4bK1", "", "");
	if (rig.req) {
		rig_server_new(&rig, &rig.st);
	}
	for (int i = 0; rig.st && i < 3; i++) {
		fake_wire_unreachable(rig.wire, TP_TCP, &rig.up);
		txn_server_reply(rig.st, &r);
		fake_wire_unreachable(rig.wire, TP_TCP, &rig.up);
	}
	rig_pass(&rig, 200000);
	ck_assert_uint_eq(rig.l->detours_n, 0);
	ck_assert_uint_eq(rig.l->detour_bytes, 0);
	rig_fini(&rig);
	return oom_hit() ? -1 : 0;
}

START_TEST(without_memory_a_response_is_sent_once)
{
	oom_each(memory_scenario, NULL);
}
END_TEST

/* The same from the question on: what it has to be bounded by is the time of the test. */
static int memory_asking(void *arg)
{
	struct net *net = arg;
	struct sip_reply r = { .code = 180 };

	fake_wire_slow(net->rig.wire, true);
	txn_server_reply(net->rig.st, &r);
	hang_up(net);
	for (int i = 0; i < 50 && net->rig.l->detours_n > 0; i++) {
		event_base_loop(net->rig.w->base, EVLOOP_NONBLOCK);
		worker_turn(net->rig.w);
	}
	hang_up(net);
	while (net->rig.l->detours_n > 0) {
		rig_pass(&net->rig, 32000);
	}
	rig_count_sent(&net->rig, "SIP/2.0 180 ");
	return oom_hit() ? -1 : 0;
}

START_TEST(without_memory_a_question_ends_all_the_same)
{
	struct net *net = net_new();

	dns_server_add(net->server, "up.example.net A 192.0.2.77");
	accept_from(net, "INVITE", "up.example.net:5060");
	hang_up(net);
	for (size_t n = 1; n < 60; n++) {
		oom_fail_at(n);
		memory_asking(net);
		oom_off();
	}
	net_free(net);
}
END_TEST

UNIT_MAIN("transaction/detour",
          rfc3261_18_2_2_a_new_connection_goes_to_received_and_nobody_is_asked,
          rfc3263_5_a_name_with_port_is_asked_for_addresses_tried_in_order,
          rfc3263_5_a_name_without_port_is_asked_for_srv, what_cannot_even_be_begun_is_skipped,
          responses_on_one_connection_that_does_not_open_all_go_on_in_order,
          a_numeric_host_is_not_looked_up, a_name_that_does_not_exist_ends_it,
          what_was_refused_before_is_not_tried_again,
          a_name_leads_nobody_from_elsewhere_to_this_machine_or_to_a_crowd,
          without_a_resolver_names_are_not_looked_up,
          rfc6026_7_1_the_transaction_goes_on_whatever_becomes_of_the_response,
          the_transaction_may_end_while_the_question_is_open,
          the_layer_may_go_while_the_question_is_open,
          a_name_server_that_is_silent_is_waited_for_no_longer_than_dns_timeout,
          after_64_t1_a_response_is_of_no_use,
          a_response_to_who_has_gone_after_its_fin_goes_by_a_new_connection,
          a_response_to_who_only_stopped_sending_is_sent_once, an_answer_without_state_is_sent_once,
          a_datagram_that_reaches_nobody_changes_nothing, what_is_kept_is_bounded,
          without_memory_a_response_is_sent_once, without_memory_a_question_ends_all_the_same)
