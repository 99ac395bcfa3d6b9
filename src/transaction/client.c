/* SPDX-License-Identifier: Apache-2.0 */
/* What both client machines have in common: slots, sending, ending. */
#include "transaction/internal.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNK_BITS 8U
#define CHUNK_N    (1U << CHUNK_BITS)

/* --- slots -------------------------------------------------------------------------------------
 */

static int chunks_grow(struct txn_slots *s)
{
	uint32_t cap = s->chunks_cap ? s->chunks_cap * 2 : 16;
	struct txn_client **chunks;

	if (s->chunks_n < s->chunks_cap) {
		return 0;
	}
	chunks = reallocarray(s->chunks, cap, sizeof(*chunks));
	if (!chunks) {
		return -ENOMEM;
	}
	s->chunks = chunks;
	s->chunks_cap = cap;
	return 0;
}

static int chunk_add(struct txn_layer *l)
{
	struct txn_slots *s = &l->slots;
	struct txn_client *chunk;

	if (s->chunks_n == TXN_CLIENTS_MAX / CHUNK_N || chunks_grow(s) != 0) {
		return BELFRY_EFULL;
	}
	chunk = calloc(CHUNK_N, sizeof(*chunk));
	if (!chunk) {
		return BELFRY_EFULL;
	}
	for (uint32_t i = CHUNK_N; i > 0; i--) {
		struct txn_client *ct = &chunk[i - 1];

		ct->l = l;
		ct->slot = s->chunks_n << CHUNK_BITS | (i - 1);
		ct->free_next = s->free;
		s->free = ct;
	}
	s->chunks[s->chunks_n++] = chunk;
	return 0;
}

void txn_slots_fini(struct txn_layer *l)
{
	for (uint32_t i = 0; i < l->slots.chunks_n; i++) {
		free(l->slots.chunks[i]);
	}
	free(l->slots.chunks);
}

void txn_slots_each(struct txn_layer *l, txn_slots_cb *cb, void *arg)
{
	for (uint32_t i = 0; i < l->slots.chunks_n; i++) {
		for (uint32_t j = 0; j < CHUNK_N; j++) {
			if (l->slots.chunks[i][j].state != TXN_UNUSED) {
				cb(arg, &l->slots.chunks[i][j]);
			}
		}
	}
}

struct txn_client *txn_client_at(const struct txn_layer *l, uint32_t slot, uint32_t generation)
{
	struct txn_client *ct;

	if (slot >> CHUNK_BITS >= l->slots.chunks_n) {
		return NULL;
	}
	ct = &l->slots.chunks[slot >> CHUNK_BITS][slot & (CHUNK_N - 1)];
	return ct->generation == generation && ct->state != TXN_UNUSED ? ct : NULL;
}

/* --- beginning ---------------------------------------------------------------------------------
 */

static struct txn_live *live_new(struct txn_layer *l, struct sip_msg *req)
{
	struct txn_live *live = slab_alloc(&l->lives);

	if (!live) {
		return NULL;
	}
	live->hold = txn_hold_new(req);
	if (!live->hold) {
		slab_free(&l->lives, live);
		return NULL;
	}
	live->req = req;
	list_init(&live->node);
	live->times = txn_times_now(l);
	live->since_ms = l->w->clock.now_ms;
	return live;
}

static void branch_make(struct txn_client *ct, uint64_t loop)
{
	const struct worker *w = ct->l->w;
	const struct branch b = {
		.kind = BRANCH_TXN,
		.worker = (uint8_t)w->id,
		.slot = ct->slot,
		.generation = ct->generation,
		.loop = loop,
	};

	ct->live->branch_n = (uint8_t)branch_print(&b, w->process_key, ct->live->branch);
}

int txn_client_new(struct txn_layer *l, struct sip_msg *req, uint64_t loop, void *user,
                   struct txn_client **ct_r)
{
	struct txn_client *ct;
	struct txn_live *live;

