/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, the writer thread, and how results go home. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/priv.h"
#include "util/err.h"
#include "util/log.h"

/* --- health --- */

void store_set_health(struct store *s, const char *why)
{
	pthread_mutex_lock(&s->health_lock);
	snprintf(s->health, sizeof(s->health), "%s", why ? why : "");
	pthread_mutex_unlock(&s->health_lock);
	if (s->counts && s->up_gauge >= 0) {
		counter_set_to(s->counts, s->up_gauge, why == NULL);
	}
}

struct str store_health(struct store *s, char *out, size_t cap)
{
	int n;

	pthread_mutex_lock(&s->health_lock);
	n = snprintf(out, cap, "%s", s->health[0] ? s->health : "ok");
	pthread_mutex_unlock(&s->health_lock);
	return str_make(out, n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1);
}

/* --- results --- */

static struct store_outbox *outbox_of(struct store *s, int worker)
{
	unsigned last = s->out_n - 1;

	return &s->out[worker >= 0 && (unsigned)worker < last ? (unsigned)worker : last];
}

static void outbox_run(struct job *job, void *ctx)
{
	struct store_outbox *out = (struct store_outbox *)(void *)job; /* its first member */
	struct store_unit *u;
	size_t n = 0;

	pthread_mutex_lock(&out->lock);
	u = out->first;
	out->first = NULL;
	out->last = &out->first;
	out->is_posted = false;
	pthread_mutex_unlock(&out->lock);
	while (u) {
		struct store_unit *next = u->next;

		u->done(u, u->err, ctx);
		u = next;
		n++;
	}
	pthread_mutex_lock(&out->s->queue.lock);
	out->in_flight -= n;
	pthread_mutex_unlock(&out->s->queue.lock);
}

static void outbox_post(struct store *s, struct store_outbox *out)
{
	unsigned i = (unsigned)(out - s->out);

	if (i < s->out_n - 1) {
		workers_post(s->ws, i, &out->job);
	} else if (s->main) {
		mailbox_post_sure(s->main, &out->job);
	} else {
		outbox_run(&out->job, NULL);
	}
}

static void outbox_add(struct store_outbox *out, struct store_unit *u)
{
	pthread_mutex_lock(&out->lock);
	u->next = NULL;
	*out->last = u;
	out->last = &u->next;
	pthread_mutex_unlock(&out->lock);
}

/* One message per thread that has results. */
static void deliver(struct store *s, struct store_unit *u)
{
	while (u) {
		struct store_unit *next = u->next;

		if (u->worker == STORE_INLINE) {
			u->done(u, u->err, NULL);
		} else {
			outbox_add(outbox_of(s, u->worker), u);
		}
		u = next;
	}
	for (unsigned i = 0; i < s->out_n; i++) {
		struct store_outbox *out = &s->out[i];
		bool post;

		pthread_mutex_lock(&out->lock);
		post = out->first && !out->is_posted;
		out->is_posted = out->is_posted || post;
		pthread_mutex_unlock(&out->lock);
		if (post) {
			outbox_post(s, out);
		}
	}
}

int store_outboxes_new(struct store *s)
{
	s->out_n = (s->ws ? workers_n(s->ws) : 0) + 1;
	s->out = calloc(s->out_n, sizeof(*s->out));
	if (!s->out) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < s->out_n; i++) {
		struct store_outbox *out = &s->out[i];

		out->s = s;
		out->job.run = outbox_run;
		out->last = &out->first;
		pthread_mutex_init(&out->lock, NULL);
	}
	return 0;
}

/* --- the queue --- */

/* Under the lock. A thread that has not been told of the last failure yet may have made @u on top
 * of what was not written. */
static int may_submit(struct store *s, const struct store_unit *u)
{
	struct store_queue *q = &s->queue;
	struct store_outbox *out;

	if (q->is_failing || q->is_stopping || !s->out) {
		return BELFRY_EAGAIN;
	}
	if (q->n >= STORE_QUEUE_MAX) {
		return BELFRY_EFULL;
	}
	if (u->worker == STORE_INLINE) {
		return 0;
	}
	out = outbox_of(s, u->worker);
	if (out->epoch != q->epoch && out->in_flight) {
		return BELFRY_EAGAIN;
	}
	out->epoch = q->epoch;
	out->in_flight++;
	return 0;
}

