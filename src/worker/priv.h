/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a worker, for src/worker only. */
#pragma once

#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>

struct event;

struct job_queue {
	struct job *first, **last;
};

struct turn_end {
	worker_turn_cb *cb;
	void *arg;
};

/* What was posted to one other worker in this turn. */
struct outbox {
	struct job_queue bounded, sure;
	size_t bounded_n;
};

struct worker_priv {
	struct event *wake;  /* the mailbox's eventfd */
	struct event *alarm; /* the next timer, or the watchdog's tick */
	uint64_t alarm_ms;   /* when @alarm fires; 0: not set */
	bool is_clock_new;   /* read in this turn */
	bool is_stopping;
	bool has_posted; /* an outbox holds something */
	struct job stop;
	struct job_queue run[WORKER_CLASS_N];
	size_t run_n; /* jobs in them */
	struct job_queue reap;
	struct turn_end *ends;
	size_t ends_n;
	struct outbox *out; /* one per worker */
	size_t mailbox_max;
	_Alignas(64) _Atomic uint64_t lag_us, last_turn_ms;
};

struct workers {
	unsigned n;
	bool is_running;
	struct worker **w;
	pthread_t *threads;
	struct hash_key process_key;
	struct counters *own_counters; /* of a fake one */
};

int worker_new(struct workers *ws, unsigned id, const struct workers_params *params,
               struct worker **w_r);
void worker_free(struct worker *w);
/* The loop of a started worker, until it is told to stop. */
void worker_loop(struct worker *w);
/* Mailbox, run queue and turn's end, without events and timers. true: there was something. */
bool worker_settle(struct worker *w);
/* Takes over the reference. */
void worker_adopt_conf(struct worker *w, struct worker_conf *wc);
struct worker_conf *worker_conf_new(struct conf *conf);
