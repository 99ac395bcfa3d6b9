/* SPDX-License-Identifier: Apache-2.0 */
/* What both server machines have in common: beginning, sending, lingering, the end. */
#include "transaction/internal.h"

#include <errno.h>

/* --- limits ------------------------------------------------------------------------------------
 */

/* A transaction keeps the buffer of its request. What is left of them is for what goes on: answers,
 * ACK, CANCEL, and the next requests, if only to refuse them. */
static bool has_buffers(const struct sip_msg *req, bool is_preferred)
{
	unsigned most = is_preferred ? TXN_LOAD_MAX_PREFERRED : TXN_LOAD_MAX;

	return !req->buf || msgbuf_load(req->buf) < most;
}

/* The last tenth of the transactions is kept for the preferred ones. */
static bool has_room(const struct txn_layer *l, const struct txn_server_params *params)
{
	size_t max = (size_t)l->w->conf->conf->server.max_transactions;
	size_t share = (max + l->w->n - 1) / l->w->n;

	if (!params->is_preferred) {
		share -= share / 10;
	}
	return l->server_open < share && has_buffers(params->req, params->is_preferred);
}

/* --- beginning ---------------------------------------------------------------------------------
 */

static struct txn_server *server_alloc(struct txn_layer *l, struct sip_msg *req)
{
	struct txn_server *st = slab_alloc(&l->servers);

	if (!st) {
		return NULL;
	}
	st->entry = slab_alloc(&l->entries);
	st->req_hold = st->entry ? txn_hold_new(req) : NULL;
	if (!st->req_hold) {
		slab_free(&l->entries, st->entry);
		slab_free(&l->servers, st);
		return NULL;
	}
	return st;
}

static void server_fill(struct txn_server *st, struct txn_layer *l, struct sip_msg *req,
                        const struct tp_flow *from)
{
	st->l = l;
	st->req = req;
	st->from = *from;
	transport_response_flow(&req->via, from, &st->to);
	st->times = txn_times_now(l);
	st->since_ms = l->w->clock.now_ms;
	list_init(&st->node);
}

static void entry_fill(struct txn_entry *e, struct txn_server *st, const struct txn_key *key)
{
	e->st = st;
	e->id = key->id;
	e->method = key->method;
	e->method_hash = key->method_hash;
	e->is_old = key->is_old;
	e->is_reliable = tp_proto_is_reliable(st->from.proto);
}

int txn_server_new(struct txn_layer *l, const struct txn_server_params *params,
                   struct txn_server **st_r)
{
	struct sip_msg *req = params->req;
	struct txn_server *st;
	struct txn_key key;
	int err;

	if (!has_room(l, params)) {
		txn_count(l, l->ids.rejected_full, 1);
		return BELFRY_EFULL;
	}
	txn_key_of(l, req, &key);
	if (txn_find(l, &key)) {
		return BELFRY_EEXIST;
	}
	st = server_alloc(l, req);
	if (!st) {
		return BELFRY_EFULL;
	}
	server_fill(st, l, req, params->from);
	entry_fill(st->entry, st, &key);
	err = key.method == SIP_M_INVITE ? txn_si_start(st) : txn_so_start(st);
	if (err) {
		txn_hold_release(l, &st->req_hold);
		slab_free(&l->entries, st->entry);
		slab_free(&l->servers, st);
		return BELFRY_EFULL;
	}
	st->user = params->user;
	txn_table_add(&l->table, st->entry);
	txn_conn_add(st);
	l->server_open++;
	txn_count(l, l->ids.server_n, 1);
	*st_r = st;
	return 0;
}

/* --- looking at it -----------------------------------------------------------------------------
 */

struct sip_msg *txn_server_request(struct txn_server *st)
{
	return st->req;
}

const struct tp_flow *txn_server_flow(const struct txn_server *st)
{
	return &st->from;
}

bool txn_server_is_final(const struct txn_server *st)
{
	return st->is_final;
}

int txn_server_last_status(const struct txn_server *st)
{
	return st->last_status;
}

