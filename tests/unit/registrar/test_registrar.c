/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar against RFC 3261 10.3 and its companions, on a fake wire; each test with a location
 * that answers at once and with one that answers later. */
#include "module/rig.h"

#include <errno.h>
#include <stdio.h>

extern const struct belfry_module belfry_module_registrar;

static const struct belfry_module *const modules[] = { &belfry_module_registrar, NULL };

static struct rig rig;

static void begin(const char *settings, bool is_async)
{
	const struct rig_params params = { .modules = modules,
		                           .settings = settings,
		                           .is_async = is_async };

	ck_assert_int_eq(rig_init(&rig, &params), 0);
}

/* A REGISTER of alice with these header lines. */
static int reg(uint32_t cseq, const char *headers)
{
	return rig_ask(&rig, &(struct rig_request){ .cseq = cseq, .headers = headers });
}

static int reg_call(const char *call_id, uint32_t cseq, const char *headers)
{
	return rig_ask(&rig, &(struct rig_request){
				     .call_id = call_id, .cseq = cseq, .headers = headers });
}

static int bindings(void)
{
	static uint32_t cseq = 1000;
	int n = 0;

	ck_assert_int_eq(reg_call("fetch", cseq++, NULL), 200);
	while (rig_field(&rig, SIP_H_CONTACT, n).n) {
		n++;
	}
	return n;
}

#define both(loop) for (int loop = 0; loop < 2; loop++)

START_TEST(rfc3261_10_3_8_the_200_lists_every_binding)
{
	both(async)
	{
		begin(NULL, async);
		ck_assert_int_eq(reg(1,
		                     "Contact: <sip:a@192.0.2.50>;q=0.7;methods=\"INVITE, BYE\"\r\n"
		                     "Expires: 600\r\n"),
		                 200);
		ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT),
		                 "<sip:a@192.0.2.50>;methods=\"INVITE, BYE\";q=0.7;expires=600");
		ck_assert_uint_gt(rig_field(&rig, SIP_H_DATE, 0).n, 0);
		ck_assert_str_is(rig_header(&rig, SIP_H_SUPPORTED), "path");
		rig_advance(&rig, 100500);
		ck_assert_int_eq(reg(2, "Contact: \"B\" <sip:b@192.0.2.51:5070>;expires=120;x\r\n"),
		                 200);
		ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT),
		                 "<sip:b@192.0.2.51:5070>;x;expires=120; "
		                 "<sip:a@192.0.2.50>;methods=\"INVITE, BYE\";q=0.7;expires=500");
		ck_assert_int_eq(reg(3, NULL), 200);
		ck_assert_int_eq(bindings(), 2);
		rig_advance(&rig, 130000);
		ck_assert_int_eq(bindings(), 1);
		ck_assert_uint_eq(rig_count(&rig, "belfry_registrations_total", "result=\"ok\""),
		                  5);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(rfc3261_10_3_7_an_old_cseq_is_500_and_changes_nothing)
{
	both(async)
	{
		begin(NULL, async);
		ck_assert_int_eq(reg(10, "Contact: <sip:a@192.0.2.50>\r\n"), 200);
		ck_assert_int_eq(reg(9, "Contact: <sip:a@192.0.2.50>;expires=0\r\n"), 500);
		ck_assert_str_is(rig_field(&rig, SIP_H_RETRY_AFTER, 0), "0");
		ck_assert_int_eq(reg(10, "Contact: *\r\nExpires: 0\r\n"), 500);
		ck_assert_int_eq(bindings(), 1);
		ck_assert_int_eq(reg_call("c2", 1, "Contact: <sip:a@192.0.2.50>;expires=0\r\n"),
		                 200);
		ck_assert_int_eq(bindings(), 0);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(rfc3261_10_3_6_star_is_alone_and_with_expires_0)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50>, <sip:b@192.0.2.50>\r\n"), 200);
	ck_assert_int_eq(reg(2, "Contact: *\r\n"), 400);
	ck_assert_int_eq(reg(3, "Contact: *\r\nExpires: 60\r\n"), 400);
	ck_assert_int_eq(reg(4, "Contact: *\r\nExpires: no\r\n"), 400);
	ck_assert_int_eq(reg(5, "Contact: *\r\nContact: <sip:c@192.0.2.50>\r\nExpires: 0\r\n"),
	                 400);
	ck_assert_int_eq(reg(6, "Contact: <sip:c@192.0.2.50>, *\r\nExpires: 0\r\n"), 400);
	ck_assert_int_eq(bindings(), 2);
	ck_assert_int_eq(reg(7, "Contact: *\r\nExpires: 0\r\n"), 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT), "");
	rig_fini(&rig);
}
END_TEST

