/* SPDX-License-Identifier: Apache-2.0 */
/* A REGISTER that is only to be explained: its decisions, in words. */
#include "registrar/registrar.h"

static const char *way_of(const struct belfry_binding *b)
{
	return b->path.n > 0 ? "by its Path"
	       : b->use_flow ? "down the flow it came by"
	                     : "by its URI";
}

static void explain_contact(struct belfry_req *req, const struct belfry_contact_op *op)
{
	const struct belfry_binding *b = &op->b;

	if (op->remove) {
		belfry_decide(req, "RFC 3261 10.3 (7)", "%.*s is removed", STR_FMT(b->contact));
		return;
	}
	belfry_decide(req, "RFC 3261 10.3 (7)", "%.*s is bound for %u s, requests go to it %s",
	              STR_FMT(b->contact), b->expires_s, way_of(b));
	if (b->reg_id > 0) {
		belfry_decide(req, "RFC 5626 6", "flow %u of instance %.*s", b->reg_id,
		              STR_FMT(b->instance));
	}
}

static void explain_answer(struct belfry_req *req, const struct registering *r)
{
	static const char *const when[] = {
		[BELFRY_FULL] = "the 200 leaves when the change is synced to disk",
		[BELFRY_PROCESS] = "the 200 leaves when the change is in the database's log",
		[BELFRY_ASYNC] = "the 200 leaves at once, the change is written later",
	};

	belfry_decide(req, "registrar.max_contacts",
	              "refused with 403 if there were more than %u bindings then",
	              r->change.max_contacts);
	belfry_decide(req, "registrar.durability", "%s", when[r->change.durability]);
}

void explain_change(struct belfry_req *req, const struct registering *r)
{
	const struct belfry_change *change = &r->change;

	if (change->remove_all) {
		belfry_decide(req, "RFC 3261 10.3 (6)", "every binding of sip:%.*s is removed",
		              STR_FMT(change->aor));
	} else if (change->ops_n == 0) {
		belfry_decide(req, "RFC 3261 10.3 (8)",
		              "nothing changes: asks for the bindings of "
		              "sip:%.*s",
		              STR_FMT(change->aor));
		return;
	}
	for (size_t i = 0; i < change->ops_n; i++) {
		explain_contact(req, &change->ops[i]);
	}
	explain_answer(req, r);
}
