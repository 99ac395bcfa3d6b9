/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of one worker on a fake clock and a fake wire, all layers up to the modules, to test
 * modules in. Users are those of rig->users; subscribers, DNS and store are not linked in.
 */
#pragma once

#include "module/command.h"

#include "support/unit.h"

struct rig_user {
	const char *user, *domain, *password;
	bool priority;
};

struct rig {
	struct conf *conf;
	struct module_loader *loader;
	struct worker *w;
	struct fake_wire *wire;
	struct transport *tp;
	struct txn_layer *txns;
	struct loc_table *location;
	struct proxy *proxy;
	struct belfry_core *core;
	struct module_worker *mw;
	const struct rig_user *users; /* ends with NULL */
	struct sip_msg *last;         /* what was received last */
	struct arena arena;
};

struct rig_params {
	const struct belfry_module *const *modules; /* NULL at the end */
	const char *settings; /* sections of the configuration, besides listen and domains */
	const struct rig_user *users;
	bool is_async; /* the location answers later */
};

/* 0, or what failed (allocations). Domains are example.com and example.org; the server listens on
 * 192.0.2.1:5060, UDP and TCP. */
int rig_init(struct rig *rig, const struct rig_params *params);
void rig_fini(struct rig *rig);

/* A request to send; members left out have a default. */
struct rig_request {
	const char *method;  /* REGISTER */
	const char *uri;     /* sip:example.com */
	const char *from;    /* value without tag; that of @to */
	const char *to;      /* <sip:alice@example.com> */
	const char *call_id; /* c1 */
	uint32_t cseq;       /* 1 */
	const char *via;     /* sent-by and parameters: 192.0.2.50:5060 */
	const char *headers; /* lines */
	const char *ip;      /* source: 192.0.2.50 */
	uint16_t port;       /* 5060 */
	uint8_t proto;       /* UDP */
};
/* Sends it with a new branch and lets the server work. */
void rig_send(struct rig *rig, const struct rig_request *r);
/* Turns of the loop until nothing happens any more. */
void rig_settle(struct rig *rig);
/* The next message that was sent, NULL: none. Good until the next call. */
struct sip_msg *rig_next(struct rig *rig);
/* The status of the answer, 0: none; the response is rig->last. */
int rig_ask(struct rig *rig, const struct rig_request *r);
/* All values of a field of the last message, joined by "; " in the rig's arena. */
struct str rig_header(struct rig *rig, enum sip_hdr id);
/* The n-th field of that kind of the last message, empty: none. */
struct str rig_field(const struct rig *rig, enum sip_hdr id, int n);
void rig_advance(struct rig *rig, uint64_t ms);
/* Value of a counter. */
uint64_t rig_count(const struct rig *rig, const char *name, const char *labels);
