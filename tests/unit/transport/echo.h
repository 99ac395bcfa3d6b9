/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server on real loopback sockets that answers every request with 200 (or with the error the
 * message has), and what is needed to talk to it. The workers run; the test is the client.
 */
#pragma once

#include <pthread.h>

#include "support/unit.h"
#include "transport/transport.h"

#define ECHO_WORKERS_MAX 4
#define ECHO_PORTS_MAX   4
#define ECHO_KEPT_MAX    256

struct echo;

struct echo_user { /* one per worker */
	struct echo *e;
	struct worker *w;
	struct transport *tp;
	struct iovec packet;
};

struct echo_seen {
	struct tp_flow last;  /* of the last message, or flow that came up */
	int last_error;       /* of the last request */
	struct net_addr gone; /* who was unreachable last */
	uint64_t gone_conn;
};

struct echo {
	struct conf conf;
	struct conf_listen listens[ECHO_PORTS_MAX];
	struct counters *counters;
	struct workers *ws;
	struct transport_group *g;
	struct echo_user users[ECHO_WORKERS_MAX];
	size_t mailbox_max, msgbufs_max;
	bool is_mute;    /* does not answer */
	bool is_keeping; /* keeps requests, instead of answering, for echo_answer_kept() */
	struct sip_msg *kept[ECHO_KEPT_MAX];
	unsigned kept_n;
	bool is_in_use; /* what in_use() says */
	/* Under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned requests[ECHO_WORKERS_MAX], responses[ECHO_WORKERS_MAX];
	unsigned unreachable, undelivered, up, down, packets;
	struct echo_seen seen;
};

/* Defaults, and a listener on an address with port 0. */
void echo_init(struct echo *e);
void echo_listen(struct echo *e, int transport, const char *host);
/* 0 or what transport_group_new() said, with *error_r to free. */
int echo_try_start(struct echo *e, unsigned workers, char **error_r);
void echo_start(struct echo *e, unsigned workers);
void echo_stop(struct echo *e);
/* Without threads: driven by echo_turn(). -ENOMEM: nothing is left. */
int echo_start_here(struct echo *e, unsigned workers);
/* A turn of each worker. */
void echo_turn(struct echo *e);
/* Until @fd can be read. */
void echo_turn_until_readable(struct echo *e, int fd);
/* On the only worker, that runs here. */
void echo_drop_kept(struct echo *e);

/* All waits fail the test after unit_wait_ms(). */
/* Waits until *counter is at least n. */
void echo_wait(struct echo *e, const unsigned *counter, unsigned n);
unsigned echo_sum(struct echo *e, const unsigned *per_worker);
/* Runs on a worker, and waits for its end. */
void echo_call(struct echo *e, unsigned worker, void (*fn)(struct echo_user *u, void *arg),
               void *arg);
/* A copy: the workers go on. */
struct echo_seen echo_seen(struct echo *e);
uint64_t echo_counted(struct echo *e, const char *name, const char *labels);

/* --- the client ----------------------------------------------------------------------------------
 */

struct net_addr echo_addr(const struct echo *e, size_t listener);
struct net_addr addr_of(const char *host, uint16_t port);
/* A socket connected to @to. */
int client_open(int type, const struct net_addr *to);
/* The same bound to 127.0.0.1 or ::1, and its address. */
int client_bind(int type, int family, struct net_addr *addr_r);
/* An address where nothing is, and nothing can come while the socket is open. */
int client_bind_dead(int type, struct net_addr *addr_r);
/* OPTIONS with the number in its Call-ID, in a static buffer. */
struct str client_options(const char *transport, unsigned number);
void client_send(int fd, struct str bytes);
/* What comes next, up to what was asked. Static buffer. */
struct str client_receive(int fd);
/* Reads a stream to its end. */
struct str client_receive_all(int fd);
/* Exactly one message that begins with @start and has the Call-ID of @number. */
void client_expect(int fd, const char *start, unsigned number);
