/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that peers have opened, of all workers, by the address and port they come from. A
 * phone behind such a connection often names exactly that address and port in its Contact, and
 * RFC 3261 18 recommends to use a connection that is there; whichever worker has it. Sharded; a
 * lock is held for one probe.
 */
#pragma once

#include "net/addr.h"
#include "util/list.h"

struct peers;

struct peer_entry { /* embedded in the stream; list_init() before use */
	struct list node;
	struct net_addr remote;
	uint64_t conn;
	uint8_t proto;
};

/* NULL when out of memory. @key stays. */
struct peers *peers_new(const struct hash_key *key);
void peers_free(struct peers *peers);

/* By the worker that owns the entry; del of one that is not in the table does nothing. */
void peers_add(struct peers *peers, struct peer_entry *entry);
void peers_del(struct peers *peers, struct peer_entry *entry);

/* Any worker. The newest connection from there, 0: none. It may be gone the moment after. */
uint64_t peers_find(struct peers *peers, uint8_t proto, const struct net_addr *remote);