/* The expires that was granted, 0: refused. */
static int granted(uint32_t cseq, const char *contact_params, const char *expires)
{
	char headers[512];
	struct sip_addr addr;
	struct str v;
	uint32_t s = 0;

	snprintf(headers, sizeof(headers), "Contact: <sip:a@192.0.2.50>%s\r\n%s%s%s",
	         contact_params, expires ? "Expires: " : "", expires ? expires : "",
	         expires ? "\r\n" : "");
	if (reg(cseq, headers) != 200) {
		return 0;
	}
	ck_assert_int_eq(sip_addr_parse(rig_field(&rig, SIP_H_CONTACT, 0), &addr, NULL), 0);
	ck_assert(sip_addr_param(&addr, STR("expires"), &v));
	ck_assert_int_eq(str_to_u32(v, &s), 0);
	return (int)s;
}

START_TEST(rfc3261_10_3_expiry_is_asked_for_shortened_or_refused)
{
	begin("registrar: { min_expires = 60; default_expires = 1800; max_expires = 7200; };",
	      false);
	ck_assert_int_eq(granted(1, "", NULL), 1800);
	ck_assert_int_eq(granted(2, "", "300"), 300);
	ck_assert_int_eq(granted(3, ";expires=120", "300"), 120);
	ck_assert_int_eq(granted(4, ";expires=99999", NULL), 7200);
	ck_assert_int_eq(granted(5, ";expires=99999999999999999999", NULL), 7200);
	ck_assert_int_eq(granted(6, ";expires=soon", "300"), 3600);
	ck_assert_int_eq(granted(7, ";expires=-1", "300"), 3600);
	ck_assert_int_eq(granted(8, "", "soon"), 3600);
	ck_assert_int_eq(granted(9, ";expires=60", NULL), 60);
	ck_assert_int_eq(granted(10, ";expires=59", NULL), 0);
	ck_assert_int_eq(rig.last->status, 423);
	ck_assert_str_is(rig_field(&rig, SIP_H_MIN_EXPIRES, 0), "60");
	ck_assert_int_eq(reg(11, "Contact: <sip:a@192.0.2.50>;expires=0\r\n"), 200);
	ck_assert_int_eq(bindings(), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(granted_expiry_is_spread_by_the_jitter)
{
	int least = 1000, most = 0;

	begin("registrar: { min_expires = 60; expires_jitter = 20; };", false);
	for (uint32_t i = 1; i <= 200; i++) {
		int s = granted(i, ";expires=1000", NULL);

		least = s < least ? s : least;
		most = s > most ? s : most;
	}
	ck_assert_int_ge(least, 800);
	ck_assert_int_lt(least, 850);
	ck_assert_int_le(most, 1000);
	ck_assert_int_gt(most, 950);
	ck_assert_int_eq(granted(300, ";expires=60", NULL), 60);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc3261_10_3_7_all_contacts_or_none)
{
	both(async)
	{
		begin("registrar: { max_contacts = 2; };", async);
		ck_assert_int_eq(
			reg(1, "Contact: <sip:a@192.0.2.50>, <sip:b@192.0.2.50>;expires=3\r\n"),
			423);
		ck_assert_int_eq(reg(2, "Contact: <sip:a@192.0.2.50>, <sip:b@192.0.2.50>, "
		                        "<sip:c@192.0.2.50>\r\n"),
		                 403);
		ck_assert_int_eq(reg(3, "Contact: <sip:a@192.0.2.50>, sip:bad host\r\n"), 400);
		ck_assert_int_eq(reg(4, "Contact: sip:user@example.com?Route=%3Csip:x%3E\r\n"),
		                 400);
		ck_assert_int_eq(bindings(), 0);
		ck_assert_int_eq(reg(5, "Contact: <sip:a@192.0.2.50>, <sip:b@192.0.2.50>\r\n"),
		                 200);
		ck_assert_int_eq(reg(6, "Contact: <sip:c@192.0.2.50>\r\n"), 403);
		ck_assert_int_eq(
			reg(7, "Contact: <sip:c@192.0.2.50>, <sip:a@192.0.2.50>;expires=0\r\n"),
			200);
		ck_assert_int_eq(bindings(), 2);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(rfc3261_10_3_2_unknown_extensions_are_420_with_their_names)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Require: path, telepathy\r\nRequire: outbound\r\n"), 420);
	ck_assert_str_is(rig_field(&rig, SIP_H_UNSUPPORTED, 0), "telepathy, outbound");
	ck_assert_int_eq(reg(2, "Require: path\r\n"), 200);
	rig_fini(&rig);
}
END_TEST

static int reg_to(const char *uri, const char *to)
{
	return rig_ask(&rig, &(struct rig_request){ .uri = uri,
	                                            .to = to,
	                                            .headers = "Contact: <sip:a@192.0.2.50>\r\n" });
}

START_TEST(rfc3261_10_3_5_to_is_an_address_of_record_of_that_domain)
{
	begin(NULL, false);
	ck_assert_int_eq(reg_to("sip:example.com", "<sip:bob@example.org>"), 404);
	ck_assert_int_eq(reg_to("sip:example.com", "<sip:bob@other.example>"), 404);
	ck_assert_int_eq(reg_to("sip:example.com", "<sip:example.com>"), 404);
	ck_assert_int_eq(reg_to("sip:192.0.2.1", "<sip:bob@192.0.2.1>"), 404);
	ck_assert_int_eq(reg_to("sip:example.com", "<tel:+15551234>"), 400);
	ck_assert_int_eq(reg_to("sip:example.com", "isbn:2983792873"), 400);
	ck_assert_int_eq(reg_to("sip:EXAMPLE.com.", "<sip:b%6Fb@Example.COM;x=y>"), 200);
	ck_assert_int_eq(rig_ask(&rig, &(struct rig_request){ .cseq = 2,
	                                                      .to = "<sips:bob@example.com>" }),
	                 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT), "<sip:a@192.0.2.50>;expires=3600");
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc3261_19_1_4_equal_contact_uris_are_one_binding)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sip:%61lice@192.0.2.50:5070;Transport=UDP>\r\n"), 200);
	ck_assert_int_eq(reg(2, "Contact: <sip:alice@192.0.2.50:5070;transport=udp>\r\n"), 200);
	ck_assert_int_eq(bindings(), 1);
	ck_assert_int_eq(reg(3, "Contact: <sip:ALICE@192.0.2.50:5070;transport=udp>\r\n"), 200);
	ck_assert_int_eq(bindings(), 2);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc3327_path_is_stored_and_returned_to_who_supports_it)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50>\r\nSupported: path\r\n"
	                        "Path: <sip:p1@192.0.2.60;lr>,\r\n <sip:p2@192.0.2.61;lr>\r\n"
	                        "Path: <sip:p3@192.0.2.62;lr>\r\n"),
	                 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_PATH),
	                 "<sip:p1@192.0.2.60;lr>, <sip:p2@192.0.2.61;lr>, "
	                 "<sip:p3@192.0.2.62;lr>");
	ck_assert_int_eq(reg(2, "Contact: <sip:a@192.0.2.50>\r\nPath: <sip:p1@192.0.2.60;lr>\r\n"),
	                 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_PATH), "");
	ck_assert_int_eq(reg(3, "Contact: <sip:a@192.0.2.50>\r\nPath: <tel:5>\r\n"), 400);
	ck_assert_int_eq(reg(4, "Contact: <sip:a@192.0.2.50>\r\nPath: <sip:\r\n"), 400);
	rig_send(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                      .uri = "sip:alice@example.com",
	                                      .from = "<sip:bob@example.com>" });
	ck_assert_ptr_nonnull(rig_next(&rig));
	ck_assert_str_is(rig.last->ruri_text, "sip:a@192.0.2.50");
	ck_assert_str_is(rig_header(&rig, SIP_H_ROUTE), "<sip:p1@192.0.2.60;lr>");
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc3608_service_route_is_given_when_configured)
{
	begin("registrar: { service_route = ( \"sip:p1.example.com;lr\", \"sip:p2.example.com;lr\" "
	      "); };",
	      false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50>\r\n"), 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_SERVICE_ROUTE),
	                 "<sip:p1.example.com;lr>; <sip:p2.example.com;lr>");
	rig_fini(&rig);
}
END_TEST

