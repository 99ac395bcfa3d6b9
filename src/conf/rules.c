/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/rules.h"

#include <sched.h>
#include <stdio.h>
#include <sys/un.h>

#include "conf/schema.h"
#include "sip/uri.h"
#include "util/near.h"

#define PATH_LEN 128

static bool is_label_char(char c)
{
	return ascii_is_alpha((unsigned char)c) || ascii_is_digit((unsigned char)c) || c == '-' ||
	       c == '_';
}

static bool is_label(struct str label)
{
	for (size_t i = 0; i < label.n; i++) {
		if (!is_label_char(label.p[i])) {
			return false;
		}
	}
	return label.n > 0 && label.n <= 63 && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

static bool is_all_digits_and_dots(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_is_digit((unsigned char)s.p[i]) && s.p[i] != '.') {
			return false;
		}
	}
	return true;
}

bool conf_is_host(struct str host)
{
	struct net_addr addr;
	struct str label;
	bool more = true;

	if (host.n == 0 || host.n > 254) {
		return false;
	}
	if (host.p[0] == '[' || is_all_digits_and_dots(host)) {
		return net_addr_parse(host, 0, &addr) == 0;
	}
	if (host.p[host.n - 1] == '.') {
		host.n--;
	}
	while (more) {
		more = str_cut(host, '.', &label, &host);
		if (!is_label(label)) {
			return false;
		}
	}
	return true;
}

static int parse_port(struct str text)
{
	uint64_t v;

	return str_to_u64(text, 65535, &v) || v == 0 ? -1 : (int)v;
}

bool conf_split_hostport(struct str text, struct str *host_r, int *port_r)
{
	struct str port = STR_NONE;
	ptrdiff_t end = text.n && text.p[0] == '[' ? str_find(text, ']') : -1;
	ptrdiff_t colon = str_find(str_skip(text, (size_t)(end + 1)), ':');

	*host_r = text;
	*port_r = 0;
	if (colon >= 0) {
		host_r->n = (size_t)(end + 1 + colon);
		port = str_skip(text, host_r->n + 1);
		*port_r = parse_port(port);
	}
	return *port_r >= 0 && conf_is_host(*host_r);
}

const char *conf_uri_problem(const struct sip_uri *uri)
{
	static const struct {
		struct str name;
		int transport;
	} known[] = {
		{ STR_INIT("udp"), CONF_UDP }, { STR_INIT("tcp"), CONF_TCP },
		{ STR_INIT("tls"), CONF_TLS }, { STR_INIT("ws"), CONF_WS },
		{ STR_INIT("wss"), CONF_WSS },
	};
	struct str value;

	if (uri->scheme == SIP_URI_SIPS && !conf_transport_is_built(CONF_TLS)) {
		return "a sips URI needs TLS, which this build does not have";
	}
	if (!sip_uri_param(uri, STR("transport"), &value)) {
		return NULL;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_eq_nocase(value, known[i].name)) {
			return conf_transport_is_built(known[i].transport)
			               ? NULL
			               : "its transport is one that this build does not have";
		}
	}
	return "its transport is unknown; use udp or tcp";
}

static int check_domain(struct conf_loader *ld, size_t i)
{
	struct str *domain = &ld->conf->domains.v[i];
	char path[PATH_LEN], *lower;

	(void)snprintf(path, sizeof(path), "domains.%zu", i);
	if (!conf_is_host(*domain)) {
		return conf_fail_path(ld, path, "\"%.*s\" is no domain name", STR_FMT(*domain));
	}
	if (domain->p[domain->n - 1] == '.') {
		domain->n--;
	}
	lower = arena_alloc(ld->arena, domain->n + 1);
	if (!lower) {
		return conf_nomem(ld);
	}
	for (size_t k = 0; k < domain->n; k++) {
		lower[k] = (char)ascii_lower((unsigned char)domain->p[k]);
	}
	lower[domain->n] = '\0';
	domain->p = lower;
	for (size_t j = 0; j < i; j++) {
		if (str_eq(*domain, ld->conf->domains.v[j])) {
			return conf_fail_path(ld, path, "\"%.*s\" is listed twice",
			                      STR_FMT(*domain));
		}
	}
	return 0;
}

int conf_rules_domains(struct conf_loader *ld)
{
	int err = 0;

	if (ld->conf->domains.n == 0) {
		return conf_fail_path(ld, "domains", "name at least one domain");
	}
	for (size_t i = 0; !err && i < ld->conf->domains.n; i++) {
		err = check_domain(ld, i);
	}
	return err;
}

