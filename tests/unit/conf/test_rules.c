/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/rules.h"

#include "support.h"

START_TEST(hosts_are_names_and_addresses)
{
	static const char *const good[] = { "example.com", "localhost", "a-b.c_d", "example.com.",
		                            "192.0.2.1",   "[::1]",     "1a.de",   "x" };
	static const char *const bad[] = { "",    ".",         "a..b", "-a.com",     "a-.com",
		                           "a b", "1.2.3",     "[::1", "::1",        "a:1",
		                           "a@b", "256.1.1.1", "a/b",  "\xc3\xa4.de" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(conf_is_host(str_from(good[i])), "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!conf_is_host(str_from(bad[i])), "%s", bad[i]);
	}
}
END_TEST

START_TEST(hostport_takes_brackets_for_ipv6)
{
	struct str host;
	int port;

	ck_assert(conf_split_hostport(STR("a.com:5070"), &host, &port));
	ck_assert_str_is(host, "a.com");
	ck_assert_int_eq(port, 5070);
	ck_assert(conf_split_hostport(STR("[::1]:1"), &host, &port));
	ck_assert_str_is(host, "[::1]");
	ck_assert_int_eq(port, 1);
	ck_assert(conf_split_hostport(STR("[::1]"), &host, &port));
	ck_assert_int_eq(port, 0);
	ck_assert(!conf_split_hostport(STR("a.com:"), &host, &port));
	ck_assert(!conf_split_hostport(STR("a.com:0"), &host, &port));
	ck_assert(!conf_split_hostport(STR("a.com:65536"), &host, &port));
	ck_assert(!conf_split_hostport(STR("::1"), &host, &port));
	ck_assert(!conf_split_hostport(STR(""), &host, &port));
	ck_assert(!conf_split_hostport(STR(":1"), &host, &port));
}
END_TEST

START_TEST(domains_are_found_in_any_case_and_with_a_dot)
{
	struct conf *conf =
		load("domains = ( \"Example.COM\", \"b.org.\", \"c.net\", \"d\", \"e\" );");

	ck_assert_str_is(conf->domains.v[0], "example.com");
	ck_assert_str_is(conf->domains.v[1], "b.org");
	ck_assert(conf_is_local_domain(conf, STR("EXAMPLE.com")));
	ck_assert(conf_is_local_domain(conf, STR("b.org.")));
	ck_assert(conf_is_local_domain(conf, STR("e")));
	ck_assert(!conf_is_local_domain(conf, STR("www.example.com")));
	ck_assert(!conf_is_local_domain(conf, STR("")));
	ck_assert(!conf_is_local_domain(conf, STR("f")));
	conf_unref(&conf);
	refuse("domains = ( \"exa mple\" );", "domains.0: \"exa mple\" is no domain name");
}
END_TEST

START_TEST(rfc5954_a_domain_may_be_an_ipv6_reference_in_any_spelling)
{
	struct conf *conf = load("domains = ( \"example.com\", \"[2001:DB8::10]\" );");

	ck_assert(conf_is_local_domain(conf, STR("[2001:db8::10]")));
	ck_assert(conf_is_local_domain(conf, STR("[2001:db8:0:0::0.0.0.16]")));
	ck_assert(!conf_is_local_domain(conf, STR("[2001:db8::10:5070]")));
	ck_assert(!conf_is_local_domain(conf, STR("[")));
	conf_unref(&conf);
}
END_TEST

START_TEST(trusted_peers_are_addresses_and_prefixes)
{
	struct conf *conf = load(CONF_BASE "proxy: { trusted = ( \"192.0.2.10\", "
	                                   "\"198.51.100.0/24\", \"2001:db8::/32\" ); };");
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse(STR("192.0.2.10"), 9, &a), 0);
	ck_assert(conf_is_trusted(conf, &a));
	ck_assert_int_eq(net_addr_parse(STR("192.0.2.11"), 9, &a), 0);
	ck_assert(!conf_is_trusted(conf, &a));
	ck_assert_int_eq(net_addr_parse(STR("198.51.100.255"), 9, &a), 0);
	ck_assert(conf_is_trusted(conf, &a));
	ck_assert_int_eq(net_addr_parse(STR("2001:db8:5::1"), 9, &a), 0);
	ck_assert(conf_is_trusted(conf, &a));
	conf_unref(&conf);
	refuse(CONF_BASE "proxy: { trusted = ( \"a.com\" ); };",
	       "t.conf:2: proxy.trusted.0: \"a.com\" is no address or prefix");
	refuse(CONF_BASE "proxy: { trusted = ( \"192.0.2.0/33\" ); };", "is no address or prefix");
}
END_TEST

