/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolve.h"

#include "dns/query.h"
#include "dns/rr.h"
#include "dns/server.h"
#include "transport/transport.h"
#include "util/err.h"

#include "support/unit.h"

#include <event2/event.h>
#include <stdio.h>

#define ALL (1U << TP_UDP | 1U << TP_TCP | 1U << TP_TLS | 1U << TP_WS | 1U << TP_WSS)

struct bench {
	struct conf conf;
	struct str server_address;
	struct worker *w;
	struct dns_server *server;
	struct dns_resolver *r;
	struct arena arena;
	unsigned have;
	bool sips;
	/* the outcome */
	bool is_done, was_sync;
	int err;
	char text[4096]; /* "udp:192.0.2.1:5060 tcp:..." */
	struct dns_target first;
	struct dns_query *query;
};

static void print(struct bench *b, int err, const struct dns_answer *answer)
{
	size_t n = 0;

	b->err = err;
	b->is_done = true;
	b->text[0] = '\0';
	for (size_t i = 0; err == 0 && i < answer->n; i++) {
		const struct dns_target *t = &answer->v[i];
		char addr[NET_ADDR_TEXT];

		net_addr_text(&t->addr, addr);
		n += (size_t)snprintf(b->text + n, sizeof(b->text) - n, "%s%.*s:%s", i ? " " : "",
		                      STR_FMT(tp_proto_param(t->proto)), addr);
		if (i == 0) {
			b->first = *t;
		}
	}
}

static void on_answer(int err, const struct dns_answer *answer, void *arg)
{
	struct bench *b = arg;

	ck_assert(!b->is_done);
	b->query = NULL;
	print(b, err, answer);
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	char *error = NULL;

	b->conf = (struct conf){ .refs = 1,
		                 .workers = 1,
		                 .server.max_transactions = 1000,
		                 .dns = { .naptr = true, .timeout = 5, .failure_ttl = 60 } };
	b->w = worker_new_fake(&b->conf, 1000000);
	b->server = dns_server_new(b->w->base);
	b->server_address = dns_server_address(b->server);
	b->conf.dns.nameservers = (struct str_list){ &b->server_address, 1 };
	ck_assert_int_eq(dns_resolver_new(b->w, &b->r, &error), 0);
	arena_init(&b->arena, &b->w->arenas);
	b->have = ALL;
	return b;
}

static void bench_free(struct bench *b)
{
	arena_fini(&b->arena);
	dns_resolver_free(b->r);
	dns_server_free(b->server);
	worker_free_fake(b->w);
	free(b);
}

static void start(struct bench *b, const char *uri_text)
{
	struct sip_uri uri;
	struct dns_ask ask = { .uri = &uri, .sips = b->sips, .have_protos = b->have };
	struct dns_answer answer = { 0 };
	int err;

	ck_assert_int_eq(sip_uri_parse(str_from(uri_text), &uri, NULL), 0);
	b->is_done = false;
	err = dns_resolve(b->r, &ask, &b->arena, &answer, on_answer, b, &b->query);
	b->was_sync = err != BELFRY_WAIT;
	if (b->was_sync) {
		print(b, err, &answer);
	}
}

static void resolve(struct bench *b, const char *uri)
{
	start(b, uri);
	for (unsigned i = 0; i < 10000 && !b->is_done; i++) {
		event_base_loop(b->w->base, EVLOOP_ONCE);
		worker_turn(b->w);
	}
	ck_assert_msg(b->is_done, "no answer for %s", uri);
}

static void expect(struct bench *b, const char *uri, const char *want)
{
	resolve(b, uri);
	ck_assert_msg(b->err == 0, "%s: %s", uri, belfry_strerror(b->err));
	ck_assert_str_eq(b->text, want);
}

static void expect_err(struct bench *b, const char *uri, int want)
{
	resolve(b, uri);
	ck_assert_msg(b->err == want, "%s: %s", uri, b->err ? belfry_strerror(b->err) : b->text);
}

static void add(struct bench *b, const char *record)
{
	dns_server_add(b->server, record);
}

/* --- numeric -----------------------------------------------------------------------------------
 */

