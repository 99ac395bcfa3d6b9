/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions: noted as pointers to static text with one argument each, made readable when somebody
 * asks. `explain` runs a request dry; a ring keeps what was decided for the last calls.
 */
#include "proxy/trunk.h"

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

/* One allocation: this, its notes, their text as it came; passwords are masked when it is told. */
struct why_entry {
	struct str call_id, method, uri, from, source;
	int64_t unix_ms;
	uint64_t serial; /* of all workers */
	uint32_t took_ms;
	int status;
	size_t size; /* bytes, all included */
	size_t notes_n;
	struct note_rec notes[]; /* linked */
};

/* Bytes of each text in an entry: what strangers send makes no large ones. */
#define TEXT_MAX   1024
#define ENTRY_STEP 256 /* bytes; so that the next one in this place mostly fits */

/* Each worker has its share of server.trace_ring, or all of a small one: the calls of a moment may
 * be those of one worker. What is older than the last so many of all workers is not told. */
#define SHARE_MIN 64

struct why_ring {
	size_t n, at;
	size_t all; /* server.trace_ring */
	struct why_entry *v[];
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

void proxy_note_detail(struct belfry_req *req, const char *rule, const char *fmt, ...)
{
	va_list ap;

	if (!req->dry) {
		return;
	}
	va_start(ap, fmt);
	proxy_note_v(req, rule, fmt, ap);
	va_end(ap);
}

/* 700 is 0.7. */
static void add_thousandths(struct sbuf *b, uint64_t n)
{
	unsigned digits = 3, rest = (unsigned)(n % 1000);

	sbuf_u64(b, n / 1000);
	while (digits > 1 && rest % 10 == 0) {
		rest /= 10;
		digits--;
	}
	sbuf_printf(b, ".%0*u", (int)digits, rest);
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
		} else if (p[0] == '%' && p[1] == 'q') {
			add_thousandths(&b, (uint64_t)rec->n);
			p++;
		} else {
			sbuf_char(&b, *p);
		}
	}
	sip_mask_passwords(space, b.n);
	return sbuf_str(&b);
}

/* As a list for callers, in @arena. */
static struct proxy_decision *readable(struct arena *arena, const struct note_rec *rec)
{
	struct proxy_decision *first = NULL, **at = &first;

	for (; rec; rec = rec->next) {
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
		cb(req->explain_arg,
		   readable(proxy_arena(req), req->notes ? req->notes->first : NULL));
	}
}

/* --- why */

static size_t share(size_t all, size_t workers)
{
	size_t min = all < SHARE_MIN ? all : SHARE_MIN, n = (all + workers - 1) / workers;

	return n > min ? n : min;
}

/* The newest that @to has room for. */
static void move_entries(struct why_ring *to, struct why_ring *from)
{
	for (size_t i = from->n < to->n ? from->n : to->n; i > 0; i--) {
		struct why_entry **e = &from->v[(from->at + from->n - i) % from->n];

		if (*e) {
			to->v[to->at] = *e;
			to->at = (to->at + 1) % to->n;
			*e = NULL;
		}
	}
}

int proxy_ring_update(struct proxy *p)
{
	int size = p->w->conf->conf->server.trace_ring;
	size_t all = (size_t)(size > 0 ? size : 0), n = share(all, p->w->n > 0 ? p->w->n : 1);
	struct why_ring *ring = NULL;

	if (all == (p->ring ? p->ring->all : 0)) {
		return 0;
	}
	if (n > 0) {
		ring = calloc(1, sizeof(*ring) + n * sizeof(ring->v[0]));
		if (ring == NULL) {
			return -ENOMEM;
		}
		ring->n = n;
		ring->all = all;
		if (p->ring) {
			move_entries(ring, p->ring);
		}
	}
	proxy_ring_free(p);
	p->ring = ring;
	return 0;
}

void proxy_ring_free(struct proxy *p)
{
	for (size_t i = 0; p->ring && i < p->ring->n; i++) {
		free(p->ring->v[i]);
	}
	free(p->ring);
	p->ring = NULL;
}

/* A call as it is told; text is the request's and @source's. */
static struct proxy_why describe(const struct belfry_req *req, char source[NET_ADDR_TEXT])
{
	const struct clock *clock = &req->p->w->clock;
	uint64_t took_ms = (clock->now_us - req->start_us) / 1000;

	return (struct proxy_why){ .call_id = req->msg->call_id,
		                   .method = req->msg->method_text,
		                   .uri = req->msg->ruri_text,
		                   .from = req->msg->from_uri_text,
		                   .source = net_addr_text(&req->from.remote, source),
		                   .unix_ms = clock->unix_ms - (int64_t)took_ms,
		                   .took_ms = (uint32_t)took_ms,
		                   .final_status = req->final_status };
}

static size_t packed_n(struct str s)
{
	return s.n < TEXT_MAX ? s.n : TEXT_MAX;
}

