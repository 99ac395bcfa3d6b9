/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a worker: their table, their life, their time-outs. */
#include "transport/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/socket.h"
#include "util/err.h"
#include "util/log.h"

#define SOURCE_SURE 1000U      /* connections that one source may have, however few there may be */
#define SLOTS_MAX   (1U << 20) /* connections of one worker, whatever the setting */
#define SLOTS_FIRST 64U
#define SLOTS_SIZE  (SLOTS_MAX * (2 * sizeof(_Atomic uint32_t) + sizeof(_Atomic uint64_t)))
#define BUCKETS     4096U
#define WATCH_MS    1000U  /* between looks at a stream in which something is under way */
#define PAUSE_MS    10U    /* until a stream without room is tried again */
#define CONNECT_MS  10000U /* to open a connection */
#define HALF_CLOSED_MS                                                                             \
	5000U /* after a request a stream is kept for answers, whatever the user says */
/* After the peer's FIN: who has only stopped sending gets answers this long; most have gone, and a
 * later answer had better go by a new connection (RFC 3261 18.2.2) than into this one. */
#define HALF_CLOSED_MAX 2000U
#define UNFINISHED_MS   1000U /* for a message that came in part, whatever others need */
#define IMPATIENT_MS    2000U /* for output that waits when too much does */
#define REFUSING_MS     2000U /* for the answer to a message that ends the stream */
#define DRAINING_MS     2000U /* for the peer to read it and close */
#define NO_SLOT         UINT32_MAX
#define GENERATIONS     0x1fffffffU

/* --- ids -----------------------------------------------------------------------------------------
 */

static uint32_t slot_of(uint64_t conn)
{
	return (uint32_t)(conn >> 32) & (SLOTS_MAX - 1);
}

static uint64_t id_make(const struct transport *tp, uint32_t slot, uint32_t generation)
{
	return (uint64_t)tp->w->id << 56 | (uint64_t)slot << 32 | generation;
}

struct stream *stream_find(const struct transport *tp, uint64_t conn)
{
	const struct stream_table *t = tp->streams;
	uint32_t slot = slot_of(conn);

	if (slot >= t->slots_n || !t->slots[slot].s ||
	    t->slots[slot].generation != (uint32_t)conn) {
		return NULL;
	}
	return t->slots[slot].s;
}

/* 0: there is no such connection. */
static uint32_t flags_of(struct transport_group *g, uint64_t conn)
{
	unsigned worker = stream_worker(conn);
	uint32_t v;

	if (worker >= g->n) {
		return 0;
	}
	v = atomic_load_explicit(&g->tp[worker]->streams->alive[slot_of(conn)],
	                         memory_order_acquire);
	return v >> STREAM_FLAG_BITS == (uint32_t)conn ? v & STREAM_FLAGS : 0;
}

bool stream_has_flag(struct transport_group *g, uint64_t conn, uint32_t flag)
{
	return flags_of(g, conn) & flag;
}

enum tp_doubt stream_doubt(struct transport_group *g, uint64_t conn)
{
	uint32_t flags = flags_of(g, conn);

	if (!(flags & STREAM_IN_DOUBT)) {
		return TP_NO_DOUBT;
	}
	return flags & STREAM_IS_FLOW ? TP_OPENING : TP_HALF_CLOSED;
}

bool stream_is_alive(struct transport_group *g, uint64_t conn)
{
	return stream_has_flag(g, conn, STREAM_IS_FLOW);
}

/* Should the connection end at this very moment, its successor in the slot begins with 0 or is held
 * in its stead; neither does harm. */
void stream_hold(struct transport_group *g, uint64_t conn, uint64_t until_ms)
{
	uint64_t until_s = until_ms / 1000 + 1;
	uint32_t s = until_s < UINT32_MAX ? (uint32_t)until_s : UINT32_MAX;
	_Atomic uint32_t *held;

	if (!stream_is_alive(g, conn)) {
		return;
	}
	held = &g->tp[stream_worker(conn)]->streams->held[slot_of(conn)];
	if (atomic_load_explicit(held, memory_order_relaxed) < s) {
		atomic_store_explicit(held, s, memory_order_relaxed);
	}
}

