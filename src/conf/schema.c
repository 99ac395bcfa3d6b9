/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

static const struct belfry_setting server_settings[] = {
	BELFRY_SET_STR(
		struct conf_server, name, "",
		"host in Via, Record-Route and Path where a listener has no advertise; \"\": the "
		"listener's address, or the machine's for a wildcard"),
	BELFRY_SET_INT(struct conf_server, workers, 0, 0, CONF_WORKERS_MAX,
	               "threads that do SIP; 0: one per CPU"),
	BELFRY_SET_STR(struct conf_server, user, "belfry",
	               "user to run as when started as root; \"\": unchanged"),
	BELFRY_SET_STR(struct conf_server, group, "belfry",
	               "group to run as when started as root; \"\": unchanged"),
	BELFRY_SET_STR(struct conf_server, state_dir, BELFRY_LOCALSTATEDIR "/lib/belfry",
	               "directory of the database and the keys"),
	BELFRY_SET_STR(struct conf_server, run_dir, BELFRY_RUNSTATEDIR "/belfry",
	               "directory of the control socket"),
	BELFRY_SET_STR(struct conf_server, module_dir, "",
	               "directory of the modules; \"\": the installed one"),
	BELFRY_SET_INT(struct conf_server, drain_timeout, 30, 0, 86400,
	               "seconds that running transactions get when the server is told to end"),
	BELFRY_SET_INT(
		struct conf_server, max_transactions, 1000000, 10, 100000000,
		"server transactions not yet completed, over all workers; the last tenth is kept "
		"for priority, emergency and in-dialog requests"),
	BELFRY_SET_INT(struct conf_server, max_connections, 100000, 1, 10000000,
	               "stream connections, over all workers"),
	BELFRY_SET_INT(struct conf_server, message_timeout, 30, 1, 3600,
	               "seconds from the first byte of a stream message to its last"),
	BELFRY_SET_INT(
		struct conf_server, idle_timeout, 300, 1, 86400,
		"seconds until a connection without a registered flow or a transaction is closed"),
	BELFRY_SET_INT(
		struct conf_server, trace_ring, 1000, 0, 100000,
		"recent calls whose decisions are kept for `belfryctl why`, over all workers; "
		"0: none"),
	BELFRY_SET_END,
};

static const struct belfry_setting listen_settings[] = {
	BELFRY_SET_ENUM(struct conf_listen, transport, "udp", "udp|tcp|tls|ws|wss", "transport"),
	BELFRY_SET_STR(struct conf_listen, address, "0.0.0.0",
	               "IPv4 or IPv6 address; 0.0.0.0 or ::: all"),
	/* -1: not given */
	{ .name = "port",
	  .type = BELFRY_T_INT,
	  .offset = offsetof(struct conf_listen, port),
	  .dflt = "-1",
	  .min = 0,
	  .max = 65535,
	  .help = "port; default 5060, for tls 5061, ws 80, wss 443; 0: any free one" },
	BELFRY_SET_STR(struct conf_listen, advertise, "",
	               "HOST or HOST:PORT in Via, Record-Route and Path; \"\": server.name"),
	BELFRY_SET_STR(struct conf_listen, certificate, "",
	               "PEM file with the certificate chain (tls, wss)"),
	BELFRY_SET_STR(struct conf_listen, private_key, "",
	               "PEM file with the private key (tls, wss)"),
	BELFRY_SET_STR(struct conf_listen, ca, "",
	               "PEM file with the authorities of client certificates (tls, wss)"),
	BELFRY_SET_ENUM(struct conf_listen, verify_client, "none", "none|optional|require",
	                "client certificates (tls, wss)"),
	BELFRY_SET_END,
};

static const struct belfry_setting proxy_settings[] = {
	BELFRY_SET_ENUM(
		struct conf_proxy, relay, "users", "users|any|none",
		"who may send to other domains: authenticated local users and trusted peers, "
		"anybody, or nobody"),
	BELFRY_SET_STRS(struct conf_proxy, trusted, "",
	                "addresses and prefixes of peers that are not challenged"),
	BELFRY_SET_BOOL(
		struct conf_proxy, record_route, true,
		"false: only where RFC 3261 16.6 step 4, a transport change or a flow demands it"),
	BELFRY_SET_ENUM(struct conf_proxy, fork, "q", "parallel|q",
	                "parallel: all targets at once; q: by descending q, equal q in parallel"),
	BELFRY_SET_BOOL(struct conf_proxy, recurse_redirects, false,
	                "follow 3xx responses ourselves"),
	BELFRY_SET_BOOL(struct conf_proxy, redirect_foreign, false,
	                "a retarget that leaves our domains becomes a 302"),
	BELFRY_SET_NUM(
		struct conf_proxy, timer_c, 185, 0.1, 86400,
		"seconds an INVITE branch may ring without a new provisional response; RFC 3261 "
		"16.6 wants more than 180"),
	BELFRY_SET_INT(struct conf_proxy, max_forwards, 70, 1, 255,
	               "Max-Forwards of requests that come without it"),
	BELFRY_SET_INT(struct conf_proxy, max_breadth, 60, 1, 10000,
	               "Max-Breadth of requests that come without it (RFC 5393)"),
	BELFRY_SET_INT(struct conf_proxy, mtu, 1300, 0, 65535,
	               "bytes; a larger request to a UDP next hop goes by TCP first (RFC 3261 "
	               "18.1.1); 0: never"),
	BELFRY_SET_END,
};

