/* SPDX-License-Identifier: Apache-2.0 */
/* The server with clients on a real socket, in one thread: commands that answer at once and later.
 */
#include "ctl/ctl.h"

#include "util/counters.h"
#include "util/log.h"

#include "support/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS 200

struct rig {
	char dir[32], path[64];
	struct conf_control control;
	struct event_base *base;
	struct ctl_env env;
	struct ctl_server *server;
	int drains, stops;
	ctl_reload_cb *reloaded; /* one that is going on */
	void *reloaded_arg;
};

static void on_stop(void *arg, bool at_once)
{
	struct rig *r = arg;

	r->stops += at_once;
	r->drains += !at_once;
}

static void on_reload(void *arg, ctl_reload_cb *cb, void *cb_arg)
{
	struct rig *r = arg;

	ck_assert_ptr_null(r->reloaded);
	r->reloaded = cb;
	r->reloaded_arg = cb_arg;
}

static void reload_ends(struct rig *r, const char *error)
{
	ctl_reload_cb *cb = r->reloaded;

	ck_assert_ptr_nonnull(cb);
	r->reloaded = NULL;
	cb(error, r->reloaded_arg);
}

static int rig_open(struct rig *r)
{
	char *error = NULL;
	int fd, err;

	(void)signal(SIGPIPE, SIG_IGN);
	*r = (struct rig){ .dir = "/tmp/belfry-ctl-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	(void)snprintf(r->path, sizeof(r->path), "%s/sock", r->dir);
	r->control = (struct conf_control){ .socket = str_from(r->path),
		                            .mode = 0600,
		                            .group = STR("") };
	r->env = (struct ctl_env){ .stop = on_stop, .reload = on_reload, .arg = r };
	r->base = event_base_new();
	r->env.counters = counters_new();
	err = r->env.counters ? ctl_socket_open(&r->control, &fd, &error) : -ENOMEM;
	free(error);
	if (!err) {
		err = ctl_server_new(r->base, fd, r->path, &r->env, &r->server);
		if (err) {
			(void)close(fd);
			(void)unlink(r->path);
		}
	}
	return err;
}

static void rig_close(struct rig *r)
{
	ctl_server_free(r->server);
	if (r->env.counters) {
		counters_free(r->env.counters);
	}
	event_base_free(r->base);
	ck_assert_int_ne(access(r->path, F_OK), 0);
	(void)rmdir(r->dir);
}

static int client_open(struct rig *r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(sun.sun_path, r->path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void turn(struct rig *r)
{
	ck_assert_int_ge(event_base_loop(r->base, EVLOOP_NONBLOCK), 0);
}

/* A line of the answer in @out; false: the end, or nothing came. */
static bool hear(struct rig *r, int fd, char *out, size_t cap)
{
	size_t n = 0;

	for (int i = 0; i < TURNS && n + 1 < cap; i++) {
		turn(r);
		while (n + 1 < cap && read(fd, out + n, 1) == 1) {
			if (out[n++] == '\n') {
				out[n] = '\0';
				return true;
			}
		}
	}
	out[n] = '\0';
	return false;
}

#define REQUEST(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method "\"}\n"

START_TEST(command_is_answered_with_the_id_of_its_request)
{
	struct rig r;
	char line[65536];
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(7, "drain"));
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_str_eq(line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
	ck_assert_int_eq(r.drains, 1);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"stats\"}\n");
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_str_eq(line, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"counters\":[]}}\n");
	(void)close(fd);
	rig_close(&r);
}
END_TEST

START_TEST(unknown_command_is_refused_with_the_near_one)
{
	struct rig r;
	char line[1024];
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(1, "drian"));
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"code\":-32601"));
	ck_assert_ptr_nonnull(strstr(line, "did you mean \\\"drain\\\"?"));
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"drain\",\"params\":{\"x\":1}}\n");
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"code\":-32602"));
	ck_assert_int_eq(r.drains, 0);
	(void)close(fd);
	rig_close(&r);
}
END_TEST

START_TEST(requests_wait_for_the_one_before)
{
	struct rig r;
	char line[1024];
	int fd, other;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	other = client_open(&r);
	say(fd, REQUEST(1, "reload") REQUEST(2, "drain"));
	ck_assert(!hear(&r, fd, line, sizeof(line)));
	ck_assert_int_eq(r.drains, 0);
	say(other, REQUEST(3, "stop")); /* another client need not wait */
	ck_assert(hear(&r, other, line, sizeof(line)));
	ck_assert_int_eq(r.stops, 1);
	reload_ends(&r, "a.conf:1: wrong");
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_str_eq(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":"
	                       "\"a.conf:1: wrong\"}}\n");
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"id\":2"));
	ck_assert_int_eq(r.drains, 1);
	(void)close(fd);
	(void)close(other);
	rig_close(&r);
}
END_TEST

