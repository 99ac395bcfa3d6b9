/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings that last: the table on the database. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "loc.h"
#include "location/row.h"
#include "support/tmp.h"

#define AOR "alice@example.com"

static struct fixture f;
static struct store *store;
static char dir[64];
static struct answer a;

/* A table on the database in @dir; what is stored is loaded. */
static void open_table(void)
{
	char *error = NULL;

	ck_assert_int_eq(store_open(str_from(dir), &store, &error), 0);
	fixture_open(&f, store);
	f.w->clock.unix_ms = (int64_t)time(NULL) * 1000;
	ck_assert_int_eq(loc_table_load(f.t, &error), 0);
	ck_assert_int_eq(loc_table_start_worker(f.t, f.w), 0);
	ck_assert_int_eq(store_start(store, f.w->group, f.w->counters), 0);
}

static void close_table(void)
{
	store_stop(store);
	fixture_close(&f);
	store_free(store);
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

static void reopen(void)
{
	close_table();
	open_table();
}

/* Turns until the answer is there. */
static int stored(const struct change_args *args)
{
	int err;

	a = (struct answer){ 0 };
	err = change_start(&f, args, &a);
	if (err) {
		return err;
	}
	ck_assert_uint_eq(a.n, 0);
	store_wait(store);
	worker_turn(f.w);
	ck_assert_uint_eq(a.n, 1);
	return a.err;
}

#define STORED(...) stored(&(struct change_args){ .aor = AOR, __VA_ARGS__ })

static int64_t query(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	char path[128];
	int64_t v = -1;

	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
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
	char path[128];

	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
	              sqlite3_errmsg(db));
	sqlite3_close(db);
}

static const struct tp_flow udp_flow = {
	.proto = TP_UDP,
	.remote = { 4, 1024, 0, { 198, 51, 100, 7 } },
	.local = { 4, 5060, 0, { 192, 0, 2, 10 } },
};
static const struct tp_flow tcp_flow = {
	.proto = TP_TCP,
	.conn = 7,
	.remote = { 6, 1024, 0, { 0x20, 1, 0xd, 0xb8 } },
	.local = { 6, 5060, 0, { 0x20, 1, 0xd, 0xb8, 1 } },
};

START_TEST(every_field_of_a_binding_survives_a_restart)
{
	struct loc_op op = {
		LOC_OP_SET,
		{ .contact = STR("sip:a@192.0.2.1:5060;ob?X=%20"),
		  .params = STR(";+sip.instance=\"<urn:uuid:1-2>\";reg-id=3;x=y"),
		  .instance = STR("urn:uuid:1-2"),
		  .reg_id = 3,
		  .q = 250,
		  .has_q = true,
		  .path = STR("<sip:p1;lr>, <sip:p2;lr>"),
		  .user_agent = STR("phone/1.0"),
		  .has_flow = true,
		  .flow = tcp_flow },
	};
	const struct loc_change c = { .aor = STR(AOR),
		                      .ops = &op,
		                      .ops_n = 1,
		                      .call_id = STR("call@id"),
		                      .cseq = 4000000000U };
	struct loc_binding b;

	open_new();
	op.b.expires_ms = f.w->clock.now_ms + 3600000;
	ck_assert_int_eq(loc_apply(f.t, f.w, &c, NULL, NULL, NULL), 0);
	store_wait(store);
	worker_turn(f.w);
	reopen();
	ck_assert_uint_eq(loc_count(f.t), 1);
	b = published_binding(&f, AOR, "sip:a@192.0.2.1:5060;ob?X=%20");
	ck_assert_str_is(b.params, ";+sip.instance=\"<urn:uuid:1-2>\";reg-id=3;x=y");
	ck_assert_str_is(b.instance, "urn:uuid:1-2");
	ck_assert_str_is(b.path, "<sip:p1;lr>, <sip:p2;lr>");
	ck_assert_str_is(b.user_agent, "phone/1.0");
	ck_assert_str_is(b.call_id, "call@id");
	ck_assert_str_is(b.received, "tcp:[2001:db8::]:1024");
	ck_assert_uint_eq(b.cseq, 4000000000U);
	ck_assert_uint_eq(b.reg_id, 3);
	ck_assert_uint_eq(b.q, 250);
	ck_assert(b.has_q && !b.is_static && b.has_flow && b.flow_dead);
	ck_assert(net_addr_eq(&b.flow.remote, &tcp_flow.remote));
	ck_assert(net_addr_eq(&b.flow.local, &tcp_flow.local));
	ck_assert_uint_eq(b.flow.conn, 0);
	ck_assert_uint_eq(b.flow.proto, TP_TCP);
	ck_assert_uint_gt(b.expires_ms, f.w->clock.now_ms + 3590000);
	ck_assert_uint_le(b.expires_ms, f.w->clock.now_ms + 3601000);
	close_last();
}
END_TEST

