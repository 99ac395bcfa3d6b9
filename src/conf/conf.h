/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: a libconfig file checked against the tables of settings and turned into one
 * immutable, reference-counted struct with every default filled in. A reload makes a new one and
 * swaps it; who began with an old one keeps it.
 */
#pragma once

#include "net/addr.h"
#include "util/setting.h"
#include "util/str.h"

enum conf_transport { CONF_UDP, CONF_TCP, CONF_TLS, CONF_WS, CONF_WSS };
enum conf_relay { CONF_RELAY_USERS, CONF_RELAY_ANY, CONF_RELAY_NONE };
enum conf_fork { CONF_FORK_PARALLEL, CONF_FORK_Q };
enum conf_trunk_policy { CONF_TRUNK_FAILOVER, CONF_TRUNK_WEIGHTED };

struct conf_server {
	struct str name; /* never empty: as given, or made up from the listeners */
	struct str user, group, state_dir, run_dir, module_dir;
	int workers;       /* as written; conf->workers has the number */
	int drain_timeout; /* s */
	int max_transactions, max_connections;
	int message_timeout, idle_timeout; /* s */
	int trace_ring;                    /* recent calls kept for `why` */
};

struct conf_listen {
	int transport; /* enum conf_transport */
	struct str address, advertise, certificate, private_key, ca;
	int port, verify_client;
	struct net_addr addr;      /* checked form of address and port */
	struct str advertise_host; /* empty: server.name. IPv6 in brackets */
	int advertise_port;        /* 0: port */
	int line;                  /* in the file */
};

struct conf_proxy {
	int relay, fork;
	bool record_route, recurse_redirects, redirect_foreign;
	struct str_list trusted;
	struct net_prefix *trusted_nets; /* checked form, trusted.n of them */
	double timer_c;                  /* s */
	int max_forwards, max_breadth, mtu;
};

struct conf_timers { /* ms; b and f with their defaults worked out */
	int t1, t2, t4, b, f;
};

struct conf_dns {
	struct str_list nameservers;
	int dnssec; /* 0 off, 1 permit, 2 require */
	bool naptr;
	int timeout, failure_ttl; /* s */
};

struct conf_route_match {
	struct str user, domain, method, uri, source; /* empty: any; `*` at either end */
};

struct conf_route {
	struct str name, to, redirect;
	int reject; /* status, 0: none. One of to, redirect and reject is set */
	struct conf_route_match match;
	struct net_prefix source_net; /* bits > 0 or a family: source was an address or prefix */
	int trunk;                    /* index in trunks when to is "trunk:NAME", else -1 */
	int line;
};

struct conf_trunk {
	struct str name;
	struct str_list targets; /* SIP URIs, checked */
	struct belfry_ints
		weights; /* policy weighted; may be shorter than targets: 1 for the rest */
	int policy, probe /* s */, max_calls;
	bool tls_wildcard;
};

struct conf_log {
	int level, target, format;
}; /* enum log_*; target 0 auto, 1 stderr, 2 journal, 3 syslog */
#define CONF_CONTROL_GROUP "belfry" /* by default */
struct conf_control {
	struct str socket;
	int mode;
	struct str group;
};
struct conf_metrics {
	struct str listen;
	struct net_addr addr;
};

struct conf_module_info;

struct conf_module {
	struct str name;
	const struct conf_module_info *info; /* as the loader of modules gave it */
	const struct belfry_setting *settings;
	void *values; /* struct of the module's conf_size; NULL when it has no settings */
	bool enabled; /* listed in modules */
};

struct conf {
	_Atomic int refs;
	struct str file;
	unsigned workers;
	struct conf_server server;
	struct conf_listen *listen;
	size_t listen_n;
	struct str_list domains; /* lower case, no trailing dot */
	struct str_list modules;
	struct conf_proxy proxy;
	struct conf_timers timers;
	struct conf_dns dns;
	struct conf_route *routes;
	size_t routes_n;
	struct conf_trunk *trunks;
	size_t trunks_n;
	struct conf_log log;
	struct conf_control control;
	struct conf_metrics metrics;
	struct conf_module *module; /* a section each, enabled or not */
	size_t module_n;
	struct str *warnings; /* "FILE:LINE: ..."; told by the caller, once */
	size_t warnings_n;
	struct conf_mem *mem; /* everything above */
};

/* What a module's section may hold. Called once per section that is not the core's and per name in
 * `modules`. NULL result: no such module, *error_r says where it was looked for. */
struct conf_module_info {
	const struct belfry_setting *settings;
	size_t conf_size;
	/* Side-effect free; NULL when fine, else a sentence. May be NULL. */
	const char *(*check)(const void *values);
};
typedef const struct conf_module_info *(conf_module_cb)(void *arg, struct str name,
                                                        struct str module_dir,
                                                        const char **error_r);

/* Reads and checks. @overrides are KEY=VALUE of -D. 0; BELFRY_ECONF with *error_r "FILE:LINE: what
 * is wrong; hint" (heap, free()); -errno when the file cannot be read (with *error_r); -ENOMEM
 * (*error_r NULL). @cb may be NULL: no module has settings. Any thread; reads files, and asks the
 * system for its addresses when server.name is to be made up. */
int conf_load(const char *file, char *const *overrides, size_t overrides_n, conf_module_cb *cb,
              void *arg, struct conf **conf_r, char **error_r);
/* The same from a text that messages call @name: unit tests and tools. */
int conf_load_text(struct str text, const char *name, char *const *overrides, size_t overrides_n,
                   conf_module_cb *cb, void *arg, struct conf **conf_r, char **error_r);
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf **conf);

/* Settings that a reload cannot change: NULL, or the name of the first that differs. */
const char *conf_needs_restart(const struct conf *old, const struct conf *new_conf);

/* Values of a module's section; NULL without settings or section. */
const void *conf_module_values(const struct conf *conf, struct str name);
bool conf_is_local_domain(const struct conf *conf, struct str host); /* any case, trailing dot */
bool conf_is_trusted(const struct conf *conf, const struct net_addr *source);

/* Can the transport layer of this build serve it (enum conf_transport)? */
bool conf_transport_is_built(int transport);

/* The tables, for the manual and tests: one entry per section. */
const struct belfry_setting *conf_core_settings(void);
