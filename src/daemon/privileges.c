/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/err.h"

static int fail(int err, const char *what, const char *name, char **error_r)
{
	if (asprintf(error_r, "%s%s%s%s: %s", what, name ? " \"" : "", name ? name : "",
	             name ? "\"" : "", belfry_strerror(err)) < 0) {
		*error_r = NULL;
	}
	return err;
}

static int unknown(const char *what, const char *name, char **error_r)
{
	if (asprintf(error_r, "%s \"%s\"; make it, or set server.user and server.group to \"\"",
	             what, name) < 0) {
		*error_r = NULL;
	}
	return BELFRY_ENOENT;
}

int identity_find(const struct conf_server *server, struct identity *id_r, char **error_r)
{
	const struct passwd *pw;
	const struct group *gr;

	*error_r = NULL;
	*id_r = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0 || server->user.n + server->group.n == 0) {
		return 0;
	}
	if (server->user.n > 0) {
		pw = getpwnam(server->user.p);
		if (!pw) {
			return unknown("server.user: unknown user", server->user.p, error_r);
		}
		id_r->uid = pw->pw_uid;
		id_r->gid = pw->pw_gid;
		id_r->user = str_dup(server->user);
		if (!id_r->user) {
			return -ENOMEM;
		}
	}
	if (server->group.n > 0) {
		gr = getgrnam(server->group.p);
		if (!gr) {
			identity_fini(id_r);
			return unknown("server.group: unknown group", server->group.p, error_r);
		}
		id_r->gid = gr->gr_gid;
	}
	id_r->is_changed = true;
	return 0;
}

void identity_fini(struct identity *id)
{
	free(id->user);
	id->user = NULL;
}

/* Permitted and effective: CAP_NET_BIND_SERVICE if we have it, nothing else. */
static int keep_bind_only(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const __u32 bind = 1U << CAP_NET_BIND_SERVICE;

	if (syscall(SYS_capget, &head, caps)) {
		return -errno;
	}
	caps[0].permitted &= bind;
	caps[0].effective = caps[0].permitted;
	caps[0].inheritable = 0;
	for (int i = 1; i < _LINUX_CAPABILITY_U32S_3; i++) {
		caps[i] = (struct __user_cap_data_struct){ 0 };
	}
	return syscall(SYS_capset, &head, caps) ? -errno : 0;
}

static int change_identity(const struct identity *id)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) {
		return -errno;
	}
	if (id->user ? initgroups(id->user, id->gid) : setgroups(0, NULL)) {
		return -errno;
	}
	if (setresgid(id->gid, id->gid, id->gid) || setresuid(id->uid, id->uid, id->uid)) {
		return -errno;
	}
	return 0;
}

int privileges_drop(const struct identity *id, char **error_r)
{
	int err;

	*error_r = NULL;
	if (id->is_changed) {
		err = change_identity(id);
		if (err) {
			return fail(err, "cannot become user", id->user ? id->user : "", error_r);
		}
	}
	if (id->is_changed || geteuid() != 0) {
		err = keep_bind_only();
		if (err) {
			return fail(err, "cannot give up capabilities", NULL, error_r);
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		return fail(-errno, "cannot set no_new_privs", NULL, error_r);
	}
	return 0;
}
