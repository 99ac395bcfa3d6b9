/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trunks. What is known of a trunk and its targets is shared by the workers: entries are found by
 * name and never freed before the end, their numbers are atomic. One worker probes.
 */
#include "proxy/trunk.h"

#include "dns/health.h"
#include "proxy/core.h"
#include "util/log.h"

#include <errno.h>
#include <stdlib.h>

struct proxy_shared *proxy_shared_new(void)
{
	struct proxy_shared *shared = calloc(1, sizeof(*shared));

	if (shared && pthread_mutex_init(&shared->lock, NULL)) {
		free(shared);
		shared = NULL;
	}
	return shared;
}

void proxy_shared_free(struct proxy_shared *shared)
{
	struct trunk *trunk, *next;
	struct trunk_target *t, *next_t;

	if (shared == NULL) {
		return;
	}
	for (trunk = shared->trunks; trunk; trunk = next) {
		next = trunk->next;
		for (t = trunk->targets; t; t = next_t) {
			next_t = t->next;
			free(t->uri);
			free(t);
		}
		free(trunk->name);
		free(trunk);
	}
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

static struct trunk *trunk_known(const struct proxy_shared *shared, struct str name)
{
	struct trunk *t = shared->trunks;

	while (t && !str_eq(str_from(t->name), name)) {
		t = t->next;
	}
	return t;
}

static struct trunk *trunk_get(struct proxy_shared *shared, struct str name)
{
	struct trunk *t = trunk_known(shared, name);

	if (t) {
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		return NULL;
	}
	t->name = str_dup(name);
	if (t->name == NULL) {
		free(t);
		return NULL;
	}
	t->next = shared->trunks;
	shared->trunks = t;
	return t;
}

static struct trunk_target *target_known(const struct trunk *trunk, struct str uri)
{
	struct trunk_target *t = trunk->targets;

	while (t && !str_eq(str_from(t->uri), uri)) {
		t = t->next;
	}
	return t;
}

static struct trunk_target *target_get(struct trunk *trunk, struct str uri)
{
	struct trunk_target *t = target_known(trunk, uri);

	if (t) {
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		return NULL;
	}
	t->uri = str_dup(uri);
	if (t->uri == NULL) {
		free(t);
		return NULL;
	}
	t->trunk = trunk->name;
	atomic_store(&t->checked_ms, UINT64_MAX);
	t->next = trunk->targets;
	trunk->targets = t;
	return t;
}

static void trunks_free(struct proxy *p, struct trunks *ts)
{
	if (ts == NULL) {
		return;
	}
	for (size_t i = 0; i < ts->n; i++) {
		timer_cancel(p->w->timers, &ts->v[i].probe);
		free(ts->v[i].targets);
	}
	if (ts->wc) {
		worker_conf_unref(&ts->wc);
	}
	free(ts);
}

static bool fill_one(struct proxy_shared *shared, struct trunk_conf *tc,
                     const struct conf_trunk *conf)
{
	tc->conf = conf;
	tc->trunk = trunk_get(shared, conf->name);
	tc->targets = calloc(conf->targets.n + 1, sizeof(struct trunk_target *));
	if (tc->trunk == NULL || tc->targets == NULL) {
		return false;
	}
	for (size_t i = 0; i < conf->targets.n; i++) {
		tc->targets[i] = target_get(tc->trunk, conf->targets.v[i]);
		if (tc->targets[i] == NULL) {
			return false;
		}
	}
	return true;
}

static struct trunks *trunks_make(struct proxy *p)
{
	const struct conf *conf = p->w->conf->conf;
	struct trunks *ts = calloc(1, sizeof(*ts) + conf->trunks_n * sizeof(ts->v[0]));
	bool ok = true;

	if (ts == NULL) {
		return NULL;
	}
	ts->n = conf->trunks_n;
	pthread_mutex_lock(&p->shared->lock);
	for (size_t i = 0; i < ts->n && ok; i++) {
		ts->v[i].p = p;
		ok = fill_one(p->shared, &ts->v[i], &conf->trunks[i]);
	}
	pthread_mutex_unlock(&p->shared->lock);
	if (!ok) {
		trunks_free(p, ts);
		return NULL;
	}
	ts->wc = worker_conf_ref(p->w);
	return ts;
}

int proxy_trunks_update(struct proxy *p)
{
	struct trunks *ts;

	if (p->shared == NULL) {
		p->shared = proxy_shared_new();
		p->owns_shared = true;
	}
	ts = p->shared ? trunks_make(p) : NULL;
	if (ts == NULL) {
		return -ENOMEM;
	}
	trunks_free(p, p->trunks);
	p->trunks = ts;
	proxy_probes_start(p);
	return 0;
}

void proxy_trunks_free(struct proxy *p)
{
	trunks_free(p, p->trunks);
	p->trunks = NULL;
	if (p->owns_shared) {
		proxy_shared_free(p->shared);
	}
}

static struct trunk_conf *find(struct proxy *p, struct str name)
{
	for (size_t i = 0; p->trunks && i < p->trunks->n; i++) {
		if (str_eq(p->trunks->v[i].conf->name, name)) {
			return &p->trunks->v[i];
		}
	}
	return NULL;
}

struct trunk *proxy_trunk_find(struct proxy *p, struct str name)
{
	struct trunk_conf *tc = find(p, name);

	return tc ? tc->trunk : NULL;
}

bool proxy_trunk_enter(struct belfry_req *req, const struct proxy_target *t)
{
	int max = t->conf_trunk->max_calls, before;

	if (t->trunk == NULL || !req->is_invite || req->trunk) {
		return true;
	}
	if (req->dry) {
		return max == 0 || atomic_load(&t->trunk->calls) < max;
	}
	before = atomic_fetch_add(&t->trunk->calls, 1);
	if (max > 0 && before >= max) {
		atomic_fetch_sub(&t->trunk->calls, 1);
		return false;
	}
	req->trunk = t->trunk;
	return true;
}

void proxy_trunk_leave(struct belfry_req *req)
{
	atomic_fetch_sub(&req->trunk->calls, 1);
	req->trunk = NULL;
}

void trunk_target_set(struct trunk_target *t, bool up, int status, const char *by)
{
	int now = up ? TRUNK_UP : TRUNK_DOWN, before;

	if (atomic_load_explicit(&t->state, memory_order_relaxed) == now) {
		return;
	}
	before = atomic_exchange(&t->state, now);
	if (before != now && !(before == TRUNK_UNKNOWN && up)) {
		log_notice(up ? "trunk.up" : "trunk.down", LOG_Z("trunk", t->trunk),
		           LOG_Z("target", t->uri), LOG_I("status", status), LOG_Z("by", by));
	}
}

void proxy_trunk_good(struct proxy *p, struct trunk_target *state, int status)
{
	uint64_t last_ms = atomic_load_explicit(&state->last_ms, memory_order_relaxed);

	trunk_target_set(state, true, status, "call");
	if (last_ms && (!atomic_load(&state->told) || last_ms <= p->w->clock.now_ms)) {
		atomic_store(&state->last_ms, 0);
	}
}

void proxy_trunk_failed(struct proxy *p, struct trunk_target *state, int status,
                        uint32_t retry_after_s)
{
	const struct conf_dns *dns = &p->w->conf->conf->dns;
	uint64_t ttl_s = (uint64_t)dns->failure_ttl, max_s = ttl_s * DNS_BACKOFF_MAX;
	uint64_t s = retry_after_s == 0 ? ttl_s : retry_after_s < max_s ? retry_after_s : max_s;
	uint64_t last_ms = p->w->clock.now_ms + s * 1000;

	trunk_target_set(state, false, status, "call");
	if (last_ms > atomic_load(&state->last_ms)) {
		atomic_store(&state->told, retry_after_s > 0);
		atomic_store(&state->last_ms, last_ms);
	}
}

/* With probes they tell; but what a target said itself holds. */
static bool goes_last(struct belfry_req *req, const struct conf_trunk *conf,
                      const struct trunk_target *state, struct str uri)
{
	bool failed = atomic_load_explicit(&state->last_ms, memory_order_relaxed) >
	              req->p->w->clock.now_ms;

	if (conf->probe > 0 && atomic_load(&state->state) == TRUNK_DOWN) {
		note_s(req, "trunks", "target %s does not answer probes: tried last", uri);
		return true;
	}
	if (failed && (conf->probe == 0 || atomic_load(&state->told))) {
		note_s(req, "dns.failure_ttl", "target %s failed not long ago: tried last", uri);
		return true;
	}
	return false;
}

static unsigned weight_of(const struct conf_trunk *conf, size_t i)
{
	return i < conf->weights.n && conf->weights.v[i] > 0 ? (unsigned)conf->weights.v[i] : 1;
}

static struct trunk_target *state_of(struct proxy *p, const struct conf_trunk *conf, size_t i)
{
	const struct trunk_conf *tc = find(p, conf->name);

	if (tc && i < tc->conf->targets.n && str_eq(tc->conf->targets.v[i], conf->targets.v[i])) {
		return tc->targets[i];
	}
	return NULL; /* the settings have changed since the request began */
}

/* RFC 2782's way: each in turn with a chance by its weight. */
static size_t draw(struct proxy *p, const struct conf_trunk *conf, const bool *taken)
{
	uint64_t sum = 0, at;

	for (size_t i = 0; i < conf->targets.n; i++) {
		sum += taken[i] ? 0 : weight_of(conf, i);
	}
	at = random_below(&p->w->random, sum);
	for (size_t i = 0;; i++) {
		if (!taken[i]) {
			if (at < weight_of(conf, i)) {
				return i;
			}
			at -= weight_of(conf, i);
		}
	}
}

static size_t first_left(const bool *taken)
{
	size_t i = 0;

	while (taken[i]) {
		i++;
	}
	return i;
}

struct trunk_order *proxy_trunk_order(struct belfry_req *req, const struct proxy_target *target)
{
	const struct conf_trunk *conf = target->conf_trunk;
	size_t n = conf->targets.n;
	struct trunk_order *v = arena_zalloc(proxy_arena(req), (n + 1) * sizeof(*v));
	bool *taken = arena_zalloc(proxy_arena(req), n + 1);
	struct trunk_order *up = NULL, **up_at = &up, *down = NULL, **down_at = &down;

	if (v == NULL || taken == NULL || n == 0) {
		return NULL;
	}
	for (size_t k = 0; k < n; k++) {
		size_t i = conf->policy == CONF_TRUNK_WEIGHTED ? draw(req->p, conf, taken)
		                                               : first_left(taken);

		taken[i] = true;
		v[k].uri = conf->targets.v[i];
		v[k].state = state_of(req->p, conf, i);
		if (v[k].state && goes_last(req, conf, v[k].state, v[k].uri)) {
			*down_at = &v[k];
			down_at = &v[k].next;
		} else {
			*up_at = &v[k];
			up_at = &v[k].next;
		}
	}
	*up_at = down;
	return up;
}

void proxy_each_trunk(struct proxy *p, proxy_trunk_cb *cb, void *arg)
{
	proxy_follow_settings(p);
	for (size_t i = 0; p->trunks && i < p->trunks->n; i++) {
		const struct trunk_conf *tc = &p->trunks->v[i];

		for (size_t k = 0; k < tc->conf->targets.n; k++) {
			const struct trunk_target *t = tc->targets[k];
			uint64_t checked = atomic_load(&t->checked_ms);
			int state = atomic_load(&t->state);
			struct proxy_trunk_info info = {
				.trunk = tc->conf->name,
				.target = tc->conf->targets.v[k],
				.is_known = state != TRUNK_UNKNOWN,
				.up = state != TRUNK_DOWN,
				.last_status = atomic_load(&t->status),
				.checked_ms_ago = checked == UINT64_MAX ? UINT64_MAX
				                  : p->w->clock.now_ms > checked
				                          ? p->w->clock.now_ms - checked
				                          : 0,
				.calls = atomic_load(&tc->trunk->calls),
			};

			cb(arg, &info);
		}
	}
}

static void tell_targets(const struct conf_trunk *conf, const struct trunk *trunk,
                         proxy_trunk_cb *cb, void *arg)
{
	for (size_t k = 0; k < conf->targets.n; k++) {
		const struct trunk_target *t = target_known(trunk, conf->targets.v[k]);
		int state = t ? atomic_load(&t->state) : TRUNK_UNKNOWN;
		struct proxy_trunk_info info = {
			.trunk = conf->name,
			.target = conf->targets.v[k],
			.is_known = state != TRUNK_UNKNOWN,
			.up = state != TRUNK_DOWN,
			.last_status = t ? atomic_load(&t->status) : 0,
			.checked_ms_ago = UINT64_MAX,
			.calls = atomic_load(&trunk->calls),
		};

		cb(arg, &info);
	}
}

void proxy_shared_each_trunk(struct proxy_shared *shared, const struct conf *conf,
                             proxy_trunk_cb *cb, void *arg)
{
	pthread_mutex_lock(&shared->lock);
	for (size_t i = 0; i < conf->trunks_n; i++) {
		const struct trunk *trunk = trunk_known(shared, conf->trunks[i].name);

		if (trunk) {
			tell_targets(&conf->trunks[i], trunk, cb, arg);
		}
	}
	pthread_mutex_unlock(&shared->lock);
}
