/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ctl/redact.h"
#include "sip/msg.h"
#include "util/list.h"
#include "worker/worker.h"

#define FLAT_MAX (SIP_MSG_MAX + 4096) /* bytes of a message in one piece, what we add included */

struct trace_worker { /* its worker's, once there is a tap */
	struct trace_hub *hub;
	struct worker *worker;
	struct list taps;
	char *flat; /* a message in one piece */
};

struct trace_hub {
	struct workers *workers;
	struct transport_group *transports;
	struct mailbox *mailbox;
	unsigned n;
	struct trace_worker each[];
};

struct tap_worker {
	struct job add, del;
	struct list node; /* in trace_worker.taps */
	struct trace_tap *tap;
};

struct tap_calls { /* hashes of Call-IDs that matched; a ring */
	pthread_mutex_t lock;
	unsigned n, at;
	uint64_t v[TRACE_CALLS_MAX];
};

struct trace_tap {
	struct trace_hub *hub; /* NULL: there are no workers any more */
	struct trace_tap_params params;
	char *call_id, *user;
	bool is_closed;
	atomic_uint
		refs; /* the opener's, one per worker, one per job on its way to the main thread */
	atomic_uint adding; /* workers that have not begun */
	atomic_size_t pending;
	atomic_uint_least64_t dropped;
	struct job opened;
	struct tap_calls
		calls; /* of all workers: a connection may be another one's than the call */
	struct tap_worker each[];
};

/* --- a tap's life -------------------------------------------------------------------------------
 */

static void tap_unref(struct trace_tap *tap)
{
	if (atomic_fetch_sub(&tap->refs, 1) == 1) {
		(void)pthread_mutex_destroy(&tap->calls.lock);
		free(tap->call_id);
		free(tap->user);
		free(tap);
	}
}

static void tap_ref(struct trace_tap *tap)
{
	(void)atomic_fetch_add(&tap->refs, 1);
}

uint64_t trace_tap_dropped(struct trace_tap *tap)
{
	return atomic_exchange(&tap->dropped, 0);
}

/* --- a message, on its worker -------------------------------------------------------------------
 */

/* The message in one piece; empty when it cannot be had. */
static struct str flatten(struct trace_worker *tw, const struct sip_out *out)
{
	if (out->iov_n == 1) {
		return str_make(out->iov[0].iov_base, out->iov[0].iov_len);
	}
	if (!tw->flat || out->len > FLAT_MAX) {
		return STR_NONE;
	}
	return str_make(tw->flat, sip_out_copy(out, tw->flat, FLAT_MAX));
}

static bool remembers(struct tap_calls *calls, uint64_t hash)
{
	bool found = false;

	pthread_mutex_lock(&calls->lock);
	for (unsigned i = 0; i < calls->n && !found; i++) {
		found = calls->v[i] == hash;
	}
	pthread_mutex_unlock(&calls->lock);
	return found;
}

static void remember(struct tap_calls *calls, uint64_t hash)
{
	pthread_mutex_lock(&calls->lock);
	calls->v[calls->at] = hash;
	calls->at = (calls->at + 1) % TRACE_CALLS_MAX;
	calls->n += calls->n < TRACE_CALLS_MAX;
	pthread_mutex_unlock(&calls->lock);
}

static bool wants(const struct trace_worker *tw, struct trace_tap *tap,
                  const struct trace_facts *facts, const struct net_addr *remote)
{
	const struct trace_filter *filter = &tap->params.filter;
	uint64_t hash;

	if (!trace_filter_call_id(filter, facts)) {
		return false;
	}
	if (!trace_filter_by_call(filter)) {
		return true;
	}
	hash = hash_str(tw->worker->process_key, facts->call_id);
	if (facts->call_id.n > 0 && remembers(&tap->calls, hash)) {
		return true;
	}
	if (!trace_filter_rest(filter, facts, remote)) {
		return false;
	}
	remember(&tap->calls, hash);
	return true;
}

static int64_t unix_us(const struct clock *clock)
{
	return (clock->unix_ms - (int64_t)clock->now_ms) * 1000 + (int64_t)clock->now_us;
}

/* The address on this side; of datagrams that we begin with it may not be known. */
static struct net_addr local_of(const struct tp_flow *flow)
{
	if (flow->local.family && !net_addr_is_any(&flow->local)) {
		return flow->local;
	}
	return flow->listener ? flow->listener->addr : (struct net_addr){ 0 };
}

static void on_main(struct job *job, void *ctx)
{
	struct trace_record *rec = container_of(job, struct trace_record, job);
	struct trace_tap *tap = rec->tap;

	(void)ctx;
	if (!tap->is_closed) {
		tap->params.record(tap->params.arg, rec);
	}
	(void)atomic_fetch_sub(&tap->pending, sizeof(*rec) + rec->n);
	free(rec);
	tap_unref(tap);
}

static void record(struct trace_worker *tw, struct trace_tap *tap, bool is_sent,
                   const struct tp_flow *flow, struct str text)
{
	size_t size = sizeof(struct trace_record) + text.n;
	struct trace_record *rec = NULL;

	if (atomic_fetch_add(&tap->pending, size) + size <= TRACE_PENDING_MAX) {
		rec = malloc(size);
	}
	if (!rec) {
		(void)atomic_fetch_sub(&tap->pending, size);
		(void)atomic_fetch_add(&tap->dropped, 1);
		return;
	}
	*rec = (struct trace_record){ .job.run = on_main,
		                      .tap = tap,
		                      .unix_us = unix_us(&tw->worker->clock),
		                      .remote = flow->remote,
		                      .local = local_of(flow),
		                      .proto = flow->proto,
		                      .is_sent = is_sent,
		                      .n = text.n };
	memcpy(rec->text, text.p, text.n);
	ctl_redact(rec->text, rec->n);
	tap_ref(tap);
	mailbox_post_sure(tw->hub->mailbox, &rec->job);
}

