/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/peers.h"

#include <pthread.h>
#include <stdlib.h>

#define SHARDS  64
#define BUCKETS 256 /* of a shard */

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct list bucket[BUCKETS];
};

struct peers {
	const struct hash_key *key;
	struct shard shard[SHARDS];
};

struct peers *peers_new(const struct hash_key *key)
{
	struct peers *peers = aligned_alloc(64, sizeof(*peers));

	if (!peers) {
		return NULL;
	}
	peers->key = key;
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&peers->shard[i].lock, NULL);
		for (unsigned j = 0; j < BUCKETS; j++) {
			list_init(&peers->shard[i].bucket[j]);
		}
	}
	return peers;
}

void peers_free(struct peers *peers)
{
	for (unsigned i = 0; peers && i < SHARDS; i++) {
		pthread_mutex_destroy(&peers->shard[i].lock);
	}
	free(peers);
}

static struct shard *shard_of(struct peers *peers, const struct net_addr *remote,
                              struct list **bucket_r)
{
	uint64_t h = net_addr_hash(peers->key, remote);
	struct shard *shard = &peers->shard[h % SHARDS];

	*bucket_r = &shard->bucket[h / SHARDS % BUCKETS];
	return shard;
}

void peers_add(struct peers *peers, struct peer_entry *entry)
{
	struct list *bucket;
	struct shard *shard = shard_of(peers, &entry->remote, &bucket);

	pthread_mutex_lock(&shard->lock);
	list_add(bucket, &entry->node);
	pthread_mutex_unlock(&shard->lock);
}

void peers_del(struct peers *peers, struct peer_entry *entry)
{
	struct list *bucket;
	struct shard *shard = shard_of(peers, &entry->remote, &bucket);

	pthread_mutex_lock(&shard->lock);
	list_del(&entry->node);
	pthread_mutex_unlock(&shard->lock);
}

uint64_t peers_find(struct peers *peers, uint8_t proto, const struct net_addr *remote)
{
	struct list *bucket;
	struct shard *shard = shard_of(peers, remote, &bucket);
	uint64_t conn = 0;

	pthread_mutex_lock(&shard->lock);
	list_for_each(it, bucket)
	{
		const struct peer_entry *e = container_of(it, struct peer_entry, node);

		if (e->proto == proto && net_addr_eq(&e->remote, remote)) {
			conn = e->conn;
			break;
		}
	}
	pthread_mutex_unlock(&shard->lock);
	return conn;
}
