/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All workers' transports and their sockets: made before the workers start, changed by a reload in
 * two phases. Prepare opens what is new, so that only a commit remains, which cannot fail.
 *
 * A listening stream socket that is not wanted any more is closed then, its connections stay. The
 * datagram sockets carry the transactions themselves: they stay for server.drain_timeout, without
 * a listener, and are taken up again if a later reload wants them.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/socket.h"
#include "transport/priv.h"
#include "util/err.h"
#include "util/log.h"

struct plan_item {
	struct listener *listener;
	struct tp_bind *bind;
	bool is_new; /* its sockets are not in use yet */
};

struct plan_job {
	struct job job;
	struct plan *plan;
};

struct plan {
	struct transport_group *g;
	struct plan_item *items;
	size_t items_n;
	unsigned linger_s;        /* that datagram sockets stay */
	struct tp_bind *gone;     /* to be closed; set by the commit */
	struct tp_bind **leaving; /* datagram ones that stay for a while */
	size_t leaving_n;
	_Atomic unsigned left; /* workers that have not adopted it */
	struct plan_job jobs[];
};

/* --- sockets of one listener ---------------------------------------------------------------------
 */

static void port_free(struct tp_port *port, uint8_t proto)
{
	if (!port) {
		return;
	}
	if (proto == TP_UDP) {
		udp_port_free(port);
	} else {
		tcp_port_free(port);
	}
}

static void bind_free(struct tp_bind *bind)
{
	for (unsigned i = 0; i < bind->n; i++) {
		port_free(bind->ports[i], bind->proto);
	}
	free(bind);
}

static int port_open(struct tp_bind *bind, struct transport *tp, struct tp_port **port_r)
{
	bool is_udp = bind->proto == TP_UDP;
	int fd = is_udp ? net_udp_open(&bind->addr) : net_tcp_listen(&bind->addr);

	if (fd < 0) {
		return fd;
	}
	*port_r = is_udp ? udp_port_new(tp, &bind->addr, fd) : tcp_port_new(tp, &bind->addr, fd);
	return *port_r ? 0 : -ENOMEM;
}

static int bind_new(struct transport_group *g, const struct conf_listen *listen,
                    struct tp_bind **bind_r)
{
	struct tp_bind *bind = calloc(1, sizeof(*bind) + g->n * sizeof(struct tp_port *));
	int err;

	if (!bind) {
		return -ENOMEM;
	}
	bind->proto = (uint8_t)listen->transport;
	bind->asked = listen->addr;
	bind->n = g->n;
	err = net_probe(bind->proto == TP_UDP ? SOCK_DGRAM : SOCK_STREAM, &bind->asked,
	                &bind->addr);
	for (unsigned i = 0; err == 0 && i < g->n; i++) {
		err = port_open(bind, g->tp[i], &bind->ports[i]);
	}
	if (err != 0) {
		bind_free(bind);
		return err;
	}
	*bind_r = bind;
	return 0;
}

/* NULL: there is none yet. */
static struct tp_bind *bind_find(const struct transport_group *g, const struct conf_listen *listen)
{
	struct tp_bind *bind;

	for (bind = g->binds; bind; bind = bind->next) {
		if (bind->proto == listen->transport && net_addr_eq(&bind->asked, &listen->addr)) {
			break;
		}
	}
	return bind;
}

/* --- the plan ------------------------------------------------------------------------------------
 */

static void plan_free(struct plan *plan)
{
	while (plan->gone) {
		struct tp_bind *bind = plan->gone;

		plan->gone = bind->next;
		free(bind); /* its ports are gone already */
	}
	free(plan->items);
	free(plan->leaving);
	free(plan);
}

void transport_group_abort(struct transport_group *g, void *plan_)
{
	struct plan *plan = plan_;

	(void)g;
	for (size_t i = 0; i < plan->items_n; i++) {
		if (plan->items[i].is_new) {
			bind_free(plan->items[i].bind);
		}
	}
	plan_free(plan);
}

/* Sentence for a human. Without memory there is none. */
static void tell(char **error_r, const struct conf_listen *listen, int err)
{
	char text[NET_ADDR_TEXT];

	net_addr_text(&listen->addr, text);
	if (asprintf(error_r, "cannot listen on %s %s: %s%s",
	             tp_proto_param((uint8_t)listen->transport).p, text, belfry_strerror(err),
	             err == -EADDRINUSE ? "; another program (or an earlier listener) has it"
	                                : "") < 0) {
		*error_r = NULL;
	}
}

static int plan_item_make(struct transport_group *g, const struct conf *conf,
                          const struct conf_listen *listen, struct plan_item *item)
{
	int err = 0;

	if (listen->transport != CONF_UDP && listen->transport != CONF_TCP) {
		return -EPROTONOSUPPORT;
	}
	item->bind = bind_find(g, listen);
	if (!item->bind) {
		err = bind_new(g, listen, &item->bind);
		item->is_new = err == 0;
	}
	return err ? err : listener_get(g, conf, listen, &item->bind->addr, &item->listener);
}