START_TEST(listeners_are_checked)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "listen = ( );", "listen: name at least one listener" },
		{ CONF_BASE "listen = (\n { transport = \"tls\"; } );",
		  "t.conf:3: listen.0.transport: this build has no tls; use udp or tcp" },
		{ CONF_BASE "listen = ( { transport = \"sctp\"; } );",
		  "unknown word \"sctp\"; use \"udp\", \"tcp\", \"tls\", \"ws\" or \"wss\"; "
		  "did you mean \"tcp\"?" },
		{ CONF_BASE "listen = ( { address = \"sip.example.com\"; } );",
		  "listen.0.address: \"sip.example.com\" is no address" },
		{ CONF_BASE "listen = ( { address = \"224.0.0.1\"; } );",
		  "is no address of a host" },
		{ CONF_BASE "listen = ( { port = 65536; } );", "0 to 65535 are allowed" },
		{ CONF_BASE "listen = ( { advertise = \"a.com:x\"; } );",
		  "listen.0.advertise: \"a.com:x\"" },
		{ CONF_BASE "listen = ( { certificate = \"x\"; } );",
		  "listen.0.certificate: it has no meaning for udp" },
		{ CONF_BASE "listen = ( { },\n { port = 5060; } );",
		  "t.conf:3: listen.1: the same as listen.0 (line 2)" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(listeners_may_differ_in_transport_address_or_port)
{
	struct conf *conf =
		load(CONF_BASE "listen = ( { }, { transport = \"tcp\"; }, { port = 5061; },\n"
	                       "{ address = \"::\"; }, { port = 0; }, { port = 0; } );");

	ck_assert_uint_eq(conf->listen_n, 6);
	ck_assert_uint_eq(conf->listen[3].addr.family, 6);
	ck_assert_int_eq(conf->listen[3].line, 3);
	conf_unref(&conf);
}
END_TEST

START_TEST(udp_without_tcp_is_warned_about)
{
	struct conf *conf = load(CONF_BASE "listen = ( { transport = \"udp\"; port = 5070; },\n"
	                                   "{ transport = \"tcp\"; port = 5071; } );");

	ck_assert_uint_eq(conf->warnings_n, 1);
	ck_assert(warns(conf, "t.conf:2: listen.0: udp without tcp on the same address and port"));
	conf_unref(&conf);
}
END_TEST

START_TEST(name_is_made_up_from_the_listeners)
{
	struct conf *conf =
		load(CONF_BASE "listen = ( { address = \"127.0.0.7\"; },\n"
	                       "{ transport = \"tcp\"; address = \"127.0.0.7\"; },\n"
	                       "{ transport = \"tcp\"; address = \"::1\"; },\n"
	                       "{ transport = \"tcp\"; port = 1; advertise = \"a.com:99\"; } );");

	ck_assert_str_is(conf->listen[0].advertise_host, "127.0.0.7");
	ck_assert_str_is(conf->listen[2].advertise_host, "[::1]");
	ck_assert_str_is(conf->listen[3].advertise_host, "a.com");
	ck_assert_int_eq(conf->listen[3].advertise_port, 99);
	ck_assert_str_is(conf->server.name, "127.0.0.7");
	conf_unref(&conf);

	conf = load(CONF_BASE "server: { name = \"sip.example.com\"; };");
	ck_assert_uint_eq(conf->listen[0].advertise_host.n, 0);
	conf_unref(&conf);
	refuse(CONF_BASE "server: { name = \"a b\"; };", "server.name: \"a b\" is no host name");
}
END_TEST

START_TEST(listener_of_the_other_family_keeps_its_address)
{
	struct conf *conf =
		load(CONF_BASE "server: { name = \"192.0.2.1\"; };\n"
	                       "listen = ( { transport = \"tcp\"; address = \"::1\"; },\n"
	                       "{ transport = \"tcp\"; address = \"127.0.0.1\"; } );");

	ck_assert_str_is(conf->listen[0].advertise_host, "[::1]");
	ck_assert_uint_eq(conf->listen[1].advertise_host.n, 0);
	conf_unref(&conf);
}
END_TEST

/* What a wildcard puts into Record-Route must lead back to it (RFC 3261 16.6 step 4). */
START_TEST(wildcard_of_the_other_family_is_called_by_an_address_of_its_own)
{
	struct conf *conf = load(CONF_BASE "server: { name = \"[2001:db8::1]\"; };\n"
	                                   "listen = ( { address = \"0.0.0.0\"; },\n"
	                                   "{ transport = \"tcp\"; address = \"::\"; } );");
	struct net_addr addr;

	ck_assert_int_eq(net_addr_parse(conf->listen[0].advertise_host, 0, &addr), 0);
	ck_assert_uint_eq(addr.family, 4);
	ck_assert_uint_eq(conf->listen[1].advertise_host.n, 0);
	conf_unref(&conf);
}
END_TEST

START_TEST(short_timer_c_is_warned_about)
{
	struct conf *conf = load(CONF_BASE "proxy: { timer_c = 1.5; };");

	ck_assert(warns(conf, "proxy.timer_c: RFC 3261 16.6 wants more than 180 s"));
	conf_unref(&conf);
	conf = load(CONF_BASE "proxy: { timer_c = 180; };");
	ck_assert_uint_eq(conf->warnings_n, 1);
	conf_unref(&conf);
	conf = load(CONF_BASE "proxy: { timer_c = 180.5; };");
	ck_assert_uint_eq(conf->warnings_n, 0);
	conf_unref(&conf);
}
END_TEST

START_TEST(timers_b_and_f_follow_t1)
{
	struct conf *conf = load(CONF_BASE "timers: { t1 = 100; t2 = 400; f = 900; };");

	ck_assert_int_eq(conf->timers.b, 6400);
	ck_assert_int_eq(conf->timers.f, 900);
	conf_unref(&conf);
	refuse(CONF_BASE "timers: { t1 = 5000; };", "timers.t2: 4000 is less than t1 (5000)");
}
END_TEST

START_TEST(addresses_of_other_services_are_checked)
{
	struct conf *conf =
		load(CONF_BASE "metrics: { listen = \"[::1]:9464\"; };\n"
	                       "dns: { nameservers = ( \"127.0.0.1@5353\", \"::1\" ); };\n"
	                       "server: { run_dir = \"/r\"; };");
	static const struct wrong cases[] = {
		{ CONF_BASE "metrics: { listen = \"9464\"; };",
		  "metrics.listen: \"9464\" is no address" },
		{ CONF_BASE "metrics: { listen = \"a.com:9464\"; };", "is no address with a port" },
		{ CONF_BASE "dns: { nameservers = ( \"127.0.0.1:53\" ); };",
		  "dns.nameservers.0: \"127.0.0.1:53\" is no address" },
		{ CONF_BASE "dns: { nameservers = ( \"127.0.0.1@\" ); };", "is no address" },
		{ CONF_BASE
		  "server: { run_dir = \"/"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; };",
		  "is too long for a socket; 107 bytes are allowed" },
	};

	ck_assert_uint_eq(conf->metrics.addr.port, 9464);
	ck_assert_str_is(conf->control.socket, "/r/control.sock");
	conf_unref(&conf);
	REFUSE_ALL(cases);
}
END_TEST

