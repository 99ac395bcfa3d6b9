/* SPDX-License-Identifier: Apache-2.0 */
/*
 * belfry_shared_*: a hash table per shard, each under its own lock. Entries lie in chunks, are
 * named by number and hang in a list from the one touched last to the one touched longest ago.
 */
#include "module/shared.h"

#include "util/random.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define SHARDS      64
#define ONE_SHARD   4096 /* entries: below this limit a single shard holds them all */
#define CHUNK       64   /* entries allocated at once */
#define BUCKETS_MIN 64
#define NONE        UINT32_MAX

struct entry {
	uint32_t next; /* same bucket; free list */
	uint32_t newer, older;
	uint32_t hash;
	uint64_t touched_ms;
	uint32_t ttl_ms;
	uint16_t key_n;
	_Alignas(8) char data[]; /* value, key */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	uint32_t *buckets;
	uint32_t buckets_n; /* a power of two, or 0 */
	uint32_t n;
	char **chunks;
	uint32_t chunks_n;
	uint32_t free;
	uint32_t newest, oldest;
	uint64_t evicted_ms;
};

struct belfry_shared {
	struct belfry_shared *next;
	struct hash_key key;
	size_t key_max, value_size, value_space, entry_size;
	uint32_t shard_limit, shards_n;
	struct shard shards[SHARDS];
};

