/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIFOS_MAX  64U  /* durations with a FIFO at the same time */
#define KINDS_MAX  255U /* kind 0 is never used */
#define HEAP_QUEUE 255U
#define HEAP_FIRST 16U /* places of the heap to begin with */

static_assert(sizeof(struct timer) == 24, "a timer has 24 bytes");
static_assert(FIFOS_MAX < HEAP_QUEUE, "FIFO numbers fit beside the heap");

/* All in it run equally long, so that the first is always the next. */
struct timer_fifo {
	struct timer *first, *last;
	uint32_t ms;
	uint32_t due_ms; /* of the first */
};

struct timer_kind {
	timer_cb *cb;
	void *arg;
};

struct timers {
	struct clock *clock;
	struct timer_fifo fifos[FIFOS_MAX];
	unsigned fifos_n;
	uint8_t fifo_guess[256]; /* by a hash of the duration */
	struct timer **heap;
	size_t heap_n, heap_cap;
	struct timer_kind kinds[KINDS_MAX];
	unsigned kinds_n;
};

struct timers *timers_new(struct clock *clock)
{
	struct timers *ts = calloc(1, sizeof(*ts));

	if (ts) {
		ts->clock = clock;
		ts->kinds_n = 1;
	}
	return ts;
}

void timers_free(struct timers *ts)
{
	if (ts) {
		free(ts->heap);
		free(ts);
	}
}

