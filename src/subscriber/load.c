/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the table `subscriber`: at start, and again when another program has edited it. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store.h"
#include "subscriber/table.h"
#include "util/base64.h"
#include "util/err.h"
#include "util/log.h"

#define READS_MAX 5 /* in a row, while this program itself keeps changing users */

static struct str text_of(sqlite3_stmt *stmt, int column)
{
	const char *p = sqlite3_column_blob(stmt, column); /* no copy to end it with a NUL */

	return p ? str_make(p, (size_t)sqlite3_column_bytes(stmt, column)) : STR_NONE;
}

static int row_read(struct sub_map *map, sqlite3_stmt *stmt)
{
	static const size_t len[SUB_HASH_N] = { 16, 32, 32 };
	struct sub_user u = { .user = text_of(stmt, 0), .domain = text_of(stmt, 1) };
	int err;

	for (int i = 0; i < SUB_HASH_N; i++) {
		u.sub.has[i] = hex_decode(u.sub.ha1[i], len[i], text_of(stmt, 2 + i)) == 0;
	}
	u.sub.priority = sqlite3_column_int(stmt, 5) != 0;
	u.created = sqlite3_column_int64(stmt, 6);
	if (u.user.n == 0 || u.domain.n == 0) {
		return 0; /* nobody can be called that */
	}
	err = sub_map_set(map, &u);
	return err == BELFRY_ETOOBIG ? 0 : err;
}

int sub_read_rows(struct sub_map *map, struct sqlite3 *db)
{
	static const char sql[] = "SELECT user, domain, ha1_md5, ha1_sha256, ha1_sha512_256,"
				  " priority, created FROM subscriber";
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), err = 0;

	while (rc == SQLITE_OK && !err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		err = row_read(map, stmt);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return err ? err : rc == SQLITE_DONE ? 0 : BELFRY_ECORRUPT;
}

int sub_table_load(struct sub_table *t, char **error_r)
{
	sqlite3 *db;
	int err;

	*error_r = NULL;
	if (!t->store) {
		return 0;
	}
	db = store_reader(t->store);
	err = db ? sub_read_rows(&t->map, db) : -EIO;
	if (err && err != -ENOMEM &&
	    asprintf(
		    error_r,
		    "cannot read the table subscriber: %s. Restore a copy of the database, or save "
		    "what can be saved with the sqlite3 command .recover",
		    db ? sqlite3_errmsg(db) : "no connection") < 0) {
		*error_r = NULL;
	}
	return err;
}

/* --- again --- */

void sub_noted_free(struct sub_table *t)
{
	while (t->noted) {
		struct sub_noted *n = t->noted;

		t->noted = n->next;
		free(n);
	}
}

void sub_note(struct sub_table *t, struct str user, struct str domain)
{
	struct sub_noted *n;

	if (!t->is_reading) {
		return;
	}
	n = malloc(sizeof(*n) + user.n + domain.n);
	if (!n) {
		t->must_repeat = true;
		return;
	}
	memcpy(n->text, user.p, user.n);
	memcpy(n->text + user.n, domain.p, domain.n);
	n->user = str_make(n->text, user.n);
	n->domain = str_make(n->text + user.n, domain.n);
	n->next = t->noted;
	t->noted = n;
}

static void begin(struct sub_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->is_reading = true;
	t->must_repeat = false;
	pthread_mutex_unlock(&t->lock);
	sub_map_init(&t->fresh, &t->map.key);
}

/* Puts in place what was read. true: once more, since users changed here meanwhile (those are
 * carried over as they are here). */
static bool finish(struct sub_table *t, int err)
{
	bool again;

	pthread_mutex_lock(&t->lock);
	again = t->noted || t->must_repeat;
	for (const struct sub_noted *n = t->noted; n && !err; n = n->next) {
		err = sub_map_carry(&t->map, &t->fresh, n->user, n->domain);
	}
	if (!err && !t->must_repeat) {
		sub_map_swap(&t->map, &t->fresh);
	}
	t->is_reading = false;
	sub_noted_free(t);
	pthread_mutex_unlock(&t->lock);
	sub_map_fini(&t->fresh);
	return again && !err;
}

void sub_read_again(void *arg, struct sqlite3 *reader)
{
	struct sub_table *t = arg;
	bool again = true;
	int err = 0;

	for (int i = 0; i < READS_MAX && again; i++) {
		begin(t);
		err = sub_read_rows(&t->fresh, reader);
		again = finish(t, err);
	}
	if (err) {
		log_error("subscribers.not_read", LOG_ERR(err),
		          LOG_Z("hint", "those known before stay in force"));
	} else {
		log_info("subscribers.read", LOG_U("users", sub_map_n(&t->map)));
	}
}
