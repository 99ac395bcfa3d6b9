/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings when the disk fails or the process is killed: what was acknowledged is there. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loc.h"
#include "store/faultfs.h"
#include "support/tmp.h"
#include "util/log.h"

#define AOR "alice@example.com"

static struct fixture f;
static struct store *store;
static char dir[64];
static struct answer a;

static void open_table(void)
{
	char *error = NULL;
	int err = store_open(str_from(dir), &store, &error);

	ck_assert_msg(err == 0, "%s", error ? error : "");
	fixture_open(&f, store);
	log_set_level((enum log_level)(LOG_LVL_ERROR + 1));
	f.w->clock.unix_ms = (int64_t)time(NULL) * 1000;
	err = loc_table_load(f.t, &error);
	ck_assert_msg(err == 0, "%s", error ? error : "");
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

static int start(const struct change_args *args, struct answer *ans)
{
	*ans = (struct answer){ 0 };
	return change_start(&f, args, ans);
}

#define START(ans, ...) start(&(struct change_args){ .aor = AOR, __VA_ARGS__ }, (ans))

static void settle(void)
{
	store_wait(store);
	worker_turn(f.w);
	worker_turn(f.w);
}

static int stored(const struct change_args *args)
{
	int err = start(args, &a);

	if (err) {
		return err;
	}
	settle();
	ck_assert_uint_eq(a.n, 1);
	return a.err;
}

#define STORED(...) stored(&(struct change_args){ .aor = AOR, __VA_ARGS__ })

static void disk_is_full(bool yes)
{
	faultfs_fail(FAULTFS_WRITE, yes, SQLITE_FULL, true);
}

static void wait_for_health(bool ok)
{
	char text[256];

	uint64_t end = unit_wait_begin();

	do {
		if (str_eq(store_health(store, text, sizeof(text)), STR("ok")) == ok) {
			return;
		}
	} while (unit_wait_more(end));
	ck_abort_msg("health stays %s", text);
}

START_TEST(on_a_full_disk_changes_are_refused_and_look_ups_go_on)
{
	faultfs_install();
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	disk_is_full(true);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h1"), BELFRY_EAGAIN);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1").cseq, 1);
	/* Refused before anything changes; asking only works. */
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .all = true), BELFRY_EAGAIN);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1");
	disk_is_full(false);
	wait_for_health(true);
	/* The CSeq that failed is not used up. */
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h1"), 0);
	close_table();
	open_table();
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1").cseq, 2);
	close_last();
}
END_TEST

START_TEST(a_change_that_fails_takes_those_that_were_made_on_top_of_it)
{
	struct answer ans[6], other;

	faultfs_install();
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	disk_is_full(true);
	ck_assert_int_eq(START(&ans[0], .call_id = "c", .cseq = 2, .set = "sip:a@h2"), 0);
	ck_assert_int_eq(START(&ans[1]), 0);
	ck_assert_int_eq(START(&ans[2], .call_id = "c", .cseq = 3, .set = "sip:a@h3",
	                       .durability = LOC_ASYNC),
	                 0);
	ck_assert_int_eq(start(&(struct change_args){ .aor = "bob@x",
	                                              .call_id = "c",
	                                              .cseq = 1,
	                                              .set = "sip:b@h1",
	                                              .durability = LOC_ASYNC },
	                       &other),
	                 0);
	settle();
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(ans[i].n, 1);
		ck_assert_int_eq(ans[i].err, BELFRY_EAGAIN);
	}
	ck_assert_int_eq(other.err, 0); /* another AOR's, not written yet anyway */
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	disk_is_full(false);
	wait_for_health(true);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h4"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h4 sip:a@h1");
	ck_assert_int_eq(loc_table_flush(f.t), 0);
	close_table();
	open_table();
	ck_assert_uint_eq(published_n(&f, AOR), 2);
	ck_assert_uint_eq(published_n(&f, "bob@x"), 1);
	close_last();
}
END_TEST

