/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/guard.h"

#include "util/sbuf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define SOURCES_MAX 65536 /* addresses remembered; the one longest quiet is forgotten first */

struct failures {
	uint64_t since_ms;
	uint32_t n;
};

struct ban {
	uint64_t until_ms;
};

int guard_init(struct guard *g, struct belfry_core *core)
{
	g->failures = belfry_shared_new(core, BELFRY_IP_TEXT, sizeof(struct failures), SOURCES_MAX);
	g->bans = belfry_shared_new(core, BELFRY_IP_TEXT, sizeof(struct ban), SOURCES_MAX);
	return g->failures && g->bans ? 0 : -ENOMEM;
}

/* Of IPv6 the first address of the network (64 bits): one host can have any number of the others.
 * What is no such address, or a link-local one, stays. */
static struct str source_of(struct str ip, char space[BELFRY_IP_TEXT])
{
	struct in6_addr in6;

	if (ip.n == 0 || ip.n >= BELFRY_IP_TEXT || !memchr(ip.p, ':', ip.n)) {
		return ip;
	}
	memcpy(space, ip.p, ip.n);
	space[ip.n] = '\0';
	if (inet_pton(AF_INET6, space, &in6) != 1 || IN6_IS_ADDR_LINKLOCAL(&in6)) {
		return ip;
	}
	memset(&in6.s6_addr[8], 0, 8);
	return inet_ntop(AF_INET6, &in6, space, BELFRY_IP_TEXT) ? str_from(space) : ip;
}

struct attempt {
	uint64_t now_ms;
	uint32_t ban_time_ms;
	uint32_t max;
};

/* 1: that was one too many; counting begins anew. */
static int count_failure(const struct belfry_shared_look *look, void *arg)
{
	const struct attempt *a = arg;
	struct failures *f = look->value;

	if (look->is_new || a->now_ms - f->since_ms >= a->ban_time_ms) {
		*f = (struct failures){ .since_ms = a->now_ms };
	}
	f->n++;
	if (f->n < a->max) {
		return 0;
	}
	*f = (struct failures){ .since_ms = a->now_ms };
	return 1;
}

static int note_ban(const struct belfry_shared_look *look, void *arg)
{
	const struct attempt *a = arg;
	struct ban *ban = look->value;

	ban->until_ms = a->now_ms + a->ban_time_ms;
	return 0;
}

bool guard_failure(struct guard *g, struct belfry_mod *mod, struct str ip, int max, int ban_time_s)
{
	struct attempt a = {
		.now_ms = belfry_now_ms(mod),
		.ban_time_ms = (uint32_t)ban_time_s * 1000,
		.max = (uint32_t)max,
	};
	char space[BELFRY_IP_TEXT];

	ip = source_of(ip, space);
	if (max == 0 || ban_time_s == 0 ||
	    belfry_shared_with(g->failures, ip, a.now_ms, a.ban_time_ms, count_failure, &a) != 1) {
		return false;
	}
	belfry_ban(mod, ip, (uint32_t)ban_time_s);
	belfry_shared_with(g->bans, ip, a.now_ms, a.ban_time_ms, note_ban, &a);
	log_notice("auth.banned", LOG_S("source", ip), LOG_I("failures", max),
	           LOG_I("seconds", ban_time_s));
	return true;
}

/* --- commands --- */

struct listing {
	struct sbuf json;
	uint64_t now_ms;
};

#define BAN_JSON_MAX (BELFRY_IP_TEXT + 64) /* bytes of one entry */

static bool list_one(struct str ip, const void *value, void *arg)
{
	const struct ban *ban = value;
	struct listing *l = arg;
	uint64_t left_ms = ban->until_ms - l->now_ms;

	if (ban->until_ms <= l->now_ms) {
		return true;
	}
	if (l->json.cap - l->json.n < 2 * BAN_JSON_MAX) {
		char *more = realloc(l->json.p, l->json.cap * 2);

		if (!more) {
			return false;
		}
		l->json.p = more;
		l->json.cap *= 2;
	}
	sbuf_printf(&l->json, "%s{\"address\": \"%.*s\", \"expires\": %u}",
	            l->json.p[l->json.n - 1] == '[' ? "" : ", ", STR_FMT(ip),
	            (unsigned)((left_ms + 999) / 1000));
	return true;
}

void guard_list(struct belfry_call *call, struct belfry_core *core, void *data)
{
	struct guard *g = data;
	struct listing l = { .now_ms = belfry_core_now_ms(core) };
	const size_t cap = 4 * BAN_JSON_MAX;
	char *space = malloc(cap);

	if (!space) {
		belfry_command_fail(call, "out of memory");
		return;
	}
	sbuf_init(&l.json, space, cap);
	sbuf_add(&l.json, STR("{\"bans\": ["));
	belfry_shared_each(g->bans, l.now_ms, list_one, &l);
	sbuf_add(&l.json, STR("]}"));
	belfry_command_reply(call, sbuf_str(&l.json));
	free(l.json.p);
}

void guard_del(struct belfry_call *call, struct belfry_core *core, void *data)
{
	struct guard *g = data;
	char space[BELFRY_IP_TEXT];
	struct str ip = source_of(belfry_command_param(call, "address"), space);

	belfry_shared_del(g->failures, ip);
	if (!belfry_shared_del(g->bans, ip)) {
		belfry_command_fail(call, "no such ban; see `belfryctl ban list`");
		return;
	}
	belfry_unban(core, ip);
	belfry_command_reply(call, STR("{}"));
}
