/* SPDX-License-Identifier: Apache-2.0 */
#include "util/slab.h"

#include "support/unit.h"

START_TEST(slab_objects_are_zeroed_aligned_and_apart)
{
	struct slab slab;
	char *v[3000];

	slab_init(&slab, 40);
	for (size_t i = 0; i < 3000; i++) {
		v[i] = slab_alloc(&slab);
		ck_assert_ptr_nonnull(v[i]);
		ck_assert_uint_eq((uintptr_t)v[i] % 16, 0);
		for (size_t j = 0; j < 40; j++) {
			ck_assert_int_eq(v[i][j], 0);
		}
		memset(v[i], (int)(i % 255) + 1, 40);
	}
	for (size_t i = 0; i < 3000; i++) {
		for (size_t j = 0; j < 40; j++) {
			ck_assert_int_eq((unsigned char)v[i][j], (int)(i % 255) + 1);
		}
	}
	ck_assert_uint_eq(slab.used_n, 3000);
	slab_fini(&slab);
}
END_TEST

START_TEST(slab_uses_what_was_freed_again_and_zeroes_it)
{
	struct slab slab;
	char *a, *b;

	slab_init(&slab, 100);
	a = slab_alloc(&slab);
	memset(a, 7, 100);
	slab_free(&slab, a);
	slab_free(&slab, NULL);
	ck_assert_uint_eq(slab.used_n, 0);
	b = slab_alloc(&slab);
	ck_assert_ptr_eq(a, b);
	ck_assert_int_eq(b[99], 0);
	slab_fini(&slab);
}
END_TEST

START_TEST(slab_objects_larger_than_a_chunk_work)
{
	struct slab slab;

	slab_init(&slab, 100000);
	for (unsigned i = 0; i < 9; i++) {
		memset(slab_alloc(&slab), 1, 100000);
	}
	slab_fini(&slab);
}
END_TEST

static int alloc_scenario(void *arg)
{
	struct slab slab;
	int ret = 0;

	(void)arg;
	slab_init(&slab, 8000);
	for (unsigned i = 0; i < 20; i++) {
		void *p = slab_alloc(&slab);

		ret = p ? ret : -1;
		if (i % 2) {
			slab_free(&slab, p);
		}
	}
	slab_fini(&slab);
	return ret;
}

START_TEST(slab_without_memory_gives_null_and_goes_on)
{
	oom_each(alloc_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/slab", slab_objects_are_zeroed_aligned_and_apart,
          slab_uses_what_was_freed_again_and_zeroes_it, slab_objects_larger_than_a_chunk_work,
          slab_without_memory_gives_null_and_goes_on)
