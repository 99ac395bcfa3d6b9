/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

/* Is a request of that Via and method taken for the server transaction that rig_server() made? */
static bool is_repeated_in(struct rig *rig, const char *call_id, const char *method,
                           const char *via)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "%s sip:bob@example.com SIP/2.0\n"
	         "Via: %s\n"
	         "From: <sip:alice@example.net>;tag=al\n"
	         "To: <sip:bob@example.com>\n"
	         "Call-ID: %s\n"
	         "CSeq: 8 %s\n"
	         "Content-Length: 0\n\n",
	         method, via, call_id, method);
	rig->log_n = 0;
	rig_receive_text(rig, TP_UDP, &rig->up, text);
	return rig->log_n == 0;
}

static bool is_repeated(struct rig *rig, const char *method, const char *via)
{
	return is_repeated_in(rig, "call@example.net", method, via);
}

START_TEST(rfc3261_17_2_3_branch_sent_by_and_method_are_compared)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	ck_assert(is_repeated(rig, "MESSAGE",
	                      "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	ck_assert(is_repeated(rig, "MESSAGE",
	                      "SIP/2.0/UDP UP.Example.NET:5060;rport;branch=z9hG4bKserver"));
	ck_assert(!is_repeated(rig, "MESSAGE",
	                       "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver2"));
	ck_assert(!is_repeated(rig, "MESSAGE",
	                       "SIP/2.0/UDP up.example.net:5070;branch=z9hG4bKserver"));
	ck_assert(!is_repeated(rig, "MESSAGE",
	                       "SIP/2.0/UDP up.example.org:5060;branch=z9hG4bKserver"));
	ck_assert(!is_repeated(rig, "OPTIONS",
	                       "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	ck_assert(!is_repeated(rig, "FOO", "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	rig_free(rig);
}
END_TEST

START_TEST(a_branch_used_again_in_another_call_is_another_transaction)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	ck_assert(!is_repeated_in(rig, "other@example.net", "MESSAGE",
	                          "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	rig_free(rig);
}
END_TEST

START_TEST(unknown_methods_are_compared_by_name)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "FOO");
	ck_assert(is_repeated(rig, "FOO", "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	ck_assert(!is_repeated(rig, "BAR", "SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver"));
	rig_free(rig);
}
END_TEST

START_TEST(a_transaction_that_is_there_already_is_not_made_again)
{
	struct rig *rig = rig_new();
	struct txn_server *st = NULL;

	rig_server(rig, TP_UDP, "MESSAGE");
	ck_assert_int_eq(rig_server_new(rig, &st), BELFRY_EEXIST);
	ck_assert_ptr_null(st);
	rig_free(rig);
}
END_TEST

/* --- RFC 2543 ----------------------------------------------------------------------------------
 */

struct old {
	const char *method, *ruri, *via, *from_tag, *to, *call_id, *cseq;
};

#define OLD_INVITE                                                                                 \
	{                                                                                          \
		"INVITE", "sip:bob@example.com", "SIP/2.0/UDP old.example.net:5060", "al", "",     \
			"call", "7"                                                                \
	}

static void old_receive(struct rig *rig, const struct old *o)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "%s %s SIP/2.0\n"
	         "Via: %s\n"
	         "From: <sip:alice@example.net>;tag=%s\n"
	         "To: <sip:bob@example.com>%s\n"
	         "Call-ID: %s\n"
	         "CSeq: %s %s\n"
	         "Content-Length: 0\n\n",
	         o->method, o->ruri, o->via, o->from_tag, o->to, o->call_id, o->cseq, o->method);
	rig_receive_text(rig, TP_UDP, &rig->up, text);
}

static void old_server(struct rig *rig, const char *to)
{
	struct old o = OLD_INVITE;

	o.to = to;
	old_receive(rig, &o);
	rig_expect(rig, "request:INVITE");
	ck_assert_int_eq(rig_server_new(rig, &rig->st), 0);
	txn_server_trying(rig->st);
	rig_sent(rig, "SIP/2.0 100 ");
}