static size_t round_up(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static struct entry *entry_at(const struct belfry_shared *t, const struct shard *s, uint32_t i)
{
	return (struct entry *)(void *)(s->chunks[i / CHUNK] + (size_t)(i % CHUNK) * t->entry_size);
}

static struct str entry_key(const struct belfry_shared *t, const struct entry *e)
{
	return str_make(e->data + t->value_space, e->key_n);
}

static bool is_expired(const struct entry *e, uint64_t now_ms)
{
	return now_ms > e->touched_ms && now_ms - e->touched_ms >= e->ttl_ms;
}

struct belfry_shared *shared_new(size_t key_max, size_t value_size, size_t limit)
{
	struct belfry_shared *t = NULL;

	assert(key_max > 0 && key_max <= UINT16_MAX && limit > 0 && limit < NONE);
	if (posix_memalign((void **)&t, 64, sizeof(*t)) != 0) {
		return NULL;
	}
	memset(t, 0, sizeof(*t));
	random_key(&t->key, sizeof(t->key));
	t->key_max = key_max;
	t->value_size = value_size;
	t->value_space = round_up(value_size);
	t->entry_size = round_up(sizeof(struct entry) + t->value_space + key_max);
	t->shards_n = limit < ONE_SHARD ? 1 : SHARDS;
	t->shard_limit = (uint32_t)(limit / t->shards_n);
	for (uint32_t i = 0; i < t->shards_n; i++) {
		struct shard *s = &t->shards[i];

		pthread_mutex_init(&s->lock, NULL);
		s->free = s->newest = s->oldest = NONE;
	}
	return t;
}

static void shard_fini(struct shard *s)
{
	for (uint32_t i = 0; i < s->chunks_n; i++) {
		free(s->chunks[i]);
	}
	free(s->chunks);
	free(s->buckets);
	pthread_mutex_destroy(&s->lock);
}

void shared_free_all(struct belfry_shared **list)
{
	while (*list) {
		struct belfry_shared *t = *list;

		*list = t->next;
		for (uint32_t i = 0; i < t->shards_n; i++) {
			shard_fini(&t->shards[i]);
		}
		free(t);
	}
}

void shared_link(struct belfry_shared **list, struct belfry_shared *t)
{
	t->next = *list;
	*list = t;
}

static int grow_chunks(const struct belfry_shared *t, struct shard *s)
{
	uint32_t first = s->chunks_n * CHUNK;
	char **chunks = reallocarray(s->chunks, s->chunks_n + 1, sizeof(*chunks));
	char *chunk;

	if (!chunks) {
		return -ENOMEM;
	}
	s->chunks = chunks;
	chunk = calloc(CHUNK, t->entry_size);
	if (!chunk) {
		return -ENOMEM;
	}
	chunks[s->chunks_n++] = chunk;
	for (uint32_t i = 0; i < CHUNK; i++) {
		entry_at(t, s, first + i)->next = i + 1 < CHUNK ? first + i + 1 : NONE;
	}
	s->free = first;
	return 0;
}

/* A failure leaves the old ones: longer chains. */
static int grow_buckets(const struct belfry_shared *t, struct shard *s)
{
	uint32_t n = s->buckets_n ? s->buckets_n * 2 : BUCKETS_MIN;
	uint32_t *buckets = malloc(n * sizeof(*buckets));

	if (!buckets) {
		return -ENOMEM;
	}
	memset(buckets, 0xff, n * sizeof(*buckets));
	for (uint32_t b = 0; b < s->buckets_n; b++) {
		for (uint32_t i = s->buckets[b], next; i != NONE; i = next) {
			struct entry *e = entry_at(t, s, i);

			next = e->next;
			e->next = buckets[e->hash & (n - 1)];
			buckets[e->hash & (n - 1)] = i;
		}
	}
	free(s->buckets);
	s->buckets = buckets;
	s->buckets_n = n;
	return 0;
}

static void list_remove(const struct belfry_shared *t, struct shard *s, const struct entry *e)
{
	*(e->newer == NONE ? &s->newest : &entry_at(t, s, e->newer)->older) = e->older;
	*(e->older == NONE ? &s->oldest : &entry_at(t, s, e->older)->newer) = e->newer;
}

static void list_add_newest(const struct belfry_shared *t, struct shard *s, uint32_t i)
{
	struct entry *e = entry_at(t, s, i);

	e->newer = NONE;
	e->older = s->newest;
	*(s->newest == NONE ? &s->oldest : &entry_at(t, s, s->newest)->newer) = i;
	s->newest = i;
}

static void entry_drop(const struct belfry_shared *t, struct shard *s, uint32_t i)
{
	struct entry *e = entry_at(t, s, i);
	uint32_t *at = &s->buckets[e->hash & (s->buckets_n - 1)];

	while (*at != i) {
		at = &entry_at(t, s, *at)->next;
	}
	*at = e->next;
	list_remove(t, s, e);
	e->next = s->free;
	s->free = i;
	s->n--;
}

static uint32_t entry_find(const struct belfry_shared *t, const struct shard *s, uint32_t hash,
                           struct str key)
{
	if (!s->buckets_n) {
		return NONE;
	}
	for (uint32_t i = s->buckets[hash & (s->buckets_n - 1)]; i != NONE;) {
		const struct entry *e = entry_at(t, s, i);

		if (e->hash == hash && str_eq(entry_key(t, e), key)) {
			return i;
		}
		i = e->next;
	}
	return NONE;
}

/* What has expired at the old end goes, two at a time; then, at the limit, what has not. */
static void make_room(const struct belfry_shared *t, struct shard *s, uint64_t now_ms)
{
	for (int k = 0; k < 2 && s->oldest != NONE; k++) {
		if (!is_expired(entry_at(t, s, s->oldest), now_ms)) {
			break;
		}
		entry_drop(t, s, s->oldest);
	}
	if (s->n >= t->shard_limit) {
		const struct entry *e = entry_at(t, s, s->oldest);

		if (e->touched_ms > s->evicted_ms) {
			s->evicted_ms = e->touched_ms;
		}
		entry_drop(t, s, s->oldest);
	}
}

static int entry_add(const struct belfry_shared *t, struct shard *s, uint32_t hash, struct str key,
                     uint64_t now_ms, uint32_t *i_r)
{
	struct entry *e;
	uint32_t i, *bucket;

	make_room(t, s, now_ms);
	if (s->n >= s->buckets_n && grow_buckets(t, s) < 0 && !s->buckets_n) {
		return -ENOMEM;
	}
	if (s->free == NONE && grow_chunks(t, s) < 0) {
		return -ENOMEM;
	}
	i = s->free;
	e = entry_at(t, s, i);
	s->free = e->next;
	bucket = &s->buckets[hash & (s->buckets_n - 1)];
	e->hash = hash;
	e->next = *bucket;
	*bucket = i;
	e->key_n = (uint16_t)key.n;
	memcpy(e->data + t->value_space, key.p, key.n);
	list_add_newest(t, s, i);
	s->n++;
	*i_r = i;
	return 0;
}

static struct shard *shard_of(struct belfry_shared *t, struct str key, uint32_t *hash_r)
{
	uint64_t hash = hash_str(&t->key, key);

	*hash_r = (uint32_t)hash;
	return &t->shards[(hash >> 32) % t->shards_n];
}

/* The lock is held. */
static int touch(struct belfry_shared *t, struct shard *s, uint32_t i, bool is_new,
                 belfry_shared_cb *fn, void *arg)
{
	struct entry *e = entry_at(t, s, i);
	struct belfry_shared_look look = {
		.value = e->data,
		.is_new = is_new,
		.evicted_ms = s->evicted_ms,
	};
	int ret;

	if (is_new) {
		memset(e->data, 0, t->value_size);
	}
	ret = fn(&look, arg);
	if (ret < 0) {
		entry_drop(t, s, i);
	}
	return ret;
}

int belfry_shared_with(struct belfry_shared *t, struct str key, uint64_t now_ms, uint32_t ttl_ms,
                       belfry_shared_cb *fn, void *arg)
{
	uint32_t hash, i;
	struct shard *s;
	struct entry *e;
	bool is_new;
	int ret = 0;

	if (key.n == 0 || key.n > t->key_max) {
		return BELFRY_ETOOBIG;
	}
	s = shard_of(t, key, &hash);
	pthread_mutex_lock(&s->lock);
	i = entry_find(t, s, hash, key);
	is_new = i == NONE || is_expired(entry_at(t, s, i), now_ms);
	if (i != NONE) {
		list_remove(t, s, entry_at(t, s, i));
		list_add_newest(t, s, i);
	} else {
		ret = entry_add(t, s, hash, key, now_ms, &i);
	}
	if (ret == 0) {
		e = entry_at(t, s, i);
		e->touched_ms = now_ms;
		e->ttl_ms = ttl_ms;
		ret = touch(t, s, i, is_new, fn, arg);
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

bool belfry_shared_del(struct belfry_shared *t, struct str key)
{
	uint32_t hash, i;
	struct shard *s = shard_of(t, key, &hash);

	pthread_mutex_lock(&s->lock);
	i = entry_find(t, s, hash, key);
	if (i != NONE) {
		entry_drop(t, s, i);
	}
	pthread_mutex_unlock(&s->lock);
	return i != NONE;
}

void belfry_shared_each(struct belfry_shared *t, uint64_t now_ms, belfry_shared_each_cb *cb,
                        void *arg)
{
	bool go_on = true;

	for (uint32_t k = 0; k < t->shards_n && go_on; k++) {
		struct shard *s = &t->shards[k];

		pthread_mutex_lock(&s->lock);
		for (uint32_t i = s->newest; i != NONE && go_on;) {
			const struct entry *e = entry_at(t, s, i);

			if (!is_expired(e, now_ms)) {
				go_on = cb(entry_key(t, e), e->data, arg);
			}
			i = e->older;
		}
		pthread_mutex_unlock(&s->lock);
	}
}
