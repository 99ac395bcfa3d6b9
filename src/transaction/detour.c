/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses whose connection is gone (RFC 3261 18.2.2, RFC 3263 5). The transport sends a response
 * by the connection of its request, or opens a new one to `received` and the sent-by port when that
 * is dead. While the new one opens, or when the peer has sent FIN, nobody knows whether it gets
 * there. Such a response, and no other, is copied and looked after here:
 *
 *   undelivered on the request's connection -> a new one to `received` -> the addresses of the
 *   sent-by's name, one after the other -> given up, and counted
 *
 * until a connection opens, or nothing is heard against it. It belongs to no transaction: that
 * lives or ends as if the response had been sent (RFC 6026 7.1). Nothing of this for answers
 * without state: who is not let in yet buys no memory, and no connection to where its Via says; nor
 * for datagrams, whose source may be a lie.
 *
 * An ACK to a 2xx that is too large for UDP has no transaction either that would hear that there is
 * no TCP at its target: as it would go by UDP it waits here until the connection is open, and goes
 * that way when it is not (RFC 3261 18.1.1).
 */
#include "transaction/internal.h"

#include "dns/resolve.h"
#include "sip/line.h"
#include "sip/via.h"
#include "util/log.h"

#include <errno.h>
#include <stdlib.h>

static void detour_free(struct txn_detour *d)
{
	struct txn_layer *l = d->l;

	txn_timer_cancel(l, &d->timer);
	dns_cancel(&d->query);
	list_del(&d->node);
	l->detours_n--;
	l->detour_bytes -= d->kept->iov.iov_len;
	txn_kept_free(l, &d->kept);
	free(d->addrs);
	free(d);
}

static void give_up(struct txn_detour *d)
{
	char text[NET_ADDR_TEXT];

	txn_count(d->l, d->l->ids.undelivered, 1);
	log_debug("response.undelivered", LOG_S("transport", tp_proto_param(d->flow.proto)),
	          LOG_S("remote", net_addr_text(&d->refused, text)));
	detour_free(d);
}

/* --- the name of the sent-by ------------------------------------------------------------------
 */

static struct str text_of(const struct txn_detour *d)
{
	return str_make(d->kept->bytes, d->kept->iov.iov_len);
}

/* Of the top Via: the first one of the message. */
static bool find_via(struct str text, struct sip_via *via_r)
{
	const char *end = text.p + text.n, *p = sip_find_eol(text.p, end);
	struct sip_field field;
	int got;

	if (!sip_is_crlf(p, end)) {
		return false;
	}
	for (p += 2; (got = sip_field_take(p, end, &field)) != 0; p = field.next) {
		if (got > 0 && field.id == SIP_H_VIA) {
			const char *value = field.value.p;

			p = sip_value_end(value, value + field.value.n);
			return sip_via_parse(str_trim(sip_slice(value, p)), via_r) == 0;
		}
	}
	return false;
}

/* Somebody else's name does not lead to what only this machine can reach. */
static bool is_fit(const struct txn_detour *d, const struct net_addr *addr)
{
	if (net_addr_is_any(addr) || net_addr_is_multicast_or_broadcast(addr)) {
		return false;
	}
	return !net_addr_is_loopback(addr) || net_addr_is_loopback(&d->refused);
}

static int take_answer(struct txn_detour *d, const struct dns_answer *answer)
{
	d->addrs = calloc(answer->n + 1, sizeof(*d->addrs));
	if (!d->addrs) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < answer->n; i++) {
		const struct net_addr *addr = &answer->v[i].addr;

		if (is_fit(d, addr) && !net_addr_eq(addr, &d->refused)) {
			d->addrs[d->addrs_n++] = *addr;
		}
	}
	return 0;
}

static bool is_of_same_name(const struct txn_detour *a, const struct txn_detour *b)
{
	struct sip_via via_a, via_b;

	return find_via(text_of(a), &via_a) && find_via(text_of(b), &via_b) &&
	       via_a.port == via_b.port && str_eq_nocase(via_a.host, via_b.host);
}

/* Does an older one of that connection and name ask already? Then that answer is this one's too,
 * so that they stay in order. */