START_TEST(nothing_is_visible_before_it_is_durable)
{
	open_new();
	a = (struct answer){ 0 };
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h1" },
	                              &a),
	                 0);
	ck_assert_uint_eq(published_n(&f, AOR), 0);
	store_wait(store);
	ck_assert_uint_eq(published_n(&f, AOR), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location WHERE user='alice' AND"
	                       " domain='example.com' AND contact='sip:a@h1' AND call_id='c'"
	                       " AND cseq=1 AND q IS NULL AND path IS NULL"),
	                 1);
	worker_turn(f.w);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	close_last();
}
END_TEST

START_TEST(refreshes_keep_their_row_and_removals_delete_it)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2"), 0);
	int64_t id = query("SELECT id FROM location WHERE contact='sip:a@h1'");

	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h1",
	                        .durability = LOC_PROCESS),
	                 0);
	ck_assert_int_eq(query("SELECT id FROM location WHERE contact='sip:a@h1' AND cseq=2"), id);
	ck_assert_int_eq(query("SELECT cseq FROM location WHERE contact='sip:a@h2'"), 1);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 3, .remove = "sip:a@h1"), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 1);
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@h2");
	/* A new binding after a restart does not take another's row. */
	ck_assert_int_eq(STORED(.call_id = "d", .cseq = 1, .set = "sip:a@h3"), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 2);
	ck_assert_int_eq(STORED(.call_id = "e", .cseq = 3, .all = true), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 0);
	close_last();
}
END_TEST

START_TEST(pending_changes_build_on_each_other_and_commit_in_order)
{
	struct answer ans[6] = { 0 };
	const struct change_args steps[] = {
		{ .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1" },
		{ .aor = AOR,
		  .call_id = "c",
		  .cseq = 2,
		  .set = "sip:a@h2",
		  .durability = LOC_PROCESS },
		{ .aor = AOR },
		{ .aor = AOR,
		  .call_id = "c",
		  .cseq = 3,
		  .set = "sip:a@h3",
		  .durability = LOC_ASYNC },
		{ .aor = AOR, .call_id = "c", .cseq = 4, .remove = "sip:a@h1" },
		{ .aor = AOR,
		  .call_id = "c",
		  .cseq = 5,
		  .remove = "sip:a@h2",
		  .durability = LOC_ASYNC },
	};
	static const char *const want[] = { "sip:a@h1",          "sip:a@h2 sip:a@h1",
		                            "sip:a@h2 sip:a@h1", "sip:a@h3 sip:a@h2 sip:a@h1",
		                            "sip:a@h3 sip:a@h2", "sip:a@h3" };

	open_new();
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(change_start(&f, &steps[i], &ans[i]), 0);
	}
	store_wait(store);
	worker_turn(f.w);
	worker_turn(f.w);
	for (int i = 0; i < 6; i++) {
		ck_assert_uint_eq(ans[i].n, 1);
		ck_assert_str_eq(ans[i].contacts, want[i]);
	}
	/* The durable removal wrote what `async` had not; its own leftover goes at the end. */
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 2);
	ck_assert_int_eq(loc_table_flush(f.t), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location WHERE contact='sip:a@h3'"), 1);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 1);
	close_last();
}
END_TEST

/* --- async --- */

static void pass(unsigned ms)
{
	for (unsigned t = 0; t < ms; t += 100) {
		clock_advance(&f.w->clock, 100);
		worker_turn(f.w);
		store_wait(store);
	}
	worker_turn(f.w);
}

