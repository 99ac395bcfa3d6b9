/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GIVE_UP 64 /* times T1: RFC 3261 Timers B and F */

enum state { IDLE, FIRST, CREDENTIALS, CALLING, RINGING, ENDING };

struct call {
	uint8_t state;
	unsigned user, tries;
	uint64_t start_us, sent_us, due_us;
	struct call *next; /* in the list of what is to be sent again, oldest first */
	bool queued;
	char *dialog; /* route lines and contact of the 200 */
	char *challenge;
};

struct uac {
	const struct options *o;
	struct wire *wire;
	struct call *calls;
	struct call *due_first, *due_last;
	struct uac_counts counts;
	struct hist latency, setup;
	unsigned run, cseq;
	char hostport[32];
};

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct uac *uac_new(const struct options *o)
{
	struct uac *u = calloc(1, sizeof(*u));

	if (!u || !(u->calls = calloc(o->count, sizeof(*u->calls)))) {
		perror("memory");
		exit(2);
	}
	u->o = o;
	u->run = (unsigned)(now_us() & 0xffffff);
	u->cseq = (unsigned)(now_us() / 1000 & 0x3fffffff); /* grows from run to run: same Call-ID per user */
	snprintf(u->hostport, sizeof(u->hostport), "%s:%u", inet_ntoa(o->uac.sin_addr), ntohs(o->uac.sin_port));
	return u;
}

void uac_set_wire(struct uac *u, struct wire *wire)
{
	u->wire = wire;
}

void uac_free(struct uac *u)
{
	for (unsigned i = 0; i < u->o->count; i++) {
		free(u->calls[i].dialog);
		free(u->calls[i].challenge);
	}
	free(u->calls);
	free(u);
}

static unsigned index_of(const struct uac *u, const struct call *c)
{
	return (unsigned)(c - u->calls);
}

static void head(const struct uac *u, struct text *t, const struct call *c, const char *method, const char *uri, unsigned part)
{
	text_add(t, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKb%x.%x.%u\r\nMax-Forwards: 70\r\n", method, uri,
		 u->o->tcp ? "TCP" : "UDP", u->hostport, u->run, index_of(u, c), part);
}

static void register_text(const struct uac *u, const struct call *c, struct text *t)
{
	char uri[128], user[16], password[24];
	bool again = c->state == CREDENTIALS;

	snprintf(uri, sizeof(uri), "sip:%s", u->o->domain);
	snprintf(user, sizeof(user), "u%06u", c->user);
	snprintf(password, sizeof(password), "pw-%s", user);
	head(u, t, c, "REGISTER", uri, again ? 2 : 1);
	/* A phone keeps its Call-ID and counts CSeq up (RFC 3261 10.2.4). */
	text_add(t, "From: <sip:%s@%s>;tag=r%x\r\nTo: <sip:%s@%s>\r\nCall-ID: r-%s@%s\r\nCSeq: %u REGISTER\r\n", user,
		 u->o->domain, index_of(u, c), user, u->o->domain, user, u->o->domain,
		 u->cseq + index_of(u, c) / u->o->users * 2 + again);
	text_add(t, "Contact: <sip:%s@%s:%u%s>\r\nExpires: %u\r\nUser-Agent: Phone 1.0\r\n", user, inet_ntoa(u->o->uas.sin_addr),
		 ntohs(u->o->uas.sin_port), u->o->tcp ? ";transport=tcp" : "", u->o->expires_s);
	if (again) {
		text_digest(t, "Authorization", (struct span){ c->challenge, strlen(c->challenge) }, "REGISTER", uri, user,
			    password);
	}
	text_add(t, "Content-Length: 0\r\n\r\n");
}