START_TEST(client_may_leave_before_its_answer)
{
	struct rig r;
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(1, "reload"));
	turn(&r);
	turn(&r);
	(void)close(fd);
	turn(&r);
	turn(&r);
	reload_ends(&r, NULL);
	turn(&r);
	rig_close(&r);
}
END_TEST

START_TEST(end_of_input_leaves_the_answers)
{
	struct rig r;
	char line[1024];
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(1, "reload") REQUEST(2, "drain"));
	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < 5; i++) {
		turn(&r);
	}
	reload_ends(&r, NULL);
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"id\":1"));
	ck_assert(hear(&r, fd, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"id\":2"));
	ck_assert(!hear(&r, fd, line, sizeof(line)));
	ck_assert_int_eq(read(fd, line, 1), 0);
	(void)close(fd);
	rig_close(&r);
}
END_TEST

START_TEST(answer_that_is_still_out_is_dropped_with_the_server)
{
	struct rig r;
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(1, "reload"));
	turn(&r);
	turn(&r);
	ck_assert_ptr_nonnull(r.reloaded);
	rig_close(&r);
	(void)close(fd);
}
END_TEST

START_TEST(flush_sends_what_is_pending)
{
	struct rig r;
	char line[65536];
	int fd;
	ssize_t n;

	ck_assert_int_eq(rig_open(&r), 0);
	fd = client_open(&r);
	say(fd, REQUEST(1, "commands"));
	for (int i = 0; i < 3; i++) {
		turn(&r);
	}
	ctl_server_flush(r.server, 1000);
	n = read(fd, line, sizeof(line) - 1);
	ck_assert_int_gt(n, 100);
	ck_assert_int_eq(line[n - 1], '\n');
	(void)close(fd);
	rig_close(&r);
}
END_TEST

START_TEST(socket_has_its_mode_and_replaces_a_dead_one)
{
	struct rig r;
	struct stat st;
	char *error = NULL;
	int fd;

	ck_assert_int_eq(rig_open(&r), 0);
	ck_assert_int_eq(stat(r.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(ctl_socket_open(&r.control, &fd, &error), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error, "another process listens there"));
	free(error);
	rig_close(&r);

	ck_assert_int_eq(rig_open(&r), 0);
	ctl_server_free(r.server); /* and a socket that nobody listens on in its place */
	r.server = NULL;
	ck_assert_int_eq(ctl_socket_open(&r.control, &fd, &error), 0);
	(void)close(fd);
	ck_assert_int_eq(ctl_socket_open(&r.control, &fd, &error), 0);
	(void)close(fd);
	(void)unlink(r.path);
	rig_close(&r);
}
END_TEST

static int scenario(void *arg)
{
	struct rig r;
	char line[65536];
	int fd, err = rig_open(&r);

	if (err) {
		rig_close(&r);
		return err;
	}
	fd = client_open(&r);
	say(fd, arg);
	/* Either an answer, or the end of the connection. */
	if (!hear(&r, fd, line, sizeof(line))) {
		ck_assert_int_eq(read(fd, line, 1), 0);
		err = -ENOMEM;
	}
	(void)close(fd);
	rig_close(&r);
	return err;
}

START_TEST(server_survives_failing_allocations)
{
	static char drain[] = REQUEST(1, "drain"), commands[] = REQUEST(1, "commands");
	static char unknown[] = REQUEST(1, "nothing");
	static char level[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"log-level\",\"params\":{"
			      "\"level\":5}}\n";

	oom_each(scenario, drain);
	oom_each(scenario, commands);
	oom_each(scenario, unknown);
	oom_each(scenario, level);
}
END_TEST

UNIT_MAIN("ctl/server", command_is_answered_with_the_id_of_its_request,
          unknown_command_is_refused_with_the_near_one, requests_wait_for_the_one_before,
          client_may_leave_before_its_answer, end_of_input_leaves_the_answers,
          answer_that_is_still_out_is_dropped_with_the_server, flush_sends_what_is_pending,
          socket_has_its_mode_and_replaces_a_dead_one, server_survives_failing_allocations)
