/* SPDX-License-Identifier: Apache-2.0 */
/* Digest authentication on a fake wire: who is challenged, what passes, what a stranger can learn.
 */
#include "module/rig.h"

#include "auth/digest.h"
#include "auth/nonce.h"
#include "util/base64.h"

#include <openssl/evp.h>
#include <stdio.h>

extern const struct belfry_module belfry_module_auth;
extern const struct belfry_module belfry_module_registrar;

/* Behind auth: whom it has let pass. */
static char passed[256];

static enum belfry_verdict spy_request(struct belfry_req *req, struct belfry_mod *mod)
{
	struct str user = belfry_user(req);

	(void)mod;
	snprintf(passed, sizeof(passed), "<%.*s>", STR_FMT(user));
	return BELFRY_CONTINUE;
}

static const struct belfry_hook spy_hooks[] = { BELFRY_ON_REQUEST(200, spy_request), { 0 } };
static const struct belfry_module spy = { .abi = BELFRY_MOD_ABI,
	                                  .name = "spy",
	                                  .hooks = spy_hooks };

static const struct belfry_module *const modules[] = { &spy, &belfry_module_auth,
	                                               &belfry_module_registrar, NULL };
static const struct rig_user users[] = { { "alice", "example.com", "secret-alice", false },
	                                 { "bob", "example.com", "secret-bob", true },
	                                 { NULL, NULL, NULL, false } };

static struct rig rig;

static void begin(const char *settings)
{
	const struct rig_params params = { .modules = modules,
		                           .settings = settings,
		                           .users = users };

	ck_assert_int_eq(rig_init(&rig, &params), 0);
}

/* --- a phone --- */

struct phone {
	const char *user, *password; /* alice, secret-alice */
	const char *realm;           /* example.com */
	const char *algorithm;       /* MD5 */
	const char *method, *uri;    /* REGISTER sip:example.com */
	const char *nonce;
	unsigned nc;      /* 0: without qop */
	const char *more; /* parameters */
};