static size_t binds_n(const struct transport_group *g)
{
	size_t n = 0;

	for (const struct tp_bind *bind = g->binds; bind; bind = bind->next) {
		n++;
	}
	return n;
}

static struct plan *plan_new(struct transport_group *g, size_t items_n)
{
	struct plan *plan = calloc(1, sizeof(*plan) + g->n * sizeof(plan->jobs[0]));

	if (!plan) {
		return NULL;
	}
	plan->g = g;
	plan->items = calloc(items_n + 1, sizeof(*plan->items));
	plan->leaving = calloc(binds_n(g) + 1, sizeof(struct tp_bind *));
	if (!plan->items || !plan->leaving) {
		plan_free(plan);
		return NULL;
	}
	return plan;
}

int transport_group_prepare(struct transport_group *g, const struct conf *conf, void **plan_r,
                            char **error_r)
{
	struct plan *plan;
	int err = 0;

	*error_r = NULL;
	if (conf->listen_n > TP_LISTENERS_MAX) {
		return BELFRY_EFULL;
	}
	plan = plan_new(g, conf->listen_n);
	if (!plan) {
		return -ENOMEM;
	}
	plan->linger_s = (unsigned)conf->server.drain_timeout;
	for (size_t i = 0; i < conf->listen_n; i++) {
		err = plan_item_make(g, conf, &conf->listen[i], &plan->items[plan->items_n++]);
		if (err != 0) {
			tell(error_r, &conf->listen[i], err);
			transport_group_abort(g, plan);
			return err;
		}
	}
	*plan_r = plan;
	return 0;
}

/* --- adopting it ---------------------------------------------------------------------------------
 */

static void port_link(struct transport *tp, struct tp_port *port)
{
	port->next = tp->ports;
	tp->ports = port;
	if (tp->is_started) {
		tp_port_start(port);
	}
}

static void port_unlink(struct transport *tp, const struct tp_port *port)
{
	struct tp_port **p = &tp->ports;

	while (*p && *p != port) {
		p = &(*p)->next;
	}
	if (*p) {
		*p = port->next;
	}
}

static void set_leaving(struct transport *tp, struct tp_port *port, bool on)
{
	if (port->is_leaving != on) {
		port->is_leaving = on;
		tp->leaving_n += on ? 1U : UINT_MAX;
	}
}

static void adopt(struct plan *plan, struct transport *tp)
{
	unsigned id = tp->w->id;

	for (size_t i = 0; i < plan->items_n; i++) {
		struct plan_item *item = &plan->items[i];

		item->bind->ports[id]->listener = &item->listener->pub;
		set_leaving(tp, item->bind->ports[id], false);
		if (item->is_new) {
			port_link(tp, item->bind->ports[id]);
		}
	}
	for (size_t i = 0; i < plan->leaving_n; i++) {
		set_leaving(tp, plan->leaving[i]->ports[id], true);
	}
	for (struct tp_bind *bind = plan->gone; bind; bind = bind->next) {
		set_leaving(tp, bind->ports[id], false);
		port_unlink(tp, bind->ports[id]);
		port_free(bind->ports[id], bind->proto);
		bind->ports[id] = NULL;
	}
}

static void adopt_run(struct job *job, void *ctx)
{
	struct plan *plan = ((struct plan_job *)(void *)job)->plan;
	struct worker *w = ctx;

	adopt(plan, plan->g->tp[w->id]);
	if (atomic_fetch_sub_explicit(&plan->left, 1, memory_order_acq_rel) == 1) {
		plan_free(plan);
	}
}

/* true: its sockets are to be closed now. */
static bool bind_leave(struct tp_bind *bind, struct plan *plan)
{
	if (bind->is_wanted) {
		bind->leaving_s = 0;
		return false;
	}
	if (bind->proto != TP_UDP || plan->linger_s == 0) {
		return true;
	}
	if (bind->leaving_s == 0) {
		bind->leaving_s = plan->linger_s + 1; /* this second has begun */
		plan->leaving[plan->leaving_n++] = bind;
	}
	return false;
}

static void binds_leave(struct transport_group *g, struct plan *plan)
{
	struct tp_bind **p = &g->binds;

	while (*p) {
		struct tp_bind *bind = *p;

		if (bind_leave(bind, plan)) {
			*p = bind->next;
			bind->next = plan->gone;
			plan->gone = bind;
		} else {
			p = &bind->next;
		}
	}
}

