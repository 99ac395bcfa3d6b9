/* SPDX-License-Identifier: Apache-2.0 */
#include "location/set.h"

#include <errno.h>
#include <stdlib.h>

#include "util/err.h"

#define FLOW_ADDR_MAX (1 + 2 + 16 + 4)
#define FLOW_MAX      (sizeof(void *) + 2 + 8 + 2 * FLOW_ADDR_MAX)

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* --- packed flows: listener, proto, flags, [connection], remote, local --- */

enum { FLOW_ACCEPTED = 1, FLOW_HAS_CONN = 2 };

static char *put(char *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static const char *take(const char *p, void *to, size_t n)
{
	memcpy(to, p, n);
	return p + n;
}

static char *put_addr(char *p, const struct net_addr *a)
{
	*p++ = (char)a->family;
	if (a->family == 0) {
		return p;
	}
	p = put(p, &a->port, sizeof(a->port));
	if (a->family == 4) {
		return put(p, a->ip, 4);
	}
	p = put(p, a->ip, 16);
	return put(p, &a->scope, sizeof(a->scope));
}

static const char *take_addr(const char *p, struct net_addr *a)
{
	*a = (struct net_addr){ .family = (uint8_t)*p++ };
	if (a->family == 0) {
		return p;
	}
	p = take(p, &a->port, sizeof(a->port));
	if (a->family == 4) {
		return take(p, a->ip, 4);
	}
	p = take(p, a->ip, 16);
	return take(p, &a->scope, sizeof(a->scope));
}

static size_t flow_pack(const struct tp_flow *flow, char out[FLOW_MAX])
{
	char *p = put(out, &flow->listener, sizeof(flow->listener));

	*p++ = (char)flow->proto;
	*p++ = (char)((flow->accepted ? FLOW_ACCEPTED : 0) | (flow->conn ? FLOW_HAS_CONN : 0));
	if (flow->conn) {
		p = put(p, &flow->conn, sizeof(flow->conn));
	}
	p = put_addr(p, &flow->remote);
	p = put_addr(p, &flow->local);
	return (size_t)(p - out);
}

static void flow_unpack(const char *p, struct tp_flow *flow_r)
{
	uint8_t flags;

	*flow_r = (struct tp_flow){ 0 };
	p = take(p, &flow_r->listener, sizeof(flow_r->listener));
	flow_r->proto = (uint8_t)*p++;
	flags = (uint8_t)*p++;
	flow_r->accepted = flags & FLOW_ACCEPTED;
	if (flags & FLOW_HAS_CONN) {
		p = take(p, &flow_r->conn, sizeof(flow_r->conn));
	}
	p = take_addr(p, &flow_r->remote);
	take_addr(p, &flow_r->local);
}

uint32_t loc_flow_hash(const struct tp_flow *flow)
{
	uint64_t ip[2], h;

	memcpy(ip, flow->remote.ip, sizeof(ip));
	h = hash_mix(flow->conn ^ ((uint64_t)flow->remote.port << 48));
	h = hash_mix(h ^ ip[0]);
	h = hash_mix(h ^ ip[1] ^ ((uint64_t)flow->proto << 56));
	return (uint32_t)h ? (uint32_t)h : 1;
}

/* --- records --- */

static const char *data_of(const struct loc_rec *rec)
{
	return (const char *)rec + LOC_REC_HEAD;
}

static size_t text_off(const struct loc_rec *rec, enum loc_rec_text which)
{
	size_t off = 0;

	for (unsigned i = 0; i < (unsigned)which; i++) {
		if (i != LOC_T_INSTANCE || !(rec->flags & LOC_REC_INSTANCE_IN_PARAMS)) {
			off += rec->len[i];
		}
	}
	return off;
}

struct str loc_rec_text(const struct loc_rec *rec, enum loc_rec_text which)
{
	return str_make(data_of(rec) + text_off(rec, which), rec->len[which]);
}

struct str loc_rec_instance(const struct loc_rec *rec)
{
	if (rec->flags & LOC_REC_INSTANCE_IN_PARAMS) {
		struct str params = loc_rec_text(rec, LOC_T_PARAMS);

		return str_make(params.p + rec->instance_off, rec->len[LOC_T_INSTANCE]);
	}
	return loc_rec_text(rec, LOC_T_INSTANCE);
}

struct str loc_rec_user_agent(const struct loc_rec *rec)
{
	if (rec->user_agent) {
		return str_make(rec->user_agent->p, rec->user_agent->n);
	}
	return loc_rec_text(rec, LOC_T_USER_AGENT);
}

size_t loc_rec_size(const struct loc_rec *rec)
{
	return LOC_REC_HEAD + text_off(rec, LOC_T_N) + rec->flow_n;
}

bool loc_rec_flow(const struct loc_rec *rec, struct tp_flow *flow_r)
{
	if (!(rec->flags & LOC_REC_FLOW)) {
		return false;
	}
	flow_unpack(data_of(rec) + text_off(rec, LOC_T_N), flow_r);
	return true;
}

int loc_rec_live_proto(const struct loc_rec *rec)
{
	const char *packed = data_of(rec) + text_off(rec, LOC_T_N);

	if (!(rec->flags & LOC_REC_FLOW) ||
	    atomic_load_explicit(&rec->dead, memory_order_relaxed)) {
		return -1;
	}
	return (uint8_t)packed[sizeof(((struct tp_flow *)NULL)->listener)];
}

uint32_t loc_rec_flow_hash(const struct loc_rec *rec)
{
	struct tp_flow flow;

	return loc_rec_flow(rec, &flow) ? loc_flow_hash(&flow) : 0;
}

bool loc_rec_same_row(const struct loc_rec *a, const struct loc_rec *b)
{
	size_t n = loc_rec_size(a);

	/* The fixed part ends with the mark; what follows are the texts and the flow. */
	return n == loc_rec_size(b) && memcmp(a, b, offsetof(struct loc_rec, dead)) == 0 &&
	       memcmp(data_of(a), data_of(b), n - LOC_REC_HEAD) == 0;
}

static bool find_in(struct str text, struct str part, uint16_t *off_r)
{
	const char *p = NULL;

	if (part.n && part.n <= text.n) {
		p = memmem(text.p, text.n, part.p, part.n);
	}
	if (!p) {
		return false;
	}
	*off_r = (uint16_t)(p - text.p);
	return true;
}

/* --- building --- */

/* What a record of @item looks like without its data. */
struct plan {
	struct str text[LOC_T_N];
	char flow[FLOW_MAX];
	size_t size;
	struct loc_rec head; /* last, as it ends in an array without length */
};

static void plan_texts(struct plan *plan, const struct loc_mem *mem, const struct loc_item *item)
{
	const struct loc_binding *b = item->b;
	struct loc_rec *head = &plan->head;

	plan->text[LOC_T_CONTACT] = b->contact;
	plan->text[LOC_T_PARAMS] = b->params;
	plan->text[LOC_T_CALL_ID] = item->call_id;
	plan->text[LOC_T_PATH] = b->path;
	plan->text[LOC_T_RECEIVED] = b->received;
	plan->text[LOC_T_USER_AGENT] = STR_NONE;
	plan->text[LOC_T_INSTANCE] = b->instance;
	head->user_agent = loc_intern_get(mem->intern, b->user_agent);
	if (!head->user_agent) {
		plan->text[LOC_T_USER_AGENT] = b->user_agent;
	}
	if (b->params.n <= UINT16_MAX && find_in(b->params, b->instance, &head->instance_off)) {
		head->flags |= LOC_REC_INSTANCE_IN_PARAMS;
	}
}

static int plan_make(struct plan *plan, const struct loc_mem *mem, const struct loc_item *item)
{
	const struct loc_binding *b = item->b;
	struct loc_rec *head = &plan->head;
	size_t size = LOC_REC_HEAD;

	memset(head, 0, sizeof(*head));
	head->id = item->id;
	head->expires_ms = b->expires_ms;
	head->created = (uint32_t)item->created;
	head->updated = (uint32_t)item->updated;
	head->cseq = item->cseq;
	head->reg_id = b->reg_id;
	head->q = b->has_q ? b->q : 1000;
	head->flags =
		(uint8_t)((b->has_q ? LOC_REC_HAS_Q : 0) | (item->is_static ? LOC_REC_STATIC : 0) |
	                  (b->has_flow ? LOC_REC_FLOW : 0));
	atomic_init(&head->dead, b->has_flow && b->flow_dead);
	plan_texts(plan, mem, item);
	for (unsigned i = 0; i < LOC_T_N; i++) {
		if (plan->text[i].n > UINT16_MAX) {
			return BELFRY_ETOOBIG;
		}
		head->len[i] = (uint16_t)plan->text[i].n;
		if (i == LOC_T_INSTANCE && head->flags & LOC_REC_INSTANCE_IN_PARAMS) {
			plan->text[i] = STR_NONE;
		}
		size += plan->text[i].n;
	}
	head->flow_n = b->has_flow ? (uint8_t)flow_pack(&b->flow, plan->flow) : 0;
	plan->size = size + head->flow_n;
	return 0;
}

static size_t plan_write(const struct plan *plan, char *p)
{
	char *q = put(p, &plan->head, LOC_REC_HEAD);

	for (unsigned i = 0; i < LOC_T_N; i++) {
		if (plan->text[i].n) {
			q = put(q, plan->text[i].p, plan->text[i].n);
		}
	}
	put(q, plan->flow, plan->head.flow_n);
	return plan->size;
}

/* Sizes of all records, in @plans for those that are made anew; the size of the set. */
static int measure(struct plan *plans, const struct loc_mem *mem, struct str aor,
                   const struct loc_item *items, size_t n, size_t *size_r)
{
	size_t size = align8(offsetof(struct loc_set, off) + n * sizeof(uint32_t) + aor.n);

	for (size_t i = 0; i < n; i++) {
		if (items[i].keep) {
			size += align8(loc_rec_size(items[i].keep));
			continue;
		}
		int err = plan_make(&plans[i], mem, &items[i]);

		if (err) {
			return err;
		}
		size += align8(plans[i].size);
	}
	if (size > UINT32_MAX) {
		return BELFRY_ETOOBIG;
	}
	*size_r = size;
	return 0;
}

static void fill(struct loc_set *set, const struct plan *plans, struct str aor,
                 const struct loc_item *items, size_t n)
{
	size_t off = offsetof(struct loc_set, off) + n * sizeof(uint32_t);

	put((char *)set + off, aor.p, aor.n);
	off = align8(off + aor.n);
	for (size_t i = 0; i < n; i++) {
		char *p = (char *)set + off;
		size_t size;

		set->off[i] = (uint32_t)off;
		if (items[i].keep) {
			size = loc_rec_size(items[i].keep);
			memcpy(p, items[i].keep, size);
		} else {
			size = plan_write(&plans[i], p);
		}
		off += align8(size);
	}
}

#define PLANS_FEW 3

int loc_set_build(const struct loc_mem *mem, struct str aor, const struct loc_item *items, size_t n,
                  struct loc_set **set_r)
{
	struct plan few[PLANS_FEW], *plans = few;
	struct loc_set *set = NULL;
	size_t size = 0;
	int err;

	if (n > LOC_SET_MAX || aor.n > UINT16_MAX) {
		return BELFRY_ETOOBIG;
	}
	if (n > PLANS_FEW) {
		plans = malloc(n * sizeof(*plans));
		if (!plans) {
			return -ENOMEM;
		}
	}
	err = measure(plans, mem, aor, items, n, &size);
	if (!err) {
		set = loc_slab_alloc(mem->slab, size);
		err = set ? 0 : -ENOMEM;
	}
	if (!err) {
		atomic_init(&set->refs, 1);
		set->size = (uint32_t)size;
		set->n = (uint16_t)n;
		set->aor_n = (uint16_t)aor.n;
		fill(set, plans, aor, items, n);
		*set_r = set;
	}
	if (plans != few) {
		free(plans);
	}
	return err;
}

/* --- reading --- */

size_t loc_set_n(const struct loc_set *set)
{
	return set ? set->n : 0;
}

struct str loc_set_aor(const struct loc_set *set)
{
	return str_make((const char *)&set->off[set->n], set->aor_n);
}

const struct loc_rec *loc_set_rec(const struct loc_set *set, size_t i)
{
	return (const struct loc_rec *)(const void *)((const char *)set + set->off[i]);
}

/* All of them in one walk. */
static void texts_get(const struct loc_rec *rec, struct str text_r[LOC_T_N])
{
	const char *p = data_of(rec);

	for (unsigned i = 0; i < LOC_T_N; i++) {
		text_r[i] = str_make(p, rec->len[i]);
		if (i != LOC_T_INSTANCE || !(rec->flags & LOC_REC_INSTANCE_IN_PARAMS)) {
			p += rec->len[i];
		} else {
			text_r[i].p = text_r[LOC_T_PARAMS].p + rec->instance_off;
		}
	}
	if (rec->user_agent) {
		text_r[LOC_T_USER_AGENT] = str_make(rec->user_agent->p, rec->user_agent->n);
	}
}

void loc_set_get(const struct loc_set *set, size_t i, struct loc_binding *b_r)
{
	const struct loc_rec *rec = loc_set_rec(set, i);
	struct str text[LOC_T_N];

	texts_get(rec, text);
	*b_r = (struct loc_binding){
		.id = rec->id,
		.contact = text[LOC_T_CONTACT],
		.params = text[LOC_T_PARAMS],
		.instance = text[LOC_T_INSTANCE],
		.reg_id = rec->reg_id,
		.q = rec->q,
		.has_q = rec->flags & LOC_REC_HAS_Q,
		.is_static = rec->flags & LOC_REC_STATIC,
		.flow_dead = atomic_load_explicit(&rec->dead, memory_order_relaxed),
		.expires_ms = rec->expires_ms,
		.call_id = text[LOC_T_CALL_ID],
		.cseq = rec->cseq,
		.path = text[LOC_T_PATH],
		.user_agent = text[LOC_T_USER_AGENT],
		.received = text[LOC_T_RECEIVED],
		.created = rec->created,
		.updated = rec->updated,
	};
	b_r->has_flow = loc_rec_flow(rec, &b_r->flow);
}

uint64_t loc_set_min_expires_ms(const struct loc_set *set)
{
	uint64_t min = UINT64_MAX;

	for (size_t i = 0; i < set->n; i++) {
		uint64_t at = loc_set_rec(set, i)->expires_ms;

		min = at < min ? at : min;
	}
	return min;
}

struct loc_set *loc_set_ref(struct loc_set *set)
{
	if (set) {
		atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	}
	return set;
}

void loc_set_unref(struct loc_set **set)
{
	struct loc_set *s = *set;

	*set = NULL;
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
		loc_slab_put(s, s->size);
	}
}
