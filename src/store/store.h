/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database file (SQLite): schema, migration, the writer thread and its batches. Everybody else
 * only queues units of work; nothing outside this folder calls sqlite3 on a worker.
 */
#pragma once

#include "util/mailbox.h"
#include "util/str.h"
#include "worker/worker.h"

struct store;
struct sqlite3_stmt;
struct sqlite3;

/* Opens STATE_DIR/belfry.db (made if absent, mode 0600), takes the lock of the state directory, checks
 * application id, integrity of the header and schema version, migrates forward. Errors with *error_r
 * (heap): BELFRY_ECORRUPT (damaged, not ours), BELFRY_EVERSION (newer: never changed),
 * -EBUSY (another process holds it), -errno. */
int store_open(struct str state_dir, struct store **s_r, char **error_r);
/* Starts the writer thread. @ws: where results go (NULL: to the caller's mailbox given per unit). */
int store_start(struct store *s, struct workers *ws, struct counters *counters);
/* Commits what is queued, checkpoints, closes. */
void store_close(struct store *s);

enum store_sync { STORE_SYNCED, STORE_WRITTEN, STORE_LAZY };

/* A unit of work: one atomic piece of a batch (never spans two database transactions). Embedded in
 * the caller's struct. @apply runs on the writer thread inside the batch's transaction and uses
 * store_stmt(); a negative result rolls this unit back (savepoint) or, for I/O errors, the batch. */
struct store_unit {
	struct store_unit *next;
	enum store_sync sync;
	int (*apply)(struct store_unit *u, struct store *s); /* writer thread */
	void (*done)(struct store_unit *u, int err, void *ctx); /* on @worker, or main when -1 */
	int worker;
	int err;
};
/* Any thread. BELFRY_EFULL: the queue is full; BELFRY_EAGAIN: the store is failing now (full disk,
 * I/O error), it will be tried again by itself: nothing was queued. */
int store_submit(struct store *s, struct store_unit *u);
/* Prepared once per connection and kept; writer thread only. */
struct sqlite3_stmt *store_stmt(struct store *s, const char *sql);

/* Main thread during start-up, or the reader connection: streams rows. */
struct sqlite3 *store_reader(struct store *s);

/* Versioned tables of a module: run once at start, in order of versions above the stored one. */
struct store_schema {
	const char *owner;            /* "registrar" */
	const char *const *versions;  /* SQL of version 1, 2, ...; NULL-terminated */
};
int store_add_schema(struct store *s, const struct store_schema *schema, char **error_r);

/* Master secret (STATE_DIR/secret, made at first start, mode 0600), keys by HKDF per purpose. The key
 * id goes into tokens; two secrets are accepted during rotation (STATE_DIR/secret.old). */
int store_derive_key(struct store *s, const char *purpose, unsigned generation /* 0 now, 1 old */,
		     void *out, size_t n);

/* "ok", or what is wrong; any thread; valid until the next call by this thread. */
struct str store_health(struct store *s, char *out, size_t cap);
size_t store_queue_len(const struct store *s);
