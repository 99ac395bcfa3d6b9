/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/clock.h"

#include <assert.h>
#include <time.h>

#define UNIX_READ_MS 1000 /* between two looks at CLOCK_REALTIME */

static void clock_read_unix(struct clock *clock)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	clock->unix_base =
		(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - (int64_t)clock->now_ms;
	clock->unix_read = clock->now_ms;
}

void clock_update(struct clock *clock)
{
	struct timespec ts;

	if (clock->is_fake) {
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	clock->now_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	clock->now_ms = clock->now_us / 1000;
	if (clock->unix_read == 0 || clock->now_ms - clock->unix_read >= UNIX_READ_MS) {
		clock_read_unix(clock);
	}
	clock->unix_ms = clock->unix_base + (int64_t)clock->now_ms;
}

void clock_fake(struct clock *clock, uint64_t start_ms, int64_t unix_ms)
{
	*clock = (struct clock){
		.now_ms = start_ms,
		.now_us = start_ms * 1000,
		.unix_ms = unix_ms,
		.is_fake = true,
	};
}

void clock_advance(struct clock *clock, uint64_t ms)
{
	assert(clock->is_fake);
	clock->now_ms += ms;
	clock->now_us += ms * 1000;
	clock->unix_ms += (int64_t)ms;
}
