/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change makes of a set of bindings: RFC 3261 10.3 steps 6 and 7, RFC 5626 6, and what an
 * operator may do. No I/O, no clock, no table.
 */
#pragma once

#include "location/set.h"

struct loc_now {
	uint64_t now_ms; /* monotonic */
	int64_t unix_s;
};

/* @tip is the newest set (NULL: none). *next_r gets the set after the change with a reference
 * (NULL: no binding left); with *changed_r false it is @tip itself. @next_id gives row ids for new
 * bindings. BELFRY_ESTALE, BELFRY_EFULL, BELFRY_ETOOBIG, -ENOMEM: nothing has changed. */
int loc_change_run(const struct loc_mem *mem, struct loc_set *tip, const struct loc_change *change,
                   const struct loc_now *now, _Atomic uint64_t *next_id, struct loc_set **next_r,
                   bool *changed_r);

/* @set without the bindings that have ended; NULL in *next_r when all have. */
int loc_set_without_expired(const struct loc_mem *mem, const struct loc_set *set, uint64_t now_ms,
                            struct loc_set **next_r);

/* Instance ids as URNs: uuid in any case, else the scheme and namespace in any case, the rest
 * exactly (RFC 8141 3.1). */
bool loc_instance_eq(struct str a, struct str b);
/* RFC 3261 19.1.4; text that is no URI is equal to itself only. */
bool loc_contact_eq(struct str a, struct str b);
