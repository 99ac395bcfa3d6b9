/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target set (RFC 3261 16.5). URIs that are ours are expanded to the bindings behind them,
 * which may be ours again; all others are targets as they are. A look-up may have to wait.
 */
#include "proxy/core.h"

#include <errno.h>

struct expand {
	struct expand *next;
	struct expand *parent; /* whose bindings led here; NULL: the request itself */
	struct sip_uri uri;
	struct str aor;
	uint16_t q;
	bool by_rule;
};

static bool is_same(const struct proxy_target *t, const struct sip_uri *uri,
                    const struct tp_flow *flow, struct str path)
{
	if (t->has_flow != (flow != NULL) || !str_eq(t->path, path)) {
		return false;
	}
	return (flow == NULL || tp_flow_eq(&t->flow, flow)) && sip_uri_eq(&t->uri, uri);
}

struct proxy_target *proxy_target_new(struct belfry_req *req, const struct sip_uri *uri, uint16_t q,
                                      const struct tp_flow *flow, struct str path)
{
	struct proxy_target *t;

	for (t = req->targets; t; t = t->next) {
		if (is_same(t, uri, flow, path)) {
			return NULL;
		}
	}
	if (req->targets_n >= PROXY_TARGETS_MAX) {
		return NULL;
	}
	t = arena_zalloc(proxy_arena(req), sizeof(*t));
	if (t == NULL) {
		return NULL;
	}
	t->uri = *uri;
	t->request_uri = uri->text;
	if (uri->params.n > 0 || uri->headers.n > 0) {
		t->request_uri = sip_uri_as_target(proxy_arena(req), uri, NULL, 0);
		if (t->request_uri.n == 0) {
			return NULL;
		}
	}
	t->q = q;
	t->path = path;
	if (flow) {
		t->has_flow = true;
		t->flow = *flow;
	}
	if (req->targets_last) {
		req->targets_last->next = t;
	} else {
		req->targets = t;
	}
	req->targets_last = t;
	req->targets_n++;
	return t;
}

struct proxy_target *proxy_target_again(struct belfry_req *req, const struct proxy_target *like,
                                        uint16_t q)
{
	struct proxy_target *t = NULL;

	if (req->targets_n < PROXY_TARGETS_MAX) {
		t = arena_alloc(proxy_arena(req), sizeof(*t));
	}
	if (t) {
		*t = *like;
		t->q = q;
		t->tried = t->is_alt = t->has_flow = t->by_operator = false;
		t->next = t->alt = NULL;
		t->path = STR_NONE;
		req->targets_last->next = t;
		req->targets_last = t;
		req->targets_n++;
	}
	return t;
}

void proxy_targets_release(struct belfry_req *req)
{
	for (struct loc_held *h = req->sets; h; h = h->next) {
		loc_set_unref(&h->set);
	}
	req->sets = NULL;
	if (req->trunk) {
		proxy_trunk_leave(req);
	}
}

int proxy_expand_rule(struct belfry_req *req, const struct sip_uri *uri)
{
	int err = proxy_expand_add(req, uri, 1000, NULL);

	if (err == 0) {
		req->expand_last->by_rule = true;
	}
	return err;
}

int proxy_expand_add(struct belfry_req *req, const struct sip_uri *uri, uint16_t q,
                     struct expand *parent)
{
	struct expand *e;

	if (req->expand_n >= PROXY_EXPAND_MAX) {
		return BELFRY_EFULL;
	}
	e = arena_zalloc(proxy_arena(req), sizeof(*e));
	if (e == NULL) {
		return -ENOMEM;
	}
	e->uri = *uri;
	e->q = q;
	e->parent = parent;
	if (req->expand_last) {
		req->expand_last->next = e;
	} else {
		req->expand = e;
	}
	req->expand_last = e;
	if (req->expand_at == NULL) {
		req->expand_at = e;
	}
	req->expand_n++;
	return 0;
}