static int check_server(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	cpu_set_t cpus;
	int n = conf->server.workers;

	if (conf->server.name.n > 0 && !conf_is_host(conf->server.name)) {
		return conf_fail_path(ld, "server.name", "\"%.*s\" is no host name or address",
		                      STR_FMT(conf->server.name));
	}
	if (conf->server.state_dir.n == 0) {
		return conf_fail_path(ld, "server.state_dir", "a directory is wanted");
	}
	if (conf->server.run_dir.n == 0) {
		return conf_fail_path(ld, "server.run_dir", "a directory is wanted");
	}
	if (n == 0) {
		n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	}
	conf->workers = (unsigned)(n > CONF_WORKERS_MAX ? CONF_WORKERS_MAX : n);
	return 0;
}

static int check_proxy(struct conf_loader *ld)
{
	struct conf_proxy *proxy = &ld->conf->proxy;
	char path[PATH_LEN];

	proxy->trusted_nets =
		arena_zalloc(ld->arena, (proxy->trusted.n + 1) * sizeof(*proxy->trusted_nets));
	if (!proxy->trusted_nets) {
		return conf_nomem(ld);
	}
	for (size_t i = 0; i < proxy->trusted.n; i++) {
		if (net_prefix_parse(proxy->trusted.v[i], &proxy->trusted_nets[i])) {
			(void)snprintf(path, sizeof(path), "proxy.trusted.%zu", i);
			return conf_fail_path(ld, path,
			                      "\"%.*s\" is no address or prefix; write it as "
			                      "192.0.2.10 or 198.51.100.0/24",
			                      STR_FMT(proxy->trusted.v[i]));
		}
	}
	if (proxy->timer_c <= 180) {
		return conf_warn_path(
			ld, "proxy.timer_c",
			"RFC 3261 16.6 wants more than 180 s: long ringing is cut off");
	}
	return 0;
}

static int check_timers(struct conf_loader *ld)
{
	struct conf_timers *t = &ld->conf->timers;

	if (t->t2 < t->t1) {
		return conf_fail_path(ld, "timers.t2", "%d is less than t1 (%d)", t->t2, t->t1);
	}
	t->b = t->b ? t->b : 64 * t->t1;
	t->f = t->f ? t->f : 64 * t->t1;
	return 0;
}

static int check_dns(struct conf_loader *ld)
{
	const struct str_list *list = &ld->conf->dns.nameservers;
	struct net_addr addr;
	struct str host, port;
	char path[PATH_LEN];

	for (size_t i = 0; i < list->n; i++) {
		bool has_port = str_cut(list->v[i], '@', &host, &port);

		if (net_addr_parse(host, 53, &addr) || (has_port && parse_port(port) < 0)) {
			(void)snprintf(path, sizeof(path), "dns.nameservers.%zu", i);
			return conf_fail_path(ld, path,
			                      "\"%.*s\" is no address; write it as 192.0.2.53 or "
			                      "192.0.2.53@5353",
			                      STR_FMT(list->v[i]));
		}
	}
	return 0;
}

static int check_control(struct conf_loader *ld)
{
	struct conf_control *control = &ld->conf->control;

	if (control->socket.n == 0) {
		control->socket = arena_printf(ld->arena, "%.*s/control.sock",
		                               STR_FMT(ld->conf->server.run_dir));
		if (!control->socket.p) {
			return conf_nomem(ld);
		}
	}
	if (control->socket.n >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		return conf_fail_path(ld, "control.socket",
		                      "\"%.*s\" is too long for a socket; %zu bytes are allowed",
		                      STR_FMT(control->socket),
		                      sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	}
	return 0;
}

static int check_metrics(struct conf_loader *ld)
{
	struct conf_metrics *metrics = &ld->conf->metrics;
	struct str host;
	int port;

	if (metrics->listen.n == 0) {
		return 0;
	}
	if (!conf_split_hostport(metrics->listen, &host, &port) || port == 0 ||
	    net_addr_parse(host, (uint16_t)port, &metrics->addr)) {
		return conf_fail_path(ld, "metrics.listen",
		                      "\"%.*s\" is no address with a port; write it as "
		                      "127.0.0.1:9464 or [::1]:9464",
		                      STR_FMT(metrics->listen));
	}
	return 0;
}

int conf_rules(struct conf_loader *ld)
{
	static int (*const rules[])(struct conf_loader *) = {
		check_server, conf_rules_domains, conf_rules_listen, check_proxy,   check_timers,
		check_dns,    conf_rules_trunks,  conf_rules_routes, check_control, check_metrics,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(rules) / sizeof(rules[0]); i++) {
		err = rules[i](ld);
	}
	return err;
}
