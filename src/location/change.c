/* SPDX-License-Identifier: Apache-2.0 */
#include "location/change.h"

#include <errno.h>
#include <stdlib.h>

#include "util/err.h"

/* A binding while a change is worked out. */
struct entry {
	struct loc_item item;
	bool fresh; /* by this change */
	bool gone;
};

#define ENTRIES_FEW 8

/* Those that were there first, then the fresh ones in the order of their operations. */
struct work {
	const struct loc_change *change;
	const struct loc_now *now;
	_Atomic uint64_t *next_id;
	struct entry few[ENTRIES_FEW], *entries;
	size_t n, old_n; /* old_n: unexpired ones of the tip */
	size_t fresh_n;
	bool changed;
};

bool loc_contact_eq(struct str a, struct str b)
{
	struct sip_uri ua, ub;

	if (str_eq(a, b)) {
		return true;
	}
	return sip_uri_parse(a, &ua, NULL) == 0 && sip_uri_parse(b, &ub, NULL) == 0 &&
	       sip_uri_eq(&ua, &ub);
}

/* Length of "urn:NID:"; 0: not a URN. */
static size_t urn_head(struct str s)
{
	struct str head, rest;

	if (!str_starts_nocase(s, STR("urn:"))) {
		return 0;
	}
	return str_cut(str_skip(s, 4), ':', &head, &rest) ? 4 + head.n + 1 : 0;
}

bool loc_instance_eq(struct str a, struct str b)
{
	size_t n = urn_head(a);

	if (a.n != b.n || n != urn_head(b)) {
		return false;
	}
	if (a.n == 0) {
		return true;
	}
	if (str_starts_nocase(a, STR("urn:uuid:"))) {
		return str_eq_nocase(a, b);
	}
	return str_eq_nocase(str_make(a.p, n), str_make(b.p, n)) &&
	       str_eq(str_skip(a, n), str_skip(b, n));
}

/* --- what an entry says, wherever it comes from --- */

static struct str entry_contact(const struct entry *e)
{
	return e->item.keep ? loc_rec_text(e->item.keep, LOC_T_CONTACT) : e->item.b->contact;
}

static struct str entry_instance(const struct entry *e)
{
	return e->item.keep ? loc_rec_instance(e->item.keep) : e->item.b->instance;
}

static uint32_t entry_reg_id(const struct entry *e)
{
	return e->item.keep ? e->item.keep->reg_id : e->item.b->reg_id;
}

static bool entry_is_static(const struct entry *e)
{
	return e->item.keep ? e->item.keep->flags & LOC_REC_STATIC : e->item.is_static;
}

static struct str entry_call_id(const struct entry *e)
{
	return e->item.keep ? loc_rec_text(e->item.keep, LOC_T_CALL_ID) : e->item.call_id;
}

/* --- matching --- */

static bool has_key(const struct loc_binding *b)
{
	return b->reg_id != 0 && b->instance.n != 0;
}

static bool is_match(const struct work *wk, const struct entry *e, const struct loc_op *op)
{
	if (e->gone || (!wk->change->by_operator && entry_is_static(e))) {
		return false;
	}
	if (wk->change->by_operator && op->b.id) {
		return e->item.id == op->b.id;
	}
	if (has_key(&op->b)) { /* RFC 5626 6 */
		return entry_reg_id(e) == op->b.reg_id &&
		       loc_instance_eq(entry_instance(e), op->b.instance);
	}
	return loc_contact_eq(entry_contact(e), op->b.contact);
}

/* RFC 3261 10.3 step 7: the same Call-ID needs a higher CSeq. Within one request the last counts.
 */
static bool is_stale(const struct work *wk, const struct entry *e)
{
	return !wk->change->by_operator && !e->fresh && !entry_is_static(e) &&
	       str_eq(entry_call_id(e), wk->change->call_id) &&
	       wk->change->cseq <= e->item.keep->cseq;
}

/* Takes away all that @op matches; the first of them gives its row to what comes instead. */
static int take_matches(struct work *wk, const struct loc_op *op, struct entry *instead)
{
	for (size_t i = 0; i < wk->n; i++) {
		struct entry *e = &wk->entries[i];

		if (!is_match(wk, e, op)) {
			continue;
		}
		if (is_stale(wk, e)) {
			return BELFRY_ESTALE;
		}
		if (instead && instead->item.id == 0) {
			instead->item.id = e->item.id;
			instead->item.created = e->item.created;
		}
		e->gone = true;
		wk->fresh_n -= e->fresh;
		wk->changed = true;
	}
	return 0;
}

/* A rebooted phone: its instance's bindings without reg-id under other Call-IDs go. */
static void take_instance(struct work *wk, const struct loc_op *op)
{
	for (size_t i = 0; i < wk->n; i++) {
		struct entry *e = &wk->entries[i];

		if (!e->gone && !e->fresh && !entry_is_static(e) && entry_reg_id(e) == 0 &&
		    !str_eq(entry_call_id(e), wk->change->call_id) &&
		    loc_instance_eq(entry_instance(e), op->b.instance)) {
			e->gone = true;
		}
	}
}