struct str txn_server_tag(struct txn_server *st)
{
	if (st->tag_n == 0 && st->req) {
		st->tag_n = (uint8_t)txn_tag(st->l, st->req, &st->entry->id, st->tag).n;
	}
	return str_make(st->tag, st->tag_n);
}

/* --- sending -----------------------------------------------------------------------------------
 */

static bool is_invite(const struct txn_server *st)
{
	return st->entry->method == SIP_M_INVITE;
}

static int server_send(struct txn_server *st, int code, const struct sip_out *out,
                       struct txn_hold **hold, struct str to_tag)
{
	if (code >= 200 && !st->is_final && st->entry->is_old) {
		st->entry->response_to = txn_hash32(st->l, to_tag);
	}
	return is_invite(st) ? txn_si_send(st, code, out, hold) : txn_so_send(st, code, out);
}

/* RFC 4320 4.1, 4.2: what is never sent to a request other than INVITE. */
static bool is_forbidden(const struct txn_server *st, int code)
{
	return code == 100 || (!is_invite(st) && (code < 200 || code == 408));
}

static int reply_build(struct txn_server *st, struct sip_reply *reply, struct sip_out *out_r)
{
	struct arena *arena = &st->req->arena;

	if (str_is_empty(reply->to_tag) && reply->code != 100) {
		reply->to_tag = txn_server_tag(st);
	}
	reply->via_extra = txn_via_extra(arena, st->req, &st->from);
	if (!reply->via_extra.p) {
		return -ENOMEM;
	}
	return sip_build_reply(st->req, reply, arena, out_r);
}

int txn_server_reply(struct txn_server *st, struct sip_reply *reply)
{
	struct txn_hold *hold = NULL;
	struct sip_out out;
	int err;

	if (st->is_final || !st->req) {
		return 0;
	}
	if (is_forbidden(st, reply->code)) {
		if (reply->code == 408) {
			txn_so_silent(st);
		}
		return 0;
	}
	err = reply_build(st, reply, &out);
	if (err) {
		return err;
	}
	return server_send(st, reply->code, &out, &hold,
	                   st->req->to_tag.n ? st->req->to_tag : reply->to_tag);
}

int txn_server_forward(struct txn_server *st, struct sip_msg *resp, const struct sip_edits *edits)
{
	struct txn_hold *hold;
	struct sip_out out;
	int err;

	if (is_forbidden(st, resp->status)) {
		if (resp->status == 408 && !st->is_final) {
			txn_so_silent(st);
		}
		return 0;
	}
	err = sip_edits_out(edits, &resp->arena, &out);
	if (err) {
		return err;
	}
	hold = txn_hold_new(resp);
	if (!hold) {
		return -ENOMEM;
	}
	err = server_send(st, resp->status, &out, &hold, resp->to_tag);
	txn_hold_release(st->l, &hold);
	return err;
}

void txn_server_send_100(struct txn_server *st)
{
	struct sip_reply reply = { .code = 100 };
	struct sip_out out;

	if (reply_build(st, &reply, &out) == 0) {
		st->last = out;
		st->last_status = 100;
		txn_respond(st->l, &st->to, &st->last);
	}
}

void txn_server_trying(struct txn_server *st)
{
	if (is_invite(st) && !st->is_final && st->last_status == 0) {
		txn_timer_cancel(st->l, &st->entry->timer);
		txn_server_send_100(st);
	}
}

static int final_send(struct txn_layer *l, struct txn_final *final)
{
	const struct sip_out out = txn_kept_out(final->kept);

	return txn_respond(l, &final->to, &out);
}

void txn_resend(struct txn_layer *l, struct txn_entry *e)
{
	int err = 1;

	if (e->final) {
		err = final_send(l, e->final);
	} else if (e->st && !e->st->is_final && e->st->last_status) {
		err = txn_respond(l, &e->st->to, &e->st->last);
	}
	if (err == 0) {
		txn_count(l, l->ids.retrans_out, 1);
	}
}

/* --- the final response ------------------------------------------------------------------------
 */

