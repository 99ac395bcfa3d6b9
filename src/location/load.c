/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming the stored rows back in, before the workers start. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "location/row.h"
#include "location/table.h"
#include "util/err.h"
#include "util/log.h"

#define ID_FOREIGN (UINT64_C(1) << 62) /* ids of new rows stay below, whatever others made */
#define SEEN_MAX_S (INT64_C(1) << 40)

struct load {
	struct loc_table *t;
	struct worker *w; /* whose clock counts */
	int64_t unix_ms;  /* what rows are compared with */
	size_t rows, expired, doubles, bad;
};

static bool is_same_binding(const struct loc_rec *rec, const struct loc_binding *b)
{
	if (((rec->flags & LOC_REC_STATIC) != 0) != b->is_static) {
		return false;
	}
	if (rec->reg_id || b->reg_id) {
		return rec->reg_id == b->reg_id &&
		       loc_instance_eq(loc_rec_instance(rec), b->instance);
	}
	return loc_contact_eq(loc_rec_text(rec, LOC_T_CONTACT), b->contact);
}

/* Where a binding updated at @updated belongs: newest first. */
static size_t place_of(const struct loc_set *old, int64_t updated)
{
	size_t i = 0;

	while (i < loc_set_n(old) && loc_set_rec(old, i)->updated > updated) {
		i++;
	}
	return i;
}

/* Two rows for one binding (nobody but another program makes those): the newer stays, the other's
 * row is deleted. true: @row is the one to go. */
static bool is_double(struct load *ld, struct loc_worker *lw, const struct loc_set *old,
                      const struct loc_row *row, size_t *gone_r)
{
	for (size_t i = 0; i < loc_set_n(old); i++) {
		const struct loc_rec *rec = loc_set_rec(old, i);
		bool is_older;

		if (!is_same_binding(rec, &row->b)) {
			continue;
		}
		is_older = row->b.updated < (int64_t)rec->updated;
		lw->gone[lw->gone_n++] = is_older ? row->b.id : rec->id;
		ld->doubles++;
		*gone_r = i;
		return is_older;
	}
	return false;
}

static int set_build(struct load *ld, const struct loc_set *old, const struct loc_row *row,
                     size_t gone, struct loc_set **set_r)
{
	const struct loc_item item = { .b = &row->b,
		                       .id = row->b.id,
		                       .created = row->b.created,
		                       .updated = row->b.updated,
		                       .is_static = row->b.is_static,
		                       .call_id = row->b.call_id,
		                       .cseq = row->b.cseq };
	size_t n = 0, place = place_of(old, row->b.updated), old_n = loc_set_n(old);
	struct loc_item *items;
	int err;

	if (old_n == 0) {
		return loc_set_build(&ld->t->mem, row->aor, &item, 1, set_r);
	}
	items = malloc((old_n + 1) * sizeof(*items));
	if (!items) {
		return -ENOMEM;
	}
	for (size_t i = 0; i <= old_n; i++) {
		if (i == place) {
			items[n++] = item;
		}
		if (i < old_n && i != gone) {
			items[n++] = (struct loc_item){ .keep = loc_set_rec(old, i) };
		}
	}
	err = loc_set_build(&ld->t->mem, row->aor, items, n, set_r);
	free(items);
	return err;
}

static int row_add(struct load *ld, struct loc_row *row)
{
	struct loc_where where = loc_where(ld->t, ld->w, row->aor);
	struct loc_worker *lw = &ld->t->lw[where.owner];
	struct loc_slot *slot = loc_shard_find(where.shard, where.hash, row->aor);
	struct loc_set *old = slot ? slot->set : NULL, *set = NULL;
	size_t gone = SIZE_MAX;
	int err = loc_gone_reserve(lw, 1);

	if (err) {
		return err;
	}
	loc_gone_unreserve(lw, 1);
	if (row->expires_s && row->expires_s * 1000 <= ld->unix_ms) {
		lw->gone[lw->gone_n++] = row->b.id;
		ld->expired++;
		return 0;
	}
	row->b.expires_ms = row->expires_s ? ld->w->clock.now_ms +
	                                             (uint64_t)(row->expires_s * 1000 - ld->unix_ms)
	                                   : UINT64_MAX;
	if (is_double(ld, lw, old, row, &gone)) {
		return 0;
	}
	err = set_build(ld, old, row, gone, &set);
	err = err ? err : loc_shard_reserve(where.shard);
	if (err) {
		loc_set_unref(&set);
		return err;
	}
	loc_publish(lw, where.shard, where.hash, row->aor, set, false);
	loc_shard_unreserve(where.shard);
	return 0;
}

