/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to people about the way to an answer. */
#include "dns/resolve.h"

#include "dns/rr.h"
#include "dns/server.h"
#include "transport/transport.h"
#include "util/err.h"

#include "support/unit.h"

#include <event2/event.h>
#include <stdio.h>

#define ALL (1U << TP_UDP | 1U << TP_TCP | 1U << TP_TLS)

static struct conf conf;
static struct str server_address;
static struct worker *w;
static struct dns_server *server;
static struct dns_resolver *r;
static struct {
	int n, err;
	size_t targets;
	bool has_query;
	char text[2048];
} seen;

static void set_up(void)
{
	char *error = NULL;

	conf = (struct conf){ .refs = 1,
		              .workers = 1,
		              .dns = { .naptr = true, .timeout = 1, .failure_ttl = 60 } };
	w = worker_new_fake(&conf, 1000000);
	server = dns_server_new(w->base);
	server_address = dns_server_address(server);
	conf.dns.nameservers = (struct str_list){ &server_address, 1 };
	ck_assert_int_eq(dns_resolver_new(w, &r, &error), 0);
}

static void tear_down(void)
{
	dns_resolver_free(r);
	dns_server_free(server);
	worker_free_fake(w);
}

static void add(void *arg, struct str name, uint16_t type, int err, const struct dns_rr *rr)
{
	size_t n = strlen(seen.text);

	(void)arg;
	(void)snprintf(seen.text + n, sizeof(seen.text) - n, "%.*s %u %s\n", STR_FMT(name), type,
	               rr                        ? "record"
	               : err == 0                ? "none"
	               : err == BELFRY_ENXDOMAIN ? "no name"
	                                         : "no answer");
}

static void on_look(int err, const struct dns_answer *answer, const struct dns_query *query,
                    void *arg)
{
	(void)arg;
	seen.n++;
	seen.err = err;
	seen.targets = answer ? answer->n : 0;
	seen.has_query = query != NULL;
	if (query) {
		dns_query_each(query, add, NULL);
	}
}

static void look(const char *uri_text)
{
	struct sip_uri uri;
	const struct dns_ask ask = { .uri = &uri, .have_protos = ALL };
	struct dns_query *query = NULL;
	int err;

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(sip_uri_parse(str_from(uri_text), &uri, NULL), 0);
	err = dns_look(r, &ask, on_look, NULL, &query);
	if (err && err != BELFRY_WAIT) {
		seen.n++;
		seen.err = err;
	}
	for (unsigned i = 0; i < 10000 && seen.n == 0; i++) {
		event_base_loop(w->base, EVLOOP_ONCE);
		worker_turn(w);
	}
	ck_assert_int_eq(seen.n, 1);
}

START_TEST(every_step_is_told_in_order)
{
	set_up();
	dns_server_add(server, "one.example NAPTR 10 20 s SIP+D2T _sip._tcp.one.example");
	dns_server_add(server, "_sip._tcp.one.example SRV 10 5 5070 a.one.example");
	dns_server_add(server, "_sip._tcp.one.example SRV 20 5 5070 gone.one.example");
	dns_server_add(server, "a.one.example A 192.0.2.1");
	dns_server_add(server, "a.one.example A 192.0.2.2");
	for (int i = 0; i < 2; i++) { /* again: what is known already is told too */
		look("sip:one.example");
		ck_assert_int_eq(seen.err, 0);
		ck_assert_uint_eq(seen.targets, 2);
		ck_assert_str_eq(seen.text, "one.example 35 record\n"
		                            "_sip._tcp.one.example 33 record\n"
		                            "_sip._tcp.one.example 33 record\n"
		                            "a.one.example 1 record\n"
		                            "a.one.example 1 record\n"
		                            "a.one.example 28 none\n"
		                            "gone.one.example 1 no name\n"
		                            "gone.one.example 28 no name\n");
	}
	tear_down();
}
END_TEST

START_TEST(why_there_is_nothing_is_told)
{
	set_up();
	look("sip:nowhere.example");
	ck_assert_int_eq(seen.err, BELFRY_ENXDOMAIN);
	ck_assert(strstr(seen.text, "nowhere.example 35 no name\n") == seen.text);
	ck_assert_ptr_nonnull(strstr(seen.text, "_sip._udp.nowhere.example 33 no name\n"));
	dns_server_add(server, "down.example FAIL");
	look("sip:down.example:5060");
	ck_assert_int_ne(seen.err, 0);
	ck_assert_ptr_nonnull(strstr(seen.text, "down.example 1 no answer\n"));
	tear_down();
}
END_TEST

START_TEST(nothing_is_asked_for_an_address)
{
	set_up();
	look("sip:192.0.2.7");
	ck_assert_int_eq(seen.err, 0);
	ck_assert_uint_eq(seen.targets, 1);
	ck_assert(!seen.has_query);
	look("sip:x.example;transport=ws");
	ck_assert_int_eq(seen.err, BELFRY_ENOENT);
	tear_down();
}
END_TEST

UNIT_MAIN("dns/look", every_step_is_told_in_order, why_there_is_nothing_is_told,
          nothing_is_asked_for_an_address)