/* The generation stands beside the count: what belongs to a connection that has ended touches no
 * successor in the slot. */
void stream_use(struct transport_group *g, uint64_t conn, bool more)
{
	unsigned worker = stream_worker(conn);
	_Atomic uint64_t *users;
	uint64_t v, next;

	if (worker >= g->n) {
		return;
	}
	users = &g->tp[worker]->streams->users[slot_of(conn)];
	v = atomic_load_explicit(users, memory_order_relaxed);
	do {
		if (v >> 32 != (uint32_t)conn || (!more && (uint32_t)v == 0)) {
			return;
		}
		next = more ? v + 1 : v - 1;
	} while (!atomic_compare_exchange_weak_explicit(users, &v, next, memory_order_relaxed,
	                                                memory_order_relaxed));
}

static bool is_held(const struct stream *s, uint64_t now_ms)
{
	const struct stream_table *t = s->tp->streams;
	uint32_t slot = slot_of(s->flow.conn);

	return now_ms / 1000 < atomic_load_explicit(&t->held[slot], memory_order_relaxed) &&
	       (uint32_t)atomic_load_explicit(&t->users[slot], memory_order_relaxed) > 0;
}

static void publish(const struct stream *s)
{
	static const uint32_t flags[] = {
		[STREAM_CONNECTING] = STREAM_USABLE | STREAM_IS_FLOW | STREAM_IN_DOUBT,
		[STREAM_OPEN] = STREAM_USABLE | STREAM_IS_FLOW,
		[STREAM_HALF_CLOSED] = STREAM_USABLE | STREAM_IN_DOUBT,
		[STREAM_REFUSING] = STREAM_USABLE,
		[STREAM_DRAINING] = 0,
		[STREAM_ENDED] = 0,
	};
	uint32_t v = (uint32_t)s->flow.conn << STREAM_FLAG_BITS | flags[s->state];

	atomic_store_explicit(&s->tp->streams->alive[slot_of(s->flow.conn)], v,
	                      memory_order_release);
}

void stream_set_state(struct stream *s, enum stream_state state)
{
	s->state = (uint8_t)state;
	s->state_ms = s->tp->w->clock.now_ms;
	publish(s);
	if (state != STREAM_OPEN) {
		stream_finished(s);
		list_del(&s->by_remote); /* no more requests */
		peers_del(s->tp->g->peers, &s->peer);
		stream_watch(s);
	}
}

/* --- slots ---------------------------------------------------------------------------------------
 */

static int slots_grow(struct stream_table *t)
{
	uint32_t cap = t->slots_cap ? t->slots_cap * 2 : SLOTS_FIRST;
	struct stream_slot *slots;

	if (t->slots_cap == SLOTS_MAX) {
		return BELFRY_EFULL;
	}
	slots = reallocarray(t->slots, cap, sizeof(*slots));
	if (!slots) {
		return -ENOMEM;
	}
	t->slots = slots;
	t->slots_cap = cap;
	return 0;
}

static int slot_take(struct stream *s)
{
	struct stream_table *t = s->tp->streams;
	uint32_t slot = t->first_free;

	if (slot != NO_SLOT) {
		t->first_free = t->slots[slot].next_free;
	} else {
		int err = t->slots_n == t->slots_cap ? slots_grow(t) : 0;

		if (err != 0) {
			return err;
		}
		slot = t->slots_n++;
		t->slots[slot].generation = 0;
	}
	t->slots[slot].s = s;
	t->slots[slot].generation = t->slots[slot].generation % GENERATIONS + 1;
	s->flow.conn = id_make(s->tp, slot, t->slots[slot].generation);
	return 0;
}

static void slot_give(struct stream *s)
{
	struct stream_table *t = s->tp->streams;
	uint32_t slot = slot_of(s->flow.conn);

	t->slots[slot].s = NULL;
	t->slots[slot].next_free = t->first_free;
	t->first_free = slot;
}

