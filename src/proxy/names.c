/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this server is called: server.name, the advertised names, the addresses it listens on.
 * Domains are asked of the configuration.
 */
#include "proxy/core.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>

struct own_names {
	struct worker_conf *wc; /* keeps what hosts point into */
	struct str *hosts;
	size_t hosts_n;
	struct net_addr *addrs;
	size_t addrs_n, addrs_cap;
	uint16_t *ports;
	size_t ports_n;
};

static void names_free(struct own_names *names)
{
	if (names == NULL) {
		return;
	}
	if (names->wc) {
		worker_conf_unref(&names->wc);
	}
	free(names->hosts);
	free(names->addrs);
	free(names->ports);
	free(names);
}

void proxy_names_free(struct proxy *p)
{
	names_free(p->names);
	p->names = NULL;
}

static bool add_addr(struct own_names *names, const struct net_addr *addr)
{
	for (size_t i = 0; i < names->addrs_n; i++) {
		if (net_addr_eq_ip(&names->addrs[i], addr)) {
			return true;
		}
	}
	if (names->addrs_n == names->addrs_cap) {
		size_t cap = names->addrs_cap ? 2 * names->addrs_cap : 16;
		struct net_addr *addrs = realloc(names->addrs, cap * sizeof(*addrs));

		if (addrs == NULL) {
			return false;
		}
		names->addrs = addrs;
		names->addrs_cap = cap;
	}
	names->addrs[names->addrs_n++] = *addr;
	return true;
}

static bool add_host(struct own_names *names, struct str host)
{
	struct net_addr addr;

	if (host.n == 0) {
		return true;
	}
	if (net_addr_parse(host, 0, &addr) == 0) {
		return add_addr(names, &addr);
	}
	for (size_t i = 0; i < names->hosts_n; i++) {
		if (sip_host_eq(names->hosts[i], host)) {
			return true;
		}
	}
	names->hosts[names->hosts_n++] = host;
	return true;
}

/* A wildcard listener has every address of the machine. */
static bool add_interfaces(struct own_names *names, uint8_t family)
{
	struct ifaddrs *all = NULL;
	bool ok = true;

	if (getifaddrs(&all)) {
		return true; /* the address a datagram came to is known with it */
	}
	for (const struct ifaddrs *i = all; i && ok; i = i->ifa_next) {
		struct net_addr addr = { 0 };

		if (i->ifa_addr &&
		    (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6)) {
			net_addr_from_sockaddr(i->ifa_addr, &addr);
		}
		if (addr.family && (family == 6 || addr.family == family)) {
			ok = add_addr(names, &addr);
		}
	}
	freeifaddrs(all);
	return ok;
}

static void add_port(struct own_names *names, int port)
{
	if (port > 0) {
		names->ports[names->ports_n++] = (uint16_t)port;
	}
}

static bool fill(struct own_names *names, const struct conf *conf)
{
	if (!add_host(names, conf->server.name)) {
		return false;
	}
	for (size_t i = 0; i < conf->listen_n; i++) {
		const struct conf_listen *l = &conf->listen[i];

		add_port(names, l->addr.port);
		add_port(names, l->advertise_port);
		if (!add_host(names, l->advertise_host)) {
			return false;
		}
		if (net_addr_is_any(&l->addr) ? !add_interfaces(names, l->addr.family)
		                              : !add_addr(names, &l->addr)) {
			return false;
		}
	}
	return true;
}

static struct own_names *names_new(struct proxy *p)
{
	const struct conf *conf = p->w->conf->conf;
	struct own_names *names = calloc(1, sizeof(*names));

	if (names == NULL) {
		return NULL;
	}
	names->hosts = calloc(conf->listen_n + 1, sizeof(*names->hosts));
	names->ports = calloc(2 * conf->listen_n + 1, sizeof(*names->ports));
	if (names->hosts == NULL || names->ports == NULL || !fill(names, conf)) {
		names_free(names);
		return NULL;
	}
	names->wc = worker_conf_ref(p->w);
	return names;
}

int proxy_names_update(struct proxy *p)
{
	struct own_names *names = names_new(p);

	if (names == NULL) {
		return -ENOMEM;
	}
	names_free(p->names);
	p->names = names;
	return 0;
}

bool proxy_is_own_host(const struct belfry_req *req, struct str host)
{
	const struct own_names *names = req->p->names;
	struct net_addr addr;

	if (host.n > 0 && (host.p[0] == '[' || ascii_is_digit((unsigned char)host.p[0])) &&
	    net_addr_parse(host, 0, &addr) == 0) {
		if (req->from.local.family && net_addr_eq_ip(&req->from.local, &addr)) {
			return true;
		}
		for (size_t i = 0; names && i < names->addrs_n; i++) {
			if (net_addr_eq_ip(&names->addrs[i], &addr)) {
				return true;
			}
		}
		return false;
	}
	for (size_t i = 0; names && i < names->hosts_n; i++) {
		if (sip_host_eq(names->hosts[i], host)) {
			return true;
		}
	}
	return false;
}

bool proxy_is_own_port(const struct belfry_req *req, uint16_t port)
{
	const struct own_names *names = req->p->names;
	const struct tp_listener *l = req->from.listener;

	if (port == 0 || (l && (port == l->addr.port || port == l->port))) {
		return true;
	}
	for (size_t i = 0; names && i < names->ports_n; i++) {
		if (names->ports[i] == port) {
			return true;
		}
	}
	return false;
}

bool proxy_uri_is_own(const struct belfry_req *req, const struct sip_uri *uri)
{
	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return false;
	}
	return proxy_is_own_port(req, uri->port) &&
	       (proxy_is_own_host(req, uri->host) || conf_is_local_domain(req->conf, uri->host));
}

enum proxy_ruri proxy_uri_kind(const struct belfry_req *req, const struct sip_uri *uri)
{
	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return PROXY_RURI_OTHER;
	}
	if (!proxy_is_own_port(req, uri->port)) {
		return PROXY_RURI_ELSEWHERE;
	}
	if (conf_is_local_domain(req->conf, uri->host)) {
		return uri->has_user ? PROXY_RURI_LOCAL : PROXY_RURI_SELF;
	}
	if (proxy_is_own_host(req, uri->host)) {
		return uri->has_user ? PROXY_RURI_HOST : PROXY_RURI_SELF;
	}
	return PROXY_RURI_ELSEWHERE;
}
