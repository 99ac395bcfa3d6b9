/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing: the lock of the state directory, the file, the threads. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/priv.h"
#include "util/err.h"
#include "util/log.h"

static const double commit_bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
	                                0.05,   0.1,   0.25,   0.5,   1,    5 };

static const struct counter_def up_def = {
	.type = COUNTER_GAUGE,
	.name = "belfry_store_up",
	.help = "1 when the database can be written, 0 when that fails",
};
static const struct counter_def queue_def = {
	.type = COUNTER_GAUGE,
	.name = "belfry_store_queue",
	.help = "Units of work that wait to be written",
};
static const struct counter_def commit_def = {
	.type = COUNTER_HISTOGRAM,
	.name = "belfry_store_commit_seconds",
	.help = "Time that one batch took to be written, in seconds",
	.bounds = commit_bounds,
	.bounds_n = sizeof(commit_bounds) / sizeof(commit_bounds[0]),
	.scale = 1e-6,
};
static const struct counter_def failures_def = {
	.type = COUNTER_COUNTER,
	.name = "belfry_store_failed_units_total",
	.help = "Units of work that could not be written",
};

/* --- the lock --- */

static int busy_error(const struct store *s, int fd, char **error_r)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	for (ssize_t i = 0; i < n; i++) {
		if (pid[i] < '0' || pid[i] > '9') {
			pid[i] = '\0';
		}
	}
	*error_r = store_error("the state directory %s is in use by another belfryd (process %s); "
	                       "stop it, or give this one a server.state_dir of its own",
	                       s->dir, pid[0] ? pid : "unknown");
	return -EBUSY;
}

static int take_lock(struct store *s, char **error_r)
{
	char path[STORE_PATH_MAX + 8];
	int fd, err;

	snprintf(path, sizeof(path), "%s/lock", s->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		*error_r = store_error("cannot open %s: %s; server.state_dir must be a directory "
		                       "that this user can write",
		                       path, strerror(-err));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? busy_error(s, fd, error_r) : -errno;
		close(fd);
		return err;
	}
	if (ftruncate(fd, 0) == 0) {
		(void)dprintf(fd, "%ld\n", (long)getpid());
	}
	s->lock_fd = fd;
	return 0;
}

/* --- opening --- */

/* Nothing is changed (no log copied back when it is closed) before it is known to be ours. */
static int open_writer(struct store *s, char **error_r)
{
	int err = store_connect(s, STORE_WRITER, &s->writer);

	if (err && (s->last_code == SQLITE_CORRUPT || s->last_code == SQLITE_NOTADB)) {
		return store_damaged(s, s->last_error, error_r);
	}
	if (err) {
		*error_r = store_error("cannot open %s: %s", s->path, s->last_error);
		return -EIO;
	}
	(void)sqlite3_db_config(s->writer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	err = store_schema_check(s, error_r);
	(void)sqlite3_db_config(s->writer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, err != 0, NULL);
	return err;
}

static int open_file(struct store *s, char **error_r)
{
	struct stat st;
	bool exists;
	int err = store_file_check(s->path, &exists, error_r);

	if (!err && !exists) {
		err = store_file_create(s, error_r);
	}
	err = err ? err : open_writer(s, error_r);
	if (!err && stat(s->path, &st) == 0) {
		s->device = st.st_dev;
		s->inode = st.st_ino;
	}
	if (!err) {
		err = store_meta_get(s->writer, "last_seen", &s->last_seen);
		err = err == BELFRY_ENOENT ? 0 : err;
	}
	return err;
}

static struct store *store_alloc(void)
{
	struct store *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s) {
		return NULL;
	}
	s->lock_fd = -1;
	s->up_gauge = s->queue_gauge = s->commit_hist = s->failures = -1;
	s->queue.last = &s->queue.first;
	atomic_init(&s->wal_limit, STORE_WAL_PAGES);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->queue.lock, NULL);
	pthread_cond_init(&s->queue.wake, &attr);
	pthread_cond_init(&s->queue.idle, NULL);
	pthread_mutex_init(&s->aux_lock, NULL);
	pthread_cond_init(&s->aux_wake, NULL);
	pthread_mutex_init(&s->health_lock, NULL);
	pthread_condattr_destroy(&attr);
	return s;
}

