/* SPDX-License-Identifier: Apache-2.0 */
/* The packed form: what goes in comes out. */
#include "loc.h"

#include <errno.h>
#include <stdio.h>

static struct loc_mem mem;

static void mem_open(void)
{
	const struct hash_key key = { { 1, 2 } };

	ck_assert_int_eq(loc_slab_new(&mem.slab), 0);
	ck_assert_int_eq(loc_intern_new(&key, &mem.intern), 0);
}

static void mem_close(void)
{
	loc_intern_free(mem.intern);
	loc_slab_free(mem.slab);
}

static const struct tp_listener listener = { .id = 7 };

static struct loc_binding full_binding(void)
{
	return (struct loc_binding){
		.contact = STR("sip:a@192.0.2.1:5060;ob?X=%20"),
		.params = STR(";+sip.instance=\"<urn:uuid:1-2>\";reg-id=3;x=y"),
		.instance = STR("urn:uuid:1-2"),
		.reg_id = 3,
		.q = 250,
		.has_q = true,
		.expires_ms = 123456789012,
		.path = STR("<sip:p1;lr>, <sip:p2;lr>"),
		.user_agent = STR("phone/1.0"),
		.received = STR("udp:192.0.2.9:4000"),
		.has_flow = true,
		.flow = { .listener = &listener,
		          .conn = 0x123456789abcdef,
		          .remote = { .family = 4, .port = 4000, .ip = { 192, 0, 2, 9 } },
		          .local = { .family = 6, .port = 5060, .scope = 3, .ip = { 0xfe, 0x80 } },
		          .proto = TP_TCP,
		          .accepted = true },
	};
}

static struct loc_item item_of(const struct loc_binding *b)
{
	return (struct loc_item){ .b = b,
		                  .id = 42,
		                  .created = 1700000000,
		                  .updated = 1700000001,
		                  .call_id = STR("call@id"),
		                  .cseq = 77 };
}

static void check_full(const struct loc_binding *got)
{
	const struct loc_binding want = full_binding();

	ck_assert(str_eq(got->contact, want.contact));
	ck_assert(str_eq(got->params, want.params));
	ck_assert(str_eq(got->instance, want.instance));
	ck_assert(str_eq(got->path, want.path));
	ck_assert(str_eq(got->user_agent, want.user_agent));
	ck_assert(str_eq(got->received, want.received));
	ck_assert_str_is(got->call_id, "call@id");
	ck_assert_uint_eq(got->id, 42);
	ck_assert_uint_eq(got->cseq, 77);
	ck_assert_uint_eq(got->reg_id, 3);
	ck_assert_uint_eq(got->q, 250);
	ck_assert(got->has_q && !got->is_static && !got->flow_dead && got->has_flow);
	ck_assert_uint_eq(got->expires_ms, want.expires_ms);
	ck_assert_int_eq(got->created, 1700000000);
	ck_assert_int_eq(got->updated, 1700000001);
	ck_assert_ptr_eq(got->flow.listener, &listener);
	ck_assert_uint_eq(got->flow.conn, want.flow.conn);
	ck_assert(net_addr_eq(&got->flow.remote, &want.flow.remote));
	ck_assert(net_addr_eq(&got->flow.local, &want.flow.local));
	ck_assert_uint_eq(got->flow.local.scope, 3);
	ck_assert_uint_eq(got->flow.proto, TP_TCP);
	ck_assert(got->flow.accepted);
}

START_TEST(every_field_of_a_binding_comes_back)
{
	const struct loc_binding b = full_binding(), plain = { .contact = STR("sip:b@h") };
	struct loc_item items[] = { item_of(&b), { .b = &plain, .is_static = true } };
	struct loc_set *set;
	struct loc_binding got;

	mem_open();
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), items, 2, &set), 0);
	ck_assert_uint_eq(loc_set_n(set), 2);
	ck_assert_str_is(loc_set_aor(set), "a@b.c");
	loc_set_get(set, 0, &got);
	check_full(&got);
	loc_set_get(set, 1, &got);
	ck_assert_str_is(got.contact, "sip:b@h");
	ck_assert(got.is_static && !got.has_q && !got.has_flow);
	ck_assert_uint_eq(got.q, 1000);
	ck_assert_uint_eq(got.user_agent.n + got.path.n + got.params.n + got.instance.n, 0);
	loc_set_unref(&set);
	ck_assert_ptr_null(set);
	mem_close();
}
END_TEST

