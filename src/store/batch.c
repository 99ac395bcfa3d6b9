/* SPDX-License-Identifier: Apache-2.0 */
/* One batch: one transaction of the database. Writer thread. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "store/priv.h"
#include "util/err.h"

#define UNITS_PER_LOOK 16 /* between two looks at the clock */

uint64_t store_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t store_now_ms(void)
{
	return store_now_us() / 1000;
}

static int run_sql(struct store *s, const char *sql)
{
	return store_step(s, store_stmt(s, sql));
}

/* Takes effect from the next commit on; not inside a transaction. */
static int set_sync(struct store *s, bool full)
{
	int err = 0;

	if (s->is_full_sync != full) {
		err = store_exec(s, s->writer,
		                 full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
		s->is_full_sync = full;
	}
	return err;
}

static void rollback(struct store *s)
{
	if (s->writer && !sqlite3_get_autocommit(s->writer)) {
		(void)sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	}
}

/* Once a second, with whatever is committed then. */
static int write_last_seen(struct store *s)
{
	static const char sql[] = "INSERT INTO meta VALUES('last_seen', ?1) ON CONFLICT(key)"
				  " DO UPDATE SET value=max(value, excluded.value)";
	int64_t now_s = time(NULL);
	sqlite3_stmt *stmt;
	int err;

	if (now_s == s->seen_written) {
		return 0;
	}
	stmt = store_stmt(s, sql);
	if (!stmt || sqlite3_bind_int64(stmt, 1, now_s)) {
		return BELFRY_EAGAIN;
	}
	err = store_step(s, stmt);
	s->seen_written = err ? s->seen_written : now_s;
	return err;
}

enum pass { PASS_DONE, PASS_AGAIN, PASS_FAILED };

/* Applies the units up to *n, fewer when time is up. A unit that is refused after it has changed
 * something makes it all begin again without it. */
static enum pass apply_all(struct store *s, struct store_unit *first, size_t *n)
{
	uint64_t start_us = store_now_us();
	struct store_unit *u = first;

	for (size_t i = 0; i < *n; i++, u = u->next) {
		int64_t before = sqlite3_total_changes64(s->writer);

		if (i && i % UNITS_PER_LOOK == 0 && store_now_us() - start_us > STORE_BATCH_US) {
			*n = i;
			break;
		}
		if (u->err) {
			continue;
		}
		u->err = u->apply(u, s);
		if (u->err == BELFRY_EAGAIN) {
			return PASS_FAILED;
		}
		if (u->err && sqlite3_total_changes64(s->writer) != before) {
			return PASS_AGAIN;
		}
	}
	return PASS_DONE;
}

int store_batch_run(struct store *s, struct store_unit *first, size_t n, size_t *ran_r)
{
	struct store_unit *u = first;
	enum pass pass = PASS_AGAIN;
	bool full = false;
	int err;

	for (size_t i = 0; i < n; i++, u = u->next) {
		u->err = 0;
		full = full || u->sync == STORE_SYNCED;
	}
	err = set_sync(s, full);
	while (!err && pass == PASS_AGAIN) {
		rollback(s);
		err = run_sql(s, "BEGIN IMMEDIATE");
		pass = err ? PASS_FAILED : apply_all(s, first, &n);
	}
	err = pass == PASS_DONE ? write_last_seen(s) : BELFRY_EAGAIN;
	err = err ? err : run_sql(s, "COMMIT");
	if (err) {
		s->seen_written = 0;
		rollback(s);
		return BELFRY_EAGAIN;
	}
	*ran_r = n;
	return 0;
}

/*
 * Does writing work again? After an I/O error, what the kernel holds of the log may differ from
 * what is on the disk (a failed fsync is told once): the connection is opened anew, and the log is
 * copied into the database and cut before anything is promised again.
 */
int store_probe(struct store *s)
{
	struct stat st;
	char *why = NULL;
	int err;

	store_disconnect_writer(s);
	if (store_log_inode(s) != s->log_inode) {
		return BELFRY_EAGAIN; /* other connections still have the one that is gone */
	}
	if (stat(s->path, &st) || st.st_ino != s->inode || st.st_dev != s->device) {
		return BELFRY_EAGAIN; /* what is in memory is not what another file holds */
	}
	err = store_connect(s, STORE_WRITER, &s->writer);
	if (!err && store_schema_check(s, &why)) {
		snprintf(s->last_error, sizeof(s->last_error), "%s", why ? why : "it is damaged");
		err = BELFRY_EAGAIN;
	}
	free(why);
	if (!err &&
	    sqlite3_wal_checkpoint_v2(s->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)) {
		store_note_error(s, s->writer);
		err = BELFRY_EAGAIN;
	}
	s->seen_written = 0;
	err = err ? err : run_sql(s, "BEGIN IMMEDIATE");
	err = err ? err : write_last_seen(s);
	err = err ? err : run_sql(s, "COMMIT");
	if (err) {
		rollback(s);
	}
	return err;
}
