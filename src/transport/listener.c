/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners as other layers see them: the names that go into Via, Record-Route and Path. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/socket.h"
#include "sip/via.h"
#include "transport/priv.h"
#include "util/err.h"
#include "util/sbuf.h"

#define HOST_MAX 300U /* of a name (RFC 1035: 255) or address, with brackets and port */

/* An IPv6 address gets its brackets, anything else stays. */
static void host_add(struct sbuf *b, struct str host)
{
	struct net_addr addr;
	char text[NET_ADDR_TEXT];

	if (net_addr_parse(host, 0, &addr) == 0 && addr.family == 6) {
		sbuf_char(b, '[');
		sbuf_add(b, net_addr_ip_text(&addr, text));
		sbuf_char(b, ']');
	} else {
		sbuf_add(b, host);
	}
}

static void host_choose(struct sbuf *b, const struct conf *conf, const struct conf_listen *listen,
                        const struct net_addr *bound)
{
	char text[NET_ADDR_TEXT], name[256];

	if (listen->advertise_host.n > 0) {
		host_add(b, listen->advertise_host);
	} else if (conf && conf->server.name.n > 0) {
		host_add(b, conf->server.name);
	} else if (!net_addr_is_any(bound)) {
		host_add(b, net_addr_ip_text(bound, text));
	} else if (gethostname(name, sizeof(name)) == 0) {
		name[sizeof(name) - 1] = '\0';
		sbuf_add(b, str_from(name));
	} else {
		sbuf_add(b, STR("localhost"));
	}
}

/* What a listener is called; the text lies in one block. */
struct names {
	char text[3 * HOST_MAX];
	struct str host, via_prefix, uri_hostport;
	uint16_t port;
};

static int names_make(const struct conf *conf, const struct conf_listen *listen,
                      const struct net_addr *bound, struct names *names)
{
	uint8_t proto = (uint8_t)listen->transport;
	uint16_t port = listen->advertise_port ? (uint16_t)listen->advertise_port : bound->port;
	bool is_default = port == sip_via_default_port(tp_proto_name(proto));
	struct sbuf b;
	size_t host_n, via_n;

	sbuf_init(&b, names->text, sizeof(names->text));
	host_choose(&b, conf, listen, bound);
	host_n = b.n;
	names->host = sbuf_str(&b);
	names->port = is_default ? 0 : port;
	sbuf_add(&b, STR("SIP/2.0/"));
	sbuf_add(&b, tp_proto_name(proto));
	sbuf_char(&b, ' ');
	sbuf_add(&b, names->host);
	if (!is_default) {
		sbuf_printf(&b, ":%u", port);
	}
	via_n = b.n - host_n;
	names->via_prefix = str_make(b.p + host_n, via_n);
	sbuf_add(&b, names->host);
	/* What a URI without port means depends on its scheme for all but UDP and TCP. */
	if (!is_default || proto > TP_TCP) {
		sbuf_printf(&b, ":%u", port);
	}
	names->uri_hostport = str_make(b.p + host_n + via_n, b.n - host_n - via_n);
	return sbuf_ok(&b) ? 0 : -ENAMETOOLONG;
}

static struct listener *listener_new(const struct names *names, uint8_t proto,
                                     const struct net_addr *bound)
{
	size_t n = names->host.n + names->via_prefix.n + names->uri_hostport.n;
	struct listener *l = calloc(1, sizeof(*l) + n);
	char *text;

	if (!l) {
		return NULL;
	}
	text = (char *)(l + 1);
	memcpy(text, names->text, n);
	l->pub.proto = proto;
	l->pub.addr = *bound;
	l->pub.port = names->port;
	l->pub.host = str_make(text, names->host.n);
	l->pub.via_prefix = str_make(text + names->host.n, names->via_prefix.n);
	l->pub.uri_hostport =
		str_make(text + names->host.n + names->via_prefix.n, names->uri_hostport.n);
	return l;
}

int listener_get(struct transport_group *g, const struct conf *conf,
                 const struct conf_listen *listen, const struct net_addr *bound,
                 struct listener **l_r)
{
	uint8_t proto = (uint8_t)listen->transport;
	struct names names;
	struct listener *l;
	int err = names_make(conf, listen, bound, &names);

