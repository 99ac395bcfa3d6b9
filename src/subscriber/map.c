/* SPDX-License-Identifier: Apache-2.0 */
#include "subscriber/map.h"

#include <errno.h>
#include <stdlib.h>

#include "util/err.h"

#define CAP_FIRST 8

static const size_t hash_len[SUB_HASH_N] = { 16, 32, 32 };

/* --- entries --- */

static size_t hashes_len(unsigned has)
{
	size_t n = 0;

	for (unsigned i = 0; i < SUB_HASH_N; i++) {
		n += has >> i & 1 ? hash_len[i] : 0;
	}
	return n;
}

static const unsigned char *data_of(const struct sub_entry *e)
{
	return (const unsigned char *)(e + 1);
}

struct str sub_entry_user(const struct sub_entry *e)
{
	return str_make((const char *)data_of(e) + hashes_len(e->has), e->user_n);
}

struct str sub_entry_domain(const struct sub_entry *e)
{
	return str_make((const char *)data_of(e) + hashes_len(e->has) + e->user_n, e->domain_n);
}

static struct sub_entry *entry_new(const struct sub_user *u, uint64_t hash)
{
	unsigned has = 0;
	struct sub_entry *e;
	unsigned char *p;

	for (unsigned i = 0; i < SUB_HASH_N; i++) {
		has |= (unsigned)u->sub.has[i] << i;
	}
	e = malloc(sizeof(*e) + hashes_len(has) + u->user.n + u->domain.n);
	if (!e) {
		return NULL;
	}
	e->hash = hash;
	e->created = u->created;
	e->user_n = (uint16_t)u->user.n;
	e->domain_n = (uint16_t)u->domain.n;
	e->has = (uint8_t)has;
	e->priority = u->sub.priority;
	p = (unsigned char *)(e + 1);
	for (unsigned i = 0; i < SUB_HASH_N; i++) {
		if (u->sub.has[i]) {
			memcpy(p, u->sub.ha1[i], hash_len[i]);
			p += hash_len[i];
		}
	}
	if (u->user.n) {
		memcpy(p, u->user.p, u->user.n);
	}
	for (size_t i = 0; i < u->domain.n; i++) {
		p[u->user.n + i] = ascii_lower((unsigned char)u->domain.p[i]);
	}
	return e;
}

static void entry_free(struct sub_entry *e)
{
	if (e) {
		explicit_bzero(e + 1, hashes_len(e->has));
		free(e);
	}
}

static void entry_get(const struct sub_entry *e, struct subscriber *sub_r)
{
	const unsigned char *p = data_of(e);

	*sub_r = (struct subscriber){ .priority = e->priority };
	for (unsigned i = 0; i < SUB_HASH_N; i++) {
		sub_r->has[i] = e->has >> i & 1;
		if (sub_r->has[i]) {
			memcpy(sub_r->ha1[i], p, hash_len[i]);
			p += hash_len[i];
		}
	}
}

/* --- shards --- */

void sub_map_init(struct sub_map *m, const struct hash_key *key)
{
	m->key = *key;
	for (unsigned i = 0; i < SUB_SHARDS; i++) {
		m->shards[i] = (struct sub_shard){ 0 };
		pthread_mutex_init(&m->shards[i].lock, NULL);
	}
}

void sub_map_fini(struct sub_map *m)
{
	for (unsigned i = 0; i < SUB_SHARDS; i++) {
		struct sub_shard *sh = &m->shards[i];

		for (size_t k = 0; k < sh->cap; k++) {
			entry_free(sh->slots[k]);
		}
		free(sh->slots);
		pthread_mutex_destroy(&sh->lock);
	}
}

static uint64_t hash_of(const struct sub_map *m, struct str user, struct str domain)
{
	return hash_str(&m->key, user) ^ hash_name(domain);
}

static struct sub_shard *shard_of(struct sub_map *m, uint64_t hash)
{
	return &m->shards[hash % SUB_SHARDS];
}

static bool is_entry(const struct sub_entry *e, uint64_t hash, struct str user, struct str domain)
{
	return e->hash == hash && str_eq(sub_entry_user(e), user) &&
	       str_eq_nocase(sub_entry_domain(e), domain);
}

/* The user's slot, or the empty one where it belongs; NULL without slots. */
static struct sub_entry **probe(const struct sub_shard *sh, uint64_t hash, struct str user,
                                struct str domain)
{
	if (sh->cap == 0) {
		return NULL;
	}
	for (size_t i = hash / SUB_SHARDS % sh->cap;; i = (i + 1) % sh->cap) {
		if (!sh->slots[i] || is_entry(sh->slots[i], hash, user, domain)) {
			return &sh->slots[i];
		}
	}
}

bool sub_map_find(struct sub_map *m, struct str user, struct str domain, struct subscriber *sub_r,
                  int64_t *created_r)
{
	/* Copied for who does not exist, so that it takes as long. */
	static const struct {
		struct sub_entry e;
		unsigned char data[16 + 32];
	} nobody = { .e = { .has = 1U << SUB_MD5 | 1U << SUB_SHA256 } };
	uint64_t hash = hash_of(m, user, domain);
	struct sub_shard *sh = shard_of(m, hash);
	struct sub_entry **slot;
	bool found;

	pthread_mutex_lock(&sh->lock);
	slot = probe(sh, hash, user, domain);
	found = slot && *slot;
	entry_get(found ? *slot : &nobody.e, sub_r);
	*created_r = found ? (*slot)->created : 0;
	pthread_mutex_unlock(&sh->lock);
	return found;
}

