/* SPDX-License-Identifier: Apache-2.0 */
#include "loc.h"

#include "util/log.h"

#define OPS_MAX 32

void fixture_open(struct fixture *f, struct store *store)
{
	log_set_level(LOG_LVL_ERROR);
	f->w = worker_new_fake(NULL, START_MS);
	ck_assert_ptr_nonnull(f->w);
	ck_assert_int_eq(loc_table_new(f->w->group, store, NULL, &f->t), 0);
}

void fixture_close(struct fixture *f)
{
	loc_table_free(f->t);
	worker_free_fake(f->w);
}

static void contacts_print(const struct loc_set *set, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < loc_set_n(set); i++) {
		struct loc_binding b;

		loc_set_get(set, i, &b);
		ck_assert_uint_lt(n + b.contact.n + 2, cap);
		if (n) {
			out[n++] = ' ';
		}
		memcpy(out + n, b.contact.p, b.contact.n);
		n += b.contact.n;
		out[n] = '\0';
	}
}

static struct loc_set *lookup(struct fixture *f, const char *aor)
{
	struct loc_set *set = NULL;

	ck_assert_int_eq(loc_lookup(f->t, f->w, str_from(aor), &set, NULL, NULL, NULL), 0);
	return set;
}

const char *published(struct fixture *f, const char *aor)
{
	static char text[1024];
	struct loc_set *set = lookup(f, aor);

	contacts_print(set, text, sizeof(text));
	loc_set_unref(&set);
	return text;
}

size_t published_n(struct fixture *f, const char *aor)
{
	struct loc_set *set = lookup(f, aor);
	size_t n = loc_set_n(set);

	loc_set_unref(&set);
	return n;
}

struct loc_binding published_binding(struct fixture *f, const char *aor, const char *contact)
{
	struct loc_set *set = lookup(f, aor);
	struct loc_binding b;

	for (size_t i = 0; i < loc_set_n(set); i++) {
		loc_set_get(set, i, &b);
		if (str_eq(b.contact, str_from(contact))) {
			/* The table keeps the text alive until the next change. */
			loc_set_unref(&set);
			return b;
		}
	}
	ck_abort_msg("%s has no binding %s", aor, contact);
}

static void answered(int err, struct loc_set *set, void *arg)
{
	struct answer *a = arg;

	a->n++;
	a->err = err;
	a->bindings = loc_set_n(set);
	contacts_print(set, a->contacts, sizeof(a->contacts));
}

static size_t ops_add(struct loc_op *ops, size_t n, enum loc_op_kind kind, const char *contacts,
                      const struct change_args *args, const struct fixture *f)
{
	struct str rest = str_from(contacts), contact;
	uint64_t s = args->expires_s ? args->expires_s : 3600;

	while (rest.n) {
		str_cut(rest, ' ', &contact, &rest);
		ck_assert_uint_lt(n, OPS_MAX);
		ops[n++] = (struct loc_op){
			.kind = kind,
			.b = { .contact = contact,
			       .instance = str_from(args->instance),
			       .reg_id = args->reg_id,
			       .expires_ms =
			               args->forever ? UINT64_MAX : f->w->clock.now_ms + s * 1000,
			       .user_agent = STR("phone/1"),
			       .has_flow = args->flow != NULL,
			       .flow = args->flow ? *args->flow : (struct tp_flow){ 0 },
			       .id = kind == LOC_OP_REMOVE ? args->id : 0 },
		};
	}
	return n;
}

int change_start(struct fixture *f, const struct change_args *args, struct answer *a)
{
	struct loc_op ops[OPS_MAX];
	size_t n = ops_add(ops, 0, LOC_OP_SET, args->set, args, f);

	n = ops_add(ops, n, LOC_OP_REMOVE, args->remove, args, f);
	const struct loc_change c = {
		.aor = str_from(args->aor),
		.ops = ops,
		.ops_n = n,
		.remove_all = args->all,
		.by_operator = args->by_operator,
		.call_id = str_from(args->call_id),
		.cseq = args->cseq,
		.max_contacts = args->max,
		.replace_instance = args->replace_instance,
		.durability = args->durability,
		.flush_interval_s = 1,
	};

	return loc_apply(f->t, f->w, &c, answered, a, NULL);
}

int change(struct fixture *f, const struct change_args *args, struct answer *a)
{
	struct answer unused = { 0 };
	struct answer *got = a ? a : &unused;
	unsigned before;
	int err;

	if (a) {
		*a = (struct answer){ 0 };
	}
	before = got->n;
	err = change_start(f, args, got);
	if (err) {
		return err;
	}
	ck_assert_uint_eq(got->n, before); /* never inside */
	for (unsigned i = 0; i < 4 && got->n == before; i++) {
		worker_turn(f->w);
	}
	ck_assert_uint_eq(got->n, before + 1);
	return got->err;
}
