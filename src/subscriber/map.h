/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (user, domain) -> packed credentials: shards under their own locks. Any thread looks up; one
 * thread at a time changes (the table's lock sees to that).
 */
#pragma once

#include <pthread.h>

#include "subscriber/subscriber.h"
#include "util/hash.h"

#define SUB_SHARDS 256

struct sub_entry {
	uint64_t hash;
	int64_t created;
	uint16_t user_n, domain_n;
	uint8_t has; /* bit per enum sub_hash */
	bool priority;
	/* Then the hashes there are, user, domain. */
};

struct sub_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct sub_entry **slots;
	size_t cap, n;
};

struct sub_map {
	struct hash_key key;
	struct sub_shard shards[SUB_SHARDS];
};

/* A user as a row has it. */
struct sub_user {
	struct str user, domain; /* domain in any case */
	struct subscriber sub;
	int64_t created;
};

void sub_map_init(struct sub_map *m, const struct hash_key *key);
void sub_map_fini(struct sub_map *m);

/* Any thread. Without that user: false, as if one of no worth had been found, in the same time. */
bool sub_map_find(struct sub_map *m, struct str user, struct str domain, struct subscriber *sub_r,
                  int64_t *created_r);
size_t sub_map_n(const struct sub_map *m);

/* Adds or replaces; -ENOMEM, BELFRY_ETOOBIG. */
int sub_map_set(struct sub_map *m, const struct sub_user *u);
/* false: was not there. */
bool sub_map_del(struct sub_map *m, struct str user, struct str domain);
/* Makes @to hold what @from holds of that user, or not. -ENOMEM. */
int sub_map_carry(struct sub_map *from, struct sub_map *to, struct str user, struct str domain);
/* What @m holds goes to @other and the other way round, shard by shard; same key. */
void sub_map_swap(struct sub_map *m, struct sub_map *other);

/* Entries of a shard, copied by @cb under its lock. */
typedef int(sub_entry_cb)(void *arg, const struct sub_entry *e);
int sub_map_each(struct sub_map *m, sub_entry_cb *cb, void *arg);

struct str sub_entry_user(const struct sub_entry *e);
struct str sub_entry_domain(const struct sub_entry *e);
