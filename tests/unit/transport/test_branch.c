/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/branch.h"

#include "support/unit.h"

static const struct hash_key key = { { 1, 2 } }, other_key = { { 1, 3 } };

START_TEST(a_branch_comes_back_with_all_its_fields)
{
	struct branch b = { .kind = BRANCH_TXN,
		            .worker = 255,
		            .slot = 0xdeadbeef,
		            .generation = 77,
		            .loop = 0x0123456789abcdef };
	struct branch got;
	char text[BRANCH_LEN];
	size_t n = branch_print(&b, &key, text);

	ck_assert_uint_le(n, BRANCH_LEN);
	ck_assert(str_starts(str_make(text, n), STR("z9hG4bK")));
	ck_assert(branch_parse(str_make(text, n), &key, &got));
	ck_assert_uint_eq(got.kind, b.kind);
	ck_assert_uint_eq(got.worker, b.worker);
	ck_assert_uint_eq(got.slot, b.slot);
	ck_assert_uint_eq(got.generation, b.generation);
	ck_assert_uint_eq(got.loop, b.loop);
}
END_TEST

START_TEST(a_branch_changed_anywhere_is_not_ours)
{
	struct branch b = { .kind = BRANCH_TXN, .slot = 5, .generation = 1 }, got;
	char text[BRANCH_LEN];
	size_t n = branch_print(&b, &key, text);

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		text[i] = c == 'A' ? 'B' : 'A';
		ck_assert_msg(!branch_parse(str_make(text, n), &key, &got), "byte %zu", i);
		text[i] = c;
	}
	ck_assert(!branch_parse(str_make(text, n - 1), &key, &got));
	ck_assert(branch_parse(str_make(text, n), &key, &got));
	ck_assert(!branch_parse(str_make(text, n), &other_key, &got));
}
END_TEST

START_TEST(foreign_branches_are_not_ours)
{
	struct branch got;

	ck_assert(!branch_parse(STR_NONE, &key, &got));
	ck_assert(!branch_parse(STR("z9hG4bK"), &key, &got));
	ck_assert(!branch_parse(STR("1"), &key, &got));
	ck_assert(!branch_parse(STR("z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), &key,
	                        &got));
}
END_TEST

UNIT_MAIN("transport/branch", a_branch_comes_back_with_all_its_fields,
          a_branch_changed_anywhere_is_not_ours, foreign_branches_are_not_ours)
