/* SPDX-License-Identifier: Apache-2.0 */
/* Taps on one worker that the test drives, on a wire that is not there. */
#include "ctl/trace.h"

#include "transport/priv.h"
#include "util/err.h"

#include "support/unit.h"

#include <errno.h>

static struct conf conf;
static struct counters *counters;
static struct workers *ws;
static struct worker *w;
static struct transport *tp;
static struct fake_wire *wire;
static struct ctl_env env;

struct watcher {
	struct trace_tap *tap;
	int opened, n;
	bool was_sent;
	uint8_t proto;
	char text[4096];
};

static void on_opened(void *arg)
{
	((struct watcher *)arg)->opened++;
}

static void on_record(void *arg, const struct trace_record *rec)
{
	struct watcher *v = arg;

	v->n++;
	v->was_sent = rec->is_sent;
	v->proto = rec->proto;
	ck_assert_uint_lt(rec->n, sizeof(v->text));
	memcpy(v->text, rec->text, rec->n);
	v->text[rec->n] = '\0';
	ck_assert_uint_ne(rec->remote.family, 0);
	ck_assert_uint_ne(rec->local.family, 0);
	ck_assert_int_gt(rec->unix_us, 0);
}

static void on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	(void)arg;
	(void)from;
	sip_msg_unref(&msg);
}

static void take_down(void)
{
	mailbox_free(env.mailbox);
	if (tp) {
		transport_free_fake(tp);
	}
	workers_stop(ws);
	workers_free(ws);
	counters_free(counters);
}

static int set_up(void)
{
	static const struct transport_user user = { .request = on_request, .response = on_request };
	struct workers_params params = {
		.n = 1, .conf = &conf, .mailbox_max = 16, .msgbufs_max = 16
	};
	int err;

	conf = (struct conf){ .refs = 1 };
	env = (struct ctl_env){ .conf = &conf };
	counters = params.counters = counters_new();
	if (!counters) {
		return -ENOMEM;
	}
	err = workers_new(&params, &ws);
	if (err) {
		counters_free(counters);
		return err;
	}
	w = workers_get(ws, 0);
	tp = transport_new_fake(w, &wire);
	env.mailbox = mailbox_new(16);
	if (!tp || !env.mailbox) {
		take_down();
		return -ENOMEM;
	}
	transport_set_user(tp, &user);
	env.workers = ws;
	env.transports = transport_group_of(tp);
	return 0;
}

/* The main thread's turn. */
static void run_main(void)
{
	struct job *job = mailbox_take(env.mailbox), *next;

	for (; job; job = next) {
		next = job->next;
		job->run(job, NULL);
	}
}

static void turn(void)
{
	worker_turn(w);
	run_main();
}

static void tear_down(void)
{
	workers_stop(ws);
	run_main();
	trace_hub_free(env.trace);
	take_down();
}

static int watch(struct watcher *v, const struct trace_filter *filter)
{
	const struct trace_tap_params params = {
		.filter = *filter, .opened = on_opened, .record = on_record, .arg = v
	};

	return trace_tap_open(&env, &params, &v->tap);
}

#define REQUEST(call_id, user, lines)                                                              \
	"OPTIONS sip:" user "@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"       \
	"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:" user "@example.com>\r\n"                \
	"Call-ID: " call_id "\r\nCSeq: 1 OPTIONS\r\n" lines "Content-Length: 0\r\n\r\n"

static void receive(const char *text)
{
	struct net_addr from;

	ck_assert_int_eq(net_addr_parse(STR("198.51.100.7"), 6000, &from), 0);
	fake_wire_receive(wire, str_from(text), TP_UDP, &from);
	turn();
}

static void send_pieces(char *a, char *b, uint8_t proto)
{
	struct iovec iov[] = { { a, strlen(a) }, { b, strlen(b) } };
	const struct sip_out out = { .iov = iov, .iov_n = 2, .len = strlen(a) + strlen(b) };
	struct tp_flow flow;
	struct net_addr to;

	ck_assert_int_eq(net_addr_parse(STR("198.51.100.8"), 6001, &to), 0);
	ck_assert_int_eq(transport_pick(tp, proto, &to, NULL, &flow), 0);
	ck_assert_int_eq(transport_send(tp, &flow, false, &out), 0);
	turn();
}

START_TEST(a_tap_sees_what_comes_and_goes_without_credentials)
{
	static char head[] = "SIP/2.0 200 OK\r\nCall-ID: x\r\n", tail[] = "CSeq: 1 OPTIONS\r\n\r\n";
	struct watcher v = { .n = 0 };

	ck_assert_int_eq(set_up(), 0);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR_NONE }), 0);
	ck_assert_int_eq(v.opened, 0);
	turn();
	ck_assert_int_eq(v.opened, 1);
	receive(REQUEST("x", "bob", "Authorization: Digest response=\"12\"\r\n"));
	ck_assert_int_eq(v.n, 1);
	ck_assert(!v.was_sent);
	ck_assert_str_eq(v.text, REQUEST("x", "bob", "Authorization: Digest response=\"xx\"\r\n"));
	send_pieces(head, tail, TP_TCP);
	ck_assert_int_eq(v.n, 2);
	ck_assert(v.was_sent);
	ck_assert_uint_eq(v.proto, TP_TCP);
	ck_assert_str_eq(v.text, "SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n");
	trace_tap_close(&v.tap);
	tear_down();
}
END_TEST

