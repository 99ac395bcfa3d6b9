/* SPDX-License-Identifier: Apache-2.0 */
#include "subscriber/subscriber.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>

#include "store/store.h"
#include "subscriber/table.h"
#include "support/tmp.h"
#include "support/unit.h"
#include "util/base64.h"
#include "util/err.h"
#include "util/log.h"

static char dir[64];
static struct store *store;
static struct sub_table *t;
static struct mailbox *mb;
static int answered_n, answered;

static void open_table(void)
{
	char *error = NULL;

	log_set_level(LOG_LVL_ERROR);
	mb = mailbox_new(16);
	ck_assert_int_eq(store_open(str_from(dir), &store, &error), 0);
	ck_assert_int_eq(sub_table_new(store, &t), 0);
	ck_assert_int_eq(sub_table_load(t, &error), 0);
	store_set_main(store, mb);
	ck_assert_int_eq(store_start(store, NULL, NULL), 0);
}

static void close_table(void)
{
	store_stop(store);
	sub_table_free(t);
	store_free(store);
	mailbox_free(mb);
}

static void open_new(void)
{
	tmp_dir(dir, sizeof(dir));
	open_table();
}

static void close_last(void)
{
	close_table();
	tmp_remove(dir);
}

static void done(int err, void *arg)
{
	(void)arg;
	answered = err;
	answered_n++;
}

/* The result of a change that was begun with @err. */
static int result(int err)
{
	struct job *job;
	int before = answered_n;

	if (err) {
		return err;
	}
	store_wait(store);
	job = mailbox_take(mb);
	ck_assert_ptr_nonnull(job);
	job->run(job, NULL);
	ck_assert_int_eq(answered_n, before + 1);
	return answered;
}

static void execute(const char *sql)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
	              sqlite3_errmsg(db));
	sqlite3_close(db);
}

static bool has_hash(const struct subscriber *sub, enum sub_hash h, const char *hex)
{
	char got[65] = "";

	hex_encode(got, sub->ha1[h], h == SUB_MD5 ? 16 : 32);
	return sub->has[h] && strcmp(got, hex) == 0;
}

START_TEST(the_hash_is_that_of_user_realm_and_password)
{
	unsigned char out[32];
	char hex[65] = "";

	/* printf 'u:r:p' | md5sum */
	ck_assert_int_eq(sub_hash_ha1(SUB_MD5, STR("u"), STR("r"), STR("p"), out), 0);
	hex_encode(hex, out, 16);
	ck_assert_str_eq(hex, "44add22b6f3179b751eafd68ee370f7d");
}
END_TEST

START_TEST(a_user_that_is_added_is_found_with_every_hash)
{
	struct subscriber sub;

	open_new();
	ck_assert(!sub_find(t, STR("alice"), STR("example.com"), &sub));
	ck_assert_int_eq(result(sub_add(t, STR("alice"), STR("Example.COM"), STR("secret"), true,
	                                done, NULL)),
	                 0);
	ck_assert(sub_find(t, STR("alice"), STR("EXAMPLE.com"), &sub));
	ck_assert(has_hash(&sub, SUB_MD5, "b1726872c344b6dc8365b774f8fd6412"));
	ck_assert(has_hash(&sub, SUB_SHA256,
	                   "ed8925b20f9a77b8f8f8d5f8e4467fe32b866f7208ab9e4b20595e9821a0fdee"));
	ck_assert(has_hash(&sub, SUB_SHA512_256,
	                   "9e413627514b03d0753229d450617d94a9b2a2a635222e49bad90404c29e97ad"));
	ck_assert(sub.priority);
	ck_assert(sub_exists(t, STR("alice@example.com")));
	ck_assert(!sub_exists(t, STR("Alice@example.com")));
	ck_assert(!sub_exists(t, STR("alice@example.org")));
	ck_assert(!sub_exists(t, STR("alice")));
	ck_assert_uint_eq(sub_count(t), 1);
	ck_assert_int_eq(sub_add(t, STR("alice"), STR("example.com"), STR("x"), false, done, NULL),
	                 BELFRY_EEXIST);
	ck_assert_int_eq(sub_add(t, STR(""), STR("example.com"), STR("x"), false, done, NULL),
	                 -EINVAL);
	close_table();
	open_table();
	ck_assert(sub_find(t, STR("alice"), STR("example.com"), &sub));
	ck_assert(has_hash(&sub, SUB_SHA256,
	                   "ed8925b20f9a77b8f8f8d5f8e4467fe32b866f7208ab9e4b20595e9821a0fdee"));
	ck_assert(sub.priority);
	close_last();
}
END_TEST