START_TEST(rfc3263_4_1_numeric_hosts_are_answered_at_once)
{
	struct bench *b = bench_new();

	expect(b, "sip:a@192.0.2.7", "udp:192.0.2.7:5060");
	ck_assert(b->was_sync);
	expect(b, "sip:a@192.0.2.7:5070", "udp:192.0.2.7:5070");
	expect(b, "sip:a@[2001:db8::7]", "udp:[2001:db8::7]:5060");
	expect(b, "sip:a@192.0.2.7;transport=tcp", "tcp:192.0.2.7:5060");
	expect(b, "sip:a@192.0.2.7;transport=TLS", "tls:192.0.2.7:5061");
	expect(b, "sip:a@192.0.2.7;transport=ws", "ws:192.0.2.7:80");
	expect(b, "sips:a@192.0.2.7", "tls:192.0.2.7:5061");
	expect(b, "sips:a@192.0.2.7;transport=tcp", "tls:192.0.2.7:5061");
	expect(b, "sips:a@192.0.2.7;transport=ws", "wss:192.0.2.7:443");
	expect(b, "sip:a@example.com;maddr=192.0.2.9", "udp:192.0.2.9:5060");
	ck_assert(b->was_sync);
	b->sips = true;
	expect(b, "sip:a@192.0.2.7:5080", "tls:192.0.2.7:5080");
	bench_free(b);
}
END_TEST

START_TEST(transports_that_we_lack_are_no_target)
{
	struct bench *b = bench_new();

	expect_err(b, "sip:a@192.0.2.7;transport=sctp", BELFRY_ENOENT);
	expect_err(b, "sips:a@192.0.2.7;transport=udp", BELFRY_ENOENT);
	b->have = 1U << TP_UDP;
	expect_err(b, "sip:a@192.0.2.7;transport=tcp", BELFRY_ENOENT);
	expect_err(b, "sips:a@192.0.2.7", BELFRY_ENOENT);
	expect_err(b, "tel:+1234", BELFRY_ENOENT);
	b->have = 1U << TP_TCP;
	expect(b, "sip:a@192.0.2.7", "tcp:192.0.2.7:5060");
	b->have = 1U << TP_TLS;
	expect_err(b, "sip:a@192.0.2.7:5060", BELFRY_ENOENT);
	expect(b, "sip:a@192.0.2.7", "tls:192.0.2.7:5061");
	bench_free(b);
}
END_TEST

/* --- A and AAAA --------------------------------------------------------------------------------
 */

START_TEST(rfc3263_4_2_a_port_means_addresses_only)
{
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	add(b, "example.test AAAA 2001:db8::1");
	add(b, "_sip._udp.example.test SRV 1 1 5090 other.test");
	expect(b, "sip:a@example.test:5060", "udp:192.0.2.1:5060 udp:[2001:db8::1]:5060");
	ck_assert(!b->was_sync);
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_NAPTR), 0);
	ck_assert_uint_eq(dns_server_asked(b->server, "_sip._udp.example.test", DNS_SRV), 0);
	ck_assert_str_is(b->first.name, "example.test");
	/* From the cache, at once. */
	expect(b, "sip:a@EXAMPLE.test:5061;transport=tls",
	       "tls:192.0.2.1:5061 tls:[2001:db8::1]:5061");
	ck_assert(b->was_sync);
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_A), 1);
	bench_free(b);
}
END_TEST

START_TEST(aliases_are_followed)
{
	struct bench *b = bench_new();

	add(b, "www.test CNAME host.test");
	add(b, "host.test A 192.0.2.1");
	expect(b, "sip:www.test:5060", "udp:192.0.2.1:5060");
	ck_assert_str_is(b->first.name, "www.test");
	bench_free(b);
}
END_TEST

START_TEST(only_families_that_have_a_listener_are_asked_for)
{
	struct conf_listen listen = { .transport = CONF_UDP, .addr.family = 4 };
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	add(b, "example.test AAAA 2001:db8::1");
	b->conf.listen = &listen;
	b->conf.listen_n = 1;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	expect(b, "sip:example.test:5060", "udp:192.0.2.1:5060");
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_AAAA), 0);
	bench_free(b);
}
END_TEST

START_TEST(what_does_not_exist_is_told_apart_from_what_has_no_address)
{
	struct bench *b = bench_new();

	add(b, "mail.test NAPTR 1 1 s E2U+mail x.test");
	expect_err(b, "sip:nothing.test", BELFRY_ENXDOMAIN);
	expect_err(b, "sip:nothing.test:5060", BELFRY_ENXDOMAIN);
	expect_err(b, "sip:mail.test", BELFRY_ENOENT);
	expect_err(b, "sip:mail.test:5060", BELFRY_ENOENT);
	bench_free(b);
}
END_TEST