static const struct belfry_setting timers_settings[] = {
	BELFRY_SET_INT(struct conf_timers, t1, 500, 10, 10000,
	               "ms; round-trip time estimate (RFC 3261 17.1.1.1)"),
	BELFRY_SET_INT(
		struct conf_timers, t2, 4000, 10, 60000,
		"ms; longest retransmission interval of non-INVITE requests and INVITE responses"),
	BELFRY_SET_INT(struct conf_timers, t4, 5000, 10, 60000,
	               "ms; longest life of a message in the network"),
	BELFRY_SET_INT(struct conf_timers, b, 0, 0, 600000,
	               "ms until an INVITE without any response has failed; 0: 64 times t1"),
	BELFRY_SET_INT(
		struct conf_timers, f, 0, 0, 600000,
		"ms until another request without a final response has failed; 0: 64 times t1"),
	BELFRY_SET_END,
};

static const struct belfry_setting dns_settings[] = {
	BELFRY_SET_STRS(struct conf_dns, nameservers, "",
	                "addresses of name servers, \"192.0.2.53\" or \"192.0.2.53@5353\"; (): the "
	                "system's"),
	BELFRY_SET_ENUM(struct conf_dns, dnssec, "off", "off|permit|require",
	                "permit: bogus answers are refused; require: unsigned ones too; both need "
	                "the root's key (package dns-root-data)"),
	BELFRY_SET_BOOL(struct conf_dns, naptr, true, "ask for NAPTR records (RFC 3263 4.1)"),
	BELFRY_SET_INT(struct conf_dns, timeout, 5, 1, 60, "seconds to wait for an answer"),
	BELFRY_SET_INT(struct conf_dns, failure_ttl, 60, 0, 3600,
	               "seconds during which a target that did not answer is tried last"),
	BELFRY_SET_END,
};

static const struct belfry_setting match_settings[] = {
	BELFRY_SET_STR(struct conf_route_match, user, "",
	               "user part of the Request-URI, unescaped"),
	BELFRY_SET_STR(struct conf_route_match, domain, "", "host of the Request-URI, any case"),
	BELFRY_SET_STR(struct conf_route_match, method, "", "method"),
	BELFRY_SET_STR(struct conf_route_match, uri, "", "the whole Request-URI"),
	BELFRY_SET_STR(struct conf_route_match, source, "",
	               "address or prefix that the request came from"),
	BELFRY_SET_END,
};

static const struct belfry_setting route_settings[] = {
	BELFRY_SET_STR(struct conf_route, name, "", "name in logs and explanations"),
	BELFRY_SET_GROUP(
		struct conf_route, match, match_settings,
		"what requests it is for; all given members must match, `*` at either end stands "
		"for any text"),
	BELFRY_SET_STR(struct conf_route, to, "",
	               "\"trunk:NAME\", or the URI that the request is retargeted to, with $user "
	               "and $domain as in redirect"),
	BELFRY_SET_STR(struct conf_route, redirect, "",
	               "URI of a 302; $user and $domain stand for those of the Request-URI"),
	BELFRY_SET_INT(struct conf_route, reject, 0, 400, 699, "status code to refuse with"),
	BELFRY_SET_END,
};

static const struct belfry_setting trunk_settings[] = {
	BELFRY_SET_STRS(struct conf_trunk, targets, "",
	                "SIP URIs of the peer, in order of preference"),
	BELFRY_SET_INTS(struct conf_trunk, weights, "", 1, 65535,
	                "share of each target with policy weighted; 1 where none is given"),
	BELFRY_SET_ENUM(struct conf_trunk, policy, "failover", "failover|weighted",
	                "failover: in order; weighted: at random by weight, the others on failure"),
	BELFRY_SET_INT(struct conf_trunk, probe, 30, 0, 3600,
	               "seconds between OPTIONS to each target; 0: none"),
	BELFRY_SET_BOOL(struct conf_trunk, tls_wildcard, false,
	                "accept a wildcard certificate from this trunk"),
	BELFRY_SET_INT(struct conf_trunk, max_calls, 0, 0, 10000000,
	               "INVITE transactions not yet answered; 0: no limit"),
	BELFRY_SET_END,
};

