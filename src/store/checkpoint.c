/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second thread: copies the log back into the database while the writer goes on, and tells
 * watchers about other programs' commits.
 *
 * A passive checkpoint never stops the writer, but only a log that is copied back whole can begin
 * anew, and a busy writer is always some pages ahead. So passes are made until little is left, and
 * that little is copied with the writer held up between two batches: a few milliseconds for each
 * 16 MiB of log.
 */
#include "store/priv.h"
#include "util/log.h"

#define PASSES_MAX 8

void store_aux_poke(struct store *s, bool checkpoint, bool watch)
{
	pthread_mutex_lock(&s->aux_lock);
	s->aux_checkpoint = s->aux_checkpoint || checkpoint;
	s->aux_watch = s->aux_watch || watch;
	pthread_cond_signal(&s->aux_wake);
	pthread_mutex_unlock(&s->aux_lock);
}

struct pass {
	bool ok;
	int copied; /* pages from the begin of the log on that are in the database */
	int left;   /* that are not */
};

static struct pass pass(struct store *s)
{
	struct pass p = { 0 };
	int in_log = 0, now;

	p.ok = sqlite3_wal_checkpoint_v2(s->aux, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log,
	                                 &p.copied) == SQLITE_OK;
	now = (int)atomic_load_explicit(&s->wal_pages, memory_order_relaxed);
	p.left = (now > in_log ? now : in_log) - p.copied;
	return p;
}

static void last_pass(struct store *s)
{
	struct store_queue *q = &s->queue;

	pthread_mutex_lock(&q->lock);
	q->pause_wanted = true;
	pthread_cond_signal(&q->wake);
	while (!q->is_paused) {
		pthread_cond_wait(&q->idle, &q->lock);
	}
	pthread_mutex_unlock(&q->lock);
	(void)pass(s);
	pthread_mutex_lock(&q->lock);
	q->pause_wanted = false;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

/* Is it worth holding up the writer? When little is left; or when the log has grown long because
 * the writer is quicker (and not because somebody reads old pages, which keeps most of it back). */
static bool is_worth_it(const struct pass *p)
{
	return p->ok && (p->left <= STORE_GATE_PAGES ||
	                 (p->left + p->copied > STORE_WAL_LONG && p->left < p->copied));
}

static void checkpoint(struct store *s)
{
	struct pass last = pass(s);
	unsigned limit = STORE_WAL_PAGES;

	for (int i = 1; i < PASSES_MAX && last.ok && last.left > STORE_GATE_PAGES; i++) {
		int before = last.left;

		last = pass(s);
		if (last.left >= before) {
			break;
		}
	}
	if (is_worth_it(&last)) {
		last_pass(s);
	} else { /* not before as much again has been written */
		limit += atomic_load_explicit(&s->wal_pages, memory_order_relaxed);
	}
	atomic_store_explicit(&s->wal_limit, limit, memory_order_relaxed);
}

static void watch(struct store *s)
{
	sqlite3 *reader = store_reader(s);

	for (size_t i = 0; reader && i < s->watchers_n; i++) {
		s->watchers[i].cb(s->watchers[i].arg, reader);
	}
	if (reader) {
		(void)sqlite3_db_release_memory(reader);
	}
}

void *store_aux_main(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->aux_lock);
	while (!s->aux_stop) {
		bool do_checkpoint = s->aux_checkpoint, do_watch = s->aux_watch;

		if (!do_checkpoint && !do_watch) {
			pthread_cond_wait(&s->aux_wake, &s->aux_lock);
			continue;
		}
		s->aux_watch = false;
		pthread_mutex_unlock(&s->aux_lock);
		if (do_checkpoint) {
			checkpoint(s);
		}
		if (do_watch) {
			watch(s);
		}
		pthread_mutex_lock(&s->aux_lock);
		s->aux_checkpoint = s->aux_checkpoint && !do_checkpoint;
	}
	pthread_mutex_unlock(&s->aux_lock);
	return NULL;
}