START_TEST(a_password_changes_and_a_user_goes)
{
	struct subscriber sub, after;

	open_new();
	ck_assert_int_eq(sub_set_password(t, STR("bob"), STR("x"), STR("p"), done, NULL),
	                 BELFRY_ENOENT);
	ck_assert_int_eq(sub_del(t, STR("bob"), STR("x"), done, NULL), BELFRY_ENOENT);
	ck_assert_int_eq(result(sub_add(t, STR("bob"), STR("x"), STR("p"), true, done, NULL)), 0);
	ck_assert(sub_find(t, STR("bob"), STR("x"), &sub));
	ck_assert_int_eq(result(sub_set_password(t, STR("bob"), STR("x"), STR("q"), done, NULL)),
	                 0);
	ck_assert(sub_find(t, STR("bob"), STR("x"), &after));
	ck_assert(after.priority);
	ck_assert_mem_ne(sub.ha1[SUB_MD5], after.ha1[SUB_MD5], 16);
	close_table();
	open_table();
	ck_assert(sub_find(t, STR("bob"), STR("x"), &sub));
	ck_assert_mem_eq(sub.ha1[SUB_MD5], after.ha1[SUB_MD5], 16);
	ck_assert(sub.priority);
	ck_assert_int_eq(result(sub_del(t, STR("bob"), STR("x"), done, NULL)), 0);
	ck_assert(!sub_exists(t, STR("bob@x")));
	close_table();
	open_table();
	ck_assert_uint_eq(sub_count(t), 0);
	close_last();
}
END_TEST

START_TEST(another_program_that_was_quicker_is_told)
{
	open_new();
	execute("INSERT INTO subscriber(user, domain) VALUES('eve', 'x')");
	ck_assert_int_eq(result(sub_add(t, STR("eve"), STR("x"), STR("p"), false, done, NULL)),
	                 BELFRY_EEXIST);
	ck_assert_int_eq(result(sub_add(t, STR("bob"), STR("x"), STR("p"), false, done, NULL)), 0);
	execute("DELETE FROM subscriber WHERE user='bob'");
	ck_assert_int_eq(result(sub_del(t, STR("bob"), STR("x"), done, NULL)), BELFRY_ENOENT);
	close_last();
}
END_TEST

static bool comes_true(bool (*is_true)(void))
{
	uint64_t end = unit_wait_begin();

	while (!is_true() && unit_wait_more(end)) {
	}
	return is_true();
}

static bool zoe_is_there(void)
{
	return sub_exists(t, STR("zoe@x"));
}

static bool only_bob_is_left(void)
{
	return sub_count(t) == 1;
}

START_TEST(edits_by_another_program_are_seen)
{
	open_new();
	ck_assert_int_eq(result(sub_add(t, STR("bob"), STR("x"), STR("p"), true, done, NULL)), 0);
	execute("INSERT INTO subscriber(user,domain,ha1_md5,ha1_sha256,ha1_sha512_256,priority,"
	        "created) VALUES('zoe','x','00112233445566778899aabbccddeeff','','',0,0)");
	ck_assert(comes_true(zoe_is_there));
	struct subscriber sub;

	ck_assert(sub_find(t, STR("zoe"), STR("x"), &sub));
	ck_assert(has_hash(&sub, SUB_MD5, "00112233445566778899aabbccddeeff"));
	ck_assert(!sub.has[SUB_SHA256] && !sub.has[SUB_SHA512_256] && !sub.priority);
	execute("DELETE FROM subscriber WHERE user='zoe'");
	ck_assert(comes_true(only_bob_is_left));
	close_last();
}
END_TEST

/* --- reading anew while this program changes users --- */

static bool carry_is_done(void)
{
	return sub_exists(t, STR("ext299@x"));
}

