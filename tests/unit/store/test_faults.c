/* SPDX-License-Identifier: Apache-2.0 */
/* Full disks, I/O errors, power cuts: nothing that was acknowledged is ever missing. */
#include <poll.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "faultfs.h"
#include "store/store.h"
#include "support/tmp.h"
#include "support/unit.h"
#include "util/err.h"
#include "util/list.h"
#include "util/log.h"

static char dir[64], cut_dir[64];
static struct store *s;
static struct counters *counters;

/* Sets a cell of a table to a value; what was acknowledged is kept beside it. */
#define CELLS 50

struct cell {
	struct store_unit unit;
	int at, v;
	int err;
	atomic_bool is_done;
};

static _Atomic int acked[CELLS], asked[CELLS];

static int cell_apply(struct store_unit *u, struct store *st)
{
	struct cell *c = container_of(u, struct cell, unit);
	sqlite3_stmt *stmt = store_stmt(st, "REPLACE INTO cell VALUES(?1, ?2, zeroblob(300))");

	if (!stmt || sqlite3_bind_int(stmt, 1, c->at) || sqlite3_bind_int(stmt, 2, c->v)) {
		return BELFRY_EAGAIN;
	}
	return store_step(st, stmt);
}

static void cell_done(struct store_unit *u, int err, void *ctx)
{
	struct cell *c = container_of(u, struct cell, unit);

	(void)ctx;
	c->err = err;
	if (!err) {
		atomic_store(&acked[c->at], c->v);
	}
	atomic_store(&c->is_done, true);
}

static int cell_set(struct cell *c, int at, int v, enum store_sync sync)
{
	*c = (struct cell){ .at = at,
		            .v = v,
		            .unit = { .sync = sync,
		                      .apply = cell_apply,
		                      .done = cell_done,
		                      .worker = STORE_INLINE } };
	atomic_store(&asked[at], v);
	return store_submit(s, &c->unit);
}

static void start(void)
{
	static const char *const schema[] = { "CREATE TABLE cell(at INTEGER PRIMARY KEY, v, x)",
		                              NULL };
	char *error = NULL;

	log_set_level((enum log_level)(LOG_LVL_ERROR + 1)); /* failing is what is tested */
	tmp_dir(dir, sizeof(dir));
	for (int i = 0; i < CELLS; i++) {
		atomic_store(&acked[i], 0);
		atomic_store(&asked[i], 0);
	}
	ck_assert_int_eq(store_open(str_from(dir), &s, &error), 0);
	ck_assert_int_eq(store_add_schema(s, &(struct store_schema){ "test", schema }, &error), 0);
	counters = counters_new();
	ck_assert_int_eq(store_start(s, NULL, counters), 0);
}

static void stop(void)
{
	store_close(s);
	counters_free(counters);
	tmp_remove(dir);
}

struct wanted {
	const char *name;
	double v;
};

static void look_at(void *arg, const struct counter_def *def, const char *name, const char *labels,
                    double v)
{
	struct wanted *w = arg;

	(void)def;
	(void)labels;
	if (strcmp(name, w->name) == 0) {
		w->v = v;
	}
}

static double metric(const char *name)
{
	struct wanted w = { name, -1 };

	counters_each(counters, look_at, &w);
	return w.v;
}

/* Every cell of the database in @where holds what was acknowledged by @from (or something later).
 */
static void check_cells(const char *where, const int *from)
{
	char *error = NULL;
	struct store *copy;
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int v[CELLS] = { 0 };
	int err = store_open(str_from(where), &copy, &error);

	ck_assert_msg(err == 0, "%s", error ? error : "");
	db = store_reader(copy);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
	                 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT at, v FROM cell", -1, &stmt, NULL),
	                 SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		v[sqlite3_column_int(stmt, 0)] = sqlite3_column_int(stmt, 1);
	}
	sqlite3_finalize(stmt);
	for (int i = 0; i < CELLS; i++) {
		ck_assert_msg(v[i] >= from[i] && v[i] <= atomic_load(&asked[i]),
		              "cell %d has %d; %d was acknowledged, %d asked", i, v[i], from[i],
		              atomic_load(&asked[i]));
	}
	store_close(copy);
}

static void remember(int *from)
{
	for (int i = 0; i < CELLS; i++) {
		from[i] = atomic_load(&acked[i]);
	}
}

static void wait_for_health(const char *want)
{
	char text[256];
	uint64_t end = unit_wait_begin();
	struct str health;

	do {
		health = store_health(s, text, sizeof(text));
		if (str_contains_nocase(health, str_from(want))) {
			return;
		}
	} while (unit_wait_more(end));
	ck_abort_msg("health is \"%.*s\", not \"%s\"", STR_FMT(health), want);
}