START_TEST(a_record_taken_over_is_the_same_in_the_next_set)
{
	const struct loc_binding b = full_binding(), plain = { .contact = STR("sip:b@h") };
	struct loc_item items[] = { item_of(&b) }, next[2] = { { .b = &plain } };
	struct loc_set *set, *set2;
	struct loc_binding got;

	mem_open();
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), items, 1, &set), 0);
	next[1].keep = loc_set_rec(set, 0);
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), next, 2, &set2), 0);
	ck_assert(loc_rec_same_row(loc_set_rec(set, 0), loc_set_rec(set2, 1)));
	ck_assert(!loc_rec_same_row(loc_set_rec(set, 0), loc_set_rec(set2, 0)));
	loc_set_unref(&set);
	loc_set_get(set2, 1, &got);
	check_full(&got);
	loc_set_unref(&set2);
	mem_close();
}
END_TEST

START_TEST(an_instance_that_params_do_not_hold_is_kept_beside_them)
{
	struct loc_binding b = full_binding(), got;
	struct loc_item item = item_of(&b);
	struct loc_set *set;

	mem_open();
	b.params = STR(";x=y");
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), &item, 1, &set), 0);
	loc_set_get(set, 0, &got);
	ck_assert_str_is(got.instance, "urn:uuid:1-2");
	ck_assert_str_is(got.params, ";x=y");
	ck_assert_str_is(got.call_id, "call@id");
	loc_set_unref(&set);
	mem_close();
}
END_TEST

START_TEST(texts_of_64_kib_are_refused)
{
	static char text[70000];
	struct loc_binding b = full_binding();
	struct loc_item item = item_of(&b);
	struct loc_set *set = NULL;

	mem_open();
	b.params = str_make(text, 65536);
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), &item, 1, &set), BELFRY_ETOOBIG);
	b.params = str_make(text, 65535);
	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), &item, 1, &set), 0);
	loc_set_unref(&set);
	ck_assert_int_eq(loc_set_build(&mem, str_make(text, 65536), &item, 1, &set),
	                 BELFRY_ETOOBIG);
	mem_close();
}
END_TEST

START_TEST(user_agents_are_kept_once_and_in_bounded_number)
{
	char name[LOC_INTERN_LEN + 2];
	size_t kept = 0;

	mem_open();
	ck_assert_ptr_eq(loc_intern_get(mem.intern, STR("x")),
	                 loc_intern_get(mem.intern, STR("x")));
	ck_assert_ptr_null(loc_intern_get(mem.intern, STR_NONE));
	memset(name, 'a', sizeof(name));
	ck_assert_ptr_null(loc_intern_get(mem.intern, str_make(name, LOC_INTERN_LEN + 1)));
	for (int i = 0; i < LOC_INTERN_MAX * 2; i++) {
		int n = snprintf(name, sizeof(name), "agent/%d", i);

		kept += loc_intern_get(mem.intern, str_make(name, (size_t)n)) != NULL;
	}
	ck_assert_uint_eq(kept, LOC_INTERN_MAX - 1);
	/* One that is not kept stays with its binding. */
	struct loc_binding b = { .contact = STR("sip:a@b"), .user_agent = STR("agent/new") }, got;
	struct loc_item item = { .b = &b };
	struct loc_set *set;

	ck_assert_int_eq(loc_set_build(&mem, STR("a@b.c"), &item, 1, &set), 0);
	loc_set_get(set, 0, &got);
	ck_assert_str_is(got.user_agent, "agent/new");
	loc_set_unref(&set);
	mem_close();
}
END_TEST

UNIT_MAIN("location/set", every_field_of_a_binding_comes_back,
          a_record_taken_over_is_the_same_in_the_next_set,
          an_instance_that_params_do_not_hold_is_kept_beside_them, texts_of_64_kib_are_refused,
          user_agents_are_kept_once_and_in_bounded_number)