START_TEST(the_hook_is_there_only_while_somebody_watches)
{
	struct watcher a = { .n = 0 }, b = { .n = 0 };

	ck_assert_int_eq(set_up(), 0);
	ck_assert_ptr_null(tp->trace);
	ck_assert_int_eq(watch(&a, &(struct trace_filter){ .user = STR_NONE }), 0);
	ck_assert_int_eq(watch(&b, &(struct trace_filter){ .call_id = STR("x") }), 0);
	turn();
	ck_assert_ptr_nonnull(tp->trace);
	receive(REQUEST("x", "bob", ""));
	receive(REQUEST("y", "bob", ""));
	ck_assert_int_eq(a.n, 2);
	ck_assert_int_eq(b.n, 1);
	trace_tap_close(&a.tap);
	ck_assert_ptr_null(a.tap);
	turn();
	ck_assert_ptr_nonnull(tp->trace);
	receive(REQUEST("x", "bob", ""));
	ck_assert_int_eq(a.n, 2);
	ck_assert_int_eq(b.n, 2);
	trace_tap_close(&b.tap);
	turn();
	ck_assert_ptr_null(tp->trace);
	receive(REQUEST("x", "bob", ""));
	ck_assert_int_eq(b.n, 2);
	tear_down();
}
END_TEST

START_TEST(the_rest_of_a_call_that_matched_is_seen)
{
	static char head[] = "SIP/2.0 200 OK\r\n", tail[] = "Call-ID: one\r\n\r\n";
	struct watcher v = { .n = 0 };

	ck_assert_int_eq(set_up(), 0);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR("bob") }), 0);
	turn();
	receive(REQUEST("two", "carol", ""));
	ck_assert_int_eq(v.n, 0);
	receive(REQUEST("one", "bob", ""));
	receive(REQUEST("one", "192.0.2.1", ""));
	send_pieces(head, tail, TP_UDP);
	ck_assert_int_eq(v.n, 3);
	trace_tap_close(&v.tap);
	tear_down();
}
END_TEST

START_TEST(more_than_is_kept_for_the_main_thread_is_dropped_and_counted)
{
	struct watcher v = { .n = 0 };
	struct net_addr from;
	char *text;
	int sent = 0;

	ck_assert_int_eq(set_up(), 0);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR_NONE }), 0);
	turn();
	ck_assert_int_eq(net_addr_parse(STR("198.51.100.7"), 6000, &from), 0);
	text = malloc(3000);
	memset(text, 'x', 3000);
	memcpy(text, REQUEST("x", "bob", "X: "), sizeof(REQUEST("x", "bob", "X: ")) - 24);
	for (; trace_tap_dropped(v.tap) == 0 && sent < 4000; sent++) {
		fake_wire_receive(wire, str_make(text, 3000), TP_UDP, &from);
	}
	free(text);
	ck_assert_int_lt(sent, 4000); /* some 1,400 fit */
	ck_assert_int_gt(sent, 1000);
	run_main();
	ck_assert_int_eq(v.n, sent - 1);
	receive(REQUEST("x", "bob", ""));
	ck_assert_int_eq(v.n, sent);
	ck_assert_uint_eq(trace_tap_dropped(v.tap), 0);
	trace_tap_close(&v.tap);
	tear_down();
}
END_TEST

START_TEST(a_tap_may_be_closed_at_any_moment)
{
	struct watcher v = { .n = 0 };

	ck_assert_int_eq(set_up(), 0);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR_NONE }), 0);
	trace_tap_close(&v.tap); /* before the worker has heard of it */
	turn();
	ck_assert_int_eq(v.opened, 0);
	ck_assert_ptr_null(tp->trace);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR_NONE }), 0);
	worker_turn(w);
	fake_wire_receive(wire, STR(REQUEST("x", "bob", "")), TP_UDP,
	                  &(struct net_addr){ .family = 4, .port = 1 });
	trace_tap_close(&v.tap); /* with a message on its way */
	turn();
	ck_assert_int_eq(v.n, 0);
	ck_assert_int_eq(watch(&v, &(struct trace_filter){ .user = STR_NONE }), 0);
	turn();
	workers_stop(ws);
	run_main();
	trace_hub_free(env.trace); /* the server ends first */
	env.trace = NULL;
	trace_tap_close(&v.tap);
	tear_down();
}
END_TEST

static int scenario(void *arg)
{
	struct watcher v = { .n = 0 };
	int err = set_up();

	(void)arg;
	if (err) {
		return err;
	}
	err = watch(&v, &(struct trace_filter){ .call_id = STR("x") });
	turn();
	if (err == 0) {
		struct net_addr from = { .family = 4, .port = 1 };

		fake_wire_receive(wire, STR(REQUEST("x", "bob", "")), TP_UDP, &from);
		run_main();
		err = v.n == 1 ? 0 : -ENOMEM;
	}
	trace_tap_close(&v.tap);
	tear_down();
	return err;
}

START_TEST(without_memory_messages_are_dropped_and_nothing_else)
{
	oom_each(scenario, NULL);
}
END_TEST

UNIT_MAIN("ctl/trace", a_tap_sees_what_comes_and_goes_without_credentials,
          the_hook_is_there_only_while_somebody_watches, the_rest_of_a_call_that_matched_is_seen,
          more_than_is_kept_for_the_main_thread_is_dropped_and_counted,
          a_tap_may_be_closed_at_any_moment, without_memory_messages_are_dropped_and_nothing_else)