/* --- by remote address ---------------------------------------------------------------------------
 */

static struct list *bucket(const struct transport *tp, const struct net_addr *remote)
{
	const struct stream_table *t = tp->streams;

	return &t->by_remote[net_addr_hash(tp->w->process_key, remote) & (t->buckets - 1)];
}

struct stream *stream_of_remote(const struct transport *tp, uint8_t proto,
                                const struct net_addr *remote)
{
	list_for_each(it, bucket(tp, remote))
	{
		struct stream *s = container_of(it, struct stream, by_remote);

		if (s->flow.proto == proto && net_addr_eq(&s->flow.remote, remote)) {
			return s;
		}
	}
	return NULL;
}

uint64_t stream_reuse(struct transport *tp, uint8_t proto, const struct net_addr *remote)
{
	const struct stream *s = stream_of_remote(tp, proto, remote);

	return s ? s->flow.conn : peers_find(tp->g->peers, proto, remote);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void log_stream(const struct stream *s, const char *event, int err)
{
	struct str proto = tp_proto_param(s->flow.proto), remote;
	char text[NET_ADDR_TEXT];

	if (log_threshold() > LOG_LVL_DEBUG) {
		return;
	}
	remote = net_addr_text(&s->flow.remote, text);
	if (err) {
		log_debug(event, LOG_S("transport", proto), LOG_S("remote", remote),
		          LOG_B("accepted", s->flow.accepted), LOG_U("conn", s->flow.conn),
		          LOG_ERR(err));
	} else {
		log_debug(event, LOG_S("transport", proto), LOG_S("remote", remote),
		          LOG_B("accepted", s->flow.accepted), LOG_U("conn", s->flow.conn));
	}
}

static void gauge(const struct stream *s, int64_t n)
{
	counter_add(s->tp->w->counts, s->tp->g->counts.connections[s->flow.proto], n);
}

static _Atomic unsigned *conns_from(const struct transport *tp, const struct net_addr *remote)
{
	const struct net_addr source = net_addr_source(remote);

	return &tp->g->conns_from[net_addr_hash(tp->w->process_key, &source) % TP_SOURCES];
}

/* Of two workers that want the last place one gets it. */
static bool take_place(_Atomic unsigned *n, unsigned max)
{
	if (atomic_fetch_add_explicit(n, 1, memory_order_relaxed) < max) {
		return true;
	}
	atomic_fetch_sub_explicit(n, 1, memory_order_relaxed);
	return false;
}

/* Half of the limit; others that share the place of its hash make it a little less. */
static unsigned share_of(const struct conf *conf, const struct net_addr *from)
{
	unsigned max = (unsigned)conf->server.max_connections, share = max / 2;

	if (conf_is_trusted(conf, from)) {
		return UINT_MAX;
	}
	return share > SOURCE_SURE ? share : SOURCE_SURE;
}

bool streams_reserve(struct transport *tp, const struct net_addr *from)
{
	const struct conf *conf = tp->w->conf->conf;
	_Atomic unsigned *n = from ? conns_from(tp, from) : NULL;

	if (n && !take_place(n, share_of(conf, from))) {
		return false;
	}
	if (take_place(&tp->g->conns_n, (unsigned)conf->server.max_connections)) {
		return true;
	}
	if (n) {
		atomic_fetch_sub_explicit(n, 1, memory_order_relaxed);
	}
	return false;
}

static void release_place(struct transport *tp, const struct tp_flow *flow)
{
	atomic_fetch_sub_explicit(&tp->g->conns_n, 1, memory_order_relaxed);
	if (flow->accepted) {
		atomic_fetch_sub_explicit(conns_from(tp, &flow->remote), 1, memory_order_relaxed);
	}
}

static void set_up(struct stream *s, bool up)
{
	const struct transport_user *user = &s->tp->user;

	if (s->is_up != up) {
		s->is_up = up;
		if (user->flow) {
			user->flow(user->arg, &s->flow, up);
		}
	}
}

static void stream_free(struct stream *s)
{
	conn_close(&s->conn);
	timer_cancel(s->tp->w->timers, &s->timer);
	stream_finished(s);
	list_del(&s->by_remote);
	peers_del(s->tp->g->peers, &s->peer);
	list_del(&s->dirty);
	msgbuf_unref(&s->buf, s->tp->w->bufs);
	if (s->flow.conn) {
		atomic_store_explicit(&s->tp->streams->alive[slot_of(s->flow.conn)], 0,
		                      memory_order_release);
		slot_give(s);
		gauge(s, -1);
	}
	release_place(s->tp, &s->flow);
	free(s);
}

static void end_run(struct job *job, void *ctx)
{
	struct stream *s = container_of(job, struct stream, end);

	(void)ctx;
	set_up(s, false);
	stream_free(s);
}

/* Has it ended before what is sent on it was known to get there? A socket's own error (-errno) is
 * how a peer that has closed both its sides shows after its FIN. */
static bool is_undelivered(const struct stream *s, int err)
{
	return s->state == STREAM_CONNECTING ||
	       (s->state == STREAM_HALF_CLOSED &&
	        ((err < 0 && err > BELFRY_EPARSE) || conn_has_output(&s->conn)));
}

void stream_end(struct stream *s, int err)
{
	bool is_news = s->state != STREAM_HALF_CLOSED; /* after FIN they know already */
	bool is_lost = is_undelivered(s, err);

	if (s->state == STREAM_ENDED) {
		return;
	}
	conn_close(&s->conn);
	stream_set_state(s, STREAM_ENDED);
	log_stream(s, "connection.close", err); /* who reads it finds it so */
	if (is_news) {
		tp_unreachable(s->tp, s->flow.proto, &s->flow.remote, s->flow.conn);
	}
	if (is_lost) {
		tp_undelivered(s->tp, s->flow.conn);
	}
	timer_cancel(s->tp->w->timers, &s->timer);
	list_del(&s->dirty);
	msgbuf_unref(&s->buf, s->tp->w->bufs);
	worker_run(s->tp->w, WORKER_CLASS_URGENT, &s->end);
}

static bool is_in_use(const struct stream *s)
{
	const struct transport_user *user = &s->tp->user;

	return user->in_use && user->in_use(user->arg, &s->flow);
}

/* Is an answer to be expected? The user here does not know of requests that other workers have. */
static bool may_answer(const struct stream *s)
{
	uint64_t now_ms = s->tp->w->clock.now_ms;

	return (s->asked_ms && now_ms - s->asked_ms < HALF_CLOSED_MS) || is_in_use(s);
}

/* No more requests, and no answers to ours; but the peer may still read. */
void stream_half_close(struct stream *s)
{
	conn_read_off(&s->conn);
	msgbuf_unref(&s->buf, s->tp->w->bufs);
	s->n = 0;
	if (!may_answer(s) && !conn_has_output(&s->conn)) {
		stream_end(s, 0);
		return;
	}
	tp_unreachable(s->tp, s->flow.proto, &s->flow.remote, s->flow.conn);
	s->stall_written = s->conn.written;
	stream_set_state(s, STREAM_HALF_CLOSED);
	log_stream(s, "connection.half_closed", 0);
	set_up(s, false);
}

static void on_connected(struct conn *c)
{
	struct stream *s = (struct stream *)(void *)c;

	net_local_addr(c->fd, &s->flow.local);
	stream_set_state(s, STREAM_OPEN);
	log_stream(s, "connection.open", 0);
	set_up(s, true);
}

static void on_drained(struct conn *c)
{
	struct stream *s = (struct stream *)(void *)c;

	s->stall_ms = 0;
	if (s->state == STREAM_REFUSING && s->is_answered) {
		conn_shutdown(c);
		stream_set_state(s, STREAM_DRAINING);
		conn_read_on(c);
	}
}

static void on_failed(struct conn *c, int err)
{
	stream_end((struct stream *)(void *)c, err);
}

static const struct conn_user stream_user = {
	.connected = on_connected,
	.readable = stream_readable,
	.drained = on_drained,
	.failed = on_failed,
};

/* Takes @fd and the place that is reserved. */
static int stream_new(struct transport *tp, const struct tp_flow *flow, int fd, struct stream **s_r)
{
	struct stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		release_place(tp, flow);
		close(fd);
		return -ENOMEM;
	}
	s->tp = tp;
	s->flow = *flow;
	s->flow.conn = 0;
	s->state = flow->accepted ? STREAM_OPEN : STREAM_CONNECTING;
	s->born_ms = s->in_ms = s->state_ms = tp->w->clock.now_ms;
	s->end.run = end_run;
	list_init(&s->by_remote);
	list_init(&s->peer.node);
	s->peer.remote = flow->remote;
	s->peer.proto = flow->proto;
	list_init(&s->dirty);
	list_init(&s->unfinished);
	err = conn_open(&s->conn, &tp->streams->env, fd, !flow->accepted, &stream_user);
	err = err ? err : slot_take(s);
	if (err != 0) {
		stream_free(s);
		return err;
	}
	gauge(s, 1);
	atomic_store_explicit(&tp->streams->held[slot_of(s->flow.conn)], 0, memory_order_relaxed);
	atomic_store_explicit(&tp->streams->users[slot_of(s->flow.conn)], s->flow.conn << 32,
	                      memory_order_relaxed);
	publish(s);
	stream_watch(s);
	*s_r = s;
	return 0;
}

