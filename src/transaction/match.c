/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which server transaction a request belongs to (RFC 3261 17.2.3). The id is a keyed hash over the
 * fields that are compared: branch, sent-by and Call-ID (which keeps apart what elements send that
 * use a branch twice); for a branch without the cookie (RFC 2543) Request-URI, To tag, From tag,
 * Call-ID, CSeq number and top Via, text by text, since what is retransmitted has the same bytes.
 * The method is compared beside it, so that ACK and CANCEL find their INVITE with one hash.
 */
#include "transaction/internal.h"

static void add(struct hash_state *st, struct str s)
{
	uint32_t n = (uint32_t)s.n;

	hash_add(st, str_make((const char *)&n, sizeof(n)));
	hash_add(st, s);
}

static void add_sent_by(struct hash_state *st, const struct sip_via *via)
{
	uint32_t n = (uint32_t)via->host.n | (uint32_t)via->port << 16;

	hash_add(st, str_make((const char *)&n, sizeof(n)));
	hash_add_nocase(st, via->host);
}

static struct hash128 id_of_branch(const struct txn_layer *l, const struct sip_msg *req)
{
	const struct sip_via *via = &req->via;
	/* What is not text comes in one word: every request goes through here. */
	uint64_t head = 'B' | (uint64_t)via->host.n << 8 | (uint64_t)via->port << 24 |
	                (uint64_t)via->branch.n << 40;
	struct hash_state st;

	hash_begin(&st, l->w->process_key, true);
	hash_add(&st, str_make((const char *)&head, sizeof(head)));
	hash_add_nocase(&st, via->host);
	hash_add(&st, via->branch);
	hash_add(&st, req->call_id);
	return hash_end128(&st);
}

static struct hash128 id_of_fields(const struct txn_layer *l, const struct sip_msg *req,
                                   struct str to_tag)
{
	struct hash_state st;

	hash_begin(&st, l->w->process_key, true);
	hash_add(&st, STR("F"));
	add_sent_by(&st, &req->via);
	hash_add_nocase(&st, req->via.transport);
	add(&st, req->via.params);
	add(&st, req->ruri_text);
	add(&st, to_tag);
	add(&st, req->from_tag);
	add(&st, req->call_id);
	hash_add(&st, str_make((const char *)&req->cseq, sizeof(req->cseq)));
	return hash_end128(&st);
}

uint32_t txn_hash32(const struct txn_layer *l, struct str s)
{
	return (uint32_t)hash_str(l->w->process_key, s);
}

void txn_key_of(const struct txn_layer *l, const struct sip_msg *req, struct txn_key *key_r)
{
	if (req == l->handed) { /* made a moment ago */
		*key_r = l->handed_key;
		return;
	}
	*key_r = (struct txn_key){
		.method = req->method == SIP_M_ACK ? SIP_M_INVITE : req->method,
		.is_old = !req->via.is_rfc3261,
	};
	if (req->method == SIP_M_OTHER) {
		key_r->method_hash = txn_hash32(l, req->method_text);
	}
	key_r->id = key_r->is_old ? id_of_fields(l, req, req->to_tag) : id_of_branch(l, req);
}

static bool id_eq(const struct hash128 *a, const struct hash128 *b)
{
	return a->v[0] == b->v[0] && a->v[1] == b->v[1];
}

struct txn_entry *txn_find(const struct txn_layer *l, const struct txn_key *key)
{
	struct txn_entry *e = txn_table_chain(&l->table, &key->id);

	while (e && !(id_eq(&e->id, &key->id) && e->method == key->method &&
	              e->method_hash == key->method_hash)) {
		e = e->next;
	}
	return e;
}

struct txn_entry *txn_find_cancelled(const struct txn_layer *l, const struct sip_msg *cancel)
{
	struct txn_key key;
	struct txn_entry *e;

	txn_key_of(l, cancel, &key);
	key.method = SIP_M_INVITE; /* nearly always */
	e = txn_find(l, &key);
	if (e) {
		return e;
	}
	e = txn_table_chain(&l->table, &key.id);
	while (e && !id_eq(&e->id, &key.id)) {
		e = e->next;
	}
	return e;
}

/* RFC 2543: found with the To tag of the INVITE (none, or the dialog's); the tag of the ACK must be
 * the one of the response. */
static struct txn_entry *find_acked_old(const struct txn_layer *l, const struct sip_msg *ack)
{
	struct txn_key key = { .method = SIP_M_INVITE, .is_old = true };
	struct txn_entry *e;

	key.id = id_of_fields(l, ack, STR_NONE);
	e = txn_find(l, &key);
	if (!e) {
		key.id = id_of_fields(l, ack, ack->to_tag);
		e = txn_find(l, &key);
	}
	if (e && e->state != TXN_PROCEEDING && e->response_to != txn_hash32(l, ack->to_tag)) {
		return NULL;
	}
	return e;
}

struct txn_entry *txn_find_acked(const struct txn_layer *l, const struct sip_msg *ack)
{
	struct txn_key key;

	if (!ack->via.is_rfc3261) {
		return find_acked_old(l, ack);
	}
	txn_key_of(l, ack, &key);
	return txn_find(l, &key);
}