#define INSTANCE ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>\""

START_TEST(an_instance_replaces_its_bindings_of_other_call_ids)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50:1111>" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(reg(2, "Contact: <sip:a@192.0.2.50:2222>" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(bindings(), 2);
	ck_assert_int_eq(reg_call("boot", 1, "Contact: <sip:a@192.0.2.50:3333>" INSTANCE "\r\n"),
	                 200);
	ck_assert_str_is(rig_header(&rig, SIP_H_CONTACT),
	                 "<sip:a@192.0.2.50:3333>" INSTANCE ";expires=3600");
	rig_fini(&rig);

	begin("registrar: { replace_instance = false; };", false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50:1111>" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(reg_call("boot", 1, "Contact: <sip:a@192.0.2.50:3333>" INSTANCE "\r\n"),
	                 200);
	ck_assert_int_eq(bindings(), 2);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc5626_6_instance_and_reg_id_are_the_key)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sip:a@192.0.2.50:1>;reg-id=1" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(reg(2, "Contact: <sip:a@192.0.2.50:2>;reg-id=1" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(bindings(), 1);
	ck_assert_int_eq(reg(3, "Contact: <sip:a@192.0.2.50:3>;reg-id=2" INSTANCE "\r\n"), 200);
	ck_assert_int_eq(bindings(), 2);
	ck_assert_int_eq(reg(4, "Contact: <sip:a@192.0.2.50:4>;reg-id=3" INSTANCE
	                        ", <sip:b@192.0.2.50:5>\r\n"),
	                 400);
	ck_assert_int_eq(reg(5, "Contact: <sip:a@192.0.2.50:4>;reg-id=3" INSTANCE
	                        ", <sip:b@192.0.2.50:5>;expires=0\r\n"),
	                 200);
	ck_assert_int_eq(bindings(), 3);
	ck_assert_int_eq(reg(6, "Contact: <sip:z@192.0.2.50:1>;reg-id=3\r\n"), 200);
	ck_assert_int_eq(bindings(), 4);
	rig_fini(&rig);
}
END_TEST

