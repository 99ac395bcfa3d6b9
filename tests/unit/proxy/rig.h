/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker on a fake clock with a proxy on a fake wire, bindings in memory and a DNS that knows
 * what a test tells it. A test is a script: a request arrives, this is seen on the wire, that is
 * answered, time passes.
 *
 * The server is proxy.example.com, at 192.0.2.1:5060 by UDP and TCP and at [2001:db8::1]:5060; its
 * domain is example.com. Callers are at 192.0.2.50 unless told otherwise.
 */
#pragma once

#include "proxy/core.h"

#include "support/unit.h"

#include <stdio.h>

#define ALICE "192.0.2.50"

struct sent { /* a message as it left */
	char *text;
	size_t n;
	struct tp_flow flow;
	char to[NET_ADDR_TEXT]; /* "192.0.2.60:5060" */
};

struct rig_name { /* what the DNS knows */
	const char *name;
	int err; /* instead of an answer */
	const char *addr[4];
	uint8_t proto[4];
	bool later; /* answers when told */
};

struct rig {
	struct conf *conf;
	struct worker *w;
	struct transport *tp;
	struct fake_wire *wire;
	struct txn_layer *txns;
	struct loc_table *loc;
	struct proxy *p;
	struct sent sent[256];
	size_t sent_n;
	unsigned branch; /* of the last request */
	struct rig_name names[8];
	size_t names_n;
	struct dns_query *query; /* one that waits */
	char marked[256];        /* "failed 192.0.2.70:5060/udp/0 good ..." */
	const char *users[4];    /* known subscribers; none: nobody is asked */
	int bound;
	struct hook_table hooks;
	struct hook_entry entries[4];
};

/* @settings is added to a configuration that stands; NULL: nothing. rig_new_async: look-ups answer
 * on the next turn. rig_init: for scenarios without memory; 0 or an error. */
struct rig *rig_new(const char *settings);
struct rig *rig_new_async(const char *settings);
int rig_init(struct rig *rig, const char *settings, bool async);
void rig_fini(struct rig *rig);
void rig_free(struct rig *rig);

/* A binding: @params are header parameters (";q=0.5;+sip.instance=\"<urn:x>\";reg-id=1"). */
void rig_bind(struct rig *rig, const char *aor, const char *contact, const char *params);
/* The same by the flow from @ip:5060 or with a Path. */
void rig_bind_flow(struct rig *rig, const char *aor, const char *contact, const char *params,
                   uint8_t proto, const char *ip);
void rig_bind_path(struct rig *rig, const char *aor, const char *contact, const char *path);
/* As registered from there, "udp:192.0.2.60:5060". */
void rig_bind_from(struct rig *rig, const char *aor, const char *contact, const char *received);
size_t rig_bindings(struct rig *rig, const char *aor); /* usable ones */

struct ask {
	const char *method; /* INVITE */
	const char *uri;    /* sip:bob@example.com */
	const char *ip;     /* ALICE */
	uint8_t proto;
	const char *lines;             /* more header lines, each with \n */
	const char *from;              /* <sip:alice@example.net> */
	const char *to;                /* <sip:bob@example.com> */
	const char *from_tag, *to_tag; /* "a", none; "-": no From tag */
	const char *call_id, *branch, *body;
	const char *vias; /* below the top one, lines */
	int max_forwards; /* 0: 70; -1: none; -2: 0 */
	unsigned cseq;    /* 0: 1 */
	bool again;       /* with the branch of the one before */
};
void rig_ask_with(struct rig *rig, const struct ask *ask);
#define rig_ask(rig, ...) rig_ask_with((rig), &(struct ask){ __VA_ARGS__ })
void rig_receive(struct rig *rig, const char *text, uint8_t proto, const char *ip, uint16_t port);

/* The oldest message that left and has not been looked at; it begins with @start. */
const struct sent *rig_sent(struct rig *rig, const char *start);
void rig_nothing(struct rig *rig);
void rig_skip(struct rig *rig); /* all that left */
void rig_pass(struct rig *rig, uint64_t ms);
/* An answer to what was sent, from where it went; @tag of To, NULL: "t"; @lines with \n. */
void rig_answer(struct rig *rig, const struct sent *req, int code, const char *tag,
                const char *lines);
/* Sends it and sees the answer @code to it: for requests that are refused. */
const struct sent *rig_refused(struct rig *rig, const struct ask *ask, const char *status);
#define rig_refuses(rig, status, ...) rig_refused((rig), &(struct ask){ __VA_ARGS__ }, (status))
/* INVITE, forwarded to @n branches (got[]), and 100. */
void rig_call(struct rig *rig, const struct ask *ask, const struct sent **got, size_t n);

/* Value of the @k-th field called @name (from 0), NULL if there is none; in a buffer of its own. */
const char *rig_hdr(const struct sent *m, const char *name, unsigned k);
unsigned rig_hdr_n(const struct sent *m, const char *name);
bool rig_has(const struct sent *m, const char *part);
#define ck_assert_hdr(m, name, want) ck_assert_pstr_eq(rig_hdr((m), (name), 0), (want))

/* DNS. */
void rig_name(struct rig *rig, const struct rig_name *name);
void rig_dns_answer(struct rig *rig); /* the one that waits */

/* A hook of the tests, at the only place of its point. */
void rig_hook(struct rig *rig, enum belfry_hook_point point, union belfry_hook_fn fn);

uint64_t rig_counter(struct rig *rig, int id);
