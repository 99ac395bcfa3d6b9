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

/* Pages of the log that are not copied back yet; -1: it failed. */
static int pass(struct store *s)
{
	int in_log = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->aux, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log,
	                                   &copied);
	int now = (int)atomic_load_explicit(&s->wal_pages, memory_order_relaxed);

	if (rc != SQLITE_OK) {
		return -1;
	}
	return (now > in_log ? now : in_log) - copied;
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

static void checkpoint(struct store *s)
{
	int left = -1, before = -1;
	unsigned pages;

	for (int i = 0; i < PASSES_MAX; i++) {
		left = pass(s);
		if (left <= STORE_GATE_PAGES || (before >= 0 && left >= before)) {
			break; /* little is left, it failed, or somebody reads what is old */
		}
		before = left;
	}
	if (left >= 0 && left <= STORE_GATE_PAGES) {
		last_pass(s);
	}
	/* Not before as much again has been written, should it not have worked. */
	pages = atomic_load_explicit(&s->wal_pages, memory_order_relaxed);
	atomic_store_explicit(&s->wal_limit,
	                      left >= 0 && left <= STORE_GATE_PAGES ? STORE_WAL_PAGES
	                                                            : pages + STORE_WAL_PAGES,
	                      memory_order_relaxed);
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
