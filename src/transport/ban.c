/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are refused: one worker's copy, an open hash table by net_addr_source(). */
#include <errno.h>
#include <stdlib.h>

#include "transport/priv.h"
#include "util/err.h"

#define BANS_FIRST 64U
#define BANS_MAX   65536U /* places; no more than half of them are used */

struct ban {
	struct net_addr ip; /* family 0: free */
	uint64_t until_ms;
};

struct ban_table {
	size_t cap, n; /* cap: a power of two */
	struct ban *v;
};

static size_t place(const struct transport *tp, const struct ban_table *bans,
                    const struct net_addr *ip)
{
	const struct str text = str_make((const char *)ip->ip, sizeof(ip->ip));

	return (size_t)hash_str(tp->w->process_key, text) & (bans->cap - 1);
}

/* The ban of @ip's source, or the free place for it. */
static struct ban *find(const struct transport *tp, const struct ban_table *bans,
                        const struct net_addr *ip)
{
	const struct net_addr source = net_addr_source(ip);
	size_t i = place(tp, bans, &source);

	while (bans->v[i].ip.family && !net_addr_eq_ip(&bans->v[i].ip, &source)) {
		i = (i + 1) & (bans->cap - 1);
	}
	return &bans->v[i];
}

/* Puts those that still hold into a table of @cap places. */
static int rehash(struct transport *tp, size_t cap)
{
	struct ban_table *old = tp->bans, *bans = malloc(sizeof(*bans));

	if (!bans) {
		return -ENOMEM;
	}
	*bans = (struct ban_table){ .cap = cap, .v = calloc(cap, sizeof(*bans->v)) };
	if (!bans->v) {
		free(bans);
		return -ENOMEM;
	}
	for (size_t i = 0; old && i < old->cap; i++) {
		const struct ban *ban = &old->v[i];

		if (ban->ip.family && ban->until_ms > tp->w->clock.now_ms) {
			*find(tp, bans, &ban->ip) = *ban;
			bans->n++;
		}
	}
	tp_bans_free(tp);
	tp->bans = bans;
	return 0;
}

static int make_room(struct transport *tp)
{
	size_t cap = tp->bans ? tp->bans->cap : 0;
	int err = 0;

	if (cap == 0) {
		return rehash(tp, BANS_FIRST);
	}
	if (tp->bans->n < cap / 2) {
		return 0;
	}
	err = rehash(tp, cap); /* without those that have ended */
	if (err == 0 && tp->bans->n >= cap / 4) {
		err = cap < BANS_MAX ? rehash(tp, cap * 2) : 0;
	}
	if (err == 0 && tp->bans->n >= tp->bans->cap / 2) {
		err = BELFRY_EFULL;
	}
	return err;
}

int transport_ban_add(struct transport *tp, const struct net_addr *ip, uint64_t until_ms)
{
	int err = make_room(tp);
	struct ban *ban;

	if (err != 0) {
		return err;
	}
	ban = find(tp, tp->bans, ip);
	tp->bans->n += ban->ip.family == 0;
	*ban = (struct ban){ .ip = net_addr_source(ip), .until_ms = until_ms };
	streams_close_from(tp, &ban->ip);
	return 0;
}

bool tp_is_banned_slow(struct transport *tp, const struct net_addr *ip)
{
	const struct ban *ban = find(tp, tp->bans, ip);

	return ban->ip.family && ban->until_ms > tp->w->clock.now_ms;
}

/* It stays as one that has ended, until the table is made anew. */
void transport_ban_del(struct transport *tp, const struct net_addr *ip)
{
	struct ban *ban;

	if (tp->bans) {
		ban = find(tp, tp->bans, ip);
		ban->until_ms = 0;
	}
}

void tp_bans_free(struct transport *tp)
{
	if (tp->bans) {
		free(tp->bans->v);
		free(tp->bans);
		tp->bans = NULL;
	}
}

bool transport_is_banned(struct transport *tp, const struct net_addr *ip)
{
	return tp_is_banned(tp, ip);
}