START_TEST(async_changes_go_on_and_are_written_when_the_disk_is_back)
{
	faultfs_install();
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2"), 0);
	disk_is_full(true);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 2, .set = "sip:a@h1",
	                        .remove = "sip:a@h2", .durability = LOC_ASYNC),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "bob@x", .call_id = "c", .cseq = 2,
	                        .set = "sip:b@h1", .durability = LOC_ASYNC),
	                 0);
	for (int i = 0; i < 15; i++) {
		clock_advance(&f.w->clock, 100);
		worker_turn(f.w);
		store_wait(store);
	}
	worker_turn(f.w);
	wait_for_health(false);
	disk_is_full(false);
	wait_for_health(true);
	for (int i = 0; i < 15; i++) {
		clock_advance(&f.w->clock, 100);
		worker_turn(f.w);
		store_wait(store);
	}
	worker_turn(f.w);
	close_table(); /* without a flush at the end */
	open_table();
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1").cseq, 2);
	ck_assert_uint_eq(published_n(&f, "bob@x"), 1);
	close_last();
}
END_TEST

START_TEST(rows_to_delete_outlast_a_full_disk_up_to_the_end)
{
	faultfs_install();
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 2, .set = "sip:a@h2"), 0);
	disk_is_full(true);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 3, .remove = "sip:a@h1",
	                        .durability = LOC_ASYNC),
	                 0);
	for (int i = 0; i < 3; i++) {
		clock_advance(&f.w->clock, 100);
		worker_turn(f.w);
		store_wait(store);
	}
	worker_turn(f.w);
	ck_assert(!list_is_empty(&f.t->lw[0].retries));
	disk_is_full(false);
	wait_for_health(true);
	ck_assert_int_eq(loc_table_flush(f.t), 0);
	close_table();
	open_table();
	ck_assert_str_eq(published(&f, AOR), "sip:a@h2");
	close_last();
}
END_TEST

START_TEST(a_table_freed_with_changes_still_in_the_store_leaks_nothing)
{
	struct answer ans[20];
	char aor[32];

	open_new();
	for (int i = 0; i < 20; i++) {
		snprintf(aor, sizeof(aor), "u%d@x", i % 5);
		ck_assert_int_eq(start(&(struct change_args){ .aor = aor,
		                                              .call_id = "c",
		                                              .cseq = (uint32_t)i + 1,
		                                              .set = "sip:a@h1" },
		                       &ans[i]),
		                 0);
	}
	close_table();
	open_table();
	ck_assert_uint_eq(loc_count(f.t), 5); /* queued: written at the end */
	close_last();
}
END_TEST

/* --- several workers --- */

#define WORKERS 4U
#define MANY    200U
#define TURNS   15U

static struct {
	struct loc_table *t;
	struct workers *ws;
	_Atomic unsigned answers;
	struct job jobs[WORKERS];
	unsigned turns[WORKERS];
} multi;

static void many_done(int err, struct loc_set *set, void *arg)
{
	(void)arg;
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(loc_set_n(set), 1);
	atomic_fetch_add(&multi.answers, 1);
}

/* One change of each AOR of this worker, with one durability after the other. */
static void many_run(struct job *job, void *ctx)
{
	struct worker *w = ctx;
	unsigned turn = multi.turns[w->id]++;
	char aor[64];

	if (turn == TURNS) {
		return;
	}
	for (unsigned i = 0; i < MANY; i++) {
		const struct loc_op op = {
			LOC_OP_SET, { .contact = STR("sip:a@h1"), .expires_ms = UINT64_MAX }
		};
		struct loc_change c = { .ops = &op,
			                .ops_n = 1,
			                .call_id = STR("c"),
			                .cseq = turn + 1,
			                .durability = (enum loc_durability)((turn + i) % 3),
			                .flush_interval_s = 1 };

		snprintf(aor, sizeof(aor), "user%u@example.com", i);
		c.aor = str_from(aor);
		if (transport_owner_of_aor(w, c.aor) == w->id) {
			ck_assert_int_eq(loc_apply(multi.t, w, &c, many_done, NULL, NULL), 0);
		}
	}
	worker_post_sure(w, w->id, job);
}

static struct workers *workers_make(struct counters *counters)
{
	struct workers_params params = {
		.n = WORKERS, .mailbox_max = 10000, .msgbufs_max = 16, .counters = counters
	};
	struct workers *ws;

	ck_assert_int_eq(workers_new(&params, &ws), 0);
	return ws;
}

static bool last_version(void *arg, struct loc_set *set)
{
	struct loc_binding b;

	loc_set_get(set, 0, &b);
	ck_assert_uint_eq(loc_set_n(set), 1);
	ck_assert_uint_eq(b.cseq, TURNS);
	++*(size_t *)arg;
	return true;
}