static void index_begin(struct loc_table *t)
{
	for (unsigned i = 0; i < t->owners; i++) {
		loc_flow_index_bulk_begin(&t->lw[i].flows);
	}
}

static void index_end(struct loc_table *t)
{
	for (unsigned i = 0; i < t->owners; i++) {
		if (loc_flow_index_bulk_end(&t->lw[i].flows)) {
			t->lw[i].flows_incomplete = true;
		}
	}
}

static int rows_read(struct load *ld, sqlite3_stmt *stmt, int *rc_r)
{
	struct loc_row row;
	uint64_t max_id = 0;
	int err = 0;

	index_begin(ld->t);
	while (!err && (*rc_r = sqlite3_step(stmt)) == SQLITE_ROW) {
		ld->rows++;
		if (loc_row_read(stmt, ld->t->tg, &row)) {
			ld->bad++;
			continue;
		}
		if (row.b.id > max_id && row.b.id < ID_FOREIGN) {
			max_id = row.b.id;
		}
		err = row_add(ld, &row);
		if (err == BELFRY_ETOOBIG) {
			ld->bad++;
			err = 0;
		}
	}
	index_end(ld->t);
	atomic_store_explicit(&ld->t->next_id, max_id + 1, memory_order_relaxed);
	return err;
}

int loc_load_rows(struct loc_table *t, struct sqlite3_stmt *stmt)
{
	struct load ld = { .t = t, .w = workers_get(t->ws, 0) };
	int rc, err;

	ld.unix_ms = ld.w->clock.unix_ms;
	err = rows_read(&ld, stmt, &rc);
	return err ? err : rc == SQLITE_DONE ? 0 : BELFRY_ECORRUPT;
}

/* A clock that is behind what was seen last: what is stored ends as if no time had passed. */
static void compare_clock(struct load *ld)
{
	const struct clock *clock = &ld->w->clock;
	int64_t seen_s = store_last_seen(ld->t->store);

	seen_s = seen_s < SEEN_MAX_S ? seen_s : SEEN_MAX_S;
	ld->unix_ms = clock->unix_ms;
	if (seen_s * 1000 <= ld->unix_ms) {
		return;
	}
	log_warning("clock.behind", LOG_I("unix_s", clock_unix_s(clock)),
	            LOG_I("last_seen_s", seen_s),
	            LOG_Z("hint", "bindings end counted from the time last seen"));
	ld->unix_ms = seen_s * 1000;
	ld->t->unix_offset_min_ms = seen_s * 1000 - (int64_t)clock->now_ms;
}

static char *error_text(const char *what, sqlite3 *db)
{
	char *text = NULL;

	if (asprintf(&text,
	             "cannot read the table location: %s (%s). Restore a copy of the database, or "
	             "save what can be saved with the sqlite3 command .recover",
	             what, db ? sqlite3_errmsg(db) : "no connection") < 0) {
		return NULL;
	}
	return text;
}

int loc_table_load(struct loc_table *t, char **error_r)
{
	struct load ld = { .t = t, .w = workers_get(t->ws, 0) };
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int rc, err;

	*error_r = NULL;
	if (!t->store) {
		return 0;
	}
	compare_clock(&ld);
	db = store_reader(t->store);
	rc = db ? sqlite3_prepare_v2(db, "SELECT " LOC_ROW_COLUMNS " FROM location", -1, &stmt,
	                             NULL)
	        : SQLITE_CANTOPEN;
	err = rc ? 0 : rows_read(&ld, stmt, &rc);
	if (!err && rc != SQLITE_DONE) {
		err = BELFRY_ECORRUPT;
		*error_r = error_text("the database is damaged or not readable", db);
	}
	sqlite3_finalize(stmt);
	if (!err) {
		log_info("location.loaded", LOG_U("bindings", loc_count(t)), LOG_U("rows", ld.rows),
		         LOG_U("expired", ld.expired), LOG_U("doubles", ld.doubles),
		         LOG_U("not_understood", ld.bad));
	}
	return err;
}
