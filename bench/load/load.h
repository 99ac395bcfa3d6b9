/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SIP load generator: caller (UAC) and callee (UAS) in one single-threaded process, so that each
 * call can be checked at both ends. Only what a benchmark needs of SIP: messages are made from
 * templates and scanned for the few fields that matter. Answers go to where a request came from.
 *
 *   main.c  options, the loop, the result as JSON      wire.c  sockets in batches, stream framing
 *   uac.c   one state machine per call                 uas.c   answers, by request
 *   text.c  scanning and building                      hist.c  latencies
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { MODE_REGISTER, MODE_REFRESH, MODE_DIGEST, MODE_INVITE, MODE_MESSAGE, MODE_OPTIONS, MODE_N };

struct options {
	enum mode mode;
	bool tcp;
	struct sockaddr_in server, uac, uas;
	unsigned connections; /* TCP: connections of the caller */
	unsigned users, first; /* u000000 .. */
	unsigned count;       /* transactions or calls to start */
	unsigned seconds;     /* or: stop starting after that long; 0: no limit */
	unsigned window;      /* closed loop: so many in flight */
	unsigned rate;        /* open loop: so many started per second; 0: closed */
	unsigned expires_s, t1_ms;
	const char *domain, *algorithm;
};

/* --- hist.c: microseconds, 1.6 % resolution ------------------------------------------------------- */
#define HIST_BUCKETS 2048
struct hist {
	uint64_t n[HIST_BUCKETS], total, max;
};
void hist_add(struct hist *h, uint64_t us);
uint64_t hist_percentile(const struct hist *h, double p);

/* --- text.c ------------------------------------------------------------------------------------------ */
struct span {
	const char *p;
	size_t n;
};
struct lines { /* whole lines with their CRLF */
	struct span v[8];
	unsigned n;
};
struct scanned { /* of a received message */
	int status;            /* 0: a request */
	char method;           /* first letter of the request's or CSeq's method, 'S' counts as such */
	unsigned call, run;    /* from our branch or Call-ID; call is UINT32_MAX when it is not one of ours */
	struct lines vias, record_routes;
	struct span from, to, call_id, cseq, contact, authenticate;
};
bool scan(const char *p, size_t n, struct scanned *s_r);
/* Length of the first message in a stream, 0: not whole yet. */
size_t frame(const char *p, size_t n);
struct text {
	char *p;
	size_t n, cap;
};
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_span(struct text *t, struct span s);
void text_lines(struct text *t, const struct lines *l);
/* Route lines from the Record-Route lines of a response: in reverse (RFC 3261 12.1.2). */
void text_routes(struct text *t, const struct lines *record_routes);
/* Digest credentials for a challenge (RFC 7616); the line with CRLF. */
void text_digest(struct text *t, const char *line, struct span challenge, const char *method,
		 const char *uri, const char *user, const char *password);

/* --- wire.c ------------------------------------------------------------------------------------------- */
struct peer { /* where a message came from */
	struct wire *wire;
	struct sockaddr_in addr; /* UDP */
	struct conn *conn;       /* TCP */
};
typedef void(wire_cb)(void *arg, const char *p, size_t n, const struct peer *from);
struct wire;
struct wire *wire_new(int epoll, bool tcp, const struct sockaddr_in *local, bool listens, wire_cb *cb, void *arg);
void wire_send(const struct peer *to, const char *p, size_t n);
/* TCP: opens @n connections to @to; index i is where wire_to() sends. */
void wire_connect(struct wire *w, const struct sockaddr_in *to, unsigned n);
struct peer wire_to(struct wire *w, const struct sockaddr_in *to, unsigned i);
void wire_event(void *data); /* epoll's data.ptr */
void wire_flush(struct wire *w);
void wire_free(struct wire *w);

/* --- uas.c ---------------------------------------------------------------------------------------------- */
struct uas {
	const struct options *o;
	uint64_t invites, acks, byes, messages;
};
wire_cb uas_receive; /* arg: struct uas */

/* --- uac.c ---------------------------------------------------------------------------------------------- */
struct uac;
struct uac_counts {
	uint64_t started, ok, failed, timeouts, retransmissions, mismatch;
	unsigned in_flight;
};
struct uac *uac_new(const struct options *o);
void uac_set_wire(struct uac *u, struct wire *wire); /* before the first uac_start() */
void uac_free(struct uac *u);
wire_cb uac_receive; /* arg: struct uac */
void uac_start(struct uac *u, uint64_t now_us);
void uac_timers(struct uac *u, uint64_t now_us);
const struct uac_counts *uac_counts(const struct uac *u);
const struct hist *uac_latency(const struct uac *u); /* start to end of the transaction or call */
const struct hist *uac_setup(const struct uac *u);   /* INVITE to 200 */
uint64_t now_us(void);
