/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that turn out to be dead (RFC 5626 7, 5.3), and bindings that an edge says so about. */
#include "proxy/core.h"
#include "util/log.h"

#include <stdlib.h>

void proxy_flow_failed(struct belfry_branch *br)
{
	struct belfry_req *req = br->req;

	if (!req->dry && br->target->has_flow) {
		loc_flow_gone(req->p->location, req->p->w, &br->target->flow);
	}
}

struct removal { /* on its way to the AOR's owner */
	struct job job;
	struct loc_table *table;
	struct str aor, contact;
	uint64_t id;
	char text[];
};

static void removed(int err, struct loc_set *set, void *arg)
{
	(void)err;
	(void)set;
	(void)arg;
}

static void removal_run(struct job *job, void *ctx)
{
	struct removal *r = container_of(job, struct removal, job);
	struct loc_op op = { .kind = LOC_OP_REMOVE, .b = { .contact = r->contact, .id = r->id } };
	struct loc_change change = { .aor = r->aor, .ops = &op, .ops_n = 1, .by_operator = true };
	struct worker *w = ctx;
	int err = loc_apply(r->table, w, &change, removed, NULL, NULL);

	sip_mask_passwords(r->text + (r->contact.p - r->text), r->contact.n);
	if (err) {
		log_warning("binding.remove_failed", LOG_S("aor", r->aor),
		            LOG_S("contact", r->contact), LOG_ERR(err));
	} else {
		log_info("binding.removed", LOG_S("aor", r->aor), LOG_S("contact", r->contact),
		         LOG_Z("why", "430 from its edge"));
	}
	free(r);
}

void proxy_binding_remove(struct belfry_branch *br)
{
	const struct proxy_target *t = br->target;
	struct worker *w = br->req->p->w;
	struct removal *r;

	if (t->aor.n == 0) {
		return;
	}
	r = malloc(sizeof(*r) + t->aor.n + t->contact.n);
	if (r == NULL) {
		return; /* it expires */
	}
	memcpy(r->text, t->aor.p, t->aor.n);
	memcpy(r->text + t->aor.n, t->contact.p, t->contact.n);
	r->job.run = removal_run;
	r->table = br->req->p->location;
	r->aor = str_make(r->text, t->aor.n);
	r->contact = str_make(r->text + t->aor.n, t->contact.n);
	r->id = t->binding_id;
	if (transport_owner_of_aor(w, t->aor) == w->id) {
		removal_run(&r->job, w);
	} else {
		worker_post_sure(w, transport_owner_of_aor(w, t->aor), &r->job);
	}
}

void proxy_on_flow(void *arg, const struct tp_flow *flow, bool up)
{
	struct proxy *p = arg;

	if (!up) {
		loc_flow_gone(p->location, p->w, flow);
	}
	if (p->wire.flow) {
		p->wire.flow(p->wire.arg, flow, up);
	}
}