int store_submit(struct store *s, struct store_unit *u)
{
	struct store_queue *q = &s->queue;
	bool wake = false;
	int err;

	pthread_mutex_lock(&q->lock);
	err = may_submit(s, u);
	if (!err) {
		u->next = NULL;
		*q->last = u;
		q->last = &u->next;
		if (u->sync != STORE_LAZY) {
			q->urgent_n++;
		} else if (q->n == q->urgent_n) {
			q->lazy_at_ms = store_now_ms() + STORE_LAZY_MS;
			wake = true;
		}
		q->n++;
		wake = q->is_waiting && (wake || u->sync != STORE_LAZY);
		q->is_waiting = q->is_waiting && !wake;
	}
	pthread_mutex_unlock(&q->lock);
	if (wake) {
		pthread_cond_signal(&q->wake);
	}
	return err;
}

/* Under the lock. */
static struct store_unit *queue_take(struct store_queue *q, size_t max, size_t *n_r)
{
	struct store_unit *first = q->first, *u = first;
	size_t n = 0;

	while (u && n < max) {
		q->urgent_n -= u->sync != STORE_LAZY;
		q->first = u->next;
		n++;
		if (n == max || !u->next) {
			u->next = NULL;
			break;
		}
		u = u->next;
	}
	q->n -= n;
	if (!q->first) {
		q->last = &q->first;
	}
	*n_r = n;
	return first;
}

/* Those that did not fit into the batch come first again. */
static void queue_put_back(struct store_queue *q, struct store_unit *first)
{
	struct store_unit *u = first;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		q->n++;
		q->urgent_n += u->sync != STORE_LAZY;
		if (!u->next) {
			break;
		}
		u = u->next;
	}
	u->next = q->first;
	if (!q->first) {
		q->last = &u->next;
	}
	q->first = first;
	pthread_mutex_unlock(&q->lock);
}

size_t store_queue_len(const struct store *s)
{
	struct store_queue *q = (struct store_queue *)(uintptr_t)&s->queue;
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->n;
	pthread_mutex_unlock(&q->lock);
	return n;
}

void store_wait(struct store *s)
{
	struct store_queue *q = &s->queue;

	pthread_mutex_lock(&q->lock);
	q->hurry++;
	pthread_cond_signal(&q->wake);
	while (s->has_writer && (q->first || q->is_busy)) {
		pthread_cond_wait(&q->idle, &q->lock);
	}
	q->hurry--;
	pthread_mutex_unlock(&q->lock);
}

/* --- the writer --- */

static void fail_all(struct store *s, struct store_unit *batch)
{
	struct store_queue *q = &s->queue;
	struct store_unit **last = &batch, *rest;
	size_t n;

	pthread_mutex_lock(&q->lock);
	q->epoch++;
	q->is_failing = true;
	rest = queue_take(q, SIZE_MAX, &n);
	pthread_mutex_unlock(&q->lock);
	store_set_health(s, s->last_error);
	log_error("store.failed", LOG_Z("error", s->last_error), LOG_Z("file", s->path),
	          LOG_Z("hint", "writing is tried again every second"));
	while (*last) {
		last = &(*last)->next;
	}
	*last = rest;
	n = 0;
	for (struct store_unit *u = batch; u; u = u->next) {
		u->err = BELFRY_EAGAIN;
		n++;
	}
	if (s->counts && s->failures >= 0) {
		counter_add(s->counts, s->failures, (int64_t)n);
	}
	deliver(s, batch);
}

static void run_batch(struct store *s, struct store_unit *first, size_t n)
{
	uint64_t start_us = store_now_us();
	struct store_unit *u = first, *rest;
	size_t ran = n;

	if (store_batch_run(s, first, n, &ran)) {
		fail_all(s, first);
		return;
	}
	for (size_t i = 1; i < ran; i++) {
		u = u->next;
	}
	rest = u->next;
	u->next = NULL;
	if (rest) {
		queue_put_back(&s->queue, rest);
	}
	if (s->counts && s->commit_hist >= 0) {
		counter_observe(s->counters, s->counts, s->commit_hist, store_now_us() - start_us);
	}
	deliver(s, first);
}

/* The log was removed: what is in it is saved into the database, for after a crash nobody would
 * find it. What is written from now on must not go there. */
static void save_log(struct store *s)
{
	bool ok = sqlite3_wal_checkpoint_v2(s->writer, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL) ==
	          SQLITE_OK;

	snprintf(s->last_error, sizeof(s->last_error),
	         "the log beside it (-wal) was removed or replaced while it was open; %s",
	         ok ? "what was in it is saved; restart" : "restart");
	fail_all(s, NULL);
}

