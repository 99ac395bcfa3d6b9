/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server transactions of a worker by their key: an intrusive chained hash table that grows a
 * few buckets at a time, so that no request pays for the whole of it.
 *
 * A key is a keyed hash of 128 bits over what RFC 3261 17.2.3 compares (see match.c). All of it is
 * compared; two requests that differ meet with a chance of 2^-128 and nobody outside can aim for
 * it, so the compact record of a transaction needs no copy of the fields.
 */
#pragma once

#include "util/hash.h"

struct txn_entry;

struct txn_table {
	struct txn_entry **v;   /* mask + 1 buckets */
	struct txn_entry **old; /* being emptied from bucket 0 up; NULL: not growing */
	size_t mask, old_mask;
	size_t moved; /* buckets of old that are empty already */
	size_t n;
};

/* -ENOMEM. */
int txn_table_init(struct txn_table *t);
/* The entries are the owner's. */
void txn_table_fini(struct txn_table *t);
/* First entry of the chain that an id belongs to; the caller compares. NULL: none. */
struct txn_entry *txn_table_chain(const struct txn_table *t, const struct hash128 *id);
/* Has the chain's beginning fetched into the cache. */
void txn_table_fetch(const struct txn_table *t, const struct hash128 *id);
/* Never fails: without memory to grow the chains get longer. */
void txn_table_add(struct txn_table *t, struct txn_entry *e);
void txn_table_del(struct txn_table *t, struct txn_entry *e);

typedef void(txn_table_cb)(void *arg, struct txn_entry *e);
/* @e may be removed and freed in @cb, others may not. */
void txn_table_each(struct txn_table *t, txn_table_cb *cb, void *arg);