void stream_accepted(struct transport *tp, const struct tp_listener *listener, int fd,
                     const struct net_addr *remote)
{
	struct tp_flow flow = { .listener = listener,
		                .remote = *remote,
		                .local = listener->addr,
		                .proto = listener->proto,
		                .accepted = true };
	struct stream *s;

	if (net_addr_is_any(&listener->addr)) {
		net_local_addr(fd, &flow.local);
	}
	if (stream_new(tp, &flow, fd, &s) == 0) {
		s->peer.conn = s->flow.conn;
		peers_add(tp->g->peers, &s->peer);
		log_stream(s, "connection.open", 0);
		set_up(s, true);
	}
}

/* The address to come from: the listener's, where the peer can answer to it. */
static const struct net_addr *local_side(const struct tp_flow *flow)
{
	const struct net_addr *local = &flow->listener->addr;

	if (local->family != flow->remote.family || net_addr_is_any(local) ||
	    (net_addr_is_loopback(local) && !net_addr_is_loopback(&flow->remote))) {
		return NULL;
	}
	return local;
}

int stream_connect(struct transport *tp, const struct tp_flow *flow, struct stream **s_r)
{
	struct tp_flow to = *flow;
	int fd, err;

	to.accepted = false;
	if (!streams_reserve(tp, NULL)) {
		tp_count(tp, tp->g->counts.rejected[TP_REJECT_CONNECTION_LIMIT]);
		return BELFRY_EFULL;
	}
	fd = net_tcp_connect(&flow->remote, local_side(flow));
	if (fd < 0) {
		release_place(tp, &to);
		return fd == -EMFILE || fd == -ENFILE ? BELFRY_EFULL : BELFRY_EUNREACH;
	}
	err = stream_new(tp, &to, fd, s_r);
	if (err == 0) {
		list_add(bucket(tp, &flow->remote), &(*s_r)->by_remote);
	}
	return err;
}

