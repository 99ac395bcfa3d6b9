/* SPDX-License-Identifier: Apache-2.0 */
#include "util/counters.h"

#include "support/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static const double bounds[] = { 0.001, 0.01, 1 };

static const struct counter_def invites = { .type = COUNTER_COUNTER,
	                                    .name = "belfry_requests_total",
	                                    .labels = "method=\"INVITE\"",
	                                    .help = "requests" };
static const struct counter_def byes = { .type = COUNTER_COUNTER,
	                                 .name = "belfry_requests_total",
	                                 .labels = "method=\"BYE\"",
	                                 .help = "requests" };
static const struct counter_def bindings = { .type = COUNTER_GAUGE,
	                                     .name = "belfry_bindings",
	                                     .help = "bindings" };
static const struct counter_def setup = { .type = COUNTER_HISTOGRAM,
	                                  .name = "belfry_call_setup_seconds",
	                                  .help = "s",
	                                  .bounds = bounds,
	                                  .bounds_n = 3,
	                                  .scale = 1e-6 };

START_TEST(counters_register_gives_the_same_id_for_the_same_name_and_labels)
{
	struct counters *c = counters_new();
	struct counter_def wrong = bindings;
	char name[] = "belfry_requests_total", labels[] = "method=\"BYE\"";
	struct counter_def again = { .type = COUNTER_COUNTER, .name = name, .labels = labels };
	int a = counters_register(c, &invites), b = counters_register(c, &byes), id;

	ck_assert_int_ge(a, 0);
	ck_assert_int_ne(a, b);
	ck_assert_int_eq(counters_register(c, &again), b);
	memset(name, 'x', sizeof(name) - 1); /* names are copied */
	memset(labels, 'x', sizeof(labels) - 1);
	ck_assert_int_eq(counters_register(c, &byes), b);
	id = counters_register(c, &bindings);
	wrong.type = COUNTER_COUNTER;
	ck_assert_int_eq(counters_register(c, &wrong), -EEXIST);
	ck_assert_int_eq(counters_register(c, &bindings), id);
	counters_free(c);
}
END_TEST

START_TEST(counters_register_refuses_what_does_not_fit)
{
	struct counters *c = counters_new();
	struct counter_def def = setup;
	char name[32], labels[1000];

	def.scale = 0;
	ck_assert_int_eq(counters_register(c, &def), -EINVAL);
	memset(labels, 'l', sizeof(labels));
	labels[sizeof(labels) - 1] = '\0';
	def = invites;
	def.labels = labels;
	ck_assert_int_eq(counters_register(c, &def), -EINVAL);
	def.labels = NULL;
	def.name = name;
	for (int i = 0; i < COUNTER_MAX - 5; i++) {
		snprintf(name, sizeof(name), "belfry_%d", i);
		ck_assert_int_eq(counters_register(c, &def), i);
	}
	ck_assert_int_eq(counters_register(c, &setup), -ENOSPC);
	ck_assert_int_eq(counters_register(c, &bindings), COUNTER_MAX - 5);
	counters_free(c);
}
END_TEST

#define ADDERS 3
#define ADDS   50000

struct adder {
	pthread_t thread;
	struct counters *c;
	int total, gauge, up;
};

static void *add_all(void *arg)
{
	struct adder *a = arg;
	struct counter_set *set = counters_set_new(a->c);

	for (int i = 0; i < ADDS; i++) {
		counter_inc(set, a->total);
		counter_add(set, a->gauge, a->up);
	}
	return NULL;
}

