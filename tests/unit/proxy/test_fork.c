/* SPDX-License-Identifier: Apache-2.0 */
/* Forking: groups by q, Max-Breadth (RFC 5393), flows of one instance (RFC 5626 7). */
#include "proxy/rig.h"

#define INSTANCE(id, reg) ";+sip.instance=\"<urn:uuid:" id ">\";reg-id=" reg

/* Ends a branch with @code and takes the ACK. */
static void refuse(struct rig *rig, const struct sent *got, int code)
{
	rig_answer(rig, got, code, NULL, NULL);
	rig_sent(rig, "ACK ");
}

START_TEST(rfc3261_16_6_equal_q_rings_in_parallel)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got[3];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.62", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", NULL);
	rig_call(rig, &(struct ask){ 0 }, got, 3);
	ck_assert_str_ne(rig_hdr(got[0], "Via", 0), rig_hdr(got[1], "Via", 0));
	ck_assert_str_ne(rig_hdr(got[1], "Via", 0), rig_hdr(got[2], "Via", 0));
	for (int i = 0; i < 3; i++) {
		ck_assert_hdr(got[i], "Max-Breadth", "20");
	}
	refuse(rig, got[0], 486);
	refuse(rig, got[2], 480);
	rig_nothing(rig);
	refuse(rig, got[1], 486);
	rig_sent(rig, "SIP/2.0 486");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(the_next_q_starts_when_all_of_the_former_have_ended)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got[2], *third;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", ";q=0.9");
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.62", ";q=0.9");
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", ";q=0.1");
	rig_call(rig, &(struct ask){ 0 }, got, 2);
	ck_assert_hdr(got[0], "Max-Breadth", "30");
	refuse(rig, got[0], 486);
	rig_nothing(rig);
	rig_answer(rig, got[1], 480, NULL, NULL);
	rig_sent(rig, "ACK ");
	third = rig_sent(rig, "INVITE sip:bob@192.0.2.63 ");
	ck_assert_hdr(third, "Max-Breadth", "60");
	refuse(rig, third, 404);
	rig_sent(rig, "SIP/2.0 486"); /* the first of equal rank */
	rig_free(rig);
}
END_TEST

START_TEST(proxy_fork_parallel_knows_no_q)
{
	struct rig *rig = rig_new("proxy: { fork = \"parallel\"; };\n");
	const struct sent *got[2];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", ";q=0.9");
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", ";q=0.1");
	rig_call(rig, &(struct ask){ 0 }, got, 2);
	rig_free(rig);
}
END_TEST

START_TEST(no_next_group_after_2xx_6xx_or_cancel)
{
	static const int codes[] = { 200, 603 };

	for (int i = 0; i < 3; i++) {
		struct rig *rig = rig_new(NULL);
		const struct sent *got;

		rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", ";q=0.9");
		rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", ";q=0.1");
		rig_call(rig, &(struct ask){ 0 }, &got, 1);
		if (i < 2) {
			rig_answer(rig, got, codes[i], NULL, NULL);
			if (codes[i] > 300) {
				rig_sent(rig, "ACK ");
			}
			rig_sent(rig, i == 0 ? "SIP/2.0 200" : "SIP/2.0 603");
		} else {
			rig_answer(rig, got, 180, NULL, NULL);
			rig_sent(rig, "SIP/2.0 180");
			rig_ask(rig, .method = "CANCEL", .again = true);
			rig_sent(rig, "SIP/2.0 200");
			rig_sent(rig, "CANCEL ");
			rig_answer(rig, got, 486, NULL, NULL);
			rig_sent(rig, "ACK ");
			rig_sent(rig, "SIP/2.0 487");
		}
		rig_nothing(rig);
		rig_free(rig);
	}
}
END_TEST

START_TEST(rfc5393_what_max_breadth_forbids_in_parallel_goes_serially)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got[2];
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.62", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", NULL);
	rig_call(rig, &(struct ask){ .lines = "Max-Breadth: 2\n" }, got, 2);
	ck_assert_hdr(got[0], "Max-Breadth", "1");
	ck_assert_hdr(got[1], "Max-Breadth", "1");
	rig_answer(rig, got[1], 486, NULL, NULL); /* its share is free again */
	rig_sent(rig, "ACK ");
	m = rig_sent(rig, "INVITE ");
	ck_assert_hdr(m, "Max-Breadth", "1");
	refuse(rig, m, 486);
	refuse(rig, got[0], 486);
	rig_sent(rig, "SIP/2.0 486");
	rig_free(rig);
}
END_TEST

