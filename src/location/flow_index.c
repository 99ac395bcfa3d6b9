/* SPDX-License-Identifier: Apache-2.0 */
#include "location/flow_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_MAX 512
#define LEAF_MIN 8 /* first size of a leaf; doubled up to LEAF_MAX */

struct loc_leaf {
	uint32_t n, cap;
	uint64_t key[];
};

static uint64_t key_of(uint32_t flow, uint32_t aor)
{
	return (uint64_t)flow << 32 | aor;
}

void loc_flow_index_init(struct loc_flow_index *ix)
{
	*ix = (struct loc_flow_index){ 0 };
}

void loc_flow_index_fini(struct loc_flow_index *ix)
{
	for (size_t i = 0; i < ix->n; i++) {
		free(ix->places[i].leaf);
	}
	free(ix->places);
	free(ix->bulk);
	loc_flow_index_init(ix);
}

/* The last leaf that begins at or before @key; 0 when all begin later. */
static size_t leaf_of(const struct loc_flow_index *ix, uint64_t key)
{
	size_t lo = 0, hi = ix->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (ix->places[mid].first <= key) {
			lo = mid;
		} else {
			hi = mid;
		}
	}
	return lo;
}

/* Position of the first key >= @key. */
static uint32_t pos_of(const struct loc_leaf *leaf, uint64_t key)
{
	uint32_t lo = 0, hi = leaf->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (leaf->key[mid] < key) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

static struct loc_leaf *leaf_resize(struct loc_leaf *leaf, uint32_t cap)
{
	struct loc_leaf *l = realloc(leaf, sizeof(*l) + cap * sizeof(l->key[0]));

	if (l) {
		l->cap = cap;
		if (!leaf) {
			l->n = 0;
		}
	}
	return l;
}

/* Room for one more leaf at @at. */
static int places_open(struct loc_flow_index *ix, size_t at)
{
	if (ix->n == ix->cap) {
		size_t cap = ix->cap ? ix->cap + ix->cap / 2 + 1 : 4;
		struct loc_flow_place *places = realloc(ix->places, cap * sizeof(*places));

		if (!places) {
			return -ENOMEM;
		}
		ix->places = places;
		ix->cap = cap;
	}
	memmove(&ix->places[at + 1], &ix->places[at], (ix->n - at) * sizeof(*ix->places));
	ix->n++;
	return 0;
}

static void places_close(struct loc_flow_index *ix, size_t at)
{
	free(ix->places[at].leaf);
	ix->n--;
	memmove(&ix->places[at], &ix->places[at + 1], (ix->n - at) * sizeof(*ix->places));
}

static int leaf_split(struct loc_flow_index *ix, size_t at)
{
	struct loc_leaf *left = ix->places[at].leaf;
	struct loc_leaf *right = leaf_resize(NULL, LEAF_MAX);

	if (!right || places_open(ix, at + 1)) {
		free(right);
		return -ENOMEM;
	}
	right->n = left->n / 2;
	left->n -= right->n;
	memcpy(right->key, &left->key[left->n], right->n * sizeof(right->key[0]));
	ix->places[at + 1] = (struct loc_flow_place){ right->key[0], right };
	return 0;
}

/* A leaf with room for @key, at *at_r; NULL when out of memory. */
static struct loc_leaf *leaf_for(struct loc_flow_index *ix, uint64_t key, size_t *at_r)
{
	size_t at = *at_r = leaf_of(ix, key);
	struct loc_leaf *leaf = ix->n ? ix->places[at].leaf : NULL;

	if (leaf && leaf->n < leaf->cap) {
		return leaf;
	}
	if (leaf && leaf->n == LEAF_MAX) {
		if (leaf_split(ix, at)) {
			return NULL;
		}
		*at_r = leaf_of(ix, key);
		return ix->places[*at_r].leaf;
	}
	leaf = leaf_resize(leaf, leaf ? leaf->cap * 2 : LEAF_MIN);
	if (!leaf) {
		return NULL;
	}
	if (ix->n == 0 && places_open(ix, 0)) {
		free(leaf);
		return NULL;
	}
	ix->places[at].leaf = leaf;
	return leaf;
}

static int bulk_add(struct loc_flow_index *ix, uint64_t key)
{
	if (ix->bulk_n == ix->bulk_cap) {
		size_t cap = ix->bulk_cap ? ix->bulk_cap * 2 : 1024;
		uint64_t *bulk = realloc(ix->bulk, cap * sizeof(*bulk));

		if (!bulk) {
			return -ENOMEM;
		}
		ix->bulk = bulk;
		ix->bulk_cap = cap;
	}
	ix->bulk[ix->bulk_n++] = key;
	return 0;
}

int loc_flow_index_add(struct loc_flow_index *ix, uint32_t flow, uint32_t aor)
{
	uint64_t key = key_of(flow, aor);
	struct loc_leaf *leaf;
	size_t at;
	uint32_t i;

	if (ix->is_bulk) {
		return bulk_add(ix, key);
	}
	leaf = leaf_for(ix, key, &at);
	if (!leaf) {
		return -ENOMEM;
	}
	i = pos_of(leaf, key);
	memmove(&leaf->key[i + 1], &leaf->key[i], (leaf->n - i) * sizeof(leaf->key[0]));
	leaf->key[i] = key;
	leaf->n++;
	ix->places[at].first = leaf->key[0];
	return 0;
}

/* Joins a leaf with its right neighbour when both together fill less than half of one. */
static void leaf_join(struct loc_flow_index *ix, size_t at)
{
	struct loc_leaf *a, *b;

	if (at + 1 >= ix->n) {
		return;
	}
	a = ix->places[at].leaf;
	b = ix->places[at + 1].leaf;
	if (a->n + b->n > LEAF_MAX / 2 || a->n + b->n > a->cap) {
		return;
	}
	memcpy(&a->key[a->n], b->key, b->n * sizeof(b->key[0]));
	a->n += b->n;
	places_close(ix, at + 1);
}

bool loc_flow_index_del(struct loc_flow_index *ix, uint32_t flow, uint32_t aor)
{
	uint64_t key = key_of(flow, aor);
	size_t at = leaf_of(ix, key);
	struct loc_leaf *leaf = ix->n ? ix->places[at].leaf : NULL;
	uint32_t i = leaf ? pos_of(leaf, key) : 0;

	if (!leaf || ix->is_bulk || i == leaf->n || leaf->key[i] != key) {
		return false;
	}
	leaf->n--;
	memmove(&leaf->key[i], &leaf->key[i + 1], (leaf->n - i) * sizeof(leaf->key[0]));
	if (leaf->n == 0) {
		places_close(ix, at);
		return true;
	}
	ix->places[at].first = leaf->key[0];
	if (leaf->n < LEAF_MAX / 4) {
		leaf_join(ix, at);
	}
	return true;
}

bool loc_flow_index_next(const struct loc_flow_index *ix, uint32_t flow, uint32_t from,
                         uint32_t *aor_r)
{
	uint64_t key = key_of(flow, from);
	size_t at = leaf_of(ix, key);

	for (; at < ix->n; at++) {
		const struct loc_leaf *leaf = ix->places[at].leaf;
		uint32_t i = pos_of(leaf, key);

		if (i < leaf->n) {
			*aor_r = (uint32_t)leaf->key[i];
			return leaf->key[i] >> 32 == flow;
		}
	}
	return false;
}

/* --- many at once --- */

void loc_flow_index_bulk_begin(struct loc_flow_index *ix)
{
	ix->is_bulk = true;
}

/* One byte of the keys after the other, from the lowest: @tmp takes turns with @v. */
static void radix_sort(uint64_t *v, uint64_t *tmp, size_t n)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		size_t at[256] = { 0 }, sum = 0;
		uint64_t *swap = v;

		for (size_t i = 0; i < n; i++) {
			at[v[i] >> shift & 0xff]++;
		}
		for (unsigned b = 0; b < 256; b++) {
			size_t count = at[b];

			at[b] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++) {
			tmp[at[v[i] >> shift & 0xff]++] = v[i];
		}
		v = tmp;
		tmp = swap;
	}
}

