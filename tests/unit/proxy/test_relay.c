/* SPDX-License-Identifier: Apache-2.0 */
/* No open relay; the keyed check in our Record-Route. */
#include "proxy/rig.h"

#define ELSEWHERE "sip:x@192.0.2.70"

static enum belfry_verdict authenticate(struct belfry_req *req, struct belfry_mod *mod)
{
	(void)mod;
	proxy_set_user(req, STR("alice@example.com"), false);
	return BELFRY_CONTINUE;
}

/* May it pass? Otherwise it is refused with 403. */
static void relays(struct rig *rig, bool may, const struct ask *ask)
{
	const struct sent *m;

	rig_ask_with(rig, ask);
	m = rig_sent(rig, may ? "MESSAGE " : "SIP/2.0 403");
	(void)m;
	rig_nothing(rig);
}

START_TEST(strangers_cannot_have_anything_sent_elsewhere)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE", .lines = "Route: <sip:192.0.2.70;lr>\n" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .lines = "Route: <sip:proxy.example.com;lr>\n" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .lines = "Route: <sip:192.0.2.1;lr>,<sip:192.0.2.70;lr>\n" });
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE, .to_tag = "t" });
	relays(rig, true, &(struct ask){ .method = "MESSAGE" });
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.rejected[REFUSED_RELAY]), 5);
	rig_free(rig);
}
END_TEST

START_TEST(trusted_peers_and_authenticated_users_may)
{
	struct rig *rig = rig_new("proxy: { trusted = ( \"198.51.100.0/24\" ); };\n");

	relays(rig, true,
	       &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE, .ip = "198.51.100.9" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE, .ip = "198.51.101.9" });
	rig_hook(rig, BELFRY_H_REQUEST, (union belfry_hook_fn){ .request = authenticate });
	relays(rig, true, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE });
	rig_free(rig);
}
END_TEST

/* What only this machine can reach is not for who comes from elsewhere, whatever name it has. */
START_TEST(nobody_from_elsewhere_gets_to_loopback_through_us)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	const struct rig_name own = { .name = "own.test", .addr = { "127.0.0.1", "::1" } };
	const struct rig_name mixed = { .name = "mixed.test",
		                        .addr = { "127.0.0.1", "192.0.2.70" } };

	rig_name(rig, &own);
	rig_name(rig, &mixed);
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:x@127.0.0.1:6379" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE", .uri = "sip:x@[::1]:6379;transport=tcp" });
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:x@0.0.0.0" });
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:x@224.0.1.75" });
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:x@own.test" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE", .lines = "Route: <sip:127.0.0.2;lr>\n" });
	rig_bind_from(rig, "eve@example.com", "sip:eve@own.test", "udp:192.0.2.60:5060");
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:eve@example.com" });
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@mixed.test");
	ck_assert_str_eq(rig_sent(rig, "MESSAGE ")->to, "192.0.2.70:5060");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(loopback_is_for_its_own_and_for_whom_the_settings_send_there)
{
	struct rig *rig =
		rig_new("proxy: { relay = \"any\"; trusted = ( \"198.51.100.0/24\" ); };\n"
	                "routes = ( { name = \"a\"; match: { user = \"a\"; }; to = "
	                "\"sip:a@127.0.0.1:5080\"; },\n"
	                "  { name = \"t\"; match: { user = \"t\"; }; to = \"trunk:t\"; } );\n"
	                "trunks: { t: { targets = ( \"sip:127.0.0.1:5090\" ); probe = 0; }; };\n");

	relays(rig, true, &(struct ask){ .method = "MESSAGE", .uri = "sip:a@example.com" });
	relays(rig, true, &(struct ask){ .method = "MESSAGE", .uri = "sip:t@example.com" });
	relays(rig, true,
	       &(struct ask){ .method = "MESSAGE", .uri = "sip:x@127.0.0.2", .ip = "127.0.0.1" });
	relays(rig, true,
	       &(struct ask){
		       .method = "MESSAGE", .uri = "sip:x@127.0.0.3", .ip = "198.51.100.9" });
	rig_bind_from(rig, "pbx@example.com", "sip:pbx@127.0.0.1:5070", "tcp:127.0.0.1:40000");
	relays(rig, true, &(struct ask){ .method = "MESSAGE", .uri = "sip:pbx@example.com" });
	rig_free(rig);
}
END_TEST

START_TEST(relay_any_lets_all_relay_none_nobody)
{
	struct rig *any = rig_new("proxy: { relay = \"any\"; };\n");
	struct rig *none = rig_new("proxy: { relay = \"none\"; trusted = ( \"192.0.2.50\" ); };\n");

	relays(any, true, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE });
	relays(none, false, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE });
	rig_hook(none, BELFRY_H_REQUEST, (union belfry_hook_fn){ .request = authenticate });
	relays(none, false, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE });
	rig_free(none);
	rig_free(any);
}
END_TEST

/* The Record-Route of a call from alice (tag a) to bob as a Route line. */
static void route_of_call(struct rig *rig, char *line, size_t cap)
{
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	snprintf(line, cap, "Route: %s\n", rig_hdr(got, "Record-Route", 0));
	rig_answer(rig, got, 200, "b", NULL);
	rig_sent(rig, "SIP/2.0 200");
}