START_TEST(a_full_disk_fails_what_comes_loses_nothing_and_recovers_by_itself)
{
	struct cell a, b, c, d;
	int from[CELLS];

	faultfs_install();
	start();
	ck_assert_int_eq(cell_set(&a, 1, 1, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(a.err, 0);
	ck_assert(metric("belfry_store_up") == 1);
	faultfs_fail(FAULTFS_WRITE, 1, SQLITE_FULL, true);
	ck_assert_int_eq(cell_set(&b, 1, 2, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(b.err, BELFRY_EAGAIN);
	wait_for_health("full");
	ck_assert(metric("belfry_store_up") == 0);
	ck_assert(metric("belfry_store_failed_units_total") == 1);
	/* Told at once, not queued. */
	ck_assert_int_eq(cell_set(&c, 1, 3, STORE_SYNCED), BELFRY_EAGAIN);
	ck_assert_uint_eq(store_queue_len(s), 0);
	faultfs_fail(FAULTFS_WRITE, 0, 0, false);
	wait_for_health("ok");
	ck_assert(metric("belfry_store_up") == 1);
	ck_assert_int_eq(cell_set(&d, 1, 4, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(d.err, 0);
	remember(from);
	ck_assert_int_eq(from[1], 4);
	store_stop(s);
	check_cells(dir, from);
	stop();
}
END_TEST

/* Some batches with the n-th write or sync failing. */
static void fail_at(enum faultfs_op op, unsigned n, int rc)
{
	struct cell cells[12];
	int from[CELLS];

	start();
	faultfs_fail(op, n, rc, false);
	for (int i = 0; i < 12; i++) {
		cells[i].is_done = false;
		if (cell_set(&cells[i], i % CELLS, 1 + i, i % 2 ? STORE_SYNCED : STORE_WRITTEN)) {
			break;
		}
		if (i % 3 == 2) {
			store_wait(s);
		}
	}
	store_wait(s);
	faultfs_fail(op, 0, 0, false);
	remember(from);
	store_stop(s);
	check_cells(dir, from);
	stop();
}

START_TEST(whichever_write_fails_nothing_acknowledged_is_lost)
{
	faultfs_install();
	for (unsigned n = 1; n < 40; n++) {
		fail_at(FAULTFS_WRITE, n, n % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE);
	}
}
END_TEST

START_TEST(whichever_sync_fails_nothing_acknowledged_is_lost)
{
	faultfs_install();
	for (unsigned n = 1; n < 10; n++) {
		fail_at(FAULTFS_SYNC, n, SQLITE_IOERR_FSYNC);
	}
}
END_TEST

START_TEST(a_unit_behind_one_that_failed_is_not_written)
{
	struct cell cells[3];
	int from[CELLS];

	faultfs_install();
	start();
	faultfs_fail(FAULTFS_WRITE, 1, SQLITE_IOERR_WRITE, false);
	for (int i = 0; i < 3; i++) {
		(void)cell_set(&cells[i], i, 1, STORE_LAZY);
	}
	store_wait(s);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(cells[i].err, BELFRY_EAGAIN);
	}
	remember(from);
	wait_for_health("ok");
	store_stop(s);
	check_cells(dir, from);
	stop();
}
END_TEST

START_TEST(a_file_that_was_taken_away_is_told_and_not_written_elsewhere)
{
	struct cell a, b;
	char from[96], to[96];

	start();
	ck_assert_int_eq(cell_set(&a, 1, 1, STORE_SYNCED), 0);
	store_wait(s);
	snprintf(from, sizeof(from), "%s/belfry.db", dir);
	snprintf(to, sizeof(to), "%s/elsewhere", dir);
	ck_assert_int_eq(rename(from, to), 0);
	wait_for_health("removed or replaced");
	ck_assert_int_eq(cell_set(&b, 1, 2, STORE_SYNCED), BELFRY_EAGAIN);
	ck_assert_int_eq(rename(to, from), 0);
	wait_for_health("ok");
	ck_assert_int_eq(cell_set(&b, 1, 2, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(b.err, 0);
	stop();
}
END_TEST

START_TEST(a_log_that_was_removed_is_saved_and_nothing_more_goes_there)
{
	struct cell a, b;
	char log[96];
	int from[CELLS] = { 0 };

	faultfs_install();
	start();
	ck_assert_int_eq(cell_set(&a, 1, 1, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(a.err, 0);
	snprintf(log, sizeof(log), "%s/belfry.db-wal", dir);
	ck_assert_int_eq(unlink(log), 0);
	wait_for_health("log beside it");
	ck_assert_int_eq(cell_set(&b, 1, 2, STORE_SYNCED), BELFRY_EAGAIN);
	/* As it would be found after a crash: the database alone. */
	from[1] = 1;
	tmp_dir(cut_dir, sizeof(cut_dir));
	faultfs_power_cut(dir, cut_dir, 0);
	check_cells(cut_dir, from);
	tmp_remove(cut_dir);
	stop();
}
END_TEST

START_TEST(while_a_table_is_missing_writing_does_not_work_again)
{
	struct cell a;
	sqlite3 *db;
	char path[96];

	faultfs_install();
	start();
	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "ALTER TABLE location RENAME TO gone", NULL, NULL, NULL),
	                 SQLITE_OK);
	faultfs_fail(FAULTFS_WRITE, 1, SQLITE_IOERR_WRITE, false);
	(void)cell_set(&a, 1, 1, STORE_SYNCED);
	store_wait(s);
	ck_assert_int_eq(a.err, BELFRY_EAGAIN);
	wait_for_health("no such table: location");
	ck_assert_int_eq(cell_set(&a, 1, 1, STORE_SYNCED), BELFRY_EAGAIN);
	ck_assert_int_eq(sqlite3_exec(db, "ALTER TABLE gone RENAME TO location", NULL, NULL, NULL),
	                 SQLITE_OK);
	wait_for_health("ok");
	sqlite3_close(db);
	stop();
}
END_TEST

/* --- power cuts --- */

static struct cell load_cells[4000];
static int version; /* of a value: never again the same */

/* Writes on and on; cuts the power at points in between. */
static void cut_under_load(enum store_sync sync, unsigned seed, int cuts)
{
	int from[CELLS];
	unsigned r = seed;

	for (int i = 0; i < 4000; i++) {
		r = r * 1664525U + 1013904223U;
		if (cell_set(&load_cells[i], (int)(r >> 16) % CELLS, ++version, sync)) {
			ck_abort_msg("the queue is full");
		}
		if (i % (4000 / cuts) == 4000 / cuts - 1) {
			(void)poll(NULL, 0, (int)(r >> 29));
			tmp_dir(cut_dir, sizeof(cut_dir));
			remember(from);
			faultfs_power_cut(dir, cut_dir, r | 1);
			check_cells(cut_dir, from);
			tmp_remove(cut_dir);
		}
	}
	store_wait(s);
}

START_TEST(a_power_cut_leaves_all_that_was_synced)
{
	faultfs_install();
	start();
	for (unsigned seed = 1; seed < 4; seed++) {
		cut_under_load(STORE_SYNCED, seed, 12);
	}
	stop();
}
END_TEST

START_TEST(a_power_cut_during_checkpoints_leaves_all_that_was_synced)
{
	int from[CELLS];
	struct cell big;

	faultfs_install();
	start();
	for (int round = 0; round < 12; round++) {
		char path[96];
		sqlite3 *db = NULL;

		cut_under_load(STORE_SYNCED, (unsigned)round + 7, 2);
		/* Another connection copies the log back whenever it likes. */
		snprintf(path, sizeof(path), "%s/belfry.db", dir);
		ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
		(void)sqlite3_wal_checkpoint_v2(db, NULL,
		                                round % 2 ? SQLITE_CHECKPOINT_PASSIVE
		                                          : SQLITE_CHECKPOINT_TRUNCATE,
		                                NULL, NULL);
		sqlite3_close(db);
		ck_assert_int_eq(cell_set(&big, 0, ++version, STORE_SYNCED), 0);
		store_wait(s);
		tmp_dir(cut_dir, sizeof(cut_dir));
		remember(from);
		faultfs_power_cut(dir, cut_dir, (unsigned)round * 2 + 1);
		check_cells(cut_dir, from);
		tmp_remove(cut_dir);
	}
	stop();
}
END_TEST

/* What was only written is lost with a failed sync; what is acknowledged as synced after that must
 * not stand on it. */
START_TEST(after_a_failed_sync_nothing_is_promised_that_a_power_cut_takes)
{
	struct cell cells[6];
	int from[CELLS] = { 0 };
	sqlite3 *other = NULL;
	char path[96];

	faultfs_install();
	start();
	/* Somebody else has the log open: it does not begin anew by itself. */
	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(other, "SELECT * FROM cell", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(cell_set(&cells[0], 0, 1, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(cell_set(&cells[1], 1, 1, STORE_WRITTEN), 0);
	store_wait(s);
	faultfs_fail(FAULTFS_SYNC, 1, SQLITE_IOERR_FSYNC, false);
	ck_assert_int_eq(cell_set(&cells[2], 2, 1, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(cells[2].err, BELFRY_EAGAIN);
	wait_for_health("ok");
	ck_assert_int_eq(cell_set(&cells[3], 3, 1, STORE_SYNCED), 0);
	store_wait(s);
	ck_assert_int_eq(cells[3].err, 0);
	from[0] = from[3] = 1;
	sqlite3_close(other);
	for (unsigned seed = 0; seed < 9; seed++) {
		tmp_dir(cut_dir, sizeof(cut_dir));
		faultfs_power_cut(dir, cut_dir, seed);
		check_cells(cut_dir, from);
		tmp_remove(cut_dir);
	}
	stop();
}
END_TEST

UNIT_MAIN("store/faults", a_full_disk_fails_what_comes_loses_nothing_and_recovers_by_itself,
          whichever_write_fails_nothing_acknowledged_is_lost,
          whichever_sync_fails_nothing_acknowledged_is_lost,
          a_unit_behind_one_that_failed_is_not_written,
          a_file_that_was_taken_away_is_told_and_not_written_elsewhere,
          a_log_that_was_removed_is_saved_and_nothing_more_goes_there,
          while_a_table_is_missing_writing_does_not_work_again,
          a_power_cut_leaves_all_that_was_synced,
          a_power_cut_during_checkpoints_leaves_all_that_was_synced,
          after_a_failed_sync_nothing_is_promised_that_a_power_cut_takes)
