/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the store, for src/store only. */
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/store.h"

#define STORE_APPLICATION_ID 0x42656c66 /* "Belf" */
#define STORE_SCHEMA_VERSION 1
#define STORE_PAGE_SIZE      1024 /* a refresh writes one page: small ones make it cheap */
#define STORE_SECRET_LEN     32
#define STORE_PATH_MAX       4096
#define STORE_STMTS_MAX      64
#define STORE_WATCHERS_MAX   8

#define STORE_BATCH_MAX  512
#define STORE_BATCH_US   5000
#define STORE_QUEUE_MAX  16384
#define STORE_LAZY_MS    100
#define STORE_POLL_MS    400  /* what others write is seen within a second */
#define STORE_RETRY_MS   1000 /* while writing fails */
#define STORE_BUSY_MS    5000        /* how long somebody else's lock is waited for */
#define STORE_WAL_MAX    (16U << 20) /* bytes of log at which it is copied back */
#define STORE_WAL_PAGES  (STORE_WAL_MAX / STORE_PAGE_SIZE)
#define STORE_WAL_KEEP   (64 << 20) /* a longer log file is cut when it begins anew */
#define STORE_WAL_LONG   (4 * (int)STORE_WAL_PAGES) /* then it is, whatever it costs */
#define STORE_GATE_PAGES 2048 /* so few pages are copied back with the writer held up */
#define STORE_CACHE_KIB  4096

/* Results for one thread: a list, and the job that carries it there. */
struct store_outbox {
	struct job job;
	struct store *s;
	pthread_mutex_t lock;
	struct store_unit *first, **last;
	bool is_posted;
	/* Under the queue's lock: */
	size_t in_flight; /* submitted, done() not run yet */
	uint64_t epoch;   /* failures this thread has been told of */
};

struct store_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the writer */
	pthread_cond_t idle; /* store_wait() */
	struct store_unit *first, **last;
	size_t n, urgent_n;  /* urgent: not lazy */
	unsigned hurry;      /* somebody waits: lazy units too */
	uint64_t lazy_at_ms; /* when the oldest of lazy units alone goes */
	uint64_t epoch;      /* batches that have failed */
	bool is_waiting;     /* the writer sleeps */
	bool is_busy;        /* a batch is being written */
	bool is_failing;
	bool is_stopping;
	bool pause_wanted, is_paused; /* by the checkpointer */
};

struct store_stmt_slot {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct store_watcher {
	store_watch_cb *cb;
	void *arg;
};

struct store {
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
	int lock_fd;
	dev_t device; /* of the database file */
	ino_t inode;
	ino_t log_inode; /* of the log (-wal); the same as long as a connection is open */
	sqlite3 *writer, *reader, *aux;
	struct store_stmt_slot stmts[STORE_STMTS_MAX];
	size_t stmts_n;
	int64_t last_seen;    /* as found at start */
	int64_t seen_written; /* Unix s in meta.last_seen */
	unsigned char secret[2][STORE_SECRET_LEN];
	bool has_secret[2];
	bool is_full_sync; /* PRAGMA synchronous of the writer is FULL */

	struct workers *ws;
	struct mailbox *main;
	struct store_outbox *out; /* one per worker, the last for the main thread */
	unsigned out_n;
	struct store_queue queue;
	pthread_t writer_thread, aux_thread;
	bool has_writer, has_aux;
	uint64_t poll_at_ms;
	int data_version;
	int busy_spent_ms;

	pthread_mutex_t aux_lock;
	pthread_cond_t aux_wake;
	bool aux_checkpoint, aux_watch, aux_stop;
	_Atomic unsigned wal_pages, wal_limit; /* in the log now; at so many it is copied back */
	struct store_watcher watchers[STORE_WATCHERS_MAX];
	size_t watchers_n;

	pthread_mutex_t health_lock;
	char health[256];     /* empty: ok */
	char last_error[256]; /* writer thread: what SQLite said last */
	int last_code;        /* and its number */
	struct counters *counters;
	struct counter_set *counts;
	int up_gauge, queue_gauge, commit_hist, failures;
};

uint64_t store_now_ms(void);
uint64_t store_now_us(void);

/* file.c: what the file is, before SQLite touches it; making a new one. */
int store_file_check(const char *path, bool *exists_r, char **error_r);
int store_file_create(struct store *s, char **error_r);
int store_sync_dir(const char *dir);
/* Of the log at its place; 0: there is none. */
ino_t store_log_inode(const struct store *s);

/* schema.c */
extern const char store_schema_sql[];
int store_schema_check(struct store *s, char **error_r);
int store_damaged(const struct store *s, const char *what, char **error_r); /* BELFRY_ECORRUPT */
int store_meta_get(sqlite3 *db, const char *key, int64_t *v_r); /* BELFRY_ENOENT, BELFRY_EAGAIN */

/* connect.c */
enum store_role { STORE_WRITER, STORE_READER, STORE_AUX };
int store_connect(struct store *s, enum store_role role, sqlite3 **db_r);
void store_disconnect_writer(struct store *s);
int store_exec(struct store *s, sqlite3 *db, const char *sql);
void store_note_error(struct store *s, sqlite3 *db);

/* secret.c */
int store_secret_load(struct store *s, char **error_r);

/* batch.c: writer thread */
int store_batch_run(struct store *s, struct store_unit *first, size_t n, size_t *ran_r);
int store_probe(struct store *s);

/* writer.c */
int store_outboxes_new(struct store *s);
void *store_writer_main(void *arg);
void store_set_health(struct store *s, const char *why); /* NULL: ok */

/* checkpoint.c */
void *store_aux_main(void *arg);
void store_aux_poke(struct store *s, bool checkpoint, bool watch);

/* error.c */
char *store_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
