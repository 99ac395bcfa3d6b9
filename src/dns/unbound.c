/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/unbound.h"

#include "dns/resolve.h"
#include "util/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unbound.h>
#include <unistd.h>

#include <unbound-event.h>

#define CLASS_IN 1

struct dns_ctx {
	struct dns_ctx *older; /* of the settings before */
	struct ub_ctx *ub;
	struct list questions; /* under way */
	size_t questions_n;    /* those and the answered ones */
	bool is_strict;        /* only what DNSSEC has proved */
};

/* Where Debian has the root's key (dns-root-data). */
static const char root_key[] = "/usr/share/dns/root.key";

struct option {
	const char *name, *value;
};

/* For every context. Names of special use that networks do use are asked of the servers
 * (RFC 6761, RFC 8375); localhost., invalid. and onion. stay what they are. */
static const struct option common[] = {
	{ "do-not-query-localhost:", "no" },
	{ "local-zone:", "test. transparent" },
	{ "local-zone:", "home.arpa. transparent" },
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "4096" },
	{ "msg-cache-size:", "4m" },
	{ "rrset-cache-size:", "8m" },
	{ "edns-buffer-size:", "1232" },
	{ "rrset-roundrobin:", "no" },
	{ "use-syslog:", "no" },
};

static const struct option unsigned_only[] = {
	{ "module-config:", "iterator" },
};

/* What nobody can have signed is asked all the same. */
static const struct option validating[] = {
	{ "module-config:", "validator iterator" },
	{ "domain-insecure:", "test." },
	{ "domain-insecure:", "home.arpa." },
};

static int fail(char **error_r, const char *what, const char *value, int ub_err)
{
	char text[512];

	snprintf(text, sizeof(text), "dns: libunbound does not take %s %s: %s", what, value,
	         ub_strerror(ub_err));
	*error_r = str_dup(str_from(text));
	return BELFRY_ECONF;
}

static int options_set(struct ub_ctx *ub, const struct option *v, size_t n, char **error_r)
{
	for (size_t i = 0; i < n; i++) {
		int err = ub_ctx_set_option(ub, v[i].name, v[i].value);

		if (err) {
			return fail(error_r, v[i].name, v[i].value, err);
		}
	}
	return 0;
}

int dns_settings_check(const struct conf *conf, char **error_r)
{
	int err = conf->dns.dnssec && access(root_key, R_OK) ? -errno : 0;

	*error_r = NULL;
	if (err && asprintf(error_r,
	                    "dns.dnssec: cannot read the root's key %s: %s; install the package "
	                    "dns-root-data, or say \"off\"",
	                    root_key, belfry_strerror(err)) < 0) {
		*error_r = NULL;
	}
	return err;
}

static int anchors_set(struct ub_ctx *ub, char **error_r)
{
	int err = ub_ctx_add_ta_file(ub, root_key);

	return err ? fail(error_r, "trust anchors", root_key, err) : 0;
}

static int servers_set(struct ub_ctx *ub, const struct str_list *servers, char **error_r)
{
	char text[128];

	if (servers->n == 0) {
		/* Without a readable file it asks the root servers itself. */
		ub_ctx_resolvconf(ub, NULL);
		ub_ctx_hosts(ub, NULL);
		return 0;
	}
	for (size_t i = 0; i < servers->n; i++) {
		int err;

		snprintf(text, sizeof(text), "%.*s", STR_FMT(servers->v[i]));
		err = ub_ctx_set_fwd(ub, text);
		if (err) {
			return fail(error_r, "the name server", text, err);
		}
	}
	return 0;
}

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

static int configure(struct ub_ctx *ub, const struct conf_dns *conf, char **error_r)
{
	int err = options_set(ub, common, COUNT(common), error_r);

	if (err == 0 && conf->dnssec) {
		err = options_set(ub, validating, COUNT(validating), error_r);
		err = err ? err : anchors_set(ub, error_r);
	} else if (err == 0) {
		err = options_set(ub, unsigned_only, COUNT(unsigned_only), error_r);
	}
	return err ? err : servers_set(ub, &conf->nameservers, error_r);
}

int dns_ctx_new(struct event_base *base, const struct conf_dns *conf, struct dns_ctx *older,
                struct dns_ctx **ctx_r, char **error_r)
{
	struct dns_ctx *ctx = calloc(1, sizeof(*ctx));
	int err;

