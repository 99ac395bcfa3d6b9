/* SPDX-License-Identifier: Apache-2.0 */
/* The table in memory: order of changes, look-ups, expiry, flows, several workers. */
#include "loc.h"

#include <errno.h>
#include <stdio.h>

#define AOR "alice@example.com"

static struct fixture f;
static struct answer a;

#define OPEN()  fixture_open(&f, NULL)
#define CLOSE() fixture_close(&f)

START_TEST(an_unknown_aor_has_no_set)
{
	struct loc_set *set = (void *)1;

	OPEN();
	ck_assert_int_eq(loc_lookup(f.t, f.w, STR("nobody@x"), &set, NULL, NULL, NULL), 0);
	ck_assert_ptr_null(set);
	ck_assert_uint_eq(loc_set_n(NULL), 0);
	CLOSE();
}
END_TEST

START_TEST(a_look_up_keeps_its_set_whatever_comes_after)
{
	struct loc_set *set = NULL;
	struct loc_binding b;

	OPEN();
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1"),
	                 0);
	ck_assert_int_eq(loc_lookup(f.t, f.w, STR(AOR), &set, NULL, NULL, NULL), 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 2, .all = true), 0);
	ck_assert_uint_eq(published_n(&f, AOR), 0);
	loc_set_get(set, 0, &b);
	ck_assert_str_is(b.contact, "sip:a@h1");
	ck_assert_str_is(loc_set_aor(set), AOR);
	loc_set_unref(&set);
	CLOSE();
}
END_TEST

START_TEST(changes_of_one_turn_build_on_each_other_and_answer_in_order)
{
	struct answer first = { 0 }, second = { 0 }, fetch = { 0 }, third = { 0 };

	OPEN();
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h1" },
	                              &first),
	                 0);
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 2,
	                                                     .set = "sip:a@h2",
	                                                     .max = 2 },
	                              &second),
	                 0);
	ck_assert_int_eq(change_start(&f, &(struct change_args){ .aor = AOR }, &fetch), 0);
	/* The limit and CSeq see what is pending. */
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 3,
	                                                     .set = "sip:a@h3",
	                                                     .max = 2 },
	                              &third),
	                 BELFRY_EFULL);
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 2,
	                                                     .set = "sip:a@h2" },
	                              &third),
	                 BELFRY_ESTALE);
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 3,
	                                                     .remove = "sip:a@h1" },
	                              &third),
	                 0);
	ck_assert_uint_eq(published_n(&f, AOR), 0);
	worker_turn(f.w);
	ck_assert_str_eq(first.contacts, "sip:a@h1");
	ck_assert_str_eq(second.contacts, "sip:a@h2 sip:a@h1");
	ck_assert_str_eq(fetch.contacts, "sip:a@h2 sip:a@h1");
	ck_assert_str_eq(third.contacts, "sip:a@h2");
	ck_assert_uint_eq(first.n + second.n + fetch.n + third.n, 4);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h2");
	CLOSE();
}
END_TEST

static void cancel_target(int err, struct loc_set *set, void *arg)
{
	(void)err;
	(void)set;
	++*(unsigned *)arg;
}

START_TEST(a_cancelled_change_happens_without_its_callback)
{
	unsigned called = 0;
	struct loc_query *query = NULL;
	const struct loc_op op = { LOC_OP_SET,
		                   { .contact = STR("sip:a@h1"), .expires_ms = UINT64_MAX } };
	const struct loc_change c = {
		.aor = STR(AOR), .ops = &op, .ops_n = 1, .call_id = STR("c")
	};

	OPEN();
	ck_assert_int_eq(loc_apply(f.t, f.w, &c, cancel_target, &called, &query), 0);
	ck_assert_ptr_nonnull(query);
	loc_apply_cancel(&query);
	ck_assert_ptr_null(query);
	worker_turn(f.w);
	ck_assert_uint_eq(called, 0);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	CLOSE();
}
END_TEST

