/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From root to server.user. Capabilities belong to threads: all of this happens before any other
 * thread exists. Only CAP_NET_BIND_SERVICE is kept, so that a reload can bind low ports.
 */
#pragma once

#include "conf/conf.h"

#include <sys/types.h>

struct identity {
	bool is_changed; /* started as root, and a user or group is named */
	uid_t uid;
	gid_t gid;
	char *user; /* heap; NULL: no user is named */
};

/* Looks the names up. BELFRY_ENOENT with *error_r (heap): an unknown name, as root. Otherwise the
 * identity is that of the process. */
int identity_find(const struct conf_server *server, struct identity *id_r, char **error_r);
void identity_fini(struct identity *id);

/* Becomes @id for good. -errno with *error_r (heap). */
int privileges_drop(const struct identity *id, char **error_r);
