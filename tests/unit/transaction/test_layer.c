/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

#include "transport/priv.h"

/* --- the table ---------------------------------------------------------------------------------
 */

START_TEST(table_finds_all_while_it_grows_and_shrinks)
{
	enum { N = 20000 };
	struct txn_entry *v = calloc(N, sizeof(*v));
	struct txn_table t;

	ck_assert_int_eq(txn_table_init(&t), 0);
	for (size_t i = 0; i < N; i++) {
		v[i].id.v[0] = hash_mix(i);
		v[i].id.v[1] = i;
		txn_table_add(&t, &v[i]);
		if (i % 3 == 0) {
			txn_table_del(&t, &v[i / 3]);
			txn_table_add(&t, &v[i / 3]);
		}
	}
	ck_assert_uint_ge(t.mask + 1, N / 2);
	for (size_t i = 0; i < N; i++) {
		struct txn_entry *e = txn_table_chain(&t, &v[i].id);
		unsigned len = 0;

		for (; e && e != &v[i]; e = e->next) {
			len++;
		}
		ck_assert_ptr_eq(e, &v[i]);
		ck_assert_uint_lt(len, 20);
		if (i % 2) {
			txn_table_del(&t, &v[i]);
		}
	}
	ck_assert_uint_eq(t.n, N / 2);
	txn_table_fini(&t);
	free(v);
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------
 */

static int receive_new(struct rig *rig, unsigned i, const char *to_params)
{
	char branch[32];

	snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
	rig_receive(rig, TP_UDP, "MESSAGE", branch, to_params, "");
	return rig_server_new(rig, &rig->st);
}

START_TEST(the_last_tenth_is_kept_for_dialogs_and_emergency_calls)
{
	struct rig *rig = rig_new();

	rig->conf.server.max_transactions = 20;
	for (unsigned i = 0; i < 18; i++) {
		ck_assert_int_eq(receive_new(rig, i, ""), 0);
	}
	ck_assert_int_eq(receive_new(rig, 100, ""), BELFRY_EFULL);
	ck_assert_int_eq(receive_new(rig, 101, ";tag=dialog"), 0);
	rig_receive_text(rig, TP_UDP, &rig->up,
	                 "INVITE urn:service:sos SIP/2.0\n"
	                 "Via: SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKsos\n"
	                 "From: <sip:a@example.net>;tag=1\nTo: <urn:service:sos>\n"
	                 "Call-ID: x\nCSeq: 1 INVITE\n\n");
	ck_assert_int_eq(rig_server_new(rig, &rig->st), 0);
	ck_assert_int_eq(receive_new(rig, 102, ";tag=dialog"), BELFRY_EFULL);
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_open, 20);
	ck_assert_uint_eq(rig->w->counts->v[rig->l->ids.rejected_full], 2);
	rig_free(rig);
}
END_TEST

/* Whatever max_transactions says: without a buffer nothing is heard, not even the answers. */
START_TEST(transactions_leave_receive_buffers_for_what_goes_on)
{
	enum { N = 2000 };
	struct rig *rig = rig_new();
	struct msgbuf **held = calloc(N, sizeof(struct msgbuf *));
	size_t n = 0;

	ck_assert_int_eq(receive_new(rig, 1, ""), 0);
	while (msgbuf_load(rig->req->buf) < TXN_LOAD_MAX) {
		ck_assert_uint_lt(n, N);
		held[n++] = msgbuf_new(rig->w->bufs, MSGBUF_MAX);
	}
	ck_assert_int_eq(receive_new(rig, 2, ""), BELFRY_EFULL);
	ck_assert_int_eq(receive_new(rig, 3, ";tag=dialog"), 0);
	while (msgbuf_load(rig->req->buf) < TXN_LOAD_MAX_PREFERRED) {
		ck_assert_uint_lt(n, N);
		held[n++] = msgbuf_new(rig->w->bufs, MSGBUF_MAX);
	}
	ck_assert_int_eq(receive_new(rig, 4, ";tag=dialog"), BELFRY_EFULL);
	ck_assert(!msgbuf_pool_is_tight(rig->w->bufs));
	ck_assert_uint_eq(rig->w->counts->v[rig->l->ids.rejected_full], 2);
	while (n > 0) {
		msgbuf_unref(&held[--n], NULL); /* they go home by the return list */
	}
	ck_assert_int_eq(receive_new(rig, 5, ""), 0);
	free(held);
	rig_free(rig);
}
END_TEST

START_TEST(completed_transactions_do_not_count_against_the_limit)
{
	struct rig *rig = rig_new();

	rig->conf.server.max_transactions = 10;
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_int_eq(receive_new(rig, i, ""), 0);
		rig_reply(rig, 200);
	}
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_open, 0);
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 50);
	ck_assert(txn_layer_is_idle(rig->l));
	rig_free(rig);
}
END_TEST

START_TEST(beyond_the_byte_limit_the_oldest_lingering_one_ends)
{
	struct rig *rig = rig_new();

	rig->l->linger_max = 3000;
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_int_eq(receive_new(rig, i, ""), 0);
		rig_reply(rig, 200);
		if (i % 2) {
			txn_server_detach(rig->st);
		}
		ck_assert_uint_le(txn_layer_counts(rig->l).linger_bytes, 3000);
	}
	rig->log_n = 0;
	rig_turn(rig);
	ck_assert_uint_ge(rig->log_n, strlen("server_end server_end"));
	ck_assert_uint_gt(rig->w->counts->v[rig->l->ids.evicted], 8);
	ck_assert_uint_eq(rig->w->counts->v[rig->l->ids.evicted] +
	                          txn_layer_counts(rig->l).server_lingering,
	                  20);
	rig_count_sent(rig, "SIP/2.0 200 ");
	rig->log_n = 0;
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bK19", "", "");
	rig_sent(rig, "SIP/2.0 200 "); /* the newest is there */
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bK0", "", "");
	rig_expect(rig, "request:MESSAGE");
	rig_free(rig);
}
END_TEST