#define VIA2 "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKfirst\r\n"

/* The same behind another proxy. */
static int reg_behind(uint32_t cseq, const char *headers)
{
	char both_vias[1024];

	snprintf(both_vias, sizeof(both_vias), VIA2 "%s", headers);
	return rig_ask(&rig, &(struct rig_request){ .cseq = cseq,
	                                            .headers = both_vias,
	                                            .via = "192.0.2.60:5060",
	                                            .ip = "192.0.2.60" });
}

START_TEST(rfc5626_6_reg_id_counts_behind_a_first_hop_with_ob_only)
{
	begin(NULL, false);
	ck_assert_int_eq(reg_behind(1, "Contact: <sip:a@10.0.0.1:1>;reg-id=1" INSTANCE "\r\n"
	                               "Path: <sip:t@192.0.2.60;lr;ob>\r\nSupported: outbound\r\n"),
	                 200);
	ck_assert_int_eq(reg_behind(2, "Contact: <sip:a@10.0.0.1:2>;reg-id=1" INSTANCE "\r\n"
	                               "Path: <sip:t@192.0.2.60;lr;ob>\r\n"),
	                 200);
	ck_assert_int_eq(bindings(), 1);
	ck_assert_int_eq(reg_behind(3, "Contact: <sip:a@10.0.0.1:3>;reg-id=1" INSTANCE "\r\n"
	                               "Path: <sip:t@192.0.2.60;lr>\r\nSupported: outbound\r\n"),
	                 439);
	ck_assert_str_is(rig.last->reason, "First Hop Lacks Outbound Support");
	ck_assert_int_eq(reg_behind(4, "Contact: <sip:a@10.0.0.1:3>;reg-id=1" INSTANCE "\r\n"),
	                 200);
	ck_assert_int_eq(bindings(), 2);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc5630_a_sips_contact_needs_sips_all_the_way)
{
	begin(NULL, false);
	ck_assert_int_eq(reg(1, "Contact: <sips:a@192.0.2.50>\r\n"), 400);
	ck_assert_int_eq(rig_ask(&rig,
	                         &(struct rig_request){
					 .uri = "sips:example.com",
					 .to = "<sips:alice@example.com>",
					 .headers = "Contact: <sips:a@192.0.2.50>\r\nPath: "
						    "<sip:p@192.0.2.60;lr>\r\n" }),
	                 400);
	ck_assert_int_eq(rig_ask(&rig,
	                         &(struct rig_request){
					 .uri = "sips:example.com",
					 .to = "<sips:alice@example.com>",
					 .headers = "Contact: <sips:a@192.0.2.50>\r\nPath: "
						    "<sips:p@192.0.2.60;lr>\r\n" }),
	                 200);
	rig_fini(&rig);
}
END_TEST