int store_open(struct str state_dir, struct store **s_r, char **error_r)
{
	struct store *s;
	int err;

	*error_r = NULL;
	/* Its count of bytes costs a lock for each allocation; too late if SQLite is in use. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (state_dir.n == 0 || state_dir.n > STORE_PATH_MAX - 32) {
		*error_r = store_error("server.state_dir is empty or too long");
		return -EINVAL;
	}
	s = store_alloc();
	if (!s) {
		return -ENOMEM;
	}
	snprintf(s->dir, sizeof(s->dir), "%.*s", STR_FMT(state_dir));
	snprintf(s->path, sizeof(s->path), "%.*s/belfry.db", STR_FMT(state_dir));
	err = take_lock(s, error_r);
	err = err ? err : open_file(s, error_r);
	err = err ? err : store_secret_load(s, error_r);
	if (err) {
		store_free(s);
		return err;
	}
	*s_r = s;
	return 0;
}

int64_t store_last_seen(const struct store *s)
{
	return s->last_seen;
}

int store_watch(struct store *s, store_watch_cb *cb, void *arg)
{
	if (s->watchers_n == STORE_WATCHERS_MAX) {
		return -ENOSPC;
	}
	s->watchers[s->watchers_n++] = (struct store_watcher){ cb, arg };
	return 0;
}

void store_set_main(struct store *s, struct mailbox *mb)
{
	s->main = mb;
}

/* --- running --- */

static void register_counters(struct store *s, struct counters *counters)
{
	s->counters = counters;
	s->counts = counters_set_new(counters);
	s->up_gauge = counters_register(counters, &up_def);
	s->queue_gauge = counters_register(counters, &queue_def);
	s->commit_hist = counters_register(counters, &commit_def);
	s->failures = counters_register(counters, &failures_def);
}

static int start_threads(struct store *s)
{
	int err = pthread_create(&s->writer_thread, NULL, store_writer_main, s);

	if (err) {
		return -err;
	}
	s->has_writer = true;
	(void)pthread_setname_np(s->writer_thread, "belfry-store");
	err = pthread_create(&s->aux_thread, NULL, store_aux_main, s);
	if (err) {
		return -err;
	}
	s->has_aux = true;
	(void)pthread_setname_np(s->aux_thread, "belfry-store-2");
	return 0;
}

int store_start(struct store *s, struct workers *ws, struct counters *counters)
{
	int err;

	s->ws = ws;
	if (counters) {
		register_counters(s, counters);
	}
	store_set_health(s, NULL);
	if (s->reader) {
		(void)sqlite3_db_release_memory(s->reader);
	}
	err = store_connect(s, STORE_AUX, &s->aux) ? -EIO : 0;
	s->log_inode = store_log_inode(s);
	err = err ? err : store_outboxes_new(s);
	err = err ? err : start_threads(s);
	if (err) {
		store_stop(s);
	}
	return err;
}

static void stop_threads(struct store *s)
{
	pthread_mutex_lock(&s->queue.lock);
	s->queue.is_stopping = true;
	pthread_cond_signal(&s->queue.wake);
	pthread_mutex_unlock(&s->queue.lock);
	if (s->has_writer) {
		pthread_join(s->writer_thread, NULL);
	}
	pthread_mutex_lock(&s->aux_lock);
	s->aux_stop = true;
	pthread_cond_signal(&s->aux_wake);
	pthread_mutex_unlock(&s->aux_lock);
	if (s->has_aux) {
		pthread_join(s->aux_thread, NULL);
	}
	s->has_writer = s->has_aux = false;
}

void store_stop(struct store *s)
{
	stop_threads(s);
	sqlite3_close(s->reader);
	sqlite3_close(s->aux);
	store_disconnect_writer(s); /* the last one copies the log back */
	s->reader = s->aux = NULL;
	if (s->lock_fd >= 0) {
		close(s->lock_fd);
		s->lock_fd = -1;
	}
}

void store_free(struct store *s)
{
	if (!s) {
		return;
	}
	store_stop(s);
	for (unsigned i = 0; i < s->out_n && s->out; i++) {
		pthread_mutex_destroy(&s->out[i].lock);
	}
	free(s->out);
	pthread_mutex_destroy(&s->queue.lock);
	pthread_cond_destroy(&s->queue.wake);
	pthread_cond_destroy(&s->queue.idle);
	pthread_mutex_destroy(&s->aux_lock);
	pthread_cond_destroy(&s->aux_wake);
	pthread_mutex_destroy(&s->health_lock);
	OPENSSL_cleanse(s->secret, sizeof(s->secret));
	free(s);
}

void store_close(struct store *s)
{
	store_free(s);
}
