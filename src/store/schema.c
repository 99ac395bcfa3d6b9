/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables and their versions. meta.schema_version is that of the core's tables, meta
 * 'schema.OWNER' that of a module's.
 */
#include <errno.h>
#include <stdio.h>

#include "store/priv.h"
#include "util/err.h"

/* Version 1. Rows of `location` are found by the id that the binding in memory holds: no index. */
const char store_schema_sql[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE subscriber(user TEXT NOT NULL, domain TEXT NOT NULL,"
	" ha1_md5 TEXT, ha1_sha256 TEXT, ha1_sha512_256 TEXT,"
	" priority INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL DEFAULT 0,"
	" PRIMARY KEY(user, domain)) WITHOUT ROWID;"
	"CREATE TABLE location(id INTEGER PRIMARY KEY, domain TEXT NOT NULL, user TEXT NOT NULL,"
	" contact TEXT NOT NULL, instance TEXT, reg_id INTEGER, q REAL, expires INTEGER,"
	" call_id TEXT, cseq INTEGER, path TEXT, flow TEXT, user_agent TEXT, params TEXT,"
	" created INTEGER, updated INTEGER);"
	"INSERT INTO meta VALUES('schema_version', 1);";

/* SQL from version i + 1 to i + 2. */
static const char *const migrations[] = { NULL };

static int value_get(sqlite3 *db, sqlite3_stmt *stmt, const char *key, int64_t *v_r)
{
	int rc = sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);

	(void)db;
	rc = rc ? rc : sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*v_r = sqlite3_column_int64(stmt, 0);
		return 0;
	}
	return rc == SQLITE_DONE ? BELFRY_ENOENT : BELFRY_EAGAIN;
}

int store_meta_get(sqlite3 *db, const char *key, int64_t *v_r)
{
	sqlite3_stmt *stmt = NULL;
	int err = BELFRY_EAGAIN;

	if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key=?1", -1, &stmt, NULL) ==
	    SQLITE_OK) {
		err = value_get(db, stmt, key, v_r);
	}
	sqlite3_finalize(stmt);
	return err;
}

static int meta_set(sqlite3 *db, const char *key, int64_t v)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "REPLACE INTO meta VALUES(?1, ?2)", -1, &stmt, NULL);

	rc = rc ? rc : sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	rc = rc ? rc : sqlite3_bind_int64(stmt, 2, v);
	rc = rc ? rc : sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : BELFRY_EAGAIN;
}

/* Runs @sql and sets meta @key to @version, both or neither. */
static int step_up(struct store *s, const char *sql, const char *key, int64_t version,
                   char **error_r)
{
	sqlite3 *db = s->writer;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) || meta_set(db, key, version) ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL)) {
		*error_r = store_error("cannot bring %s to version %lld of %s: %s", s->path,
		                       (long long)version, key, sqlite3_errmsg(db));
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return BELFRY_EAGAIN;
	}
	return 0;
}

static int too_new(const struct store *s, const char *what, int64_t stored, int64_t known,
                   char **error_r)
{
	*error_r = store_error("%s has version %lld of %s, this program knows %lld; it was not "
	                       "changed. Use the newer program, or restore an older copy",
	                       s->path, (long long)stored, what, (long long)known);
	return BELFRY_EVERSION;
}

int store_damaged(const struct store *s, const char *what, char **error_r)
{
	*error_r = store_error("%s is damaged (%s); it was not changed. Restore a copy, or save "
	                       "what can be saved with: sqlite3 %s .recover",
	                       s->path, what, s->path);
	return BELFRY_ECORRUPT;
}

/* Are the tables there with the columns that are used? */
static int tables_check(struct store *s, char **error_r)
{
	static const char *const probes[] = {
		"SELECT key, value FROM meta",
		"SELECT user, domain, ha1_md5, ha1_sha256, ha1_sha512_256, priority, created"
		" FROM subscriber",
		"SELECT id, domain, user, contact, instance, reg_id, q, expires, call_id, cseq, "
		"path,"
		" flow, user_agent, params, created, updated FROM location",
	};

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		sqlite3_stmt *stmt = NULL;
		int rc = sqlite3_prepare_v2(s->writer, probes[i], -1, &stmt, NULL);

		sqlite3_finalize(stmt);
		if (rc) {
			return store_damaged(s, sqlite3_errmsg(s->writer), error_r);
		}
	}
	return 0;
}

int store_schema_check(struct store *s, char **error_r)
{
	int64_t version = 0;
	int err = store_meta_get(s->writer, "schema_version", &version);

	if (err || version < 1) {
		return store_damaged(s,
		                     err == BELFRY_EAGAIN ? sqlite3_errmsg(s->writer)
		                                          : "no schema_version in meta",
		                     error_r);
	}
	if (version > STORE_SCHEMA_VERSION) {
		return too_new(s, "the schema", version, STORE_SCHEMA_VERSION, error_r);
	}
	for (; version < STORE_SCHEMA_VERSION && migrations[version - 1]; version++) {
		err = step_up(s, migrations[version - 1], "schema_version", version + 1, error_r);
		if (err) {
			return err;
		}
	}
	return tables_check(s, error_r);
}

int store_add_schema(struct store *s, const struct store_schema *schema, char **error_r)
{
	char key[80];
	int64_t version = 0, known = 0;
	int err;

	snprintf(key, sizeof(key), "schema.%s", schema->owner);
	while (schema->versions[known]) {
		known++;
	}
	err = store_meta_get(s->writer, key, &version);
	if (err == BELFRY_EAGAIN) {
		return store_damaged(s, sqlite3_errmsg(s->writer), error_r);
	}
	if (version < 0 || version > known) {
		return too_new(s, key, version, known, error_r);
	}
	for (err = 0; version < known && !err; version++) {
		err = step_up(s, schema->versions[version], key, version + 1, error_r);
	}
	return err;
}