/* A callback that changes the same AOR again. */
static void change_again(int err, struct loc_set *set, void *arg)
{
	struct answer *got = arg;

	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(loc_set_n(set), 1);
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "d",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h2" },
	                              got),
	                 0);
	ck_assert_uint_eq(got->n, 0);
}

START_TEST(a_callback_may_change_the_same_aor)
{
	const struct loc_op op = { LOC_OP_SET,
		                   { .contact = STR("sip:a@h1"), .expires_ms = UINT64_MAX } };
	const struct loc_change c = {
		.aor = STR(AOR), .ops = &op, .ops_n = 1, .call_id = STR("c")
	};

	OPEN();
	a = (struct answer){ 0 };
	ck_assert_int_eq(loc_apply(f.t, f.w, &c, change_again, &a, NULL), 0);
	worker_turn(f.w);
	ck_assert_str_eq(a.contacts, "sip:a@h2 sip:a@h1");
	CLOSE();
}
END_TEST

START_TEST(a_table_that_is_freed_drops_what_is_pending)
{
	OPEN();
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h1" },
	                              &a),
	                 0);
	CLOSE();
}
END_TEST

/* --- many --- */

static void many_add(struct fixture *fx, unsigned n)
{
	char aor[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(aor, sizeof(aor), "u%06u@bench.test", i);
		ck_assert_int_eq(CHANGE(fx, NULL, .aor = aor, .call_id = "c", .cseq = 1,
		                        .set = "sip:a@h1", .expires_s = 10 + i % 50),
		                 0);
	}
}

static bool each_count(void *arg, struct loc_set *set)
{
	size_t *n = arg;

	ck_assert_uint_eq(loc_set_n(set), 1);
	return ++*n < 5000;
}

START_TEST(thousands_of_aors_are_found_and_walked)
{
	size_t n = 0;
	char aor[64];

	OPEN();
	many_add(&f, 20000);
	ck_assert_uint_eq(loc_count(f.t), 20000);
	for (unsigned i = 0; i < 20000; i += 7) {
		snprintf(aor, sizeof(aor), "u%06u@bench.test", i);
		ck_assert_uint_eq(published_n(&f, aor), 1);
	}
	loc_each(f.t, each_count, &n);
	ck_assert_uint_eq(n, 5000); /* it was enough */
	CLOSE();
}
END_TEST

START_TEST(ended_bindings_are_swept_within_ten_seconds)
{
	OPEN();
	many_add(&f, 2000);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .set = "sip:desk@h9", .by_operator = true,
	                        .forever = true),
	                 0);
	ck_assert_int_eq(loc_table_start_worker(f.t, f.w), 0);
	for (unsigned s = 0; s < 72; s++) {
		for (unsigned k = 0; k < 10; k++) {
			clock_advance(&f.w->clock, 100);
			worker_turn(f.w);
		}
		if (s == 8) {
			ck_assert_uint_eq(loc_count(f.t), 2001);
		}
		if (s == 30) {
			ck_assert_uint_lt(loc_count(f.t), 1700);
			ck_assert_uint_gt(loc_count(f.t), 800);
		}
	}
	ck_assert_uint_eq(loc_count(f.t), 1);
	ck_assert_str_eq(published(&f, AOR), "sip:desk@h9");
	CLOSE();
}
END_TEST

START_TEST(sweeping_takes_only_what_has_ended)
{
	OPEN();
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1",
	                        .expires_s = 5),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 2, .set = "sip:a@h2",
	                        .expires_s = 50),
	                 0);
	ck_assert_int_eq(loc_table_start_worker(f.t, f.w), 0);
	for (unsigned k = 0; k < 200; k++) {
		clock_advance(&f.w->clock, 100);
		worker_turn(f.w);
	}
	ck_assert_str_eq(published(&f, AOR), "sip:a@h2");
	CLOSE();
}
END_TEST

/* --- flows --- */

static const struct tp_listener listener = { .id = 1 };