/* --- messages that are not whole -----------------------------------------------------------------
 */

void stream_finished(struct stream *s)
{
	s->tp->streams->unfinished_bytes -= s->unfinished_n;
	s->unfinished_n = 0;
	s->begun_ms = 0;
	list_del(&s->unfinished);
}

void stream_unfinished(struct stream *s, bool is_new)
{
	struct stream_table *t = s->tp->streams;

	if (is_new) {
		stream_finished(s);
		s->begun_ms = s->tp->w->clock.now_ms;
		list_append(&t->unfinished, &s->unfinished);
		stream_watch(s);
	}
	t->unfinished_bytes += s->buf->cap - s->unfinished_n;
	s->unfinished_n = s->buf->cap;
}

static bool is_too_much(struct transport *tp)
{
	const struct stream_table *t = tp->streams;

	return t->unfinished_bytes > t->unfinished_max || msgbuf_pool_is_tight(tp->w->bufs);
}

void streams_shed(struct transport *tp)
{
	struct list *oldest = &tp->streams->unfinished;
	uint64_t now_ms = tp->w->clock.now_ms;

	while (!list_is_empty(oldest) && is_too_much(tp)) {
		struct stream *s = container_of(oldest->next, struct stream, unfinished);

		if (now_ms - s->begun_ms < UNFINISHED_MS) {
			return;
		}
		tp_count(tp, tp->g->counts.rejected[TP_REJECT_UNFINISHED]);
		stream_end(s, BELFRY_EFULL);
	}
}