START_TEST(inside_a_dialog_that_we_record_routed_both_sides_pass)
{
	struct rig *rig = rig_new(NULL);
	char line[512];

	route_of_call(rig, line, sizeof(line));
	relays(rig, true,
	       &(struct ask){
		       .method = "MESSAGE", .uri = ELSEWHERE, .to_tag = "b", .lines = line });
	relays(rig, true,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .from_tag = "b",
	                      .to_tag = "a",
	                      .lines = line });
	relays(rig, false,
	       &(struct ask){
		       .method = "REGISTER", .uri = ELSEWHERE, .to_tag = "b", .lines = line });
	/* A strict router sends it in the Request-URI. */
	line[strlen(line) - 2] = '\0'; /* ">\n" */
	relays(rig, true,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = strchr(line, '<') + 1,
	                      .to_tag = "b",
	                      .lines = "Route: <" ELSEWHERE ">\n" });
	rig_free(rig);
}
END_TEST

/* What is kept in reserve is for calls that are there: a To tag is easily made up. */
START_TEST(the_reserve_is_for_dialogs_that_are_proven)
{
	struct rig *rig = rig_new(NULL);
	const struct ask stranger = { .method = "MESSAGE" };
	struct ask made_up = stranger, in_dialog = stranger;
	char line[512];

	route_of_call(rig, line, sizeof(line));
	made_up.to_tag = in_dialog.to_tag = "b";
	in_dialog.lines = line;
	rig->conf->server.max_transactions = 20;
	for (int i = 0; i < 18; i++) {
		rig_ask_with(rig, &stranger);
		rig_sent(rig, "MESSAGE ");
	}
	rig_ask_with(rig, &stranger);
	rig_sent(rig, "SIP/2.0 503");
	rig_ask_with(rig, &made_up);
	rig_sent(rig, "SIP/2.0 503");
	rig_ask_with(rig, &in_dialog);
	rig_sent(rig, "MESSAGE ");
	rig_free(rig);
}
END_TEST

START_TEST(somebody_elses_record_route_opens_nothing)
{
	struct rig *rig = rig_new(NULL);
	char line[512], *rc;

	route_of_call(rig, line, sizeof(line));
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .to_tag = "b",
	                      .call_id = "another",
	                      .lines = line });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .from_tag = "x",
	                      .to_tag = "y",
	                      .lines = line });
	/* Not for what begins a dialog. */
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = ELSEWHERE, .lines = line });
	rc = strstr(line, ";rc=") + 4;
	rc[8] = rc[8] == 'A' ? 'B' : 'A';
	relays(rig, false,
	       &(struct ask){
		       .method = "MESSAGE", .uri = ELSEWHERE, .to_tag = "b", .lines = line });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .to_tag = "b",
	                      .lines = "Route: <sip:proxy.example.com;lr;rc=AAAAAAAAAAAAAAA>\n" });
	relays(rig, false,
	       &(struct ask){ .method = "MESSAGE",
	                      .uri = ELSEWHERE,
	                      .to_tag = "b",
	                      .lines = "Route: <sip:proxy.example.com;lr>\n" });
	rig_free(rig);
}
END_TEST

START_TEST(the_check_holds_for_sixty_days_and_over_a_change_of_keys)
{
	static const struct hash_key other = { { 1, 2 } };
	struct rig *rig = rig_new(NULL);
	const struct hash_key *first;
	struct ask ask = { .method = "MESSAGE", .uri = ELSEWHERE, .to_tag = "b" };
	char line[512];

	route_of_call(rig, line, sizeof(line));
	ask.lines = line;
	first = rig->p->dialog_key[0];
	rig->p->dialog_key[1] = first;
	rig->p->dialog_key_id[1] = rig->p->dialog_key_id[0];
	rig->p->dialog_key[0] = &other;
	rig->p->dialog_key_id[0]++;
	relays(rig, true, &ask);
	rig->w->clock.unix_ms += 59LL * 86400000;
	relays(rig, true, &ask);
	rig->w->clock.unix_ms += 2LL * 86400000;
	relays(rig, false, &ask);
	rig_free(rig);
}
END_TEST

START_TEST(a_rule_that_leads_elsewhere_for_a_domain_of_ours_needs_no_right)
{
	struct rig *rig = rig_new("routes = ( { name = \"d\"; match: { user = \"desk\"; };\n"
	                          "  to = \"sip:desk@192.0.2.70\"; } );\n");

	relays(rig, true, &(struct ask){ .method = "MESSAGE", .uri = "sip:desk@example.com" });
	relays(rig, false, &(struct ask){ .method = "MESSAGE", .uri = "sip:desk@192.0.2.71" });
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/relay", strangers_cannot_have_anything_sent_elsewhere,
          trusted_peers_and_authenticated_users_may,
          nobody_from_elsewhere_gets_to_loopback_through_us,
          loopback_is_for_its_own_and_for_whom_the_settings_send_there,
          relay_any_lets_all_relay_none_nobody,
          inside_a_dialog_that_we_record_routed_both_sides_pass,
          the_reserve_is_for_dialogs_that_are_proven, somebody_elses_record_route_opens_nothing,
          the_check_holds_for_sixty_days_and_over_a_change_of_keys,
          a_rule_that_leads_elsewhere_for_a_domain_of_ours_needs_no_right)
