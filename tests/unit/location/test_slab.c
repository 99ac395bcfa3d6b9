/* SPDX-License-Identifier: Apache-2.0 */
#include "location/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "support/unit.h"

#define N 8000U

static void *blocks[N];

static size_t size_of(unsigned i, unsigned round)
{
	return 1 + (i * 7919U + round * 104729U) % 1200;
}

START_TEST(blocks_are_aligned_and_do_not_overlap)
{
	struct loc_slab *s;

	ck_assert_int_eq(loc_slab_new(&s), 0);
	for (unsigned i = 0; i < N; i++) {
		size_t n = size_of(i, 0);

		blocks[i] = loc_slab_alloc(s, n);
		ck_assert_ptr_nonnull(blocks[i]);
		ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)(i & 0xff), n);
	}
	for (unsigned i = 0; i < N; i++) {
		char want[1200];

		memset(want, (int)(i & 0xff), sizeof(want));
		ck_assert_mem_eq(blocks[i], want, size_of(i, 0));
		loc_slab_put(blocks[i], size_of(i, 0));
	}
	loc_slab_free(s);
}
END_TEST

START_TEST(what_is_freed_is_used_again_whatever_its_size)
{
	struct loc_slab *s;
	size_t held = 0;

	ck_assert_int_eq(loc_slab_new(&s), 0);
	/* Each round has smaller blocks: empty pages must change class. */
	for (unsigned round = 0; round < 6; round++) {
		size_t size = 1000 - round * 160;

		for (unsigned i = 0; i < N; i++) {
			blocks[i] = loc_slab_alloc(s, size);
		}
		for (unsigned i = 0; i < N; i++) {
			loc_slab_put(blocks[i], size);
		}
		held = round ? held : loc_slab_bytes(s);
		ck_assert_uint_eq(loc_slab_bytes(s), held);
	}
	loc_slab_free(s);
}
END_TEST

START_TEST(a_refresh_of_every_block_takes_no_more_memory)
{
	struct loc_slab *s;
	size_t held;

	ck_assert_int_eq(loc_slab_new(&s), 0);
	for (unsigned i = 0; i < N; i++) {
		blocks[i] = loc_slab_alloc(s, size_of(i, 0));
	}
	held = loc_slab_bytes(s);
	for (unsigned round = 1; round < 4; round++) {
		for (unsigned i = 0; i < N; i++) {
			void *p = loc_slab_alloc(s, size_of(i, 0));

			loc_slab_put(blocks[i], size_of(i, 0));
			blocks[i] = p;
		}
	}
	/* One more page per class at most. */
	ck_assert_uint_le(loc_slab_bytes(s), held + 80U * 65536U);
	for (unsigned i = 0; i < N; i++) {
		loc_slab_put(blocks[i], size_of(i, 0));
	}
	loc_slab_free(s);
}
END_TEST

START_TEST(large_blocks_come_and_go)
{
	struct loc_slab *s;
	static const size_t sizes[] = { 1024, 1025, 8192, 8193, 1000000 };

	ck_assert_int_eq(loc_slab_new(&s), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *p = loc_slab_alloc(s, sizes[i]);

		memset(p, 1, sizes[i]);
		loc_slab_put(p, sizes[i]);
	}
	loc_slab_free(s);
}
END_TEST

static void *churn(void *arg)
{
	struct loc_slab *s = arg;
	void *mine[64] = { 0 };

	for (unsigned i = 0; i < 40000; i++) {
		unsigned k = i % 64;

		if (mine[k]) {
			ck_assert_uint_eq(*(unsigned *)mine[k], k);
			loc_slab_put(mine[k], 32 + k * 8);
		}
		mine[k] = loc_slab_alloc(s, 32 + k * 8);
		*(unsigned *)mine[k] = k;
	}
	for (unsigned k = 0; k < 64; k++) {
		loc_slab_put(mine[k], 32 + k * 8);
	}
	return NULL;
}

START_TEST(threads_share_it)
{
	struct loc_slab *s;
	pthread_t th[4];

	ck_assert_int_eq(loc_slab_new(&s), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_create(&th[i], NULL, churn, s), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(th[i], NULL);
	}
	loc_slab_free(s);
}
END_TEST

static int oom(void *arg)
{
	struct loc_slab *s;
	int err = loc_slab_new(&s);
	void *p;

	(void)arg;
	if (err) {
		return err;
	}
	p = loc_slab_alloc(s, 100);
	if (p) {
		loc_slab_put(p, 100);
	}
	loc_slab_free(s);
	return p ? 0 : -ENOMEM;
}

START_TEST(no_memory_is_told)
{
	oom_each(oom, NULL);
}
END_TEST

UNIT_MAIN("location/slab", blocks_are_aligned_and_do_not_overlap,
          what_is_freed_is_used_again_whatever_its_size,
          a_refresh_of_every_block_takes_no_more_memory, large_blocks_come_and_go, threads_share_it,
          no_memory_is_told)
