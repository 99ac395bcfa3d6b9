/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

/* 64 buckets per power of two above 64 us, one per us below. */
static unsigned bucket(uint64_t us)
{
	if (us < 64) {
		return (unsigned)us;
	}
	unsigned exp = 63u - (unsigned)__builtin_clzll(us);
	unsigned i = (exp - 5) * 64 + (unsigned)((us >> (exp - 6)) & 63);
	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t value(unsigned i)
{
	if (i < 64) {
		return i;
	}
	return (64ull + i % 64) << (i / 64 - 1);
}

void hist_add(struct hist *h, uint64_t us)
{
	h->n[bucket(us)]++;
	h->total++;
	if (us > h->max) {
		h->max = us;
	}
}

uint64_t hist_percentile(const struct hist *h, double p)
{
	uint64_t want = (uint64_t)((double)h->total * p), seen = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->n[i];
		if (seen > want) {
			return value(i);
		}
	}
	return h->max;
}
