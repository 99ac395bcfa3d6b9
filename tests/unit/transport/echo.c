/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/echo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/err.h"

/* --- the server ----------------------------------------------------------------------------------
 */

struct held {
	struct job job;
	struct sip_msg *msg;
};

static void held_free(struct job *job, void *ctx)
{
	struct sip_msg *msg = ((struct held *)(void *)job)->msg;

	(void)ctx;
	sip_msg_unref(&msg);
}

/* The bytes of an answer lie in the message until the turn's end. */
static void reply(struct echo_user *u, struct sip_msg *msg, const struct tp_flow *from)
{
	char ip[NET_ADDR_TEXT];
	struct sip_reply r = { .code = msg->error ? msg->error : 200,
		               .reason = str_from(msg->error_r),
		               .to_tag = STR("echo") };
	struct held *held = arena_alloc(&msg->arena, sizeof(*held));
	struct tp_flow to;
	struct sip_out out;
	int err;

	r.via_extra =
		sip_via_received_params(&msg->arena, &msg->via, net_addr_ip_text(&from->remote, ip),
	                                from->remote.port);
	if (!held || sip_build_reply(msg, &r, &msg->arena, &out) != 0) {
		sip_msg_unref(&msg); /* no memory */
		return;
	}
	transport_response_flow(&msg->via, from, &to);
	err = transport_send(u->tp, &to, true, &out);
	ck_assert(err == 0 || err == -ENOMEM || (err == BELFRY_EUNREACH && from->conn));
	*held = (struct held){ .job.run = held_free, .msg = msg };
	worker_reap(u->w, &held->job);
}

static void changed(struct echo *e)
{
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

static void on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct echo_user *u = arg;

	if (!msg->error && msg->method != SIP_M_REGISTER) {
		ck_assert_uint_eq(u->w->id, transport_owner_of_call(u->w, msg->call_id));
	}
	pthread_mutex_lock(&u->e->lock);
	u->e->requests[u->w->id]++;
	u->e->seen.last = *from;
	u->e->seen.last_error = msg->error;
	changed(u->e);
	if (u->e->is_keeping && u->e->kept_n < ECHO_KEPT_MAX) {
		u->e->kept[u->e->kept_n++] = msg;
	} else if (u->e->is_mute) {
		sip_msg_unref(&msg);
	} else {
		reply(u, msg, from);
	}
}

static void on_response(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct echo_user *u = arg;

	pthread_mutex_lock(&u->e->lock);
	u->e->responses[u->w->id]++;
	u->e->seen.last = *from;
	changed(u->e);
	sip_msg_unref(&msg);
}

static void on_unreachable(void *arg, uint8_t proto, const struct net_addr *remote, uint64_t conn)
{
	struct echo_user *u = arg;

	(void)proto;
	pthread_mutex_lock(&u->e->lock);
	u->e->unreachable++;
	u->e->seen.gone = *remote;
	u->e->seen.gone_conn = conn;
	changed(u->e);
}

static void on_undelivered(void *arg, uint64_t conn)
{
	struct echo_user *u = arg;

	pthread_mutex_lock(&u->e->lock);
	u->e->undelivered++;
	u->e->seen.gone_conn = conn;
	changed(u->e);
}

static enum tp_verdict on_packet(void *arg, struct str data, const struct tp_flow *from)
{
	struct echo_user *u = arg;
	struct sip_out out = { .iov = &u->packet, .iov_n = 1, .len = data.n };
	struct tp_flow to = *from;

	if (data.p[0] != 1) {
		return TP_CONTINUE;
	}
	pthread_mutex_lock(&u->e->lock);
	u->e->packets++;
	u->packet = (struct iovec){ (void *)(uintptr_t)data.p, data.n };
	changed(u->e);
	transport_send(u->tp, &to, false, &out);
	return TP_DONE;
}

static void on_flow(void *arg, const struct tp_flow *flow, bool up)
{
	struct echo_user *u = arg;

	pthread_mutex_lock(&u->e->lock);
	u->e->up += up;
	u->e->down += !up;
	u->e->seen.last = up ? *flow : u->e->seen.last;
	changed(u->e);
}

static bool in_use(void *arg, const struct tp_flow *flow)
{
	struct echo_user *u = arg;
	bool ret;

	(void)flow;
	pthread_mutex_lock(&u->e->lock);
	ret = u->e->is_in_use;
	pthread_mutex_unlock(&u->e->lock);
	return ret;
}