/* The list of listeners and that of sockets become the plan's. */
static void swap_lists(struct transport_group *g, struct plan *plan)
{
	for (struct tp_bind *bind = g->binds; bind; bind = bind->next) {
		bind->is_wanted = false;
	}
	for (size_t i = 0; i < plan->items_n; i++) {
		plan->items[i].bind->is_wanted = true;
	}
	binds_leave(g, plan);
	for (size_t i = 0; i < plan->items_n; i++) {
		if (plan->items[i].is_new) {
			plan->items[i].bind->next = g->binds;
			g->binds = plan->items[i].bind;
		}
		atomic_store_explicit(&g->now[i], plan->items[i].listener, memory_order_release);
	}
	atomic_store_explicit(&g->now[plan->items_n], NULL, memory_order_release);
}

static void post_to_all(struct transport_group *g, struct plan *plan)
{
	atomic_init(&plan->left, g->n);
	for (unsigned i = 0; i < g->n; i++) {
		plan->jobs[i] = (struct plan_job){ .job.run = adopt_run, .plan = plan };
	}
	for (unsigned i = 0, n = g->n; i < n; i++) {
		workers_post(g->ws, i, &plan->jobs[i].job);
	}
}

void transport_group_commit(struct transport_group *g, void *plan)
{
	swap_lists(g, plan);
	post_to_all(g, plan);
}

/* Those whose time is over. */
static struct tp_bind *binds_take_over(struct transport_group *g)
{
	struct tp_bind **p = &g->binds, *over = NULL;

	while (*p) {
		struct tp_bind *bind = *p;

		if (bind->leaving_s == 1) {
			*p = bind->next;
			bind->next = over;
			over = bind;
		} else {
			bind->leaving_s -= bind->leaving_s > 0;
			p = &bind->next;
		}
	}
	return over;
}

void transport_group_second(struct transport_group *g)
{
	bool any = false;
	struct plan *plan;

	for (const struct tp_bind *bind = g->binds; bind; bind = bind->next) {
		any = any || bind->leaving_s > 0;
	}
	plan = any ? plan_new(g, 0) : NULL;
	if (!plan) {
		return; /* without memory they stay a second longer */
	}
	plan->gone = binds_take_over(g);
	if (plan->gone) {
		post_to_all(g, plan);
	} else {
		plan_free(plan);
	}
}

/* --- the group -----------------------------------------------------------------------------------
 */

static void flush(void *arg)
{
	struct transport *tp = arg;

	streams_flush(tp);
	udp_flush(tp);
}

static void tp_free(struct transport *tp)
{
	if (!tp) {
		return;
	}
	worker_at_turn_end_del(tp->w, flush, tp);
	streams_free(tp);
	udp_input_free(tp);
	tp_bans_free(tp);
	free(tp);
}

static int tp_new(struct transport_group *g, unsigned id)
{
	struct transport *tp = calloc(1, sizeof(*tp));
	int err;

	if (!tp) {
		return -ENOMEM;
	}
	g->tp[id] = tp;
	tp->w = workers_get(g->ws, id);
	tp->g = g;
	tp->ops = &tp_socket_ops;
	err = udp_input_new(tp);
	err = err ? err : streams_new(tp);
	return err ? err : worker_at_turn_end(tp->w, flush, tp);
}

static int bind_first(struct transport_group *g, const struct conf *conf, char **error_r)
{
	void *plan;
	int err = transport_group_prepare(g, conf, &plan, error_r);

	if (err != 0) {
		return err;
	}
	swap_lists(g, plan);
	for (unsigned i = 0; i < g->n; i++) {
		adopt(plan, g->tp[i]);
	}
	plan_free(plan);
	return 0;
}

int transport_group_new(struct workers *ws, const struct conf *conf, struct transport_group **g_r,
                        char **error_r)
{
	struct transport_group *g = calloc(1, sizeof(*g));
	int err;

	*error_r = NULL;
	if (!g) {
		return -ENOMEM;
	}
	g->ws = ws;
	g->n = workers_n(ws);
	g->tp = calloc(g->n, sizeof(struct transport *));
	g->peers = peers_new(workers_get(ws, 0)->process_key);
	err = g->tp && g->peers ? tp_counts_register(&g->counts, workers_get(ws, 0)->counters)
	                        : -ENOMEM;
	for (unsigned i = 0; err == 0 && i < g->n; i++) {
		err = tp_new(g, i);
	}
	err = err ? err : bind_first(g, conf, error_r);
	if (err != 0) {
		transport_group_free(g);
		return err;
	}
	*g_r = g;
	return 0;
}

void transport_group_free(struct transport_group *g)
{
	if (!g) {
		return;
	}
	while (g->binds) {
		struct tp_bind *bind = g->binds;

		g->binds = bind->next;
		bind_free(bind);
	}
	for (unsigned i = 0; g->tp && i < g->n; i++) {
		tp_free(g->tp[i]);
	}
	listeners_free(g);
	peers_free(g->peers);
	free(g->tp);
	free(g);
}
