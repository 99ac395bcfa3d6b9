/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever allocation fails: no crash, no leak, no request that is never answered. */
#include "proxy/rig.h"

#include <errno.h>

static void bind_all(struct rig *rig, const char *const *contacts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct loc_op op = { .kind = LOC_OP_SET };
		struct loc_change change = {
			.aor = STR("bob@example.com"), .ops = &op, .ops_n = 1, .by_operator = true
		};

		op.b = (struct loc_binding){ .contact = str_from(contacts[i]),
			                     .q = 1000,
			                     .expires_ms = UINT64_MAX };
		loc_apply(rig->loc, rig->w, &change, NULL, NULL, NULL);
		worker_turn(rig->w);
	}
}

/* Answers whatever is sent downstream, up to @rounds times; 486 to INVITE, then 200. */
static void play(struct rig *rig, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct str bytes;
		struct tp_flow flow;

		worker_turn(rig->w);
		if (!fake_wire_sent(rig->wire, &bytes, &flow)) {
			continue;
		}
		if (str_starts(bytes, STR("INVITE ")) || str_starts(bytes, STR("MESSAGE "))) {
			struct sent m = { .text = str_dup(bytes), .n = bytes.n, .flow = flow };

			if (m.text) {
				rig_answer(rig, &m, 180, NULL, NULL);
				rig_answer(rig, &m, i < 3 ? 407 : 200, NULL,
				           "Proxy-Authenticate: Digest realm=\"x\"\n");
			}
			free(m.text);
		}
	}
}

static int a_forked_call(void *arg)
{
	static const char *const contacts[] = { "sip:bob@192.0.2.61;x=y?z=1", "sip:bob@peer.test",
		                                "sip:bob@192.0.2.63;transport=tcp" };
	struct rig *rig = calloc(1, sizeof(*rig));
	int err;

	if (rig == NULL) {
		return -ENOMEM;
	}
	err = rig_init(rig, arg, false);
	if (err == 0) {
		rig_name(rig, &(struct rig_name){ .name = "peer.test",
		                                  .addr = { "192.0.2.91", "192.0.2.92" } });
		bind_all(rig, contacts, 3);
		rig_ask(rig, .lines = "Route: <sip:proxy.example.com;lr>\n");
		play(rig, 12);
		rig_ask(rig, .method = "CANCEL", .again = true);
		play(rig, 4);
		rig_pass(rig, 300000); /* Timer C, and 64*T1 after its CANCEL */
		ck_assert_uint_eq(rig->p->reqs.used_n, 0);
		ck_assert_uint_eq(rig->p->branches.used_n, 0);
	}
	rig_fini(rig);
	free(rig);
	return err;
}

START_TEST(a_forked_call_survives_any_failed_allocation)
{
	oom_each(a_forked_call, NULL);
}
END_TEST

static int several_kinds(void *arg)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct proxy_own_request own = { .method = STR("OPTIONS"), .uri = STR("sip:192.0.2.90") };
	int err;

	if (rig == NULL) {
		return -ENOMEM;
	}
	err = rig_init(rig, arg, true);
	if (err == 0) {
		static const char *const contacts[] = { "sip:bob@192.0.2.61" };

		bind_all(rig, contacts, 1);
		rig_ask(rig, .method = "MESSAGE");
		play(rig, 6);
		rig_ask(rig, .uri = "sip:+1@example.com"); /* to the trunk */
		play(rig, 6);
		rig_ask(rig, .uri = "sip:old@example.com"); /* redirected */
		rig_ask(rig, .method = "OPTIONS", .uri = "sip:example.com");
		rig_ask(rig, .method = "MESSAGE", .lines = "Proxy-Require: a, b\n");
		rig_ask(rig, .method = "ACK", .to_tag = "t");
		rig_ask(rig, .uri = "sip:x@elsewhere.invalid");
		proxy_send_request(rig->p, &own, NULL, NULL);
		play(rig, 6);
		rig_pass(rig, 300000); /* Timer C, and 64*T1 after its CANCEL */
		rig_skip(rig);
		ck_assert_uint_eq(rig->p->reqs.used_n, 0);
		ck_assert_uint_eq(rig->p->branches.used_n, 0);
	}
	rig_fini(rig);
	free(rig);
	return err;
}

static char settings[] =
	"routes = ( { name = \"p\"; match: { user = \"+*\"; }; to = \"trunk:t\"; },\n"
	"  { name = \"o\"; match: { user = \"old\"; }; redirect = \"sip:$user@example.org\"; } );\n"
	"trunks: { t: { targets = ( \"sip:192.0.2.80\", \"sip:192.0.2.81\" ); probe = 30;\n"
	"  policy = \"weighted\"; }; };\n";

START_TEST(all_kinds_of_requests_survive_any_failed_allocation)
{
	oom_each(several_kinds, settings);
}
END_TEST

UNIT_MAIN("proxy/memory", a_forked_call_survives_any_failed_allocation,
          all_kinds_of_requests_survive_any_failed_allocation)