static int op_set(struct work *wk, const struct loc_op *op)
{
	const struct loc_change *c = wk->change;
	struct entry *e = &wk->entries[wk->n];
	int err;

	*e = (struct entry){ .fresh = true,
		             .item = { .b = &op->b,
		                       .is_static = c->by_operator,
		                       .created = wk->now->unix_s,
		                       .updated = wk->now->unix_s } };
	if (!c->by_operator) {
		e->item.call_id = c->call_id;
		e->item.cseq = c->cseq;
	}
	err = take_matches(wk, op, e);
	if (err) {
		return err;
	}
	if (c->replace_instance && !c->by_operator && op->b.instance.n && op->b.reg_id == 0) {
		take_instance(wk, op);
	}
	if (e->item.id == 0) {
		e->item.id = atomic_fetch_add_explicit(wk->next_id, 1, memory_order_relaxed);
	}
	wk->n++;
	wk->fresh_n++;
	wk->changed = true;
	/* Already too many: no work that grows with the square of what was sent. */
	return c->max_contacts && wk->fresh_n > c->max_contacts ? BELFRY_EFULL : 0;
}

static int remove_all(struct work *wk)
{
	for (size_t i = 0; i < wk->n; i++) {
		struct entry *e = &wk->entries[i];

		if (!wk->change->by_operator && entry_is_static(e)) {
			continue;
		}
		if (is_stale(wk, e)) {
			return BELFRY_ESTALE;
		}
		e->gone = true;
		wk->changed = true;
	}
	return 0;
}

/* --- the result --- */

static void take_tip(struct work *wk, const struct loc_set *tip)
{
	for (size_t i = 0; i < loc_set_n(tip); i++) {
		const struct loc_rec *rec = loc_set_rec(tip, i);

		if (rec->expires_ms > wk->now->now_ms) {
			wk->entries[wk->n++] = (struct entry){
				.item = { .keep = rec, .id = rec->id, .created = rec->created }
			};
		}
	}
	wk->old_n = wk->n;
}

/* More than allowed, and more than before (the limit may have been lowered meanwhile). */
static bool is_over(const struct work *wk)
{
	size_t before = 0, after = 0;

	for (size_t i = 0; i < wk->n; i++) {
		const struct entry *e = &wk->entries[i];

		if (!entry_is_static(e)) {
			before += i < wk->old_n;
			after += !e->gone;
		}
	}
	return wk->change->max_contacts && after > wk->change->max_contacts && after > before;
}

static int build(struct work *wk, const struct loc_mem *mem, struct loc_set **next_r)
{
	struct loc_item few[ENTRIES_FEW], *items = few;
	size_t n = 0;
	int err = 0;

	if (wk->n > ENTRIES_FEW) {
		items = malloc(wk->n * sizeof(*items));
		if (!items) {
			return -ENOMEM;
		}
	}
	/* Newest first: what this change made, then the others in their order. */
	for (size_t i = wk->old_n; i < wk->n; i++) {
		if (!wk->entries[i].gone) {
			items[n++] = wk->entries[i].item;
		}
	}
	for (size_t i = 0; i < wk->old_n; i++) {
		if (!wk->entries[i].gone) {
			items[n++] = wk->entries[i].item;
		}
	}
	*next_r = NULL;
	if (n) {
		err = loc_set_build(mem, wk->change->aor, items, n, next_r);
	}
	if (items != few) {
		free(items);
	}
	return err;
}

static int run_ops(struct work *wk)
{
	const struct loc_change *c = wk->change;
	int err = c->remove_all ? remove_all(wk) : 0;

	for (size_t i = 0; i < c->ops_n && !err; i++) {
		const struct loc_op *op = &c->ops[i];

		err = op->kind == LOC_OP_SET ? op_set(wk, op) : take_matches(wk, op, NULL);
	}
	return err ? err : is_over(wk) ? BELFRY_EFULL : 0;
}

int loc_change_run(const struct loc_mem *mem, struct loc_set *tip, const struct loc_change *change,
                   const struct loc_now *now, _Atomic uint64_t *next_id, struct loc_set **next_r,
                   bool *changed_r)
{
	struct work wk = { .change = change, .now = now, .next_id = next_id };
	size_t n = loc_set_n(tip) + change->ops_n;
	int err;

	wk.entries = n <= ENTRIES_FEW ? wk.few : malloc(n * sizeof(*wk.entries));
	if (!wk.entries) {
		return -ENOMEM;
	}
	take_tip(&wk, tip);
	err = run_ops(&wk);
	if (!err && wk.changed) {
		err = build(&wk, mem, next_r);
	} else if (!err) {
		*next_r = loc_set_ref(tip);
	}
	if (!err) {
		*changed_r = wk.changed;
	}
	if (wk.entries != wk.few) {
		free(wk.entries);
	}
	return err;
}

int loc_set_without_expired(const struct loc_mem *mem, const struct loc_set *set, uint64_t now_ms,
                            struct loc_set **next_r)
{
	struct loc_item *items = malloc(set->n * sizeof(*items));
	size_t n = 0;
	int err = 0;

	if (!items) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < set->n; i++) {
		const struct loc_rec *rec = loc_set_rec(set, i);

		if (rec->expires_ms > now_ms) {
			items[n++] = (struct loc_item){ .keep = rec };
		}
	}
	*next_r = NULL;
	if (n) {
		err = loc_set_build(mem, loc_set_aor(set), items, n, next_r);
	}
	free(items);
	return err;
}