/* loc_apply() is wrapped: it can be made to refuse, at once or when it commits. */
static int apply_err, commit_err;
static loc_commit_cb *commit_cb;

int __real_loc_apply(struct loc_table *t, struct worker *w, const struct loc_change *change,
                     loc_commit_cb *cb, void *arg, struct loc_query **query_r);
int __wrap_loc_apply(struct loc_table *t, struct worker *w, const struct loc_change *change,
                     loc_commit_cb *cb, void *arg, struct loc_query **query_r);

static void fail_commit(int err, struct loc_set *set, void *arg)
{
	commit_cb(commit_err ? commit_err : err, commit_err ? NULL : set, arg);
}

int __wrap_loc_apply(struct loc_table *t, struct worker *w, const struct loc_change *change,
                     loc_commit_cb *cb, void *arg, struct loc_query **query_r)
{
	commit_cb = cb;
	return apply_err ? apply_err : __real_loc_apply(t, w, change, fail_commit, arg, query_r);
}

static bool comes_back_later(void)
{
	uint32_t s = 0;

	return str_to_u32(rig_field(&rig, SIP_H_RETRY_AFTER, 0), &s) == 0 && s >= 5 && s <= 20;
}

START_TEST(a_failing_store_is_500_and_a_busy_one_503)
{
	const char *contact = "Contact: <sip:a@192.0.2.50>\r\n";

	begin(NULL, false);
	apply_err = BELFRY_EAGAIN;
	ck_assert_int_eq(reg(1, contact), 500);
	ck_assert(comes_back_later());
	apply_err = -EBUSY;
	ck_assert_int_eq(reg(2, contact), 503);
	ck_assert(comes_back_later());
	apply_err = BELFRY_ETOOBIG;
	ck_assert_int_eq(reg(3, contact), 400);
	apply_err = 0;
	commit_err = BELFRY_EAGAIN;
	ck_assert_int_eq(reg(4, contact), 500);
	ck_assert(comes_back_later());
	commit_err = 0;
	ck_assert_uint_eq(rig_count(&rig, "belfry_registrations_total", "result=\"store\""), 3);
	ck_assert_int_eq(reg(5, contact), 200);
	rig_fini(&rig);
}
END_TEST

