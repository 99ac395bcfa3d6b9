/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions: noted as pointers to static text with one argument each, made readable when somebody
 * asks. `explain` runs a request dry; a ring keeps what was decided for the last calls.
 */
#include "proxy/core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

struct note_rec {
	struct note_rec *next;
	const char *rule, *text;
	struct str s;
	int64_t n;
	uint64_t at_us;
};

struct notes { /* in the request's arena */
	struct note_rec *first, *last;
};

struct why_entry {
	struct sip_msg *msg; /* a reference: its arena holds the notes */
	struct notes *notes;
	int64_t unix_ms;
	int status;
};

struct why_ring {
	size_t n, at;
	struct why_entry v[];
};

void proxy_notes_begin(struct belfry_req *req)
{
	req->notes = arena_zalloc(proxy_arena(req), sizeof(*req->notes));
}

void proxy_note(struct belfry_req *req, const char *rule, const char *text, struct str s, int64_t n)
{
	struct note_rec *rec;

	if (req->notes == NULL || req->compact) {
		return;
	}
	rec = arena_alloc(proxy_arena(req), sizeof(*rec));
	if (rec == NULL) {
		return;
	}
	*rec = (struct note_rec){ .rule = rule, .text = text, .n = n };
	if (s.n > 0) {
		rec->s = arena_str(proxy_arena(req), s);
	}
	rec->at_us = req->p->w->clock.now_us - req->start_us;
	if (req->notes->last) {
		req->notes->last->next = rec;
	} else {
		req->notes->first = rec;
	}
	req->notes->last = rec;
}

void proxy_note_v(struct belfry_req *req, const char *rule, const char *fmt, va_list ap)
{
	if (req->notes) {
		proxy_note(req, rule, "%s", arena_vprintf(proxy_arena(req), fmt, ap), 0);
	}
}

static struct str render(struct arena *arena, const struct note_rec *rec)
{
	size_t cap = strlen(rec->text) + rec->s.n + 24;
	char *space = arena_alloc(arena, cap);
	struct sbuf b;

	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, cap);
	for (const char *p = rec->text; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			sbuf_add(&b, rec->s);
			p++;
		} else if (p[0] == '%' && p[1] == 'n') {
			sbuf_u64(&b, (uint64_t)rec->n);
			p++;
		} else {
			sbuf_char(&b, *p);
		}
	}
	return sbuf_str(&b);
}

/* As a list for callers, in @arena. */
static struct proxy_decision *readable(struct arena *arena, const struct notes *notes)
{
	struct proxy_decision *first = NULL, **at = &first;

	for (const struct note_rec *rec = notes ? notes->first : NULL; rec; rec = rec->next) {
		struct proxy_decision *d = arena_zalloc(arena, sizeof(*d));

		if (d == NULL) {
			break;
		}
		d->rule = rec->rule;
		d->text = render(arena, rec);
		d->at_us = rec->at_us;
		*at = d;
		at = &d->next;
	}
	return first;
}

/* --- explain */

int proxy_explain(struct proxy *p, struct sip_msg *msg, const struct tp_flow *from, struct str user,
                  proxy_explain_cb *cb, void *arg)
{
	struct tp_flow nowhere = { 0 };
	struct belfry_req *req;

	proxy_follow_settings(p);
	if (from == NULL) {
		nowhere.listener = p->tg ? transport_listener(p->tg, 0) : NULL;
		from = &nowhere;
	}
	req = proxy_req_new(p, msg, from);
	if (req == NULL) {
		return -ENOMEM;
	}
	sip_msg_ref(msg);
	req->dry = true;
	req->explain_cb = cb;
	req->explain_arg = arg;
	proxy_notes_begin(req);
	proxy_enter(req);
	if (user.n > 0) {
		proxy_set_user(req, user, false);
	}
	proxy_run(req);
	proxy_leave(req);
	return 0;
}

void proxy_explain_end(struct belfry_req *req)
{
	proxy_explain_cb *cb = req->explain_cb;

	req->explain_cb = NULL;
	if (cb) {
		cb(req->explain_arg, readable(proxy_arena(req), req->notes));
	}
}

/* --- why */

int proxy_ring_update(struct proxy *p)
{
	int size = p->w->conf->conf->server.trace_ring;
	size_t n = (size_t)(size > 0 ? size : 0) / (p->w->n > 0 ? p->w->n : 1);
	struct why_ring *ring = NULL;

	if (n == (p->ring ? p->ring->n : 0)) {
		return 0;
	}
	if (n > 0) {
		ring = calloc(1, sizeof(*ring) + n * sizeof(ring->v[0]));
		if (ring == NULL) {
			return -ENOMEM;
		}
		ring->n = n;
	}
	proxy_ring_free(p);
	p->ring = ring;
	return 0;
}

void proxy_ring_free(struct proxy *p)
{
	for (size_t i = 0; p->ring && i < p->ring->n; i++) {
		if (p->ring->v[i].msg) {
			sip_msg_unref(&p->ring->v[i].msg);
		}
	}
	free(p->ring);
	p->ring = NULL;
}

void proxy_ring_keep(struct belfry_req *req)
{
	struct why_ring *ring = req->p->ring;
	struct why_entry *e;

	if (ring == NULL || req->notes == NULL || req->dry) {
		return;
	}
	e = &ring->v[ring->at];
	ring->at = (ring->at + 1) % ring->n;
	if (e->msg) {
		sip_msg_unref(&e->msg);
	}
	e->msg = sip_msg_ref(req->msg);
	e->notes = req->notes;
	e->unix_ms = req->p->w->clock.unix_ms;
	e->status = req->final_status;
}

void proxy_why(struct proxy *p, struct str call_id, proxy_why_cb *cb, void *arg)
{
	for (size_t i = 1; p->ring && i <= p->ring->n; i++) {
		const struct why_entry *e =
			&p->ring->v[(p->ring->at + p->ring->n - i) % p->ring->n];
		struct arena arena;

		if (e->msg == NULL || (call_id.n > 0 && !str_eq(e->msg->call_id, call_id))) {
			continue;
		}
		arena_init(&arena, &p->w->arenas);
		cb(arg, e->msg, e->unix_ms, e->status, readable(&arena, e->notes));
		arena_fini(&arena);
	}
}
