/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable changes and start-up of the location table: loc_store DIR [BINDINGS [CHANGES [WINDOW]]].
 * Stores BINDINGS new bindings and then CHANGES refreshes in random order, with WINDOW of them not
 * answered yet at any time, once with each durability; then loads all of them again. Beside it,
 * what one fsync costs on that disk. DIR must be empty.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "location/location.h"
#include "store/store.h"
#include "util/log.h"

static struct worker *w;
static struct store *store;
static struct loc_table *t;
static size_t answered, failed;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why ? why : "failed");
	exit(1);
}

static void open_all(const char *dir)
{
	char *error = NULL;

	w = worker_new_fake(NULL, 1000000);
	if (!w) {
		fail("worker", NULL);
	}
	w->clock.unix_ms = (int64_t)time(NULL) * 1000;
	if (store_open(str_from(dir), &store, &error) || loc_table_new(w->group, store, NULL, &t) ||
	    loc_table_load(t, &error) || store_start(store, w->group, w->counters)) {
		fail(dir, error);
	}
}

static void close_all(void)
{
	if (loc_table_flush(t)) {
		fail("flush", NULL);
	}
	store_stop(store);
	loc_table_free(t);
	worker_free_fake(w);
	store_free(store);
}

static void applied(int err, struct loc_set *set, void *arg)
{
	(void)arg;
	answered++;
	failed += err || loc_set_n(set) != 1;
}

static void change(size_t i, uint32_t cseq, enum loc_durability durability)
{
	static const struct tp_listener listener = { .id = 1 };
	char aor[64], contact[96], call_id[64];
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
	struct loc_change c = { .ops = &op,
		                .ops_n = 1,
		                .max_contacts = 10,
		                .cseq = cseq,
		                .durability = durability,
		                .flush_interval_s = 60 };

	c.aor = str_make(aor, (size_t)snprintf(aor, sizeof(aor), "u%06zu@bench.test", i));
	op.b.contact = str_make(contact, (size_t)snprintf(contact, sizeof(contact),
	                                                  "sip:u%06zu@127.77.0.3:25160", i));
	c.call_id =
		str_make(call_id, (size_t)snprintf(call_id, sizeof(call_id),
	                                           "%08zx-%08x-%08zx@127.77.0.2", i, 7U, i * 7));
	if (loc_apply(t, w, &c, applied, NULL, NULL)) {
		fail("change", "refused");
	}
}

static void run(const char *what, size_t n, size_t of, bool in_order, uint32_t cseq,
                enum loc_durability durability, size_t window)
{
	double at = now_s(), cpu = cpu_s();
	uint64_t x = 1;
	size_t sent = 0;

	answered = failed = 0;
	while (answered < n) {
		for (; sent < n && sent - answered < window; sent++) {
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			change(in_order ? sent : (x >> 33) % of, cseq + (uint32_t)sent, durability);
		}
		worker_turn(w);
		if (sent - answered >= window) {
			(void)usleep(50); /* as epoll would wait */
		}
	}
	at = now_s() - at;
	printf("%-22s %8zu  %8.0f/s  %6.2f us CPU each\n", what, n, (double)n / at,
	       (cpu_s() - cpu) * 1e6 / (double)n);
	if (failed) {
		fail(what, "changes failed");
	}
}

static void fsync_cost(const char *dir)
{
	char path[512], block[4096] = { 0 };
	int fd, n = 200;
	double at;

	snprintf(path, sizeof(path), "%s/fsync-probe", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	at = now_s();
	for (int i = 0; fd >= 0 && i < n; i++) {
		if (pwrite(fd, block, sizeof(block), (off_t)i * 4096) < 0 || fdatasync(fd)) {
			fail(path, "cannot write");
		}
	}
	printf("one write of 4 KiB and fdatasync: %.0f us\n", (now_s() - at) * 1e6 / n);
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	size_t bindings = argc > 2 ? strtoul(argv[2], NULL, 10) : 500000;
	size_t changes = argc > 3 ? strtoul(argv[3], NULL, 10) : 100000;
	size_t window = argc > 4 ? strtoul(argv[4], NULL, 10) : 100;
	double at, cpu;

	if (argc < 2) {
		fail("usage", "loc_store DIR [BINDINGS [CHANGES [WINDOW]]]");
	}
	log_set_level(LOG_LVL_WARNING);
	fsync_cost(argv[1]);
	open_all(argv[1]);
	run("new, full", bindings, bindings, true, 1, LOC_FULL, window);
	run("refresh, full", changes, bindings, false, 1000000, LOC_FULL, window);
	run("refresh of 4000, full", changes, 4000, false, 2000000, LOC_FULL, window);
	run("refresh, process", changes, bindings, false, 3000000, LOC_PROCESS, window);
	run("refresh, async", changes, bindings, false, 4000000, LOC_ASYNC, window);
	at = now_s();
	close_all();
	printf("flush and close: %.2f s\n", now_s() - at);
	at = now_s();
	cpu = cpu_s();
	open_all(argv[1]);
	printf("open and load %zu bindings: %.2f s, %.2f s CPU\n", loc_count(t), now_s() - at,
	       cpu_s() - cpu);
	close_all();
	return 0;
}