/* Leaves three quarters full, so that what comes next finds room. */
static int leaf_append(struct loc_flow_index *ix, const uint64_t *keys, uint32_t n)
{
	struct loc_leaf *leaf = leaf_resize(NULL, LEAF_MAX);

	if (!leaf || places_open(ix, ix->n)) {
		free(leaf);
		return -ENOMEM;
	}
	memcpy(leaf->key, keys, n * sizeof(keys[0]));
	leaf->n = n;
	ix->places[ix->n - 1] = (struct loc_flow_place){ keys[0], leaf };
	return 0;
}

int loc_flow_index_bulk_end(struct loc_flow_index *ix)
{
	const size_t fill = LEAF_MAX / 4 * 3;
	uint64_t *keys = ix->bulk, *tmp = malloc((ix->bulk_n + 1) * sizeof(*tmp));
	size_t n = ix->bulk_n;
	int err = tmp ? 0 : -ENOMEM;

	if (tmp && n) {
		radix_sort(keys, tmp, n); /* an even number of turns: in @keys again */
	}
	for (size_t i = 0; i < n && !err; i += fill) {
		err = leaf_append(ix, keys + i, (uint32_t)(n - i < fill ? n - i : fill));
	}
	free(tmp);
	free(ix->bulk);
	ix->bulk = NULL;
	ix->bulk_n = ix->bulk_cap = 0;
	ix->is_bulk = false;
	return err;
}
