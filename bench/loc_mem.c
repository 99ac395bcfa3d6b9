/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and time of the location table alone: loc_mem [BINDINGS]. Registers each address-of-record
 * once, refreshes all three times, looks all up, and prints bytes (PSS) per binding and the time of
 * each step. One worker on a fake clock, nothing stored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "location/location.h"

#define PER_TURN 64U

static struct worker *w;
static struct loc_table *t;
static size_t answered;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double pss(void)
{
	FILE *in = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	double kib = 0;

	while (in && fgets(line, sizeof(line), in)) {
		if (sscanf(line, "Pss: %lf", &kib) == 1) {
			break;
		}
	}
	if (in) {
		fclose(in);
	}
	return kib * 1024;
}

static void applied(int err, struct loc_set *set, void *arg)
{
	(void)arg;
	answered += err == 0 && loc_set_n(set) == 1;
}

static struct str aor_of(size_t i, char *out, size_t cap)
{
	return str_make(out, (size_t)snprintf(out, cap, "u%06zu@bench.test", i));
}

static void registers(size_t n, unsigned round)
{
	static const struct tp_listener listener = { .id = 1 };
	char aor[64], contact[96], call_id[64];

	for (size_t i = 0; i < n; i++) {
		struct loc_op op = {
			.kind = LOC_OP_SET,
			.b = { .expires_ms = w->clock.now_ms + 3600000,
			       .user_agent = STR("sipload/1.0"),
			       .received = STR("udp:127.77.0.2:25060"),
			       .has_flow = true,
			       .flow = { .listener = &listener,
			                 .remote = { 4, 25060, 0, { 127, 77, 0, 2 } },
			                 .local = { 4, 5060, 0, { 127, 77, 0, 10 } } } },
		};
		struct loc_change c = {
			.ops = &op, .ops_n = 1, .max_contacts = 10, .replace_instance = true
		};

		c.aor = aor_of(i, aor, sizeof(aor));
		op.b.contact =
			str_make(contact, (size_t)snprintf(contact, sizeof(contact),
		                                           "sip:u%06zu@127.77.0.3:25160", i));
		c.call_id = str_make(call_id, (size_t)snprintf(call_id, sizeof(call_id),
		                                               "%08zx-%08x-%08zx@127.77.0.2", i,
		                                               round, i * 7));
		c.cseq = round;
		if (loc_apply(t, w, &c, applied, NULL, NULL)) {
			exit(1);
		}
		if (i % PER_TURN == 0) {
			worker_turn(w);
		}
	}
	worker_turn(w);
}

static void look_ups(size_t n)
{
	char aor[64];
	uint64_t x = 1;

	for (size_t i = 0; i < n; i++) {
		struct loc_set *set = NULL;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		loc_lookup(t, w, aor_of((x >> 33) % n, aor, sizeof(aor)), &set, NULL, NULL, NULL);
		answered += set != NULL;
		loc_set_unref(&set);
	}
}

static void show(const char *what, size_t n, double started, double base)
{
	printf("%-10s %9zu  %7.0f ns each  %6.1f bytes/binding (PSS)\n", what, answered,
	       (now_s() - started) * 1e9 / (double)n, (pss() - base) / (double)n);
	if (answered != n) {
		exit(1);
	}
	answered = 0;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 500000;
	double base, at;

	w = worker_new_fake(NULL, 1000000);
	base = pss();
	if (!w || loc_table_new(w->group, NULL, NULL, &t)) {
		return 1;
	}
	at = now_s();
	registers(n, 1);
	show("register", n, at, base);
	for (unsigned round = 2; round < 5; round++) {
		at = now_s();
		registers(n, round);
		show("refresh", n, at, base);
	}
	at = now_s();
	look_ups(n);
	show("look-up", n, at, base);
	loc_table_free(t);
	worker_free_fake(w);
	return 0;
}