	if (!l->slots.free && chunk_add(l) != 0) {
		return BELFRY_EFULL;
	}
	live = live_new(l, req);
	if (!live) {
		return BELFRY_EFULL;
	}
	ct = l->slots.free;
	l->slots.free = ct->free_next;
	ct->live = live;
	live->ct = ct;
	ct->user = user;
	ct->state = TXN_NEW;
	ct->method = req->method;
	ct->method_hash = req->method == SIP_M_OTHER ? txn_hash32(l, req->method_text) : 0;
	ct->is_attached = true;
	branch_make(ct, loop);
	l->client_open++;
	txn_count(l, l->ids.client_n, 1);
	*ct_r = ct;
	return 0;
}

struct str txn_client_branch(const struct txn_client *ct)
{
	return ct->live ? str_make(ct->live->branch, ct->live->branch_n) : STR_NONE;
}

const struct tp_flow *txn_client_flow(const struct txn_client *ct)
{
	return &ct->flow;
}

struct sip_msg *txn_client_request(struct txn_client *ct)
{
	return ct->live ? ct->live->req : NULL;
}

bool txn_client_is_cancelled(const struct txn_client *ct)
{
	return ct->is_cancelled;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static bool is_reliable(const struct txn_client *ct)
{
	return tp_proto_is_reliable(ct->flow.proto);
}

int txn_client_send(struct txn_client *ct)
{
	int err = transport_send(ct->l->tp, &ct->flow, false, &ct->live->out);

	/* A datagram that found no room is a lost one: the next retransmission brings it. */
	if (err && !(err == BELFRY_EFULL && !is_reliable(ct))) {
		txn_dest_fail(ct, BELFRY_EUNREACH);
	}
	return err;
}

/* CANCEL and ACK go where their INVITE went (RFC 3261 9.1, 17.1.1.3): when the connection we had
 * opened for it is gone, by a new one. One that the peer had opened leads to no port that listens.
 */
int txn_client_follow(struct txn_client *ct, const struct sip_out *out)
{
	int err = transport_send(ct->l->tp, &ct->flow, false, out);

	if (err == BELFRY_EUNREACH && ct->flow.conn && !ct->flow.accepted) {
		ct->flow.conn = 0;
		err = transport_send(ct->l->tp, &ct->flow, false, out);
	}
	return err;
}

static void arm_retransmit(struct txn_client *ct, uint32_t wait_ms)
{
	struct txn_layer *l = ct->l;
	struct txn_live *live = ct->live;

	if (!is_reliable(ct)) {
		live->interval_ms = live->times.t1;
		txn_timer_start(l, &live->retransmit, l->ids.client_retransmit, live->times.t1);
	} else if (wait_ms > 0 && live->is_connecting) {
		txn_timer_start(l, &live->retransmit, l->ids.client_retransmit, wait_ms);
	}
}

static void fill_start(struct txn_client *ct, const struct txn_client_start *start)
{
	struct txn_live *live = ct->live;

	live->via_line = start->via_line;
	live->ruri = start->ruri;
	live->route_lines = start->route_lines;
	live->max_forwards = start->max_forwards;
	ct->flow = start->flow;
}

int txn_client_start(struct txn_client *ct, const struct txn_client_start *start)
{
	struct txn_layer *l = ct->l;
	struct txn_live *live = ct->live;
	bool is_invite = ct->method == SIP_M_INVITE, is_new_conn = start->flow.conn == 0;
	int err = sip_edits_out(start->edits, &live->req->arena, &live->out);

	if (err) {
		return err;
	}
	fill_start(ct, start);
	err = txn_timer_start(l, &ct->timer, l->ids.client,
	                      is_invite ? live->times.b : live->times.f);
	if (err) {
		return err;
	}
	ct->state = is_invite ? TXN_CALLING : TXN_TRYING;
	if (txn_client_send(ct) == 0) {
		live->is_connecting =
			is_reliable(ct) && (is_new_conn || txn_dest_is_connecting(ct));
	}
	if (!live->error) {
		txn_dest_add(ct);
		arm_retransmit(ct, start->wait_ms);
	}
	return 0;
}

/* Closed, so that what waits in its queue is not sent later after all. */
static void connect_timeout(struct txn_client *ct)
{
	struct tp_flow flow = ct->flow;

	txn_dest_fail(ct, BELFRY_EUNREACH);
	transport_close(ct->l->tp, &flow); /* others on it learn by unreachable() */
}

void txn_client_retransmit_timer(struct timer *t, void *arg)
{
	struct txn_live *live = container_of(t, struct txn_live, retransmit);
	struct txn_client *ct = live->ct;

	(void)arg;
	if (is_reliable(ct)) {
		connect_timeout(ct);
	} else if (ct->method == SIP_M_INVITE) {
		txn_ci_retransmit(ct);
	} else {
		txn_co_retransmit(ct);
	}
}

/* --- responses ---------------------------------------------------------------------------------
 */

void txn_client_up(struct txn_client *ct, struct sip_msg *resp)
{
	struct txn_layer *l = ct->l;

	if (ct->is_attached) {
		l->user.response(ct->user, ct, resp);
	}
}

void txn_client_settle(struct txn_client *ct, uint8_t state, uint32_t ms)
{
	struct txn_layer *l = ct->l;

	ct->state = state;
	txn_timer_cancel(l, &ct->live->retransmit);
	list_del(&ct->live->node);
	l->client_open--;
	txn_count(l, l->ids.client_n, -1);
	txn_timer_start(l, &ct->timer, l->ids.client, ms);
	txn_linger_add(l, &ct->linger, true, sizeof(*ct) + txn_kept_bytes(ct->ack));
}

/* --- the end -----------------------------------------------------------------------------------
 */

void txn_live_free(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;
	struct txn_live *live = ct->live;

	if (live) {
		txn_timer_cancel(l, &live->retransmit);
		list_del(&live->node);
		txn_hold_release(l, &live->hold);
		slab_free(&l->lives, live);
		ct->live = NULL;
	}
}

/* Free for another transaction, unless its CANCEL is still under way. */
void txn_client_release(struct txn_client *ct)
{
	struct txn_slots *s = &ct->l->slots;

	if (ct->cancel) {
		return;
	}
	ct->state = TXN_UNUSED;
	ct->user = NULL;
	ct->is_attached = ct->is_cancelled = false;
	ct->generation++;
	ct->free_next = s->free;
	s->free = ct;
}

static void client_end(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;

	txn_timer_cancel(l, &ct->timer);
	txn_linger_del(l, &ct->linger);
	txn_kept_free(l, &ct->ack);
	if (ct->is_attached && l->user.client_end) {
		l->user.client_end(ct->user, ct);
	}
	ct->is_attached = false;
	txn_live_free(ct);
	txn_client_release(ct);
}

void txn_client_fail(struct txn_client *ct, int err)
{
	struct txn_layer *l = ct->l;

	ct->state = TXN_ENDED;
	txn_timer_cancel(l, &ct->live->retransmit);
	txn_timer_cancel(l, &ct->timer);
	list_del(&ct->live->node);
	l->client_open--;
	txn_count(l, l->ids.client_n, -1);
	if (ct->is_attached) {
		l->user.failed(ct->user, ct, err);
	}
	client_end(ct);
}

void txn_client_timer(struct timer *t, void *arg)
{
	struct txn_client *ct = container_of(t, struct txn_client, timer);

	(void)arg;
	if (ct->state == TXN_CALLING || ct->state == TXN_TRYING || ct->state == TXN_PROCEEDING) {
		txn_client_fail(ct, BELFRY_ETIMEOUT);
	} else {
		ct->state = TXN_ENDED;
		client_end(ct);
	}
}

static void drop_new(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;

	l->client_open--;
	txn_count(l, l->ids.client_n, -1);
	txn_live_free(ct);
	txn_client_release(ct);
}

void txn_client_drop(struct txn_client **pct)
{
	struct txn_client *ct = *pct;

	if (!ct) {
		return;
	}
	*pct = NULL;
	ct->is_attached = false;
	if (ct->state == TXN_NEW) {
		drop_new(ct);
	} else if (ct->state == TXN_PROCEEDING && !timer_is_running(&ct->timer)) {
		/* Nobody waits with Timer C any more. */
		txn_timer_start(ct->l, &ct->timer, ct->l->ids.client, 64 * ct->live->times.t1);
	}
}