START_TEST(absurdly_large_contacts_are_refused)
{
	char headers[6000];

	begin(NULL, false);
	snprintf(headers, sizeof(headers), "Contact: <sip:%0*d@192.0.2.50>\r\n", 4100, 0);
	ck_assert_int_eq(reg(1, headers), 400);
	ck_assert_int_eq(bindings(), 0);
	rig_fini(&rig);
}
END_TEST

/* Where a MESSAGE to alice goes. */
static const char *goes_to(void)
{
	static char text[NET_ADDR_TEXT];
	struct tp_flow flow;

	rig_send(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                      .uri = "sip:alice@example.com",
	                                      .from = "<sip:bob@example.com>",
	                                      .ip = "192.0.2.99" });
	return fake_wire_sent(rig.wire, NULL, &flow) ? net_addr_text(&flow.remote, text).p
	                                             : "nowhere";
}

static const char *flow_after(const struct rig_request *r, const char *contact, const char *more)
{
	struct rig_request copy = *r;
	static uint32_t cseq;
	char headers[512];
	const char *to;

	snprintf(headers, sizeof(headers), "Contact: %s\r\n%s", contact, more);
	begin(NULL, false);
	copy.cseq = ++cseq;
	copy.headers = headers;
	ck_assert_int_eq(rig_ask(&rig, &copy), 200);
	to = goes_to();
	rig_fini(&rig);
	return to;
}

START_TEST(requests_follow_the_flow_of_a_phone_behind_a_nat)
{
	struct rig_request nat = { .via = "10.0.0.1:5060", .ip = "192.0.2.50", .port = 40000 };
	struct rig_request rport = { .via = "192.0.2.50:5070;rport",
		                     .ip = "192.0.2.50",
		                     .port = 5070 };
	struct rig_request plain = { .via = "192.0.2.50:5070", .ip = "192.0.2.50", .port = 5070 };

	ck_assert_str_eq(flow_after(&nat, "<sip:a@10.0.0.1:5060>", ""), "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&nat, "<sip:a@10.0.0.1>", ""), "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&nat, "<sip:a@192.0.2.77:5060>", ""), "192.0.2.77:5060");
	ck_assert_str_eq(flow_after(&nat, "<sip:a@10.0.0.1:5060>", "Path: <sip:192.0.2.60;lr>\r\n"),
	                 "192.0.2.60:5060");
	ck_assert_str_eq(flow_after(&nat, "<sip:a@192.0.2.77>;reg-id=1" INSTANCE, ""),
	                 "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&rport, "<sip:a@192.0.2.50:5070>", ""), "192.0.2.50:5070");
	ck_assert_str_eq(flow_after(&rport, "<sip:a@192.0.2.50:5080>", ""), "192.0.2.50:5080");
	ck_assert_str_eq(flow_after(&plain, "<sip:a@192.0.2.50:5070>", ""), "192.0.2.50:5070");
}
END_TEST

START_TEST(requests_follow_the_connection_of_a_phone)
{
	struct rig_request tcp = {
		.via = "10.0.0.1:5060", .ip = "192.0.2.50", .port = 40000, .proto = TP_TCP
	};
	ck_assert_str_eq(flow_after(&tcp, "<sip:a@10.0.0.1:5060;transport=tcp>", ""),
	                 "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&tcp, "<sip:a@192.0.2.50:9;transport=tcp>", ""),
	                 "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&tcp, "<sip:a@x7.INVALID;transport=tcp>", ""),
	                 "192.0.2.50:40000");
	ck_assert_str_eq(flow_after(&tcp, "<sip:a@192.0.2.77;transport=tcp>", ""),
	                 "192.0.2.77:5060");
	ck_assert_str_eq(flow_after(&tcp, "<sip:a@192.0.2.50:9;transport=tcp>", VIA2),
	                 "192.0.2.50:9");
}
END_TEST

