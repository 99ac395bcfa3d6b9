/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/rpc.h"
#include "ctl/trace.h"
#include "util/list.h"
#include "util/log.h"

#define CLIENTS_MAX     256
#define WRITE_TIMEOUT_S 30 /* a client that does not read for so long is closed */
#define DISCARD_S       2  /* that a client whose request is too long gets to send the rest */
#define DISCARD_MAX     (64u << 20) /* bytes of it */

struct ctl_server {
	struct event_base *base;
	struct event *accept;
	int fd;
	char *path;
	struct ctl_env *env;
	struct list clients, calls; /* the client that asked last is the last */
	unsigned clients_n;
};

struct client {
	struct list node;
	struct ctl_server *server;
	struct bufferevent *bev;
	struct ctl_call *call; /* the one that runs now */
	uid_t uid;
	pid_t pid;
	bool is_last;       /* no more of what it sends is looked at */
	bool is_eof;        /* it sends no more, but may wait for answers */
	bool is_discarding; /* its request was too long */
	size_t discarded;
	bool in_turn; /* client_turn() is on the stack */
};

static void client_free(struct client *client)
{
	struct ctl_call *call = client->call;

	client->call = NULL;
	if (call) {
		ctl_call_left(call);
	}
	list_del(&client->node);
	client->server->clients_n--;
	/* A server that does not listen because it was full does so again. */
	if (client->server->accept && client->server->clients_n + 1 == CLIENTS_MAX) {
		(void)event_add(client->server->accept, NULL);
	}
	bufferevent_free(client->bev);
	free(client);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void client_turn(struct client *client);

static void send_line(struct client *client, struct evbuffer *line)
{
	if (line && evbuffer_get_length(line) > 0) {
		(void)bufferevent_write_buffer(client->bev, line);
	} else {
		client->is_last = true; /* no memory for an answer: the end of the line says so */
	}
}

static void answered(struct ctl_call *call, struct evbuffer *line)
{
	struct client *client = call->arg;

	client->call = NULL;
	if (call->req.id) {
		send_line(client, line);
	}
	if (!client->in_turn) {
		client_turn(client);
	}
}

static void refuse(struct client *client, const json_t *id, int code, const char *why)
{
	char *text = rpc_error_text(id, code, why);

	if (!text || bufferevent_write(client->bev, text, strlen(text))) {
		client->is_last = true;
	}
	free(text);
}

static void start(struct client *client, struct str line)
{
	struct rpc_request req;
	const char *why;
	int code;

	if (str_trim(line).n == 0) {
		return;
	}
	code = rpc_parse(line, &req, &why);
	if (code) {
		refuse(client, req.id, code, why);
		rpc_request_fini(&req);
		return;
	}
	client->call = ctl_call_new(&req, answered, client);
	if (!client->call) {
		client->is_last = true;
		return;
	}
	list_append(&client->server->calls, &client->call->node);
	list_del(&client->node);
	list_append(&client->server->clients, &client->node);
	client->call->output = bufferevent_get_output(client->bev);
	ctl_call_run(client->call, client->server->env, client->uid, client->pid);
}

static bool is_over(const struct client *client)
{
	return (client->is_last || client->is_eof) && !client->call &&
	       evbuffer_get_length(bufferevent_get_output(client->bev)) == 0;
}

/* The rest of a request that is too long is read and thrown away, so that the client sees why: an
 * end with something unread would be a reset. */
static void discard(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);

	client->discarded += evbuffer_get_length(in);
	(void)evbuffer_drain(in, evbuffer_get_length(in));
	if (client->is_eof || client->discarded > DISCARD_MAX) {
		client_free(client);
	}
}

static void begin_discarding(struct client *client)
{
	static const struct timeval timeout = { .tv_sec = DISCARD_S };

	refuse(client, NULL, CTL_EINVALID, "the request is too long");
	client->is_last = true;
	client->is_discarding = true;
	bufferevent_set_timeouts(client->bev, &timeout, &timeout);
	discard(client);
}

/* Runs what has come in, up to a call that answers later. The client may be gone afterwards. */
static void client_turn(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);

	if (client->is_discarding) {
		discard(client);
		return;
	}
	client->in_turn = true;
	while (!client->call && !client->is_last) {
		size_t n;
		char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);

		if (!line) {
			break;
		}
		start(client, str_make(line, n));
		free(line);
	}
	client->in_turn = false;
	if (!client->call && !client->is_last && evbuffer_get_length(in) >= RPC_LINE_MAX) {
		begin_discarding(client);
		return;
	}
	if (client->is_last) {
		(void)bufferevent_disable(client->bev, EV_READ);
	}
	if (is_over(client)) {
		client_free(client);
	}
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	(void)bev;
	client_turn(arg);
}

