/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of a test's own under $TMPDIR or /tmp. */
#pragma once

#include <stddef.h>

/* A new, empty one; its path into @out. */
void tmp_dir(char *out, size_t cap);
/* With all the files in it (no directories). */
void tmp_remove(const char *dir);
