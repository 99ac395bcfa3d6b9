/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of events in random order: requests, retransmissions, ACK, CANCEL, responses of all
 * kinds to all branches (also ended ones), transport errors, time, and a user that answers,
 * cancels, drops and detaches at will, inside callbacks too. Whatever happens: the callbacks come
 * in their order, nothing is lost or told twice, and in the end all is free again.
 */
#include "transaction/rig.h"

#include <stdio.h>

#define N_MAX  64
#define EVENTS 2500
#define SEEDS  4

struct world;

struct one { /* a transaction of the user's */
	struct world *world;
	struct txn_server *st;
	struct txn_client *ct;
	char branch[BRANCH_LEN + 1];
	const char *method;
	unsigned finals, failed, provisionals;
	bool is_invite, is_used;
};

struct world {
	struct rig rig;
	uint64_t seed;
	struct one v[N_MAX];
	char branches[N_MAX][BRANCH_LEN + 1]; /* of client transactions, also ended ones */
	unsigned ended, depth;
};

static unsigned rnd(struct world *w, unsigned n)
{
	w->seed += 0x9e3779b97f4a7c15ULL;
	return (unsigned)(hash_mix(w->seed) % n);
}

static struct one *one_new(struct world *w)
{
	for (unsigned i = 0; i < N_MAX; i++) {
		if (!w->v[i].is_used) {
			w->v[i] = (struct one){ .world = w, .is_used = true };
			return &w->v[i];
		}
	}
	return NULL;
}

static struct one *one_any(struct world *w)
{
	struct one *o = &w->v[rnd(w, N_MAX)];

	return o->is_used ? o : NULL;
}

static const char *const methods[] = { "INVITE", "MESSAGE", "FOO", "BYE" };
static const int codes[] = { 100, 180, 183, 200, 202, 302, 404, 408, 486, 487, 503, 603 };

static void act(struct world *w, struct one *o);

static void sometimes(struct world *w)
{
	if (w->depth < 3 && rnd(w, 3) == 0) {
		struct one *o = one_any(w);

		w->depth++;
		if (o) {
			act(w, o);
		}
		w->depth--;
	}
}

/* --- the user ----------------------------------------------------------------------------------
 */

static void on_request(void *arg, struct sip_msg *req, const struct tp_flow *from)
{
	struct world *w = arg;
	struct sip_reply reply = { .code = 503 };
	struct one *o = req->method != SIP_M_ACK && rnd(w, 4) ? one_new(w) : NULL;

	ck_assert_int_ne(req->method, SIP_M_CANCEL);
	if (o) {
		o->is_invite = req->method == SIP_M_INVITE;
		const struct txn_server_params params = { .req = req, .from = from, .user = o };

		if (txn_server_new(w->rig.l, &params, &o->st) != 0) {
			o->is_used = false;
		}
	} else {
		txn_reply_stateless(w->rig.l, req, from, &reply);
	}
	sip_msg_unref(&req);
}

static void on_cancelled(void *user, struct txn_server *st, const struct sip_msg *cancel)
{
	struct one *o = user;

	(void)cancel;
	ck_assert(o->is_used && o->st == st && o->is_invite && !txn_server_is_final(st));
	sometimes(o->world);
}

static void on_server_end(void *user, struct txn_server *st)
{
	struct one *o = user;

	ck_assert(o->is_used && o->st == st);
	ck_assert(txn_server_is_final(st));
	o->is_used = false;
	o->world->ended++;
}

static void on_response(void *user, struct txn_client *ct, struct sip_msg *resp)
{
	struct one *o = user;

	ck_assert(o->is_used && o->ct == ct && o->failed == 0);
	if (resp->status < 200) {
		ck_assert_uint_eq(o->finals, 0);
		o->provisionals++;
	} else {
		/* Only a 2xx to INVITE may come again. */
		ck_assert(o->finals == 0 || (o->is_invite && resp->status < 300));
		o->finals++;
	}
	sometimes(o->world);
}

static void on_failed(void *user, struct txn_client *ct, int err)
{
	struct one *o = user;

	ck_assert(o->is_used && o->ct == ct && o->failed == 0 && o->finals == 0);
	ck_assert(err == BELFRY_ETIMEOUT ||
	          (err == BELFRY_EUNREACH && (!o->is_invite || o->provisionals == 0)));
	o->failed++;
	sometimes(o->world);
}

static void on_client_end(void *user, struct txn_client *ct)
{
	struct one *o = user;

	ck_assert(o->is_used && o->ct == ct && (o->failed || o->finals));
	o->is_used = false;
	o->world->ended++;
}

/* --- what happens ------------------------------------------------------------------------------
 */

static void answer(struct world *w, struct one *o)
{
	int code = codes[rnd(w, sizeof(codes) / sizeof(codes[0]))];

	w->rig.st = o->st;
	if (rnd(w, 2)) {
		struct sip_reply reply = { .code = code };

		txn_server_reply(o->st, &reply);
	} else {
		rig_forward(&w->rig, code, "fw");
	}
}

static void act(struct world *w, struct one *o)
{
	unsigned what = rnd(w, 10);

	if (o->st) {
		if (what == 0) {
			txn_server_detach(o->st);
			o->is_used = false;
		} else if (what == 1) {
			txn_server_trying(o->st);
		} else {
			answer(w, o);
		}
	} else if (what == 0) {
		txn_client_drop(&o->ct);
		o->is_used = false;
	} else if (what < 5) {
		txn_client_cancel(o->ct, STR("Reason: SIP;cause=200\r\n"));
	}
}

