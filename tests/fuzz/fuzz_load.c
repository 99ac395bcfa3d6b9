/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the table `location` as anybody may have written them: one column a line in the order of
 * the table, numbers as numbers, empty lines NULL. They are loaded into a table, and what is in it
 * then must be sound.
 */
#include <sqlite3.h>

#include "location/row.h"
#include "location/table.h"
#include "must.h"
#include "util/log.h"

#define COLUMNS 16
#define ROWS    64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct worker *w;
	sqlite3 *db;
	sqlite3_stmt *begin, *insert, *select, *rollback;
} fz;

static void prepare(const char *sql, sqlite3_stmt **stmt)
{
	MUST(sqlite3_prepare_v2(fz.db, sql, -1, stmt, NULL) == SQLITE_OK);
}

static void set_up(void)
{
	log_set_level((enum log_level)(LOG_LVL_ERROR + 1));
	fz.w = worker_new_fake(NULL, 1000000);
	MUST(fz.w);
	MUST(sqlite3_open(":memory:", &fz.db) == SQLITE_OK);
	MUST(sqlite3_exec(fz.db,
	                  "CREATE TABLE location(id INTEGER PRIMARY KEY, domain, user, contact,"
	                  " instance, reg_id, q, expires, call_id, cseq, path, flow, user_agent,"
	                  " params, created, updated)",
	                  NULL, NULL, NULL) == SQLITE_OK);
	prepare("BEGIN", &fz.begin);
	prepare("REPLACE INTO location(" LOC_ROW_COLUMNS
	        ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	        &fz.insert);
	prepare("SELECT " LOC_ROW_COLUMNS " FROM location", &fz.select);
	prepare("ROLLBACK", &fz.rollback);
}

static void field_bind(int column, struct str field)
{
	uint64_t v;

	if (str_to_u64(field, INT64_MAX, &v) == 0) {
		sqlite3_bind_int64(fz.insert, column, (int64_t)v);
	} else if (field.n) {
		sqlite3_bind_text64(fz.insert, column, field.p, field.n, SQLITE_STATIC,
		                    SQLITE_UTF8);
	}
}

static void rows_insert(struct str text)
{
	for (int row = 0; row < ROWS && text.n; row++) {
		for (int i = 1; i <= COLUMNS; i++) {
			struct str field;

			str_cut(text, '\n', &field, &text);
			field_bind(i, field);
		}
		(void)sqlite3_step(fz.insert); /* an id that is no number is refused */
		sqlite3_reset(fz.insert);
		sqlite3_clear_bindings(fz.insert);
	}
}

static void flow_check(const struct loc_binding *b)
{
	char text[LOC_FLOW_TEXT];
	struct tp_flow again;
	bool dead;
	struct str s = loc_flow_print(&b->flow, text, sizeof(text));

	MUST(b->flow_dead); /* there is no listener */
	MUST(s.n && loc_flow_parse(s, NULL, &again, &dead));
	MUST(again.proto == b->flow.proto && net_addr_eq(&again.remote, &b->flow.remote) &&
	     net_addr_eq(&again.local, &b->flow.local));
}

static bool set_check(void *arg, struct loc_set *set)
{
	struct str aor = loc_set_aor(set);
	size_t *n = arg;
	int64_t updated = INT64_MAX;

	MUST(aor.n && aor.n <= SIP_AOR_MAX && memchr(aor.p, '@', aor.n));
	MUST(loc_set_n(set) > 0);
	for (size_t i = 0; i < loc_set_n(set); i++) {
		struct loc_binding b;

		loc_set_get(set, i, &b);
		MUST(b.id > 0 && b.contact.n > 0 && b.q <= 1000);
		MUST(b.expires_ms > fz.w->clock.now_ms);
		MUST(b.updated <= updated);
		updated = b.updated;
		if (b.has_flow) {
			flow_check(&b);
		}
		++*n;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loc_table *t;
	size_t n = 0;

	if (!fz.w) {
		set_up();
	}
	MUST(loc_table_new(fz.w->group, NULL, NULL, &t) == 0);
	MUST(sqlite3_step(fz.begin) == SQLITE_DONE);
	sqlite3_reset(fz.begin);
	rows_insert(str_make((const char *)data, size));
	MUST(loc_load_rows(t, fz.select) == 0);
	sqlite3_reset(fz.select);
	MUST(sqlite3_step(fz.rollback) == SQLITE_DONE);
	sqlite3_reset(fz.rollback);
	loc_each(t, set_check, &n);
	MUST(n == loc_count(t));
	loc_table_free(t);
	return 0;
}