START_TEST(lingering_client_transactions_are_under_the_byte_limit_too)
{
	struct rig *rig = rig_new();

	rig->l->linger_max = 2000;
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
		rig_respond(rig, TP_UDP, i % 2 ? 200 : 486, NULL);
		ck_assert_uint_le(txn_layer_counts(rig->l).linger_bytes, 2000);
	}
	rig_turn(rig);
	ck_assert_uint_gt(rig->w->counts->v[rig->l->ids.evicted], 8);
	rig_free(rig);
}
END_TEST

/* --- looking in --------------------------------------------------------------------------------
 */

static void collect(void *arg, const struct txn_info *info)
{
	char *to = arg;

	sprintf(to + strlen(to), "%s %.*s %.*s %s %d %u;", info->is_server ? "server" : "client",
	        STR_FMT(info->method), STR_FMT(info->ruri), info->state, info->status,
	        (unsigned)info->age_ms);
	ck_assert_uint_gt(info->branch.n, 7);
	ck_assert_str_is(info->call_id, "call@example.net");
}

START_TEST(each_shows_what_is_live_in_the_rfc_s_words)
{
	struct rig *rig = rig_new();
	char text[1024] = "";

	rig_server(rig, TP_UDP, "INVITE");
	txn_server_trying(rig->st);
	rig_pass(rig, 10);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	txn_layer_each(rig->l, collect, text);
	ck_assert_str_eq(text, "server INVITE sip:bob@example.com proceeding 100 10;"
	                       "client INVITE sip:bob@192.0.2.22 calling 0 0;");
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_reply(rig, 486);
	text[0] = '\0';
	txn_layer_each(rig->l, collect, text);
	ck_assert_str_eq(text, "client INVITE sip:bob@192.0.2.22 proceeding 180 0;");
	ck_assert(!txn_layer_is_idle(rig->l));
	rig_respond(rig, TP_UDP, 200, NULL);
	text[0] = '\0';
	txn_layer_each(rig->l, collect, text);
	ck_assert_str_eq(text, "");
	ck_assert(txn_layer_is_idle(rig->l));
	rig_free(rig);
}
END_TEST

START_TEST(gauges_follow_and_come_back_to_zero)
{
	struct rig *rig = rig_new();
	const struct txn_ids *ids = &rig->l->ids;
	struct counter_set *c = rig->w->counts;

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	ck_assert_uint_eq(c->v[ids->server_n], 1);
	ck_assert_uint_eq(c->v[ids->client_n], 1);
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_reply(rig, 486);
	ck_assert_uint_eq(c->v[ids->server_n], 0);
	ck_assert_uint_eq(c->v[ids->client_n], 0);
	ck_assert_uint_eq(c->v[ids->linger_n], 2);
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	ck_assert_uint_eq(c->v[ids->retrans_in], 2);
	ck_assert_uint_eq(c->v[ids->retrans_out], 2);
	rig_pass(rig, 32000);
	ck_assert_uint_eq(c->v[ids->linger_n], 0);
	rig_free(rig);
}
END_TEST

static bool is_asked(void *arg, const struct tp_flow *flow)
{
	(void)flow;
	*(bool *)arg = true;
	return true;
}

static enum tp_verdict packet_asked(void *arg, struct str data, const struct tp_flow *from)
{
	(void)from;
	ck_assert_str_is(data, "\r\n");
	*(bool *)arg = true;
	return TP_DONE;
}

static void flow_asked(void *arg, const struct tp_flow *flow, bool up)
{
	(void)flow;
	(void)up;
	*(bool *)arg = true;
}

START_TEST(the_transport_s_other_news_go_up)
{
	struct rig *rig = rig_new();
	bool asked = false;
	const struct txn_user user = {
		.in_use = is_asked, .packet = packet_asked, .flow = flow_asked, .arg = &asked
	};
	const struct transport_user *up = &rig->tp->user;
	struct tp_flow flow = { .proto = TP_TCP, .conn = 99, .remote = rig->down };

	ck_assert(!up->in_use(up->arg, &flow));
	ck_assert_int_eq(up->packet(up->arg, STR("\r\n"), &flow), TP_CONTINUE);
	txn_layer_set_user(rig->l, &user);
	ck_assert(up->in_use(up->arg, &flow) && asked);
	asked = false;
	ck_assert(up->packet(up->arg, STR("\r\n"), &flow) == TP_DONE && asked);
	asked = false;
	up->flow(up->arg, &flow, true);
	ck_assert(asked);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/layer", table_finds_all_while_it_grows_and_shrinks,
          the_last_tenth_is_kept_for_dialogs_and_emergency_calls,
          transactions_leave_receive_buffers_for_what_goes_on,
          completed_transactions_do_not_count_against_the_limit,
          beyond_the_byte_limit_the_oldest_lingering_one_ends,
          lingering_client_transactions_are_under_the_byte_limit_too,
          each_shows_what_is_live_in_the_rfc_s_words, gauges_follow_and_come_back_to_zero,
          the_transport_s_other_news_go_up)
