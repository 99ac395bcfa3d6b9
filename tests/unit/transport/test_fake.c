/* SPDX-License-Identifier: Apache-2.0 */
/* The fake wire, and through it what real and fake transport have in common. */
#include "transport/transport.h"

#include <errno.h>

#include "support/unit.h"
#include "util/err.h"

#define OPTIONS(via)                                                                               \
	"OPTIONS sip:example.com SIP/2.0\r\nVia: " via "\r\nFrom: <sip:a@example.com>;tag=1\r\n"   \
	"To: <sip:example.com>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"           \
	"Content-Length: 0\r\n\r\n"

struct seen {
	unsigned requests, responses, gone, up, down;
	int error;
	struct tp_flow from;
	struct sip_via via;
	uint64_t gone_conn;
	struct net_addr gone_addr;
};

static struct worker *w;
static struct transport *tp;
static struct fake_wire *wire;
static struct seen seen;
static struct conf conf = { .refs = 1 };

static void on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct seen *s = arg;

	s->requests++;
	s->error = msg->error;
	s->from = *from;
	sip_msg_unref(&msg);
}

static void on_response(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct seen *s = arg;

	s->responses++;
	s->from = *from;
	sip_msg_unref(&msg);
}

static void on_unreachable(void *arg, uint8_t proto, const struct net_addr *remote, uint64_t conn)
{
	struct seen *s = arg;

	(void)proto;
	s->gone++;
	s->gone_addr = *remote;
	s->gone_conn = conn;
}

static void on_flow(void *arg, const struct tp_flow *flow, bool up)
{
	struct seen *s = arg;

	ck_assert_uint_ne(flow->conn, 0);
	s->up += up;
	s->down += !up;
}

static const struct transport_user user = { .request = on_request,
	                                    .response = on_response,
	                                    .unreachable = on_unreachable,
	                                    .flow = on_flow,
	                                    .arg = &seen };

static struct net_addr addr_of(const char *host, uint16_t port)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_parse(str_from(host), port, &addr), 0);
	return addr;
}

static void set_up(struct conf *with)
{
	w = worker_new_fake(with, 1000);
	ck_assert_ptr_nonnull(w);
	tp = transport_new_fake(w, &wire);
	ck_assert_ptr_nonnull(tp);
	transport_set_user(tp, &user);
	ck_assert_ptr_eq(transport_get(transport_group_of(tp), 0), tp);
}

static void tear_down(void)
{
	transport_free_fake(tp);
	worker_free_fake(w);
}

static int send_text(struct tp_flow *flow, bool reopen, const char *text)
{
	static struct iovec iov[8];
	static unsigned n;
	struct sip_out out = { .iov = &iov[n++ % 8], .iov_n = 1, .len = strlen(text) };

	out.iov[0] = (struct iovec){ (void *)(uintptr_t)text, out.len };
	return transport_send(tp, flow, reopen, &out);
}

static uint64_t counted(const char *name, const char *labels)
{
	const struct counter_def def = { .type = COUNTER_COUNTER, .name = name, .labels = labels };

	return counters_get(w->counters, counters_register(w->counters, &def));
}

START_TEST(a_datagram_goes_up_and_what_is_sent_is_seen_after_the_turn)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);
	struct tp_flow flow;
	struct str bytes;

	set_up(NULL);
	fake_wire_receive(wire, STR(OPTIONS("SIP/2.0/UDP a;branch=z9hG4bK1")), TP_UDP, &peer);
	ck_assert_uint_eq(seen.requests, 1);
	ck_assert_int_eq(seen.error, 0);
	ck_assert(net_addr_eq(&seen.from.remote, &peer));
	ck_assert(!seen.from.accepted && seen.from.conn == 0);
	flow = seen.from;
	ck_assert_int_eq(send_text(&flow, false, "hello"), 0);
	ck_assert(!fake_wire_sent(wire, &bytes, NULL));
	worker_turn(w);
	ck_assert(fake_wire_sent(wire, &bytes, &flow));
	ck_assert_str_is(bytes, "hello");
	ck_assert(tp_flow_eq(&flow, &seen.from));
	ck_assert(!fake_wire_sent(wire, NULL, NULL));
	ck_assert_uint_eq(counted("belfry_requests_total", "method=\"OPTIONS\",transport=\"udp\""),
	                  1);
	tear_down();
}
END_TEST