int timers_kind(struct timers *ts, timer_cb *cb, void *arg)
{
	if (ts->kinds_n == KINDS_MAX) {
		return -ENOSPC;
	}
	ts->kinds[ts->kinds_n] = (struct timer_kind){ cb, arg };
	return (int)ts->kinds_n++;
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* --- the heap ------------------------------------------------------------------------------------
 */

static void heap_put(struct timers *ts, size_t pos, struct timer *t)
{
	ts->heap[pos] = t;
	t->heap_pos = pos;
}

static void heap_up(struct timers *ts, size_t pos, struct timer *t)
{
	while (pos > 0) {
		size_t parent = (pos - 1) / 2;

		if (!is_before(t->due_ms, ts->heap[parent]->due_ms)) {
			break;
		}
		heap_put(ts, pos, ts->heap[parent]);
		pos = parent;
	}
	heap_put(ts, pos, t);
}

static void heap_down(struct timers *ts, size_t pos, struct timer *t)
{
	for (;;) {
		size_t child = 2 * pos + 1;

		if (child >= ts->heap_n) {
			break;
		}
		if (child + 1 < ts->heap_n &&
		    is_before(ts->heap[child + 1]->due_ms, ts->heap[child]->due_ms)) {
			child++;
		}
		if (!is_before(ts->heap[child]->due_ms, t->due_ms)) {
			break;
		}
		heap_put(ts, pos, ts->heap[child]);
		pos = child;
	}
	heap_put(ts, pos, t);
}

static int heap_add(struct timers *ts, struct timer *t)
{
	if (ts->heap_n == ts->heap_cap) {
		size_t cap = ts->heap_cap ? ts->heap_cap * 2 : HEAP_FIRST;
		struct timer **heap = reallocarray(ts->heap, cap, sizeof(*heap));

		if (!heap) {
			return -ENOMEM;
		}
		ts->heap = heap;
		ts->heap_cap = cap;
	}
	heap_up(ts, ts->heap_n++, t);
	t->queue = HEAP_QUEUE;
	return 0;
}

static void heap_del(struct timers *ts, struct timer *t)
{
	size_t pos = t->heap_pos;
	struct timer *moved = ts->heap[--ts->heap_n];

	if (moved == t) {
		return;
	}
	if (pos > 0 && is_before(moved->due_ms, ts->heap[(pos - 1) / 2]->due_ms)) {
		heap_up(ts, pos, moved);
	} else {
		heap_down(ts, pos, moved);
	}
}

/* --- FIFOs ---------------------------------------------------------------------------------------
 */

/* Takes a place never used, else one that is empty. */
static struct timer_fifo *fifo_make(struct timers *ts, uint32_t ms)
{
	struct timer_fifo *fifo = NULL;

	if (ts->fifos_n < FIFOS_MAX) {
		fifo = &ts->fifos[ts->fifos_n++];
	}
	for (unsigned i = 0; !fifo && i < FIFOS_MAX; i++) {
		fifo = ts->fifos[i].first ? NULL : &ts->fifos[i];
	}
	if (fifo) {
		fifo->ms = ms;
	}
	return fifo;
}

/* NULL: all are taken by other durations. */
static struct timer_fifo *fifo_find(struct timers *ts, uint32_t ms)
{
	uint8_t *guess = &ts->fifo_guess[ms * 2654435761U >> 24];
	struct timer_fifo *fifo = &ts->fifos[*guess];

	if (fifo->ms == ms && *guess < ts->fifos_n) {
		return fifo;
	}
	fifo = NULL;
	for (unsigned i = 0; !fifo && i < ts->fifos_n; i++) {
		fifo = ts->fifos[i].ms == ms ? &ts->fifos[i] : NULL;
	}
	if (!fifo) {
		fifo = fifo_make(ts, ms);
	}
	if (fifo) {
		*guess = (uint8_t)(fifo - ts->fifos);
	}
	return fifo;
}

static void fifo_add(struct timers *ts, struct timer_fifo *fifo, struct timer *t)
{
	t->next = NULL;
	t->prev = fifo->last;
	if (fifo->last) {
		fifo->last->next = t;
	} else {
		fifo->first = t;
		fifo->due_ms = t->due_ms;
	}
	fifo->last = t;
	t->queue = (uint8_t)(fifo - ts->fifos + 1);
}

static void fifo_del(struct timer_fifo *fifo, struct timer *t)
{
	if (t->next) {
		t->next->prev = t->prev;
	} else {
		fifo->last = t->prev;
	}
	if (t->prev) {
		t->prev->next = t->next;
		return;
	}
	fifo->first = t->next;
	if (t->next) {
		fifo->due_ms = t->next->due_ms;
	}
}

/* --- for the owner -------------------------------------------------------------------------------
 */

int timer_start(struct timers *ts, struct timer *t, int kind, uint32_t ms)
{
	struct timer_fifo *fifo;

	assert(kind > 0 && (unsigned)kind < ts->kinds_n && ms <= INT32_MAX);
	timer_cancel(ts, t);
	t->kind = (uint8_t)kind;
	t->due_ms = (uint32_t)ts->clock->now_ms + ms;
	fifo = fifo_find(ts, ms);
	if (!fifo) {
		return heap_add(ts, t);
	}
	fifo_add(ts, fifo, t);
	return 0;
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	if (t->queue == 0) {
		return;
	}
	if (t->queue == HEAP_QUEUE) {
		heap_del(ts, t);
	} else {
		fifo_del(&ts->fifos[t->queue - 1], t);
	}
	t->queue = 0;
}

/* The one that is due first; NULL: none runs. */
static struct timer *timers_first(const struct timers *ts)
{
	struct timer *first = ts->heap_n ? ts->heap[0] : NULL;
	uint32_t due_ms = first ? first->due_ms : 0;

	for (unsigned i = 0; i < ts->fifos_n; i++) {
		const struct timer_fifo *fifo = &ts->fifos[i];

		if (fifo->first && (!first || is_before(fifo->due_ms, due_ms))) {
			first = fifo->first;
			due_ms = fifo->due_ms;
		}
	}
	return first;
}

/* The one behind the next of its FIFO, with what it is part of: they have waited for long and are
 * in no cache any more. */
static void fetch_ahead(const struct timer *t)
{
	const struct timer *next = t->queue != HEAP_QUEUE ? t->next : NULL;

	if (next && next->next) {
		__builtin_prefetch((const char *)next->next - 40);
		__builtin_prefetch((const char *)next->next + 40);
	}
}

unsigned timers_run(struct timers *ts, unsigned max)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		struct timer *t = timers_first(ts);

		if (!t || is_before((uint32_t)ts->clock->now_ms, t->due_ms)) {
			break;
		}
		fetch_ahead(t);
		timer_cancel(ts, t);
		ts->kinds[t->kind].cb(t, ts->kinds[t->kind].arg);
	}
	return n;
}

int64_t timers_next_ms(const struct timers *ts)
{
	const struct timer *t = timers_first(ts);

	if (!t) {
		return -1;
	}
	int32_t left_ms = (int32_t)(t->due_ms - (uint32_t)ts->clock->now_ms);

	return left_ms > 0 ? left_ms : 0;
}
