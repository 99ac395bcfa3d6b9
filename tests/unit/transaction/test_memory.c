/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of these scenarios fails once: no crash, no leak, and what is left still ends.
 */
#include "transaction/rig.h"

struct scenario {
	void (*run)(struct rig *rig);
};

static int run(void *arg)
{
	struct scenario *s = arg;
	struct rig rig;

	if (rig_init(&rig) != 0) {
		return -1;
	}
	s->run(&rig);
	rig_pass(&rig, 200000);
	ck_assert_uint_eq(txn_layer_counts(rig.l).server_lingering, 0);
	ck_assert_uint_eq(txn_layer_counts(rig.l).linger_bytes, 0);
	ck_assert_uint_eq(txn_layer_counts(rig.l).client, 0);
	ck_assert_uint_eq(rig.l->entries.used_n + rig.l->servers.used_n + rig.l->finals.used_n +
	                          rig.l->lives.used_n + rig.l->cancels.used_n,
	                  0);
	rig_fini(&rig);
	return oom_hit() ? -1 : 0;
}

/* Receives a request and makes its transaction; false: not enough memory. */
static bool server(struct rig *rig, uint8_t proto, const char *method, const char *branch)
{
	rig->st = NULL;
	rig_receive(rig, proto, method, branch, "", "");
	if (rig->req) {
		int err = rig_server_new(rig, &rig->st);

		ck_assert(err == 0 || err == BELFRY_EFULL);
		sip_msg_unref(&rig->req);
	}
	rig->req = NULL;
	return rig->st != NULL;
}

static void reply(struct rig *rig, int code)
{
	struct sip_reply r = { .code = code };

	if (txn_server_reply(rig->st, &r) != 0 && code >= 200 && !txn_server_is_final(rig->st)) {
		txn_server_detach(rig->st); /* what a user does that cannot answer */
		rig->st = NULL;
	}
}

static void refused_invite(struct rig *rig)
{
	if (server(rig, TP_UDP, "INVITE", "z9hG4bK1")) {
		txn_server_trying(rig->st);
		reply(rig, 180);
		rig_receive(rig, TP_UDP, "INVITE", "z9hG4bK1", "", "");
		reply(rig, 486);
		rig_pass(rig, 700);
		rig_receive(rig, TP_UDP, "ACK", "z9hG4bK1", ";tag=x", "");
	}
}

static void accepted_invite(struct rig *rig)
{
	if (server(rig, TP_UDP, "INVITE", "z9hG4bK1")) {
		rig_pass(rig, 300);
		rig_forward(rig, 180, "a");
		if (rig_forward(rig, 200, "a") == 0) {
			rig_forward(rig, 200, "b");
		}
		txn_server_detach(rig->st);
	}
}

static void message(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		if (server(rig, i ? TP_TCP : TP_UDP, "MESSAGE", "z9hG4bK1")) {
			rig_pass(rig, 4000);
			rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bK1", "", "");
			reply(rig, 200);
			if (rig->st) {
				rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bK1", "", "");
			}
		}
		rig_pass(rig, 40000);
	}
}

static void stateless(struct rig *rig)
{
	struct sip_reply r = { .code = 403, .headers = STR("Warning: 399 x \"y\"\r\n") };

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bK1", "", "");
	if (rig->req) {
		txn_reply_stateless(rig->l, rig->req, &rig->from, &r);
	}
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bK2", "", "");
	rig_receive_text(rig, TP_UDP, &rig->up,
	                 "INVITE sip:bob@example.com SIP/2.0\n"
	                 "Via: SIP/2.0/UDP up.example.net;branch=z9hG4bKq\nCSeq: nonsense\n\n");
}

static void client_refused(struct rig *rig)
{
	for (uint8_t proto = TP_UDP; proto <= TP_TCP; proto++) {
		if (rig_client(rig, proto, "INVITE") == 0 && rig->ct) {
			rig_respond(rig, proto, 180, NULL);
			txn_client_cancel(rig->ct, STR("Reason: SIP;cause=200\r\n"));
			rig_pass(rig, 600);
		}
		if (rig->ct) {
			rig_respond(rig, proto, 200, "CANCEL");
			rig_respond(rig, proto, 487, NULL);
			rig_respond(rig, proto, 487, NULL);
		}
		rig_pass(rig, 100000);
	}
}

static void client_accepted(struct rig *rig)
{
	if (rig_client(rig, TP_UDP, "INVITE") == 0) {
		rig_pass(rig, 600);
	}
	if (rig->ct) {
		rig_respond(rig, TP_UDP, 200, NULL);
		rig_respond(rig, TP_UDP, 200, NULL);
	}
}

static void client_fails(struct rig *rig)
{
	if (rig_client(rig, TP_UDP, "MESSAGE") == 0) {
		fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	}
	rig_turn(rig);
	rig_client_wait(rig, TP_TCP, "MESSAGE", 1000);
}

#define MEMORY_TEST(name)                                                                          \
	START_TEST(memory_##name)                                                                  \
	{                                                                                          \
		struct scenario s = { .run = name };                                               \
                                                                                                   \
		oom_each(run, &s);                                                                 \
	}                                                                                          \
	END_TEST

MEMORY_TEST(refused_invite)
MEMORY_TEST(accepted_invite)
MEMORY_TEST(message)
MEMORY_TEST(stateless)
MEMORY_TEST(client_refused)
MEMORY_TEST(client_accepted)
MEMORY_TEST(client_fails)

UNIT_MAIN("transaction/memory", memory_refused_invite, memory_accepted_invite, memory_message,
          memory_stateless, memory_client_refused, memory_client_accepted, memory_client_fails)