START_TEST(async_answers_at_once_and_writes_within_the_interval)
{
	open_new();
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1",
	                        .durability = LOC_ASYNC),
	                 0);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 2, .set = "sip:a@h1",
	                        .durability = LOC_ASYNC),
	                 0);
	pass(1300);
	/* Only the latest state. */
	ck_assert_int_eq(query("SELECT cseq FROM location"), 2);
	ck_assert_uint_eq(f.t->lw[0].flushes_n, 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 3, .remove = "sip:a@h1",
	                        .durability = LOC_ASYNC),
	                 0);
	pass(1300);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 0);
	close_last();
}
END_TEST

START_TEST(what_async_left_is_written_at_the_end)
{
	char aor[64];

	open_new();
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(aor, sizeof(aor), "u%u@example.com", i);
		ck_assert_int_eq(CHANGE(&f, &a, .aor = aor, .call_id = "c", .cseq = 1,
		                        .set = "sip:a@h1", .durability = LOC_ASYNC),
		                 0);
	}
	ck_assert_int_eq(loc_table_flush(f.t), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 3000);
	reopen();
	ck_assert_uint_eq(loc_count(f.t), 3000);
	close_last();
}
END_TEST

/* Far more than the store takes at a time. */
START_TEST(async_writes_any_number_within_the_interval)
{
	char aor[64];

	open_new();
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(aor, sizeof(aor), "u%u@example.com", i);
		ck_assert_int_eq(CHANGE(&f, &a, .aor = aor, .call_id = "c", .cseq = 1,
		                        .set = "sip:a@h1", .durability = LOC_ASYNC),
		                 0);
	}
	pass(1300);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 20000);
	close_last();
}
END_TEST

START_TEST(a_durable_change_writes_what_async_has_not_written_yet)
{
	open_new();
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1",
	                        .durability = LOC_ASYNC),
	                 0);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h2"), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 2);
	ck_assert_uint_eq(f.t->shards[0].dirty_n, 0);
	close_last();
}
END_TEST

/* --- time --- */

START_TEST(ended_rows_are_deleted_when_they_are_swept)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1", .expires_s = 5), 0);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h2", .expires_s = 500), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 2);
	pass(16500);
	ck_assert_uint_eq(loc_count(f.t), 1);
	ck_assert_int_eq(query("SELECT count(*) FROM location WHERE contact='sip:a@h2'"), 1);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 1);
	close_last();
}
END_TEST

START_TEST(ended_rows_are_skipped_at_start_and_deleted)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2"), 0);
	execute("UPDATE location SET expires=1000 WHERE contact='sip:a@h1'");
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@h2");
	pass(300);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 1);
	close_last();
}
END_TEST

START_TEST(a_clock_behind_the_one_last_seen_ends_no_binding_early_or_late)
{
	char sql[200];

	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1", .expires_s = 600), 0);
	/* As if all had been written a day ahead of the clock. */
	execute("UPDATE location SET expires=expires+86400");
	execute("UPDATE meta SET value=value+86400 WHERE key='last_seen'");
	reopen();
	struct loc_binding b = published_binding(&f, AOR, "sip:a@h1");

	ck_assert_uint_le(b.expires_ms, f.w->clock.now_ms + 602000);
	ck_assert_uint_gt(b.expires_ms, f.w->clock.now_ms + 590000);
	/* What is written now is on the same scale. */
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h2", .expires_s = 600), 0);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM location WHERE expires > %lld",
	         (long long)time(NULL) + 86400);
	ck_assert_int_eq(query(sql), 2);
	close_last();
}
END_TEST

START_TEST(static_bindings_never_end_and_stay_static)
{
	open_new();
	ck_assert_int_eq(STORED(.set = "sip:desk@h9", .by_operator = true, .forever = true), 0);
	ck_assert_int_eq(query("SELECT count(*) FROM location WHERE expires=0 AND call_id IS NULL"),
	                 1);
	reopen();
	struct loc_binding b = published_binding(&f, AOR, "sip:desk@h9");

	ck_assert(b.is_static);
	ck_assert_uint_eq(b.expires_ms, UINT64_MAX);
	close_last();
}
END_TEST

/* --- rows that others made --- */

START_TEST(rows_for_the_same_binding_are_one_and_the_newer_stays)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	execute("INSERT INTO location SELECT 77, domain, user, 'sip:a@H1', instance, reg_id, q,"
	        " expires, call_id, 9, path, flow, user_agent, params, created, updated+5"
	        " FROM location");
	execute("INSERT INTO location SELECT 78, 'EXAMPLE.com', user, contact, instance, reg_id, q,"
	        " expires, call_id, 3, path, flow, user_agent, params, created, updated-5"
	        " FROM location WHERE id=77");
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@H1");
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@H1").cseq, 9);
	pass(300);
	ck_assert_int_eq(query("SELECT id FROM location"), 77);
	ck_assert_int_eq(query("SELECT count(*) FROM location"), 1);
	close_last();
}
END_TEST

