/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of RFC 4475, 5118 and 3665 and of common phones, each with its verdict. */
#include "sip/addr.h"
#include "sip_test.h"

#define COLUMNS_MAX 16

/* Calls @fn for each line of a manifest: @v[i] is the column named names[i]. */
static unsigned int each_line(const char *manifest, const char *const *names, size_t n,
                              void (*fn)(const char *dir, char *const *v))
{
	struct str all = test_load(manifest);
	char *text = strndup(all.p, all.n), *line, *save = NULL;
	char *dir = strndup(manifest, (size_t)(strchr(manifest, '/') - manifest));
	size_t column[COLUMNS_MAX], lines = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *fields[32], *v[COLUMNS_MAX];
		size_t fields_n = 0;

		for (char *p = line; p && fields_n < 32;) {
			fields[fields_n++] = strsep(&p, "\t");
		}
		if (lines++ == 0) {
			for (size_t i = 0; i < n; i++) {
				size_t k = 0;

				while (k < fields_n && strcmp(fields[k], names[i]) != 0) {
					k++;
				}
				ck_assert_msg(k < fields_n, "no column %s", names[i]);
				column[i] = k;
			}
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_lt(column[i], fields_n);
			v[i] = fields[column[i]];
		}
		fn(dir, v);
	}
	free(text);
	free(dir);
	test_free(all);
	return (unsigned int)lines - 1;
}

static struct str load(const char *dir, const char *file)
{
	char name[512];

	snprintf(name, sizeof(name), "%s/%s", dir, file);
	return test_load(name);
}

/* What the parser makes of a message, in the words of the manifest. */
static void outcome(struct str text, char out[8])
{
	struct sip_msg *msg;
	int err = sip_msg_parse_text(text, 0, &msg);

	if (err == 0) {
		strcpy(out, "fwd");
	} else if (msg) {
		snprintf(out, 8, "%d", msg->error);
		ck_assert_uint_gt(strlen(msg->error_r), 0);
	} else {
		strcpy(out, "drop");
	}
	sip_msg_unref(&msg);
}

static bool is_among(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) {
			return true;
		}
	}
	return false;
}

/* Well-formed ones are parsed, whatever is to become of them later (416, 420, 483, a response that
 * nobody waits for); malformed ones get an outcome that the manifest lists. */
static void check_verdict(const char *dir, char *const *v)
{
	const char *file = v[0], *verdict = v[1], *proxy_ok = v[2];
	struct str text = load(dir, file);
	char got[8];

	outcome(text, got);
	if (strcmp(verdict, "valid") == 0 || strcmp(verdict, "semantic") == 0) {
		ck_assert_msg(strcmp(got, "fwd") == 0, "%s: %s", file, got);
	} else {
		ck_assert_msg(is_among(proxy_ok, got), "%s: %s, not one of %s", file, got,
		              proxy_ok);
	}
	test_free(text);
}

static const char *const verdict_columns[] = { "file", "verdict", "proxy_ok" };

START_TEST(rfc4475_every_message_gets_its_verdict)
{
	ck_assert_uint_eq(each_line("rfc4475/manifest.tsv", verdict_columns, 3, check_verdict), 50);
}
END_TEST

START_TEST(rfc5118_every_message_gets_its_verdict)
{
	ck_assert_uint_eq(each_line("rfc5118/manifest.tsv", verdict_columns, 3, check_verdict), 15);
}
END_TEST