#define TRUNK                                                                                      \
	"trunks: { carrier: { targets = ( \"sip:192.0.2.7\", \"sip:192.0.2.8;transport=tcp\" ); "  \
	"}; };\n"

START_TEST(routes_find_their_trunk)
{
	struct conf *conf = load(CONF_BASE TRUNK "routes = ( { name = \"pstn\"; match: { user = "
	                                         "\"+*\"; source = \"192.0.2.0/24\"; }; to = "
	                                         "\"trunk:carrier\"; },\n{ match: { uri = "
	                                         "\"urn:service:sos*\"; }; reject = 403; } );");

	ck_assert_uint_eq(conf->routes_n, 2);
	ck_assert_int_eq(conf->routes[0].trunk, 0);
	ck_assert_uint_eq(conf->routes[0].source_net.bits, 24);
	ck_assert_int_eq(conf->routes[0].line, 3);
	ck_assert_int_eq(conf->routes[1].trunk, -1);
	ck_assert_str_is(conf->routes[1].name, "routes.1");
	ck_assert_int_eq(conf->routes[1].reject, 403);
	conf_unref(&conf);
}
END_TEST

START_TEST(routes_are_checked)
{
	static const struct wrong cases[] = {
		{ CONF_BASE TRUNK
		  "routes = ( { match: { user = \"x\"; }; to = \"trunk:carier\"; } );",
		  "t.conf:3: routes.0.to: there is no trunk \"carier\" in trunks; did you mean "
		  "\"carrier\"?" },
		{ CONF_BASE "routes = ( { match: { user = \"x\"; }; } );",
		  "routes.0: one of to, redirect and reject is wanted" },
		{ CONF_BASE "routes = ( { to = \"sip:a@b\"; reject = 403; } );",
		  "routes.0: only one of" },
		{ CONF_BASE "routes = ( { to = \"sip:a b\"; } );",
		  "routes.0.to: \"sip:a b\" is no URI" },
		{ CONF_BASE "routes = ( { to = \"sip:a@b;transport=tls\"; } );",
		  "its transport is one that this build does not have" },
		{ CONF_BASE "routes = ( { to = \"sips:a@b\"; } );", "needs TLS" },
		{ CONF_BASE "routes = ( { redirect = \"sip:$usr@b\"; } );",
		  "routes.0.redirect: \"sip:$usr@b\" has an unknown variable" },
		{ CONF_BASE "routes = ( { reject = 200; } );", "400 to 699 are allowed" },
		{ CONF_BASE "routes = ( { match: { user = \"a*b\"; }; reject = 403; } );",
		  "routes.0.match.user: \"a*b\": `*` can only be first or last" },
		{ CONF_BASE "routes = ( { match: { source = \"a.com\"; }; reject = 403; } );",
		  "routes.0.match.source: \"a.com\" is no address or prefix" },
		{ CONF_BASE "routes = ( { match: { usr = \"a\"; }; reject = 403; } );",
		  "unknown setting \"usr\"; did you mean \"user\"?" },
		{ CONF_BASE
		  "routes = ( { name = \"a\"; match: { user = \"1\"; }; reject = 403; },\n"
		  "{ name = \"a\"; reject = 403; } );",
		  "t.conf:3: routes.1.name: \"a\" is the name of routes.0 too" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(route_for_everything_is_warned_about_unless_last)
{
	struct conf *conf = load(CONF_BASE "routes = ( { reject = 403; }, { reject = 404; } );");

	ck_assert_uint_eq(conf->warnings_n, 1);
	ck_assert(warns(conf, "routes.0: matches every request"));
	conf_unref(&conf);
}
END_TEST

START_TEST(trunks_are_checked)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "trunks: { a: { }; };", "t.conf:2: trunks.a: targets is missing" },
		{ CONF_BASE "trunks: { a: { targets = ( \"192.0.2.1\" ); }; };",
		  "trunks.a.targets.0: \"192.0.2.1\" cannot be a target" },
		{ CONF_BASE "trunks: { a: { targets = ( \"tel:123\" ); }; };",
		  "a sip URI is wanted" },
		{ CONF_BASE "trunks: { a: { targets = ( \"sip:a;transport=quic\" ); }; };",
		  "its transport is unknown" },
		{ CONF_BASE "trunks: { a: { targets = ( \"sip:a\" ); weights = ( 1 ); }; };",
		  "weights need policy" },
		{ CONF_BASE
		  "trunks: { a: { targets = ( \"sip:a\" ); policy = \"weighted\"; weights = ( 1, 2 "
		  "); }; };",
		  "2 weights for 1 targets" },
		{ CONF_BASE "trunks: { a: { targets = ( \"sip:a\" ); tls_wildcard = true; }; };",
		  "this build has no TLS" },
	};

	REFUSE_ALL(cases);
}
END_TEST

UNIT_MAIN("conf/rules", hosts_are_names_and_addresses, hostport_takes_brackets_for_ipv6,
          domains_are_found_in_any_case_and_with_a_dot,
          rfc5954_a_domain_may_be_an_ipv6_reference_in_any_spelling,
          trusted_peers_are_addresses_and_prefixes, listeners_are_checked,
          listeners_may_differ_in_transport_address_or_port, udp_without_tcp_is_warned_about,
          name_is_made_up_from_the_listeners, listener_of_the_other_family_keeps_its_address,
          wildcard_of_the_other_family_is_called_by_an_address_of_its_own,
          short_timer_c_is_warned_about, timers_b_and_f_follow_t1,
          addresses_of_other_services_are_checked, routes_find_their_trunk, routes_are_checked,
          route_for_everything_is_warned_about_unless_last, trunks_are_checked)
