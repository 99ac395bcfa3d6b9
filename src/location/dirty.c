/* SPDX-License-Identifier: Apache-2.0 */
#include "location/dirty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_SHIFT 10U        /* 1,024 rows: some hundred pages, one transaction */
#define RANGES_MAX  (1U << 16) /* wider ones for more ids */
#define FIRST_CAP   256U

void loc_dirty_begin(struct loc_dirty *d, uint64_t id_max)
{
	loc_dirty_fini(d);
	d->shift = RANGE_SHIFT;
	while (id_max >> d->shift >= RANGES_MAX) {
		d->shift++;
	}
}

static int grow(struct loc_dirty *d)
{
	uint32_t cap = d->cap ? d->cap * 2 : FIRST_CAP;
	struct loc_dirty_at *v = realloc(d->v, cap * sizeof(*v));

	if (!v) {
		return -ENOMEM;
	}
	d->v = v;
	d->cap = cap;
	return 0;
}

/* Ids come up while they are gathered. */
static int grow_ranges(struct loc_dirty *d, uint32_t n)
{
	uint32_t more = n > d->ranges_n * 2 ? n : d->ranges_n * 2;
	uint32_t *ranges = realloc(d->ranges, more * sizeof(*ranges));

	if (!ranges) {
		return -ENOMEM;
	}
	memset(ranges + d->ranges_n, 0, (more - d->ranges_n) * sizeof(*ranges));
	d->ranges = ranges;
	d->ranges_n = more;
	return 0;
}

int loc_dirty_add(struct loc_dirty *d, uint64_t id, uint32_t hash)
{
	uint32_t range = id >> d->shift < RANGES_MAX ? (uint32_t)(id >> d->shift) : RANGES_MAX - 1;

	if ((range >= d->ranges_n && grow_ranges(d, range + 1)) || (d->n == d->cap && grow(d))) {
		return -ENOMEM;
	}
	d->v[d->n] = (struct loc_dirty_at){ .next = d->ranges[range], .hash = hash };
	d->ranges[range] = ++d->n;
	d->left++;
	return 0;
}

bool loc_dirty_next(struct loc_dirty *d, uint32_t *hash_r)
{
	while (d->range < d->ranges_n) {
		uint32_t *first = &d->ranges[d->range];

		if (*first) {
			const struct loc_dirty_at *at = &d->v[*first - 1];

			*hash_r = at->hash;
			*first = at->next;
			d->left--;
			return true;
		}
		d->range++;
	}
	return false;
}

void loc_dirty_fini(struct loc_dirty *d)
{
	free(d->v);
	free(d->ranges);
	*d = (struct loc_dirty){ 0 };
}
