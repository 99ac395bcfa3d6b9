/* SPDX-License-Identifier: Apache-2.0 */
/* 3xx from a branch (RFC 3261 16.5, 16.7 step 4; proxy.recurse_redirects, redirect_foreign). */
#include "proxy/rig.h"

#define RECURSE "proxy: { recurse_redirects = true; };\n"

static struct rig *phone(const char *settings, const struct sent **got)
{
	struct rig *rig = rig_new(settings);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_bind(rig, "carol@example.com", "sip:carol@192.0.2.61", NULL);
	rig_call(rig, &(struct ask){ 0 }, got, 1);
	return rig;
}

static void redirect(struct rig *rig, const struct sent *got, int code, const char *contacts)
{
	rig_answer(rig, got, code, NULL, contacts);
	rig_sent(rig, "ACK ");
}

START_TEST(without_recursion_a_redirect_goes_upstream)
{
	const struct sent *got;
	struct rig *rig = phone(NULL, &got);

	redirect(rig, got, 302, "Contact: <sip:carol@example.com>\n");
	ck_assert_hdr(rig_sent(rig, "SIP/2.0 302"), "Contact", "<sip:carol@example.com>");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_4_a_followed_redirect_is_gone)
{
	const struct sent *got, *m;
	struct rig *rig = phone(RECURSE, &got);

	redirect(rig, got, 302, "Contact: <sip:carol@example.com>\n");
	m = rig_sent(rig, "INVITE sip:carol@192.0.2.61 ");
	rig_nothing(rig);
	redirect(rig, m, 486, NULL);
	rig_sent(rig, "SIP/2.0 486");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_4_followed_contacts_are_removed_from_what_goes_up)
{
	const struct sent *got, *m;
	struct rig *rig = phone(RECURSE, &got);

	redirect(rig, got, 300,
	         "Contact: <sip:carol@example.com>, <tel:+1555>\n"
	         "Contact: <mailto:bob@example.com>,<sip:x@192.0.2.62>;q=0.5\n");
	m = rig_sent(rig, "INVITE sip:carol@192.0.2.61 ");
	rig_nothing(rig);
	redirect(rig, m, 486, NULL);
	m = rig_sent(rig, "INVITE sip:x@192.0.2.62 "); /* by its q */
	redirect(rig, m, 480, NULL);
	m = rig_sent(rig, "SIP/2.0 300");
	ck_assert_str_eq(rig_hdr(m, "Contact", 0), "<tel:+1555>");
	ck_assert_str_eq(rig_hdr(m, "Contact", 1), "<mailto:bob@example.com>");
	ck_assert_uint_eq(rig_hdr_n(m, "Contact"), 2);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_redirects_that_lead_in_circles_end)
{
	const struct sent *got, *m;
	struct rig *rig = phone(RECURSE, &got);

	redirect(rig, got, 302, "Contact: <sip:carol@192.0.2.61>\n");
	m = rig_sent(rig, "INVITE sip:carol@192.0.2.61 ");
	redirect(rig, m, 302, "Contact: <sip:bob@192.0.2.60>,<sip:carol@192.0.2.61>\n");
	rig_sent(rig, "SIP/2.0 408"); /* nothing is left */
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_305_changes_the_route_not_the_target)
{
	const struct sent *got, *m;
	struct rig *rig = phone(RECURSE, &got);

	redirect(rig, got, 305, "Contact: <sip:192.0.2.77:5070>\n");
	m = rig_sent(rig, "INVITE sip:bob@192.0.2.60 ");
	ck_assert_str_eq(m->to, "192.0.2.77:5070");
	redirect(rig, m, 305, "Contact: <sip:192.0.2.77:5070>\n");
	rig_sent(rig, "SIP/2.0 408"); /* not a second time */
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_380_goes_upstream)
{
	const struct sent *got;
	struct rig *rig = phone(RECURSE, &got);

	redirect(rig, got, 380, "Contact: <sip:carol@example.com>\n");
	ck_assert_hdr(rig_sent(rig, "SIP/2.0 380"), "Contact", "<sip:carol@example.com>");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_nothing_is_followed_for_what_is_not_ours)
{
	struct rig *rig = rig_new("proxy: { recurse_redirects = true; relay = \"any\"; };\n");
	const struct sent *got;

	rig_call(rig, &(struct ask){ .uri = "sip:x@192.0.2.70" }, &got, 1);
	redirect(rig, got, 302, "Contact: <sip:y@192.0.2.71>\n");
	rig_sent(rig, "SIP/2.0 302");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(nothing_is_followed_after_a_cancel)
{
	const struct sent *got;
	struct rig *rig = phone(RECURSE, &got);

	rig_answer(rig, got, 180, NULL, NULL);
	rig_ask(rig, .method = "CANCEL", .again = true);
	rig_skip(rig);
	redirect(rig, got, 302, "Contact: <sip:carol@example.com>\n");
	rig_sent(rig, "SIP/2.0 487");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(redirect_foreign_leaves_what_leaves_our_domains_to_the_caller)
{
	const struct sent *got, *m;
	struct rig *rig = phone("proxy: { recurse_redirects = true; redirect_foreign = true; };\n"
	                        "routes = ( { name = \"f\"; match: { user = \"desk\"; };\n"
	                        "  to = \"sip:desk@example.org\"; } );\n",
	                        &got);

	redirect(rig, got, 302, "Contact: <sip:carol@example.com>,<sip:x@example.org>\n");
	m = rig_sent(rig, "INVITE sip:carol@192.0.2.61 ");
	redirect(rig, m, 486, NULL);
	ck_assert_hdr(rig_sent(rig, "SIP/2.0 302"), "Contact", "<sip:x@example.org>");
	m = rig_refuses(rig, "302", .uri = "sip:desk@example.com");
	ck_assert_hdr(m, "Contact", "<sip:desk@example.org>");
	rig_free(rig);
}
END_TEST

START_TEST(a_redirect_to_a_user_of_ours_waits_for_an_asynchronous_look_up)
{
	struct rig *rig = rig_new_async(RECURSE);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_bind(rig, "carol@example.com", "sip:carol@192.0.2.61", NULL);
	rig_ask(rig, .method = "MESSAGE");
	rig_pass(rig, 1);
	got = rig_sent(rig, "MESSAGE sip:bob@192.0.2.60 ");
	rig_answer(rig, got, 302, NULL, "Contact: <sip:carol@example.com>\n");
	rig_pass(rig, 1);
	got = rig_sent(rig, "MESSAGE sip:carol@192.0.2.61 ");
	rig_answer(rig, got, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/redirect", without_recursion_a_redirect_goes_upstream,
          rfc3261_16_7_4_a_followed_redirect_is_gone,
          rfc3261_16_7_4_followed_contacts_are_removed_from_what_goes_up,
          rfc3261_16_5_redirects_that_lead_in_circles_end,
          rfc3261_305_changes_the_route_not_the_target, rfc3261_380_goes_upstream,
          rfc3261_16_5_nothing_is_followed_for_what_is_not_ours, nothing_is_followed_after_a_cancel,
          redirect_foreign_leaves_what_leaves_our_domains_to_the_caller,
          a_redirect_to_a_user_of_ours_waits_for_an_asynchronous_look_up)
