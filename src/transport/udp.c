/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams: read in batches right into message buffers, sent in batches at the turn's end.
 *
 * Every place of the input batch has a buffer of the ordinary size; what is longer runs over into a
 * place of the overflow area (memory of the kernel's giving, untouched until a long datagram
 * comes) and is then copied into a buffer of its size.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/socket.h"
#include "sip/hdr.h"
#include "transport/priv.h"
#include "util/err.h"
#include "util/log.h"

#define IN_BATCH       32U        /* datagrams per system call */
#define IN_BATCHES     8U         /* per event; then others get their turn */
#define OUT_BATCH      64U        /* datagrams that are collected before they leave early */
#define FLAT_BYTES     65536U     /* of them that are gathered into one piece each */
#define LATE_BYTES_MAX (1U << 20) /* copies that wait until the kernel takes more, per socket */
#define SEND_TRIES     4U         /* pending errors of other peers that one send may meet */
#define DATAGRAM_MAX   65507U
#define OVERFLOW_SIZE  65536U /* bytes of a place */
#define ICMP_MAX       64U    /* errors taken off a queue at once */

struct udp_input {
	struct mmsghdr v[IN_BATCH];
	struct iovec iov[IN_BATCH][2];
	struct msgbuf *bufs[IN_BATCH];
	struct sockaddr_storage from[IN_BATCH];
	_Alignas(8) char control[IN_BATCH][NET_PKTINFO_SPACE];
	char *overflow; /* IN_BATCH places */
};

struct late { /* a datagram that the kernel would not take */
	struct late *next;
	struct sockaddr_storage to;
	socklen_t to_n;
	_Alignas(8) char control[NET_PKTINFO_SPACE];
	size_t control_n, n;
	char data[];
};

struct udp_port {
	struct tp_port port; /* first */
	struct event write;
	struct udp_port *dirty_next;
	bool is_dirty;
	unsigned out_n;
	struct mmsghdr out[OUT_BATCH];
	struct iovec flat_iov[OUT_BATCH];
	struct sockaddr_storage to[OUT_BATCH];
	_Alignas(8) char control[OUT_BATCH][NET_PKTINFO_SPACE];
	size_t flat_n;
	char flat[FLAT_BYTES];
	struct late *late, **late_last;
	size_t late_bytes;
};

/* --- errors --------------------------------------------------------------------------------------
 */

/* Does it say that nothing gets there now? "Too big" and the like do not. */
static bool is_unreachable(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH ||
	       err == EHOSTDOWN || err == ENOPROTOOPT;
}

static void errors_read(struct tp_port *port)
{
	struct net_addr remote, last = { 0 };
	char text[NET_ADDR_TEXT];
	int err;

	for (unsigned n = 0; n < ICMP_MAX && net_udp_next_error(port->fd, &remote, &err); n++) {
		tp_count(port->tp, port->tp->g->counts.icmp_errors);
		if (!is_unreachable(err) || net_addr_eq(&remote, &last)) {
			continue;
		}
		last = remote;
		log_debug("udp.unreachable", LOG_S("remote", net_addr_text(&remote, text)),
		          LOG_ERR(-err));
		tp_unreachable(port->tp, TP_UDP, &remote, 0);
	}
}

/* --- input ---------------------------------------------------------------------------------------
 */