static void request_text(const struct uac *u, const struct call *c, struct text *t, const char *method, const char *body)
{
	char uri[160];

	if (u->o->mode == MODE_OPTIONS) {
		snprintf(uri, sizeof(uri), "sip:%s", u->o->domain);
	} else {
		snprintf(uri, sizeof(uri), "sip:u%06u@%s", c->user, u->o->domain);
	}
	head(u, t, c, method, uri, 1);
	text_add(t, "From: <sip:bench@%s>;tag=c%x\r\nTo: <%s>\r\nCall-ID: b-%u-%u@%s\r\nCSeq: 1 %s\r\n", u->o->domain,
		 index_of(u, c), uri, index_of(u, c), u->run, u->o->domain, method);
	if (method[0] == 'I') {
		text_add(t, "Contact: <sip:bench@%s%s>\r\nContent-Type: application/sdp\r\n", u->hostport,
			 u->o->tcp ? ";transport=tcp" : "");
	} else if (body[0]) {
		text_add(t, "Content-Type: text/plain\r\n");
	}
	text_add(t, "User-Agent: Phone 1.0\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
}

/* dialog: "contact\nroute lines\nTo value". */
static void dialog_text(const struct uac *u, const struct call *c, struct text *t, const char *method, unsigned cseq, unsigned part)
{
	const char *contact = c->dialog, *to = strchr(contact, '\n') + 1, *routes = strchr(to, '\n') + 1;
	char uri[256];

	snprintf(uri, sizeof(uri), "%.*s", (int)(to - contact) - 1, contact);
	head(u, t, c, method, uri, part);
	text_add(t, "%sFrom: <sip:bench@%s>;tag=c%x\r\nTo: %.*s\r\nCall-ID: b-%u-%u@%s\r\nCSeq: %u %s\r\nContent-Length: 0\r\n\r\n",
		 routes, u->o->domain, index_of(u, c), (int)(routes - to) - 1, to, index_of(u, c), u->run, u->o->domain, cseq,
		 method);
}

static const char SDP[] = "v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
			  "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
			  "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

static void call_send(struct uac *u, struct call *c)
{
	char space[4000];
	struct text t = { space, 0, sizeof(space) };
	struct peer to = wire_to(u->wire, &u->o->server, index_of(u, c));

	if (c->state == ENDING) {
		dialog_text(u, c, &t, "BYE", 2, 3);
	} else if (u->o->mode == MODE_INVITE) {
		request_text(u, c, &t, "INVITE", SDP);
	} else if (u->o->mode == MODE_MESSAGE) {
		request_text(u, c, &t, "MESSAGE", "Watson, come here.");
	} else if (u->o->mode == MODE_OPTIONS) {
		request_text(u, c, &t, "OPTIONS", "");
	} else {
		register_text(u, c, &t);
	}
	wire_send(&to, t.p, t.n);
}

static void queue(struct uac *u, struct call *c)
{
	if (c->queued || u->o->tcp) {
		return;
	}
	c->queued = true;
	c->next = NULL;
	if (u->due_last) {
		u->due_last->next = c;
	} else {
		u->due_first = c;
	}
	u->due_last = c;
}

static void enter(struct uac *u, struct call *c, enum state state)
{
	c->state = (uint8_t)state;
	c->tries = 0;
	c->sent_us = now_us();
	c->due_us = c->sent_us + u->o->t1_ms * 1000;
	call_send(u, c);
	queue(u, c);
}

static void end(struct uac *u, struct call *c, bool ok)
{
	if (ok) {
		u->counts.ok++;
		hist_add(&u->latency, now_us() - c->start_us);
	} else {
		u->counts.failed++;
	}
	c->state = IDLE;
	u->counts.in_flight--;
	free(c->dialog);
	free(c->challenge);
	c->dialog = c->challenge = NULL;
}

void uac_start(struct uac *u, uint64_t now)
{
	unsigned i = (unsigned)u->counts.started++;
	struct call *c = &u->calls[i];

	/* Users in a scattered order, so that neighbours in memory are not neighbours in time. */
	c->user = u->o->first + (unsigned)((uint64_t)i * 2654435761u % u->o->users);
	if (u->o->mode == MODE_REGISTER) {
		c->user = u->o->first + i % u->o->users;
	}
	c->start_us = now;
	u->counts.in_flight++;
	enter(u, c, FIRST);
}

static char *span_dup(struct span s)
{
	return strndup(s.p, s.n);
}

static void on_invite_ok(struct uac *u, struct call *c, const struct scanned *s)
{
	char space[4000], routes[2000];
	struct text t = { space, 0, sizeof(space) }, r = { routes, 0, sizeof(routes) };
	struct span uri = s->contact;
	const char *a = uri.p ? memchr(uri.p, '<', uri.n) : NULL, *b = a ? memchr(a, '>', uri.n) : NULL;
	struct peer to = wire_to(u->wire, &u->o->server, index_of(u, c));

	if (!b) {
		u->counts.mismatch++;
		end(u, c, false);
		return;
	}
	routes[0] = 0;
	text_routes(&r, &s->record_routes);
	text_add(&t, "%.*s\n%.*s\n%s", (int)(b - a) - 1, a + 1, (int)s->to.n, s->to.p, routes);
	c->dialog = span_dup((struct span){ t.p, t.n });
	hist_add(&u->setup, now_us() - c->start_us);
	t.n = 0;
	dialog_text(u, c, &t, "ACK", 1, 2);
	wire_send(&to, t.p, t.n);
	enter(u, c, ENDING);
}

static void on_final(struct uac *u, struct call *c, const struct scanned *s)
{
	char tag[24];

	if (s->status == 401 && u->o->mode == MODE_DIGEST && c->state == FIRST && s->authenticate.p) {
		c->challenge = span_dup(s->authenticate);
		enter(u, c, CREDENTIALS);
		return;
	}
	if (s->status != 200) {
		end(u, c, false);
		return;
	}
	snprintf(tag, sizeof(tag), ";tag=s%u", index_of(u, c));
	bool forwarded = u->o->mode == MODE_INVITE || u->o->mode == MODE_MESSAGE;
	if (forwarded && !memmem(s->to.p, s->to.n, tag, strlen(tag))) {
		u->counts.mismatch++;
	}
	if (s->method == 'I') {
		on_invite_ok(u, c, s);
	} else {
		end(u, c, true);
	}
}

void uac_receive(void *arg, const char *p, size_t n, const struct peer *from)
{
	struct uac *u = arg;
	struct scanned s;

	(void)from;
	if (!scan(p, n, &s) || !s.status || s.run != u->run || s.call >= u->counts.started) {
		return;
	}
	struct call *c = &u->calls[s.call];
	bool bye = s.method == 'B';
	if (c->state == IDLE || bye != (c->state == ENDING)) {
		return; /* a retransmission */
	}
	if (s.status >= 200) {
		on_final(u, c, &s);
	} else if (c->state == FIRST && u->o->mode == MODE_INVITE) {
		c->state = CALLING; /* a provisional ends retransmission (RFC 3261 17.1.1.2) */
		c->due_us = c->start_us + (uint64_t)GIVE_UP * u->o->t1_ms * 1000;
	}
}

void uac_timers(struct uac *u, uint64_t now)
{
	while (u->due_first && (u->due_first->state == IDLE || u->due_first->due_us <= now)) {
		struct call *c = u->due_first;

		u->due_first = c->next;
		if (!u->due_first) {
			u->due_last = NULL;
		}
		c->queued = false;
		if (c->state == IDLE) {
			continue;
		}
		if (now - c->sent_us >= (uint64_t)GIVE_UP * u->o->t1_ms * 1000) {
			u->counts.timeouts++;
			end(u, c, false);
			continue;
		}
		if (c->state != CALLING) {
			c->tries++;
			u->counts.retransmissions++;
			call_send(u, c);
		}
		c->due_us = now + ((uint64_t)u->o->t1_ms << (c->tries < 3 ? c->tries : 3)) * 1000;
		queue(u, c);
	}
}

const struct uac_counts *uac_counts(const struct uac *u)
{
	return &u->counts;
}

const struct hist *uac_latency(const struct uac *u)
{
	return &u->latency;
}

const struct hist *uac_setup(const struct uac *u)
{
	return &u->setup;
}
