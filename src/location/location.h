/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bindings in memory: address-of-record -> immutable set of bindings (RFC 3261 10).
 *
 * A look-up takes a reference to the set as it is published; a later change makes a new set and
 * leaves that one alone. A change is an operation with its conditions, checked against the newest
 * pending set of the AOR; it is published when it is durable, then its callback runs, which is when
 * the 200 may be sent (RFC 3261 10.3 step 8). A batch that fails takes the later pending changes
 * of its AORs with it.
 *
 * Threads: look-ups on any thread; changes of an AOR only on its owner (transport_owner_of_aor).
 */
#pragma once

#include "sip/uri.h"
#include "transport/transport.h"
#include "util/str.h"
#include "worker/worker.h"

struct loc_table;
struct loc_set; /* packed, immutable, atomic count */
struct loc_query;

enum loc_durability { LOC_FULL, LOC_PROCESS, LOC_ASYNC };

/* A binding, unpacked for reading: its text points into the set. */
struct loc_binding {
	uint64_t id;         /* database row; 0: not stored yet */
	struct str contact;  /* URI as received, escapes and headers included */
	struct str params;   /* header parameters as received, without expires and q:
	                        ";+sip.instance=..;x=y" */
	struct str instance; /* value of +sip.instance without quotes and <>; empty: none */
	uint32_t reg_id;     /* 0: none */
	uint16_t q;          /* thousandths; 1000 when not given, has_q tells */
	bool has_q;
	bool is_static;      /* by an operator: Call-ID and CSeq do not apply */
	bool flow_dead;      /* the flow it came by is gone: suspended */
	uint64_t expires_ms; /* monotonic; UINT64_MAX: never (static) */
	struct str call_id;
	uint32_t cseq;
	struct str path; /* Path values as received, joined by ", "; empty: none */
	struct str user_agent;
	struct str received; /* "udp:192.0.2.1:5060": where the REGISTER came from */
	bool has_flow;
	struct tp_flow flow;      /* requests go there when has_flow and there is no path */
	int64_t created, updated; /* Unix s */
};

/* Order of bindings in a set: newest update first. */
size_t loc_set_n(const struct loc_set *set);
struct str loc_set_aor(const struct loc_set *set);
void loc_set_get(const struct loc_set *set, size_t i, struct loc_binding *b_r);
struct loc_set *loc_set_ref(struct loc_set *set);
void loc_set_unref(struct loc_set **set); /* NULL inside is fine */

typedef void(loc_lookup_cb)(int err, struct loc_set *set, void *arg);

/* Any worker. 0: *set_r is a reference, or NULL if there is no binding. BELFRY_WAIT: @cb follows on
 * this worker (a remote store) unless cancelled. Does not allocate when it answers at once. Expired
 * bindings may still be in it: compare with the worker's clock. */
int loc_lookup(struct loc_table *t, struct worker *w, struct str aor, struct loc_set **set_r,
               loc_lookup_cb *cb, void *arg, struct loc_query **query_r);
void loc_lookup_cancel(struct loc_query **query);

enum loc_op_kind { LOC_OP_SET, LOC_OP_REMOVE };

/* One Contact of a REGISTER, or one binding of an operator. Text is copied. */
struct loc_op {
	enum loc_op_kind kind;
	struct loc_binding b; /* id, created, updated, flow_dead unused; expires_ms is absolute */
};

struct loc_change {
	struct str aor;           /* canonical */
	const struct loc_op *ops; /* applied together or not at all */
	size_t ops_n;
	bool remove_all;  /* Contact: * */
	bool by_operator; /* no Call-ID and CSeq check; what it sets is static */
	struct str call_id;
	uint32_t cseq;
	unsigned max_contacts; /* 0: no limit. BELFRY_EFULL */
	bool replace_instance; /* see registrar.replace_instance */
	enum loc_durability durability;
	unsigned flush_interval_s; /* LOC_ASYNC */
};

/* @err: 0 with the set after the change (NULL: no binding left; valid for the duration of the
 * call), or BELFRY_EAGAIN: the store failed, nothing has changed. Runs on the worker that called
 * loc_apply(), never inside it. */
typedef void(loc_commit_cb)(int err, struct loc_set *set, void *arg);

/* The AOR's owner only; copies what it needs of @change. 0: @cb follows. Otherwise nothing has
 * changed and @cb is not called: BELFRY_EFULL (more than max_contacts, and more than before),
 * BELFRY_ESTALE (old CSeq, RFC 3261 10.3 step 7), BELFRY_EAGAIN (store failing: 500), -EBUSY (store
 * queue full: 503), BELFRY_ETOOBIG (a text of 64 KiB), -ENOMEM, -EINVAL (not the owner). A remote
 * store (the fake one too) brings EFULL and ESTALE by @cb. A change that changes nothing (a fetch)
 * is answered with the tip of the chain, after it. *query_r (may be NULL) is valid until @cb runs.
 *
 * A REGISTER (not by_operator) never touches static bindings, and they do not count for
 * max_contacts. With instance and reg_id a binding is found by those (RFC 5626 6), else by its URI
 * (19.1.4). An operator's REMOVE with b.id set takes exactly that binding, whatever its URI. */
int loc_apply(struct loc_table *t, struct worker *w, const struct loc_change *change,
              loc_commit_cb *cb, void *arg, struct loc_query **query_r);
/* The callback will not run; the change still happens. */
void loc_apply_cancel(struct loc_query **query);

/* A flow has gone: every binding that uses it, of every AOR, is suspended at once. Any worker,
 * which tells the others. By connection (flow->conn), or for datagrams by proto, remote address
 * and, if not NULL, listener. The suspension is in memory only; a refresh by a new flow ends it. */
void loc_flow_gone(struct loc_table *t, struct worker *w, const struct tp_flow *flow);
/* The same for the AORs that @w owns only: when every worker is told by itself. */
void loc_flow_gone_here(struct loc_table *t, struct worker *w, const struct tp_flow *flow);

/* All AORs, shard by shard, for the control socket: no lock is held during @cb. */
typedef bool(loc_each_cb)(void *arg, struct loc_set *set); /* false: enough */
void loc_each(struct loc_table *t, loc_each_cb *cb, void *arg);
size_t loc_count(
	const struct loc_table *t); /* bindings published, ended ones until they are swept (10 s) */

/* --- lifetime (belfryd) --- */
struct store;

/* @store may be NULL: memory only (unit tests). */
int loc_table_new(struct workers *ws, struct store *store, struct transport_group *tg,
                  struct loc_table **t_r);
/* Main thread, before workers start: streams the stored rows back in. *error_r on failure (heap).
 */
int loc_table_load(struct loc_table *t, char **error_r);
/* Per worker: expiry sweeps, async flush. After load, on or before start of the worker. */
int loc_table_start_worker(struct loc_table *t, struct worker *w);
/* Workers stopped or draining: writes what `async` has not written yet; blocks. */
int loc_table_flush(struct loc_table *t);
/* Before the workers and the store are freed; nobody holds a set any more. */
void loc_table_free(struct loc_table *t);

/* A table whose look-ups and changes answer later, on worker_turn(), as a remote store would: unit
 * tests of the registrar and the proxy. */
int loc_table_new_fake_async(struct worker *w, struct loc_table **t_r);
