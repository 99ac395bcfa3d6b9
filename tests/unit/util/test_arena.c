/* SPDX-License-Identifier: Apache-2.0 */
#include "util/arena.h"

#include "support/unit.h"

#include <errno.h>

START_TEST(arena_gives_aligned_blocks_that_do_not_overlap)
{
	struct arena arena;
	char *blocks[600];

	arena_init(&arena, NULL);
	for (size_t i = 0; i < 600; i++) {
		blocks[i] = arena_alloc(&arena, i % 90);
		ck_assert_ptr_nonnull(blocks[i]);
		ck_assert_uint_eq((uintptr_t)blocks[i] % 8, 0);
		memset(blocks[i], (int)(i & 0xff), i % 90);
	}
	for (size_t i = 0; i < 600; i++) {
		for (size_t j = 0; j < i % 90; j++) {
			ck_assert_int_eq((unsigned char)blocks[i][j], (int)(i & 0xff));
		}
	}
	arena_fini(&arena);
	ck_assert_ptr_null(arena.chunks);
}
END_TEST

START_TEST(arena_keeps_its_chunk_when_a_large_block_comes_between)
{
	struct arena arena;
	char *a, *large, *b;

	arena_init(&arena, NULL);
	large = arena_alloc(&arena, 3 * ARENA_CHUNK); /* as the first of all */
	ck_assert_ptr_nonnull(large);
	memset(large, 1, 3 * ARENA_CHUNK);
	a = arena_alloc(&arena, 16);
	large = arena_alloc(&arena, ARENA_CHUNK);
	memset(large, 2, ARENA_CHUNK);
	b = arena_alloc(&arena, 16);
	ck_assert_ptr_eq(b, a + 16);
	arena_fini(&arena);
}
END_TEST

START_TEST(arena_refuses_sizes_beyond_the_address_space)
{
	struct arena arena;

	arena_init(&arena, NULL);
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 8)); /* with room in the chunk, too */
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 7));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_str(&arena, str_make("", SIZE_MAX)).p);
	arena_fini(&arena);
}
END_TEST

START_TEST(arena_pool_takes_chunks_back_up_to_its_limit)
{
	struct arena_pool pool;
	struct arena arena;

	arena_pool_init(&pool, 2);
	arena_init(&arena, &pool);
	for (int i = 0; i < 4; i++) {
		ck_assert_ptr_nonnull(arena_alloc(&arena, ARENA_CHUNK / 2 + 1));
	}
	ck_assert_ptr_nonnull(arena_alloc(&arena, 2 * ARENA_CHUNK));
	ck_assert_uint_eq(pool.used_n, 4);
	arena_fini(&arena);
	ck_assert_uint_eq(pool.used_n, 0);
	ck_assert_uint_eq(pool.free_n, 2);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
	ck_assert_uint_eq(pool.free_n, 1);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}
END_TEST

START_TEST(arena_texts_end_in_nul)
{
	struct arena arena;
	struct str s;

	arena_init(&arena, NULL);
	s = arena_str(&arena, STR("a\0b"));
	ck_assert_uint_eq(s.n, 3);
	ck_assert_mem_eq(s.p, "a\0b\0", 4);
	s = arena_str(&arena, STR_NONE);
	ck_assert_ptr_nonnull(s.p);
	ck_assert_str_eq(s.p, "");
	s = arena_printf(&arena, "%d-%s", 17, "x");
	ck_assert_str_is(s, "17-x");
	ck_assert_str_eq(s.p, "17-x");
	s = arena_printf(&arena, "%5000d", 1);
	ck_assert_uint_eq(s.n, 5000);
	ck_assert_uint_eq(strlen(s.p), 5000);
	ck_assert_mem_eq(arena_zalloc(&arena, 16), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	arena_fini(&arena);
}
END_TEST

static int use_arena(struct arena *arena)
{
	if (!arena_alloc(arena, 10) || !arena_alloc(arena, ARENA_CHUNK) ||
	    !arena_str(arena, STR("text")).p || !arena_zalloc(arena, 4000) ||
	    !arena_printf(arena, "%6000d", 1).p) {
		return -ENOMEM;
	}
	return 0;
}

static int arena_scenario(void *arg)
{
	struct arena_pool pool;
	struct arena arena;
	int err;

	(void)arg;
	arena_pool_init(&pool, 1);
	arena_init(&arena, &pool);
	err = use_arena(&arena);
	arena_fini(&arena);
	ck_assert_uint_eq(pool.used_n, 0);
	arena_pool_fini(&pool);
	return err;
}

START_TEST(arena_survives_want_of_memory)
{
	oom_each(arena_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/arena", arena_gives_aligned_blocks_that_do_not_overlap,
          arena_keeps_its_chunk_when_a_large_block_comes_between,
          arena_refuses_sizes_beyond_the_address_space,
          arena_pool_takes_chunks_back_up_to_its_limit, arena_texts_end_in_nul,
          arena_survives_want_of_memory)