START_TEST(several_workers_write_their_own_with_every_durability)
{
	struct counters *counters = counters_new();
	char *error = NULL;
	size_t n = 0;

	tmp_dir(dir, sizeof(dir));
	multi.ws = workers_make(counters);
	ck_assert_int_eq(store_open(str_from(dir), &store, &error), 0);
	ck_assert_int_eq(loc_table_new(multi.ws, store, NULL, &multi.t), 0);
	ck_assert_int_eq(store_start(store, multi.ws, counters), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(loc_table_start_worker(multi.t, workers_get(multi.ws, i)), 0);
		multi.jobs[i].run = many_run;
		workers_post(multi.ws, i, &multi.jobs[i]);
	}
	ck_assert_int_eq(workers_start(multi.ws), 0);
	while (atomic_load(&multi.answers) < MANY * TURNS) {
		(void)poll(NULL, 0, 1);
	}
	workers_stop(multi.ws);
	ck_assert_int_eq(loc_table_flush(multi.t), 0);
	store_stop(store);
	loc_table_free(multi.t);
	workers_free(multi.ws);
	store_free(store);
	counters_free(counters);
	open_table(); /* with one worker now */
	loc_each(f.t, last_version, &n);
	ck_assert_uint_eq(n, MANY);
	close_last();
}
END_TEST

/* --- memory that runs out --- */

static int oom_change(void *arg)
{
	struct answer ans = { 0 };
	static uint32_t cseq = 1;
	int err;

	(void)arg;
	err = change_start(&f,
	                   &(struct change_args){ .aor = AOR,
	                                          .call_id = "c",
	                                          .cseq = ++cseq,
	                                          .set = "sip:a@h1 sip:a@h2" },
	                   &ans);
	settle();
	ck_assert_uint_eq(ans.n, err ? 0 : 1);
	ck_assert_int_eq(ans.err, 0);
	if (err) {
		ck_assert_int_eq(err, -ENOMEM);
	} else {
		ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1").cseq, cseq);
	}
	err = err ? err
	          : change_start(&f,
	                         &(struct change_args){
					 .aor = AOR, .all = true, .by_operator = true },
	                         &ans);
	settle();
	return err;
}

START_TEST(without_memory_a_durable_change_is_refused_before_it_begins)
{
	open_new();
	ck_assert_int_eq(oom_change(NULL), 0);
	oom_each(oom_change, NULL);
	close_last();
}
END_TEST

static int oom_load(void *arg)
{
	char *error = NULL;
	struct loc_table *t = NULL;
	int err = loc_table_new(f.w->group, store, NULL, &t);

	(void)arg;
	err = err ? err : loc_table_load(t, &error);
	if (!err) {
		ck_assert_uint_eq(loc_count(t), 3);
	}
	free(error);
	loc_table_free(t);
	return err;
}

