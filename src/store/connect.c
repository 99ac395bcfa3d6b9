/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the database and statements on the writer's. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store/priv.h"
#include "util/err.h"

void store_note_error(struct store *s, sqlite3 *db)
{
	int os = sqlite3_system_errno(db);

	s->last_code = sqlite3_errcode(db) & 0xff;
	if (os) {
		snprintf(s->last_error, sizeof(s->last_error), "%s (%s)", sqlite3_errmsg(db),
		         strerror(os));
	} else {
		snprintf(s->last_error, sizeof(s->last_error), "%s", sqlite3_errmsg(db));
	}
}

int store_exec(struct store *s, sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL)) {
		store_note_error(s, db);
		return BELFRY_EAGAIN;
	}
	return 0;
}

/* Somebody else holds a lock: 1, 2, 5, 10, 10 ... ms, up to STORE_BUSY_MS. */
static int busy(void *arg, int n)
{
	static const int steps_ms[] = { 1, 2, 5 };
	struct store *s = arg;
	int ms = n < 3 ? steps_ms[n] : 10;

	s->busy_spent_ms = n ? s->busy_spent_ms + ms : ms;
	if (s->busy_spent_ms > STORE_BUSY_MS) {
		return 0;
	}
	usleep((useconds_t)ms * 1000);
	return 1;
}

/* After each commit: pages in the log. */
static int committed(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db;
	(void)name;
	atomic_store_explicit(&s->wal_pages, (unsigned)pages, memory_order_relaxed);
	if ((unsigned)pages >= atomic_load_explicit(&s->wal_limit, memory_order_relaxed)) {
		store_aux_poke(s, true, false);
	}
	return SQLITE_OK;
}

static int setup(struct store *s, enum store_role role, sqlite3 *db)
{
	char sql[320];
	int err;

	sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (role == STORE_WRITER) {
		sqlite3_busy_handler(db, busy, s);
	} else {
		sqlite3_busy_timeout(db, STORE_BUSY_MS);
	}
	snprintf(sql, sizeof(sql),
	         "PRAGMA wal_autocheckpoint=0; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;"
	         "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=%d; PRAGMA cache_size=-%d;"
	         "PRAGMA synchronous=%s;",
	         STORE_WAL_KEEP, role == STORE_WRITER ? STORE_CACHE_KIB : STORE_CACHE_KIB / 4,
	         role == STORE_WRITER ? "FULL" : "NORMAL");
	if (role != STORE_WRITER) { /* another thread: the last error is the writer's */
		return sqlite3_exec(db, sql, NULL, NULL, NULL) ? BELFRY_EAGAIN : 0;
	}
	err = store_exec(s, db, sql);
	if (!err) {
		s->is_full_sync = true;
		(void)sqlite3_wal_hook(db, committed, s); /* after the pragmas, which take it off */
	}
	return err;
}

int store_connect(struct store *s, enum store_role role, sqlite3 **db_r)
{
	sqlite3 *db = NULL;
	int err = 0;

	if (sqlite3_open_v2(s->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)) {
		err = BELFRY_EAGAIN;
		if (db && role == STORE_WRITER) {
			store_note_error(s, db);
		}
	}
	err = err ? err : setup(s, role, db);
	if (err) {
		sqlite3_close(db);
		return err;
	}
	*db_r = db;
	return 0;
}

void store_disconnect_writer(struct store *s)
{
	for (size_t i = 0; i < s->stmts_n; i++) {
		sqlite3_finalize(s->stmts[i].stmt);
	}
	s->stmts_n = 0;
	sqlite3_close(s->writer);
	s->writer = NULL;
}

struct sqlite3 *store_reader(struct store *s)
{
	if (!s->reader) {
		(void)store_connect(s, STORE_READER, &s->reader);
	}
	return s->reader;
}

struct sqlite3_stmt *store_stmt(struct store *s, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	size_t i = 0;

	while (i < s->stmts_n && s->stmts[i].sql != sql) {
		i++;
	}
	if (i < s->stmts_n) {
		return s->stmts[i].stmt;
	}
	if (i == STORE_STMTS_MAX || !s->writer ||
	    sqlite3_prepare_v3(s->writer, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) {
		if (s->writer) {
			store_note_error(s, s->writer);
		}
		return NULL;
	}
	s->stmts[s->stmts_n++] = (struct store_stmt_slot){ sql, stmt };
	return stmt;
}

int store_row(struct store *s, struct sqlite3_stmt *stmt)
{
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_ERROR;

	if (rc == SQLITE_ROW) {
		return 1;
	}
	if (rc != SQLITE_DONE && stmt) {
		store_note_error(s, s->writer);
	}
	if (stmt) {
		(void)sqlite3_reset(stmt);
		(void)sqlite3_clear_bindings(stmt);
	}
	return rc == SQLITE_DONE ? 0 : BELFRY_EAGAIN;
}

int store_step(struct store *s, struct sqlite3_stmt *stmt)
{
	int ret = store_row(s, stmt);

	if (ret == 1) { /* rows nobody asked for */
		(void)sqlite3_reset(stmt);
		(void)sqlite3_clear_bindings(stmt);
		return 0;
	}
	return ret;
}
