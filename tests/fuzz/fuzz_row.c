/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the database as any program may have written them. A line is a row; its fields begin
 * with 0x1f and a letter: t text, b blob, i integer, r real, anything else NULL. A row of
 * `location` that is taken goes into a packed set and comes out again; the same fields as a row of
 * `subscriber` give a user. */
#include <sqlite3.h>
#include <stdlib.h>

#include "location/row.h"
#include "subscriber/table.h"

#include "must.h"

#define COLUMNS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sqlite3 *db;
static sqlite3_stmt *pick, *insert;
static struct loc_mem mem;
static const struct hash_key key = { { 1, 2 } };

static void open_all(void)
{
	MUST(sqlite3_open(":memory:", &db) == SQLITE_OK);
	MUST(sqlite3_exec(db,
	                  "CREATE TABLE subscriber(user, domain, ha1_md5, ha1_sha256,"
	                  " ha1_sha512_256, priority, created)",
	                  NULL, NULL, NULL) == SQLITE_OK);
	MUST(sqlite3_prepare_v2(db, "SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?", -1, &pick, NULL) ==
	     SQLITE_OK);
	MUST(sqlite3_prepare_v2(db, "INSERT INTO subscriber VALUES(?,?,?,?,?,?,?)", -1, &insert,
	                        NULL) == SQLITE_OK);
	MUST(loc_slab_new(&mem.slab) == 0 && loc_intern_new(&key, &mem.intern) == 0);
}

static void bind_field(sqlite3_stmt *stmt, int column, struct str field)
{
	struct str value = str_skip(field, field.n > 0);
	char number[32];

	snprintf(number, sizeof(number), "%.*s", (int)(value.n < 31 ? value.n : 31), value.p);
	switch (field.n ? field.p[0] : 0) {
	case 't':
		sqlite3_bind_text64(stmt, column, value.p, value.n, SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	case 'b': sqlite3_bind_blob64(stmt, column, value.p, value.n, SQLITE_TRANSIENT); break;
	case 'i': sqlite3_bind_int64(stmt, column, strtoll(number, NULL, 10)); break;
	case 'r': sqlite3_bind_double(stmt, column, strtod(number, NULL)); break;
	default: sqlite3_bind_null(stmt, column);
	}
}

static void bind_all(sqlite3_stmt *stmt, struct str line)
{
	struct str field;

	for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
		(void)str_cut(line, 0x1f, &field, &line);
		bind_field(stmt, i, field);
	}
}

static void check_location(void)
{
	static struct loc_row row;
	struct loc_binding got;
	struct loc_set *set;

	if (loc_row_read(pick, NULL, &row)) {
		return;
	}
	MUST(row.b.id > 0 && row.b.contact.n > 0 && row.aor.n > 1 && row.b.q <= 1000);
	MUST(row.expires_s >= 0 && row.aor.n <= sizeof(row.aor_text));
	const struct loc_item item = { .b = &row.b,
		                       .id = row.b.id,
		                       .created = row.b.created,
		                       .updated = row.b.updated,
		                       .is_static = row.b.is_static,
		                       .call_id = row.b.call_id,
		                       .cseq = row.b.cseq };
	if (loc_set_build(&mem, row.aor, &item, 1, &set) == 0) {
		loc_set_get(set, 0, &got);
		MUST(str_eq(got.contact, row.b.contact) && str_eq(got.params, row.b.params));
		MUST(str_eq(got.instance, row.b.instance) && str_eq(got.path, row.b.path));
		MUST(str_eq(got.call_id, row.b.call_id) && got.reg_id == row.b.reg_id);
		MUST(str_eq(got.user_agent, row.b.user_agent));
		MUST(got.has_flow == row.b.has_flow && str_eq(got.received, row.b.received));
		loc_set_unref(&set);
	}
}

static void check_subscribers(void)
{
	struct sub_map map;

	sub_map_init(&map, &key);
	MUST(sub_read_rows(&map, db) == 0);
	sub_map_fini(&map);
	sqlite3_exec(db, "DELETE FROM subscriber", NULL, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_make((const char *)data, size), line;

	if (!db) {
		open_all();
	}
	while (rest.n > 0) {
		(void)str_cut(rest, '\n', &line, &rest);
		bind_all(pick, line);
		MUST(sqlite3_step(pick) == SQLITE_ROW);
		check_location();
		sqlite3_reset(pick);
		bind_all(insert, line);
		sqlite3_step(insert);
		sqlite3_reset(insert);
	}
	check_subscribers();
	return 0;
}
