/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of one worker: a FIFO per duration (start and cancel are O(1)), a heap for odd durations
 * once many are in use. 24 bytes each. What a timer does is its kind, registered once per worker.
 * A zeroed struct timer is one that does not run.
 */
#pragma once

#include "worker/clock.h"

#include <stddef.h>

struct timer {
	union {
		struct {
			struct timer *next, *prev; /* in a FIFO */
		};
		struct {
			size_t heap_pos; /* in the heap */
			uint64_t unused;
		};
	};
	uint32_t due_ms; /* low bits of the monotonic clock; differences are signed */
	uint8_t kind;    /* 0: never used */
	uint8_t queue;   /* FIFO number + 1; 255: the heap; 0: not running */
	uint16_t user;   /* free for the owner */
};

struct timers;
/* Not running any more when called; may start it again or free it. */
typedef void(timer_cb)(struct timer *t, void *arg);

struct timers *timers_new(struct clock *clock);
/* Timers that still run are forgotten. */
void timers_free(struct timers *ts);
/* At most 254 kinds; -ENOSPC. */
int timers_kind(struct timers *ts, timer_cb *cb, void *arg);
/* Starts it anew if it runs. @kind from timers_kind(). Up to 24 days. -ENOMEM only from the heap,
 * which is used when 64 other durations are running; then it does not run. */
int timer_start(struct timers *ts, struct timer *t, int kind, uint32_t ms);
void timer_cancel(struct timers *ts, struct timer *t);
static inline bool timer_is_running(const struct timer *t)
{
	return t->queue != 0;
}
/* Runs what is due, the earliest first, at most @max callbacks; how many ran. */
unsigned timers_run(struct timers *ts, unsigned max);
/* ms until the next one is due, 0: now, -1: none. */
int64_t timers_next_ms(const struct timers *ts);