START_TEST(rfc5393_an_odd_max_breadth_is_shared_out_without_loss)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got[3];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.62", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", NULL);
	rig_call(rig, &(struct ask){ .lines = "Max-Breadth: 8\n" }, got, 3);
	ck_assert_hdr(got[0], "Max-Breadth", "3");
	ck_assert_hdr(got[1], "Max-Breadth", "3");
	ck_assert_hdr(got[2], "Max-Breadth", "2");
	rig_free(rig);
}
END_TEST

START_TEST(rfc5626_7_flows_of_one_instance_never_ring_together)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got, *m;

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "1"), TP_TCP,
	              "192.0.2.61");
	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("A", "2"), TP_TCP,
	              "192.0.2.62"); /* newest */
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert_str_eq(got->to, "192.0.2.62:5060");
	/* 430: the next flow, and that binding is removed. */
	rig_answer(rig, got, 430, NULL, NULL);
	rig_sent(rig, "ACK ");
	m = rig_sent(rig, "INVITE sip:bob@10.0.0.1 ");
	ck_assert_str_eq(m->to, "192.0.2.61:5060");
	ck_assert_str_ne(rig_hdr(m, "Via", 0), rig_hdr(got, "Via", 0));
	worker_turn(rig->w);
	ck_assert_uint_eq(rig_bindings(rig, "bob@example.com"), 1);
	/* All have failed: 480, never 430. */
	refuse(rig, m, 430);
	rig_sent(rig, "SIP/2.0 480");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc5626_7_any_other_answer_is_the_instances_answer)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "1"), TP_TCP,
	              "192.0.2.61");
	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "2"), TP_TCP,
	              "192.0.2.62");
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	refuse(rig, got, 486);
	rig_sent(rig, "SIP/2.0 486");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc5626_7_a_408_before_any_provisional_tries_the_next_flow)
{
	for (int i = 0; i < 2; i++) {
		struct rig *rig = rig_new(NULL);
		const struct sent *got;

		rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "1"),
		              TP_TCP, "192.0.2.61");
		rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "2"),
		              TP_TCP, "192.0.2.62");
		rig_call(rig, &(struct ask){ 0 }, &got, 1);
		if (i == 1) {
			rig_answer(rig, got, 180, NULL, NULL);
			rig_sent(rig, "SIP/2.0 180");
		}
		rig_answer(rig, got, 408, NULL, NULL);
		if (i == 0) {
			rig_sent(rig, "ACK ");
			ck_assert_str_eq(rig_sent(rig, "INVITE ")->to, "192.0.2.61:5060");
		} else {
			rig_sent(rig, "ACK ");
			rig_sent(rig, "SIP/2.0 408");
		}
		rig_nothing(rig);
		rig_free(rig);
	}
}
END_TEST

