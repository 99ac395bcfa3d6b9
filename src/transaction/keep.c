/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/internal.h"

#include <stdlib.h>

static void hold_run(struct job *job, void *ctx)
{
	struct txn_hold *hold = container_of(job, struct txn_hold, job);
	struct sip_msg *msg = hold->msg; /* the hold goes with it */

	(void)ctx;
	sip_msg_unref(&msg);
}

struct txn_hold *txn_hold_new(struct sip_msg *msg)
{
	struct txn_hold *hold = arena_alloc(&msg->arena, sizeof(*hold));

	if (hold) {
		*hold = (struct txn_hold){ .job.run = hold_run, .msg = sip_msg_ref(msg) };
	}
	return hold;
}

void txn_hold_release(struct txn_layer *l, struct txn_hold **hold)
{
	if (*hold) {
		worker_reap(l->w, &(*hold)->job);
		*hold = NULL;
	}
}

static void kept_run(struct job *job, void *ctx)
{
	(void)ctx;
	free(container_of(job, struct txn_kept, job));
}

struct txn_kept *txn_kept_new(const struct sip_out *out)
{
	struct txn_kept *kept = malloc(sizeof(*kept) + out->len);

	if (kept) {
		size_t n = sip_out_copy(out, kept->bytes, out->len);

		*kept = (struct txn_kept){ .job.run = kept_run, .iov = { kept->bytes, n } };
	}
	return kept;
}

int txn_kept_send(struct txn_layer *l, struct txn_kept *kept, struct tp_flow *flow, bool reopen)
{
	const struct sip_out out = txn_kept_out(kept);

	return transport_send(l->tp, flow, reopen, &out);
}

void txn_kept_free(struct txn_layer *l, struct txn_kept **kept)
{
	if (*kept) {
		worker_reap(l->w, &(*kept)->job);
		*kept = NULL;
	}
}
