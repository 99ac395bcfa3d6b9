/* SPDX-License-Identifier: Apache-2.0 */
#include "location/shard.h"

#include <errno.h>
#include <stdlib.h>

#define CAP_FIRST 8

static uint32_t home_of(uint32_t hash, uint32_t cap)
{
	/* The shard was chosen by this hash: spread it anew. */
	return (uint32_t)(((uint64_t)(hash * 0x9e3779b1U) * cap) >> 32);
}

static uint32_t next_of(uint32_t i, uint32_t cap)
{
	return i + 1 == cap ? 0 : i + 1;
}

void loc_shard_init(struct loc_shard *sh)
{
	*sh = (struct loc_shard){ 0 };
	pthread_mutex_init(&sh->lock, NULL);
}

void loc_shard_fini(struct loc_shard *sh)
{
	for (uint32_t i = 0; i < sh->cap; i++) {
		loc_set_unref(&sh->slots[i].set);
	}
	free(sh->slots);
	pthread_mutex_destroy(&sh->lock);
}

/* The slot of the AOR; UINT32_MAX: not there. There is always an empty slot. */
static uint32_t probe(const struct loc_shard *sh, uint32_t hash, struct str aor)
{
	if (sh->cap == 0) {
		return UINT32_MAX;
	}
	for (uint32_t i = home_of(hash, sh->cap);; i = next_of(i, sh->cap)) {
		const struct loc_slot *slot = &sh->slots[i];

		if (!slot->set) {
			return UINT32_MAX;
		}
		if (slot->hash == hash && str_eq(loc_set_aor(slot->set), aor)) {
			return i;
		}
	}
}

struct loc_set *loc_shard_get(struct loc_shard *sh, uint32_t hash, struct str aor)
{
	struct loc_set *set = NULL;
	uint32_t i;

	pthread_mutex_lock(&sh->lock);
	i = probe(sh, hash, aor);
	if (i != UINT32_MAX) {
		set = loc_set_ref(sh->slots[i].set);
	}
	pthread_mutex_unlock(&sh->lock);
	return set;
}

struct loc_slot *loc_shard_find(struct loc_shard *sh, uint32_t hash, struct str aor)
{
	uint32_t i = probe(sh, hash, aor);

	return i == UINT32_MAX ? NULL : &sh->slots[i];
}

struct loc_slot *loc_shard_next(struct loc_shard *sh, uint32_t hash, uint32_t *pos)
{
	uint32_t i;

	if (sh->cap == 0) {
		return NULL;
	}
	i = *pos == UINT32_MAX ? home_of(hash, sh->cap) : next_of(*pos, sh->cap);
	for (; sh->slots[i].set; i = next_of(i, sh->cap)) {
		if (sh->slots[i].hash == hash) {
			*pos = i;
			return &sh->slots[i];
		}
	}
	return NULL;
}

static void slot_insert(struct loc_slot *slots, uint32_t cap, const struct loc_slot *slot)
{
	uint32_t i = home_of(slot->hash, cap);

	while (slots[i].set) {
		i = next_of(i, cap);
	}
	slots[i] = *slot;
}

static int grow(struct loc_shard *sh)
{
	uint32_t cap = sh->cap ? sh->cap + sh->cap / 2 : CAP_FIRST;
	struct loc_slot *slots = calloc(cap, sizeof(*slots)), *old = sh->slots;

	if (!slots) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < sh->cap; i++) {
		if (old[i].set) {
			slot_insert(slots, cap, &old[i]);
		}
	}
	pthread_mutex_lock(&sh->lock);
	sh->slots = slots;
	sh->cap = cap;
	pthread_mutex_unlock(&sh->lock);
	free(old);
	return 0;
}

int loc_shard_reserve(struct loc_shard *sh)
{
	uint64_t need = (uint64_t)sh->used + sh->reserved + 1;

	/* Above 7/8 a bigger array is wanted, but the last slot alone is what cannot be given. */
	if (need * 8 > (uint64_t)sh->cap * 7 && grow(sh) && need + 1 > sh->cap) {
		return -ENOMEM;
	}
	sh->reserved++;
	return 0;
}

void loc_shard_unreserve(struct loc_shard *sh)
{
	sh->reserved--;
}

/* Under the lock: closes the gap at @i by moving back what was displaced over it. */
static void slot_remove(struct loc_shard *sh, uint32_t i)
{
	uint32_t j = i;

	for (;;) {
		uint32_t home;

		j = next_of(j, sh->cap);
		if (!sh->slots[j].set) {
			break;
		}
		home = home_of(sh->slots[j].hash, sh->cap);
		if (i <= j ? (i < home && home <= j) : (i < home || home <= j)) {
			continue;
		}
		sh->slots[i] = sh->slots[j];
		i = j;
	}
	sh->slots[i] = (struct loc_slot){ 0 };
	sh->used--;
}

static uint32_t due_of(const struct loc_set *set)
{
	uint64_t ms = loc_set_min_expires_ms(set);
	uint64_t s = ms == UINT64_MAX ? LOC_NEVER_S : ms / 1000 + 1;

	return s < LOC_NEVER_S ? (uint32_t)s : LOC_NEVER_S;
}

struct loc_set *loc_shard_put(struct loc_shard *sh, uint32_t hash, struct str aor,
                              struct loc_set *set, bool dirty)
{
	uint32_t i = probe(sh, hash, aor);
	struct loc_set *old = i == UINT32_MAX ? NULL : sh->slots[i].set;
	struct loc_slot slot = { .hash = hash, .set = set };

	if (i != UINT32_MAX) {
		sh->dirty_n -= sh->slots[i].dirty;
	}
	if (set) {
		slot.due_s = due_of(set) & LOC_NEVER_S;
		slot.dirty = dirty;
		sh->dirty_n += dirty;
	}
	pthread_mutex_lock(&sh->lock);
	if (set && old) {
		sh->slots[i] = slot;
	} else if (set) {
		slot_insert(sh->slots, sh->cap, &slot);
		sh->used++;
	} else if (old) {
		slot_remove(sh, i);
	}
	pthread_mutex_unlock(&sh->lock);
	return old;
}

void loc_shard_set_dirty(struct loc_shard *sh, struct loc_slot *slot, bool dirty)
{
	sh->dirty_n += dirty;
	sh->dirty_n -= slot->dirty;
	pthread_mutex_lock(&sh->lock); /* it shares a word with what others read */
	slot->dirty = dirty;
	pthread_mutex_unlock(&sh->lock);
}
