/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker: a thread with its own event base, clock, timers, run queue, mailbox and pools. All SIP
 * is done on workers; the upper layers keep one object of theirs per worker and no lock.
 *
 * A turn of the loop: events are read (sockets, mailbox) and put into the run queue; the queue is
 * drained by priority under a time budget; timers that are due run; then the turn's end: what was
 * collected for other workers and for the wire leaves (worker_at_turn_end), and at last what had to
 * live until then is freed (worker_reap).
 */
#pragma once

#include "conf/conf.h"
#include "util/arena.h"
#include "util/counters.h"
#include "util/hash.h"
#include "util/mailbox.h"
#include "util/msgbuf.h"
#include "util/random.h"
#include "worker/clock.h"
#include "worker/timer.h"

struct event_base;

#define WORKERS_MAX 256 /* a branch and a connection id name one in 8 bits */

/* The settings a worker works by now. Who needs them longer than a callback (transactions, waiting
 * hooks) takes a reference; the count belongs to the worker. */
struct worker_conf {
	struct conf *conf;
	unsigned refs;
};

enum worker_class { /* of the run queue; lower number first */
	WORKER_CLASS_URGENT,  /* responses, ACK, in-dialog, priority calls */
	WORKER_CLASS_NORMAL,
	WORKER_CLASS_N
};

struct workers; /* the group, see below */

struct worker {
	unsigned id, n;               /* 0 .. n-1 */
	struct workers *group;
	struct event_base *base;
	struct clock clock;
	struct timers *timers;
	struct arena_pool arenas;
	struct msgbuf_pool *bufs;
	struct random random;
	struct worker_conf *conf;
	struct counters *counters;
	struct counter_set *counts;
	const struct hash_key *process_key; /* the same on every worker, new per process start */
	struct mailbox *mailbox;
	struct worker_priv *priv;
};

struct workers_params {
	unsigned n; /* at most WORKERS_MAX */
	struct conf *conf;
	struct counters *counters;
	size_t mailbox_max;  /* messages waiting per worker */
	size_t msgbufs_max;  /* receive buffers per worker */
};
/* Makes the workers; threads start with workers_start(). Without it the caller drives each of them
 * with worker_turn(): tests. References are taken to conf; the counters stay the caller's and live
 * longer. -ENOMEM, -errno. */
int workers_new(const struct workers_params *params, struct workers **ws_r);
/* Stopped, and the layers above gone. */
void workers_free(struct workers *ws);
struct worker *workers_get(struct workers *ws, unsigned id);
unsigned workers_n(const struct workers *ws);
/* Threads with every signal blocked. -errno: none runs. */
int workers_start(struct workers *ws);
/* Asks every loop to end, joins, and runs on this thread what was still on its way between them. */
void workers_stop(struct workers *ws);

/* What a libevent callback on a worker calls first: brings the clock up to date, once per turn. */
void worker_event(struct worker *w);

/* Worker-local. Puts a job into the run queue; it runs in this turn if the budget allows. */
void worker_run(struct worker *w, enum worker_class cls, struct job *job);
/* So much waits in the run queue that reading more input would only make it wait longer: the
 * kernel's queues hold it then, and drop it when they are full. */
bool worker_is_behind(const struct worker *w);
/* Runs at the end of every turn, in the order of registration: flushing sends. */
typedef void(worker_turn_cb)(void *arg);
int worker_at_turn_end(struct worker *w, worker_turn_cb *cb, void *arg);
void worker_at_turn_end_del(struct worker *w, worker_turn_cb *cb, void *arg); /* if it is there */
/* Runs after the sends of this turn have left: frees what they pointed to. */
void worker_reap(struct worker *w, struct job *job);

/* From a worker to another, collected until the turn's end. false: full; the job stays the caller's.
 * job->run gets the receiving struct worker as its second argument. */
bool worker_post(struct worker *from, unsigned to, struct job *job);
/* Would worker_post() take one now? It will, if nothing else is posted in between. */
bool worker_can_post(const struct worker *from, unsigned to);
/* Never refused; no order between this and worker_post(). */
void worker_post_sure(struct worker *from, unsigned to, struct job *job);
/* From any thread, at once (main, storage). */
void workers_post(struct workers *ws, unsigned to, struct job *job); /* never refused */

/* A call on every worker and then @done on the caller's side: broadcast facts, gather answers. @fn
 * runs once on each worker, then @done (may be NULL) once on worker @home (-1: on the last worker to
 * finish). Any thread. -ENOMEM: nothing happens. */
typedef void(workers_each_cb)(struct worker *w, void *arg);
int workers_each(struct workers *ws, workers_each_cb *fn, workers_each_cb *done, int home, void *arg);

/* Gives every worker a new snapshot; @done as above when all have adopted it. */
int workers_set_conf(struct workers *ws, struct conf *conf, workers_each_cb *done, void *arg);
struct worker_conf *worker_conf_ref(struct worker *w);
void worker_conf_unref(struct worker_conf **wc);

/* us the loop needed for its last turn: lag under overload. Any thread. */
uint64_t worker_lag_us(const struct worker *w);
/* Monotonic ms of the last turn: the watchdog looks at it. Any thread. */
uint64_t worker_last_turn_ms(const struct worker *w);

/* Unit tests: one worker without thread on a fake clock; takes a reference to @conf (a struct of the
 * test's own begins with refs = 1; may be NULL). Unix time begins at 2024-01-01. NULL: no memory. */
struct worker *worker_new_fake(struct conf *conf, uint64_t start_ms);
void worker_free_fake(struct worker *w);
/* One turn that does not wait: events, mailbox, run queue, timers that are due, the turn's end.
 * Fake, or of a group that was not started. */
void worker_turn(struct worker *w);
/* Lets @ms pass on a fake clock: a turn now, at each time a timer is due, and at the end. */
void worker_pass(struct worker *w, uint64_t ms);
