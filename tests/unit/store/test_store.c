/* SPDX-License-Identifier: Apache-2.0 */
/* The file, the lock, the schema, keys, and the order of what is written. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/priv.h"
#include "support/tmp.h"
#include "support/unit.h"
#include "util/err.h"
#include "util/list.h"
#include "util/log.h"

static char dir[64], path[96];
static struct store *s;

static void make_dir(void)
{
	log_set_level(LOG_LVL_ERROR);
	tmp_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/belfry.db", dir);
}

static int try_open(char **error_r)
{
	*error_r = NULL;
	return store_open(str_from(dir), &s, error_r);
}

static void open_store(void)
{
	char *error;
	int err = try_open(&error);

	ck_assert_msg(err == 0, "%d: %s", err, error ? error : "");
}

static void refused(int want, const char *words)
{
	char *error;
	int err = try_open(&error);

	ck_assert_int_eq(err, want);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, words) != NULL, "\"%s\" does not say \"%s\"", error, words);
	free(error);
}

static int64_t query(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int64_t v = -1;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s",
	              sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		v = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return v;
}

static void execute(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
	              sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* --- opening --- */

START_TEST(a_new_database_is_made_and_found_again)
{
	struct stat st;

	make_dir();
	open_store();
	store_close(s);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(query("SELECT value FROM meta WHERE key='schema_version'"), 1);
	ck_assert_int_eq(query("PRAGMA application_id"), 0x42656c66);
	execute("INSERT INTO subscriber(user, domain) VALUES('a','b')");
	open_store();
	store_close(s);
	ck_assert_int_eq(query("SELECT count(*) FROM subscriber"), 1);
	tmp_remove(dir);
}
END_TEST

START_TEST(half_a_new_database_of_a_killed_process_is_no_obstacle)
{
	char new_path[128];
	FILE *f;

	make_dir();
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	f = fopen(new_path, "w");
	fputs("half", f);
	fclose(f);
	open_store();
	store_close(s);
	tmp_remove(dir);
}
END_TEST