START_TEST(counters_sum_over_threads_while_they_count)
{
	struct counters *c = counters_new();
	struct adder adders[ADDERS];
	uint64_t seen = 0;

	for (int i = 0; i < ADDERS; i++) {
		adders[i] = (struct adder){ .c = c,
			                    .total = counters_register(c, &invites),
			                    .gauge = counters_register(c, &bindings),
			                    .up = i == 0 ? -1 : 1 };
		pthread_create(&adders[i].thread, NULL, add_all, &adders[i]);
	}
	for (int i = 0; i < 100; i++) {
		uint64_t now = counters_get(c, adders[0].total);

		ck_assert_uint_ge(now, seen);
		seen = now;
	}
	for (int i = 0; i < ADDERS; i++) {
		pthread_join(adders[i].thread, NULL);
	}
	ck_assert_uint_eq(counters_get(c, adders[0].total), ADDERS * ADDS);
	ck_assert_uint_eq(counters_get(c, adders[0].gauge), ADDS);
	counters_free(c);
}
END_TEST

static void print_one(void *arg, const struct counter_def *def, const char *name,
                      const char *labels, double value)
{
	char *text = arg;

	ck_assert_ptr_nonnull(def->help);
	sprintf(text + strlen(text), "%s{%s} %g\n", name, labels ? labels : "", value);
}

START_TEST(counters_each_goes_by_name_and_spells_out_histograms)
{
	struct counters *c = counters_new();
	struct counter_set *set = counters_set_new(c), *other = counters_set_new(c);
	int a = counters_register(c, &invites), h = counters_register(c, &setup);
	int g = counters_register(c, &bindings), b = counters_register(c, &byes);
	char text[2000] = "";

	counter_add(set, a, 3);
	counter_inc(other, a);
	counter_inc(set, b);
	counter_set_to(set, g, 5);
	counter_add(other, g, -7);
	counter_observe(c, set, h, 1000); /* on the bound: 1 ms */
	counter_observe(c, set, h, 1001);
	counter_observe(c, other, h, 10000);
	counter_observe(c, set, h, 2000000);
	counters_each(c, print_one, text);
	ck_assert_str_eq(text, "belfry_bindings{} -2\n"
	                       "belfry_call_setup_seconds_bucket{le=\"0.001\"} 1\n"
	                       "belfry_call_setup_seconds_bucket{le=\"0.01\"} 3\n"
	                       "belfry_call_setup_seconds_bucket{le=\"1\"} 3\n"
	                       "belfry_call_setup_seconds_bucket{le=\"+Inf\"} 4\n"
	                       "belfry_call_setup_seconds_sum{} 2.012\n"
	                       "belfry_call_setup_seconds_count{} 4\n"
	                       "belfry_requests_total{method=\"BYE\"} 1\n"
	                       "belfry_requests_total{method=\"INVITE\"} 4\n");
	counters_free(c);
}
END_TEST

START_TEST(counters_histogram_adds_le_behind_its_own_labels)
{
	struct counters *c = counters_new();
	struct counter_def def = setup;
	char text[2000] = "";

	def.labels = "worker=\"1\"";
	counter_observe(c, counters_set_new(c), counters_register(c, &def), 5);
	counters_each(c, print_one, text);
	ck_assert_ptr_nonnull(strstr(text, "_bucket{worker=\"1\",le=\"+Inf\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "_count{worker=\"1\"} 1\n"));
	counters_free(c);
}
END_TEST

static int counters_scenario(void *arg)
{
	struct counters *c = counters_new();
	int err = c ? 0 : -ENOMEM;

	(void)arg;
	if (c && (counters_register(c, &invites) < 0 || counters_register(c, &setup) < 0 ||
	          !counters_set_new(c) || !counters_set_new(c))) {
		err = -ENOMEM;
	}
	counters_free(c);
	return err;
}

START_TEST(counters_survive_want_of_memory)
{
	oom_each(counters_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/counters", counters_register_gives_the_same_id_for_the_same_name_and_labels,
          counters_register_refuses_what_does_not_fit, counters_sum_over_threads_while_they_count,
          counters_each_goes_by_name_and_spells_out_histograms,
          counters_histogram_adds_le_behind_its_own_labels, counters_survive_want_of_memory)
