/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

/* Answers what came last; the To tag of the answer, in a static buffer. */
static const char *refuse(struct rig *rig, int code)
{
	struct sip_reply reply = { .code = code };
	static char tag[64];
	struct str text, rest;
	char start[32];

	ck_assert_int_eq(txn_reply_stateless(rig->l, rig->req, &rig->from, &reply), 0);
	snprintf(start, sizeof(start), "SIP/2.0 %d ", code);
	text = rig_sent(rig, start);
	rest = text;
	while (!str_starts(rest, STR("To: "))) {
		ck_assert(str_cut(rest, '\n', &text, &rest));
	}
	str_cut(rest, '\r', &text, &rest);
	str_cut(text, ';', &rest, &text);
	snprintf(tag, sizeof(tag), ";%.*s", STR_FMT(text));
	return tag;
}

START_TEST(rfc3261_8_2_7_answer_leaves_nothing_and_has_a_steady_tag)
{
	struct rig *rig = rig_new();
	char first[64];

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", "", "");
	snprintf(first, sizeof(first), "%s", refuse(rig, 404));
	ck_assert_uint_ge(strlen(first), strlen(";tag=") + 22);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", "", "");
	ck_assert_str_eq(refuse(rig, 404), first);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKb", "", "");
	ck_assert_str_ne(refuse(rig, 404), first);
	rig_expect(rig, "request:INVITE request:INVITE request:INVITE");
	sip_msg_unref(&rig->req);
	rig_turn(rig);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	ck_assert_uint_eq(rig->w->arenas.used_n, 0);
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 0);
	rig_free(rig);
}
END_TEST

START_TEST(answer_goes_by_received_and_rport)
{
	struct rig *rig = rig_new();
	struct tp_flow flow;
	struct net_addr nat;
	struct str text;
	struct sip_reply reply = { .code = 404 };

	net_addr_parse(STR("198.51.100.7"), 41234, &nat);
	rig_receive_text(rig, TP_UDP, &nat,
	                 "OPTIONS sip:bob@example.com SIP/2.0\n"
	                 "Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKn\n"
	                 "From: <sip:a@example.net>;tag=1\nTo: <sip:b@example.com>\n"
	                 "Call-ID: x\nCSeq: 1 OPTIONS\n\n");
	ck_assert_int_eq(txn_reply_stateless(rig->l, rig->req, &rig->from, &reply), 0);
	text = rig_sent(rig, "SIP/2.0 404 ");
	flow = rig_sent_flow(rig);
	ck_assert(net_addr_eq(&flow.remote, &nat));
	ck_assert(str_contains_nocase(text, STR(";received=198.51.100.7")));
	ck_assert(str_contains_nocase(text, STR(";rport=41234")));
	rig_free(rig);
}
END_TEST

START_TEST(ack_to_an_answer_without_state_is_absorbed)
{
	struct rig *rig = rig_new();
	const char *tag;

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", "", "");
	tag = refuse(rig, 407);
	rig_expect(rig, "request:INVITE");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", tag, "");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", tag, "");
	rig_expect(rig, "");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKb", tag, ""); /* not its branch */
	rig_expect(rig, "request:ACK");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=AAAAAAAAAAAAAAAAAAAAAA", "");
	rig_expect(rig, "request:ACK");
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(ack_to_a_refusal_inside_a_dialog_is_absorbed_for_64_t1)
{
	struct rig *rig = rig_new();

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", ";tag=peer", "");
	ck_assert_str_eq(refuse(rig, 483), ";tag=peer");
	rig_expect(rig, "request:INVITE");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=peer", "");
	rig_expect(rig, "");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKb", ";tag=peer", "");
	rig_expect(rig, "request:ACK");
	rig_pass(rig, 31999);
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=peer", "");
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=peer", "");
	rig_expect(rig, "request:ACK");
	rig_free(rig);
}
END_TEST