size_t sub_map_n(const struct sub_map *m)
{
	size_t n = 0;

	for (unsigned i = 0; i < SUB_SHARDS; i++) {
		struct sub_shard *sh = (struct sub_shard *)(uintptr_t)&m->shards[i];

		pthread_mutex_lock(&sh->lock);
		n += sh->n;
		pthread_mutex_unlock(&sh->lock);
	}
	return n;
}

/* Fills a bigger array beside the old one; the lock is held for the change of pointers only. */
static int grow(struct sub_shard *sh)
{
	size_t cap = sh->cap ? sh->cap * 2 : CAP_FIRST;
	struct sub_entry **slots = calloc(cap, sizeof(struct sub_entry *)), **old = sh->slots;

	if (!slots) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < sh->cap; i++) {
		size_t k;

		if (!old[i]) {
			continue;
		}
		for (k = old[i]->hash / SUB_SHARDS % cap; slots[k]; k = (k + 1) % cap) {
		}
		slots[k] = old[i];
	}
	pthread_mutex_lock(&sh->lock);
	sh->slots = slots;
	sh->cap = cap;
	pthread_mutex_unlock(&sh->lock);
	free(old);
	return 0;
}

int sub_map_set(struct sub_map *m, const struct sub_user *u)
{
	uint64_t hash = hash_of(m, u->user, u->domain);
	struct sub_shard *sh = shard_of(m, hash);
	struct sub_entry *e, *old, **slot;

	if (u->user.n > UINT16_MAX || u->domain.n > UINT16_MAX) {
		return BELFRY_ETOOBIG;
	}
	e = entry_new(u, hash);
	if (!e || ((sh->n + 1) * 4 > sh->cap * 3 && grow(sh))) {
		entry_free(e);
		return -ENOMEM;
	}
	pthread_mutex_lock(&sh->lock);
	slot = probe(sh, hash, u->user, u->domain);
	old = *slot;
	sh->n += old == NULL;
	*slot = e;
	pthread_mutex_unlock(&sh->lock);
	entry_free(old);
	return 0;
}

/* Closes the gap at @i by moving back what was displaced over it. */
static void gap_close(struct sub_shard *sh, size_t i)
{
	for (size_t j = (i + 1) % sh->cap; sh->slots[j]; j = (j + 1) % sh->cap) {
		size_t home = sh->slots[j]->hash / SUB_SHARDS % sh->cap;

		if (i <= j ? (i < home && home <= j) : (i < home || home <= j)) {
			continue;
		}
		sh->slots[i] = sh->slots[j];
		i = j;
	}
	sh->slots[i] = NULL;
}

bool sub_map_del(struct sub_map *m, struct str user, struct str domain)
{
	uint64_t hash = hash_of(m, user, domain);
	struct sub_shard *sh = shard_of(m, hash);
	struct sub_entry **slot, *old = NULL;

	pthread_mutex_lock(&sh->lock);
	slot = probe(sh, hash, user, domain);
	if (slot && *slot) {
		old = *slot;
		gap_close(sh, (size_t)(slot - sh->slots));
		sh->n--;
	}
	pthread_mutex_unlock(&sh->lock);
	entry_free(old);
	return old != NULL;
}

void sub_map_swap(struct sub_map *m, struct sub_map *other)
{
	for (unsigned i = 0; i < SUB_SHARDS; i++) {
		struct sub_shard *a = &m->shards[i], *b = &other->shards[i];
		struct sub_entry **slots = b->slots;
		size_t cap = b->cap, n = b->n;

		pthread_mutex_lock(&a->lock);
		b->slots = a->slots;
		b->cap = a->cap;
		b->n = a->n;
		a->slots = slots;
		a->cap = cap;
		a->n = n;
		pthread_mutex_unlock(&a->lock);
	}
}

int sub_map_carry(struct sub_map *from, struct sub_map *to, struct str user, struct str domain)
{
	uint64_t hash = hash_of(from, user, domain);
	struct sub_entry **slot = probe(shard_of(from, hash), hash, user, domain);
	struct sub_user u = { .user = user, .domain = domain };

	if (!slot || !*slot) {
		sub_map_del(to, user, domain);
		return 0;
	}
	entry_get(*slot, &u.sub);
	u.created = (*slot)->created;
	return sub_map_set(to, &u);
}

int sub_map_each(struct sub_map *m, sub_entry_cb *cb, void *arg)
{
	int err = 0;

	for (unsigned i = 0; i < SUB_SHARDS && !err; i++) {
		struct sub_shard *sh = &m->shards[i];

		pthread_mutex_lock(&sh->lock);
		for (size_t k = 0; k < sh->cap && !err; k++) {
			if (sh->slots[k]) {
				err = cb(arg, sh->slots[k]);
			}
		}
		pthread_mutex_unlock(&sh->lock);
	}
	return err;
}
