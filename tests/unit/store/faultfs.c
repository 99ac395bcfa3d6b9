/* SPDX-License-Identifier: Apache-2.0 */
#include "faultfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

#include "support/unit.h"

#define FILES_MAX 1024

/* A write that is not synced; n is -1 for a change of size to @at. */
struct change {
	struct change *next;
	sqlite3_int64 at;
	int n;
	char data[];
};

struct shadow {
	char path[512];
	char *synced;
	size_t n, cap;
	struct change *changes, **last;
};

struct file {
	sqlite3_file base;
	struct shadow *shadow; /* NULL: not watched (the shared memory has no file methods) */
			       /* The real file follows. */
};

static struct {
	sqlite3_vfs vfs, *real;
	pthread_mutex_t lock;
	struct shadow files[FILES_MAX];
	size_t files_n;
	struct {
		unsigned count, at;
		int rc;
		bool all;
	} fail[FAULTFS_OP_N];
} fs = { .lock = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)((struct file *)f + 1);
}

/* --- shadows; under the lock --- */

static void grow(struct shadow *sh, size_t n)
{
	if (n > sh->cap) {
		sh->cap = n * 2;
		sh->synced = realloc(sh->synced, sh->cap);
		ck_assert_ptr_nonnull(sh->synced);
	}
	if (n > sh->n) {
		memset(sh->synced + sh->n, 0, n - sh->n);
		sh->n = n;
	}
}

static void apply(struct shadow *sh, const struct change *c)
{
	if (c->n < 0) {
		grow(sh, (size_t)c->at);
		sh->n = (size_t)c->at;
	} else {
		grow(sh, (size_t)c->at + (size_t)c->n);
		memcpy(sh->synced + c->at, c->data, (size_t)c->n);
	}
}

static void changes_end(struct shadow *sh, bool applied)
{
	while (sh->changes) {
		struct change *c = sh->changes;

		sh->changes = c->next;
		if (applied) {
			apply(sh, c);
		}
		free(c);
	}
	sh->last = &sh->changes;
}

static void change_add(struct shadow *sh, const void *data, int n, sqlite3_int64 at)
{
	struct change *c = malloc(sizeof(*c) + (n > 0 ? (size_t)n : 0));

	ck_assert_ptr_nonnull(c);
	c->next = NULL;
	c->at = at;
	c->n = n;
	if (n > 0) {
		memcpy(c->data, data, (size_t)n);
	}
	*sh->last = c;
	sh->last = &c->next;
}

static struct shadow *shadow_find(const char *path)
{
	for (size_t i = 0; i < fs.files_n; i++) {
		if (strcmp(fs.files[i].path, path) == 0) {
			return &fs.files[i];
		}
	}
	return NULL;
}

/* What a file holds when it is first opened counts as synced. */
static struct shadow *shadow_new(const char *path)
{
	struct shadow *sh = &fs.files[fs.files_n++];
	FILE *in;

	ck_assert_uint_le(fs.files_n, FILES_MAX);
	snprintf(sh->path, sizeof(sh->path), "%s", path);
	sh->last = &sh->changes;
	in = fopen(path, "rb");
	if (in) {
		ck_assert_int_eq(fseek(in, 0, SEEK_END), 0);
		grow(sh, (size_t)ftell(in));
		rewind(in);
		ck_assert_uint_eq(fread(sh->synced, 1, sh->n, in), sh->n);
		fclose(in);
	}
	return sh;
}

/* --- failing --- */

static int verdict(enum faultfs_op op)
{
	unsigned n = ++fs.fail[op].count;

	if (fs.fail[op].at && (n == fs.fail[op].at || (fs.fail[op].all && n > fs.fail[op].at))) {
		return fs.fail[op].rc;
	}
	return SQLITE_OK;
}

void faultfs_fail(enum faultfs_op op, unsigned n, int rc, bool all)
{
	pthread_mutex_lock(&fs.lock);
	fs.fail[op].at = n ? fs.fail[op].count + n : 0;
	fs.fail[op].rc = rc;
	fs.fail[op].all = all;
	pthread_mutex_unlock(&fs.lock);
}

unsigned faultfs_count(enum faultfs_op op)
{
	unsigned n;

	pthread_mutex_lock(&fs.lock);
	n = fs.fail[op].count;
	pthread_mutex_unlock(&fs.lock);
	return n;
}

/* --- methods of a file --- */

static int f_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct shadow *sh = ((struct file *)f)->shadow;
	int rc;

	pthread_mutex_lock(&fs.lock);
	rc = verdict(FAULTFS_WRITE);
	if (rc == SQLITE_OK) {
		rc = real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
		change_add(sh, p, n, at);
	}
	pthread_mutex_unlock(&fs.lock);
	return rc;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc;

	pthread_mutex_lock(&fs.lock);
	rc = real_of(f)->pMethods->xTruncate(real_of(f), size);
	change_add(((struct file *)f)->shadow, NULL, -1, size);
	pthread_mutex_unlock(&fs.lock);
	return rc;
}