/* Has somebody else written, are the files still where they were? */
static void poll_file(struct store *s)
{
	sqlite3_stmt *stmt = store_stmt(s, "PRAGMA data_version");
	int moved = 0, version = s->data_version;

	if (stmt && store_row(s, stmt) == 1) {
		version = sqlite3_column_int(stmt, 0);
		(void)sqlite3_reset(stmt);
	}
	if (s->data_version && version != s->data_version) {
		store_aux_poke(s, false, true);
	}
	s->data_version = version;
	if (sqlite3_file_control(s->writer, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    moved) {
		snprintf(s->last_error, sizeof(s->last_error),
		         "the file was removed or replaced while it was open; put it back or "
		         "restart");
		fail_all(s, NULL);
	} else if (s->log_inode && store_log_inode(s) != s->log_inode) {
		save_log(s);
	}
}

static void deadline(uint64_t at_ms, struct timespec *ts_r)
{
	ts_r->tv_sec = (time_t)(at_ms / 1000);
	ts_r->tv_nsec = (long)(at_ms % 1000) * 1000000;
}

static bool has_work(const struct store_queue *q, uint64_t now_ms)
{
	return q->urgent_n || (q->n && (q->hurry || q->is_stopping || now_ms >= q->lazy_at_ms));
}

/* Under the lock: the checkpointer wants the log to itself for a moment. */
static void pause_if_wanted(struct store_queue *q)
{
	while (q->pause_wanted && !q->is_stopping) {
		q->is_paused = true;
		pthread_cond_broadcast(&q->idle);
		pthread_cond_wait(&q->wake, &q->lock);
	}
	q->is_paused = false;
}

/* Under the lock: until there is work, the clock says so, or the end comes. */
static void wait_for_work(struct store *s)
{
	struct store_queue *q = &s->queue;
	uint64_t now_ms = store_now_ms();

	while (!has_work(q, now_ms) && !q->is_stopping && !q->pause_wanted &&
	       now_ms < s->poll_at_ms) {
		uint64_t until_ms = s->poll_at_ms;
		struct timespec ts;

		if (q->n && q->lazy_at_ms < until_ms) {
			until_ms = q->lazy_at_ms;
		}
		deadline(until_ms, &ts);
		q->is_waiting = true;
		pthread_cond_timedwait(&q->wake, &q->lock, &ts);
		q->is_waiting = false;
		now_ms = store_now_ms();
	}
}

static void try_again(struct store *s)
{
	if (store_probe(s)) {
		store_set_health(s, s->last_error);
		return;
	}
	s->data_version = 0; /* of another connection */
	pthread_mutex_lock(&s->queue.lock);
	s->queue.is_failing = false;
	pthread_mutex_unlock(&s->queue.lock);
	store_set_health(s, NULL);
	store_aux_poke(s, false, true); /* what others wrote meanwhile */
	log_notice("store.works_again", LOG_Z("file", s->path));
}

/* Now and then, outside the lock. */
static void tick(struct store *s)
{
	if (s->queue.is_failing) { /* only this thread changes it */
		try_again(s);
	} else {
		poll_file(s);
	}
	s->poll_at_ms = store_now_ms() + (s->queue.is_failing ? STORE_RETRY_MS : STORE_POLL_MS);
}

/* Under the lock. false: nothing is left to do, ever. */
static bool turn(struct store *s)
{
	struct store_queue *q = &s->queue;
	struct store_unit *first;
	size_t n;

	wait_for_work(s);
	pause_if_wanted(q);
	if (q->is_stopping && !q->n) {
		return false;
	}
	first = has_work(q, store_now_ms()) ? queue_take(q, STORE_BATCH_MAX, &n) : NULL;
	q->is_busy = first != NULL;
	if (s->counts && s->queue_gauge >= 0) {
		counter_set_to(s->counts, s->queue_gauge, q->n);
	}
	pthread_mutex_unlock(&q->lock);
	if (first) {
		run_batch(s, first, n);
	}
	if (store_now_ms() >= s->poll_at_ms) {
		tick(s);
	}
	pthread_mutex_lock(&q->lock);
	q->is_busy = false;
	if (!q->first) {
		pthread_cond_broadcast(&q->idle);
	}
	return true;
}

void *store_writer_main(void *arg)
{
	struct store *s = arg;
	struct store_queue *q = &s->queue;

	s->poll_at_ms = store_now_ms(); /* the first data_version */
	pthread_mutex_lock(&q->lock);
	while (turn(s)) {
	}
	q->is_paused = true;
	pthread_cond_broadcast(&q->idle);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}