START_TEST(several_bindings_of_an_aor_come_back_newest_first)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2 sip:a@h3"), 0);
	execute("UPDATE location SET updated=updated+1 WHERE contact='sip:a@h2'");
	execute("UPDATE location SET updated=updated+2 WHERE contact='sip:a@h3'");
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@h3 sip:a@h2 sip:a@h1");
	close_last();
}
END_TEST

START_TEST(rows_that_are_no_bindings_are_left_out)
{
	open_new();
	execute("INSERT INTO location(id, domain, user, contact, expires, call_id) VALUES"
	        " (1, 'example.com', 'alice', '', 4000000000, 'c'),"
	        " (-5, 'example.com', 'alice', 'sip:a@h', 4000000000, 'c'),"
	        " (3, '', 'alice', 'sip:a@h', 4000000000, 'c'),"
	        " (4, 'example.com', replace(hex(zeroblob(400)), '0', 'u'), 'sip:a@h', 4000000000, "
	        "'c'),"
	        " (5, 'example.com', 'alice', replace(hex(zeroblob(40000)), '0', 'u'), 4000000000, "
	        "'c'),"
	        " (6, 'example.com', 'alice', 'sip:a@good', 4000000000, 'c'),"
	        " (9223372036854775807, 'example.com', 'bob', 'sip:b@last', 9223372036854775807,"
	        " 'c')");
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@good");
	ck_assert_str_eq(published(&f, "bob@example.com"), "sip:b@last");
	ck_assert_uint_eq(loc_count(f.t), 2);
	/* The last id of all leaves room for more. */
	ck_assert_int_eq(STORED(.call_id = "d", .cseq = 1, .set = "sip:a@new"), 0);
	reopen();
	ck_assert_str_eq(published(&f, AOR), "sip:a@new sip:a@good");
	close_last();
}
END_TEST

START_TEST(a_damaged_table_is_told_and_nothing_is_served)
{
	char path[128], junk[60000], aor[64], *error = NULL;
	FILE *file;

	open_new();
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(aor, sizeof(aor), "u%u@example.com", i);
		ck_assert_int_eq(CHANGE(&f, &a, .aor = aor, .call_id = "c", .cseq = 1,
		                        .set = "sip:a@h1", .durability = LOC_ASYNC),
		                 0);
	}
	ck_assert_int_eq(loc_table_flush(f.t), 0);
	close_table();
	snprintf(path, sizeof(path), "%s/belfry.db", dir);
	memset(junk, 0x55, sizeof(junk));
	file = fopen(path, "r+b");
	ck_assert_int_eq(fseek(file, 50000, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(junk, 1, sizeof(junk), file), sizeof(junk));
	fclose(file);
	ck_assert_int_eq(store_open(str_from(dir), &store, &error), 0);
	fixture_open(&f, store);
	ck_assert_int_eq(loc_table_load(f.t, &error), BELFRY_ECORRUPT);
	ck_assert_ptr_nonnull(error);
	ck_assert_ptr_nonnull(strstr(error, "table location"));
	free(error);
	close_last();
}
END_TEST

/* --- flows as text --- */