static void start_client(struct world *w)
{
	struct one *o = one_new(w);
	uint8_t proto = rnd(w, 2) ? TP_UDP : TP_TCP;

	if (!o) {
		return;
	}
	o->method = methods[rnd(w, 4)];
	o->is_invite = !strcmp(o->method, "INVITE");
	w->rig.ct = NULL;
	ck_assert_int_eq(rig_client_wait(&w->rig, proto, o->method, rnd(w, 2) * 2000), 0);
	o->ct = w->rig.ct;
	o->ct->user = o;
	snprintf(w->branches[o - w->v], sizeof(w->branches[0]), "%.*s",
	         STR_FMT(txn_client_branch(o->ct)));
}

static void receive_response(struct world *w)
{
	const char *branch = w->branches[rnd(w, N_MAX)];
	const char *method = rnd(w, 4) ? methods[rnd(w, 2)] : rnd(w, 2) ? "CANCEL" : "FOO";

	rig_respond_to(&w->rig, TP_UDP, *branch ? branch : "z9hG4bKnone",
	               codes[rnd(w, sizeof(codes) / sizeof(codes[0]))], method, "t");
}

static void receive_request(struct world *w)
{
	const char *method = rnd(w, 3) ? methods[rnd(w, 4)] : rnd(w, 2) ? "ACK" : "CANCEL";
	char branch[32];

	snprintf(branch, sizeof(branch), "%sK%u", rnd(w, 5) ? "z9hG4b" : "old", rnd(w, 40));
	rig_receive(&w->rig, rnd(w, 3) ? TP_UDP : TP_TCP, method, branch, rnd(w, 3) ? "" : ";tag=x",
	            "");
}

static void step(struct world *w)
{
	struct rig *rig = &w->rig;
	struct one *o = one_any(w);

	switch (rnd(w, 12)) {
	case 0:
	case 1: start_client(w); break;
	case 2:
	case 3: receive_response(w); break;
	case 4:
	case 5: receive_request(w); break;
	case 6: fake_wire_unreachable(rig->wire, rnd(w, 2) ? TP_UDP : TP_TCP, &rig->down); break;
	case 7:
		fake_wire_fail(rig->wire, rnd(w, 3), rnd(w, 2) ? BELFRY_EUNREACH : BELFRY_EFULL);
		break;
	case 8: rig_pass(rig, rnd(w, 5) ? rnd(w, 1000) : rnd(w, 20000)); break;
	default:
		if (o) {
			act(w, o);
		}
		break;
	}
	while (rnd(w, 3) == 0 && fake_wire_sent(rig->wire, NULL, NULL)) {
		continue;
	}
}

static void finish(struct world *w)
{
	fake_wire_fail(w->rig.wire, 0, 0);
	for (unsigned i = 0; i < N_MAX; i++) {
		struct one *o = &w->v[i];

		if (o->is_used && o->st && !txn_server_is_final(o->st)) {
			struct sip_reply reply = { .code = 500 };

			ck_assert_int_eq(txn_server_reply(o->st, &reply), 0);
		} else if (o->is_used && o->ct) {
			txn_client_cancel(o->ct, STR_NONE);
		}
	}
	rig_pass(&w->rig, 70000);
	for (unsigned i = 0; i < N_MAX; i++) {
		ck_assert(!w->v[i].is_used);
	}
}

static void check_empty(const struct rig *rig)
{
	struct txn_counts n = txn_layer_counts(rig->l);

	ck_assert_uint_eq(n.server_open + n.server_lingering + n.client + n.linger_bytes, 0);
	ck_assert_uint_eq(rig->l->entries.used_n + rig->l->servers.used_n + rig->l->finals.used_n +
	                          rig->l->lives.used_n + rig->l->cancels.used_n,
	                  0);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	ck_assert_uint_eq(rig->w->arenas.used_n, 0);
	ck_assert_int_eq(timers_next_ms(rig->w->timers), -1);
}

static void run(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct txn_user user = {
		.request = on_request,
		.cancelled = on_cancelled,
		.server_end = on_server_end,
		.response = on_response,
		.failed = on_failed,
		.client_end = on_client_end,
		.arg = w,
	};

	w->seed = seed * 1000003;
	ck_assert_int_eq(rig_init(&w->rig), 0);
	txn_layer_set_user(w->rig.l, &user);
	if (seed % 2) {
		w->rig.l->linger_max = 5000;
	}
	for (unsigned i = 0; i < EVENTS; i++) {
		step(w);
	}
	finish(w);
	ck_assert_uint_gt(w->ended, EVENTS / 100);
	check_empty(&w->rig);
	rig_fini(&w->rig);
	free(w);
}

/* BELFRY_SEED=n in the environment runs that one only. */
START_TEST(random_events_keep_the_order_of_callbacks_and_leak_nothing)
{
	const char *only = getenv("BELFRY_SEED");

	if (only) {
		run(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		printf("seed %u\n", (unsigned)seed);
		fflush(stdout);
		run(seed);
	}
}
END_TEST

UNIT_MAIN("transaction/random", random_events_keep_the_order_of_callbacks_and_leak_nothing)