/* --- time ----------------------------------------------------------------------------------------
 */

static uint64_t idle_ms(const struct stream *s)
{
	return (uint64_t)s->tp->w->conf->conf->server.idle_timeout * 1000;
}

/* Is something under way that has to be looked at soon? */
static bool is_busy(const struct stream *s)
{
	return s->state != STREAM_OPEN || s->begun_ms || s->stall_ms;
}

/* Few durations, so that the timers stay in FIFOs. */
void stream_watch(struct stream *s)
{
	uint64_t ms = idle_ms(s) / 4;

	if (s->is_paused || s->state == STREAM_ENDED) {
		return;
	}
	if (is_busy(s) || ms < WATCH_MS) {
		ms = WATCH_MS;
		/* Not put off: one message after the other would keep us from looking. */
		if (s->is_watched && timer_is_running(&s->timer)) {
			return;
		}
	}
	s->is_watched = ms == WATCH_MS;
	timer_start(s->tp->w->timers, &s->timer, s->tp->streams->timer_kind, (uint32_t)ms);
}

void stream_pause(struct stream *s)
{
	s->is_paused = true;
	s->is_watched = false;
	conn_read_off(&s->conn);
	timer_start(s->tp->w->timers, &s->timer, s->tp->streams->timer_kind, PAUSE_MS);
}

/* Output that waits must get less. */
static bool is_stalled(struct stream *s, uint64_t now_ms, uint64_t limit_ms)
{
	if (s->conn.queued == 0) {
		s->stall_ms = 0;
	} else if (s->stall_ms == 0 || s->conn.written != s->stall_written) {
		s->stall_ms = now_ms;
		s->stall_written = s->conn.written;
	}
	return s->stall_ms && now_ms - s->stall_ms >= limit_ms;
}

static bool is_open_too_long(struct stream *s, uint64_t now_ms)
{
	uint64_t limit_ms = (uint64_t)s->tp->w->conf->conf->server.message_timeout * 1000;

	if (s->begun_ms && now_ms - s->begun_ms >= limit_ms) {
		tp_count(s->tp, s->tp->g->counts.rejected[TP_REJECT_MESSAGE_TIMEOUT]);
		return true;
	}
	if (limit_ms > IMPATIENT_MS && conn_env_is_full(s->conn.env)) {
		limit_ms = IMPATIENT_MS;
	}
	if (is_stalled(s, now_ms, limit_ms)) {
		return true;
	}
	return now_ms - s->in_ms >= idle_ms(s) && !is_held(s, now_ms) && !is_in_use(s);
}

/* Has nothing been written since the last look? What has may still bring RST. */
static bool is_quiet(struct stream *s)
{
	bool is = s->conn.written == s->stall_written;

	s->stall_written = s->conn.written;
	return is;
}

static bool is_over(struct stream *s)
{
	uint64_t now_ms = s->tp->w->clock.now_ms, since_ms = now_ms - s->state_ms;

	switch (s->state) {
	case STREAM_CONNECTING: return since_ms >= CONNECT_MS;
	case STREAM_OPEN: return is_open_too_long(s, now_ms);
	case STREAM_HALF_CLOSED:
		return is_quiet(s) && (since_ms >= HALF_CLOSED_MAX || !may_answer(s));
	case STREAM_REFUSING: return since_ms >= REFUSING_MS;
	default: return since_ms >= DRAINING_MS;
	}
}

