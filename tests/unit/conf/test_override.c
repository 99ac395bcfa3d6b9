/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/override.h"

#include "support.h"

static struct conf *with(const char *text, const char *option)
{
	char *options[] = { (char *)(uintptr_t)option };

	return load_with(text, options, 1);
}

static void refuse_option(const char *option, const char *want)
{
	char *options[] = { (char *)(uintptr_t)option };

	refuse_with(CONF_BASE, options, 1, want);
}

START_TEST(options_set_values_of_each_type)
{
	struct conf *conf = with(CONF_BASE "server: { workers = 4; };", "server.workers=2");

	ck_assert_uint_eq(conf->workers, 2);
	conf_unref(&conf);
	conf = with(CONF_BASE, "proxy.relay=any");
	ck_assert_int_eq(conf->proxy.relay, CONF_RELAY_ANY);
	conf_unref(&conf);
	conf = with(CONF_BASE, "proxy.record_route=false");
	ck_assert(!conf->proxy.record_route);
	conf_unref(&conf);
	conf = with(CONF_BASE, "proxy.timer_c=200.5");
	ck_assert_double_eq(conf->proxy.timer_c, 200.5);
	conf_unref(&conf);
	conf = with("", "domains=a.com, b.com");
	ck_assert_uint_eq(conf->domains.n, 2);
	ck_assert_str_is(conf->domains.v[1], "b.com");
	conf_unref(&conf);
	conf = with(CONF_BASE "modules = ( \"x\" );", "modules=");
	ck_assert_uint_eq(conf->modules.n, 0);
	conf_unref(&conf);
	conf = with(CONF_BASE, "server.state_dir=a=b");
	ck_assert_str_is(conf->server.state_dir, "a=b");
	conf_unref(&conf);
}
END_TEST

START_TEST(options_reach_into_lists_and_named_groups)
{
	struct conf *conf =
		with(CONF_BASE "listen = ( { port = 1; }, { port = 2; } );", "listen.1.port=5070");

	ck_assert_int_eq(conf->listen[0].port, 1);
	ck_assert_int_eq(conf->listen[1].port, 5070);
	conf_unref(&conf);
	conf = with(CONF_BASE, "listen.0.port=5070");
	ck_assert_uint_eq(conf->listen_n, 2);
	ck_assert_int_eq(conf->listen[0].port, 5070);
	ck_assert_int_eq(conf->listen[1].port, 5060);
	conf_unref(&conf);
	conf = with(CONF_BASE, "listen.2.port=5070");
	ck_assert_uint_eq(conf->listen_n, 3);
	conf_unref(&conf);
	conf = with(CONF_BASE, "trunks.new.targets=sip:192.0.2.1,sip:192.0.2.2");
	ck_assert_uint_eq(conf->trunks_n, 1);
	ck_assert_uint_eq(conf->trunks[0].targets.n, 2);
	conf_unref(&conf);
	conf = with(CONF_BASE, "domains.0=b.com");
	ck_assert_str_is(conf->domains.v[0], "b.com");
	conf_unref(&conf);
}
END_TEST