START_TEST(without_memory_nothing_is_served_half_loaded)
{
	open_new();
	ck_assert_int_eq(STORED(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2"), 0);
	ck_assert_int_eq(stored(&(struct change_args){
				 .aor = "bob@x", .call_id = "c", .cseq = 1, .set = "sip:b@h1" }),
	                 0);
	close_table();
	char *error = NULL;

	ck_assert_int_eq(store_open(str_from(dir), &store, &error), 0);
	fixture_open(&f, store);
	f.w->clock.unix_ms = (int64_t)time(NULL) * 1000;
	oom_each(oom_load, NULL);
	close_last();
}
END_TEST

/* --- killed --- */

#define AORS    40
#define ROUNDS  12
#define PENDING 60

/* Versions of each AOR: every fourth takes all away, the others set two contacts to it. */
static struct {
	_Atomic uint32_t acked[AORS], asked[AORS];
	_Atomic uint32_t pending, acks;
} * shared;

struct change_of {
	unsigned aor;
	uint32_t version;
};

static void acknowledged(int err, struct loc_set *set, void *arg)
{
	struct change_of *c = arg;

	(void)set;
	if (err == 0) {
		atomic_store(&shared->acked[c->aor], c->version);
		atomic_fetch_add(&shared->acks, 1);
	}
	atomic_fetch_sub(&shared->pending, 1);
	free(c);
}

static void aor_name(unsigned i, char *out, size_t cap)
{
	snprintf(out, cap, "user%u@example.com", i);
}

static void change_one(unsigned i, enum loc_durability durability)
{
	struct change_of *c = malloc(sizeof(*c));
	char aor[64];
	struct loc_op ops[2] = {
		{ LOC_OP_SET, { .contact = STR("sip:a@h1"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR("sip:a@h2"), .expires_ms = UINT64_MAX } },
	};
	struct loc_change change = { .ops = ops, .call_id = STR("c"), .durability = durability };

	aor_name(i, aor, sizeof(aor));
	c->aor = i;
	c->version = atomic_load(&shared->asked[i]) + 1;
	atomic_store(&shared->asked[i], c->version);
	change.aor = str_from(aor);
	change.cseq = c->version;
	change.ops_n = c->version % 4 ? 2 : 0;
	change.remove_all = c->version % 4 == 0;
	atomic_fetch_add(&shared->pending, 1);
	if (loc_apply(f.t, f.w, &change, acknowledged, c, NULL)) {
		_exit(3);
	}
}

_Noreturn static void run_until_killed(enum loc_durability durability, unsigned seed)
{
	unsigned r = seed;

	open_table();
	for (;;) {
		while (atomic_load(&shared->pending) < PENDING) {
			r = r * 1664525U + 1013904223U;
			change_one((r >> 16) % AORS, durability);
		}
		worker_turn(f.w);
	}
}

static bool may_be_gone(uint32_t from, uint32_t to)
{
	for (uint32_t v = from; v <= to; v++) {
		if (v % 4 == 0) { /* 0: never there */
			return true;
		}
	}
	return false;
}

static void check_aor(unsigned i)
{
	uint32_t from = atomic_load(&shared->acked[i]), to = atomic_load(&shared->asked[i]);
	struct loc_binding b1, b2;
	char aor[64];

	aor_name(i, aor, sizeof(aor));
	if (published_n(&f, aor) == 0) {
		ck_assert_msg(may_be_gone(from, to), "%s is gone; %u was acknowledged, %u asked",
		              aor, from, to);
		to += (4 - to % 4) % 4; /* as if a removal had come last */
		atomic_store(&shared->acked[i], to);
		atomic_store(&shared->asked[i], to);
		return;
	}
	ck_assert_uint_eq(published_n(&f, aor), 2); /* never half a REGISTER */
	b1 = published_binding(&f, aor, "sip:a@h1");
	b2 = published_binding(&f, aor, "sip:a@h2");
	ck_assert_uint_eq(b1.cseq, b2.cseq);
	ck_assert_msg(b1.cseq >= from && b1.cseq <= to, "%s has %u; %u was acknowledged, %u asked",
	              aor, b1.cseq, from, to);
	atomic_store(&shared->acked[i], b1.cseq);
	atomic_store(&shared->asked[i], b1.cseq);
}

static void kill_rounds(enum loc_durability durability)
{
	unsigned last_acks = 0;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	tmp_dir(dir, sizeof(dir));
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t end;
		pid_t pid;
		int status;

		atomic_store(&shared->pending, 0);
		pid = fork();
		if (pid == 0) {
			run_until_killed(durability, round * 7919 + 1);
		}
		end = unit_wait_begin();
		while (atomic_load(&shared->acks) < last_acks + 50 && unit_wait_more(end)) {
		}
		(void)usleep((useconds_t)(round * 3701) % 20000);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		ck_assert_uint_ge(atomic_load(&shared->acks), last_acks + 50);
		last_acks = atomic_load(&shared->acks);
		open_table();
		for (unsigned i = 0; i < AORS; i++) {
			check_aor(i);
		}
		close_table();
	}
	tmp_remove(dir);
	munmap(shared, sizeof(*shared));
}

START_TEST(a_killed_process_loses_nothing_acknowledged_full)
{
	kill_rounds(LOC_FULL);
}
END_TEST

START_TEST(a_killed_process_loses_nothing_acknowledged_process)
{
	kill_rounds(LOC_PROCESS);
}
END_TEST

UNIT_MAIN("location/lasting", on_a_full_disk_changes_are_refused_and_look_ups_go_on,
          a_change_that_fails_takes_those_that_were_made_on_top_of_it,
          async_changes_go_on_and_are_written_when_the_disk_is_back,
          rows_to_delete_outlast_a_full_disk_up_to_the_end,
          a_table_freed_with_changes_still_in_the_store_leaks_nothing,
          several_workers_write_their_own_with_every_durability,
          without_memory_a_durable_change_is_refused_before_it_begins,
          without_memory_nothing_is_served_half_loaded,
          a_killed_process_loses_nothing_acknowledged_full,
          a_killed_process_loses_nothing_acknowledged_process)
