/* SPDX-License-Identifier: Apache-2.0 */
/* What a REGISTER and an operator may do to the bindings of an address-of-record. */
#include "loc.h"

#define AOR "alice@example.com"
#define U1  "urn:uuid:00000000-0000-1000-8000-000A95A0E128"
#define U1L "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
#define U2  "urn:uuid:11111111-0000-1000-8000-000A95A0E128"

static struct fixture f;
static struct answer a;

#define OPEN()   fixture_open(&f, NULL)
#define CLOSE()  fixture_close(&f)
#define REG(...) CHANGE(&f, &a, .aor = AOR, __VA_ARGS__)

START_TEST(rfc3261_10_3_8_the_answer_lists_every_current_binding_newest_first)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c1", .cseq = 1, .set = "sip:a@h1"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1");
	ck_assert_int_eq(REG(.call_id = "c2", .cseq = 1, .set = "sip:a@h2 sip:a@h3"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h2 sip:a@h3 sip:a@h1");
	ck_assert_str_eq(published(&f, AOR), a.contacts);
	ck_assert_uint_eq(loc_count(f.t), 3);
	CLOSE();
}
END_TEST

START_TEST(rfc3261_10_3_7_contacts_are_compared_as_uris)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:%61@H1;transport=udp"), 0);
	uint64_t id = published_binding(&f, AOR, "sip:%61@H1;transport=udp").id;

	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .set = "sip:a@h1;transport=UDP"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1;transport=UDP");
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1;transport=UDP").id, id);
	/* The user part is compared with case. */
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 3, .set = "sip:A@h1;transport=udp"), 0);
	ck_assert_uint_eq(a.bindings, 2);
	CLOSE();
}
END_TEST

START_TEST(rfc3261_10_3_7_an_old_cseq_of_the_same_call_id_changes_nothing)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 5, .set = "sip:a@h1"), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 5, .set = "sip:a@h1"), BELFRY_ESTALE);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 4, .remove = "sip:a@h1"), BELFRY_ESTALE);
	/* All or nothing: the new contact of a stale request is not added either. */
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 4, .set = "sip:b@h2 sip:a@h1"), BELFRY_ESTALE);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 5, .all = true), BELFRY_ESTALE);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1");
	CLOSE();
}
END_TEST

START_TEST(rfc3261_10_3_7_another_call_id_replaces_whatever_its_cseq)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 5, .set = "sip:a@h1"), 0);
	ck_assert_int_eq(REG(.call_id = "d", .cseq = 1, .set = "sip:a@h1"), 0);
	ck_assert_uint_eq(a.bindings, 1);
	ck_assert_uint_eq(published_binding(&f, AOR, "sip:a@h1").cseq, 1);
	ck_assert_int_eq(REG(.call_id = "e", .cseq = 1, .remove = "sip:a@h1"), 0);
	ck_assert_uint_eq(a.bindings, 0);
	ck_assert_uint_eq(loc_count(f.t), 0);
	CLOSE();
}
END_TEST

START_TEST(cseq_counts_only_for_the_bindings_that_a_request_touches)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 5, .set = "sip:a@h1"), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 3, .set = "sip:a@h2"), 0);
	ck_assert_uint_eq(a.bindings, 2);
	CLOSE();
}
END_TEST

START_TEST(a_contact_given_twice_in_one_request_is_one_binding_and_the_last_counts)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@H1"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@H1");
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .set = "sip:b@h", .remove = "sip:b@h"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@H1");
	CLOSE();
}
END_TEST

START_TEST(star_removes_all_but_static_bindings)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2"), 0);
	ck_assert_int_eq(REG(.set = "sip:desk@h9", .by_operator = true, .forever = true), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .all = true), 0);
	ck_assert_str_eq(a.contacts, "sip:desk@h9");
	ck_assert(published_binding(&f, AOR, "sip:desk@h9").is_static);
	ck_assert_int_eq(REG(.all = true, .by_operator = true), 0);
	ck_assert_uint_eq(a.bindings, 0);
	CLOSE();
}
END_TEST

START_TEST(a_register_leaves_static_bindings_alone_and_they_do_not_count)
{
	OPEN();
	ck_assert_int_eq(REG(.set = "sip:desk@h9", .by_operator = true, .forever = true), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .remove = "sip:desk@h9"), 0);
	ck_assert_str_eq(a.contacts, "sip:desk@h9");
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1", .max = 1), 0);
	ck_assert_uint_eq(a.bindings, 2);
	ck_assert_int_eq(REG(.remove = "sip:desk@h9", .by_operator = true), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1");
	CLOSE();
}
END_TEST

START_TEST(an_operator_takes_away_exactly_the_binding_it_names)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1", .instance = U1,
	                     .reg_id = 1),
	                 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .set = "sip:a@h1;x", .instance = U1,
	                     .reg_id = 2),
	                 0);
	uint64_t id = published_binding(&f, AOR, "sip:a@h1").id;

	ck_assert_int_eq(REG(.remove = "sip:whatever@h", .id = id, .by_operator = true), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1;x");
	CLOSE();
}
END_TEST

