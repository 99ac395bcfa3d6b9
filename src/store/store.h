/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database file (SQLite): schema, migration, the writer thread and its batches. Everybody else
 * only queues units of work; nothing outside this folder, but what units and loading do, calls
 * sqlite3, and nobody does on a worker.
 *
 * The writer takes all that was queued while it committed the last batch (at most 512 units or
 * 5 ms) into the next one; it never waits for more. What was submitted first is written first. When
 * a batch fails (disk full, I/O error, a lock held for too long), its units and all that are queued
 * behind it come back with BELFRY_EAGAIN, and nothing is taken in any more until writing works
 * again, which is tried every second: so no unit is ever written that was made on top of one that
 * was not.
 *
 * A second thread copies the log (WAL) back into the database without stopping the writer, and
 * tells who watches when another program has changed the database.
 */
#pragma once

#include "util/counters.h"
#include "util/mailbox.h"
#include "util/str.h"
#include "worker/worker.h"

struct store;
struct sqlite3_stmt;
struct sqlite3;

/* Opens STATE_DIR/belfry.db (made if absent, mode 0600), takes the lock of the state directory
 * (STATE_DIR/lock), checks application id, header and schema version, migrates forward. Errors with
 * *error_r (heap, a sentence): BELFRY_ECORRUPT (damaged, not ours: not changed), BELFRY_EVERSION
 * (newer: not changed), -EBUSY (another process holds it), -errno. */
int store_open(struct str state_dir, struct store **s_r, char **error_r);
/* Starts the threads. @ws: whose workers results go to; may be NULL. After everything was loaded.
 */
int store_start(struct store *s, struct workers *ws, struct counters *counters);
/* Where results for the main thread (worker -1) go; before store_start(). */
void store_set_main(struct store *s, struct mailbox *mb);
/* Returns when all that was submitted by now is done (written or failed). Any thread but ours. */
void store_wait(struct store *s);
/* Commits what is queued, ends the threads, closes the files. Results are posted, so mailboxes can
 * be drained after it; store_submit() says BELFRY_EAGAIN from now on. */
void store_stop(struct store *s);
/* After store_stop() (or never started), when no result is on its way. NULL is fine. */
void store_free(struct store *s);
/* Both. */
void store_close(struct store *s);

enum store_sync {
	STORE_SYNCED,  /* on disk before done() */
	STORE_WRITTEN, /* in the log before done(): survives a crash of the process */
	STORE_LAZY,    /* as WRITTEN, but waits up to 100 ms for other units to ride with */
};

#define STORE_MAIN   (-1) /* done() on the main thread */
#define STORE_INLINE (-2) /* done() on the writer thread; it must not submit */

/* A unit of work: one atomic piece of a batch (never spans two database transactions). Embedded in
 * the caller's struct. */
struct store_unit {
	struct store_unit *next;
	enum store_sync sync;
	/* Writer thread, inside the batch's transaction: statements from store_stmt(), run with
	 * store_step(). 0; BELFRY_EAGAIN: the database refused, the batch fails; any other negative
	 * number: this unit alone is undone and gets it as its error. May run more than once
	 * (others of the batch were undone): keep no state from the run before. */
	int (*apply)(struct store_unit *u, struct store *s);
	/* Where @worker says; @ctx is the struct worker, or what the main thread gives its jobs.
	 * @err 0: durable as @sync asked. The unit is the caller's again. */
	void (*done)(struct store_unit *u, int err, void *ctx);
	int worker; /* a worker's number, STORE_MAIN or STORE_INLINE */
	int err;
};
/* Any thread, but for one worker's units always the same. 0; BELFRY_EFULL: the queue is full;
 * BELFRY_EAGAIN: the store is failing now: nothing was queued, done() will not run. */
int store_submit(struct store *s, struct store_unit *u);

/* Writer thread (or the main thread before store_start()): prepared once and kept; NULL when that
 * fails. @sql is static text. */
struct sqlite3_stmt *store_stmt(struct store *s, const char *sql);
/* Runs a statement that gives no rows, resets it and its bindings. 0 or BELFRY_EAGAIN; NULL is
 * BELFRY_EAGAIN. */
int store_step(struct store *s, struct sqlite3_stmt *stmt);
/* Steps to the next row: 1, 0 at the end (reset then), BELFRY_EAGAIN (reset). */
int store_row(struct store *s, struct sqlite3_stmt *stmt);

/* A connection for reading: the main thread during start-up, later in a watcher only. NULL: it
 * cannot be opened. */
struct sqlite3 *store_reader(struct store *s);

/* Another program has committed something: runs on a thread of the store, which it may keep busy.
 * Before store_start(). */
typedef void(store_watch_cb)(void *arg, struct sqlite3 *reader);
int store_watch(struct store *s, store_watch_cb *cb, void *arg);

/* Versioned tables of a module: run once at start, in order of versions above the stored one. Main
 * thread, before store_start(). BELFRY_EVERSION: stored by a newer module. */
struct store_schema {
	const char *owner;           /* "registrar" */
	const char *const *versions; /* SQL of version 1, 2, ...; NULL-terminated */
};
int store_add_schema(struct store *s, const struct store_schema *schema, char **error_r);

/* Unix s of the last commit before this start (meta.last_seen); 0: never. */
int64_t store_last_seen(const struct store *s);

/* Master secret (STATE_DIR/secret, 32 bytes, made at first start, mode 0600), keys by HKDF-SHA256
 * per purpose. Two secrets are accepted during rotation: @generation 0 is STATE_DIR/secret, 1 is
 * STATE_DIR/secret.old, BELFRY_ENOENT without one. */
int store_derive_key(struct store *s, const char *purpose, unsigned generation, void *out,
                     size_t n);

/* "ok", or what is wrong; any thread; written into @out. */
struct str store_health(struct store *s, char *out, size_t cap);
size_t store_queue_len(const struct store *s);
