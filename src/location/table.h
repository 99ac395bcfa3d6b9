/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the table, for src/location only.
 *
 * The shards are dealt out to the workers: all AORs of a shard have the same owner, which is the
 * only one to change it. What is pending, the index of flows, expiry and flushing therefore belong
 * to one worker each, and have no lock.
 */
#pragma once

#include "location/change.h"
#include "location/dirty.h"
#include "location/flow_index.h"
#include "location/shard.h"
#include "store/store.h"
#include "util/list.h"

#define LOC_SHARDS        1024
#define LOC_CHAIN_BUCKETS 1024
#define LOC_FLUSH_SETS    32
#define LOC_FLUSH_IDS     128

/* What loc_lookup() and loc_apply() give out to cancel by. */
struct loc_query {
	bool is_lookup;
};

enum loc_pending_state {
	LOC_P_WRITING, /* its unit is with the store */
	LOC_P_READY,   /* to be published when all before it are */
	LOC_P_ORPHAN,  /* dropped; waits only for its unit to come back */
};

/* A change that is not published yet. */
struct loc_pending {
	struct loc_query query;
	struct store_unit unit;
	struct list all; /* of the worker */
	struct loc_worker *lw;
	struct loc_chain *chain;
	struct loc_pending *next;
	struct loc_set *base, *set; /* before and after */
	loc_commit_cb *cb;          /* NULL: cancelled */
	void *arg;
	int64_t unix_offset_ms; /* Unix time minus monotonic time */
	uint8_t state;          /* enum loc_pending_state */
	bool changes;           /* false: only asks for the tip */
	bool is_dirty;          /* to be flushed later */
	bool write_all;         /* rows of @base may not be what is stored */
	bool has_reserved;      /* a slot of @shard */
	struct loc_shard *shard;
	size_t gone_reserved;
	int err; /* a refusal that comes by the callback (a remote store) */
};

/* The pending changes of one AOR, oldest first. */
struct loc_chain {
	struct loc_chain *next; /* bucket */
	struct loc_chain *ready_next;
	struct loc_pending *head, *tail;
	struct loc_shard *shard;
	uint32_t hash;
	bool is_ready;   /* in the worker's list */
	bool is_running; /* its callbacks are being called */
	uint32_t aor_n;
	char aor[];
};

/* Rows to write or, in others, to delete when there is time. */
struct loc_flush {
	struct store_unit unit;
	struct list link; /* in flight, or to be tried again */
	struct loc_worker *lw;
	int64_t unix_offset_ms;
	unsigned sets_n, ids_n;
	union {
		struct loc_set *sets[LOC_FLUSH_SETS];
		uint64_t ids[LOC_FLUSH_IDS];
	};
};

struct loc_worker {
	_Alignas(64) struct loc_table *t;
	struct worker *w;
	struct loc_chain *chains[LOC_CHAIN_BUCKETS];
	struct loc_chain *ready, **ready_last; /* chains whose head may be published */
	struct job job;
	bool job_is_queued;
	struct list pendings;
	struct loc_flow_index flows;
	bool flows_incomplete; /* memory was short once: scan instead */
	_Atomic size_t bindings;
	int bindings_gauge;    /* -1: nobody counts; as the next */
	int flow_gauges[TP_N]; /* bindings with a live flow, by its transport */

	/* sweeps */
	struct timer timer;
	int timer_kind;
	unsigned expiry_at;        /* shard, of those of this worker */
	uint32_t expiry_pos;       /* slot in it */
	struct loc_dirty dirty;    /* of this round of flushing */
	unsigned round_left;       /* ticks of it to come */
	unsigned gather_at;        /* shards that have been looked through in it */
	unsigned flush_quota;      /* AORs that may still be handed over in this tick */
	unsigned flush_interval_s; /* two rounds long */
	uint64_t *gone;            /* ids of rows to delete */
	size_t gone_n, gone_cap, gone_reserved;
	struct list flushes, retries; /* struct loc_flush */
	unsigned flushes_n;
};

struct loc_table {
	struct hash_key key;
	struct workers *ws;
	struct store *store;
	struct transport_group *tg;
	struct loc_mem mem;
	struct loc_shard *shards;
	unsigned owners, per_owner; /* shards of a worker */
	struct loc_worker *lw;
	_Atomic uint64_t next_id;
	int64_t unix_offset_min_ms; /* of a clock that was behind at start */
	atomic_bool flush_failed;
	bool is_fake_async;
};

struct loc_where {
	uint32_t hash;
	unsigned owner;
	struct loc_shard *shard;
};

struct loc_where loc_where(struct loc_table *t, const struct worker *w, struct str aor);
struct loc_shard *loc_shard_of(struct loc_table *t, unsigned owner, uint32_t hash);
struct loc_now loc_now(const struct worker *w);
/* Unix time minus monotonic time, in ms. */
int64_t loc_unix_offset_ms(const struct loc_worker *lw);

/* --- pending.c --- */
struct loc_chain *loc_chain_find(struct loc_worker *lw, uint32_t hash, struct str aor);
/* Runs what is ready in the worker's next run of its queue. */
void loc_chain_ready(struct loc_worker *lw, struct loc_chain *chain);
/* The unit of @p has come back. */
void loc_pending_done(struct loc_pending *p, int err);
/* Drops everything; the workers have stopped and the store holds no unit any more. */
void loc_pending_free_all(struct loc_worker *lw);

/* --- publish.c --- */
/* Puts @set (takes over the reference, may be NULL) in place of what is published. */
void loc_publish(struct loc_worker *lw, struct loc_shard *shard, uint32_t hash, struct str aor,
                 struct loc_set *set, bool dirty);
/* What a binding's live flow counts for in the metrics; @by is 1 or -1. */
void loc_flow_count(struct loc_worker *lw, const struct loc_rec *rec, int by);
/* Remembers the rows of @old that @set has no more; room for them must have been reserved (and
 * given back just before). */
int loc_gone_reserve(struct loc_worker *lw, size_t n);
void loc_gone_unreserve(struct loc_worker *lw, size_t n);
void loc_gone_add(struct loc_worker *lw, const struct loc_set *old, const struct loc_set *set);

/* --- sweep.c --- */
void loc_sweep_fini(struct loc_worker *lw);

/* --- load.c --- */
struct sqlite3_stmt;
/* Rows from elsewhere (a SELECT of LOC_ROW_COLUMNS), compared with worker 0's clock: fuzzing. */
int loc_load_rows(struct loc_table *t, struct sqlite3_stmt *stmt);

/* --- flush.c --- */
void loc_flush_tick(struct loc_worker *lw, unsigned tick_ms);
void loc_flush_fini(struct loc_worker *lw);

/* --- backend_sqlite.c --- */
/* 0: its unit is with the store; BELFRY_EAGAIN, -EBUSY. */
int loc_pending_write(struct loc_pending *p, enum loc_durability durability);
