/* SPDX-License-Identifier: Apache-2.0 */
/* The core's side of belfry_shared_*: making the tables and freeing them. */
#pragma once

#include "belfry/module.h"

/* NULL: out of memory. */
struct belfry_shared *shared_new(size_t key_max, size_t value_size, size_t limit);
void shared_link(struct belfry_shared **list, struct belfry_shared *t);
void shared_free_all(struct belfry_shared **list);