/* Looked up before? On the way that led here that is a loop, else once is enough. */
static bool was_expanded(struct belfry_req *req, const struct expand *e)
{
	for (const struct expand *up = e->parent; up; up = up->parent) {
		if (str_eq(up->aor, e->aor)) {
			req->in_loop = true;
			note_s(req, "RFC 5393", "%s leads back to itself", e->aor);
			return true;
		}
	}
	for (const struct expand *o = req->expand; o != e; o = o->next) {
		if (str_eq(o->aor, e->aor)) {
			return true;
		}
	}
	return false;
}

/* The flows of one instance are one target: the newest goes first, the others stand behind it. */
static void join_instance(struct belfry_req *req, struct proxy_target *t)
{
	for (struct proxy_target *o = req->targets; o != t; o = o->next) {
		if (o->is_alt || !str_eq_nocase(o->instance, t->instance) ||
		    !str_eq(o->aor, t->aor)) {
			continue;
		}
		while (o->alt) {
			o = o->alt;
		}
		o->alt = t;
		t->is_alt = true;
		return;
	}
}

static bool is_usable(struct belfry_req *req, const struct loc_binding *b)
{
	if (b->expires_ms <= req->p->w->clock.now_ms) {
		return false;
	}
	if (b->flow_dead || (b->has_flow && b->path.n == 0 && b->flow.conn && req->p->tg &&
	                     !transport_flow_is_alive(req->p->tg, &b->flow))) {
		note_s(req, "RFC 5626 7", "the flow of %s is gone", b->contact);
		return false;
	}
	return true;
}

static void tell_binding(struct belfry_req *req, const struct loc_binding *b)
{
	char at[NET_ADDR_TEXT];

	if (!req->dry) {
		note_s(req, "location", "binding %s", b->contact);
		return;
	}
	if (b->path.n > 0) {
		proxy_note_detail(req, "location", "binding %.*s, q %u.%03u, by its Path %.*s",
		                  STR_FMT(b->contact), b->q / 1000U, b->q % 1000U,
		                  STR_FMT(b->path));
	} else if (b->has_flow) {
		proxy_note_detail(req, "location",
		                  "binding %.*s, q %u.%03u, by its flow, %.*s %.*s",
		                  STR_FMT(b->contact), b->q / 1000U, b->q % 1000U,
		                  STR_FMT(tp_proto_name(b->flow.proto)),
		                  STR_FMT(net_addr_text(&b->flow.remote, at)));
	} else {
		proxy_note_detail(req, "location", "binding %.*s, q %u.%03u", STR_FMT(b->contact),
		                  b->q / 1000U, b->q % 1000U);
	}
}

static void add_binding(struct belfry_req *req, struct expand *e, const struct loc_binding *b)
{
	bool by_flow = b->has_flow && b->path.n == 0;
	struct proxy_target *t;
	struct sip_uri uri;

	if (!is_usable(req, b) || sip_uri_parse(b->contact, &uri, NULL) ||
	    (uri.scheme != SIP_URI_SIP && uri.scheme != SIP_URI_SIPS)) {
		return;
	}
	if (req->ruri.scheme == SIP_URI_SIPS && uri.scheme != SIP_URI_SIPS) {
		req->needs_tls = true;
		note_s(req, "RFC 5630 5.3", "%s is not sips", b->contact);
		return;
	}
	if (!by_flow && b->path.n == 0 && proxy_uri_kind(req, &uri) == PROXY_RURI_LOCAL) {
		proxy_expand_add(req, &uri, b->q, e);
		return;
	}
	t = proxy_target_new(req, &uri, b->q, by_flow ? &b->flow : NULL, b->path);
	if (t == NULL) {
		return;
	}
	tell_binding(req, b);
	t->from_location = true;
	t->aor = e->aor;
	t->contact = b->contact;
	t->received = b->received;
	t->by_operator = b->is_static;
	t->binding_id = b->id;
	t->instance = b->instance;
	if (t->instance.n > 0) {
		join_instance(req, t);
	}
}