int udp_input_new(struct transport *tp)
{
	struct udp_input *in = calloc(1, sizeof(*in));

	if (!in) {
		return -ENOMEM;
	}
	in->overflow = mmap(NULL, (size_t)IN_BATCH * OVERFLOW_SIZE, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (in->overflow == MAP_FAILED) {
		free(in);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < IN_BATCH; i++) {
		in->iov[i][1].iov_base = in->overflow + (size_t)i * OVERFLOW_SIZE;
		in->iov[i][1].iov_len = OVERFLOW_SIZE;
		in->v[i].msg_hdr.msg_iov = in->iov[i];
		in->v[i].msg_hdr.msg_iovlen = 2;
		in->v[i].msg_hdr.msg_name = &in->from[i];
	}
	tp->udp_in = in;
	return 0;
}

void udp_input_free(struct transport *tp)
{
	struct udp_input *in = tp->udp_in;

	if (!in) {
		return;
	}
	for (unsigned i = 0; i < IN_BATCH; i++) {
		msgbuf_unref(&in->bufs[i], tp->w->bufs);
	}
	munmap(in->overflow, (size_t)IN_BATCH * OVERFLOW_SIZE);
	free(in);
	tp->udp_in = NULL;
}

/* Gives each place that was used a new buffer; the number of places that have one. */
static unsigned batch_prepare(const struct tp_port *port, struct udp_input *in)
{
	unsigned n;

	for (n = 0; n < IN_BATCH; n++) {
		struct msghdr *hdr = &in->v[n].msg_hdr;

		if (!in->bufs[n]) {
			in->bufs[n] = msgbuf_new(port->tp->w->bufs, MSGBUF_SIZE);
			if (!in->bufs[n]) {
				break;
			}
			in->iov[n][0].iov_base = in->bufs[n]->data;
			in->iov[n][0].iov_len = tp_input_cap(in->bufs[n]);
		}
		hdr->msg_namelen = sizeof(in->from[n]);
		hdr->msg_control = port->is_any ? in->control[n] : NULL;
		hdr->msg_controllen = port->is_any ? NET_PKTINFO_SPACE : 0;
	}
	return n;
}

static bool is_keepalive(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\r' && p[i] != '\n' && p[i] != '\0') {
			return false;
		}
	}
	return true;
}

/* May SIP begin like this? Empty lines before it are allowed (RFC 3261 7.5). */
static bool is_sip(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n')) {
		i++;
	}
	return i < n &&
	       (ascii_is_alpha((unsigned char)p[i]) || ascii_is_digit((unsigned char)p[i]) ||
	        (p[i] && strchr("-.!%*_+`'~", p[i])));
}

/* The buffer of a place, with the datagram whole; NULL: no memory. */
static struct msgbuf *batch_take(struct transport *tp, unsigned i, size_t n)
{
	struct udp_input *in = tp->udp_in;
	size_t head_n = in->iov[i][0].iov_len;
	struct msgbuf *buf = in->bufs[i];

	if (n <= head_n) {
		in->bufs[i] = NULL;
		return buf;
	}
	buf = tp_input_buf(tp, n);
	if (buf) {
		memcpy(buf->data, in->bufs[i]->data, head_n);
		memcpy(buf->data + head_n, in->iov[i][1].iov_base, n - head_n);
	}
	return buf;
}

/* Is it for us at all? The enum tp_drop to count it as, or -1. */
static int refuse(struct transport *tp, const struct net_addr *remote, const char *p, size_t n)
{
	if (is_keepalive(p, n)) {
		return TP_DROP_KEEPALIVE;
	}
	if (remote->port == 0 || remote->family == 0) {
		return TP_DROP_NOT_SIP; /* nobody to answer */
	}
	return tp_is_banned(tp, remote) ? TP_DROP_BANNED : -1;
}

static void receive_one(struct tp_port *port, unsigned i)
{
	struct transport *tp = port->tp;
	struct udp_input *in = tp->udp_in;
	size_t n = in->v[i].msg_len;
	size_t head_n = in->iov[i][0].iov_len;
	const char *p = in->iov[i][0].iov_base;
	struct tp_input notes = { .n = (uint32_t)n,
		                  .from = { .listener = port->listener, .proto = TP_UDP } };
	unsigned owner = tp->w->id;
	struct msgbuf *buf;
	int drop;

	net_addr_from_sockaddr((struct sockaddr *)&in->from[i], &notes.from.remote);
	notes.from.local = port->listener->addr;
	if (port->is_any && net_pktinfo_get(&in->v[i].msg_hdr, &notes.from.local)) {
		notes.from.local.port = port->listener->addr.port;
	}
	drop = refuse(tp, &notes.from.remote, p, n < head_n ? n : head_n);
	buf = drop < 0 ? batch_take(tp, i, n) : NULL;
	if (!buf) {
		tp_count(tp, tp->g->counts.dropped[drop < 0 ? TP_DROP_NO_BUFFER : drop]);
		return;
	}
	notes.is_packet = !is_sip(buf->data, n);
	if (!notes.is_packet) {
		owner = tp_owner(tp->w, str_make(buf->data, n));
	}
	tp_input(tp, owner, buf, &notes);
}

/* Without buffers: takes datagrams off the socket to drop them, so that it does not call us again
 * and again for the same ones. */