START_TEST(a_request_with_an_error_is_handed_up_and_noise_is_not)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);

	set_up(NULL);
	fake_wire_receive(
		wire, STR("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n"),
		TP_UDP, &peer);
	ck_assert_uint_eq(seen.requests, 1);
	ck_assert_int_eq(seen.error, 400);
	fake_wire_receive(wire, STR("what is this?"), TP_UDP, &peer);
	ck_assert_uint_eq(seen.requests, 1);
	ck_assert_uint_eq(seen.responses, 0);
	ck_assert_uint_eq(counted("belfry_parse_errors_total", NULL), 2);
	tear_down();
}
END_TEST

START_TEST(a_stream_is_used_in_both_directions_until_it_ends)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);
	struct tp_flow from, back, to;

	set_up(NULL);
	fake_wire_receive(wire, STR(OPTIONS("SIP/2.0/TCP a;branch=z9hG4bK1")), TP_TCP, &peer);
	from = seen.from;
	ck_assert(from.accepted && from.conn);
	ck_assert_uint_eq(seen.up, 1);
	back = from;
	ck_assert_int_eq(send_text(&back, false, "x"), 0);
	ck_assert_uint_eq(back.conn, from.conn);
	/* A connection that the peer opened is not used for a request to its address. */
	ck_assert_int_eq(transport_pick(tp, TP_TCP, &peer, NULL, &to), 0);
	ck_assert_uint_eq(to.conn, 0);
	ck_assert_int_eq(send_text(&to, false, "y"), 0);
	ck_assert_uint_ne(to.conn, 0);
	ck_assert_uint_ne(to.conn, from.conn);
	ck_assert(transport_flow_is_alive(transport_group_of(tp), &from));
	fake_wire_unreachable(wire, TP_TCP, &peer);
	ck_assert_uint_eq(seen.gone_conn, from.conn);
	ck_assert_uint_eq(seen.down, 1);
	ck_assert(!transport_flow_is_alive(transport_group_of(tp), &from));
	ck_assert_int_eq(send_text(&back, false, "z"), BELFRY_EUNREACH);
	ck_assert_int_eq(send_text(&back, true, "z"), 0);
	ck_assert_uint_eq(back.conn, to.conn);
	transport_close(tp, &to);
	ck_assert_uint_eq(seen.gone_conn, to.conn);
	tear_down();
}
END_TEST

START_TEST(sends_can_be_made_to_fail)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);
	struct tp_flow to;

	set_up(NULL);
	ck_assert_int_eq(transport_pick(tp, TP_UDP, &peer, NULL, &to), 0);
	fake_wire_fail(wire, 2, BELFRY_EUNREACH);
	ck_assert_int_eq(send_text(&to, false, "1"), BELFRY_EUNREACH);
	ck_assert_int_eq(send_text(&to, false, "2"), BELFRY_EUNREACH);
	ck_assert_int_eq(send_text(&to, false, "3"), 0);
	fake_wire_unreachable(wire, TP_UDP, &peer);
	ck_assert(net_addr_eq(&seen.gone_addr, &peer));
	ck_assert_uint_eq(seen.gone_conn, 0);
	tear_down();
}
END_TEST

/* --- the local side ------------------------------------------------------------------------------
 */

static struct conf_listen listens[6];

static void listen_on(size_t i, int transport, const char *host, uint16_t port)
{
	listens[i] = (struct conf_listen){ .transport = transport, .port = port };
	listens[i].addr = addr_of(host, port);
	conf.listen = listens;
	conf.listen_n = i + 1;
}

static const struct tp_listener *pick(uint8_t proto, const char *host, const struct tp_flow *prefer)
{
	struct net_addr remote = addr_of(host, 5060);
	struct tp_flow flow;

	return transport_pick(tp, proto, &remote, prefer, &flow) == 0 ? flow.listener : NULL;
}