static struct txn_final *final_new(struct txn_server *st, const struct sip_out *out)
{
	struct txn_final *final = slab_alloc(&st->l->finals);

	if (!final) {
		return NULL;
	}
	final->kept = txn_kept_new(out);
	if (!final->kept) {
		slab_free(&st->l->finals, final);
		return NULL;
	}
	final->entry = st->entry;
	final->to = st->to;
	final->g_ms = st->times.t1;
	final->t2 = st->times.t2;
	final->t4 = st->times.t4;
	return final;
}

void txn_final_free(struct txn_layer *l, struct txn_final **final)
{
	if (*final) {
		txn_timer_cancel(l, &(*final)->g);
		txn_kept_free(l, &(*final)->kept);
		slab_free(&l->finals, *final);
		*final = NULL;
	}
}

int txn_server_finish(struct txn_server *st, const struct sip_out *out, bool keep)
{
	struct txn_entry *e = st->entry;

	e->final = keep ? final_new(st, out) : NULL;
	if (e->final) {
		return final_send(st->l, e->final);
	}
	/* Without memory to keep it: retransmissions are absorbed without an answer. */
	return txn_respond(st->l, &st->to, out);
}

static size_t entry_bytes(const struct txn_entry *e)
{
	size_t n = sizeof(*e);

	if (e->st) {
		n += sizeof(*e->st);
	}
	if (e->final) {
		n += sizeof(*e->final) + txn_kept_bytes(e->final->kept);
	}
	return n;
}

void txn_entry_shrink(struct txn_layer *l, struct txn_entry *e)
{
	size_t n = entry_bytes(e);

	if (e->linger.bytes > n) {
		l->linger_bytes -= e->linger.bytes - n;
		e->linger.bytes = (uint32_t)n;
	}
}

void txn_server_settle(struct txn_server *st, uint8_t state, uint32_t ms)
{
	struct txn_layer *l = st->l;
	struct txn_entry *e = st->entry;

	e->state = state;
	st->is_final = true;
	st->req = NULL;
	txn_hold_release(l, &st->req_hold);
	txn_hold_release(l, &st->last_hold);
	list_del(&st->node);
	l->server_open--;
	txn_count(l, l->ids.server_n, -1);
	txn_timer_start(l, &e->timer, l->ids.entry, ms);
	txn_linger_add(l, &e->linger, false, entry_bytes(e));
}

/* --- the end -----------------------------------------------------------------------------------
 */

void txn_server_detach(struct txn_server *st)
{
	struct txn_layer *l = st->l;
	struct txn_entry *e = st->entry;

	if (st->is_ending) {
		return;
	}
	if (!st->is_final) {
		txn_server_settle(st, TXN_SILENT, 64 * st->times.t1);
	}
	e->st = NULL;
	slab_free(&l->servers, st);
	txn_entry_shrink(l, e);
}

static void entry_end(struct txn_layer *l, struct txn_entry *e)
{
	struct txn_server *st = e->st;

	txn_table_del(&l->table, e);
	txn_linger_del(l, &e->linger);
	txn_final_free(l, &e->final);
	if (st) {
		st->is_ending = true;
		if (l->user.server_end) {
			l->user.server_end(st->user, st);
		}
		slab_free(&l->servers, st);
	}
	slab_free(&l->entries, e);
}

void txn_server_timer(struct timer *t, void *arg)
{
	struct txn_layer *l = arg;
	struct txn_entry *e = container_of(t, struct txn_entry, timer);

	if (e->state == TXN_TRYING || e->state == TXN_PROCEEDING) {
		e->state = TXN_PROCEEDING;
		txn_server_send_100(e->st);
	} else {
		entry_end(l, e);
	}
}

void txn_entry_drop(struct txn_layer *l, struct txn_entry *e)
{
	txn_timer_cancel(l, &e->timer);
	txn_linger_del(l, &e->linger);
	txn_final_free(l, &e->final);
	if (e->st) {
		txn_hold_release(l, &e->st->req_hold);
		txn_hold_release(l, &e->st->last_hold);
	}
}
