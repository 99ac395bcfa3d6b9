/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.h"

#include "support.h"

START_TEST(every_setting_but_domains_has_a_default)
{
	struct conf *conf = load(CONF_BASE);

	ck_assert_uint_eq(conf->listen_n, 2);
	ck_assert_int_eq(conf->listen[0].transport, CONF_UDP);
	ck_assert_int_eq(conf->listen[1].transport, CONF_TCP);
	ck_assert_int_eq(conf->listen[0].port, 5060);
	ck_assert(net_addr_is_any(&conf->listen[1].addr));
	ck_assert_uint_eq(conf->modules.n, 2);
	ck_assert_str_is(conf->modules.v[0], "auth");
	ck_assert_str_is(conf->server.user, "belfry");
	ck_assert_int_eq(conf->server.max_transactions, 1000000);
	ck_assert_int_eq(conf->proxy.relay, CONF_RELAY_USERS);
	ck_assert_int_eq(conf->proxy.fork, CONF_FORK_Q);
	ck_assert(conf->proxy.record_route);
	ck_assert(!conf->proxy.recurse_redirects);
	ck_assert_double_eq(conf->proxy.timer_c, 185);
	ck_assert_int_eq(conf->timers.b, 32000);
	ck_assert_int_eq(conf->timers.f, 32000);
	ck_assert_int_eq(conf->dns.timeout, 5);
	ck_assert_int_eq(conf->log.level, 1);
	ck_assert_int_eq(conf->control.mode, 0660);
	ck_assert_uint_eq(conf->routes_n, 0);
	ck_assert_uint_eq(conf->trunks_n, 0);
	ck_assert_uint_ge(conf->workers, 1);
	ck_assert_uint_gt(conf->server.name.n, 0);
	ck_assert_uint_eq(conf->warnings_n, 0);
	conf_unref(&conf);
	ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(domains_are_mandatory)
{
	static const struct wrong cases[] = {
		{ "server: { workers = 1; };", "t.conf:1: domains is missing; name the domains" },
		{ "domains = ( );", "t.conf:1: domains: 0 entries" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(values_of_each_type_arrive)
{
	struct conf *conf =
		load(CONF_BASE "server: { name = \"sip.example.com\"; workers = 3; };\n"
	                       "proxy = { record_route = false; timer_c = 181.5; fork = "
	                       "\"parallel\"; trusted = [ \"192.0.2.1\" ]; };\n"
	                       "trunks: { a: { targets = ( \"sip:192.0.2.9\" ); "
	                       "policy = \"weighted\"; weights = ( 7 ); }; };\n");

	ck_assert_str_is(conf->server.name, "sip.example.com");
	ck_assert_uint_eq(conf->workers, 3);
	ck_assert(!conf->proxy.record_route);
	ck_assert_double_eq(conf->proxy.timer_c, 181.5);
	ck_assert_int_eq(conf->proxy.fork, CONF_FORK_PARALLEL);
	ck_assert_uint_eq(conf->proxy.trusted.n, 1);
	ck_assert_uint_eq(conf->trunks_n, 1);
	ck_assert_str_is(conf->trunks[0].name, "a");
	ck_assert_int_eq(conf->trunks[0].weights.v[0], 7);
	conf_unref(&conf);
}
END_TEST

START_TEST(whole_numbers_serve_where_fractions_may)
{
	struct conf *conf = load(CONF_BASE "proxy: { timer_c = 200; };");

	ck_assert_double_eq(conf->proxy.timer_c, 200);
	conf_unref(&conf);
	conf = load(CONF_BASE "proxy: { timer_c = 200L; };");
	ck_assert_double_eq(conf->proxy.timer_c, 200);
	conf_unref(&conf);
}
END_TEST

START_TEST(unknown_settings_are_refused_with_the_near_name)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "server: { workrs = 1; };",
		  "t.conf:2: server: unknown setting \"workrs\"; did you mean \"workers\"?" },
		{ CONF_BASE "server: {\n\n  Workers = 1; };", "t.conf:4: server: unknown setting" },
		{ CONF_BASE "server: { xyzzy = 1; };", "unknown setting \"xyzzy\"" },
		{ CONF_BASE "prxy: { };",
		  "t.conf:2: unknown section \"prxy\"; did you mean \"proxy\"?" },
		{ CONF_BASE "listen = ( { transprot = \"udp\"; } );",
		  "listen.0: unknown setting \"transprot\"; did you mean \"transport\"?" },
		{ CONF_BASE "tls: { };", "t.conf:2: tls: this build has no TLS" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(wrong_types_are_refused_with_the_right_one)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "server: { workers = \"1\"; };",
		  "t.conf:2: server.workers: a whole number (without quotes) is wanted, not a "
		  "string" },
		{ CONF_BASE "server: { workers = 1.5; };", "not a number with a fraction" },
		{ CONF_BASE "server: { name = 1; };", "a string in quotes is wanted, not a whole" },
		{ CONF_BASE "server: { name = ( \"a\" ); };", "not a list" },
		{ CONF_BASE "server = 5;", "server: a group, as in { ... } is wanted" },
		{ CONF_BASE "proxy: { record_route = \"true\"; };",
		  "true or false (without quotes)" },
		{ CONF_BASE "proxy: { record_route = 1; };", "true or false" },
		{ CONF_BASE "proxy: { relay = true; };", "a string in quotes is wanted" },
		{ CONF_BASE "proxy: { timer_c = \"185\"; };",
		  "a number (without quotes) is wanted" },
		{ CONF_BASE "proxy: { trusted = \"192.0.2.1\"; };", "a list of strings, as in" },
		{ CONF_BASE "proxy: { trusted = ( 1 ); };", "a list of strings, as in" },
		{ CONF_BASE "listen: { };", "a list of groups" },
		{ CONF_BASE "listen = ( \"udp\" );", "a list of groups" },
		{ CONF_BASE "trunks = ( );", "trunks: a group" },
		{ CONF_BASE "trunks: { a = 1; };", "trunks: a group" },
		{ CONF_BASE "routes = ( { match = 1; reject = 403; } );",
		  "routes.0.match: a group" },
		{ CONF_BASE "trunks: { a: { weights = ( \"x\" ); }; };",
		  "a list of whole numbers" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(values_out_of_range_are_refused_with_the_range)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "server: { workers = 129; };",
		  "t.conf:2: server.workers: 129 is out of range; 0 to 128 are allowed" },
		{ CONF_BASE "server: { workers = -1; };", "-1 is out of range" },
		{ CONF_BASE "server: { workers = 5000000000; };",
		  "t.conf:2: a number is out of range; 32 bits are allowed" },
		{ CONF_BASE "server: { workers = 0x100000001; };", "t.conf:2: a number is out of" },
		{ CONF_BASE "server: { workers = 99999999999999999999999999999999; };",
		  "t.conf:2: a number is out of range" },
		{ CONF_BASE "server: { workers = 4294967297L; };", "4294967297 is out of range" },
		{ CONF_BASE "proxy: { timer_c = 0.01; };", "0.01 is out of range; 0.1 to 86400" },
		{ CONF_BASE "proxy: { timer_c = 1e400; };", "out of range" },
		{ CONF_BASE "control: { mode = 512; };", "0 to 511 are allowed" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(large_numbers_in_names_and_comments_are_text)
{
	struct conf *conf = load(CONF_BASE "# 5000000000\ntrunks: { a5000000000: { targets = ( "
	                                   "\"sip:5000000000@192.0.2.1\" ); }; };");

	ck_assert_uint_eq(conf->trunks_n, 1);
	conf_unref(&conf);
}
END_TEST

START_TEST(unknown_words_are_refused_with_the_known_ones)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "proxy: { relay = \"all\"; };",
		  "proxy.relay: unknown word \"all\"; use \"users\", \"any\" or \"none\"" },
		{ CONF_BASE "log: { format = \"xml\"; };", "use \"logfmt\" or \"json\"" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(what_is_given_twice_is_refused)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "server: { workers = 1;\n workers = 2; };",
		  "t.conf:3: duplicate setting name" },
		{ CONF_BASE "proxy: { };\nproxy: { };", "t.conf:3: duplicate setting name" },
		{ CONF_BASE "modules = ( \"auth\",\n\"auth\" );",
		  "modules: \"auth\" is listed twice" },
		{ "domains = ( \"a.com\", \"A.COM.\" );", "domains.1: \"a.com\" is listed twice" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(syntax_errors_name_the_line)
{
	static const struct wrong cases[] = {
		{ CONF_BASE "server: { workers = 1\n}\nproxy: {", "t.conf:" },
		{ CONF_BASE "\n\nserver: { workers = ; };",
		  "t.conf:4: syntax error; look for a missing" },
		{ "domains = [ \"a\", 1 ];", "t.conf:1: mismatched element type in array" },
	};

	REFUSE_ALL(cases);
}
END_TEST

START_TEST(needs_restart_names_what_a_reload_cannot_change)
{
	struct conf *a = load(CONF_BASE "server: { workers = 1; };");
	struct conf *b = load(CONF_BASE "server: { workers = 2; };");
	struct conf *c = load(CONF_BASE "server: { workers = 1; state_dir = \"/x\"; };");
	struct conf *d = load(CONF_BASE "server: { workers = 1; }; control: { socket = \"/y\"; };");
	struct conf *e = load(CONF_BASE "server: { workers = 1; idle_timeout = 9; };");

	ck_assert_str_eq(conf_needs_restart(a, b), "server.workers");
	ck_assert_str_eq(conf_needs_restart(a, c), "server.state_dir");
	ck_assert_str_eq(conf_needs_restart(a, d), "control.socket");
	ck_assert_ptr_null(conf_needs_restart(a, e));
	conf_unref(&a);
	conf_unref(&b);
	conf_unref(&c);
	conf_unref(&d);
	conf_unref(&e);
}
END_TEST

static int scenario(void *arg)
{
	static char *options[] = { (char *)"listen.0.port=5070",
		                   (char *)"proxy.trusted=192.0.2.1" };
	struct conf *conf = NULL;
	char *error = NULL;
	int err = conf_load_text(str_from(arg), "t.conf", options, 2, NULL, NULL, &conf, &error);

	ck_assert(err == 0 ? conf && !error : !conf);
	ck_assert(err == 0 || err == -12 || err == BELFRY_ECONF);
	free(error);
	conf_unref(&conf);
	return err == BELFRY_ECONF ? 0 : err;
}

START_TEST(loading_survives_failing_allocations)
{
	static char good[] = CONF_BASE
		"proxy: { timer_c = 5; };\n"
		"trunks: { t: { targets = ( \"sip:192.0.2.7\" ); }; };\n"
		"routes = ( { match: { user = \"+*\"; }; to = \"trunk:t\"; },\n"
		" { match: { domain = \"x\"; }; redirect = \"sip:$user@example.com\"; } );\n";
	static char bad[] = CONF_BASE "proxy: { rely = \"x\"; };\n";
	static char bad_listen[] = "domains = ( \"example..com\" );\n";

	oom_each(scenario, good);
	oom_each(scenario, bad);
	oom_each(scenario, bad_listen);
}
END_TEST

UNIT_MAIN("conf/check", every_setting_but_domains_has_a_default, domains_are_mandatory,
          values_of_each_type_arrive, whole_numbers_serve_where_fractions_may,
          unknown_settings_are_refused_with_the_near_name,
          wrong_types_are_refused_with_the_right_one,
          values_out_of_range_are_refused_with_the_range,
          large_numbers_in_names_and_comments_are_text,
          unknown_words_are_refused_with_the_known_ones, what_is_given_twice_is_refused,
          syntax_errors_name_the_line, needs_restart_names_what_a_reload_cannot_change,
          loading_survives_failing_allocations)