static struct tp_flow flow_of(uint64_t conn, uint16_t port)
{
	return (struct tp_flow){ .listener = &listener,
		                 .conn = conn,
		                 .proto = conn ? TP_TCP : TP_UDP,
		                 .remote = { .family = 4, .port = port, .ip = { 192, 0, 2, 1 } } };
}

static bool is_dead(const char *aor, const char *contact)
{
	return published_binding(&f, aor, contact).flow_dead;
}

START_TEST(a_flow_that_goes_suspends_every_binding_by_it_of_every_aor)
{
	const struct tp_flow one = flow_of(77, 1000), two = flow_of(78, 1000),
			     udp = flow_of(0, 2000);

	OPEN();
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "a@x", .call_id = "c", .cseq = 1, .set = "sip:a@h1",
	                        .flow = &one),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "a@x", .call_id = "c", .cseq = 2, .set = "sip:a@h2",
	                        .flow = &two),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "b@x", .call_id = "c", .cseq = 1, .set = "sip:b@h1",
	                        .flow = &one),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "c@x", .call_id = "c", .cseq = 1, .set = "sip:c@h1",
	                        .flow = &udp),
	                 0);
	loc_flow_gone(f.t, f.w, &one);
	ck_assert(is_dead("a@x", "sip:a@h1"));
	ck_assert(!is_dead("a@x", "sip:a@h2"));
	ck_assert(is_dead("b@x", "sip:b@h1"));
	ck_assert(!is_dead("c@x", "sip:c@h1"));
	loc_flow_gone(f.t, f.w, &(struct tp_flow){ .proto = TP_UDP, .remote = udp.remote });
	ck_assert(is_dead("c@x", "sip:c@h1"));
	/* Another change of the AOR does not wake it, a refresh by a new flow does. */
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "a@x", .call_id = "c", .cseq = 3, .set = "sip:a@h3"),
	                 0);
	ck_assert(is_dead("a@x", "sip:a@h1"));
	ck_assert_int_eq(CHANGE(&f, &a, .aor = "a@x", .call_id = "c", .cseq = 4, .set = "sip:a@h1",
	                        .flow = &two),
	                 0);
	ck_assert(!is_dead("a@x", "sip:a@h1"));
	loc_flow_gone(f.t, f.w, &one);
	ck_assert(!is_dead("a@x", "sip:a@h1"));
	CLOSE();
}
END_TEST

START_TEST(a_flow_that_goes_while_a_change_is_pending_suspends_that_too)
{
	const struct tp_flow one = flow_of(77, 1000);

	OPEN();
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h1",
	                                                     .flow = &one },
	                              &a),
	                 0);
	loc_flow_gone(f.t, f.w, &one);
	worker_turn(f.w);
	ck_assert(is_dead(AOR, "sip:a@h1"));
	CLOSE();
}
END_TEST

START_TEST(without_memory_for_the_index_flows_are_found_all_the_same)
{
	const struct tp_flow one = flow_of(77, 1000);

	OPEN();
	ck_assert_int_eq(change_start(&f,
	                              &(struct change_args){ .aor = AOR,
	                                                     .call_id = "c",
	                                                     .cseq = 1,
	                                                     .set = "sip:a@h1",
	                                                     .flow = &one },
	                              &a),
	                 0);
	oom_fail_at(1);
	worker_turn(f.w);
	oom_off();
	ck_assert(f.t->lw[0].flows_incomplete);
	loc_flow_gone(f.t, f.w, &one);
	ck_assert(is_dead(AOR, "sip:a@h1"));
	CLOSE();
}
END_TEST

/* --- a store that answers later --- */

static struct loc_set *looked_up;
static unsigned looked_up_n;

static void look_up_done(int err, struct loc_set *set, void *arg)
{
	ck_assert_int_eq(err, 0);
	ck_assert_ptr_eq(arg, &f);
	looked_up = loc_set_ref(set);
	looked_up_n++;
}