static void write_cb(struct bufferevent *bev, void *arg)
{
	const struct client *client = arg;

	if (client->is_discarding && !client->is_eof) {
		(void)shutdown(bufferevent_getfd(bev), SHUT_WR);
	} else if (is_over(arg)) {
		client_free(arg);
	}
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	client->is_eof = true;
	if (!(what & BEV_EVENT_EOF) || is_over(client) || (client->call && client->call->gone)) {
		client_free(client);
	}
}

/* --- clients ------------------------------------------------------------------------------------
 */

static void client_new(struct ctl_server *server, int fd)
{
	static const struct timeval timeout = { .tv_sec = WRITE_TIMEOUT_S };
	struct client *client = calloc(1, sizeof(*client));
	struct ucred cred = { .pid = -1, .uid = (uid_t)-1 };
	socklen_t n = sizeof(cred);

	if (client) {
		client->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	}
	if (!client || !client->bev) {
		free(client);
		(void)close(fd);
		return;
	}
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
	client->server = server;
	client->uid = cred.uid;
	client->pid = cred.pid;
	list_append(&server->clients, &client->node);
	server->clients_n++;
	bufferevent_setcb(client->bev, read_cb, write_cb, event_cb, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, RPC_LINE_MAX);
	bufferevent_set_timeouts(client->bev, NULL, &timeout);
	(void)bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

/* The client that has asked nothing for the longest time; NULL: all are busy. */
static struct client *idle_client(const struct ctl_server *server)
{
	list_for_each(it, &server->clients)
	{
		struct client *client = container_of(it, struct client, node);

		if (!client->call &&
		    evbuffer_get_length(bufferevent_get_output(client->bev)) == 0) {
			return client;
		}
	}
	return NULL;
}

/* Takes those that wait; idle ones give way to them. While all are busy the others stay in the
 * backlog. */
static void accept_cb(int listener, short what, void *arg)
{
	struct ctl_server *server = arg;
	int fd;

	(void)what;
	while (server->clients_n < CLIENTS_MAX || idle_client(server)) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			return;
		}
		if (server->clients_n == CLIENTS_MAX) {
			client_free(idle_client(server));
		}
		client_new(server, fd);
	}
	(void)event_del(server->accept);
}

/* --- life ---------------------------------------------------------------------------------------
 */

int ctl_server_new(struct event_base *base, int fd, const char *path, struct ctl_env *env,
                   struct ctl_server **server_r)
{
	struct ctl_server *server = calloc(1, sizeof(*server));

	if (!server) {
		return -ENOMEM;
	}
	list_init(&server->clients);
	list_init(&server->calls);
	server->fd = -1;
	server->base = base;
	server->env = env;
	server->path = strdup(path);
	server->accept = event_new(base, fd, EV_READ | EV_PERSIST, accept_cb, server);
	if (!server->path || !server->accept || event_add(server->accept, NULL)) {
		ctl_server_free(server);
		return -ENOMEM;
	}
	server->fd = fd;
	*server_r = server;
	return 0;
}

void ctl_server_free(struct ctl_server *server)
{
	if (!server) {
		return;
	}
	if (server->accept) {
		event_free(server->accept);
		server->accept = NULL;
	}
	if (server->fd >= 0) {
		(void)close(server->fd);
		(void)unlink(server->path);
	}
	trace_hub_free(server->env->trace);
	server->env->trace = NULL;
	server->env->mailbox = NULL; /* nobody is to be answered any more */
	list_for_each_safe(it, tmp, &server->clients)
	{
		client_free(container_of(it, struct client, node));
	}
	list_for_each_safe(c, next, &server->calls)
	{
		ctl_call_free(container_of(c, struct ctl_call, node));
	}
	free(server->path);
	free(server);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One client that still has to read something, or -1. */
static int pending_fd(const struct ctl_server *server)
{
	list_for_each(it, &server->clients)
	{
		const struct client *client = container_of(it, struct client, node);

		if (evbuffer_get_length(bufferevent_get_output(client->bev)) > 0) {
			return bufferevent_getfd(client->bev);
		}
	}
	return -1;
}

void ctl_server_flush(struct ctl_server *server, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	struct pollfd pfd = { .events = POLLOUT };

	while ((pfd.fd = pending_fd(server)) >= 0 && now_ms() < end) {
		(void)poll(&pfd, 1, 10);
		(void)event_base_loop(server->base, EVLOOP_NONBLOCK);
	}
}
