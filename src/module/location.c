/* SPDX-License-Identifier: Apache-2.0 */
/* belfry_location_apply(): a REGISTER's change, handed to the location and answered when durable.
 */
#include "module/internal.h"
#include "util/sbuf.h"

#include <errno.h>

_Static_assert((int)BELFRY_FULL == LOC_FULL && (int)BELFRY_PROCESS == LOC_PROCESS &&
                       (int)BELFRY_ASYNC == LOC_ASYNC,
               "the contract's levels of durability are the location's");

struct belfry_bindings {
	const struct loc_set *set; /* NULL: none */
	uint64_t now_ms;
};

struct apply { /* in the arena of the request */
	struct hook_wait hook;
	struct loc_query *query;
	struct belfry_req *req;
	struct belfry_mod *mod;
	belfry_applied_cb *cb;
	void *arg;
	uint64_t hold_until_ms; /* the flow is registered until then; 0: it is not */
};

static uint32_t seconds_left(uint64_t expires_ms, uint64_t now_ms)
{
	uint64_t s = (expires_ms - now_ms + 999) / 1000;

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

bool belfry_bindings_next(const struct belfry_bindings *bs, size_t *i, struct belfry_binding *b_r)
{
	size_t n = bs->set ? loc_set_n(bs->set) : 0;
	struct loc_binding b;

	while (*i < n) {
		loc_set_get(bs->set, (*i)++, &b);
		if (b.expires_ms <= bs->now_ms) {
			continue;
		}
		*b_r = (struct belfry_binding){
			.contact = b.contact,
			.params = b.params,
			.instance = b.instance,
			.call_id = b.call_id,
			.path = b.path,
			.user_agent = b.user_agent,
			.received = b.received,
			.reg_id = b.reg_id,
			.cseq = b.cseq,
			.expires_s = seconds_left(b.expires_ms, bs->now_ms),
			.q = b.q,
			.has_q = b.has_q,
			.is_static = b.is_static,
			.flow_dead = b.flow_dead,
			.has_flow = b.has_flow,
		};
		return true;
	}
	return false;
}

/* "udp:192.0.2.1:5060" into @space. */
static struct str received(const struct belfry_req *req, char space[NET_ADDR_TEXT + 8])
{
	char text[NET_ADDR_TEXT];
	struct sbuf b;

	sbuf_init(&b, space, NET_ADDR_TEXT + 8);
	sbuf_add(&b, tp_proto_param(req->from.proto));
	sbuf_char(&b, ':');
	sbuf_add(&b, net_addr_text(&req->from.remote, text));
	return sbuf_str(&b);
}

static void op_fill(struct loc_op *op, const struct belfry_contact_op *from,
                    const struct belfry_change *change, const struct belfry_req *req,
                    struct str source, uint64_t now_ms)
{
	const struct belfry_binding *b = &from->b;

	*op = (struct loc_op){
		.kind = from->remove ? LOC_OP_REMOVE : LOC_OP_SET,
		.b = {
			.contact = b->contact,
			.params = b->params,
			.instance = b->instance,
			.reg_id = b->reg_id,
			.q = b->q,
			.has_q = b->has_q,
			.expires_ms = now_ms + (uint64_t)b->expires_s * 1000,
			.call_id = change->call_id,
			.cseq = change->cseq,
			.path = b->path,
			.user_agent = b->user_agent,
			.received = source,
			.has_flow = b->use_flow,
		},
	};
	if (b->use_flow) {
		op->b.flow = req->from;
	}
}

static int change_make(struct belfry_req *req, const struct belfry_change *change,
                       struct str source, uint64_t now_ms, struct loc_change *out)
{
	struct loc_op *ops = NULL;

	if (change->ops_n > 0) {
		ops = arena_alloc(proxy_arena(req), change->ops_n * sizeof(*ops));
		if (!ops) {
			return -ENOMEM;
		}
		for (size_t i = 0; i < change->ops_n; i++) {
			op_fill(&ops[i], &change->ops[i], change, req, source, now_ms);
		}
	}
	*out = (struct loc_change){
		.aor = change->aor,
		.ops = ops,
		.ops_n = change->ops_n,
		.remove_all = change->remove_all,
		.call_id = change->call_id,
		.cseq = change->cseq,
		.max_contacts = change->max_contacts,
		.replace_instance = change->replace_instance,
		.durability = (enum loc_durability)change->durability,
		.flush_interval_s = change->flush_interval_s,
	};
	return 0;
}

static void committed(int err, struct loc_set *set, void *arg)
{
	struct apply *a = arg;
	struct belfry_req *req = a->req;
	struct transport_group *tg = transport_group_of(a->mod->mw->transport);
	struct belfry_bindings bs = {
		.set = set,
		.now_ms = a->mod->mw->worker->clock.now_ms,
	};

	a->query = NULL;
	if (err == 0 && a->hold_until_ms) {
		transport_flow_hold(tg, &req->from, a->hold_until_ms);
	}
	proxy_enter(req);
	proxy_req_set_wait(req, NULL);
	mod_enter(a->mod, req);
	a->cb(req, a->mod, err, &bs, a->arg);
	proxy_leave(req);
}

static void apply_ended(struct hook_wait *hook)
{
	struct apply *a = container_of(hook, struct apply, hook);
	struct belfry_bindings none = { 0 };

	loc_apply_cancel(&a->query);
	mod_enter(a->mod, NULL);
	a->cb(NULL, a->mod, BELFRY_ECANCELED, &none, a->arg);
}

static uint64_t flow_until(const struct loc_change *change)
{
	uint64_t until_ms = 0;

	for (size_t i = 0; i < change->ops_n; i++) {
		const struct loc_op *op = &change->ops[i];

		if (op->kind == LOC_OP_SET && op->b.has_flow && op->b.expires_ms > until_ms) {
			until_ms = op->b.expires_ms;
		}
	}
	return until_ms;
}

int belfry_location_apply(struct belfry_req *req, struct belfry_mod *mod,
                          const struct belfry_change *change, belfry_applied_cb *cb, void *arg)
{
	struct worker *w = mod->mw->worker;
	struct apply *a = arena_alloc(proxy_arena(req), sizeof(*a));
	char source[NET_ADDR_TEXT + 8]; /* copied by loc_apply() */
	struct loc_change lc;
	int ret;

	if (!a || change_make(req, change, received(req, source), w->clock.now_ms, &lc) < 0) {
		return -ENOMEM;
	}
	*a = (struct apply){
		.hook = { .ended = apply_ended },
		.req = req,
		.mod = mod,
		.cb = cb,
		.arg = arg,
	};
	a->hold_until_ms = flow_until(&lc);
	ret = loc_apply(mod->mw->core->params.location, w, &lc, committed, a, &a->query);
	if (ret == 0) {
		proxy_req_set_wait(req, &a->hook);
	}
	return ret;
}
