/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tmp.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "support/unit.h"

void tmp_dir(char *out, size_t cap)
{
	const char *base = getenv("TMPDIR");
	int n = snprintf(out, cap, "%s/belfry-unit-XXXXXX", base && base[0] ? base : "/tmp");

	ck_assert_int_lt(n, (int)cap);
	ck_assert_ptr_nonnull(mkdtemp(out));
}

void tmp_remove(const char *dir)
{
	DIR *d = opendir(dir);

	ck_assert_ptr_nonnull(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		(void)unlink(path);
	}
	closedir(d);
	ck_assert_int_eq(rmdir(dir), 0);
}