START_TEST(changes_of_our_own_survive_a_reading_anew)
{
	char name[32];

	open_new();
	for (int i = 0; i < 300; i++) {
		char sql[128];
		int n = snprintf(name, sizeof(name), "own%d", i);

		if (i % 50 == 0) {
			for (int k = 0; k < 50; k++) {
				snprintf(sql, sizeof(sql),
				         "INSERT INTO subscriber(user, domain) VALUES('ext%d','x')",
				         i + k);
				execute(sql);
			}
		}
		ck_assert_int_eq(result(sub_add(t, str_make(name, (size_t)n), STR("x"), STR("p"),
		                                false, done, NULL)),
		                 0);
		ck_assert(sub_count(t) > (size_t)i);
	}
	ck_assert(comes_true(carry_is_done));
	for (int i = 0; i < 300; i++) {
		int n = snprintf(name, sizeof(name), "own%d@x", i);

		ck_assert_msg(sub_exists(t, str_make(name, (size_t)n)), "%s was lost", name);
	}
	ck_assert_uint_eq(sub_count(t), 600);
	close_last();
}
END_TEST

/* A change of our own while the rows are being read: once, from within the reading. */
static sqlite3 *writer;
static int changes_left;

static int change_meanwhile(void *arg)
{
	(void)arg;
	if (changes_left-- > 0) {
		ck_assert_int_eq(sub_add(t, STR("own"), STR("x"), STR("p"), false, NULL, NULL), 0);
		ck_assert_int_eq(sub_del(t, STR("u5"), STR("x"), NULL, NULL), 0);
		ck_assert_int_eq(
			sqlite3_exec(writer,
		                     "INSERT INTO subscriber(user, domain) VALUES('own', 'x');"
		                     "DELETE FROM subscriber WHERE user='u5'",
		                     NULL, NULL, NULL),
			SQLITE_OK);
	}
	return 0;
}

static void open_rows(sqlite3 **reader_r)
{
	char path[96];

	log_set_level(LOG_LVL_ERROR);
	tmp_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/rows.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(writer,
	                     "PRAGMA journal_mode=WAL; CREATE TABLE subscriber(user, domain,"
	                     " ha1_md5, ha1_sha256, ha1_sha512_256, priority, created);"
	                     "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n"
	                     " WHERE i < 999) INSERT INTO subscriber(user, domain)"
	                     " SELECT 'u'||i, 'x' FROM n",
	                     NULL, NULL, NULL),
		SQLITE_OK);
	ck_assert_int_eq(sqlite3_open(path, reader_r), SQLITE_OK);
	ck_assert_int_eq(sub_table_new(NULL, &t), 0);
}

static void close_rows(sqlite3 *reader)
{
	sub_table_free(t);
	sqlite3_close(reader);
	sqlite3_close(writer);
	tmp_remove(dir);
}

START_TEST(a_change_in_the_middle_of_a_reading_is_carried_over)
{
	sqlite3 *reader = NULL;

	open_rows(&reader);
	sub_read_again(t, reader);
	ck_assert_uint_eq(sub_count(t), 1000);
	changes_left = 1;
	sqlite3_progress_handler(reader, 500, change_meanwhile, NULL);
	sub_read_again(t, reader);
	ck_assert(sub_exists(t, STR("own@x")));
	ck_assert(!sub_exists(t, STR("u5@x")));
	ck_assert_uint_eq(sub_count(t), 1000);
	close_rows(reader);
}
END_TEST

static int oom_read(void *arg)
{
	sqlite3 *reader = arg;
	size_t before = sub_count(t);

	changes_left = 0;
	sub_read_again(t, reader);
	ck_assert_uint_eq(sub_count(t), 1000);
	return before == 1000 ? 0 : -1;
}

START_TEST(without_memory_or_rows_those_known_before_stay)
{
	sqlite3 *reader = NULL;

	open_rows(&reader);
	log_set_level((enum log_level)(LOG_LVL_ERROR + 1));
	sub_read_again(t, reader);
	oom_fail_at(700);
	ck_assert_int_eq(oom_read(reader), 0);
	oom_off();
	ck_assert(oom_hit());
	ck_assert_int_eq(sqlite3_exec(writer, "DROP TABLE subscriber", NULL, NULL, NULL),
	                 SQLITE_OK);
	sub_read_again(t, reader);
	ck_assert_uint_eq(sub_count(t), 1000);
	close_rows(reader);
}
END_TEST

static atomic_bool stop_looking;

static void *look(void *arg)
{
	struct subscriber sub;
	unsigned n = 0;

	(void)arg;
	while (!atomic_load(&stop_looking)) {
		char name[32];
		int len = snprintf(name, sizeof(name), "u%u", n++ % 500);

		if (sub_find(t, str_make(name, (size_t)len), STR("x"), &sub)) {
			ck_assert(sub.has[SUB_MD5]);
		}
		sub_exists(t, STR("u1@x"));
	}
	return NULL;
}