static void on_message(void *arg, bool is_sent, const struct tp_flow *flow,
                       const struct sip_out *out)
{
	struct trace_worker *tw = arg;
	struct str text = flatten(tw, out);
	struct trace_facts facts;

	if (text.n > 0 && !trace_facts_read(text, &facts)) {
		return; /* a keepalive */
	}
	list_for_each(it, &tw->taps)
	{
		struct tap_worker *at = container_of(it, struct tap_worker, node);

		if (text.n == 0) {
			(void)atomic_fetch_add(&at->tap->dropped, 1);
		} else if (wants(tw, at->tap, &facts, &flow->remote)) {
			record(tw, at->tap, is_sent, flow, text);
		}
	}
}

/* --- coming and going, on each worker -----------------------------------------------------------
 */

static void on_opened(struct job *job, void *ctx)
{
	struct trace_tap *tap = container_of(job, struct trace_tap, opened);

	(void)ctx;
	if (!tap->is_closed) {
		tap->params.opened(tap->params.arg);
	}
	tap_unref(tap);
}

static void add_here(struct job *job, void *ctx)
{
	struct tap_worker *at = container_of(job, struct tap_worker, add);
	struct trace_tap *tap = at->tap;
	struct trace_hub *hub = tap->hub;
	struct worker *w = ctx;
	struct trace_worker *tw = &hub->each[w->id];

	if (!tw->flat) {
		tw->flat = malloc(FLAT_MAX);
	}
	tw->worker = w;
	list_append(&tw->taps, &at->node);
	transport_set_trace(transport_get(hub->transports, w->id), on_message, tw);
	if (atomic_fetch_sub(&tap->adding, 1) == 1) {
		tap_ref(tap);
		tap->opened.run = on_opened;
		mailbox_post_sure(hub->mailbox, &tap->opened);
	}
}

static void unhook(struct trace_worker *tw, unsigned id)
{
	transport_set_trace(transport_get(tw->hub->transports, id), NULL, NULL);
	free(tw->flat);
	tw->flat = NULL;
}

static void del_here(struct job *job, void *ctx)
{
	struct tap_worker *at = container_of(job, struct tap_worker, del);
	struct worker *w = ctx;
	struct trace_worker *tw = &at->tap->hub->each[w->id];

	list_del(&at->node);
	if (list_is_empty(&tw->taps)) {
		unhook(tw, w->id);
	}
	tap_unref(at->tap);
}

/* --- the main thread ----------------------------------------------------------------------------
 */

static struct trace_hub *hub_get(struct ctl_env *env)
{
	unsigned n = workers_n(env->workers);
	struct trace_hub *hub = env->trace;

	if (hub) {
		return hub;
	}
	hub = calloc(1, sizeof(*hub) + n * sizeof(hub->each[0]));
	if (!hub) {
		return NULL;
	}
	hub->workers = env->workers;
	hub->transports = env->transports;
	hub->mailbox = env->mailbox;
	hub->n = n;
	for (unsigned i = 0; i < n; i++) {
		hub->each[i].hub = hub;
		list_init(&hub->each[i].taps);
	}
	env->trace = hub;
	return hub;
}

void trace_hub_free(struct trace_hub *hub)
{
	if (!hub) {
		return;
	}
	for (unsigned i = 0; i < hub->n; i++) {
		struct trace_worker *tw = &hub->each[i];

		list_for_each_safe(it, next, &tw->taps)
		{
			struct tap_worker *at = container_of(it, struct tap_worker, node);

			list_del(&at->node);
			at->tap->hub = NULL;
			tap_unref(at->tap);
		}
		unhook(tw, i);
	}
	free(hub);
}

static struct trace_tap *tap_new(struct trace_hub *hub, const struct trace_tap_params *params)
{
	struct trace_tap *tap = calloc(1, sizeof(*tap) + hub->n * sizeof(tap->each[0]));

	if (!tap || pthread_mutex_init(&tap->calls.lock, NULL)) {
		free(tap);
		return NULL;
	}
	atomic_init(&tap->refs, 1);
	tap->params = *params;
	tap->call_id = str_dup(params->filter.call_id);
	tap->user = str_dup(params->filter.user);
	if (!tap->call_id || !tap->user) {
		tap_unref(tap);
		return NULL;
	}
	tap->params.filter.call_id.p = tap->call_id;
	tap->params.filter.user.p = tap->user;
	tap->hub = hub;
	atomic_init(&tap->adding, hub->n);
	for (unsigned i = 0; i < hub->n; i++) {
		tap->each[i].tap = tap;
		tap->each[i].add.run = add_here;
		tap->each[i].del.run = del_here;
		list_init(&tap->each[i].node);
	}
	return tap;
}

int trace_tap_open(struct ctl_env *env, const struct trace_tap_params *params,
                   struct trace_tap **tap_r)
{
	struct trace_hub *hub = hub_get(env);
	struct trace_tap *tap = hub ? tap_new(hub, params) : NULL;

	if (!tap) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < hub->n; i++) {
		tap_ref(tap);
		workers_post(hub->workers, i, &tap->each[i].add);
	}
	*tap_r = tap;
	return 0;
}

void trace_tap_close(struct trace_tap **tap_p)
{
	struct trace_tap *tap = *tap_p;

	*tap_p = NULL;
	if (!tap) {
		return;
	}
	tap->is_closed = true;
	for (unsigned i = 0; tap->hub && i < tap->hub->n; i++) {
		workers_post(tap->hub->workers, i, &tap->each[i].del);
	}
	tap_unref(tap);
}