START_TEST(removing_what_is_not_there_is_no_error)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .remove = "sip:a@h1"), 0);
	ck_assert_uint_eq(a.bindings, 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .all = true), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .remove = "sip:a@h2"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1");
	CLOSE();
}
END_TEST

START_TEST(more_contacts_than_allowed_change_nothing)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1 sip:a@h2", .max = 2), 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .set = "sip:a@h3", .max = 2), BELFRY_EFULL);
	ck_assert_int_eq(REG(.call_id = "d", .cseq = 2, .set = "sip:1@h sip:2@h sip:3@h", .max = 2),
	                 BELFRY_EFULL);
	ck_assert_str_eq(published(&f, AOR), "sip:a@h1 sip:a@h2");
	/* One goes, one comes: that fits. */
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 3, .set = "sip:a@h3", .remove = "sip:a@h1",
	                     .max = 2),
	                 0);
	ck_assert_str_eq(a.contacts, "sip:a@h3 sip:a@h2");
	/* A limit that was lowered does not keep old bindings from refreshing. */
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 4, .set = "sip:a@h3", .max = 1), 0);
	ck_assert_uint_eq(a.bindings, 2);
	CLOSE();
}
END_TEST

START_TEST(rfc5626_6_instance_and_reg_id_are_the_key_whatever_the_uri)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1", .instance = U1,
	                     .reg_id = 1),
	                 0);
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 2, .set = "sip:a@h2", .instance = U1,
	                     .reg_id = 2),
	                 0);
	ck_assert_uint_eq(a.bindings, 2);
	ck_assert_int_eq(REG(.call_id = "x", .cseq = 1, .set = "sip:a@h7", .instance = U1L,
	                     .reg_id = 1),
	                 0);
	ck_assert_str_eq(a.contacts, "sip:a@h7 sip:a@h2");
	ck_assert_int_eq(REG(.call_id = "x", .cseq = 2, .set = "sip:a@h8", .instance = U2,
	                     .reg_id = 1),
	                 0);
	ck_assert_uint_eq(a.bindings, 3);
	/* The same key under the same Call-ID needs a higher CSeq too. */
	ck_assert_int_eq(REG(.call_id = "x", .cseq = 1, .set = "sip:a@h9", .instance = U1,
	                     .reg_id = 1),
	                 BELFRY_ESTALE);
	CLOSE();
}
END_TEST

START_TEST(a_rebooted_phone_replaces_its_instance_unless_told_not_to)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c1", .cseq = 1, .set = "sip:a@h1", .instance = U1), 0);
	ck_assert_int_eq(REG(.call_id = "c2", .cseq = 1, .set = "sip:a@h2", .instance = U1), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h2 sip:a@h1");
	ck_assert_int_eq(REG(.call_id = "c3", .cseq = 1, .set = "sip:a@h3", .instance = U1L,
	                     .replace_instance = true),
	                 0);
	ck_assert_str_eq(a.contacts, "sip:a@h3");
	/* Neither what the same registration made, nor flows, nor another instance. */
	ck_assert_int_eq(REG(.call_id = "c3", .cseq = 2, .set = "sip:a@h4", .instance = U1,
	                     .replace_instance = true),
	                 0);
	ck_assert_int_eq(REG(.call_id = "c4", .cseq = 1, .set = "sip:a@h5", .instance = U1,
	                     .reg_id = 1, .replace_instance = true),
	                 0);
	ck_assert_int_eq(REG(.call_id = "c5", .cseq = 1, .set = "sip:a@h6", .instance = U2,
	                     .replace_instance = true),
	                 0);
	ck_assert_str_eq(a.contacts, "sip:a@h6 sip:a@h5 sip:a@h4 sip:a@h3");
	CLOSE();
}
END_TEST

START_TEST(a_new_contact_that_is_replaced_for_its_instance_does_not_break_the_limit)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c1", .cseq = 1, .set = "sip:a@h1", .instance = U1,
	                     .max = 1),
	                 0);
	ck_assert_int_eq(REG(.call_id = "c2", .cseq = 1, .set = "sip:a@h2", .instance = U1,
	                     .replace_instance = true, .max = 1),
	                 0);
	ck_assert_str_eq(a.contacts, "sip:a@h2");
	CLOSE();
}
END_TEST