START_TEST(look_ups_go_on_while_users_change)
{
	pthread_t th[2];

	tmp_dir(dir, sizeof(dir));
	ck_assert_int_eq(sub_table_new(NULL, &t), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&th[i], NULL, look, NULL), 0);
	}
	for (unsigned i = 0; i < 3000; i++) {
		char name[32];
		struct str user =
			str_make(name, (size_t)snprintf(name, sizeof(name), "u%u", i % 500));

		if (sub_del(t, user, STR("x"), NULL, NULL) == BELFRY_ENOENT) {
			ck_assert_int_eq(sub_add(t, user, STR("x"), STR("p"), false, NULL, NULL),
			                 0);
		}
	}
	atomic_store(&stop_looking, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(th[i], NULL);
	}
	sub_table_free(t);
	tmp_remove(dir);
}
END_TEST

struct names {
	char text[256];
	int left;
};

static bool name_one(void *arg, struct str user, struct str domain, bool priority, int64_t created)
{
	struct names *n = arg;
	size_t at = strlen(n->text);

	ck_assert_int_gt(created, 0);
	snprintf(n->text + at, sizeof(n->text) - at, "%.*s@%.*s%s ", STR_FMT(user), STR_FMT(domain),
	         priority ? "!" : "");
	return --n->left > 0;
}

START_TEST(users_are_listed_in_the_order_of_names)
{
	struct names n = { .left = 100 };

	ck_assert_int_eq(sub_table_new(NULL, &t), 0);
	ck_assert_int_eq(sub_add(t, STR("zoe"), STR("a"), STR("p"), false, NULL, NULL), 0);
	ck_assert_int_eq(sub_add(t, STR("bob"), STR("b"), STR("p"), true, NULL, NULL), 0);
	ck_assert_int_eq(sub_add(t, STR("amy"), STR("b"), STR("p"), false, NULL, NULL), 0);
	ck_assert_int_eq(sub_each(t, name_one, &n), 0);
	ck_assert_str_eq(n.text, "zoe@a amy@b bob@b! ");
	n = (struct names){ .left = 1 };
	ck_assert_int_eq(sub_each(t, name_one, &n), 0);
	ck_assert_str_eq(n.text, "zoe@a ");
	sub_table_free(t);
}
END_TEST

START_TEST(rows_of_nonsense_are_users_without_that_hash)
{
	struct subscriber sub;

	open_new();
	execute("INSERT INTO subscriber VALUES('a','x','zz','00','1',5,-1),"
	        "('','x','','','',0,0),"
	        "(replace(hex(zeroblob(40000)),'0','u'),'x','','','',0,0)");
	close_table();
	open_table();
	ck_assert(sub_find(t, STR("a"), STR("x"), &sub));
	ck_assert(!sub.has[SUB_MD5] && !sub.has[SUB_SHA256] && !sub.has[SUB_SHA512_256]);
	ck_assert(sub.priority);
	ck_assert_uint_eq(sub_count(t), 1);
	close_last();
}
END_TEST

static int oom(void *arg)
{
	struct names n = { .left = 100 };
	struct sub_table *tab = NULL;
	int err = sub_table_new(NULL, &tab);

	(void)arg;
	err = err ? err : sub_add(tab, STR("bob"), STR("b"), STR("p"), true, NULL, NULL);
	err = err ? err : sub_set_password(tab, STR("bob"), STR("b"), STR("q"), NULL, NULL);
	err = err ? err : sub_each(tab, name_one, &n);
	err = err ? err : sub_del(tab, STR("bob"), STR("b"), NULL, NULL);
	sub_table_free(tab);
	return err;
}

START_TEST(no_memory_is_told)
{
	oom_each(oom, NULL);
}
END_TEST

UNIT_MAIN("subscriber/subscriber", the_hash_is_that_of_user_realm_and_password,
          a_user_that_is_added_is_found_with_every_hash, a_password_changes_and_a_user_goes,
          another_program_that_was_quicker_is_told, edits_by_another_program_are_seen,
          changes_of_our_own_survive_a_reading_anew, look_ups_go_on_while_users_change,
          a_change_in_the_middle_of_a_reading_is_carried_over,
          without_memory_or_rows_those_known_before_stay, users_are_listed_in_the_order_of_names,
          rows_of_nonsense_are_users_without_that_hash, no_memory_is_told)
