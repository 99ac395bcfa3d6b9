/* SPDX-License-Identifier: Apache-2.0 */
#include "util/near.h"

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment; three rows of the table are enough. */
unsigned near_distance(struct str a, struct str b)
{
	unsigned rows[3][NEAR_LEN_MAX + 1];

	if (a.n > NEAR_LEN_MAX || b.n > NEAR_LEN_MAX) {
		return NEAR_LEN_MAX + 1;
	}
	for (size_t j = 0; j <= b.n; j++) {
		rows[0][j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *now = rows[i % 3];
		const unsigned *last = rows[(i + 2) % 3];
		const unsigned *before = rows[(i + 1) % 3];
		unsigned char ca = ascii_lower((unsigned char)a.p[i - 1]);

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned char cb = ascii_lower((unsigned char)b.p[j - 1]);

			now[j] = min_of(min_of(last[j] + 1, now[j - 1] + 1),
			                last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == ascii_lower((unsigned char)b.p[j - 2]) &&
			    cb == ascii_lower((unsigned char)a.p[i - 2])) {
				now[j] = min_of(now[j], before[j - 2] + 1);
			}
		}
	}
	return rows[a.n % 3][b.n];
}

void near_init(struct near *near, struct str typed)
{
	*near = (struct near){ .typed = typed };
	/* A third of the letters may be wrong, at least one. */
	near->distance = (unsigned)(typed.n < 4 ? 2 : typed.n / 3 + 2);
}

void near_try(struct near *near, struct str candidate)
{
	unsigned d = near_distance(near->typed, candidate);

	if (d < near->distance) {
		near->distance = d;
		near->best = candidate;
	}
}