static void discard(struct tp_port *port)
{
	char *space = port->tp->udp_in->overflow;

	for (unsigned i = 0; i < IN_BATCH; i++) {
		if (recv(port->fd, space, OVERFLOW_SIZE, MSG_DONTWAIT) < 0) {
			return;
		}
		tp_count(port->tp, port->tp->g->counts.dropped[TP_DROP_NO_BUFFER]);
	}
}

/* false: no more for now. */
static bool receive_batch(struct tp_port *port, bool is_first)
{
	struct udp_input *in = port->tp->udp_in;
	unsigned places = batch_prepare(port, in);
	int n;

	if (places == 0) {
		discard(port);
		return false;
	}
	n = recvmmsg(port->fd, in->v, places, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == EAGAIN && !is_first) {
			return false;
		}
		errors_read(port); /* of a datagram that we sent: this is how it tells */
		return errno != EAGAIN && is_first;
	}
	for (int i = 0; i < n; i++) {
		receive_one(port, (unsigned)i);
	}
	return (unsigned)n == places;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tp_port *port = arg;
	bool is_first = true;

	(void)fd;
	(void)what;
	worker_event(port->tp->w);
	if (worker_is_behind(port->tp->w)) {
		return;
	}
	for (unsigned i = 0; i < IN_BATCHES && receive_batch(port, is_first); i++) {
		is_first = false;
	}
}

/* --- output --------------------------------------------------------------------------------------
 */

static void send_failed(struct udp_port *up, const struct msghdr *hdr, int err)
{
	struct transport *tp = up->port.tp;
	struct net_addr remote;
	char text[NET_ADDR_TEXT];

	net_addr_from_sockaddr(hdr->msg_name, &remote);
	tp_count(tp, tp->g->counts.dropped[TP_DROP_SEND_ERROR]);
	log_debug("udp.send_failed", LOG_S("remote", net_addr_text(&remote, text)), LOG_ERR(-err));
	tp_unreachable(tp, TP_UDP, &remote, 0);
}

/* Sends as many of @v as the kernel takes; how many are done with. */
static unsigned send_some(struct udp_port *up, struct mmsghdr *v, unsigned n)
{
	unsigned done = 0, tries = 0;

	while (done < n) {
		int sent = sendmmsg(up->port.fd, v + done, n - done, MSG_DONTWAIT);

		if (sent > 0) {
			done += (unsigned)sent;
			tries = 0;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			break;
		} else if (errno != EINTR && ++tries == SEND_TRIES) {
			/* Not the pending error of another peer, which the next call would not meet
			 * again: it is this datagram's. */
			send_failed(up, &v[done++].msg_hdr, errno);
			tries = 0;
		}
	}
	return done;
}

static struct late *late_new(const struct msghdr *hdr)
{
	size_t n = 0;
	struct late *late;

	for (size_t i = 0; i < hdr->msg_iovlen; i++) {
		n += hdr->msg_iov[i].iov_len;
	}
	late = calloc(1, sizeof(*late) + n);
	if (!late) {
		return NULL;
	}
	memcpy(&late->to, hdr->msg_name, hdr->msg_namelen);
	late->to_n = hdr->msg_namelen;
	if (hdr->msg_control) {
		memcpy(late->control, hdr->msg_control, hdr->msg_controllen);
		late->control_n = hdr->msg_controllen;
	}
	for (size_t i = 0; i < hdr->msg_iovlen; i++) {
		memcpy(late->data + late->n, hdr->msg_iov[i].iov_base, hdr->msg_iov[i].iov_len);
		late->n += hdr->msg_iov[i].iov_len;
	}
	return late;
}

static void late_add(struct udp_port *up, const struct msghdr *hdr)
{
	struct late *late = up->late_bytes < LATE_BYTES_MAX ? late_new(hdr) : NULL;

	if (!late) {
		tp_count(up->port.tp, up->port.tp->g->counts.dropped[TP_DROP_SEND_QUEUE]);
		return;
	}
	*up->late_last = late;
	up->late_last = &late->next;
	up->late_bytes += late->n;
}

static struct late *late_drop_first(struct udp_port *up)
{
	struct late *late = up->late;

	up->late = late->next;
	if (!up->late) {
		up->late_last = &up->late;
	}
	up->late_bytes -= late->n;
	free(late);
	return up->late;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_port *up = arg;
	struct late *late = up->late;