/* --- starting and stopping -----------------------------------------------------------------------
 */

void echo_init(struct echo *e)
{
	*e = (struct echo){ 0 };
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
	e->mailbox_max = 4096;
	e->msgbufs_max = 8192;
	e->conf.refs = 1;
	e->conf.listen = e->listens;
	e->conf.server.max_connections = 1000;
	e->conf.server.message_timeout = 30;
	e->conf.server.idle_timeout = 300;
}

void echo_listen(struct echo *e, int transport, const char *host)
{
	struct conf_listen *listen = &e->listens[e->conf.listen_n++];

	*listen = (struct conf_listen){ .transport = transport, .addr = addr_of(host, 0) };
}

static int make(struct echo *e, unsigned workers, char **error_r)
{
	struct workers_params params = {
		.n = workers,
		.conf = &e->conf,
		.mailbox_max = e->mailbox_max,
		.msgbufs_max = e->msgbufs_max,
	};
	int err;

	e->counters = params.counters = counters_new();
	if (!e->counters) {
		return -ENOMEM;
	}
	err = workers_new(&params, &e->ws);
	if (err != 0) {
		counters_free(e->counters);
		return err;
	}
	err = transport_group_new(e->ws, &e->conf, &e->g, error_r);
	for (unsigned i = 0; err == 0 && i < workers; i++) {
		struct transport_user user = { .request = on_request,
			                       .response = on_response,
			                       .unreachable = on_unreachable,
			                       .undelivered = on_undelivered,
			                       .packet = on_packet,
			                       .flow = on_flow,
			                       .in_use = in_use,
			                       .arg = &e->users[i] };

		e->users[i] = (struct echo_user){ .e = e,
			                          .w = workers_get(e->ws, i),
			                          .tp = transport_get(e->g, i) };
		transport_set_user(e->users[i].tp, &user);
		ck_assert_int_eq(transport_start(e->users[i].tp), 0);
	}
	if (err != 0) {
		workers_free(e->ws);
		counters_free(e->counters);
	}
	return err;
}

int echo_try_start(struct echo *e, unsigned workers, char **error_r)
{
	int err = make(e, workers, error_r);

	if (err == 0) {
		ck_assert_int_eq(workers_start(e->ws), 0);
	}
	return err;
}

int echo_start_here(struct echo *e, unsigned workers)
{
	char *error = NULL;
	int err = make(e, workers, &error);

	free(error);
	return err;
}

void echo_turn(struct echo *e)
{
	for (unsigned i = 0; i < workers_n(e->ws); i++) {
		worker_turn(workers_get(e->ws, i));
	}
}

void echo_turn_until_readable(struct echo *e, int fd)
{
	uint64_t end = unit_wait_begin();
	char c;

	do {
		echo_turn(e);
		if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
			return;
		}
	} while (unit_wait_more(end));
	ck_abort_msg("nothing came");
}

void echo_drop_kept(struct echo *e)
{
	while (e->kept_n > 0) {
		sip_msg_unref(&e->kept[--e->kept_n]);
	}
}

void echo_start(struct echo *e, unsigned workers)
{
	char *error = NULL;
	int err = echo_try_start(e, workers, &error);

	ck_assert_msg(err == 0, "%d %s", err, error ? error : "");
}

void echo_stop(struct echo *e)
{
	workers_stop(e->ws);
	transport_group_free(e->g);
	workers_free(e->ws);
	counters_free(e->counters);
	ck_assert_int_eq(e->conf.refs, 1);
}

void echo_wait(struct echo *e, const unsigned *counter, unsigned n)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += unit_wait_ms() / 1000;
	pthread_mutex_lock(&e->lock);
	while (*counter < n && err == 0) {
		err = pthread_cond_timedwait(&e->changed, &e->lock, &until);
	}
	ck_assert_msg(*counter >= n, "waited for %u, got %u", n, *counter);
	pthread_mutex_unlock(&e->lock);
}

unsigned echo_sum(struct echo *e, const unsigned *per_worker)
{
	unsigned sum = 0;

	pthread_mutex_lock(&e->lock);
	for (unsigned i = 0; i < ECHO_WORKERS_MAX; i++) {
		sum += per_worker[i];
	}
	pthread_mutex_unlock(&e->lock);
	return sum;
}