START_TEST(names_that_cannot_be_asked_for_do_not_exist)
{
	struct bench *b = bench_new();
	char uri[512];

	snprintf(uri, sizeof(uri), "sip:%070d.test", 0);
	expect_err(b, uri, BELFRY_ENXDOMAIN);
	ck_assert(b->was_sync);
	snprintf(uri, sizeof(uri), "sip:a.%060d.%060d.%060d.%060d.test", 0, 0, 0, 0);
	expect_err(b, uri, BELFRY_ENXDOMAIN);
	expect_err(b, "sip:example.test;maddr=no_such..name", BELFRY_ENXDOMAIN);
	bench_free(b);
}
END_TEST

START_TEST(localhost_is_answered_here)
{
	struct bench *b = bench_new();

	expect(b, "sip:localhost:5060", "udp:127.0.0.1:5060 udp:[::1]:5060");
	ck_assert_uint_eq(dns_server_asked(b->server, "localhost", DNS_A), 0);
	bench_free(b);
}
END_TEST

START_TEST(special_use_names_are_asked_of_the_servers)
{
	struct bench *b = bench_new();

	add(b, "pbx.home.arpa A 192.0.2.1");
	add(b, "sip.local A 192.0.2.2");
	expect(b, "sip:pbx.home.arpa:5060", "udp:192.0.2.1:5060");
	expect(b, "sip:sip.local:5060", "udp:192.0.2.2:5060");
	expect_err(b, "sip:phone.invalid:5060", BELFRY_ENXDOMAIN);
	ck_assert_uint_eq(dns_server_asked(b->server, "phone.invalid", DNS_A), 0);
	bench_free(b);
}
END_TEST

/* --- SRV ---------------------------------------------------------------------------------------
 */

START_TEST(rfc3263_4_2_a_transport_means_its_srv)
{
	struct bench *b = bench_new();

	add(b, "_sip._tcp.example.test SRV 20 1 5080 b.test");
	add(b, "_sip._tcp.example.test SRV 10 1 5070 a.test");
	add(b, "_sips._tcp.example.test SRV 10 1 5071 a.test");
	add(b, "a.test A 192.0.2.1");
	add(b, "b.test A 192.0.2.2");
	expect(b, "sip:example.test;transport=tcp", "tcp:192.0.2.1:5070 tcp:192.0.2.2:5080");
	ck_assert_str_is(b->first.name, "example.test");
	expect(b, "sip:example.test;transport=tls", "tls:192.0.2.1:5071");
	expect(b, "sips:example.test;transport=tcp", "tls:192.0.2.1:5071");
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_NAPTR), 0);
	ck_assert_uint_eq(dns_server_asked(b->server, "a.test", DNS_A), 1);
	bench_free(b);
}
END_TEST