static const char * or (const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* The value of a credentials field. */
static const char *answer_to(const struct phone *p)
{
	static char value[2048];
	char header[1024], text[256], hex[65] = "";
	const char *algorithm = or (p->algorithm, "MD5");
	const char *openssl = strcmp(algorithm, "MD5") == 0       ? "MD5"
	                      : strcmp(algorithm, "SHA-256") == 0 ? "SHA256"
	                                                          : "SHA512-256";
	unsigned char ha1[32], out[32];
	struct credentials c;
	struct digest d;
	const char *why;
	int n;

	n = snprintf(header, sizeof(header),
	             "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", algorithm=%s",
	             or (p->user, "alice"), or (p->realm, "example.com"), p->nonce,
	             or (p->uri, "sip:example.com"), algorithm);
	if (p->nc) {
		n += snprintf(header + n, sizeof(header) - (size_t)n,
		              ", qop=auth, nc=%08x, cnonce=\"c\"", p->nc);
	}
	snprintf(text, sizeof(text), "%s:%s:%s", or (p->user, "alice"),
	         or (p->realm, "example.com"), or (p->password, "secret-alice"));
	ck_assert(EVP_Digest(text, strlen(text), ha1, NULL, EVP_get_digestbyname(openssl), NULL) ==
	          1);
	snprintf(value, sizeof(value), "%s, response=\"%0*d\"", header,
	         strcmp(algorithm, "MD5") == 0 ? 32 : 64, 0);
	ck_assert_int_eq(credentials_parse(&rig.arena, str_from(value), &c, &why), 0);
	ck_assert_int_eq(digest_init(&d), 0);
	ck_assert_int_eq(digest_response(&d, &c, ha1, str_from(or (p->method, "REGISTER")), out),
	                 0);
	digest_fini(&d);
	hex_encode(hex, out, c.response_n);
	snprintf(value, sizeof(value), "%s, response=\"%s\"%s", header, hex, or (p->more, ""));
	return value;
}

static char nonce_text[128];

/* Value of a parameter of the last challenge, without quotes. */
static struct str challenge_param(const char *name, int n)
{
	enum sip_hdr id =
		rig.last->status == 401 ? SIP_H_WWW_AUTHENTICATE : SIP_H_PROXY_AUTHENTICATE;
	struct sip_auth_params auth;
	struct str k, v;

	ck_assert_int_eq(sip_auth_parse(rig_field(&rig, id, n), &auth), 0);
	while (sip_auth_next(&auth, &k, &v) > 0) {
		if (str_eq(k, str_from(name))) {
			return sip_unquote(&rig.arena, v);
		}
	}
	return STR_NONE;
}

/* The nonce of the last challenge. */
static const char *last_nonce(void)
{
	struct str n = challenge_param("nonce", 0);

	ck_assert_uint_gt(n.n, 0);
	snprintf(nonce_text, sizeof(nonce_text), "%.*s", STR_FMT(n));
	return nonce_text;
}

static bool is_stale(void)
{
	return str_eq(challenge_param("stale", 0), STR("true"));
}

/* A REGISTER with credentials (NULL: none) from @ip. */
static int reg_from(const char *ip, const char *to, const char *credentials)
{
	static uint32_t cseq;
	char headers[3000];

	snprintf(headers, sizeof(headers), "%s%s%sContact: <sip:a@192.0.2.50>\r\n",
	         credentials ? "Authorization: " : "", credentials ? credentials : "",
	         credentials ? "\r\n" : "");
	return rig_ask(&rig, &(struct rig_request){
				     .cseq = ++cseq, .to = to, .ip = ip, .headers = headers });
}

static int reg(const struct phone *p)
{
	return reg_from(NULL, NULL, p ? answer_to(p) : NULL);
}

static const char *fresh_nonce(void)
{
	ck_assert_int_eq(reg(NULL), 401);
	return last_nonce();
}

/* --- REGISTER --- */

START_TEST(rfc8760_a_challenge_per_algorithm_in_the_configured_order)
{
	const char *names[] = { "SHA-512-256", "MD5", "SHA-256" };

	begin("auth: { algorithms = ( \"SHA-512-256\", \"MD5\", \"SHA-256\" ); };");
	ck_assert_int_eq(reg(NULL), 401);
	for (int i = 0; i < 3; i++) {
		ck_assert_str_is(challenge_param("algorithm", i), names[i]);
		ck_assert_str_is(challenge_param("realm", i), "example.com");
		ck_assert_str_is(challenge_param("qop", i), "auth");
		ck_assert_str_is(challenge_param("stale", i), "");
	}
	ck_assert_uint_eq(rig_field(&rig, SIP_H_WWW_AUTHENTICATE, 3).n, 0);
	for (int i = 0; i < 3; i++) {
		struct phone p = { .algorithm = names[i], .nonce = fresh_nonce(), .nc = 1 };

		ck_assert_int_eq(reg(&p), 200);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(an_algorithm_that_is_not_offered_is_challenged_again)
{
	begin("auth: { algorithms = ( \"SHA-256\" ); };");
	ck_assert_int_eq(reg(&(struct phone){ .nonce = fresh_nonce(), .nc = 1 }), 401);
	ck_assert(!is_stale());
	ck_assert_int_eq(reg(&(struct phone){
				 .nonce = last_nonce(), .nc = 1, .algorithm = "SHA-256" }),
	                 200);
	rig_fini(&rig);
}
END_TEST

/* All of the last response but the text of its nonces. */
static struct str shape(void)
{
	struct str all = rig.last->text;
	char *copy = (char *)(uintptr_t)arena_str(&rig.arena, all).p;

	for (int n = 0; rig_field(&rig, SIP_H_WWW_AUTHENTICATE, n).n; n++) {
		struct str nonce = challenge_param("nonce", n);

		ck_assert_uint_eq(nonce.n, NONCE_LEN);
		memset(copy + (nonce.p - all.p), 'N', nonce.n);
	}
	return str_make(copy, all.n);
}

/* The same request twice, but for the user: the branch and CSeq are made equal. */
static struct str refusal_of(const char *user, const char *password)
{
	const char *nonce = fresh_nonce();
	struct phone p = { .user = user, .password = password, .nonce = nonce, .nc = 1 };
	char text[3000];
	struct net_addr from;
	int n = snprintf(text, sizeof(text),
	                 "REGISTER sip:example.com SIP/2.0\r\n"
	                 "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKsame\r\n"
	                 "Max-Forwards: 70\r\nFrom: <sip:x@example.com>;tag=f\r\n"
	                 "To: <sip:alice@example.com>\r\nCall-ID: same\r\nCSeq: 7 REGISTER\r\n"
	                 "Authorization: %s\r\nContent-Length: 0\r\n\r\n",
	                 answer_to(&p));

	net_addr_parse(STR("192.0.2.50"), 5060, &from);
	fake_wire_receive(rig.wire, str_make(text, (size_t)n), TP_UDP, &from);
	rig_settle(&rig);
	ck_assert_ptr_nonnull(rig_next(&rig));
	ck_assert_int_eq(rig.last->status, 401);
	return shape();
}

START_TEST(unknown_user_and_wrong_password_are_answered_alike)
{
	struct str wrong, unknown, nameless;

	begin(NULL);
	wrong = refusal_of("alice", "guess");
	unknown = refusal_of("nobody", "guess");
	nameless = refusal_of("", "");
	ck_assert(str_eq(wrong, unknown));
	ck_assert(str_eq(wrong, nameless));
	ck_assert_uint_eq(rig_count(&rig, "belfry_auth_total", "result=\"failed\""), 3);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc3261_10_3_4_a_user_changes_its_own_bindings_only)
{
	begin(NULL);
	ck_assert_int_eq(reg_from(NULL, "<sip:bob@example.com>",
	                          answer_to(&(struct phone){ .nonce = fresh_nonce(), .nc = 1 })),
	                 403);
	ck_assert_int_eq(reg_from(NULL, "<sips:%61lice@EXAMPLE.com;x>",
	                          answer_to(&(struct phone){ .nonce = fresh_nonce(), .nc = 1 })),
	                 200);
	rig_fini(&rig);
}
END_TEST

START_TEST(rfc7616_3_4_nc_counts_up_and_is_taken_once)
{
	struct phone p = { .nc = 1 };

	begin(NULL);
	p.nonce = fresh_nonce();
	ck_assert_int_eq(reg(&p), 200);
	ck_assert_int_eq(reg(&p), 401);
	ck_assert(is_stale());
	p.nc = 3;
	ck_assert_int_eq(reg(&p), 200);
	p.nc = 2;
	ck_assert_int_eq(reg(&p), 200);
	ck_assert_int_eq(reg(&p), 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_wrong_password_does_not_use_up_the_nonce)
{
	struct phone p = { .nc = 1, .password = "guess" };

	begin(NULL);
	p.nonce = arena_str(&rig.arena, str_from(fresh_nonce())).p;
	ck_assert_int_eq(reg(&p), 401);
	ck_assert(!is_stale());
	p.password = NULL;
	ck_assert_int_eq(reg(&p), 200);
	rig_fini(&rig);
}
END_TEST

/* Else what was overheard could be sent again once its use is forgotten. */
START_TEST(after_the_clock_was_put_back_nonces_from_the_future_are_stale)
{
	struct phone p = { .nc = 1 };

	begin(NULL);
	p.nonce = fresh_nonce();
	rig.w->clock.unix_ms -= 20 * 1000; /* another node's may be that far ahead */
	ck_assert_int_eq(reg(&p), 200);
	rig.w->clock.unix_ms -= 3600 * 1000;
	p.nc = 2;
	ck_assert_int_eq(reg(&p), 401);
	ck_assert(is_stale());
	rig_advance(&rig, 400 * 1000);
	p.nc = 1;
	ck_assert_int_eq(reg(&p), 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(an_old_nonce_is_stale)
{
	struct phone p = { .nc = 1 };

	begin("auth: { nonce_lifetime = 10; };");
	p.nonce = fresh_nonce();
	rig_advance(&rig, 9900);
	ck_assert_int_eq(reg(&p), 200);
	rig_advance(&rig, 200);
	p.nc = 2;
	ck_assert_int_eq(reg(&p), 401);
	ck_assert(is_stale());
	ck_assert_uint_eq(rig_count(&rig, "belfry_auth_total", "result=\"stale\""), 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_forged_nonce_is_refused_and_counts_for_nothing)
{
	struct phone p = { .nc = 1, .nonce = "abcdef0123456789" };

	begin("auth: { max_failures = 1; };");
	ck_assert_int_eq(reg(&p), 401);
	ck_assert(is_stale());
	p.nonce = "";
	ck_assert_int_eq(reg(&(struct phone){ .nc = 1, .nonce = last_nonce() }), 200);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_response_without_qop_is_taken_once_and_for_md5_only)
{
	struct phone p = { .nonce = NULL };

	begin(NULL);
	p.nonce = fresh_nonce();
	p.algorithm = "SHA-256";
	ck_assert_int_eq(reg(&p), 401);
	p.algorithm = "MD5";
	p.nonce = last_nonce();
	ck_assert_int_eq(reg(&p), 200);
	ck_assert_int_eq(reg(&p), 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(the_digest_uri_is_the_request_uri_in_user_and_host)
{
	begin(NULL);
	ck_assert_int_eq(reg(&(struct phone){
				 .nonce = fresh_nonce(), .nc = 1, .uri = "sip:example.org" }),
	                 400);
	ck_assert_int_eq(reg(&(struct phone){
				 .nonce = fresh_nonce(), .nc = 1, .uri = "sip:x@example.com" }),
	                 400);
	ck_assert_int_eq(reg(&(struct phone){ .nonce = fresh_nonce(), .nc = 1, .uri = "*" }), 400);
	ck_assert_int_eq(reg(&(struct phone){ .nonce = fresh_nonce(),
	                                      .nc = 1,
	                                      .uri = "sips:EXAMPLE.com:5061;transport=tcp" }),
	                 200);
	rig_fini(&rig);
}
END_TEST

START_TEST(malformed_credentials_are_400_and_unknown_schemes_are_ignored)
{
	begin(NULL);
	ck_assert_int_eq(reg_from(NULL, NULL, "Digest realm=\"example.com\", username=\"alice\""),
	                 400);
	ck_assert_str_is(rig.last->reason, "Incomplete Credentials");
	ck_assert_int_eq(reg_from(NULL, NULL, "NoOneKnowsThisScheme opaque-data=here"), 401);
	ck_assert_int_eq(reg_from(NULL, NULL, "Digest realm=\"elsewhere\", username=\"alice\""),
	                 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(an_unknown_address_of_record_is_404_for_a_trusted_peer)
{
	begin("proxy: { trusted = ( \"192.0.2.60\" ); };");
	ck_assert_int_eq(reg_from("192.0.2.60", NULL, NULL), 200);
	ck_assert_int_eq(reg_from("192.0.2.60", "<sip:nobody@example.com>", NULL), 404);
	ck_assert_int_eq(reg_from(NULL, "<sip:nobody@example.com>", NULL), 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(register_may_be_open)
{
	begin("auth: { register = false; };");
	ck_assert_int_eq(reg_from(NULL, "<sip:nobody@example.com>", NULL), 200);
	rig_fini(&rig);
}
END_TEST

/* --- bans --- */

static struct str command_json;
static char command_error[256];
static const char *command_address;

static struct str call_param(struct belfry_call *call, const char *name)
{
	(void)call;
	ck_assert_str_eq(name, "address");
	return str_from(command_address);
}

static void call_reply(struct belfry_call *call, struct str json)
{
	(void)call;
	command_json = arena_str(&rig.arena, json);
}

static void call_fail(struct belfry_call *call, const char *why)
{
	(void)call;
	snprintf(command_error, sizeof(command_error), "%s", why);
}

static void run_command(const char *name, const char *address)
{
	struct belfry_call call = { .param = call_param, .reply = call_reply, .fail = call_fail };
	const struct belfry_command *c;
	const char *module;

	command_address = address;
	command_json = STR_NONE;
	command_error[0] = '\0';
	for (size_t i = 0; (c = module_command_at(rig.core, i, &module)); i++) {
		if (strcmp(c->name, name) == 0) {
			ck_assert_str_eq(module, "auth");
			module_command_run(rig.core, c, &call);
			rig_settle(&rig);
			return;
		}
	}
	ck_abort_msg("no command %s", name);
}

static int fail_from(const char *ip)
{
	const char *nonce;

	if (reg_from(ip, NULL, NULL) != 401) {
		return 0;
	}
	nonce = last_nonce();
	return reg_from(ip, NULL,
	                answer_to(&(struct phone){ .nonce = nonce, .nc = 1, .password = "guess" }));
}

START_TEST(failures_ban_their_source_for_a_while)
{
	begin("auth: { max_failures = 3; ban_time = 60; };");
	ck_assert_int_eq(fail_from("192.0.2.66"), 401);
	ck_assert_int_eq(fail_from("192.0.2.66"), 401);
	ck_assert_int_eq(fail_from("192.0.2.67"), 401);
	fail_from("192.0.2.66");
	while (rig_next(&rig)) {
	}
	ck_assert_int_eq(reg_from("192.0.2.66", NULL, NULL), 0);
	ck_assert_int_eq(reg_from("192.0.2.67", NULL, NULL), 401);
	run_command("ban.list", NULL);
	ck_assert(str_contains_nocase(command_json, STR("\"address\": \"192.0.2.66\"")));
	ck_assert(!str_contains_nocase(command_json, STR("192.0.2.67")));
	rig_advance(&rig, 60001);
	ck_assert_int_eq(reg_from("192.0.2.66", NULL, NULL), 401);
	rig_fini(&rig);
}
END_TEST

/* Who has an IPv6 network has addresses enough to guess from another one each time. */
START_TEST(an_ipv6_network_is_one_source)
{
	begin("auth: { max_failures = 3; ban_time = 60; };");
	ck_assert_int_eq(fail_from("2001:db8::1:1"), 401);
	ck_assert_int_eq(fail_from("2001:db8::2:7"), 401);
	fail_from("2001:db8:0:0:ffff::3");
	while (rig_next(&rig)) {
	}
	ck_assert_int_eq(reg_from("2001:db8::4", NULL, NULL), 0);
	ck_assert_int_eq(reg_from("2001:db8:0:1::4", NULL, NULL), 401);
	run_command("ban.list", NULL);
	ck_assert(str_contains_nocase(command_json, STR("\"address\": \"2001:db8::\"")));
	run_command("ban.del", "2001:db8::9");
	ck_assert_str_eq(command_error, "");
	ck_assert_int_eq(reg_from("2001:db8::4", NULL, NULL), 401);
	rig_fini(&rig);
}
END_TEST

START_TEST(a_ban_can_be_taken_away)
{
	begin("auth: { max_failures = 1; ban_time = 3600; };");
	fail_from("2001:db8::66");
	while (rig_next(&rig)) {
	}
	ck_assert_int_eq(reg_from("2001:db8::66", NULL, NULL), 0);
	run_command("ban.del", "192.0.2.1");
	ck_assert_str_ne(command_error, "");
	run_command("ban.del", "2001:db8::66");
	ck_assert_str_eq(command_error, "");
	ck_assert_int_eq(reg_from("2001:db8::66", NULL, NULL), 401);
	run_command("ban.list", NULL);
	ck_assert_str_is(command_json, "{\"bans\": []}");
	rig_fini(&rig);
}
END_TEST

START_TEST(slow_failures_and_a_limit_of_0_ban_nobody)
{
	begin("auth: { max_failures = 2; ban_time = 10; };");
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(fail_from("192.0.2.66"), 401);
		rig_advance(&rig, 10001);
	}
	rig_fini(&rig);
	begin("auth: { max_failures = 0; };");
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(fail_from("192.0.2.66"), 401);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(a_nonce_of_another_address_bans_nobody_and_opens_nothing)
{
	const char *nonce;

	begin("auth: { max_failures = 1; };");
	ck_assert_int_eq(reg_from("192.0.2.66", NULL, NULL), 401);
	nonce = arena_str(&rig.arena, str_from(last_nonce())).p;
	for (unsigned nc = 1; nc < 5; nc++) {
		ck_assert_int_eq(reg_from("192.0.2.77", NULL,
		                          answer_to(&(struct phone){
						  .nonce = nonce, .nc = nc, .password = "guess" })),
		                 401);
		ck_assert(is_stale());
	}
	ck_assert_int_eq(reg_from("192.0.2.77", NULL,
	                          answer_to(&(struct phone){ .nonce = nonce, .nc = 9 })),
	                 401);
	ck_assert(is_stale());
	ck_assert_int_eq(reg_from("192.0.2.66", NULL,
	                          answer_to(&(struct phone){ .nonce = nonce, .nc = 9 })),
	                 200);
	rig_fini(&rig);
}
END_TEST

/* --- calls --- */

static int message(const char *from, const char *uri, const char *headers)
{
	static uint32_t cseq;

	return rig_ask(&rig,
	               &(struct rig_request){ .method = "MESSAGE",
	                                      .uri = uri,
	                                      .from = from,
	                                      .to = uri[0] == '<' ? uri : "<sip:bob@example.com>",
	                                      .cseq = ++cseq,
	                                      .call_id = "m",
	                                      .headers = headers });
}

static int message_as(const struct phone *p, const char *from, const char *uri)
{
	struct phone copy = *p;
	char headers[3000];

	ck_assert_int_eq(message(from, uri, NULL), 407);
	copy.nonce = last_nonce();
	copy.nc = 1;
	copy.method = "MESSAGE";
	copy.uri = uri;
	snprintf(headers, sizeof(headers), "Proxy-Authorization: %s\r\n", answer_to(&copy));
	return message(from, uri, headers);
}

START_TEST(who_names_a_local_user_in_from_is_challenged)
{
	begin(NULL);
	ck_assert_int_eq(message("<sip:alice@example.com>", "sip:bob@example.com", NULL), 407);
	ck_assert_str_is(challenge_param("realm", 0), "example.com");
	ck_assert_int_eq(message("<sip:x@example.org>", "sip:bob@example.com", NULL), 407);
	ck_assert_str_is(challenge_param("realm", 0), "example.org");
	ck_assert_int_eq(message("<sip:alice@elsewhere.example>", "sip:bob@example.com", NULL),
	                 480);
	ck_assert_int_eq(message("<sip:alice@elsewhere.example>", "sip:x@elsewhere.example", NULL),
	                 403);
	rig_fini(&rig);
}
END_TEST

START_TEST(an_authenticated_user_calls_as_itself_only)
{
	begin(NULL);
	ck_assert_int_eq(message_as(&(struct phone){ 0 }, "<sip:alice@example.com>",
	                            "sip:nobody@example.com"),
	                 404);
	ck_assert_str_eq(passed, "<alice@example.com>");
	passed[0] = '\0';
	ck_assert_int_eq(message_as(&(struct phone){ 0 }, "<sip:bob@example.com>",
	                            "sip:nobody@example.com"),
	                 403);
	ck_assert_int_eq(message_as(&(struct phone){ .password = "guess" },
	                            "<sip:alice@example.com>", "sip:nobody@example.com"),
	                 407);
	ck_assert_str_eq(passed, "");
	message("<sip:x@elsewhere.example>", "sip:bob@example.com", NULL);
	ck_assert_str_eq(passed, "<>");
	rig_fini(&rig);
}
END_TEST

START_TEST(trusted_peers_and_options_to_the_server_are_not_asked)
{
	begin("proxy: { trusted = ( \"192.0.2.60\" ); };");
	ck_assert_int_eq(rig_ask(&rig, &(struct rig_request){ .method = "MESSAGE",
	                                                      .uri = "sip:nobody@example.com",
	                                                      .ip = "192.0.2.60" }),
	                 404);
	ck_assert_int_eq(rig_ask(&rig, &(struct rig_request){ .method = "OPTIONS",
	                                                      .uri = "sip:example.com" }),
	                 200);
	ck_assert_int_eq(rig_ask(&rig, &(struct rig_request){ .method = "OPTIONS",
	                                                      .uri = "sip:bob@example.com" }),
	                 407);
	rig_fini(&rig);
}
END_TEST

START_TEST(ack_is_never_challenged)
{
	begin(NULL);
	rig_send(&rig, &(struct rig_request){ .method = "ACK", .uri = "sip:bob@example.com" });
	ck_assert_ptr_null(rig_next(&rig));
	rig_fini(&rig);
}
END_TEST

START_TEST(calls_none_asks_only_who_wants_to_go_elsewhere)
{
	begin("auth: { calls = \"none\"; };");
	ck_assert_int_eq(message("<sip:alice@example.com>", "sip:bob@example.com", NULL), 480);
	ck_assert_int_eq(message("<sip:alice@example.com>", "sip:x@192.0.2.200", NULL), 407);
	ck_assert_int_eq(message("<sip:alice@elsewhere.example>", "sip:x@192.0.2.200", NULL), 403);
	rig_fini(&rig);
}
END_TEST

START_TEST(credentials_for_our_domains_go_no_further)
{
	const char *theirs =
		"Digest username=\"x\", realm=\"elsewhere\", nonce=\"1\", uri=\"sip:x\", "
		"response=\"00000000000000000000000000000000\"";
	char headers[4000];

	begin(NULL);
	ck_assert_int_eq(reg(&(struct phone){ .nonce = fresh_nonce(), .nc = 1 }), 200);
	ck_assert_int_eq(message("<sip:alice@example.com>", "sip:alice@example.com", NULL), 407);
	snprintf(headers, sizeof(headers),
	         "Proxy-Authorization: %s\r\nProxy-Authorization: %s\r\nAuthorization: %s\r\n",
	         theirs,
	         answer_to(&(struct phone){ .nonce = last_nonce(),
	                                    .nc = 1,
	                                    .method = "MESSAGE",
	                                    .uri = "sip:alice@example.com" }),
	         theirs);
	message("<sip:alice@example.com>", "sip:alice@example.com", headers);
	ck_assert(rig.last->is_request);
	ck_assert_str_is(rig_header(&rig, SIP_H_PROXY_AUTHORIZATION), theirs);
	ck_assert_str_is(rig_header(&rig, SIP_H_AUTHORIZATION), theirs);
	rig_fini(&rig);
}
END_TEST

static int oom_auth(void *arg)
{
	const struct rig_params params = { .modules = modules, .users = users };
	int err = rig_init(&rig, &params), status = 0;

	(void)arg;
	if (err) {
		return err;
	}
	if (reg(NULL) == 401) {
		status = reg(&(struct phone){ .nonce = last_nonce(), .nc = 1 });
	}
	rig_fini(&rig);
	return status == 200 ? 0 : -1;
}

START_TEST(authenticating_survives_any_allocation_failing)
{
	oom_each(oom_auth, NULL);
}
END_TEST

UNIT_MAIN("auth/auth", rfc8760_a_challenge_per_algorithm_in_the_configured_order,
          an_algorithm_that_is_not_offered_is_challenged_again,
          unknown_user_and_wrong_password_are_answered_alike,
          rfc3261_10_3_4_a_user_changes_its_own_bindings_only,
          rfc7616_3_4_nc_counts_up_and_is_taken_once, a_wrong_password_does_not_use_up_the_nonce,
          an_old_nonce_is_stale, after_the_clock_was_put_back_nonces_from_the_future_are_stale,
          a_forged_nonce_is_refused_and_counts_for_nothing,
          a_response_without_qop_is_taken_once_and_for_md5_only,
          the_digest_uri_is_the_request_uri_in_user_and_host,
          malformed_credentials_are_400_and_unknown_schemes_are_ignored,
          an_unknown_address_of_record_is_404_for_a_trusted_peer, register_may_be_open,
          failures_ban_their_source_for_a_while, an_ipv6_network_is_one_source,
          a_ban_can_be_taken_away, slow_failures_and_a_limit_of_0_ban_nobody,
          a_nonce_of_another_address_bans_nobody_and_opens_nothing,
          who_names_a_local_user_in_from_is_challenged, an_authenticated_user_calls_as_itself_only,
          trusted_peers_and_options_to_the_server_are_not_asked, ack_is_never_challenged,
          calls_none_asks_only_who_wants_to_go_elsewhere, credentials_for_our_domains_go_no_further,
          authenticating_survives_any_allocation_failing)