START_TEST(a_slow_store_answers_look_ups_and_changes_in_a_later_turn)
{
	struct loc_set *set = NULL;
	struct loc_query *query = NULL;

	f.w = worker_new_fake(NULL, START_MS);
	ck_assert_int_eq(loc_table_new_fake_async(f.w, &f.t), 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1"),
	                 0);
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 1, .set = "sip:a@h1"),
	                 BELFRY_ESTALE);
	ck_assert_uint_eq(a.n, 1); /* by the callback */
	ck_assert_int_eq(CHANGE(&f, &a, .aor = AOR, .call_id = "c", .cseq = 2, .set = "sip:a@h2",
	                        .max = 1),
	                 BELFRY_EFULL);
	ck_assert_int_eq(loc_lookup(f.t, f.w, STR(AOR), &set, look_up_done, &f, &query),
	                 BELFRY_WAIT);
	ck_assert_uint_eq(looked_up_n, 0);
	worker_turn(f.w);
	ck_assert_uint_eq(looked_up_n, 1);
	ck_assert_uint_eq(loc_set_n(looked_up), 1);
	loc_set_unref(&looked_up);
	ck_assert_int_eq(loc_lookup(f.t, f.w, STR(AOR), &set, look_up_done, &f, &query),
	                 BELFRY_WAIT);
	loc_lookup_cancel(&query);
	ck_assert_ptr_null(query);
	worker_turn(f.w);
	ck_assert_uint_eq(looked_up_n, 1);
	CLOSE();
}
END_TEST

/* --- several workers --- */

#define WORKERS 4U
#define AORS    600U
#define ROUNDS  20U

static struct {
	struct loc_table *t;
	struct workers *ws;
	_Atomic unsigned answers, found;
	struct job jobs[WORKERS];
} multi;

static void multi_aor(unsigned i, char *out, size_t cap)
{
	snprintf(out, cap, "user%u@example.com", i);
}

static void multi_done(int err, struct loc_set *set, void *arg)
{
	(void)arg;
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(loc_set_n(set), 1);
	atomic_fetch_add(&multi.answers, 1);
}

static void multi_change(struct worker *w, const char *aor, unsigned round)
{
	struct tp_flow flow = flow_of(1 + round % 3, 1000);
	const struct loc_op op = { LOC_OP_SET,
		                   { .contact = STR("sip:a@h1"),
		                     .expires_ms = UINT64_MAX,
		                     .has_flow = true,
		                     .flow = flow } };
	const struct loc_change c = {
		.aor = str_from(aor), .ops = &op, .ops_n = 1, .call_id = STR("c"), .cseq = round + 1
	};

	ck_assert_int_eq(loc_apply(multi.t, w, &c, multi_done, NULL, NULL), 0);
}

static void multi_lookup(struct worker *w, const char *aor)
{
	struct loc_set *set = NULL;

	ck_assert_int_eq(loc_lookup(multi.t, w, str_from(aor), &set, NULL, NULL, NULL), 0);
	if (set) {
		struct loc_binding b;

		loc_set_get(set, 0, &b);
		ck_assert_str_is(b.contact, "sip:a@h1");
		atomic_fetch_add(&multi.found, 1);
	}
	loc_set_unref(&set);
}

/* Only the owner may. */
static void multi_not_mine(struct worker *w, const char *aor)
{
	const struct loc_change c = { .aor = str_from(aor),
		                      .remove_all = true,
		                      .by_operator = true };

	ck_assert_int_eq(loc_apply(multi.t, w, &c, multi_done, NULL, NULL), -EINVAL);
}

/* Changes what is this worker's and looks up all, round by round. */
static void multi_run(struct job *job, void *ctx)
{
	static unsigned rounds[WORKERS];
	struct worker *w = ctx;
	unsigned round = rounds[w->id]++;
	char aor[64];

	if (round == ROUNDS) {
		return;
	}
	for (unsigned i = 0; i < AORS; i++) {
		multi_aor(i, aor, sizeof(aor));
		if (transport_owner_of_aor(w, str_from(aor)) == w->id) {
			multi_change(w, aor, round);
		} else {
			multi_not_mine(w, aor);
		}
		multi_lookup(w, aor);
	}
	loc_flow_gone(multi.t, w,
	              &(struct tp_flow){ .conn = 1 + round % 3,
	                                 .proto = TP_TCP,
	                                 .remote = flow_of(1, 1000).remote });
	worker_post_sure(w, w->id, job);
}