/* A contact that was followed leads to a user who is not there: an answer like that of any branch
 * (RFC 3261 16.5, 16.7 step 4). */
static void answer_for_target(struct belfry_req *req, uint16_t code)
{
	const struct proxy_answer answer = { .code = code };

	if (req->step == PROXY_STEP_FORK) {
		proxy_answer_keep(req, &answer);
	}
}

/* Takes over the reference. */
static void add_bindings(struct belfry_req *req, struct expand *e, struct loc_set *set)
{
	struct loc_held *held;
	size_t n;

	if (set == NULL) {
		note_s(req, "location", "no binding of %s", e->aor);
		answer_for_target(req, 480);
		return;
	}
	held = arena_alloc(proxy_arena(req), sizeof(*held));
	if (held == NULL) {
		loc_set_unref(&set);
		return;
	}
	held->set = set;
	held->next = req->sets;
	req->sets = held;
	n = loc_set_n(set);
	for (size_t i = 0; i < n; i++) {
		struct loc_binding b;

		loc_set_get(set, i, &b);
		add_binding(req, e, &b);
	}
}

static enum step_result lookup_failed(struct belfry_req *req)
{
	if (req->step == PROXY_STEP_FORK) {
		answer_for_target(req, 500);
		return STEP_NEXT;
	}
	return proxy_refuse(req, REFUSED_ERROR, 500, "registrar.store", proxy_retry_after(req, 5));
}

static void on_lookup(int err, struct loc_set *set, void *arg)
{
	struct belfry_req *req = arg;
	struct expand *e = req->expand_at;
	enum step_result result = STEP_NEXT;

	proxy_enter(req);
	req->lookup = NULL;
	timer_cancel(req->p->w->timers, &req->wait_timer);
	req->expand_at = e->next;
	if (err) {
		result = lookup_failed(req);
	} else {
		add_bindings(req, e, set ? loc_set_ref(set) : NULL);
	}
	if (result != STEP_DONE && req->step == PROXY_STEP_FORK) {
		if (proxy_expand_more(req) != STEP_WAIT) {
			proxy_fork_go_on(req);
		}
	} else if (result != STEP_DONE) {
		proxy_run(req);
	}
	proxy_leave(req);
}

static enum step_result look_up(struct belfry_req *req, struct expand *e)
{
	char space[SIP_AOR_MAX];
	struct loc_set *set = NULL;
	struct str aor = sip_uri_aor(&e->uri, space, sizeof(space));
	int err;

	e->aor = aor.n > 0 ? arena_str(proxy_arena(req), aor) : STR_NONE;
	if (e->aor.n == 0 || was_expanded(req, e)) {
		return STEP_NEXT;
	}
	err = loc_lookup(req->p->location, req->p->w, e->aor, &set, on_lookup, req, &req->lookup);
	if (err == BELFRY_WAIT) {
		note_s(req, "registrar.store", "waits for the bindings of %s", e->aor);
		return proxy_begin_wait(req);
	}
	if (err) {
		return lookup_failed(req);
	}
	add_bindings(req, e, set);
	return STEP_NEXT;
}

static enum step_result expand_one(struct belfry_req *req, struct expand *e)
{
	switch (proxy_uri_kind(req, &e->uri)) {
	case PROXY_RURI_LOCAL: return look_up(req, e);
	case PROXY_RURI_ELSEWHERE: {
		struct proxy_target *t = proxy_target_new(req, &e->uri, e->q, NULL, STR_NONE);

		if (t) {
			t->by_operator = e->by_rule;
		}
		return STEP_NEXT;
	}
	default:
		note_s(req, "RFC 3261 16.5", "%s cannot be a target", e->uri.text);
		return STEP_NEXT;
	}
}

enum step_result proxy_expand_more(struct belfry_req *req)
{
	while (req->expand_at) {
		struct expand *e = req->expand_at;
		enum step_result result = expand_one(req, e);

		if (result != STEP_NEXT) {
			return result;
		}
		req->expand_at = e->next;
	}
	return STEP_NEXT;
}

