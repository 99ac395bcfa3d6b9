/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers without a transaction (RFC 3261 8.2.7). Their To tag is a keyed hash of what the ACK to
 * them repeats (the branch, or what stands for it), so it is recognised and absorbed with nothing
 * kept. Inside a dialog the To tag is the peer's: of such refusals a short table remembers which
 * INVITEs they were for; it is of fixed size and a newer one takes the place of an older.
 */
#include "transaction/internal.h"

#include "util/base64.h"

#include <errno.h>
#include <stdlib.h>

int txn_stateless_init(struct txn_layer *l)
{
	l->refused = calloc(TXN_REFUSED_N, sizeof(*l->refused));
	return l->refused ? 0 : -ENOMEM;
}

static void add(struct hash_state *st, struct str s)
{
	uint32_t n = (uint32_t)s.n;

	hash_add(st, str_make((const char *)&n, sizeof(n)));
	hash_add(st, s);
}

struct str txn_tag(const struct txn_layer *l, const struct sip_msg *req, const struct hash128 *id,
                   char *tag)
{
	struct hash_state st;
	struct hash128 h;

	hash_begin(&st, l->w->process_key, true);
	hash_add(&st, STR("tag"));
	if (req->via.is_rfc3261) {
		hash_add(&st, str_make((const char *)id, sizeof(*id)));
	} else { /* the key of an ACK is another one */
		add(&st, req->call_id);
		add(&st, req->from_tag);
		add(&st, req->via.branch);
		hash_add(&st, str_make((const char *)&req->cseq, sizeof(req->cseq)));
	}
	h = hash_end128(&st);
	return str_make(tag, base64url_encode(tag, &h, sizeof(h)));
}

struct str txn_via_extra(struct arena *arena, const struct sip_msg *req, const struct tp_flow *from)
{
	char ip[NET_ADDR_TEXT];

	return sip_via_received_params(arena, &req->via, net_addr_ip_text(&from->remote, ip),
	                               from->remote.port);
}

/* --- refusals inside dialogs -------------------------------------------------------------------
 */

static uint64_t refused_id(const struct txn_key *key)
{
	return key->id.v[0] ^ key->id.v[1];
}

static void refused_add(struct txn_layer *l, const struct txn_key *key)
{
	uint64_t id = refused_id(key);
	uint64_t until_ms = l->w->clock.now_ms + (uint64_t)64 * txn_times_now(l).t1;

	l->refused[id % TXN_REFUSED_N] = (struct txn_refused){ .id = id, .until_ms = until_ms };
	if (until_ms > l->refused_until_ms) {
		l->refused_until_ms = until_ms;
	}
}

bool txn_ack_is_for_refusal(const struct txn_layer *l, const struct sip_msg *ack)
{
	bool may_be_ours = ack->to_tag.n == TXN_TAG_LEN;
	const struct txn_refused *r;
	char tag[TXN_TAG_LEN];
	struct txn_key key;
	uint64_t id;

	if (!may_be_ours && l->refused_until_ms <= l->w->clock.now_ms) {
		return false;
	}
	txn_key_of(l, ack, &key);
	if (may_be_ours && str_eq(ack->to_tag, txn_tag(l, ack, &key.id, tag))) {
		return true;
	}
	id = refused_id(&key);
	r = &l->refused[id % TXN_REFUSED_N];
	return r->id == id && r->until_ms > l->w->clock.now_ms;
}

/* --- sending -----------------------------------------------------------------------------------
 */

/* Memory of one answer, in its own arena; freed when it has left. */
struct answer {
	struct job job;
	struct arena arena;
	struct iovec iov;
};

static void answer_run(struct job *job, void *ctx)
{
	struct arena arena = container_of(job, struct answer, job)->arena;

	(void)ctx;
	arena_fini(&arena);
}

static int send_answer(struct txn_layer *l, const struct sip_msg *req, const struct tp_flow *from,
                       struct sip_reply *reply, struct arena *arena)
{
	struct answer *answer = arena_zalloc(arena, sizeof(*answer));
	struct sip_out out;
	struct tp_flow to;
	int err;

	if (!answer) {
		return -ENOMEM;
	}
	reply->via_extra = txn_via_extra(arena, req, from);
	if (!reply->via_extra.p) {
		return -ENOMEM;
	}
	err = sip_build_reply(req, reply, arena, &out);
	if (err) {
		return err;
	}
	transport_response_flow(&req->via, from, &to);
	err = transport_send(l->tp, &to, true, &out);
	/* What was built may be in a queue now. */
	answer->job.run = answer_run;
	answer->arena = *arena;
	worker_reap(l->w, &answer->job);
	arena_init(arena, &l->w->arenas);
	return err;
}

int txn_reply_stateless(struct txn_layer *l, const struct sip_msg *req, const struct tp_flow *from,
                        struct sip_reply *reply)
{
	struct arena arena;
	char tag[TXN_TAG_LEN];
	struct txn_key key;
	int err;

	if (req->method == SIP_M_ACK) {
		return 0;
	}
	txn_key_of(l, req, &key);
	reply->to_tag = reply->code == 100 ? STR_NONE : txn_tag(l, req, &key.id, tag);
	if (req->method == SIP_M_INVITE && req->to_tag.n && reply->code >= 300) {
		refused_add(l, &key);
	}
	arena_init(&arena, &l->w->arenas);
	err = send_answer(l, req, from, reply, &arena);
	arena_fini(&arena);
	reply->to_tag = reply->via_extra = STR_NONE; /* their bytes are gone */
	return err;
}

/* --- forwarding --------------------------------------------------------------------------------
 */

/* RFC 3261 16.11: the same for each retransmission, from what identifies the request. */
struct str txn_stateless_branch(struct txn_layer *l, const struct sip_msg *req, char *out)
{
	struct branch b = { .kind = BRANCH_STATELESS, .worker = (uint8_t)l->w->id };
	struct txn_key key;

	txn_key_of(l, req, &key);
	b.slot = (uint32_t)key.id.v[0];
	b.generation = (uint32_t)(key.id.v[0] >> 32);
	b.loop = key.id.v[1];
	return str_make(out, branch_print(&b, l->w->process_key, out));
}
