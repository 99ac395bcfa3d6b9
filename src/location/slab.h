/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks for the sets of bindings: size classes of 16 bytes, pages of 64 KiB per class, a free list
 * per page. What a refresh frees is what the next refresh takes, so that the memory of a table that
 * only refreshes does not grow; a page that is empty again serves any class.
 *
 * Any thread. One lock per class, held for a few instructions and never across an allocation.
 */
#pragma once

#include <stddef.h>

struct loc_slab;

int loc_slab_new(struct loc_slab **s_r);
/* Frees every page, whether or not its blocks came back (not the blocks above the largest class).
 */
void loc_slab_free(struct loc_slab *s);

/* Aligned to 16; uninitialised. NULL when out of memory. */
void *loc_slab_alloc(struct loc_slab *s, size_t size);
/* @size as it was asked for. */
void loc_slab_put(void *p, size_t size);

/* Bytes held from malloc, used or not. */
size_t loc_slab_bytes(const struct loc_slab *s);