static void on_timer(struct timer *t, void *arg)
{
	struct stream *s = container_of(t, struct stream, timer);
	/* It is not read any more: no event tells of RST. */
	int err = s->state == STREAM_HALF_CLOSED ? net_socket_error(s->conn.fd) : 0;

	(void)arg;
	if (err != 0) {
		stream_end(s, err);
	} else if (is_over(s)) { /* also one that waits for a buffer: what it holds, others wait for
		                  */
		stream_end(s, BELFRY_ETIMEOUT);
	} else if (s->is_paused) {
		stream_resume(s);
	} else {
		stream_watch(s);
	}
}

/* --- the table -----------------------------------------------------------------------------------
 */

static void on_event(void *arg)
{
	worker_event(arg);
}

int streams_new(struct transport *tp)
{
	struct stream_table *t = calloc(1, sizeof(*t));

	if (!t) {
		return -ENOMEM;
	}
	t->env = (struct conn_env){ .base = tp->w->base, .event = on_event, .event_arg = tp->w };
	t->first_free = NO_SLOT;
	t->buckets = BUCKETS;
	list_init(&t->dirty);
	list_init(&t->unfinished);
	t->unfinished_max = msgbuf_pool_bytes(tp->w->bufs) / 4;
	t->timer_kind = timers_kind(tp->w->timers, on_timer, tp);
	t->by_remote = calloc(t->buckets, sizeof(*t->by_remote));
	t->alive = mmap(NULL, SLOTS_SIZE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->timer_kind < 0 || !t->by_remote || t->alive == MAP_FAILED) {
		if (t->alive != MAP_FAILED) {
			munmap((void *)t->alive, SLOTS_SIZE);
		}
		free(t->by_remote);
		free(t);
		return -ENOMEM;
	}
	t->held = t->alive + SLOTS_MAX;
	t->users = (_Atomic uint64_t *)(void *)(t->held + SLOTS_MAX);
	for (size_t i = 0; i < t->buckets; i++) {
		list_init(&t->by_remote[i]);
	}
	tp->streams = t;
	return 0;
}

void streams_free(struct transport *tp)
{
	struct stream_table *t = tp->streams;

	if (!t) {
		return;
	}
	for (uint32_t i = 0; i < t->slots_n; i++) {
		if (t->slots[i].s) {
			stream_free(t->slots[i].s);
		}
	}
	conn_env_fini(&t->env);
	munmap((void *)t->alive, SLOTS_SIZE);
	free(t->slots);
	free(t->by_remote);
	free(t);
	tp->streams = NULL;
}

void streams_close_from(struct transport *tp, const struct net_addr *source)
{
	struct stream_table *t = tp->streams;

	for (uint32_t i = 0; t && i < t->slots_n; i++) {
		struct stream *s = t->slots[i].s;

		if (s) {
			const struct net_addr from = net_addr_source(&s->flow.remote);

			if (net_addr_eq(&from, source)) {
				stream_end(s, BELFRY_EDENIED);
			}
		}
	}
}

void stream_each(struct transport *tp, tp_conn_cb *cb, void *arg)
{
	const struct stream_table *t = tp->streams;
	uint64_t now_ms = tp->w->clock.now_ms;

	for (uint32_t i = 0; i < t->slots_n; i++) {
		const struct stream *s = t->slots[i].s;

		if (s && s->state != STREAM_ENDED) {
			const struct tp_conn_info info = {
				.flow = s->flow,
				.age_ms = now_ms - s->born_ms,
				.idle_ms = now_ms - s->in_ms,
				.queued = s->conn.queued,
				.state = s->state == STREAM_CONNECTING ? "connecting" : "open",
			};

			cb(arg, &info);
		}
	}
}