START_TEST(ended_bindings_of_the_newest_set_go_with_the_next_change)
{
	OPEN();
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 9, .set = "sip:a@h1", .expires_s = 10), 0);
	ck_assert_int_eq(REG(.call_id = "d", .cseq = 9, .set = "sip:a@h2", .expires_s = 60), 0);
	clock_advance(&f.w->clock, 10000);
	/* What has ended has no CSeq to compare with. */
	ck_assert_int_eq(REG(.call_id = "c", .cseq = 1, .set = "sip:a@h1"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h1 sip:a@h2");
	clock_advance(&f.w->clock, 60000);
	ck_assert_int_eq(REG(.call_id = "e", .cseq = 1, .set = "sip:a@h3"), 0);
	ck_assert_str_eq(a.contacts, "sip:a@h3 sip:a@h1");
	CLOSE();
}
END_TEST

START_TEST(instances_are_compared_as_urns)
{
	ck_assert(loc_instance_eq(STR("urn:uuid:AB"), STR("URN:UUID:ab")));
	ck_assert(!loc_instance_eq(STR("urn:uuid:AB"), STR("urn:uuid:AC")));
	ck_assert(loc_instance_eq(STR("urn:gsma:IMEI:1-a"), STR("URN:GSMA:IMEI:1-a")));
	ck_assert(!loc_instance_eq(STR("urn:gsma:imei:1-a"), STR("urn:gsma:imei:1-A")));
	ck_assert(!loc_instance_eq(STR("urn:"), STR("urn:a:")));
	ck_assert(loc_instance_eq(STR("x"), STR("x")));
	ck_assert(!loc_instance_eq(STR("x"), STR("X")));
}
END_TEST

START_TEST(text_that_is_no_uri_is_equal_to_itself_only)
{
	ck_assert(loc_contact_eq(STR("nonsense"), STR("nonsense")));
	ck_assert(!loc_contact_eq(STR("nonsense"), STR("Nonsense")));
	ck_assert(loc_contact_eq(STR("sip:a@b"), STR("SIP:a@B")));
	ck_assert(!loc_contact_eq(STR("sip:a@b"), STR("sips:a@b")));
}
END_TEST

static int oom_change(void *arg)
{
	static const struct loc_op ops[] = {
		{ LOC_OP_SET, { .contact = STR_INIT("sip:1@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET,
		  { .contact = STR_INIT("sip:2@h"),
		    .expires_ms = UINT64_MAX,
		    .params = STR_INIT(";+sip.instance=\"<urn:uuid:1>\""),
		    .instance = STR_INIT("urn:uuid:1"),
		    .user_agent = STR_INIT("a phone") } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:3@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:4@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:5@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:6@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:7@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:8@h"), .expires_ms = UINT64_MAX } },
		{ LOC_OP_SET, { .contact = STR_INIT("sip:9@h"), .expires_ms = UINT64_MAX } },
	};
	const struct loc_change c = { .aor = STR("a@b"),
		                      .ops = ops,
		                      .ops_n = sizeof(ops) / sizeof(ops[0]),
		                      .call_id = STR("c"),
		                      .cseq = 1 };
	const struct loc_now now = { 1000, 1000 };
	struct hash_key key = { { 1, 2 } };
	struct loc_mem mem = { 0 };
	_Atomic uint64_t id = 1;
	struct loc_set *set = NULL;
	bool changed;
	int err = loc_slab_new(&mem.slab);

	(void)arg;
	err = err ? err : loc_intern_new(&key, &mem.intern);
	err = err ? err : loc_change_run(&mem, NULL, &c, &now, &id, &set, &changed);
	if (!err) {
		ck_assert_uint_eq(loc_set_n(set), 9);
	} else {
		ck_assert_int_eq(err, -12);
		ck_assert_ptr_null(set);
	}
	loc_set_unref(&set);
	loc_intern_free(mem.intern);
	loc_slab_free(mem.slab);
	return err;
}

START_TEST(a_change_without_memory_changes_nothing)
{
	oom_each(oom_change, NULL);
}
END_TEST

UNIT_MAIN("location/change", rfc3261_10_3_8_the_answer_lists_every_current_binding_newest_first,
          rfc3261_10_3_7_contacts_are_compared_as_uris,
          rfc3261_10_3_7_an_old_cseq_of_the_same_call_id_changes_nothing,
          rfc3261_10_3_7_another_call_id_replaces_whatever_its_cseq,
          cseq_counts_only_for_the_bindings_that_a_request_touches,
          a_contact_given_twice_in_one_request_is_one_binding_and_the_last_counts,
          star_removes_all_but_static_bindings,
          a_register_leaves_static_bindings_alone_and_they_do_not_count,
          an_operator_takes_away_exactly_the_binding_it_names,
          removing_what_is_not_there_is_no_error, more_contacts_than_allowed_change_nothing,
          rfc5626_6_instance_and_reg_id_are_the_key_whatever_the_uri,
          a_rebooted_phone_replaces_its_instance_unless_told_not_to,
          a_new_contact_that_is_replaced_for_its_instance_does_not_break_the_limit,
          ended_bindings_of_the_newest_set_go_with_the_next_change, instances_are_compared_as_urns,
          text_that_is_no_uri_is_equal_to_itself_only, a_change_without_memory_changes_nothing)