	(void)fd;
	(void)what;
	worker_event(up->port.tp->w);
	while (late) {
		struct iovec iov = { late->data, late->n };
		struct mmsghdr one = { .msg_hdr = { .msg_name = &late->to,
			                            .msg_namelen = late->to_n,
			                            .msg_iov = &iov,
			                            .msg_iovlen = 1 } };

		if (late->control_n) {
			one.msg_hdr.msg_control = late->control;
			one.msg_hdr.msg_controllen = late->control_n;
		}
		if (send_some(up, &one, 1) == 0) {
			event_add(&up->write, NULL);
			return;
		}
		late = late_drop_first(up);
	}
}

static void port_flush(struct udp_port *up)
{
	unsigned done = 0;

	if (!up->late) {
		done = send_some(up, up->out, up->out_n);
	}
	if (done < up->out_n) {
		for (; done < up->out_n; done++) {
			late_add(up, &up->out[done].msg_hdr);
		}
		event_add(&up->write, NULL);
	}
	up->out_n = 0;
	up->flat_n = 0;
}

void udp_flush(struct transport *tp)
{
	while (tp->udp_dirty) {
		struct udp_port *up = tp->udp_dirty;

		tp->udp_dirty = up->dirty_next;
		up->is_dirty = false;
		port_flush(up);
	}
}

/* The kernel takes a fifth of a microsecond longer for a datagram of several pieces; to put a usual
 * message together here costs a tenth of that. */
static void set_pieces(struct udp_port *up, unsigned i, const struct sip_out *out)
{
	struct msghdr *hdr = &up->out[i].msg_hdr;

	if (out->iov_n == 1 || out->len > FLAT_BYTES - up->flat_n) {
		hdr->msg_iov = out->iov;
		hdr->msg_iovlen = out->iov_n;
		return;
	}
	up->flat_iov[i].iov_base = up->flat + up->flat_n;
	up->flat_iov[i].iov_len = sip_out_copy(out, up->flat + up->flat_n, out->len);
	up->flat_n += out->len;
	hdr->msg_iov = &up->flat_iov[i];
	hdr->msg_iovlen = 1;
}

static void add_out(struct udp_port *up, const struct tp_flow *flow, const struct sip_out *out)
{
	unsigned i = up->out_n++;
	struct msghdr *hdr = &up->out[i].msg_hdr;

	*hdr = (struct msghdr){ .msg_name = &up->to[i],
		                .msg_namelen = net_addr_to_sockaddr(&flow->remote, &up->to[i]) };
	set_pieces(up, i, out);
	if (up->port.is_any && flow->local.family) {
		net_pktinfo_set(hdr, up->control[i], &flow->local);
	}
}

int udp_send(struct transport *tp, const struct tp_flow *flow, const struct sip_out *out)
{
	struct udp_port *up = (struct udp_port *)(void *)tp_port_find(tp, flow->listener);

	if (!up || flow->remote.family != flow->listener->addr.family || flow->remote.port == 0) {
		return BELFRY_EUNREACH;
	}
	if (out->len > DATAGRAM_MAX) {
		return BELFRY_ETOOBIG;
	}
	if (up->out_n == OUT_BATCH) {
		port_flush(up);
	}
	add_out(up, flow, out);
	if (!up->is_dirty) {
		up->is_dirty = true;
		up->dirty_next = tp->udp_dirty;
		tp->udp_dirty = up;
	}
	return 0;
}

/* --- the socket ----------------------------------------------------------------------------------
 */

struct tp_port *udp_port_new(struct transport *tp, const struct net_addr *bound, int fd)
{
	struct udp_port *up = calloc(1, sizeof(*up));

	if (!up) {
		close(fd);
		return NULL;
	}
	up->port.tp = tp;
	up->port.fd = fd;
	up->port.is_any = net_addr_is_any(bound);
	up->late_last = &up->late;
	event_assign(&up->port.read, tp->w->base, fd, EV_READ | EV_PERSIST, on_readable, up);
	event_assign(&up->write, tp->w->base, fd, EV_WRITE, on_writable, up);
	return &up->port;
}

/* What has not been sent yet is sent or lost now. */
void udp_port_free(struct tp_port *port)
{
	struct udp_port *up = (struct udp_port *)(void *)port;

	if (up->is_dirty) {
		udp_flush(port->tp);
	}
	tp_event_del(&port->read);
	tp_event_del(&up->write);
	close(port->fd);
	while (up->late) {
		late_drop_first(up);
	}
	free(up);
}