struct echo_seen echo_seen(struct echo *e)
{
	struct echo_seen seen;

	pthread_mutex_lock(&e->lock);
	seen = e->seen;
	pthread_mutex_unlock(&e->lock);
	return seen;
}

struct call {
	struct job job;
	struct echo *e;
	void (*fn)(struct echo_user *u, void *arg);
	void *arg;
	unsigned done;
};

static void call_run(struct job *job, void *ctx)
{
	struct call *call = (struct call *)(void *)job;
	struct worker *w = ctx;

	call->fn(&call->e->users[w->id], call->arg);
	pthread_mutex_lock(&call->e->lock);
	call->done = 1;
	changed(call->e);
}

void echo_call(struct echo *e, unsigned worker, void (*fn)(struct echo_user *u, void *arg),
               void *arg)
{
	struct call call = { .job.run = call_run, .e = e, .fn = fn, .arg = arg };

	workers_post(e->ws, worker, &call.job);
	echo_wait(e, &call.done, 1);
}

uint64_t echo_counted(struct echo *e, const char *name, const char *labels)
{
	const struct counter_def def = { .type = COUNTER_COUNTER, .name = name, .labels = labels };

	return counters_get(e->counters, counters_register(e->counters, &def));
}

/* --- the client ----------------------------------------------------------------------------------
 */

struct net_addr echo_addr(const struct echo *e, size_t listener)
{
	return transport_listener(e->g, listener)->addr;
}

struct net_addr addr_of(const char *host, uint16_t port)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_parse(str_from(host), port, &addr), 0);
	return addr;
}

static int client_socket(int type, int family)
{
	const struct timeval tv = { .tv_sec = unit_wait_ms() / 1000 };
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	return fd;
}

int client_open(int type, const struct net_addr *to)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(to, &ss);
	int fd = client_socket(type, to->family);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

int client_bind(int type, int family, struct net_addr *addr_r)
{
	struct net_addr addr = addr_of(family == 6 ? "::1" : "127.0.0.1", 0);
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(&addr, &ss);
	int fd = client_socket(type, family);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	net_addr_from_sockaddr((struct sockaddr *)&ss, addr_r);
	return fd;
}

/* A stream socket that does not listen refuses; a datagram one that is connected elsewhere hears
 * nobody else. */
int client_bind_dead(int type, struct net_addr *addr_r)
{
	const struct net_addr elsewhere = addr_of("127.0.0.9", 9);
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(&elsewhere, &ss);
	int fd = client_bind(type, 4, addr_r);

	if (type == SOCK_DGRAM) {
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, n), 0);
	}
	return fd;
}

struct str client_options(const char *transport, unsigned number)
{
	static char text[1024];
	int n = snprintf(text, sizeof(text),
	                 "OPTIONS sip:example.com SIP/2.0\r\n"
	                 "Via: SIP/2.0/%s client.invalid;rport;branch=z9hG4bK%u\r\n"
	                 "From: <sip:a@example.com>;tag=1\r\nTo: <sip:example.com>\r\n"
	                 "Call-ID: call-%u\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
	                 "Content-Length: 0\r\n\r\n",
	                 transport, number, number);

	return str_make(text, (size_t)n);
}

void client_send(int fd, struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		ck_assert_int_gt(n, 0);
		bytes = str_skip(bytes, (size_t)n);
	}
}

static char received[1 << 17];

struct str client_receive(int fd)
{
	ssize_t n = recv(fd, received, sizeof(received), 0);

	ck_assert_msg(n >= 0, "nothing came: %s", strerror(errno));
	return str_make(received, (size_t)n);
}

struct str client_receive_all(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, received + n, sizeof(received) - n, 0)) > 0) {
		n += (size_t)got;
	}
	ck_assert_msg(got == 0, "no end came: %s", strerror(errno));
	return str_make(received, n);
}

void client_expect(int fd, const char *start, unsigned number)
{
	struct str got = client_receive(fd);
	char call_id[64];

	snprintf(call_id, sizeof(call_id), "Call-ID: call-%u\r\n", number);
	ck_assert_msg(str_starts(got, str_from(start)) &&
	                      str_contains_nocase(got, str_from(call_id)),
	              "%.*s", STR_FMT(got));
}
