/* SPDX-License-Identifier: Apache-2.0 */
/* A change as a unit of work of the store: the rows in which the set after it differs. */
#include <errno.h>

#include "location/row.h"
#include "location/table.h"
#include "util/err.h"

static const struct loc_rec *find_id(const struct loc_set *set, uint64_t id)
{
	for (size_t i = 0; i < loc_set_n(set); i++) {
		const struct loc_rec *rec = loc_set_rec(set, i);

		if (rec->id == id) {
			return rec;
		}
	}
	return NULL;
}

/* Writer thread; reads only what does not change while the unit is out. */
static int write_apply(struct store_unit *u, struct store *s)
{
	struct loc_pending *p = container_of(u, struct loc_pending, unit);
	int err = 0;

	for (size_t i = 0; i < loc_set_n(p->set) && !err; i++) {
		const struct loc_rec *rec = loc_set_rec(p->set, i);
		const struct loc_rec *old = p->write_all ? NULL : find_id(p->base, rec->id);

		if (!old || !loc_rec_same_row(old, rec)) {
			err = loc_row_write(s, loc_set_aor(p->set), rec, p->unix_offset_ms);
		}
	}
	for (size_t i = 0; i < loc_set_n(p->base) && !err; i++) {
		uint64_t id = loc_set_rec(p->base, i)->id;

		if (!find_id(p->set, id)) {
			err = loc_row_delete(s, id);
		}
	}
	return err;
}

static void write_done(struct store_unit *u, int err, void *ctx)
{
	(void)ctx;
	loc_pending_done(container_of(u, struct loc_pending, unit), err);
}

int loc_pending_write(struct loc_pending *p, enum loc_durability durability)
{
	int err;

	p->unit = (struct store_unit){
		.sync = durability == LOC_FULL ? STORE_SYNCED : STORE_WRITTEN,
		.apply = write_apply,
		.done = write_done,
		.worker = (int)p->lw->w->id,
	};
	p->state = LOC_P_WRITING;
	err = store_submit(p->lw->t->store, &p->unit);
	if (err) {
		p->state = LOC_P_READY;
	}
	return err == BELFRY_EFULL ? -EBUSY : err;
}
