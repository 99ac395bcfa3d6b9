/* SPDX-License-Identifier: Apache-2.0 */
/* The directories that the server writes to. */
#pragma once

#include "daemon/privileges.h"

/* Makes @path with its parents where they are missing; what is made belongs to @id. -errno with
 * *error_r (heap). */
int dir_make(const char *path, mode_t mode, const struct identity *id, char **error_r);