static int f_sync(sqlite3_file *f, int flags)
{
	int rc;

	(void)flags; /* the real disk need not be bothered */
	pthread_mutex_lock(&fs.lock);
	rc = verdict(FAULTFS_SYNC);
	changes_end(((struct file *)f)->shadow, rc == SQLITE_OK);
	pthread_mutex_unlock(&fs.lock);
	return rc;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size_r)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size_r);
}

static int f_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int f_check(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_device(sqlite3_file *f)
{
	(void)f;
	return 0; /* no promise about order or atomicity */
}

static int f_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **p_r)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), region, size, extend, p_r);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int del)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), del);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_check,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_device,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

/* --- the file system --- */

static int v_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *flags_r)
{
	struct file *file = (struct file *)f;
	int rc;

	(void)v;
	memset(file, 0, sizeof(*file) + (size_t)fs.real->szOsFile);
	rc = fs.real->xOpen(fs.real, path, real_of(f), flags, flags_r);
	if (rc != SQLITE_OK || !real_of(f)->pMethods) {
		return rc;
	}
	pthread_mutex_lock(&fs.lock);
	file->shadow = path ? shadow_find(path) : NULL;
	if (!file->shadow) {
		file->shadow = shadow_new(path ? path : "");
	}
	pthread_mutex_unlock(&fs.lock);
	file->base.pMethods = &methods;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *v, const char *path, int sync)
{
	struct shadow *sh;
	int rc = fs.real->xDelete(fs.real, path, sync);

	(void)v;
	pthread_mutex_lock(&fs.lock);
	sh = shadow_find(path);
	if (sh) {
		changes_end(sh, false);
		sh->n = 0;
		sh->path[0] = '\0'; /* another of this name starts empty */
	}
	pthread_mutex_unlock(&fs.lock);
	return rc;
}

static int v_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
	(void)v;
	return fs.real->xAccess(fs.real, path, flags, out);
}

static int v_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
	(void)v;
	return fs.real->xFullPathname(fs.real, path, n, out);
}

static int v_last_error(sqlite3_vfs *v, int n, char *out)
{
	(void)v;
	return fs.real->xGetLastError(fs.real, n, out);
}

void faultfs_install(void)
{
	fs.real = sqlite3_vfs_find(NULL);
	fs.vfs = *fs.real;
	fs.vfs.iVersion = 2;
	fs.vfs.szOsFile = (int)sizeof(struct file) + fs.real->szOsFile;
	fs.vfs.zName = "faultfs";
	fs.vfs.xOpen = v_open;
	fs.vfs.xDelete = v_delete;
	fs.vfs.xAccess = v_access;
	fs.vfs.xFullPathname = v_full_path;
	fs.vfs.xGetLastError = v_last_error;
	ck_assert_int_eq(sqlite3_vfs_register(&fs.vfs, 1), SQLITE_OK);
}

/* --- power cuts --- */

static void copy_plain(const char *from, const char *to, const char *name)
{
	char path[1024], buf[4096];
	FILE *in, *out;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", from, name);
	in = fopen(path, "rb");
	if (!in) {
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", to, name);
	out = fopen(path, "wb");
	ck_assert_ptr_nonnull(out);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0) {
		ck_assert_uint_eq(fwrite(buf, 1, n, out), n);
	}
	fclose(in);
	fclose(out);
}

/* Half of the writes come through, or of one the first half. */
static void apply_some(struct shadow *sh, struct change *changes, unsigned *seed)
{
	for (struct change *c = changes; c; c = c->next) {
		unsigned r = (*seed = *seed * 1664525U + 1013904223U) >> 28;

		if (r == 0 && c->n > 1) {
			int n = c->n;

			c->n = n / 2;
			apply(sh, c);
			c->n = n;
		} else if (r < 8) {
			apply(sh, c);
		}
	}
}

static void shadow_write(const struct shadow *sh, const char *to, unsigned *seed)
{
	struct shadow left = { 0 };
	char path[1024];
	FILE *out;

	grow(&left, sh->n);
	if (sh->n) {
		memcpy(left.synced, sh->synced, sh->n);
	}
	if (*seed) {
		apply_some(&left, sh->changes, seed);
	}
	snprintf(path, sizeof(path), "%s/%s", to, strrchr(sh->path, '/') + 1);
	out = fopen(path, "wb");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(left.synced, 1, left.n, out), left.n);
	fclose(out);
	free(left.synced);
}

void faultfs_power_cut(const char *from, const char *to, unsigned seed)
{
	size_t len = strlen(from);

	copy_plain(from, to, "secret");
	pthread_mutex_lock(&fs.lock);
	for (size_t i = 0; i < fs.files_n; i++) {
		const struct shadow *sh = &fs.files[i];

		if (strncmp(sh->path, from, len) == 0 && sh->path[len] == '/' &&
		    !strstr(sh->path, ".new")) {
			shadow_write(sh, to, &seed);
		}
	}
	pthread_mutex_unlock(&fs.lock);
}
