/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker on a fake clock, a fake wire and a transaction layer whose user writes down what it is
 * told: "request:INVITE", "cancelled", "server_end", "response:180", "failed:timeout",
 * "client_end", "stray:200". A test is a script of what arrives, what is called, what time passes
 * and what is then seen on the wire and in that log.
 *
 * Peers are at 192.0.2.11:5060 (upstream) and 192.0.2.22:5060 (downstream).
 */
#pragma once

#include "transaction/internal.h"

#include "support/unit.h"

struct rig {
	struct conf conf;
	struct worker *w;
	struct transport *tp;
	struct fake_wire *wire;
	struct txn_layer *l;
	struct net_addr up, down;
	char log[8192];
	size_t log_n;
	/* what the user was told last */
	struct sip_msg *req;
	struct tp_flow from;
	/* what the user has; cleared by server_end and client_end */
	struct txn_server *st;
	struct txn_client *ct;
	/* called by the user's callbacks when set */
	void (*on_response)(struct rig *rig, struct txn_client *ct, struct sip_msg *resp);
	void (*on_failed)(struct rig *rig, struct txn_client *ct, int err);
	void (*on_cancelled)(struct rig *rig, struct txn_server *st);
	void (*on_server_end)(struct rig *rig, struct txn_server *st);
};

/* 0 or -ENOMEM. */
int rig_init(struct rig *rig);
void rig_fini(struct rig *rig);
/* For tests without trouble about memory. */
struct rig *rig_new(void);
void rig_free(struct rig *rig);

/* The log since the last call is exactly @want (words with a space between). */
void rig_expect(struct rig *rig, const char *want);
/* The oldest message sent begins with @start; its text, valid until the next call. */
struct str rig_sent(struct rig *rig, const char *start);
/* Where that one went. */
struct tp_flow rig_sent_flow(const struct rig *rig);
void rig_nothing_sent(struct rig *rig);
/* How many there are that begin so; takes all. Others fail the test. */
unsigned rig_count_sent(struct rig *rig, const char *start);
void rig_pass(struct rig *rig, uint64_t ms);
void rig_turn(struct rig *rig);

/* A request from upstream: method, branch ("" for none), To parameters (";tag=x"), more lines. */
void rig_receive(struct rig *rig, uint8_t proto, const char *method, const char *branch,
                 const char *to_params, const char *lines);
/* Any text with \n for line ends, from an address. */
void rig_receive_text(struct rig *rig, uint8_t proto, const struct net_addr *from,
                      const char *text);
/* An INVITE (or other request) that arrives and is accepted: rig->st. */
void rig_server(struct rig *rig, uint8_t proto, const char *method);
/* The request that arrived last is accepted; with a To tag, or for help, it is preferred. */
int rig_server_new(struct rig *rig, struct txn_server **st_r);
void rig_reply(struct rig *rig, int code);
/* A response of the downstream peer's to what upstream asked, forwarded to rig->st. */
int rig_forward(struct rig *rig, int code, const char *to_tag);

/* A client transaction towards downstream: rig->ct. 0, or why it failed. */
int rig_client(struct rig *rig, uint8_t proto, const char *method);
int rig_client_wait(struct rig *rig, uint8_t proto, const char *method, uint32_t wait_ms);
/* A response of downstream's to rig->ct; @method of CSeq, NULL: the request's. */
void rig_respond(struct rig *rig, uint8_t proto, int code, const char *method);
/* The same by a branch kept from before. */
void rig_respond_to(struct rig *rig, uint8_t proto, const char *branch, int code,
                    const char *method, const char *to_tag);