START_TEST(rfc3263_4_2_without_srv_the_default_port_is_used)
{
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	expect(b, "sip:example.test;transport=tcp", "tcp:192.0.2.1:5060");
	expect(b, "sip:example.test;transport=tls", "tls:192.0.2.1:5061");
	expect(b, "sips:example.test", "tls:192.0.2.1:5061");
	expect(b, "sip:example.test", "udp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

START_TEST(rfc3263_4_1_without_naptr_each_transport_s_srv_is_asked)
{
	struct bench *b = bench_new();

	add(b, "_sip._tcp.example.test SRV 1 1 5070 a.test");
	add(b, "a.test A 192.0.2.1");
	add(b, "example.test A 192.0.2.99");
	expect(b, "sip:example.test", "tcp:192.0.2.1:5070");
	add(b, "_sip._udp.both.test SRV 1 1 5060 a.test");
	add(b, "_sip._tcp.both.test SRV 1 1 5060 a.test");
	expect(b, "sip:both.test", "udp:192.0.2.1:5060 tcp:192.0.2.1:5060");
	ck_assert_uint_eq(dns_server_asked(b->server, "_sips._tcp.both.test", DNS_SRV), 0);
	add(b, "_sips._tcp.sec.test SRV 1 1 5081 a.test");
	expect(b, "sips:sec.test", "tls:192.0.2.1:5081");
	ck_assert_uint_eq(dns_server_asked(b->server, "_sip._udp.sec.test", DNS_SRV), 0);
	bench_free(b);
}
END_TEST

START_TEST(rfc2782_a_root_target_means_not_offered)
{
	struct bench *b = bench_new();

	add(b, "_sip._tcp.example.test SRV 0 0 0 .");
	add(b, "example.test A 192.0.2.1");
	expect_err(b, "sip:example.test;transport=tcp", BELFRY_ENOENT);
	/* The other transport is. */
	add(b, "_sip._udp.example.test SRV 1 1 5060 example.test");
	expect(b, "sip:example.test", "udp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

START_TEST(a_server_without_address_is_left_out)
{
	struct bench *b = bench_new();

	add(b, "_sip._udp.example.test SRV 1 1 5060 gone.test");
	add(b, "_sip._udp.example.test SRV 2 1 5060 a.test");
	add(b, "a.test A 192.0.2.1");
	expect(b, "sip:example.test", "udp:192.0.2.1:5060");
	add(b, "_sip._udp.lost.test SRV 1 1 5060 gone.test");
	expect_err(b, "sip:lost.test", BELFRY_ENOENT); /* the host of the URI exists */
	bench_free(b);
}
END_TEST

START_TEST(one_answer_has_a_bounded_number_of_targets)
{
	struct bench *b = bench_new();
	char text[64];

	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "_sip._udp.example.test SRV %d 1 5060 h%d.test", i, i);
		add(b, text);
		snprintf(text, sizeof(text), "h%d.test A 192.0.2.%d", i, i);
		add(b, text);
		snprintf(text, sizeof(text), "h%d.test A 198.51.100.%d", i, i);
		add(b, text);
		snprintf(text, sizeof(text), "h%d.test A 203.0.113.%d", i, i);
		add(b, text);
	}
	resolve(b, "sip:example.test;transport=udp");
	ck_assert_int_eq(b->err, 0);
	size_t n = 1;

	for (const char *p = b->text; (p = strchr(p, ' ')) != NULL; p++) {
		n++;
	}
	ck_assert_uint_eq(n, DNS_TARGETS_MAX);
	bench_free(b);
}
END_TEST

/* --- NAPTR -------------------------------------------------------------------------------------
 */

static void add_rfc3263_example(struct bench *b)
{
	add(b, "example.test NAPTR 50 50 s SIPS+D2T _sips._tcp.example.test");
	add(b, "example.test NAPTR 90 50 s SIP+D2T _sip._tcp.example.test");
	add(b, "example.test NAPTR 100 50 s SIP+D2U _sip._udp.example.test");
	add(b, "_sips._tcp.example.test SRV 0 1 5061 server1.test");
	add(b, "_sip._tcp.example.test SRV 0 1 5060 server1.test");
	add(b, "_sip._tcp.example.test SRV 1 2 5060 server2.test");
	add(b, "_sip._udp.example.test SRV 0 1 5060 server3.test");
	add(b, "server1.test A 192.0.2.1");
	add(b, "server2.test A 192.0.2.2");
	add(b, "server3.test A 192.0.2.3");
}

START_TEST(rfc3263_4_1_naptr_of_the_first_order_that_we_support_decides)
{
	struct bench *b = bench_new();

	add_rfc3263_example(b);
	b->have = 1U << TP_UDP | 1U << TP_TCP;
	expect(b, "sip:user@example.test", "tcp:192.0.2.1:5060 tcp:192.0.2.2:5060");
	b->have = ALL;
	expect(b, "sip:user@example.test", "tls:192.0.2.1:5061");
	b->have = 1U << TP_UDP;
	expect(b, "sip:user@example.test", "udp:192.0.2.3:5060");
	bench_free(b);
}
END_TEST

START_TEST(rfc3263_4_1_sips_discards_services_without_tls)
{
	struct bench *b = bench_new();

	add(b, "example.test NAPTR 10 50 s SIP+D2T _sip._tcp.example.test");
	add(b, "example.test NAPTR 20 50 s SIPS+D2T _x._tcp.example.test");
	add(b, "_sip._tcp.example.test SRV 0 1 5060 server1.test");
	add(b, "_x._tcp.example.test SRV 0 1 5999 server1.test");
	add(b, "server1.test A 192.0.2.1");
	expect(b, "sips:user@example.test", "tls:192.0.2.1:5999");
	b->sips = true;
	expect(b, "sip:user@example.test", "tls:192.0.2.1:5999");
	bench_free(b);
}
END_TEST

START_TEST(rfc3403_equal_orders_go_by_preference)
{
	struct bench *b = bench_new();

	add(b, "example.test NAPTR 10 60 s SIP+D2T _sip._tcp.example.test");
	add(b, "example.test NAPTR 10 50 S sip+d2u _sip._udp.elsewhere.test");
	add(b, "example.test NAPTR 10 40 u E2U+sip _no.example.test");
	add(b, "example.test NAPTR 5 40 s SIP+D2S _sip._sctp.example.test");
	add(b, "_sip._tcp.example.test SRV 0 1 5060 server1.test");
	add(b, "_sip._udp.elsewhere.test SRV 0 1 5062 server2.test");
	add(b, "server1.test A 192.0.2.1");
	add(b, "server2.test A 192.0.2.2");
	expect(b, "sip:user@example.test", "udp:192.0.2.2:5062 tcp:192.0.2.1:5060");
	ck_assert_str_is(b->first.name, "example.test");
	bench_free(b);
}
END_TEST

START_TEST(naptr_without_srv_behind_it_falls_back_to_the_host)
{
	struct bench *b = bench_new();

	add(b, "example.test NAPTR 10 60 s SIP+D2T _sip._tcp.example.test");
	add(b, "example.test A 192.0.2.1");
	expect(b, "sip:user@example.test", "tcp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

START_TEST(naptr_can_be_switched_off)
{
	struct bench *b = bench_new();

	add_rfc3263_example(b);
	b->conf.dns.naptr = false;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	expect(b, "sip:user@example.test",
	       "udp:192.0.2.3:5060 tcp:192.0.2.1:5060 tcp:192.0.2.2:5060");
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_NAPTR), 0);
	bench_free(b);
}
END_TEST

START_TEST(a_server_that_fails_for_naptr_and_srv_does_not_hide_the_address)
{
	struct bench *b = bench_new();

	add(b, "_sip._udp.example.test FAIL");
	add(b, "_sip._tcp.example.test FAIL");
	add(b, "example.test A 192.0.2.1");
	expect(b, "sip:user@example.test", "udp:192.0.2.1:5060");
	add(b, "bad.test FAIL");
	expect_err(b, "sip:bad.test:5060", BELFRY_ETIMEOUT);
	bench_free(b);
}
END_TEST

START_TEST(ttl_is_the_shortest_on_the_way)
{
	struct bench *b = bench_new();

	add(b, "x TTL 40");
	add(b, "_sip._udp.example.test SRV 0 1 5060 a.test");
	add(b, "x TTL 300");
	add(b, "a.test A 192.0.2.1");
	expect(b, "sip:example.test", "udp:192.0.2.1:5060");
	ck_assert_uint_le(b->first.ttl_s, 40);
	ck_assert_uint_ge(b->first.ttl_s, 30);
	bench_free(b);
}
END_TEST

/* --- time, cancelling, settings ----------------------------------------------------------------
 */

static void pump(struct bench *b, unsigned n)
{
	while (n-- > 0 && !b->is_done) {
		event_base_loop(b->w->base, EVLOOP_NONBLOCK);
		worker_turn(b->w);
	}
}

START_TEST(the_whole_resolution_is_bounded_by_the_timeout)
{
	struct bench *b = bench_new();

	add(b, "example.test SILENT");
	start(b, "sip:example.test");
	pump(b, 10);
	clock_advance(&b->w->clock, 4999);
	pump(b, 1);
	ck_assert(!b->is_done);
	clock_advance(&b->w->clock, 1);
	pump(b, 1);
	ck_assert(b->is_done);
	ck_assert_int_eq(b->err, BELFRY_ETIMEOUT);
	bench_free(b);
}
END_TEST

START_TEST(what_was_found_in_time_is_used)
{
	struct bench *b = bench_new();

	add(b, "_sip._udp.example.test SRV 1 1 5060 slow.test");
	add(b, "_sip._udp.example.test SRV 2 1 5060 a.test");
	add(b, "slow.test SILENT");
	add(b, "a.test A 192.0.2.1");
	start(b, "sip:example.test;transport=udp");
	for (unsigned i = 0; i < 1000 && dns_server_asked(b->server, "a.test", DNS_AAAA) == 0;
	     i++) {
		event_base_loop(b->w->base, EVLOOP_ONCE);
		worker_turn(b->w);
	}
	pump(b, 20);
	ck_assert(!b->is_done);
	clock_advance(&b->w->clock, 5000);
	pump(b, 1);
	ck_assert_int_eq(b->err, 0);
	ck_assert_str_eq(b->text, "udp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

START_TEST(a_cancelled_query_is_never_told)
{
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	start(b, "sip:example.test:5060");
	ck_assert(!b->was_sync);
	dns_cancel(&b->query);
	ck_assert_ptr_null(b->query);
	dns_cancel(&b->query);
	expect(b, "sip:a@example.test:5070", "udp:192.0.2.1:5070"); /* the answers have come */
	clock_advance(&b->w->clock, 10000);
	worker_turn(b->w);
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_A), 1);
	bench_free(b);
}
END_TEST

START_TEST(equal_questions_are_asked_once)
{
	struct bench *b = bench_new();
	struct dns_query *first;

	add(b, "example.test A 192.0.2.1");
	start(b, "sip:example.test:5060");
	first = b->query;
	start(b, "sip:example.test:5060;transport=tcp");
	dns_cancel(&first);
	while (!b->is_done) {
		event_base_loop(b->w->base, EVLOOP_ONCE);
		worker_turn(b->w);
	}
	ck_assert_str_eq(b->text, "tcp:192.0.2.1:5060");
	ck_assert_uint_eq(dns_server_asked(b->server, "example.test", DNS_A), 1);
	bench_free(b);
}
END_TEST

START_TEST(a_resolver_can_go_with_queries_under_way)
{
	struct bench *b = bench_new();

	add(b, "example.test SILENT");
	start(b, "sip:example.test");
	pump(b, 5);
	start(b, "sip:example.test:5060");
	bench_free(b);
}
END_TEST

START_TEST(new_name_servers_serve_new_queries_and_old_ones_end_by_the_old)
{
	struct bench *b = bench_new();
	struct dns_server *other = dns_server_new(b->w->base);
	struct str address = dns_server_address(other);

	add(b, "example.test A 192.0.2.1");
	dns_server_add(other, "example.test A 198.51.100.1");
	start(b, "sip:example.test:5060");
	b->conf.dns.nameservers.v = &address;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	while (!b->is_done) {
		event_base_loop(b->w->base, EVLOOP_ONCE);
		worker_turn(b->w);
	}
	ck_assert_str_eq(b->text, "udp:192.0.2.1:5060");
	expect(b, "sip:example.test:5060", "udp:198.51.100.1:5060");
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	dns_server_free(other);
	bench_free(b);
}
END_TEST

START_TEST(a_name_server_that_is_none_is_an_error)
{
	struct bench *b = bench_new();
	struct str bad = STR("not an address");
	struct dns_resolver *r = NULL;
	char *error = NULL;

	b->conf.dns.nameservers.v = &bad;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), BELFRY_ECONF);
	ck_assert_int_eq(dns_resolver_new(b->w, &r, &error), BELFRY_ECONF);
	ck_assert_ptr_nonnull(strstr(error, "not an address"));
	free(error);
	/* The old settings are still there. */
	add(b, "example.test A 192.0.2.1");
	b->conf.dns.nameservers.v = &b->server_address;
	expect(b, "sip:example.test:5060", "udp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

START_TEST(dnssec_require_refuses_what_is_not_proved)
{
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	b->conf.dns.dnssec = 2;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	expect_err(b, "sip:example.test:5060", BELFRY_ETIMEOUT);
	b->conf.dns.dnssec = 1;
	ck_assert_int_eq(dns_resolver_set_conf(b->r, &b->conf), 0);
	expect(b, "sip:example.test:5060", "udp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

/* --- outcomes used again ------------------------------------------------------------------------
 */

START_TEST(rfc2782_each_request_draws_anew_from_the_cache_too)
{
	struct bench *b = bench_new();
	unsigned first = 0;

	add(b, "_sip._udp.example.test SRV 1 30 5060 a.test");
	add(b, "_sip._udp.example.test SRV 1 10 5060 b.test");
	add(b, "_sip._udp.example.test SRV 2 10 5060 c.test");
	add(b, "a.test A 192.0.2.1");
	add(b, "b.test A 192.0.2.2");
	add(b, "c.test A 192.0.2.3");
	for (unsigned i = 0; i < 1000; i++) {
		resolve(b, "sip:example.test;transport=udp");
		ck_assert_str_eq(b->text + strlen(b->text) - 14, "192.0.2.3:5060");
		first += b->first.addr.ip[3] == 1;
	}
	ck_assert_uint_gt(first, 670);
	ck_assert_uint_lt(first, 830);
	bench_free(b);
}
END_TEST

static bool is_cached(struct bench *b, const char *uri_text)
{
	struct sip_uri uri;
	struct dns_ask ask = { .uri = &uri, .have_protos = b->have };
	struct dns_plan plan;

	ck_assert_int_eq(sip_uri_parse(str_from(uri_text), &uri, NULL), 0);
	ck_assert_int_eq(dns_plan_make(&ask, &plan), 0);
	return dns_cache_find(b->r, &plan) != NULL;
}

START_TEST(an_outcome_is_used_again_no_longer_than_its_ttl_allows)
{
	struct bench *b = bench_new();

	add(b, "x TTL 0");
	add(b, "never.test A 192.0.2.1");
	expect(b, "sip:never.test:5060", "udp:192.0.2.1:5060");
	expect(b, "sip:never.test:5060", "udp:192.0.2.1:5060");
	ck_assert_uint_ge(dns_server_asked(b->server, "never.test", DNS_A), 2);
	add(b, "x TTL 3600");
	add(b, "long.test A 192.0.2.2");
	expect(b, "sip:long.test:5060", "udp:192.0.2.2:5060");
	add(b, "long.test A 192.0.2.3");
	expect(b, "sip:long.test:5060", "udp:192.0.2.2:5060");
	ck_assert(b->was_sync);
	ck_assert(is_cached(b, "sip:long.test:5060"));
	clock_advance(&b->w->clock, DNS_CACHE_MS - 1);
	ck_assert(is_cached(b, "sip:LONG.test:5060"));
	clock_advance(&b->w->clock, 1);
	ck_assert(!is_cached(b, "sip:long.test:5060"));
	ck_assert(!is_cached(b, "sip:never.test:5060"));
	bench_free(b);
}
END_TEST

START_TEST(another_port_or_transport_is_another_question)
{
	struct bench *b = bench_new();

	add(b, "example.test A 192.0.2.1");
	expect(b, "sip:example.test:5060", "udp:192.0.2.1:5060");
	expect(b, "sip:example.test:5061", "udp:192.0.2.1:5061");
	expect(b, "sip:example.test:5060;transport=tcp", "tcp:192.0.2.1:5060");
	expect(b, "sips:example.test:5060", "tls:192.0.2.1:5060");
	b->have = 1U << TP_TCP;
	expect(b, "sip:example.test:5060", "tcp:192.0.2.1:5060");
	bench_free(b);
}
END_TEST

/* --- health ------------------------------------------------------------------------------------
 */

START_TEST(a_failed_target_is_last_in_the_answers)
{
	struct bench *b = bench_new();
	struct dns_target t;

	add(b, "_sip._udp.example.test SRV 1 1 5060 a.test");
	add(b, "_sip._udp.example.test SRV 2 1 5060 b.test");
	add(b, "a.test A 192.0.2.1");
	add(b, "b.test A 192.0.2.2");
	expect(b, "sip:example.test", "udp:192.0.2.1:5060 udp:192.0.2.2:5060");
	t = b->first;
	t.name = STR_NONE;
	dns_mark_failed(b->r, &t, 0);
	ck_assert(dns_is_failed(b->r, &t));
	expect(b, "sip:example.test", "udp:192.0.2.2:5060 udp:192.0.2.1:5060");
	/* By another transport it is another target. */
	t.proto = TP_TCP;
	ck_assert(!dns_is_failed(b->r, &t));
	clock_advance(&b->w->clock, 60000);
	expect(b, "sip:example.test", "udp:192.0.2.1:5060 udp:192.0.2.2:5060");
	bench_free(b);
}
END_TEST

START_TEST(marks_are_told_to_the_other_workers)
{
	struct conf conf = { .refs = 1,
		             .workers = 2,
		             .server.max_transactions = 10,
		             .dns = { .timeout = 5, .failure_ttl = 60 } };
	struct str server = STR("127.0.0.1@9");
	struct counters *counters = counters_new();
	struct workers_params params = {
		.n = 2, .conf = &conf, .counters = counters, .mailbox_max = 100, .msgbufs_max = 100
	};
	struct dns_target t = { .proto = TP_UDP };
	struct dns_resolver *r[2];
	struct workers *ws;
	char *error;

	conf.dns.nameservers = (struct str_list){ &server, 1 };
	ck_assert_int_eq(workers_new(&params, &ws), 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(dns_resolver_new(workers_get(ws, i), &r[i], &error), 0);
	}
	ck_assert_int_eq(dns_resolvers_link(r, 2), 0);
	net_addr_parse(STR("192.0.2.1"), 5060, &t.addr);
	dns_mark_failed(r[0], &t, 0);
	ck_assert(dns_is_failed(r[0], &t));
	ck_assert(!dns_is_failed(r[1], &t));
	worker_turn(workers_get(ws, 0));
	worker_turn(workers_get(ws, 1));
	ck_assert(dns_is_failed(r[1], &t));
	dns_mark_good(r[1], &t);
	worker_turn(workers_get(ws, 1));
	worker_turn(workers_get(ws, 0));
	ck_assert(!dns_is_failed(r[0], &t));
	dns_resolver_free(r[0]);
	dns_resolver_free(r[1]);
	workers_free(ws);
	counters_free(counters);
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------
 */

static int memory_scenario(void *arg)
{
	struct bench *b = arg;
	char *error = NULL;
	int err;

	arena_pool_fini(&b->w->arenas); /* so that chunks are asked for */
	b->err = -1;
	err = dns_resolver_new(b->w, &b->r, &error);
	free(error);
	if (err) {
		b->r = NULL;
		return err;
	}
	resolve(b, "sip:example.test");
	if (b->err == 0) {
		dns_mark_failed(b->r, &b->first, 0);
		dns_mark_good(b->r, &b->first);
		resolve(b, "sip:192.0.2.1");
		resolve(b, "sip:example.test;transport=tcp");
	}
	dns_resolver_free(b->r);
	arena_fini(&b->arena);
	arena_pool_fini(&b->w->arenas);
	b->r = NULL;
	return b->err;
}

START_TEST(without_memory_it_gives_up_and_leaks_nothing)
{
	struct bench *b = bench_new();

	add_rfc3263_example(b);
	dns_resolver_free(b->r);
	oom_each(memory_scenario, b);
	bench_free(b);
}
END_TEST

UNIT_MAIN("dns/resolve", without_memory_it_gives_up_and_leaks_nothing,
          rfc3263_4_1_numeric_hosts_are_answered_at_once, transports_that_we_lack_are_no_target,
          rfc3263_4_2_a_port_means_addresses_only, aliases_are_followed,
          only_families_that_have_a_listener_are_asked_for,
          what_does_not_exist_is_told_apart_from_what_has_no_address,
          names_that_cannot_be_asked_for_do_not_exist, localhost_is_answered_here,
          special_use_names_are_asked_of_the_servers, rfc3263_4_2_a_transport_means_its_srv,
          rfc3263_4_2_without_srv_the_default_port_is_used,
          rfc3263_4_1_without_naptr_each_transport_s_srv_is_asked,
          rfc2782_a_root_target_means_not_offered, a_server_without_address_is_left_out,
          one_answer_has_a_bounded_number_of_targets,
          rfc3263_4_1_naptr_of_the_first_order_that_we_support_decides,
          rfc3263_4_1_sips_discards_services_without_tls, rfc3403_equal_orders_go_by_preference,
          naptr_without_srv_behind_it_falls_back_to_the_host, naptr_can_be_switched_off,
          a_server_that_fails_for_naptr_and_srv_does_not_hide_the_address,
          ttl_is_the_shortest_on_the_way, the_whole_resolution_is_bounded_by_the_timeout,
          what_was_found_in_time_is_used, a_cancelled_query_is_never_told,
          equal_questions_are_asked_once, a_resolver_can_go_with_queries_under_way,
          new_name_servers_serve_new_queries_and_old_ones_end_by_the_old,
          a_name_server_that_is_none_is_an_error, dnssec_require_refuses_what_is_not_proved,
          rfc2782_each_request_draws_anew_from_the_cache_too,
          an_outcome_is_used_again_no_longer_than_its_ttl_allows,
          another_port_or_transport_is_another_question, a_failed_target_is_last_in_the_answers,
          marks_are_told_to_the_other_workers)