START_TEST(malformed_messages_are_refused_with_a_phrase_that_says_why)
{
	static const struct {
		const char *file;
		int code;
		const char *why; /* NULL: dropped */
	} expected[] = {
		{ "rfc4475/badinv01.dat", 400, "Bad Via" },
		{ "rfc4475/clerr.dat", 400, "Bad Content-Length" },
		{ "rfc4475/ncl.dat", 400, "Bad Content-Length" },
		{ "rfc4475/scalar02.dat", 400, "Bad CSeq" },
		{ "rfc4475/scalarlg.dat", 0, NULL },
		{ "rfc4475/quotbal.dat", 400, "Bad To" },
		{ "rfc4475/ltgtruri.dat", 400, "Bad Request-URI" },
		{ "rfc4475/lwsruri.dat", 400, "Bad Request-URI" },
		{ "rfc4475/lwsstart.dat", 400, "Bad Request-URI" },
		{ "rfc4475/trws.dat", 400, "Bad Request-Line" },
		{ "rfc4475/escruri.dat", 400, "Bad Request-URI" },
		{ "rfc4475/badaspec.dat", 400, "Bad To" },
		{ "rfc4475/baddn.dat", 400, "Bad From" },
		{ "rfc4475/badvers.dat", 505, "Version Not Supported" },
		{ "rfc4475/mismatch01.dat", 400, "CSeq Method Mismatch" },
		{ "rfc4475/mismatch02.dat", 400, "CSeq Method Mismatch" },
		{ "rfc4475/bigcode.dat", 0, NULL },
		{ "rfc4475/insuf.dat", 400, "Missing From" },
		{ "rfc4475/multi01.dat", 400, "Duplicate CSeq" },
		{ "rfc4475/mcl01.dat", 400, "Duplicate Content-Length" },
		{ "rfc4475/test.dat", 0, NULL },
		{ "rfc5118/ipv6-bad.dat", 400, "Bad Request-URI" },
		{ "rfc5118/ipv6-bug-abnf-3-colons.dat", 400, "Bad Request-URI" },
		{ "rfc5118/as-printed/ipv6-in-sdp.dat", 400, "Bad Content-Length" },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct str text = test_load(expected[i].file);
		struct sip_msg *msg;

		ck_assert_int_eq(sip_msg_parse_text(text, 0, &msg), BELFRY_EPARSE);
		ck_assert_msg((msg != NULL) == (expected[i].why != NULL), "%s", expected[i].file);
		if (msg) {
			ck_assert_msg(msg->error == expected[i].code, "%s", expected[i].file);
			ck_assert_str_eq(msg->error_r, expected[i].why);
		}
		sip_msg_unref(&msg);
		test_free(text);
	}
}
END_TEST

static struct sip_msg *parse_file(const char *name, struct str *text_r)
{
	*text_r = test_load(name);
	return test_parse(*text_r);
}

static void done(struct sip_msg *msg, struct str text)
{
	sip_msg_unref(&msg);
	test_free(text);
}