static bool is_behind(const struct txn_detour *d)
{
	list_for_each(it, &d->l->detours)
	{
		const struct txn_detour *older = container_of(it, struct txn_detour, node);

		if (older == d) {
			break;
		}
		if (older->query && older->flow.conn == d->flow.conn && is_of_same_name(older, d)) {
			return true;
		}
	}
	return false;
}

static bool waits_for(const struct txn_detour *d, const struct txn_detour *older)
{
	return d->flow.conn == older->flow.conn && d->is_new && !d->is_asked &&
	       is_of_same_name(d, older);
}

static void go_on(struct txn_detour *d);

static void on_answer(int err, const struct dns_answer *answer, void *arg)
{
	struct txn_detour *first = arg;
	struct txn_layer *l = first->l;
	struct list ready;

	list_init(&ready);
	first->query = NULL;
	list_for_each_safe(it, tmp, &l->detours)
	{
		struct txn_detour *d = container_of(it, struct txn_detour, node);

		if (d == first || waits_for(d, first)) {
			d->is_asked = true;
			if (err == 0) {
				take_answer(d, answer);
			}
			list_del(it);
			list_append(&ready, it);
		}
	}
	while (!list_is_empty(&ready)) {
		struct list *node = ready.next;

		list_del(node);
		list_append(&l->detours, node);
		go_on(container_of(node, struct txn_detour, node));
	}
}

/* By SRV without a port, else by A and AAAA, of the transport in use. BELFRY_WAIT: on_answer()
 * follows. A numeric host says nothing that `received` does not. */
static int ask(struct txn_detour *d)
{
	struct txn_layer *l = d->l;
	struct sip_uri uri = { .scheme = SIP_URI_SIP };
	const struct dns_ask what = { .uri = &uri, .have_protos = 1U << d->flow.proto };
	struct str proto = tp_proto_param(d->flow.proto);
	struct dns_answer answer = { 0 };
	struct net_addr numeric;
	struct sip_via via;
	struct arena arena;
	char param[32] = ";transport=";
	size_t n = strlen(param);
	int err;

	if (!l->dns || !find_via(text_of(d), &via) || net_addr_parse(via.host, 0, &numeric) == 0) {
		return BELFRY_ENOENT;
	}
	memcpy(param + n, proto.p, proto.n);
	uri.params = str_make(param, n + proto.n);
	uri.host = via.host;
	uri.port = via.port;
	arena_init(&arena, &l->w->arenas);
	err = dns_resolve(l->dns, &what, &arena, &answer, on_answer, d, &d->query);
	if (err == 0) {
		err = take_answer(d, &answer);
	}
	arena_fini(&arena);
	return err;
}

/* --- the way ----------------------------------------------------------------------------------
 */

/* false: not that way. Else it is open, and @d is gone, or it opens. */
static bool try_flow(struct txn_detour *d)
{
	if (txn_kept_send(d->l, d->kept, &d->flow, true) != 0) {
		return false;
	}
	if (transport_doubt(d->l->tp, &d->flow) == TP_NO_DOUBT) {
		detour_free(d);
	}
	return true;
}

static bool try_addr(struct txn_detour *d, const struct net_addr *addr)
{
	struct tp_flow flow;

	if (transport_pick(d->l->tp, d->flow.proto, addr, &d->flow, &flow) != 0) {
		return false;
	}
	d->flow = flow;
	return try_flow(d);
}

/* No stream can be had. */
static void ack_by_udp(struct txn_detour *d)
{
	txn_kept_send(d->l, d->kept, &d->udp, false);
	detour_free(d);
}

/* What was tried last has failed. */
static void go_on(struct txn_detour *d)
{
	if (d->is_ack) {
		ack_by_udp(d);
		return;
	}
	if (!d->is_new) {
		d->is_new = true;
		txn_timer_start(d->l, &d->timer, d->l->ids.detour, 64 * txn_times_now(d->l).t1);
		if (try_flow(d)) {
			return;
		}
	}
	if (!d->is_asked) {
		d->is_asked = !is_behind(d);
		if (!d->is_asked || ask(d) == BELFRY_WAIT) {
			return;
		}
	}
	while (d->addr_i < d->addrs_n) {
		if (try_addr(d, &d->addrs[d->addr_i++])) {
			return;
		}
	}
	give_up(d);
}