static void write_file(const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");

	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void check_unchanged(const char *text, size_t n)
{
	char got[4096];
	FILE *f = fopen(path, "rb");

	ck_assert_uint_eq(fread(got, 1, sizeof(got), f), n);
	ck_assert_mem_eq(got, text, n);
	fclose(f);
}

START_TEST(what_is_no_database_is_refused_and_not_changed)
{
	char text[2000];

	make_dir();
	memset(text, 'x', sizeof(text));
	write_file(text, sizeof(text));
	refused(BELFRY_ECORRUPT, "is not an SQLite database");
	check_unchanged(text, sizeof(text));
	write_file("", 0);
	refused(BELFRY_ECORRUPT, "is empty");
	check_unchanged("", 0);
	write_file("SQLite format 3", 16);
	refused(BELFRY_ECORRUPT, "header is damaged");
	tmp_remove(dir);
}
END_TEST

START_TEST(another_programs_database_is_refused)
{
	make_dir();
	execute("CREATE TABLE meta(key, value); INSERT INTO meta VALUES('schema_version', 1)");
	refused(BELFRY_ECORRUPT, "belongs to another program");
	tmp_remove(dir);
}
END_TEST

START_TEST(a_newer_schema_is_refused_and_not_changed)
{
	make_dir();
	open_store();
	store_close(s);
	execute("UPDATE meta SET value=99 WHERE key='schema_version'; PRAGMA user_version=99");
	refused(BELFRY_EVERSION, "version 99");
	refused(BELFRY_EVERSION, "this program knows 1");
	ck_assert_int_eq(query("SELECT value FROM meta WHERE key='schema_version'"), 99);
	tmp_remove(dir);
}
END_TEST

START_TEST(a_damaged_database_is_refused)
{
	char junk[4000];
	FILE *f;

	make_dir();
	open_store();
	store_close(s);
	memset(junk, 0x55, sizeof(junk));
	f = fopen(path, "r+b");
	ck_assert_int_eq(fseek(f, 100, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(junk, 1, 3000, f), 3000);
	fclose(f);
	refused(BELFRY_ECORRUPT, "is damaged");
	tmp_remove(dir);
}
END_TEST

START_TEST(a_table_without_its_columns_is_refused)
{
	make_dir();
	open_store();
	store_close(s);
	execute("ALTER TABLE location RENAME COLUMN call_id TO cid");
	refused(BELFRY_ECORRUPT, "call_id");
	execute("DROP TABLE meta");
	refused(BELFRY_ECORRUPT, "no such table: meta");
	tmp_remove(dir);
}
END_TEST

START_TEST(a_directory_that_cannot_be_used_is_told)
{
	char *error = NULL;

	make_dir();
	ck_assert_int_eq(store_open(STR("/nonexistent/belfry"), &s, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent/belfry/lock"));
	free(error);
	ck_assert_int_eq(store_open(STR(""), &s, &error), -EINVAL);
	free(error);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	refused(BELFRY_ECORRUPT, "not a regular file");
	ck_assert_int_eq(rmdir(path), 0);
	tmp_remove(dir);
}
END_TEST

START_TEST(a_second_process_is_told_who_holds_the_directory)
{
	char pid[32];
	int status;

	make_dir();
	open_store();
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	if (fork() == 0) {
		char *error = NULL;
		struct store *other;
		int err = store_open(str_from(dir), &other, &error);

		_exit(err == -EBUSY && error && strstr(error, pid) ? 0 : 1);
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
	store_close(s);
	open_store();
	store_close(s);
	tmp_remove(dir);
}
END_TEST

/* --- schemas of modules --- */

START_TEST(tables_of_a_module_go_through_their_versions)
{
	static const char *const one[] = { "CREATE TABLE m(a)", NULL };
	static const char *const two[] = { "CREATE TABLE m(a)", "ALTER TABLE m ADD COLUMN b",
		                           NULL };
	static const char *const bad[] = { "CREATE TABLE n(a)", "nonsense", NULL };
	char *error = NULL;

	make_dir();
	open_store();
	ck_assert_int_eq(store_add_schema(s, &(struct store_schema){ "mod", one }, &error), 0);
	ck_assert_int_eq(store_add_schema(s, &(struct store_schema){ "mod", one }, &error), 0);
	ck_assert_int_eq(store_add_schema(s, &(struct store_schema){ "mod", two }, &error), 0);
	ck_assert_int_eq(store_add_schema(s, &(struct store_schema){ "mod", one }, &error),
	                 BELFRY_EVERSION);
	ck_assert_ptr_nonnull(strstr(error, "schema.mod"));
	free(error);
	ck_assert_int_lt(store_add_schema(s, &(struct store_schema){ "bad", bad }, &error), 0);
	ck_assert_ptr_nonnull(strstr(error, "nonsense"));
	free(error);
	store_close(s);
	ck_assert_int_eq(query("SELECT value FROM meta WHERE key='schema.mod'"), 2);
	ck_assert_int_eq(query("SELECT value FROM meta WHERE key='schema.bad'"), 1);
	ck_assert_int_eq(query("SELECT count(b) FROM m"), 0);
	tmp_remove(dir);
}
END_TEST

/* --- keys --- */

static void put(const char *name, const char *text, size_t n)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "wb");
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	fclose(f);
}

START_TEST(keys_are_the_same_after_a_restart_and_differ_by_purpose)
{
	unsigned char a[16], b[16], c[16];
	char file[128];
	struct stat st;

	make_dir();
	open_store();
	ck_assert_int_eq(store_derive_key(s, "one", 0, a, sizeof(a)), 0);
	ck_assert_int_eq(store_derive_key(s, "two", 0, b, sizeof(b)), 0);
	ck_assert_int_eq(store_derive_key(s, "one", 1, c, sizeof(c)), BELFRY_ENOENT);
	ck_assert_int_eq(store_derive_key(s, "one", 2, c, sizeof(c)), BELFRY_ENOENT);
	ck_assert_mem_ne(a, b, 16);
	store_close(s);
	snprintf(file, sizeof(file), "%s/secret", dir);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(st.st_size, 32);
	open_store();
	ck_assert_int_eq(store_derive_key(s, "one", 0, c, sizeof(c)), 0);
	ck_assert_mem_eq(a, c, 16);
	store_close(s);
	tmp_remove(dir);
}
END_TEST

START_TEST(a_rotated_secret_gives_the_old_keys_as_generation_1)
{
	unsigned char a[32], b[32];

	make_dir();
	put("secret", "0123456789abcdef0123456789abcdef", 32);
	open_store();
	ck_assert_int_eq(store_derive_key(s, "one", 0, a, sizeof(a)), 0);
	store_close(s);
	put("secret.old", "0123456789abcdef0123456789abcdef", 32);
	put("secret", "fedcba9876543210fedcba9876543210", 32);
	open_store();
	ck_assert_int_eq(store_derive_key(s, "one", 1, b, sizeof(b)), 0);
	ck_assert_mem_eq(a, b, 32);
	ck_assert_int_eq(store_derive_key(s, "one", 0, b, sizeof(b)), 0);
	ck_assert_mem_ne(a, b, 32);
	store_close(s);
	tmp_remove(dir);
}
END_TEST

START_TEST(a_secret_of_the_wrong_length_is_refused)
{
	make_dir();
	put("secret", "short", 5);
	refused(BELFRY_ECORRUPT, "must have 32 bytes");
	put("secret", "0123456789abcdef0123456789abcdef0", 33);
	refused(BELFRY_ECORRUPT, "must have 32 bytes");
	tmp_remove(dir);
}
END_TEST

/* --- units --- */

struct note {
	struct store_unit unit;
	int v;
	int result;    /* of apply() */
	bool too_late; /* refuses after it has changed something */
	int runs, done_n, err;
};

static int note_apply(struct store_unit *u, struct store *st)
{
	struct note *n = container_of(u, struct note, unit);
	static const char sql[] = "INSERT INTO meta VALUES(?1, ?1)";
	sqlite3_stmt *stmt = store_stmt(st, sql);

	n->runs++;
	if (n->result && !n->too_late) {
		return n->result;
	}
	if (!stmt || sqlite3_bind_int(stmt, 1, n->v) || store_step(st, stmt)) {
		return BELFRY_EAGAIN;
	}
	return n->result;
}

static int order[64], order_n;

static void note_done(struct store_unit *u, int err, void *ctx)
{
	struct note *n = container_of(u, struct note, unit);

	(void)ctx;
	n->err = err;
	n->done_n++;
	order[order_n++ % 64] = n->v;
}

static struct note note(int v, enum store_sync sync, int worker)
{
	return (struct note){
		.v = v,
		.unit = { .sync = sync, .apply = note_apply, .done = note_done, .worker = worker }
	};
}

static struct mailbox *mb;

static void start(void)
{
	make_dir();
	open_store();
	mb = mailbox_new(16);
	store_set_main(s, mb);
	ck_assert_int_eq(store_start(s, NULL, NULL), 0);
}

static void stop(void)
{
	store_close(s);
	mailbox_free(mb);
	tmp_remove(dir);
}

static void take_results(void)
{
	struct job *job;

	store_wait(s);
	while ((job = mailbox_take(mb)) != NULL) {
		ck_assert_ptr_null(job->next); /* one message */
		job->run(job, NULL);
	}
}

START_TEST(units_are_written_and_come_back_in_their_order)
{
	struct note n[20];

	start();
	for (int i = 0; i < 20; i++) {
		n[i] = note(i, (enum store_sync)(i % 3), STORE_MAIN);
		ck_assert_int_eq(store_submit(s, &n[i].unit), 0);
	}
	take_results();
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(n[i].done_n, 1);
		ck_assert_int_eq(n[i].err, 0);
		ck_assert_int_eq(order[i], i);
	}
	ck_assert_int_eq(query("SELECT count(*) FROM meta WHERE value BETWEEN 0 AND 19 AND "
	                       "key<>'schema_version'"),
	                 20);
	ck_assert_int_gt(query("SELECT value FROM meta WHERE key='last_seen'"), 1700000000);
	stop();
}
END_TEST

START_TEST(a_refused_unit_is_undone_alone)
{
	struct note n[3];

	start();
	n[0] = note(1, STORE_SYNCED, STORE_MAIN);
	n[1] = note(2, STORE_SYNCED, STORE_MAIN);
	n[2] = note(3, STORE_SYNCED, STORE_MAIN);
	n[1].result = BELFRY_EEXIST;
	n[1].too_late = true;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(store_submit(s, &n[i].unit), 0);
	}
	take_results();
	ck_assert_int_eq(n[0].err, 0);
	ck_assert_int_eq(n[1].err, BELFRY_EEXIST);
	ck_assert_int_eq(n[2].err, 0);
	ck_assert_int_eq(query("SELECT sum(value) FROM meta WHERE key IN (1, 2, 3)"), 4);
	stop();
}
END_TEST

START_TEST(lazy_units_alone_wait_for_company_but_not_long)
{
	struct note lazy = note(1, STORE_LAZY, STORE_INLINE);
	char health[64];
	uint64_t end;

	start();
	end = unit_wait_begin();
	ck_assert_int_eq(store_submit(s, &lazy.unit), 0);
	while (store_queue_len(s) && unit_wait_more(end)) {
	}
	ck_assert_uint_ge(unit_wait_begin() - end, STORE_LAZY_MS);
	ck_assert_uint_eq(store_queue_len(s), 0);
	store_wait(s);
	ck_assert_int_eq(lazy.err, 0);
	ck_assert_str_is(store_health(s, health, sizeof(health)), "ok");
	stop();
}
END_TEST

START_TEST(what_is_queued_at_the_end_is_written)
{
	static struct note n[2000];

	start();
	for (int i = 0; i < 2000; i++) {
		n[i] = note(i, STORE_LAZY, STORE_INLINE);
		ck_assert_int_eq(store_submit(s, &n[i].unit), 0);
	}
	store_stop(s);
	ck_assert_int_eq(n[1999].done_n, 1);
	ck_assert_int_eq(store_submit(s, &n[0].unit), BELFRY_EAGAIN);
	ck_assert_int_eq(query("SELECT count(*) FROM meta WHERE value BETWEEN 0 AND 1999 AND "
	                       "key<>'schema_version'"),
	                 2000);
	stop();
}
END_TEST

START_TEST(a_full_queue_takes_nothing_more)
{
	static struct note n[40000];
	sqlite3 *db = NULL;
	int err = 0, i;

	start();
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (i = 0; i < 40000 && !err; i++) {
		n[i] = note(i, STORE_WRITTEN, STORE_INLINE);
		err = store_submit(s, &n[i].unit);
	}
	ck_assert_int_eq(err, BELFRY_EFULL);
	ck_assert_int_eq(n[i - 1].done_n, 0);
	/* Somebody's lock is waited for. */
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	store_wait(s);
	ck_assert_int_eq(n[i - 2].done_n, 1);
	ck_assert_int_eq(n[i - 2].err, 0);
	stop();
}
END_TEST

/* --- checkpoints --- */

static int blob_apply(struct store_unit *u, struct store *st)
{
	struct note *n = container_of(u, struct note, unit);
	sqlite3_stmt *stmt = store_stmt(st, "REPLACE INTO meta VALUES(?1, zeroblob(60000))");

	return !stmt || sqlite3_bind_int(stmt, 1, n->v) ? BELFRY_EAGAIN : store_step(st, stmt);
}

START_TEST(the_log_does_not_grow_for_ever)
{
	static struct note n[400];
	char wal[128];
	struct stat st;
	long long largest = 0;

	start();
	snprintf(wal, sizeof(wal), "%s-wal", path);
	/* 240 MB through a log of 16 MiB. */
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 400; i++) {
			n[i] = note(i, STORE_WRITTEN, STORE_INLINE);
			n[i].unit.apply = blob_apply;
			ck_assert_int_eq(store_submit(s, &n[i].unit), 0);
		}
		store_wait(s);
		ck_assert_int_eq(stat(wal, &st), 0);
		largest = st.st_size > largest ? st.st_size : largest;
	}
	ck_assert_int_lt(largest, 120 << 20);
	stop();
}
END_TEST