START_TEST(rfc4475_3_1_1_1_wsinv_is_read_through_all_its_folds)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/wsinv.dat", &text);
	struct sip_values it;
	struct sip_addr addr;
	struct str value;
	uint16_t q;

	ck_assert_str_is(msg->ruri.params, ";unknownparam");
	ck_assert_str_is(msg->to_tag, "1918181833n");
	ck_assert_str_is(msg->from_tag, "98asjd8");
	ck_assert_int_eq(msg->max_forwards, 68);
	ck_assert_uint_eq(msg->cseq, 9);
	ck_assert_str_is(msg->via.host, "192.0.2.2");
	ck_assert_str_is(msg->via.branch, "390skdjuw");
	ck_assert(!msg->via.is_rfc3261);
	ck_assert_uint_eq(msg->vias_n, 3);
	ck_assert_str_is(sip_msg_header(msg, SIP_H_SUBJECT), "");
	ck_assert_int_eq(msg->content_length, 150);
	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 1);
	ck_assert_str_is(addr.display, "\"Quoted string \\\"\\\"\"");
	ck_assert(sip_addr_param(&addr, STR("q"), &value));
	ck_assert_int_eq(sip_q_parse(value, &q), 0);
	ck_assert_uint_eq(q, 330);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 0);
	sip_values_init(&it, msg, SIP_H_ROUTE);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 1);
	ck_assert_str_is(addr.uri.host, "services.example.com");
	ck_assert_str_is(sip_msg_header_named(msg, STR("newfangledheader")),
	                 "newfangled value\r\n continued newfangled value");
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_2_intmeth_keeps_every_odd_character)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/intmeth.dat", &text);

	ck_assert_int_eq(msg->method, SIP_M_OTHER);
	ck_assert_str_is(msg->method_text, "!interesting-Method0123456789_*+`.%indeed'~");
	ck_assert_str_is(msg->ruri.host, "example.com");
	ck_assert_str_is(msg->ruri.password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
	ck_assert_str_is(msg->via.branch, "z9hG4bK-.!%66*_+`'~");
	ck_assert_str_is(msg->from_tag, "_token~1'+`*%!-.");
	ck_assert_int_eq(msg->max_forwards, 255);
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_x_escapes_are_resolved_once_and_only_where_they_are)
{
	struct str text, value;
	struct sip_msg *msg = parse_file("rfc4475/esc01.dat", &text);
	char aor[SIP_AOR_MAX];

	ck_assert_str_is(sip_uri_aor(&msg->ruri, aor, sizeof(aor)),
	                 "sips:user@example.com@example.net");
	done(msg, text);
	msg = parse_file("rfc4475/esc02.dat", &text);
	ck_assert_int_eq(msg->method, SIP_M_OTHER);
	ck_assert_str_is(msg->method_text, "RE%47IST%45R");
	value = sip_msg_header_named(msg, STR("C%6Fntact"));
	ck_assert_uint_gt(value.n, 0);
	done(msg, text);
	msg = parse_file("rfc4475/semiuri.dat", &text);
	ck_assert_str_is(msg->ruri.user, "user;par=u%40example.net");
	ck_assert_str_is(msg->ruri.host, "example.com");
	ck_assert_str_is(msg->ruri.params, "");
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_4_escaped_nulls_give_no_aor_and_two_contacts)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/escnull.dat", &text);
	struct sip_addr a, b, to;
	struct sip_values it;
	char aor[SIP_AOR_MAX];

	ck_assert_int_eq(sip_addr_parse(sip_msg_header(msg, SIP_H_TO), &to, NULL), 0);
	ck_assert_str_is(to.uri.user, "null-%00-null");
	ck_assert_uint_eq(sip_uri_aor(&to.uri, aor, sizeof(aor)).n, 0);
	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &a), 1);
	ck_assert_int_eq(sip_addr_next(&it, &b), 1);
	ck_assert(!sip_uri_eq(&a.uri, &b.uri));
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_x_long_and_many_values_survive)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/longreq.dat", &text);
	struct sip_values it;
	unsigned int n = 0;

	ck_assert_uint_eq(msg->vias_n, 34);
	ck_assert(!msg->via.is_rfc3261);
	done(msg, text);
	msg = parse_file("rfc4475/transports.dat", &text);
	sip_values_init(&it, msg, SIP_H_VIA);
	while (sip_values_next(&it)) {
		struct sip_via via;

		ck_assert_int_eq(sip_via_parse(it.value, &via), 0);
		n++;
	}
	ck_assert_uint_eq(n, 5);
	done(msg, text);
	msg = parse_file("rfc4475/mpart01.dat", &text);
	ck_assert_uint_eq(msg->body.n, 553);
	ck_assert_ptr_nonnull(memchr(msg->body.p, '\0', msg->body.n));
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_8_octets_behind_the_body_are_not_forwarded)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/dblreq.dat", &text);

	ck_assert(msg->body_cut);
	ck_assert_uint_eq(msg->body.n, 0);
	ck_assert_uint_eq(msg->text.n, msg->body_off);
	ck_assert_uint_lt(msg->text.n, text.n);
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_1_1_x_responses_with_odd_phrases_are_read)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/unreason.dat", &text);

	ck_assert_int_eq(msg->status, 200);
	ck_assert_uint_gt(msg->reason.n, 30);
	done(msg, text);
	msg = parse_file("rfc4475/noreason.dat", &text);
	ck_assert_int_eq(msg->status, 100);
	ck_assert_str_is(msg->reason, "");
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_3_parser_delivers_what_the_later_checks_need)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/unkscm.dat", &text); /* 416 */

	ck_assert_int_eq(msg->ruri.scheme, SIP_URI_OTHER);
	done(msg, text);
	msg = parse_file("rfc4475/novelsc.dat", &text); /* 416 */
	ck_assert_str_is(msg->ruri.scheme_text, "soap.beep");
	done(msg, text);
	msg = parse_file("rfc4475/unksm2.dat", &text); /* schemes in To, From and Contact */
	ck_assert_int_eq(msg->ruri.scheme, SIP_URI_SIP);
	done(msg, text);
	msg = parse_file("rfc4475/bext01.dat", &text); /* 420 */
	ck_assert(sip_msg_has_token(msg, SIP_H_PROXY_REQUIRE, STR("noProxiesSupportThis")));
	ck_assert(sip_msg_has_token(msg, SIP_H_PROXY_REQUIRE, STR("norDoAnyProxiesSupportThis")));
	ck_assert(sip_msg_has_token(msg, SIP_H_REQUIRE, STR("nothingSupportsThisEither")));
	done(msg, text);
	msg = parse_file("rfc4475/zeromf.dat", &text); /* 483 */
	ck_assert_int_eq(msg->max_forwards, 0);
	done(msg, text);
	msg = parse_file("rfc4475/regaut01.dat", &text);
	ck_assert_str_is(sip_msg_header(msg, SIP_H_AUTHORIZATION),
	                 "NoOneKnowsThisScheme opaque-data=here");
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_3_3_10_second_via_of_a_response_can_be_looked_at)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/bcast.dat", &text);
	struct sip_values it;
	struct sip_via via;

	sip_values_init(&it, msg, SIP_H_VIA);
	ck_assert(sip_values_next(&it) && sip_values_next(&it));
	ck_assert_int_eq(sip_via_parse(it.value, &via), 0);
	ck_assert_str_is(via.host, "255.255.255.255");
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_contact_parameters_go_where_they_belong)
{
	struct str text, value;
	struct sip_msg *msg = parse_file("rfc4475/cparam01.dat", &text);
	struct sip_values it;
	struct sip_addr addr;

	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 1);
	ck_assert(sip_addr_param(&addr, STR("unknownparam"), &value));
	ck_assert_str_is(addr.uri.params, "");
	done(msg, text);
	msg = parse_file("rfc4475/cparam02.dat", &text);
	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 1);
	ck_assert(!sip_addr_param(&addr, STR("unknownparam"), &value));
	ck_assert_str_is(addr.uri.params, ";unknownparam");
	done(msg, text);
	msg = parse_file("rfc4475/regescrt.dat", &text);
	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &addr), 1);
	ck_assert_str_is(addr.uri.headers, "Route=%3Csip:sip.example.com%3E");
	done(msg, text);
	msg = parse_file("rfc4475/regbadct.dat", &text); /* the registrar's 400 */
	sip_values_init(&it, msg, SIP_H_CONTACT);
	ck_assert_int_eq(sip_addr_next(&it, &addr), BELFRY_EPARSE);
	done(msg, text);
}
END_TEST