/* NULL: no room, or no memory: then it has been sent once. */
static struct txn_detour *detour_new(struct txn_layer *l, const struct tp_flow *to,
                                     const struct sip_out *out)
{
	struct txn_detour *d = NULL;

	if (l->detours_n < TXN_DETOURS_MAX && l->detour_bytes + out->len <= TXN_DETOUR_BYTES_MAX) {
		d = calloc(1, sizeof(*d));
	}
	if (!d) {
		return NULL;
	}
	d->kept = txn_kept_new(out);
	if (!d->kept) {
		free(d);
		return NULL;
	}
	d->l = l;
	d->flow = *to;
	d->refused = to->remote;
	list_append(&l->detours, &d->node);
	l->detours_n++;
	l->detour_bytes += d->kept->iov.iov_len;
	return d;
}

static void look_after(struct txn_layer *l, const struct tp_flow *to, const struct sip_out *out,
                       enum tp_doubt doubt)
{
	struct txn_detour *d = detour_new(l, to, out);

	if (!d) {
		return;
	}
	d->is_new = doubt == TP_OPENING;
	txn_timer_start(l, &d->timer, l->ids.detour,
	                d->is_new ? 64 * txn_times_now(l).t1 : TXN_DOUBT_MS);
	if (doubt == TP_NO_DOUBT) {
		go_on(d); /* no doubt that it has failed */
	}
}

int txn_respond(struct txn_layer *l, struct tp_flow *to, const struct sip_out *out)
{
	int err = transport_send(l->tp, to, true, out);
	enum tp_doubt doubt;

	if (!tp_proto_is_reliable(to->proto) || (err != 0 && err != BELFRY_EUNREACH)) {
		return err;
	}
	doubt = err == 0 ? transport_doubt(l->tp, to) : TP_NO_DOUBT;
	if (err != 0 || doubt != TP_NO_DOUBT) {
		look_after(l, to, out, doubt);
	}
	return err;
}

int txn_ack_by_either(struct txn_layer *l, struct tp_flow *tcp, const struct sip_out *by_tcp,
                      const struct tp_flow *udp, const struct sip_out *by_udp, uint32_t wait_ms)
{
	int err = transport_send(l->tp, tcp, false, by_tcp);
	struct txn_detour *d;

	if (err || transport_doubt(l->tp, tcp) != TP_OPENING) {
		return err;
	}
	d = detour_new(l, tcp, by_udp);
	if (d) { /* else it is lost if refused, and comes again with the next 2xx */
		d->udp = *udp;
		d->is_ack = d->is_new = d->is_asked = true;
		txn_timer_start(l, &d->timer, l->ids.detour, wait_ms);
	}
	return 0;
}

/* --- news -------------------------------------------------------------------------------------
 */

void txn_detours_connected(struct txn_layer *l, uint64_t conn)
{
	list_for_each_safe(it, tmp, &l->detours)
	{
		struct txn_detour *d = container_of(it, struct txn_detour, node);

		if (d->flow.conn == conn) {
			detour_free(d);
		}
	}
}

void txn_detours_undelivered(struct txn_layer *l, uint64_t conn)
{
	list_for_each_safe(it, tmp, &l->detours)
	{
		struct txn_detour *d = container_of(it, struct txn_detour, node);

		if (d->flow.conn == conn) {
			go_on(d);
		}
	}
}

bool txn_detours_are_open(const struct txn_layer *l)
{
	list_for_each(it, &l->detours)
	{
		if (container_of(it, struct txn_detour, node)->is_new) {
			return true;
		}
	}
	return false;
}

void txn_detour_timer(struct timer *t, void *arg)
{
	struct txn_detour *d = container_of(t, struct txn_detour, timer);
	struct txn_layer *l = arg;

	if (d->is_ack) {
		const struct tp_flow flow = d->flow;

		ack_by_udp(d);
		transport_close(l->tp, &flow); /* what waits in its queue is not sent after all */
	} else if (d->is_new) {
		give_up(d);
	} else {
		detour_free(d);
	}
}

void txn_detours_fini(struct txn_layer *l)
{
	while (!list_is_empty(&l->detours)) {
		detour_free(container_of(l->detours.next, struct txn_detour, node));
	}
}