	*error_r = NULL;
	if (!ctx) {
		return -ENOMEM;
	}
	list_init(&ctx->questions);
	ctx->is_strict = conf->dnssec == 2;
	ctx->ub = ub_ctx_create_event(base);
	if (!ctx->ub) {
		free(ctx);
		return -ENOMEM;
	}
	ub_ctx_debugout(ctx->ub, NULL); /* what it has to say goes nowhere */
	err = configure(ctx->ub, conf, error_r);
	if (err) {
		dns_ctx_free(ctx);
		return err;
	}
	ctx->older = older;
	*ctx_r = ctx;
	return 0;
}

static void ctx_free_one(struct dns_ctx *ctx)
{
	ub_ctx_delete(ctx->ub);
	list_for_each_safe(it, tmp, &ctx->questions)
	{
		free(container_of(it, struct dns_question, node));
	}
	free(ctx);
}

void dns_ctx_free(struct dns_ctx *ctx)
{
	while (ctx) {
		struct dns_ctx *older = ctx->older;

		ctx_free_one(ctx);
		ctx = older;
	}
}

void dns_ctx_sweep(struct dns_ctx *ctx)
{
	struct dns_ctx **p = &ctx->older;

	while (*p) {
		struct dns_ctx *older = *p;

		if (older->questions_n) {
			p = &older->older;
		} else {
			*p = older->older;
			ctx_free_one(older);
		}
	}
}

/* --- questions ---------------------------------------------------------------------------------
 */

static int judge(const struct dns_ctx *ctx, struct dns_question *question, int rcode,
                 struct str packet, int sec)
{
	int err;

	if (rcode != DNS_NOERROR || !packet.p) {
		return rcode == DNS_NXDOMAIN ? BELFRY_ENXDOMAIN : BELFRY_ETIMEOUT;
	}
	/* 1: DNSSEC says it is forged; 2: proved. */
	if (sec == 1 || (ctx->is_strict && sec != 2)) {
		return BELFRY_ETIMEOUT;
	}
	err = dns_rrs_parse(packet, question->type, question->arena, &question->rrs);
	if (err) {
		question->rrs.n = 0;
		return err == -ENOMEM ? err : BELFRY_ETIMEOUT;
	}
	if (question->rrs.rcode == DNS_NXDOMAIN) {
		return BELFRY_ENXDOMAIN;
	}
	return question->rrs.rcode == DNS_NOERROR ? 0 : BELFRY_ETIMEOUT;
}

static void question_free(struct dns_question *question)
{
	question->ctx->questions_n--;
	list_del(&question->node);
	free(question);
}

static void answered(void *arg, int rcode, void *packet, int packet_n, int sec, char *why_bogus,
                     int was_ratelimited)
{
	struct dns_question *question = arg;
	struct dns_ctx *ctx = question->ctx;

	(void)why_bogus;
	(void)was_ratelimited;
	question->is_done = true;
	list_del(&question->node);
	if (!question->arena) {
		question_free(question);
		return;
	}
	question->err = judge(ctx, question, rcode,
	                      str_make(packet, packet_n > 0 ? (size_t)packet_n : 0), sec);
	question->cb(question, question->arg);
}

int dns_ask_name(struct dns_ctx *ctx, struct str name, uint16_t type, struct arena *arena,
                 dns_question_cb *cb, void *arg, struct dns_question **question_r)
{
	struct dns_question *question;
	char text[DNS_NAME_MAX + 2];
	int err;

	if (ctx->questions_n >= DNS_QUESTIONS_MAX) {
		return BELFRY_EFULL;
	}
	question = calloc(1, sizeof(*question));
	if (!question) {
		return -ENOMEM;
	}
	*question = (struct dns_question){
		.ctx = ctx, .arena = arena, .cb = cb, .arg = arg, .type = type
	};
	snprintf(text, sizeof(text), "%.*s", STR_FMT(name));
	list_append(&ctx->questions, &question->node);
	ctx->questions_n++;
	*question_r = question;
	err = ub_resolve_event(ctx->ub, text, type, CLASS_IN, question, answered, NULL);
	if (err) {
		question_free(question);
		*question_r = NULL;
		return err == UB_NOMEM ? -ENOMEM : BELFRY_ENOENT;
	}
	return 0;
}

void dns_question_drop(struct dns_question **question)
{
	struct dns_question *q = *question;

	*question = NULL;
	if (!q) {
		return;
	}
	if (q->is_done) {
		question_free(q);
	} else {
		q->arena = NULL; /* freed when it is answered */
	}
}
