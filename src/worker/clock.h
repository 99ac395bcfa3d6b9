/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time of one worker: read once per loop turn, or set by a test. Monotonic milliseconds for all
 * timers and expiry in memory; Unix seconds only for what is stored or printed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clock {
	uint64_t now_ms; /* CLOCK_MONOTONIC */
	uint64_t now_us;
	int64_t unix_ms;    /* CLOCK_REALTIME; a step of it is seen within a second */
	int64_t unix_base;  /* unix_ms - now_ms when CLOCK_REALTIME was last read */
	uint64_t unix_read; /* now_ms at that time; 0: never */
	bool is_fake;
};

void clock_update(struct clock *clock); /* no effect on a fake one */
void clock_fake(struct clock *clock, uint64_t start_ms, int64_t unix_ms);
void clock_advance(struct clock *clock, uint64_t ms); /* fake only */

static inline int64_t clock_unix_s(const struct clock *clock)
{
	return clock->unix_ms / 1000;
}
