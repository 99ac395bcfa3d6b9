/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database file as bytes: whether it is ours is looked at before SQLite opens it, so that what
 * is not ours is never changed; a new one is made under another name and renamed when complete, so
 * that there never is half a one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/priv.h"
#include "util/err.h"

#define HEADER_LEN 100
#define AT_APP_ID  68

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int refuse(const char *path, const char *why, char **error_r)
{
	*error_r = store_error("%s %s; it was not changed. Move it away to start with an empty "
	                       "database, or restore a copy",
	                       path, why);
	return BELFRY_ECORRUPT;
}

static int header_check(const char *path, const unsigned char *h, ssize_t n, char **error_r)
{
	if (n == 0) {
		return refuse(path, "is empty", error_r);
	}
	if (n < HEADER_LEN || memcmp(h, "SQLite format 3", 16) != 0) {
		return refuse(path, "is not an SQLite database or its header is damaged", error_r);
	}
	if (be32(h + AT_APP_ID) != STORE_APPLICATION_ID) {
		return refuse(path, "belongs to another program", error_r);
	}
	return 0;
}

int store_file_check(const char *path, bool *exists_r, char **error_r)
{
	unsigned char header[HEADER_LEN];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	ssize_t n;

	*exists_r = fd >= 0;
	if (fd < 0) {
		if (errno == ENOENT) {
			return 0;
		}
		err = -errno;
		*error_r = store_error("cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		err = refuse(path, "is not a regular file", error_r);
	} else {
		n = read(fd, header, sizeof(header));
		err = header_check(path, header, n < 0 ? 0 : n, error_r);
	}
	close(fd); /* before SQLite has it open: closing drops this process's locks on it */
	return err;
}

int store_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0) {
		return -errno;
	}
	if (fsync(fd)) {
		err = -errno;
	}
	close(fd);
	return err;
}

ino_t store_log_inode(const struct store *s)
{
	char path[STORE_PATH_MAX + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", s->path);
	return stat(path, &st) ? 0 : st.st_ino;
}

static int fill(sqlite3 *db)
{
	char pragmas[256];

	snprintf(pragmas, sizeof(pragmas),
	         "PRAGMA page_size=%d; PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;"
	         "PRAGMA application_id=%d; PRAGMA user_version=%d;",
	         STORE_PAGE_SIZE, STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
	if (sqlite3_exec(db, pragmas, NULL, NULL, NULL) ||
	    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) ||
	    sqlite3_exec(db, store_schema_sql, NULL, NULL, NULL) ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL)) {
		return BELFRY_EAGAIN;
	}
	/* Kept in the file: every later connection finds it. */
	return sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) ? BELFRY_EAGAIN : 0;
}

static int make(const char *path, char **error_r)
{
	sqlite3 *db = NULL;
	int fd, err = 0;

	(void)unlink(path); /* of an earlier try */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		*error_r = store_error("cannot create %s: %s", path, strerror(-err));
		return err;
	}
	close(fd);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    fill(db)) {
		err = sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -EIO;
		*error_r = store_error("cannot create %s: %s", path, sqlite3_errmsg(db));
	}
	if (sqlite3_close(db) && !err) {
		err = -EIO;
		*error_r = store_error("cannot write %s", path);
	}
	return err;
}

int store_file_create(struct store *s, char **error_r)
{
	char path[STORE_PATH_MAX + 8];
	int err;

	snprintf(path, sizeof(path), "%s.new", s->path);
	err = make(path, error_r);
	if (!err && rename(path, s->path)) {
		err = -errno;
		*error_r = store_error("cannot rename %s: %s", path, strerror(-err));
	}
	if (!err) {
		err = store_sync_dir(s->dir);
		if (err) {
			*error_r = store_error("cannot sync %s: %s", s->dir, strerror(-err));
		}
	}
	return err;
}