START_TEST(several_workers_change_their_own_and_look_up_all)
{
	struct workers_params params = { .n = WORKERS, .mailbox_max = 10000, .msgbufs_max = 16 };

	params.counters = counters_new();
	ck_assert_int_eq(workers_new(&params, &multi.ws), 0);
	ck_assert_int_eq(loc_table_new(multi.ws, NULL, NULL, &multi.t), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(loc_table_start_worker(multi.t, workers_get(multi.ws, i)), 0);
		multi.jobs[i].run = multi_run;
		workers_post(multi.ws, i, &multi.jobs[i]);
	}
	ck_assert_int_eq(workers_start(multi.ws), 0);
	while (atomic_load(&multi.answers) < AORS * ROUNDS) {
		size_t n = 0;

		loc_each(multi.t, each_count, &n);
		ck_assert_uint_le(n, AORS);
		ck_assert_uint_le(loc_count(multi.t), AORS);
	}
	workers_stop(multi.ws);
	ck_assert_uint_eq(loc_count(multi.t), AORS);
	ck_assert_uint_gt(atomic_load(&multi.found), 0);
	loc_table_free(multi.t);
	workers_free(multi.ws);
	counters_free(params.counters);
}
END_TEST

/* --- memory that runs out --- */

static void oom_answer(int err, struct loc_set *set, void *arg)
{
	(void)set;
	*(int *)arg = err;
}

static int oom_scene(void *arg)
{
	const struct tp_flow flow = flow_of(77, 1000);
	const struct loc_op op = { LOC_OP_SET,
		                   { .contact = STR("sip:a@h1"),
		                     .expires_ms = START_MS + 1,
		                     .has_flow = true,
		                     .flow = flow } };
	const struct loc_change c = {
		.aor = STR(AOR), .ops = &op, .ops_n = 1, .call_id = STR("c")
	};
	struct loc_set *set = NULL;
	struct loc_table *t = NULL;
	int err = loc_table_new(f.w->group, NULL, NULL, &t), got = 1;

	(void)arg;
	if (err) {
		return err;
	}
	err = loc_apply(t, f.w, &c, oom_answer, &got, NULL);
	worker_turn(f.w);
	ck_assert_int_eq(got, err ? 1 : 0);
	ck_assert_int_eq(loc_lookup(t, f.w, STR(AOR), &set, NULL, NULL, NULL), 0);
	ck_assert_uint_eq(loc_set_n(set), err ? 0 : 1);
	loc_set_unref(&set);
	loc_flow_gone(t, f.w, &flow);
	loc_table_free(t);
	return err;
}

START_TEST(no_memory_is_told_before_anything_changes)
{
	f.w = worker_new_fake(NULL, START_MS);
	ck_assert_int_eq(oom_scene(NULL), 0); /* what the worker itself keeps is there now */
	oom_each(oom_scene, NULL);
	worker_free_fake(f.w);
}
END_TEST

UNIT_MAIN("location/table", an_unknown_aor_has_no_set, a_look_up_keeps_its_set_whatever_comes_after,
          changes_of_one_turn_build_on_each_other_and_answer_in_order,
          a_cancelled_change_happens_without_its_callback, a_callback_may_change_the_same_aor,
          a_table_that_is_freed_drops_what_is_pending, thousands_of_aors_are_found_and_walked,
          ended_bindings_are_swept_within_ten_seconds, sweeping_takes_only_what_has_ended,
          a_flow_that_goes_suspends_every_binding_by_it_of_every_aor,
          a_flow_that_goes_while_a_change_is_pending_suspends_that_too,
          without_memory_for_the_index_flows_are_found_all_the_same,
          a_slow_store_answers_look_ups_and_changes_in_a_later_turn,
          several_workers_change_their_own_and_look_up_all,
          no_memory_is_told_before_anything_changes)