START_TEST(rfc4475_scalars_that_only_a_registrar_reads_are_told_by_the_decoders)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc4475/baddate.dat", &text);
	int64_t t;

	ck_assert_int_eq(sip_date_parse(sip_msg_header(msg, SIP_H_DATE), &t), BELFRY_EPARSE);
	done(msg, text);
	msg = parse_file("rfc4475/inv2543.dat", &text);
	ck_assert_str_is(msg->from_tag, "");
	ck_assert_int_eq(msg->max_forwards, -1);
	ck_assert_int_eq(msg->content_length, -1);
	ck_assert_uint_eq(msg->body.n, text.n - msg->body_off);
	ck_assert_ptr_null(msg->via.branch.p);
	done(msg, text);
}
END_TEST

START_TEST(rfc5118_addresses_and_ports_are_not_guessed)
{
	struct str text;
	struct sip_msg *msg = parse_file("rfc5118/port-ambiguous.dat", &text);

	ck_assert_str_is(msg->ruri.host, "[2001:db8::10:5070]");
	ck_assert_uint_eq(msg->ruri.port, 0);
	done(msg, text);
	msg = parse_file("rfc5118/port-unambiguous.dat", &text);
	ck_assert_str_is(msg->ruri.host, "[2001:db8::10]");
	ck_assert_uint_eq(msg->ruri.port, 5070);
	done(msg, text);
	msg = parse_file("rfc5118/via-received-param-with-delim.dat", &text);
	ck_assert_str_is(msg->via.received, "[2001:db8::9:255]");
	done(msg, text);
	msg = parse_file("rfc5118/via-received-param-no-delim.dat", &text);
	ck_assert_str_is(msg->via.received, "2001:db8::9:255");
	done(msg, text);
	msg = parse_file("rfc5118/as-printed/mult-ip-in-sdp.dat", &text);
	ck_assert(msg->body_cut);
	ck_assert_uint_eq(msg->body.n, 181);
	done(msg, text);
}
END_TEST