START_TEST(a_flow_is_written_as_text_and_read_again)
{
	char text[LOC_FLOW_TEXT];
	struct tp_flow flow;
	bool dead = false;

	ck_assert_str_is(loc_flow_print(&udp_flow, text, sizeof(text)),
	                 "udp;192.0.2.10:5060;198.51.100.7:1024");
	ck_assert(loc_flow_parse(STR("udp;192.0.2.10:5060;198.51.100.7:1024"), NULL, &flow, &dead));
	ck_assert(dead); /* no such listener */
	ck_assert(net_addr_eq(&flow.remote, &udp_flow.remote));
	ck_assert(net_addr_eq(&flow.local, &udp_flow.local));
	ck_assert(
		loc_flow_parse(STR("tcp;[2001:db8::1]:5060;[2001:db8::2]:1"), NULL, &flow, &dead));
	ck_assert_uint_eq(flow.proto, TP_TCP);
	ck_assert_uint_eq(flow.remote.family, 6);
	ck_assert(loc_flow_parse(STR("udp;;198.51.100.7:1024"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("udp;198.51.100.7:1024"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("sctp;;198.51.100.7:1024"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("udp;;198.51.100.7"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("udp;;:5"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("udp;x;198.51.100.7:1024"), NULL, &flow, &dead));
	ck_assert(!loc_flow_parse(STR("udp;;198.51.100.7:99999"), NULL, &flow, &dead));
}
END_TEST

static struct str flow_text(char *out, size_t cap, const char *proto, const char *host,
                            unsigned port)
{
	return str_make(out, (size_t)snprintf(out, cap, "%s;%s:%u;198.51.100.7:1024", proto, host,
	                                      port));
}

START_TEST(a_datagram_flow_is_good_again_when_its_listener_is_there)
{
	struct conf_listen listens[3] = {
		{ .transport = CONF_UDP, .addr = { 4, 0, 0, { 127, 0, 0, 1 } } },
		{ .transport = CONF_UDP, .addr = { .family = 4 } },
		{ .transport = CONF_TCP, .addr = { 4, 0, 0, { 127, 0, 0, 1 } } },
	};
	struct conf conf = {
		.refs = 1, .listen = listens, .listen_n = 3, .server = { .max_connections = 10 }
	};
	struct workers_params params = {
		.n = 1, .conf = &conf, .mailbox_max = 16, .msgbufs_max = 16
	};
	const struct tp_listener *one, *any, *tcp;
	struct transport_group *g = NULL;
	struct workers *ws = NULL;
	char *error = NULL, text[128];
	struct tp_flow flow;
	bool dead = true;

	params.counters = counters_new();
	ck_assert_int_eq(workers_new(&params, &ws), 0);
	ck_assert_int_eq(transport_group_new(ws, &conf, &g, &error), 0);
	one = transport_listener(g, 0);
	any = transport_listener(g, 1);
	tcp = transport_listener(g, 2);
	ck_assert(loc_flow_parse(flow_text(text, sizeof(text), "udp", "127.0.0.1", one->addr.port),
	                         g, &flow, &dead));
	ck_assert(!dead && flow.listener == one);
	ck_assert(loc_flow_parse(flow_text(text, sizeof(text), "udp", "127.0.0.9", any->addr.port),
	                         g, &flow, &dead));
	ck_assert(!dead && flow.listener == any);
	/* On another port now: there is one to send by, but not down that flow. */
	ck_assert(loc_flow_parse(flow_text(text, sizeof(text), "udp", "127.0.0.1", 1), g, &flow,
	                         &dead));
	ck_assert(dead && flow.listener == one);
	ck_assert(loc_flow_parse(flow_text(text, sizeof(text), "tcp", "127.0.0.1", tcp->addr.port),
	                         g, &flow, &dead));
	ck_assert(dead && flow.listener == tcp && flow.conn == 0);
	ck_assert(loc_flow_parse(flow_text(text, sizeof(text), "tls", "127.0.0.1", 1), g, &flow,
	                         &dead));
	ck_assert(dead && !flow.listener);
	transport_group_free(g);
	workers_free(ws);
	counters_free(params.counters);
}
END_TEST

UNIT_MAIN("location/stored", a_damaged_table_is_told_and_nothing_is_served,
          a_datagram_flow_is_good_again_when_its_listener_is_there,
          every_field_of_a_binding_survives_a_restart, nothing_is_visible_before_it_is_durable,
          refreshes_keep_their_row_and_removals_delete_it,
          pending_changes_build_on_each_other_and_commit_in_order,
          async_answers_at_once_and_writes_within_the_interval,
          async_writes_any_number_within_the_interval, what_async_left_is_written_at_the_end,
          a_durable_change_writes_what_async_has_not_written_yet,
          ended_rows_are_deleted_when_they_are_swept, ended_rows_are_skipped_at_start_and_deleted,
          a_clock_behind_the_one_last_seen_ends_no_binding_early_or_late,
          static_bindings_never_end_and_stay_static,
          rows_for_the_same_binding_are_one_and_the_newer_stays,
          several_bindings_of_an_aor_come_back_newest_first, rows_that_are_no_bindings_are_left_out,
          a_flow_is_written_as_text_and_read_again)
