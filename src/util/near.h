/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the name of a list that is nearest to what somebody typed. */
#pragma once

#include "util/str.h"

#define NEAR_LEN_MAX 64 /* bytes; longer texts are near to nothing */

/* Letters to change, insert, remove or swap with their neighbour to get from @a to @b, any case.
 * More than NEAR_LEN_MAX when either is too long. */
unsigned near_distance(struct str a, struct str b);

struct near {
	struct str typed;
	struct str best; /* n is 0 while nothing is near enough */
	unsigned distance;
};

void near_init(struct near *near, struct str typed);
/* Offers a candidate; @candidate must live as long as the result. */
void near_try(struct near *near, struct str candidate);