static int oom_open(void *arg)
{
	char *error = NULL;
	int err = store_open(str_from(dir), &s, &error);

	(void)arg;
	free(error);
	if (err) {
		return err;
	}
	err = store_start(s, NULL, NULL);
	store_close(s);
	return err;
}

START_TEST(without_memory_it_does_not_start)
{
	make_dir();
	oom_each(oom_open, NULL);
	tmp_remove(dir);
}
END_TEST

UNIT_MAIN("store/store", without_memory_it_does_not_start, a_new_database_is_made_and_found_again,
          half_a_new_database_of_a_killed_process_is_no_obstacle,
          what_is_no_database_is_refused_and_not_changed, another_programs_database_is_refused,
          a_newer_schema_is_refused_and_not_changed, a_damaged_database_is_refused,
          a_table_without_its_columns_is_refused, a_directory_that_cannot_be_used_is_told,
          a_second_process_is_told_who_holds_the_directory,
          tables_of_a_module_go_through_their_versions,
          keys_are_the_same_after_a_restart_and_differ_by_purpose,
          a_rotated_secret_gives_the_old_keys_as_generation_1,
          a_secret_of_the_wrong_length_is_refused, units_are_written_and_come_back_in_their_order,
          a_refused_unit_is_undone_alone, lazy_units_alone_wait_for_company_but_not_long,
          what_is_queued_at_the_end_is_written, a_full_queue_takes_nothing_more,
          the_log_does_not_grow_for_ever)