START_TEST(options_may_be_written_as_in_the_file)
{
	struct conf *conf = with("", "domains=( \"a.com\", \"b.com\" )");

	ck_assert_uint_eq(conf->domains.n, 2);
	ck_assert_str_is(conf->domains.v[1], "b.com");
	conf_unref(&conf);
	conf = with("", "domains=[\"a.com\"]");
	ck_assert_uint_eq(conf->domains.n, 1);
	conf_unref(&conf);
	conf = with(CONF_BASE, "server.name=\"sip.example.com\"");
	ck_assert_str_is(conf->server.name, "sip.example.com");
	conf_unref(&conf);
	conf = with(CONF_BASE "listen = ( { port = 1; } );",
	            "listen=( { transport = \"tcp\"; port = 5070; }, { port = 5070; } )");
	ck_assert_uint_eq(conf->listen_n, 2);
	ck_assert_int_eq(conf->listen[0].transport, CONF_TCP);
	ck_assert_int_eq(conf->listen[1].port, 5070);
	conf_unref(&conf);
	conf = with(CONF_BASE "listen = ( { port = 1; transport = \"tcp\"; } );",
	            "listen.0={ port = 5071; }");
	ck_assert_int_eq(conf->listen[0].port, 5071);
	ck_assert_int_eq(conf->listen[0].transport, CONF_UDP);
	conf_unref(&conf);
	conf = with(CONF_BASE, "trunks.c={ targets = ( \"sip:192.0.2.1\" ); max_calls = 3; }");
	ck_assert_int_eq(conf->trunks[0].max_calls, 3);
	conf_unref(&conf);
	conf = with(CONF_BASE, "routes=()");
	ck_assert_uint_eq(conf->routes_n, 0);
	conf_unref(&conf);
}
END_TEST

START_TEST(options_that_only_begin_like_a_list_are_text)
{
	struct conf *conf = with(CONF_BASE, "metrics.listen=[::1]:9464");

	ck_assert_str_is(conf->metrics.listen, "[::1]:9464");
	conf_unref(&conf);
	refuse_option("domains=(\"a.com\"", "\"(\"a.com\"\" is no domain name");
	refuse_option("server.name=\"x\"; modules = ( \"y\" )", "is no host name");
	refuse_option("routes=( { reject = 200; } )",
	              "-D routes=( { reject = 200; } ): routes.0.reject: 200 is out of range");
	refuse_option("server.workers=\"x\"", "\"x\" is wrong; a whole number");
	refuse_option("server={ workrs = 1; }", "did you mean \"workers\"?");
}
END_TEST

START_TEST(last_option_counts)
{
	char *options[] = { (char *)"server.workers=2", (char *)"server.workers=3" };
	struct conf *conf = load_with(CONF_BASE, options, 2);

	ck_assert_uint_eq(conf->workers, 3);
	conf_unref(&conf);
}
END_TEST

START_TEST(mistakes_in_options_name_the_option)
{
	refuse_option("server.workers", "-D server.workers: KEY=VALUE is wanted");
	refuse_option("server.workers=x",
	              "-D server.workers=x: server.workers: \"x\" is wrong; a whole");
	refuse_option("server.workers=", "\"\" is wrong");
	refuse_option("server.workers=1x", "\"1x\" is wrong");
	refuse_option("server.workers=1000",
	              "-D server.workers=1000: server.workers: 1000 is out of");
	refuse_option("server.workrs=1", "unknown setting \"workrs\"; did you mean \"workers\"?");
	refuse_option("servr.workers=1", "-D servr.workers=1: unknown section \"servr\"");
	refuse_option("proxy.relay=all", "unknown word \"all\"");
	refuse_option("proxy.record_route=yes", "true or false");
	refuse_option("proxy.timer_c=nan", "\"nan\" is wrong");
	refuse_option("server=1", "-D server=1: server: name a setting inside it");
	refuse_option("listen=1", "-D listen=1");
	refuse_option("listen.9.port=1", "there is no such section or list entry");
	refuse_option("domains.x.y=1", "there is no such section or list entry");
	refuse_option("domains=a,,b", "domains: an entry is empty");
	refuse_option("=1", "-D =1: ");
	refuse_option(".=1", "-D .=1: ");
	refuse_option("a b=1", "-D a b=1: ");
	refuse_option("proxy.trusted=x",
	              "-D proxy.trusted=x: proxy.trusted.0: \"x\" is no address");
}
END_TEST

UNIT_MAIN("conf/override", options_set_values_of_each_type,
          options_reach_into_lists_and_named_groups, options_may_be_written_as_in_the_file,
          options_that_only_begin_like_a_list_are_text, last_option_counts,
          mistakes_in_options_name_the_option)