START_TEST(a_flow_that_cannot_be_sent_on_gives_way_to_the_next_and_is_suspended)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;
	struct net_addr dead;

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "1"), TP_UDP,
	              "192.0.2.61");
	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "2"), TP_UDP,
	              "192.0.2.62");
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert_str_eq(got->to, "192.0.2.62:5060");
	net_addr_parse(STR("192.0.2.62"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	ck_assert_str_eq(rig_sent(rig, "INVITE ")->to, "192.0.2.61:5060");
	rig_nothing(rig);
	ck_assert_uint_eq(rig_bindings(rig, "bob@example.com"), 1);
	rig_free(rig);
}
END_TEST

START_TEST(when_the_only_flow_is_dead_the_answer_is_480)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;
	struct net_addr dead;

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", NULL, TP_UDP, "192.0.2.62");
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	net_addr_parse(STR("192.0.2.62"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	rig_sent(rig, "SIP/2.0 480");
	rig_refuses(rig, "480", .method = "MESSAGE"); /* suspended: not even tried */
	rig_free(rig);
}
END_TEST

START_TEST(a_connection_that_closes_suspends_its_bindings)
{
	struct rig *rig = rig_new(NULL);
	struct net_addr dead;

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", NULL, TP_TCP, "192.0.2.62");
	ck_assert_uint_eq(rig_bindings(rig, "bob@example.com"), 1);
	net_addr_parse(STR("192.0.2.62"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_TCP, &dead);
	worker_turn(rig->w);
	worker_turn(rig->w);
	ck_assert_uint_eq(rig_bindings(rig, "bob@example.com"), 0);
	rig_refuses(rig, "480", .method = "MESSAGE");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_each_uri_is_a_target_once)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:eve@example.com", NULL);
	rig_bind(rig, "bob@example.com", "sip:x@192.0.2.60", NULL);
	rig_bind(rig, "eve@example.com", "sip:x@192.0.2.60:5060", NULL);
	rig_bind(rig, "eve@example.com", "SIP:x@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE");
	rig_sent(rig, "MESSAGE ");
	rig_sent(rig, "MESSAGE "); /* :5060 differs from none (19.1.4) */
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(two_phones_behind_two_nats_may_have_the_same_contact)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got[2];

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("a", "1"), TP_UDP,
	              "192.0.2.61");
	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", INSTANCE("b", "1"), TP_UDP,
	              "192.0.2.62");
	rig_call(rig, &(struct ask){ 0 }, got, 2);
	ck_assert_str_ne(got[0]->to, got[1]->to);
	rig_free(rig);
}
END_TEST

START_TEST(an_asynchronous_look_up_forks_the_same)
{
	struct rig *rig = rig_new_async(NULL);
	const struct sent *got[2];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_bind(rig, "bob@example.com", "sip:eve@example.com", NULL);
	rig_bind(rig, "eve@example.com", "sip:bob@192.0.2.62", NULL);
	worker_turn(rig->w);
	rig_ask(rig, .proto = TP_UDP);
	rig_sent(rig, "SIP/2.0 100"); /* it waits: 100 at once */
	rig_pass(rig, 10);
	got[0] = rig_sent(rig, "INVITE ");
	got[1] = rig_sent(rig, "INVITE ");
	rig_nothing(rig);
	rig_answer(rig, got[0], 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(a_cancel_while_the_look_up_is_under_way_is_487_at_once)
{
	struct rig *rig = rig_new_async(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	worker_turn(rig->w);
	{
		struct net_addr from;
		const char *invite =
			"INVITE sip:bob@example.com SIP/2.0\r\n"
			"Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKq\r\nMax-Forwards: 70\r\n"
			"From: <sip:a@x.net>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: i\r\n"
			"CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
		const char *cancel =
			"CANCEL sip:bob@example.com SIP/2.0\r\n"
			"Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKq\r\nMax-Forwards: 70\r\n"
			"From: <sip:a@x.net>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: i\r\n"
			"CSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n";

		net_addr_parse(STR("192.0.2.50"), 5060, &from);
		fake_wire_receive(rig->wire, str_from(invite), TP_UDP, &from);
		fake_wire_receive(rig->wire, str_from(cancel), TP_UDP, &from);
	}
	rig_sent(rig, "SIP/2.0 100");
	rig_sent(rig, "SIP/2.0 200");
	rig_sent(rig, "SIP/2.0 487");
	rig_pass(rig, 10);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/fork", rfc3261_16_6_equal_q_rings_in_parallel,
          the_next_q_starts_when_all_of_the_former_have_ended, proxy_fork_parallel_knows_no_q,
          no_next_group_after_2xx_6xx_or_cancel,
          rfc5393_what_max_breadth_forbids_in_parallel_goes_serially,
          rfc5393_an_odd_max_breadth_is_shared_out_without_loss,
          rfc5626_7_flows_of_one_instance_never_ring_together,
          rfc5626_7_any_other_answer_is_the_instances_answer,
          rfc5626_7_a_408_before_any_provisional_tries_the_next_flow,
          a_flow_that_cannot_be_sent_on_gives_way_to_the_next_and_is_suspended,
          when_the_only_flow_is_dead_the_answer_is_480,
          a_connection_that_closes_suspends_its_bindings, rfc3261_16_5_each_uri_is_a_target_once,
          two_phones_behind_two_nats_may_have_the_same_contact,
          an_asynchronous_look_up_forks_the_same,
          a_cancel_while_the_look_up_is_under_way_is_487_at_once)
