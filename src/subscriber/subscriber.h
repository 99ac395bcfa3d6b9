/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials in memory: (user, domain) -> binary H(user:realm:password) per algorithm. Sharded
 * like bindings, loaded from the database, refreshed within a second when another program edits the
 * table (PRAGMA data_version). Passwords never get here; hashes never leave but as bytes to
 * compare.
 */
#pragma once

#include "util/str.h"
#include "worker/worker.h"

struct sub_table;
struct store;

enum sub_hash { SUB_MD5, SUB_SHA256, SUB_SHA512_256, SUB_HASH_N };

struct subscriber {
	bool has[SUB_HASH_N];
	unsigned char ha1[SUB_HASH_N][32]; /* MD5 uses 16 */
	bool priority;
};

/* Any thread; a probe under a shard lock, copied out. false: no such user; the time does not tell,
 * and *sub_r holds something of no worth to compare with. */
bool sub_find(struct sub_table *t, struct str user, struct str domain, struct subscriber *sub_r);
bool sub_exists(struct sub_table *t, struct str aor); /* canonical AOR */
size_t sub_count(const struct sub_table *t);

/* @store may be NULL: memory only (unit tests). Before store_start(). */
int sub_table_new(struct store *store, struct sub_table **t_r);
/* *error_r on failure (heap). */
int sub_table_load(struct sub_table *t, char **error_r);
/* After store_stop(). */
void sub_table_free(struct sub_table *t);

/* Main thread (commands): hash, write through the store, then in memory; @cb on the main thread
 * (store_set_main) when durable; without a store at once. @password is wiped by the caller.
 * Returned, or by @cb when another program was quicker: BELFRY_EEXIST, BELFRY_ENOENT; also
 * BELFRY_EAGAIN, BELFRY_EFULL. The realm that is hashed is @domain in lower case. */
typedef void(sub_done_cb)(int err, void *arg);
int sub_add(struct sub_table *t, struct str user, struct str domain, struct str password,
            bool priority, sub_done_cb *cb, void *arg);
int sub_set_password(struct sub_table *t, struct str user, struct str domain, struct str password,
                     sub_done_cb *cb, void *arg);
int sub_del(struct sub_table *t, struct str user, struct str domain, sub_done_cb *cb, void *arg);
/* In the order of names; copies; no lock held in @cb. */
typedef bool(sub_each_cb)(void *arg, struct str user, struct str domain, bool priority,
                          int64_t created);
int sub_each(struct sub_table *t, sub_each_cb *cb, void *arg);
/* "user:realm:password" hashed; for tests and the module. */
int sub_hash_ha1(enum sub_hash h, struct str user, struct str realm, struct str password,
                 unsigned char out[32]);