static unsigned int unchanged_n;

/* Parsed, and sent on without edits, byte for byte. */
static void check_unchanged(const char *dir, char *const *v)
{
	struct str text = load(dir, v[0]), flat;
	struct sip_msg *msg = test_parse(text);
	struct sip_edits e;
	struct sip_out out;

	sip_edits_init(&e, msg, &msg->arena);
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), 0);
	flat = test_flatten(&out);
	ck_assert_msg(str_eq(flat, text), "%s/%s is changed", dir, v[0]);
	ck_assert_uint_eq(out.iov_n, 1);
	test_free(flat);
	sip_msg_unref(&msg);
	ck_assert_int_eq(sip_msg_parse_text(text, SIP_PARSE_FRAME, &msg), 0);
	sip_msg_unref(&msg);
	test_free(text);
	unchanged_n++;
}

static const char *const file_column[] = { "file" };

START_TEST(rfc3665_every_message_passes_through_unchanged)
{
	each_line("rfc3665/manifest.tsv", file_column, 1, check_unchanged);
	ck_assert_uint_eq(unchanged_n, 178);
}
END_TEST

START_TEST(messages_of_common_phones_pass_through_unchanged)
{
	each_line("flows/manifest.tsv", file_column, 1, check_unchanged);
	ck_assert_uint_eq(unchanged_n, 39);
}
END_TEST

/* Cut short or altered at any place, a message is refused or read, never more. */
START_TEST(messages_with_one_byte_missing_or_changed_do_no_harm)
{
	struct str text = test_load("rfc4475/wsinv.dat");
	static const char alter[] = { '\0', '\r', '\n', '"', '<',       '>',
		                      ',',  ';',  ':',  ' ', (char)0xff };
	struct sip_msg *msg;

	for (size_t n = 0; n < text.n; n++) {
		char *p = malloc(n ? n : 1);

		memcpy(p, text.p, n);
		sip_msg_parse_text(str_make(p, n), 0, &msg);
		sip_msg_unref(&msg);
		free(p);
	}
	for (size_t i = 0; i < text.n; i++) {
		char *p = (char *)(uintptr_t)text.p, was = p[i];

		for (size_t k = 0; k < sizeof(alter); k++) {
			p[i] = alter[k];
			sip_msg_parse_text(text, 0, &msg);
			sip_msg_unref(&msg);
		}
		p[i] = was;
	}
	msg = test_parse(text);
	done(msg, text);
}
END_TEST

UNIT_MAIN("sip/torture", rfc4475_every_message_gets_its_verdict,
          rfc5118_every_message_gets_its_verdict,
          malformed_messages_are_refused_with_a_phrase_that_says_why,
          rfc4475_3_1_1_1_wsinv_is_read_through_all_its_folds,
          rfc4475_3_1_1_2_intmeth_keeps_every_odd_character,
          rfc4475_3_1_1_x_escapes_are_resolved_once_and_only_where_they_are,
          rfc4475_3_1_1_4_escaped_nulls_give_no_aor_and_two_contacts,
          rfc4475_3_1_1_x_long_and_many_values_survive,
          rfc4475_3_1_1_8_octets_behind_the_body_are_not_forwarded,
          rfc4475_3_1_1_x_responses_with_odd_phrases_are_read,
          rfc4475_3_3_parser_delivers_what_the_later_checks_need,
          rfc4475_3_3_10_second_via_of_a_response_can_be_looked_at,
          rfc4475_contact_parameters_go_where_they_belong,
          rfc4475_scalars_that_only_a_registrar_reads_are_told_by_the_decoders,
          rfc5118_addresses_and_ports_are_not_guessed,
          rfc3665_every_message_passes_through_unchanged,
          messages_of_common_phones_pass_through_unchanged,
          messages_with_one_byte_missing_or_changed_do_no_harm)