	if (err != 0) {
		return err;
	}
	for (l = g->all; l; l = l->next) {
		if (l->pub.proto == proto && net_addr_eq(&l->pub.addr, bound) &&
		    str_eq(l->pub.via_prefix, names.via_prefix)) {
			*l_r = l;
			return 0;
		}
	}
	l = listener_new(&names, proto, bound);
	if (!l) {
		return -ENOMEM;
	}
	l->pub.id = ++g->last_id;
	l->next = g->all;
	g->all = l;
	*l_r = l;
	return 0;
}

void listeners_free(struct transport_group *g)
{
	while (g->all) {
		struct listener *l = g->all;

		g->all = l->next;
		free(l);
	}
}

/* --- choosing one --------------------------------------------------------------------------------
 */

const struct tp_listener *transport_listener(struct transport_group *g, size_t i)
{
	struct listener *l;

	if (i > TP_LISTENERS_MAX) {
		return NULL;
	}
	l = atomic_load_explicit(&g->now[i], memory_order_acquire);
	return l ? &l->pub : NULL;
}

/* How well @l suits for sending to @remote; 0: not at all. */
static unsigned suits(const struct tp_listener *l, const struct net_addr *remote,
                      const struct tp_flow *prefer)
{
	bool same_family = l->addr.family == remote->family;

	if (!same_family) {
		return l->proto == TP_UDP ? 0 : 1;
	}
	if (net_addr_is_loopback(&l->addr) && !net_addr_is_loopback(remote)) {
		return 2;
	}
	if (!prefer || !prefer->listener) {
		return 3;
	}
	if (net_addr_eq(&prefer->listener->addr, &l->addr)) {
		return 5;
	}
	return net_addr_eq_ip(&prefer->listener->addr, &l->addr) ? 4 : 3;
}

/* Another listener with an address of its own, of that kind and family? */
static bool has_other_address(struct transport *tp, const struct tp_listener *than)
{
	const struct tp_listener *l;

	for (size_t i = 0; (l = transport_listener(tp->g, i)) != NULL; i++) {
		if (l->proto == than->proto && l->addr.family == than->addr.family &&
		    !net_addr_is_any(&l->addr) && !net_addr_is_loopback(&l->addr) &&
		    !net_addr_eq_ip(&l->addr, &than->addr)) {
			return true;
		}
	}
	return false;
}

/* On a machine in several networks, with a listener in each, the one on the way to @remote: what
 * leaves from another may not get there, and its Via and Record-Route lead nowhere. */
static const struct tp_listener *on_the_way(struct transport *tp, const struct tp_listener *best,
                                            const struct net_addr *remote)
{
	const struct tp_listener *l, *found = NULL;
	struct net_addr source;

	if (tp->fake || net_addr_is_loopback(remote) || net_addr_is_any(&best->addr) ||
	    !has_other_address(tp, best) || net_route_source(remote, &source) != 0 ||
	    net_addr_eq_ip(&source, &best->addr)) {
		return best;
	}
	for (size_t i = 0; (l = transport_listener(tp->g, i)) != NULL; i++) {
		if (l->proto == best->proto && net_addr_eq_ip(&l->addr, &source) &&
		    (!found || l->addr.port == best->addr.port)) {
			found = l;
		}
	}
	return found ? found : best;
}

int transport_pick(struct transport *tp, uint8_t proto, const struct net_addr *remote,
                   const struct tp_flow *prefer, struct tp_flow *flow_r)
{
	const struct tp_listener *l, *best = NULL;
	unsigned best_suits = 0;

	for (size_t i = 0; (l = transport_listener(tp->g, i)) != NULL; i++) {
		unsigned s = l->proto == proto ? suits(l, remote, prefer) : 0;

		if (s > best_suits) {
			best = l;
			best_suits = s;
		}
	}
	if (!best) {
		return BELFRY_EUNREACH;
	}
	best = on_the_way(tp, best, remote);
	*flow_r = (struct tp_flow){ .listener = best, .remote = *remote, .proto = proto };
	if (!net_addr_is_any(&best->addr)) {
		flow_r->local = best->addr;
	}
	if (tp_proto_is_reliable(proto)) {
		flow_r->conn = tp->ops->reuse(tp, proto, remote);
	}
	return 0;
}