START_TEST(the_local_side_fits_the_destination_and_the_side_it_came_from)
{
	struct tp_flow prefer = { .proto = TP_TCP };

	listen_on(0, CONF_UDP, "127.0.0.1", 5060);
	listen_on(1, CONF_UDP, "192.0.2.1", 5060);
	listen_on(2, CONF_UDP, "192.0.2.2", 5060);
	listen_on(3, CONF_TCP, "192.0.2.2", 5060);
	listen_on(4, CONF_UDP, "2001:db8::1", 5060);
	listen_on(5, CONF_UDP, "192.0.2.2", 5070);
	set_up(&conf);
	ck_assert_str_is(pick(TP_UDP, "198.51.100.1", NULL)->host, "192.0.2.1");
	ck_assert_str_is(pick(TP_UDP, "127.0.0.9", NULL)->host, "127.0.0.1");
	ck_assert_str_is(pick(TP_UDP, "2001:db8::9", NULL)->host, "[2001:db8::1]");
	prefer.listener = pick(TP_TCP, "198.51.100.1", NULL);
	ck_assert_str_is(pick(TP_UDP, "198.51.100.1", &prefer)->host, "192.0.2.2");
	ck_assert_str_is(pick(TP_UDP, "198.51.100.1", &prefer)->uri_hostport, "192.0.2.2");
	prefer.listener = transport_listener(transport_group_of(tp), 5);
	ck_assert_str_is(pick(TP_UDP, "198.51.100.1", &prefer)->uri_hostport, "192.0.2.2:5070");
	ck_assert_str_is(pick(TP_TCP, "2001:db8::9", NULL)->host, "192.0.2.2");
	ck_assert_ptr_null(pick(TP_TLS, "198.51.100.1", NULL));
	conf.listen_n = 0;
	tear_down();
}
END_TEST

static void check_names(const char *host, const char *via, const char *uri, uint16_t port)
{
	const struct tp_listener *l;

	set_up(&conf);
	l = transport_listener(transport_group_of(tp), 0);
	ck_assert_str_is(l->host, host);
	ck_assert_str_is(l->via_prefix, via);
	ck_assert_str_is(l->uri_hostport, uri);
	ck_assert_uint_eq(l->port, port);
	tear_down();
}

START_TEST(the_names_of_a_listener_come_from_advertise_then_server_name_then_address)
{
	listen_on(0, CONF_UDP, "192.0.2.1", 5060);
	check_names("192.0.2.1", "SIP/2.0/UDP 192.0.2.1", "192.0.2.1", 0);
	listen_on(0, CONF_TCP, "2001:db8::1", 5070);
	check_names("[2001:db8::1]", "SIP/2.0/TCP [2001:db8::1]:5070", "[2001:db8::1]:5070", 5070);
	conf.server.name = STR("sip.example.com");
	check_names("sip.example.com", "SIP/2.0/TCP sip.example.com:5070", "sip.example.com:5070",
	            5070);
	listens[0].advertise_host = STR("2001:db8::5");
	listens[0].advertise_port = 5060;
	check_names("[2001:db8::5]", "SIP/2.0/TCP [2001:db8::5]", "[2001:db8::5]", 0);
	listen_on(0, CONF_TLS, "192.0.2.1", 5061);
	check_names("sip.example.com", "SIP/2.0/TLS sip.example.com", "sip.example.com:5061", 0);
	conf.server.name = STR_NONE;
	conf.listen_n = 0;
}
END_TEST

/* --- where a response goes -----------------------------------------------------------------------
 */

static struct tp_flow response_flow(const char *via_text, uint8_t proto)
{
	struct tp_flow from = { .proto = proto, .conn = proto == TP_UDP ? 0 : 7 }, to;
	struct sip_via via;

	from.remote = addr_of("198.51.100.7", 6000);
	ck_assert_int_eq(sip_via_parse(str_from(via_text), &via), 0);
	transport_response_flow(&via, &from, &to);
	ck_assert(net_addr_eq_ip(&to.remote, &from.remote));
	ck_assert_uint_eq(to.conn, from.conn);
	return to;
}

START_TEST(test_rfc3581_4_a_response_goes_to_rport_or_the_sent_by_port)
{
	ck_assert_uint_eq(response_flow("SIP/2.0/UDP a.example;rport", TP_UDP).remote.port, 6000);
	ck_assert_uint_eq(response_flow("SIP/2.0/UDP a.example:7000", TP_UDP).remote.port, 7000);
	ck_assert_uint_eq(response_flow("SIP/2.0/UDP a.example", TP_UDP).remote.port, 5060);
	ck_assert_uint_eq(response_flow("SIP/2.0/UDP a;maddr=224.2.0.1", TP_UDP).remote.port, 5060);
	ck_assert_uint_eq(response_flow("SIP/2.0/TCP a.example:7000;rport", TP_TCP).remote.port,
	                  7000);
	ck_assert_uint_eq(response_flow("SIP/2.0/TLS a.example", TP_TLS).remote.port, 5061);
}
END_TEST

