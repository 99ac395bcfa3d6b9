/* SPDX-License-Identifier: Apache-2.0 */
#include "util/list.h"

#include "support/unit.h"

struct item {
	int value;
	struct list node;
};

static int value_of(struct list *node)
{
	return container_of(node, struct item, node)->value;
}

START_TEST(list_add_puts_first_and_append_puts_last)
{
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };
	struct list head;
	int seen = 0;

	list_init(&head);
	ck_assert(list_is_empty(&head));
	list_add(&head, &b.node);
	list_add(&head, &a.node);
	list_append(&head, &c.node);
	list_for_each(it, &head)
	{
		seen = seen * 10 + value_of(it);
	}
	ck_assert_int_eq(seen, 123);
}
END_TEST

START_TEST(list_nodes_may_leave_while_walked_over)
{
	struct item items[4];
	struct list head;
	int seen = 0;

	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].value = i;
		list_append(&head, &items[i].node);
	}
	list_for_each_safe(it, tmp, &head)
	{
		if (value_of(it) % 2) {
			list_del(it);
			ck_assert(list_is_empty(it));
			list_del(it); /* a node in no list may be taken out again */
		}
	}
	list_for_each(it, &head)
	{
		seen = seen * 10 + value_of(it) + 1;
	}
	ck_assert_int_eq(seen, 13);
}
END_TEST

UNIT_MAIN("util/list", list_add_puts_first_and_append_puts_last,
          list_nodes_may_leave_while_walked_over)
