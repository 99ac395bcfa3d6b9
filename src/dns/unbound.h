/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to libunbound inside a worker's event base. One context per set of `dns` settings; a
 * context that has been replaced lives on until its last question is gone.
 */
#pragma once

#include "conf/conf.h"
#include "dns/rr.h"
#include "util/list.h"

#define DNS_QUESTIONS_MAX 16384U /* under way on a worker; more get BELFRY_EFULL */

struct event_base;
struct dns_ctx;

/* One question and its answer. */
struct dns_question;
/* Runs inside libunbound, or inside dns_ask_name() if the answer was there: notes that it is done,
 * no more. */
typedef void(dns_question_cb)(struct dns_question *question, void *arg);

struct dns_question {
	struct list node;
	struct dns_ctx *ctx;
	struct arena *arena; /* where the records go; NULL: nobody waits any more */
	dns_question_cb *cb;
	void *arg;
	bool is_done;
	int err; /* 0; BELFRY_ENXDOMAIN; BELFRY_ETIMEOUT: no good answer; -ENOMEM */
	uint16_t type;
	struct dns_rrs rrs;
};

/* -ENOMEM, or BELFRY_ECONF with *error_r (heap): a setting that libunbound does not take. Takes
 * over
 * @older (may be NULL) when it succeeds: no new questions to that one. */
int dns_ctx_new(struct event_base *base, const struct conf_dns *conf, struct dns_ctx *older,
                struct dns_ctx **ctx_r, char **error_r);
/* With the older ones. What is under way is not answered any more; answered questions have been
 * dropped. Not inside a callback. NULL is fine. */
void dns_ctx_free(struct dns_ctx *ctx);
/* Frees older ones without questions. Not inside a callback. */
void dns_ctx_sweep(struct dns_ctx *ctx);

/* Asks; @name without the last dot. 0: under way, or done already. BELFRY_EFULL, -ENOMEM. */
int dns_ask_name(struct dns_ctx *ctx, struct str name, uint16_t type, struct arena *arena,
                 dns_question_cb *cb, void *arg, struct dns_question **question_r);
/* The asker has no more interest in it, answered or not. NULL inside is fine. */
void dns_question_drop(struct dns_question **question);
