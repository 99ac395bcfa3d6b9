/* SPDX-License-Identifier: Apache-2.0 */
/* Making the control socket. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "util/err.h"
#include "util/log.h"

#define BACKLOG 1024

static int fail(int err, const char *what, const char *path, char **error_r)
{
	if (asprintf(error_r, "control socket %s: %s%s%s", path, what, *what ? ": " : "",
	             belfry_strerror(err)) < 0) {
		*error_r = NULL;
	}
	return err;
}

/* Takes away a socket that nobody listens on. 0, or why its place is not free. */
static int clear_place(const struct sockaddr_un *sun, const char **what_r)
{
	struct stat st;
	int fd, err;

	if (lstat(sun->sun_path, &st)) {
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		*what_r = "something that is no socket is there";
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	err = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? errno : 0;
	(void)close(fd);
	if (err == ECONNREFUSED) {
		return unlink(sun->sun_path) ? -errno : 0;
	}
	*what_r = "another process listens there";
	return -EADDRINUSE;
}

/* A name that somebody has chosen must exist when it can be used; the default one need not. */
static bool is_mistake(struct str group)
{
	return geteuid() == 0 && group.n > 0 && !str_eq(group, STR(CONF_CONTROL_GROUP)) &&
	       !getgrnam(group.p);
}

int ctl_group_check(const struct conf_control *control, char **error_r)
{
	*error_r = NULL;
	if (!is_mistake(control->group)) {
		return 0;
	}
	if (asprintf(error_r, "control.group: unknown group \"%.*s\"", STR_FMT(control->group)) <
	    0) {
		*error_r = NULL;
	}
	return BELFRY_ENOENT;
}

/* 0, also when there is no such group; -errno. */
static int set_group(const char *path, struct str group)
{
	const struct group *g;

	if (group.n == 0) {
		return 0;
	}
	g = getgrnam(group.p);
	if (!g) {
		log_warning("control.group_unknown", LOG_S("group", group));
		return 0;
	}
	return chown(path, (uid_t)-1, g->gr_gid) ? -errno : 0;
}

/* What root may do must be done; others are told. */
static int set_group_if_allowed(const char *path, struct str group, const char **what_r)
{
	int err = set_group(path, group);

	if (err && geteuid() != 0) {
		log_warning("control.group_not_set", LOG_S("group", group), LOG_ERR(err));
		return 0;
	}
	*what_r = err ? "its group cannot be set" : *what_r;
	return err;
}

static int cannot_change(int err, const char *name, char **error_r)
{
	if (asprintf(error_r, "a change of %s needs a restart: the socket: %s", name,
	             belfry_strerror(err)) < 0) {
		*error_r = NULL;
	}
	return err;
}

int ctl_socket_change(const struct conf_control *old, const struct conf_control *control,
                      char **error_r)
{
	const char *path = control->socket.p;
	int err = ctl_group_check(control, error_r);

	if (err) {
		return err;
	}
	if (old->mode != control->mode && chmod(path, (mode_t)control->mode)) {
		return cannot_change(-errno, "control.mode", error_r);
	}
	err = str_eq(old->group, control->group) ? 0 : set_group(path, control->group);
	if (err) {
		(void)chmod(path, (mode_t)old->mode);
		return cannot_change(err, "control.group", error_r);
	}
	return 0;
}

int ctl_socket_open(const struct conf_control *control, int *fd_r, char **error_r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *what = "";
	mode_t old;
	int fd, err;

	*error_r = NULL;
	err = ctl_group_check(control, error_r);
	if (err) {
		return err;
	}
	if (control->socket.n >= sizeof(sun.sun_path)) {
		return fail(-ENAMETOOLONG, what, control->socket.p, error_r);
	}
	memcpy(sun.sun_path, control->socket.p, control->socket.n);
	err = clear_place(&sun, &what);
	if (err) {
		return fail(err, what, sun.sun_path, error_r);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return fail(-errno, what, sun.sun_path, error_r);
	}
	old = umask(0177); /* nobody else until mode and group are set */
	err = bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) ? -errno : 0;
	(void)umask(old);
	if (err) {
		(void)close(fd);
		return fail(err, what, sun.sun_path, error_r);
	}
	err = set_group_if_allowed(sun.sun_path, control->group, &what);
	if (!err && (chmod(sun.sun_path, (mode_t)control->mode) || listen(fd, BACKLOG))) {
		err = -errno;
	}
	if (err) {
		(void)unlink(sun.sun_path);
		(void)close(fd);
		return fail(err, what, sun.sun_path, error_r);
	}
	*fd_r = fd;
	return 0;
}