START_TEST(nothing_is_ever_answered_to_an_ack)
{
	struct rig *rig = rig_new();
	struct sip_reply reply = { .code = 403 };

	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=b", "");
	rig_expect(rig, "request:ACK");
	ck_assert_int_eq(txn_reply_stateless(rig->l, rig->req, &rig->from, &reply), 0);
	rig_receive_text(rig, TP_UDP, &rig->up,
	                 "ACK sip:bob@example.com SIP/2.0\n"
	                 "Via: SIP/2.0/UDP up.example.net;branch=z9hG4bKq\nCSeq: nonsense\n\n");
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(a_bad_request_is_refused_here_with_its_reason)
{
	struct rig *rig = rig_new();
	struct str text;

	rig_receive_text(rig, TP_UDP, &rig->up,
	                 "INVITE sip:bob@example.com SIP/2.0\n"
	                 "Via: SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKq\n"
	                 "From: <sip:a@example.net>;tag=1\nTo: <sip:b@example.com>\n"
	                 "Call-ID: x\nCSeq: minus INVITE\n\n");
	text = rig_sent(rig, "SIP/2.0 400 Bad CSeq\r\n");
	ck_assert(str_contains_nocase(text, STR("branch=z9hG4bKq")));
	ck_assert(str_contains_nocase(text, STR("Call-ID: x\r\n")));
	rig_receive_text(rig, TP_UDP, &rig->up,
	                 "OPTIONS sip:bob@example.com SIP/7.0\n"
	                 "Via: SIP/7.0/UDP up.example.net:5060;branch=z9hG4bKr\n"
	                 "From: <sip:a@example.net>;tag=1\nTo: <sip:b@example.com>\n"
	                 "Call-ID: x\nCSeq: 1 OPTIONS\n\n");
	rig_sent(rig, "SIP/2.0 505 ");
	rig_expect(rig, "");
	ck_assert_uint_eq(rig->w->counts->v[rig->l->ids.rejected_parse], 2);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_11_stateless_branch_depends_on_the_received_one_only)
{
	struct rig *rig = rig_new();
	char a[BRANCH_LEN], b[BRANCH_LEN], c[BRANCH_LEN];
	struct str sa, sb, sc;
	struct branch parsed;

	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=b", "");
	sa = txn_stateless_branch(rig->l, rig->req, a);
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=b", "Subject: again\n");
	sb = txn_stateless_branch(rig->l, rig->req, b);
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKc", ";tag=b", "");
	sc = txn_stateless_branch(rig->l, rig->req, c);
	ck_assert(str_eq(sa, sb));
	ck_assert(!str_eq(sa, sc));
	ck_assert(str_starts(sa, SIP_BRANCH_COOKIE));
	ck_assert(branch_parse(sa, rig->w->process_key, &parsed));
	ck_assert_int_eq(parsed.kind, BRANCH_STATELESS);
	/* Without the cookie the other fields decide. */
	rig_receive(rig, TP_UDP, "ACK", "", ";tag=b", "");
	sa = txn_stateless_branch(rig->l, rig->req, a);
	rig_receive(rig, TP_UDP, "ACK", "", ";tag=c", "");
	sb = txn_stateless_branch(rig->l, rig->req, b);
	ck_assert(!str_eq(sa, sb));
	rig_free(rig);
}
END_TEST

START_TEST(responses_to_stateless_branches_are_stray)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKa", ";tag=b", "");
	branch[txn_stateless_branch(rig->l, rig->req, branch).n] = '\0';
	rig_respond_to(rig, TP_UDP, branch, 200, "INVITE", "b");
	rig_expect(rig, "request:ACK stray:200");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/stateless", rfc3261_8_2_7_answer_leaves_nothing_and_has_a_steady_tag,
          answer_goes_by_received_and_rport, ack_to_an_answer_without_state_is_absorbed,
          ack_to_a_refusal_inside_a_dialog_is_absorbed_for_64_t1,
          nothing_is_ever_answered_to_an_ack, a_bad_request_is_refused_here_with_its_reason,
          rfc3261_16_11_stateless_branch_depends_on_the_received_one_only,
          responses_to_stateless_branches_are_stray)