/* Whether the user is there is told to those only who have shown who they are. */
static bool user_exists(const struct belfry_req *req)
{
	const struct proxy *p = req->p;

	if (!req->trusted && req->user.n == 0) {
		return true;
	}
	if (p->subs == NULL || sub_count(p->subs) == 0) {
		return true;
	}
	return req->expand && req->expand->aor.n > 0 && sub_exists(p->subs, req->expand->aor);
}

static enum step_result no_target(struct belfry_req *req)
{
	struct str warning;

	if (req->in_loop) {
		return proxy_refuse(req, REFUSED_LOOP, 482, "RFC 5393", STR_NONE);
	}
	if (req->needs_tls) {
		warning =
			arena_printf(proxy_arena(req), "Warning: 380 %.*s \"SIPS Not Allowed\"\r\n",
		                     STR_FMT(req->conf->server.name));
		return proxy_refuse(req, REFUSED_UNAVAILABLE, 480, "RFC 5630 5.3", warning);
	}
	if (!user_exists(req)) {
		note(req, "RFC 3261 16.5", "there is no such user");
		return proxy_refuse(req, REFUSED_NOT_FOUND, 404, "RFC 3261 16.5", STR_NONE);
	}
	return proxy_refuse(req, REFUSED_UNAVAILABLE, 480, "RFC 3261 16.5", STR_NONE);
}

enum step_result proxy_expand(struct belfry_req *req)
{
	enum step_result result = proxy_expand_more(req);

	if (result != STEP_NEXT) {
		return result;
	}
	if (req->targets == NULL && req->hooks->n[BELFRY_H_TARGETS] == 0) {
		return no_target(req);
	}
	return STEP_NEXT;
}

enum step_result proxy_no_target(struct belfry_req *req)
{
	return no_target(req);
}

/* --- for modules */

size_t proxy_target_n(const struct belfry_req *req)
{
	return req->targets_n;
}

static struct proxy_target *target_at(const struct belfry_req *req, size_t i)
{
	struct proxy_target *t = req->targets;

	while (t && i-- > 0) {
		t = t->next;
	}
	return t;
}

static void describe(const struct proxy_target *t, struct belfry_target *t_r)
{
	*t_r = (struct belfry_target){ .uri = t->request_uri,
		                       .route = t->path,
		                       .q = t->q,
		                       .from_location = t->from_location };
}

void proxy_target_get(const struct belfry_req *req, size_t i, struct belfry_target *t_r)
{
	const struct proxy_target *t = target_at(req, i);

	if (t) {
		describe(t, t_r);
	} else {
		*t_r = (struct belfry_target){ 0 };
	}
}

void proxy_branch_target(const struct belfry_branch *br, struct belfry_target *t_r)
{
	describe(br->target, t_r);
}

int proxy_target_add(struct belfry_req *req, const struct belfry_target *t)
{
	struct arena *arena = proxy_arena(req);
	struct str text = arena_str(arena, t->uri), path = arena_str(arena, t->route);
	struct proxy_target *made;
	struct sip_uri uri;

	if (req->final_sent || req->cancelled || req->got_6xx) {
		return BELFRY_EDENIED;
	}
	if (text.p == NULL || path.p == NULL) {
		return -ENOMEM;
	}
	if (sip_uri_parse(text, &uri, NULL) ||
	    (uri.scheme != SIP_URI_SIP && uri.scheme != SIP_URI_SIPS)) {
		return BELFRY_EPARSE;
	}
	made = proxy_target_new(req, &uri, t->q, NULL, path);
	if (made == NULL) {
		return BELFRY_EEXIST;
	}
	made->from_location = t->from_location;
	made->by_operator = true;
	return 0;
}

void proxy_target_remove(struct belfry_req *req, size_t i)
{
	struct proxy_target *t = target_at(req, i);

	if (t) {
		t->tried = true; /* it stays known: no URI becomes a target twice */
	}
}
