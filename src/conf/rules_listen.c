/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/rules.h"

#include <netinet/in.h>
#include <stdio.h>

#include "net/socket.h"

#define PATH_LEN 128

static const char *const transport_names[] = { "udp", "tcp", "tls", "ws", "wss" };
static const uint16_t default_ports[] = { 5060, 5060, 5061, 80, 443 };

static void path_of(char *out, size_t i, const char *member)
{
	(void)snprintf(out, PATH_LEN, "listen.%zu%s%s", i, *member ? "." : "", member);
}

static bool is_tls(const struct conf_listen *l)
{
	return l->transport == CONF_TLS || l->transport == CONF_WSS;
}

/* Settings of TLS on a listener without it. */
static const char *tls_only(const struct conf_listen *l)
{
	if (is_tls(l)) {
		return NULL;
	}
	if (l->certificate.n) {
		return "certificate";
	}
	if (l->private_key.n) {
		return "private_key";
	}
	if (l->ca.n) {
		return "ca";
	}
	return l->verify_client ? "verify_client" : NULL;
}

static int check_kind(struct conf_loader *ld, size_t i)
{
	const struct conf_listen *l = &ld->conf->listen[i];
	const char *name = transport_names[l->transport], *member = tls_only(l);
	char path[PATH_LEN];

	if (!conf_transport_is_built(l->transport)) {
		path_of(path, i, "transport");
		return conf_fail_path(ld, path, "this build has no %s; use udp or tcp", name);
	}
	if (member) {
		path_of(path, i, member);
		return conf_fail_path(ld, path, "it has no meaning for %s", name);
	}
	return 0;
}

static int check_address(struct conf_loader *ld, size_t i)
{
	struct conf_listen *l = &ld->conf->listen[i];
	char path[PATH_LEN];

	if (l->port < 0) {
		l->port = default_ports[l->transport];
	}
	if (net_addr_parse(l->address, (uint16_t)l->port, &l->addr)) {
		path_of(path, i, "address");
		return conf_fail_path(
			ld, path,
			"\"%.*s\" is no address; write it as 192.0.2.1 or 2001:db8::1 "
			"(names are not looked up)",
			STR_FMT(l->address));
	}
	if (net_addr_is_multicast_or_broadcast(&l->addr)) {
		path_of(path, i, "address");
		return conf_fail_path(ld, path, "\"%.*s\" is no address of a host",
		                      STR_FMT(l->address));
	}
	for (size_t j = 0; l->port && j < i; j++) {
		const struct conf_listen *other = &ld->conf->listen[j];

		if (l->transport == other->transport && net_addr_eq(&l->addr, &other->addr)) {
			path_of(path, i, "");
			return conf_fail_path(ld, path, "the same as listen.%zu (line %d)", j,
			                      other->line);
		}
	}
	return 0;
}

/* Is server.name of no use here: a number of the other family? */
static bool is_other_family(const struct conf *conf, const struct net_addr *addr)
{
	struct net_addr name;

	return net_addr_parse(conf->server.name, 0, &name) == 0 && name.family != addr->family;
}

static struct str print_host(struct conf_loader *ld, const struct net_addr *addr)
{
	char text[NET_ADDR_TEXT];

	return arena_printf(ld->arena, addr->family == 6 ? "[%.*s]" : "%.*s",
	                    STR_FMT(net_addr_ip_text(addr, text)));
}

static int check_advertise(struct conf_loader *ld, size_t i)
{
	struct conf_listen *l = &ld->conf->listen[i];
	char path[PATH_LEN];

	if (l->advertise.n > 0) {
		if (!conf_split_hostport(l->advertise, &l->advertise_host, &l->advertise_port)) {
			path_of(path, i, "advertise");
			return conf_fail_path(ld, path,
			                      "\"%.*s\" is no HOST or HOST:PORT; an IPv6 address "
			                      "has brackets",
			                      STR_FMT(l->advertise));
		}
		return 0;
	}
	if (net_addr_is_any(&l->addr) ||
	    (ld->conf->server.name.n > 0 && !is_other_family(ld->conf, &l->addr))) {
		return 0; /* server.name, as given or as found by name_self() */
	}
	l->advertise_host = print_host(ld, &l->addr);
	return l->advertise_host.p ? 0 : conf_nomem(ld);
}

/* server.name where it was not given: what the first listener calls itself, the machine's address
 * for a wildcard. A domain would do for nobody whose phone cannot resolve it. */
static int name_self(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	struct net_addr own;

	if (conf->server.name.n > 0) {
		return 0;
	}
	for (size_t i = 0; i < conf->listen_n; i++) {
		if (conf->listen[i].advertise_host.n == 0) {
			conf->server.name = net_own_addr(0, &own) ? print_host(ld, &own)
			                                          : STR("127.0.0.1");
			return conf->server.name.p ? 0 : conf_nomem(ld);
		}
	}
	conf->server.name = conf->listen[0].advertise_host;
	return 0;
}

/* A number of IPv4 says nothing to an IPv6 peer, nor the other way round: a wildcard of the other
 * family than server.name is called by the machine's address of its own. */
static int name_wildcards(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;

	for (size_t i = 0; i < conf->listen_n; i++) {
		struct conf_listen *l = &conf->listen[i];
		struct net_addr own;

		if (l->advertise_host.n > 0 || !is_other_family(conf, &l->addr)) {
			continue;
		}
		if (!net_own_addr(l->addr.family, &own)) {
			continue;
		}
		l->advertise_host = print_host(ld, &own);
		if (l->advertise_host.p == NULL) {
			return conf_nomem(ld);
		}
	}
	return 0;
}

/* RFC 3261 18.2.1: who receives UDP on a port must receive TCP there as well. */
static int warn_udp_alone(struct conf_loader *ld, size_t i)
{
	const struct conf *conf = ld->conf;
	const struct conf_listen *l = &conf->listen[i];
	char path[PATH_LEN];

	if (l->transport != CONF_UDP || l->port == 0) {
		return 0;
	}
	for (size_t j = 0; j < conf->listen_n; j++) {
		if (conf->listen[j].transport == CONF_TCP &&
		    net_addr_eq(&l->addr, &conf->listen[j].addr)) {
			return 0;
		}
	}
	path_of(path, i, "");
	return conf_warn_path(ld, path,
	                      "udp without tcp on the same address and port; RFC 3261 18.2.1 wants "
	                      "both");
}

int conf_rules_listen(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	char path[PATH_LEN];
	int err = 0;

	if (conf->listen_n == 0) {
		return conf_fail_path(ld, "listen", "name at least one listener");
	}
	for (size_t i = 0; !err && i < conf->listen_n; i++) {
		path_of(path, i, "");
		conf->listen[i].line = conf_path_line(ld, path);
		err = check_kind(ld, i);
		err = err ? err : check_address(ld, i);
		err = err ? err : check_advertise(ld, i);
	}
	for (size_t i = 0; !err && i < conf->listen_n; i++) {
		err = warn_udp_alone(ld, i);
	}
	err = err ? err : name_self(ld);
	return err ? err : name_wildcards(ld);
}