static struct str pack(char **at, struct str s)
{
	struct str copy = { *at, packed_n(s) };

	if (copy.n > 0) {
		memcpy(*at, s.p, copy.n);
		*at += copy.n;
	}
	return copy;
}

/* In place of @old, in its memory if that is enough. NULL: no memory, @old stays. */
static struct why_entry *entry_new(const struct belfry_req *req, struct why_entry *old)
{
	char source[NET_ADDR_TEXT];
	struct proxy_why why = describe(req, source);
	size_t n = 0, text_n = packed_n(why.call_id) + packed_n(why.method) + packed_n(why.uri) +
	                       packed_n(why.from) + packed_n(why.source);
	struct why_entry *e = old;
	size_t size;
	char *at;

	for (const struct note_rec *rec = req->notes->first; rec; rec = rec->next) {
		text_n += packed_n(rec->s);
		n++;
	}
	size = sizeof(*e) + n * sizeof(e->notes[0]) + text_n;
	if (old == NULL || old->size < size) {
		size = (size + ENTRY_STEP - 1) / ENTRY_STEP * ENTRY_STEP;
		e = malloc(size);
		if (e == NULL) {
			return NULL;
		}
		e->size = size;
		free(old);
	}
	at = (char *)&e->notes[n];
	e->call_id = pack(&at, why.call_id);
	e->method = pack(&at, why.method);
	e->uri = pack(&at, why.uri);
	e->from = pack(&at, why.from);
	e->source = pack(&at, why.source);
	e->unix_ms = why.unix_ms;
	e->took_ms = why.took_ms;
	e->status = why.final_status;
	e->serial = atomic_fetch_add_explicit(&req->p->shared->calls, 1, memory_order_relaxed);
	e->notes_n = 0;
	for (const struct note_rec *rec = req->notes->first; rec; rec = rec->next) {
		struct note_rec *kept = &e->notes[e->notes_n++];

		*kept = *rec;
		kept->s = pack(&at, rec->s);
		kept->next = rec->next ? kept + 1 : NULL;
	}
	return e;
}

void proxy_ring_keep(struct belfry_req *req)
{
	struct why_ring *ring = req->p->ring;
	struct why_entry *e;

	if (ring == NULL || req->notes == NULL || req->dry) {
		return;
	}
	e = entry_new(req, ring->v[ring->at]);
	if (e) {
		ring->v[ring->at] = e;
		ring->at = (ring->at + 1) % ring->n;
	}
}

static bool is_too_old(const struct proxy *p, const struct why_entry *e)
{
	uint64_t calls = atomic_load_explicit(&p->shared->calls, memory_order_relaxed);

	return calls - e->serial > p->ring->all;
}

static bool is_asked_for(struct str asked, struct str call_id)
{
	return asked.n == 0 || str_eq(asked, call_id);
}

static struct str masked(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.n + 1);

	if (copy == NULL || s.n == 0) {
		return STR_NONE;
	}
	memcpy(copy, s.p, s.n);
	sip_mask_passwords(copy, s.n);
	return str_make(copy, s.n);
}

static void tell_live(struct proxy *p, struct str call_id, proxy_why_cb *cb, void *arg)
{
	struct arena arena;
	char source[NET_ADDR_TEXT];

	list_for_each(it, &p->live)
	{
		const struct belfry_req *req = container_of(it, struct belfry_req, node);
		struct proxy_why why;

		if (req->dry || req->notes == NULL || !is_asked_for(call_id, req->msg->call_id)) {
			continue;
		}
		why = describe(req, source);
		arena_init(&arena, &p->w->arenas);
		why.uri = masked(&arena, why.uri);
		why.from = masked(&arena, why.from);
		why.first = readable(&arena, req->notes->first);
		cb(arg, &why);
		arena_fini(&arena);
	}
}

void proxy_why(struct proxy *p, struct str call_id, proxy_why_cb *cb, void *arg)
{
	struct arena arena;

	(void)proxy_follow_settings(p);
	tell_live(p, call_id, cb, arg);
	for (size_t i = 1; p->ring && i <= p->ring->n; i++) {
		const struct why_entry *e = p->ring->v[(p->ring->at + p->ring->n - i) % p->ring->n];
		struct proxy_why why;

		if (e == NULL || is_too_old(p, e) || !is_asked_for(call_id, e->call_id)) {
			continue;
		}
		arena_init(&arena, &p->w->arenas);
		why = (struct proxy_why){ .call_id = e->call_id,
			                  .method = e->method,
			                  .uri = masked(&arena, e->uri),
			                  .from = masked(&arena, e->from),
			                  .source = e->source,
			                  .unix_ms = e->unix_ms,
			                  .took_ms = e->took_ms,
			                  .final_status = e->status };
		why.first = readable(&arena, e->notes_n > 0 ? e->notes : NULL);
		cb(arg, &why);
		arena_fini(&arena);
	}
}