static const struct belfry_setting log_settings[] = {
	BELFRY_SET_ENUM(struct conf_log, level, "info", "debug|info|notice|warning|error",
	                "least level that is written"),
	BELFRY_SET_ENUM(struct conf_log, target, "auto", "auto|stderr|journal|syslog",
	                "auto: the journal under systemd, stderr in the foreground, else syslog"),
	BELFRY_SET_ENUM(struct conf_log, format, "logfmt", "logfmt|json",
	                "form of a line; the journal has its own"),
	BELFRY_SET_END,
};

static const struct belfry_setting control_settings[] = {
	BELFRY_SET_STR(struct conf_control, socket, "",
	               "path of the control socket; \"\": RUN_DIR/control.sock"),
	BELFRY_SET_INT(struct conf_control, mode, 432, 0, 511,
	               "access mode of the socket as a decimal number; 432 is 0660"),
	BELFRY_SET_STR(struct conf_control, group, CONF_CONTROL_GROUP,
	               "group of the socket; \"\": unchanged"),
	BELFRY_SET_END,
};

static const struct belfry_setting metrics_settings[] = {
	BELFRY_SET_STR(struct conf_metrics, listen, "",
	               "ADDRESS:PORT of the Prometheus page /metrics; \"\": off"),
	BELFRY_SET_END,
};

/* listen and listen_n, routes and routes_n, ... lie as a struct belfry_groups does. */
#define PAIR_IS_GROUPS(field)                                                                      \
	_Static_assert(offsetof(struct conf, field##_n) ==                                         \
	                       offsetof(struct conf, field) + offsetof(struct belfry_groups, n),   \
	               #field)
PAIR_IS_GROUPS(listen);
PAIR_IS_GROUPS(routes);
PAIR_IS_GROUPS(trunks);

static const struct belfry_setting core_settings[] = {
	BELFRY_SET_GROUP(struct conf, server, server_settings, "the process"),
	BELFRY_SET_GROUPS(
		struct conf, listen, listen_settings, sizeof(struct conf_listen),
		"where SIP is received; default: udp and tcp on port 5060 of all IPv4 addresses"),
	{ .name = "domains",
	  .type = BELFRY_T_STRS,
	  .offset = offsetof(struct conf, domains),
	  .min = 1,
	  .max = 100000,
	  .mandatory = true,
	  .help = "name the domains this server is responsible for, as in domains = ( "
	          "\"example.com\" )" },
	BELFRY_SET_STRS(struct conf, modules, "auth,registrar", "modules to load"),
	BELFRY_SET_GROUP(struct conf, proxy, proxy_settings, "forwarding of requests"),
	BELFRY_SET_GROUP(struct conf, timers, timers_settings, "timers of transactions"),
	BELFRY_SET_GROUP(struct conf, dns, dns_settings, "locating SIP servers"),
	BELFRY_SET_GROUPS(struct conf, routes, route_settings, sizeof(struct conf_route),
	                  "rules for requests; the first that matches decides"),
	BELFRY_SET_MAP(struct conf, trunks, trunk_settings, sizeof(struct conf_trunk),
	               "peers by name, for routes"),
	BELFRY_SET_GROUP(struct conf, log, log_settings, "the log"),
	BELFRY_SET_GROUP(struct conf, control, control_settings, "the control socket"),
	BELFRY_SET_GROUP(struct conf, metrics, metrics_settings, "figures for Prometheus"),
	BELFRY_SET_END,
};

const struct belfry_setting *conf_core_settings(void)
{
	return core_settings;
}

const char *conf_unbuilt(const char *name)
{
	static const struct {
		const char *name, *what;
	} unbuilt[] = {
		{ "tls", "this build has no TLS; leave it out" },
		{ "outbound", "this build has no module of that name; leave it out" },
		{ "identity", "this build has no module of that name; leave it out" },
		{ "history_info", "this build has no module of that name; leave it out" },
		{ "resource_priority", "this build has no module of that name; leave it out" },
	};

	for (size_t i = 0; i < sizeof(unbuilt) / sizeof(unbuilt[0]); i++) {
		if (strcmp(name, unbuilt[i].name) == 0) {
			return unbuilt[i].what;
		}
	}
	return NULL;
}

bool conf_transport_is_built(int transport)
{
	static const bool built[] = {
		[CONF_UDP] = true, [CONF_TCP] = true,  [CONF_TLS] = false,
		[CONF_WS] = false, [CONF_WSS] = false,
	};

	return transport >= 0 && (size_t)transport < sizeof(built) / sizeof(built[0]) &&
	       built[transport];
}
