/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/dirs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/err.h"

#define PARENT_MODE 0755

static int fail(int err, const char *path, char **error_r)
{
	if (asprintf(error_r, "cannot make the directory %s: %s", path, belfry_strerror(err)) < 0) {
		*error_r = NULL;
	}
	return err;
}

static int make_one(const char *path, mode_t mode, const struct identity *id)
{
	struct stat st;

	if (mkdir(path, mode)) {
		if (errno != EEXIST) {
			return -errno;
		}
		if (stat(path, &st)) {
			return -errno;
		}
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	}
	return id->is_changed && chown(path, id->uid, id->gid) ? -errno : 0;
}

int dir_make(const char *path, mode_t mode, const struct identity *id, char **error_r)
{
	static const struct identity self;
	char *copy = strdup(path);
	int err = copy ? 0 : -ENOMEM;

	*error_r = NULL;
	for (char *p = copy ? copy + 1 : NULL; !err && p && *p; p++) {
		if (*p == '/' && p[-1] != '/') {
			*p = '\0';
			err = make_one(copy, PARENT_MODE, &self);
			*p = '/';
		}
	}
	err = err ? err : make_one(path, mode, id);
	free(copy);
	return err ? fail(err, path, error_r) : 0;
}