START_TEST(rfc3261_17_2_3_without_the_cookie_six_fields_are_compared)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;

	old_server(rig, "");
	old_receive(rig, &o);
	rig_expect(rig, "");
	rig_sent(rig, "SIP/2.0 100 ");
#define DIFFERS(field, value)                                                                      \
	do {                                                                                       \
		struct old other = OLD_INVITE;                                                     \
                                                                                                   \
		other.field = (value);                                                             \
		old_receive(rig, &other);                                                          \
		rig_expect(rig, "request:INVITE");                                                 \
		rig_nothing_sent(rig);                                                             \
	} while (0)
	DIFFERS(ruri, "sip:carol@example.com");
	DIFFERS(via, "SIP/2.0/UDP old.example.net:5070");
	DIFFERS(via, "SIP/2.0/UDP old.example.net:5060;branch=1");
	DIFFERS(from_tag, "am");
	DIFFERS(to, ";tag=x");
	DIFFERS(call_id, "call2");
	DIFFERS(cseq, "8");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_3_old_ack_must_have_the_tag_of_the_response)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;

	old_server(rig, "");
	ck_assert_int_eq(rig_forward(rig, 486, "busy"), 0);
	rig_sent(rig, "SIP/2.0 486 ");
	o.method = "ACK";
	o.to = ";tag=other";
	old_receive(rig, &o);
	rig_expect(rig, "request:ACK");
	rig_pass(rig, 500);
	rig_sent(rig, "SIP/2.0 486 "); /* Timer G goes on */
	o.to = ";tag=busy";
	old_receive(rig, &o);
	rig_expect(rig, "");
	rig_pass(rig, 4999);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_3_old_ack_to_a_refusal_of_ours_is_absorbed)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;
	char to[64];

	old_server(rig, "");
	snprintf(to, sizeof(to), ";tag=%.*s", STR_FMT(txn_server_tag(rig->st)));
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 ");
	o.method = "ACK";
	o.to = to;
	old_receive(rig, &o);
	rig_expect(rig, "");
	rig_pass(rig, 1000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(old_ack_inside_a_dialog_finds_its_invite)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;

	old_server(rig, ";tag=dialog");
	rig_reply(rig, 488);
	rig_sent(rig, "SIP/2.0 488 ");
	o.method = "ACK";
	o.to = ";tag=dialog";
	old_receive(rig, &o);
	rig_expect(rig, "");
	rig_pass(rig, 1000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_6_old_ack_in_accepted_goes_to_the_user)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;

	old_server(rig, "");
	ck_assert_int_eq(rig_forward(rig, 200, "yes"), 0);
	o.method = "ACK";
	o.to = ";tag=yes";
	old_receive(rig, &o);
	rig_expect(rig, "request:ACK");
	rig_free(rig);
}
END_TEST

START_TEST(old_cancel_finds_its_invite)
{
	struct rig *rig = rig_new();
	struct old o = OLD_INVITE;

	old_server(rig, "");
	o.method = "CANCEL";
	old_receive(rig, &o);
	rig_sent(rig, "SIP/2.0 200 ");
	rig_expect(rig, "cancelled");
	o.cseq = "8";
	old_receive(rig, &o);
	rig_sent(rig, "SIP/2.0 481 ");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/match", rfc3261_17_2_3_branch_sent_by_and_method_are_compared,
          a_branch_used_again_in_another_call_is_another_transaction,
          unknown_methods_are_compared_by_name,
          a_transaction_that_is_there_already_is_not_made_again,
          rfc3261_17_2_3_without_the_cookie_six_fields_are_compared,
          rfc3261_17_2_3_old_ack_must_have_the_tag_of_the_response,
          rfc3261_17_2_3_old_ack_to_a_refusal_of_ours_is_absorbed,
          old_ack_inside_a_dialog_finds_its_invite, rfc6026_6_old_ack_in_accepted_goes_to_the_user,
          old_cancel_finds_its_invite)