START_TEST(flows_are_equal_by_connection_or_by_both_addresses)
{
	struct tp_listener l1 = { .proto = TP_UDP }, l2 = { .proto = TP_UDP };
	struct tp_flow a = { .listener = &l1 }, b;

	l1.addr = l2.addr = addr_of("0.0.0.0", 5060);
	a.remote = addr_of("198.51.100.7", 6000);
	a.local = addr_of("192.0.2.1", 5060);
	b = a;
	b.listener = &l2; /* the same socket under another name */
	ck_assert(tp_flow_eq(&a, &b));
	b.local = (struct net_addr){ 0 };
	ck_assert(tp_flow_eq(&a, &b));
	b.local = addr_of("192.0.2.2", 5060);
	ck_assert(!tp_flow_eq(&a, &b));
	b = a;
	b.remote.port++;
	ck_assert(!tp_flow_eq(&a, &b));
	b = a;
	b.conn = 1;
	ck_assert(!tp_flow_eq(&a, &b));
	a.conn = 1;
	ck_assert(tp_flow_eq(&a, &b));
}
END_TEST

static unsigned traced[2];

static void on_trace(void *arg, bool sent, const struct tp_flow *flow, const struct sip_out *out)
{
	ck_assert_ptr_null(arg);
	ck_assert_ptr_nonnull(flow->listener);
	ck_assert_uint_gt(out->len, 0);
	traced[sent]++;
}

START_TEST(a_trace_sees_both_directions)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);
	struct tp_flow flow;

	set_up(NULL);
	transport_set_trace(tp, on_trace, NULL);
	fake_wire_receive(wire, STR(OPTIONS("SIP/2.0/UDP a;branch=z9hG4bK1")), TP_UDP, &peer);
	flow = seen.from;
	ck_assert_int_eq(send_text(&flow, false, "hello"), 0);
	transport_set_trace(tp, NULL, NULL);
	ck_assert_int_eq(send_text(&flow, false, "hello"), 0);
	ck_assert_uint_eq(traced[false], 1);
	ck_assert_uint_eq(traced[true], 1);
	tear_down();
}
END_TEST

static int fake_scenario(void *arg)
{
	struct net_addr peer = addr_of("198.51.100.7", 6000);
	unsigned before = seen.requests;
	struct tp_flow flow;
	int err;

	(void)arg;
	w = worker_new_fake(NULL, 1000);
	tp = w ? transport_new_fake(w, &wire) : NULL;
	if (!tp) {
		worker_free_fake(w);
		return -ENOMEM;
	}
	transport_set_user(tp, &user);
	fake_wire_receive(wire, STR(OPTIONS("SIP/2.0/TCP a;branch=z9hG4bK1")), TP_TCP, &peer);
	err = seen.requests == before + 1 ? 0 : -ENOMEM;
	ck_assert_int_eq(transport_pick(tp, TP_TCP, &peer, NULL, &flow), 0);
	err = send_text(&flow, false, "x") ? -ENOMEM : err;
	worker_turn(w);
	err = fake_wire_sent(wire, NULL, NULL) ? err : -ENOMEM;
	tear_down();
	return err;
}

START_TEST(without_memory_messages_are_lost_and_nothing_else)
{
	oom_each(fake_scenario, NULL);
}
END_TEST

UNIT_MAIN("transport/fake", a_datagram_goes_up_and_what_is_sent_is_seen_after_the_turn,
          a_request_with_an_error_is_handed_up_and_noise_is_not,
          a_stream_is_used_in_both_directions_until_it_ends, sends_can_be_made_to_fail,
          the_local_side_fits_the_destination_and_the_side_it_came_from,
          the_names_of_a_listener_come_from_advertise_then_server_name_then_address,
          test_rfc3581_4_a_response_goes_to_rport_or_the_sent_by_port,
          flows_are_equal_by_connection_or_by_both_addresses, a_trace_sees_both_directions,
          without_memory_messages_are_lost_and_nothing_else)