/* Values of the section, checked without a server. */
static const char *wrong(const char *settings)
{
	static char text[512];
	struct module_loader *loader = module_loader_new();
	struct conf *conf = NULL;
	char *error = NULL;
	const char *why;
	char file[1024];

	ck_assert_int_eq(module_add(loader, &belfry_module_registrar, &why), 0);
	snprintf(file, sizeof(file),
	         "domains = ( \"example.com\" );\nmodules = ( \"registrar\" );\n"
	         "registrar: { %s };\n",
	         settings);
	text[0] = '\0';
	if (conf_load_text(str_from(file), "t.conf", NULL, 0, module_conf_info, loader, &conf,
	                   &error) < 0) {
		snprintf(text, sizeof(text), "%s", error);
	}
	free(error);
	conf_unref(&conf);
	module_loader_free(loader);
	return text;
}

START_TEST(settings_that_cannot_be_are_told)
{
	ck_assert_str_eq(wrong(""), "");
	ck_assert_ptr_nonnull(strstr(wrong("store = \"redis\";"), "later release"));
	ck_assert_ptr_nonnull(strstr(wrong("min_expires = 3601;"), "min_expires"));
	ck_assert_ptr_nonnull(
		strstr(wrong("min_expires = 600; max_expires = 300;"), "min_expires"));
	ck_assert_ptr_nonnull(
		strstr(wrong("min_expires = 600; default_expires = 300;"), "default_expires"));
	ck_assert_ptr_nonnull(strstr(wrong("service_route = ( \"tel:1\" );"), "service_route"));
	ck_assert_ptr_nonnull(strstr(wrong("durability = \"ful\";"), "unknown word"));
}
END_TEST

static int oom_register(void *arg)
{
	const struct rig_params params = { .modules = modules, .is_async = *(bool *)arg };
	int err = rig_init(&rig, &params), status;

	if (err) {
		return err;
	}
	status = reg(1, "Contact: <sip:a@192.0.2.50>;expires=60;q=0.5;x\r\nSupported: path\r\n"
	                "Path: <sip:p1@192.0.2.60;lr>\r\n");
	ck_assert(status == 200 || status == 500 || status == 503 || status == 0);
	rig_fini(&rig);
	return status == 200 ? 0 : -1;
}

START_TEST(registering_survives_any_allocation_failing)
{
	both(async)
	{
		bool is_async = async;

		oom_each(oom_register, &is_async);
	}
}
END_TEST

UNIT_MAIN("registrar/registrar", rfc3261_10_3_8_the_200_lists_every_binding,
          rfc3261_10_3_7_an_old_cseq_is_500_and_changes_nothing,
          rfc3261_10_3_6_star_is_alone_and_with_expires_0,
          rfc3261_10_3_expiry_is_asked_for_shortened_or_refused,
          granted_expiry_is_spread_by_the_jitter, rfc3261_10_3_7_all_contacts_or_none,
          rfc3261_10_3_2_unknown_extensions_are_420_with_their_names,
          rfc3261_10_3_5_to_is_an_address_of_record_of_that_domain,
          rfc3261_19_1_4_equal_contact_uris_are_one_binding,
          rfc3327_path_is_stored_and_returned_to_who_supports_it,
          rfc3608_service_route_is_given_when_configured,
          an_instance_replaces_its_bindings_of_other_call_ids,
          rfc5626_6_instance_and_reg_id_are_the_key,
          rfc5626_6_reg_id_counts_behind_a_first_hop_with_ob_only,
          rfc5630_a_sips_contact_needs_sips_all_the_way, a_failing_store_is_500_and_a_busy_one_503,
          absurdly_large_contacts_are_refused, requests_follow_the_flow_of_a_phone_behind_a_nat,
          requests_follow_the_connection_of_a_phone, settings_that_cannot_be_are_told,
          registering_survives_any_allocation_failing)
