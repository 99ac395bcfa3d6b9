/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BLOCK 65536

struct ask {
	int fd;
	json_int_t id;
	char *in; /* what has been read and not been used */
	size_t n, cap;
};

struct ask *ask_open(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct ask *ask;
	int err;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(sun.sun_path, path);
	ask = calloc(1, sizeof(*ask));
	if (!ask) {
		return NULL;
	}
	ask->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ask->fd < 0 || connect(ask->fd, (const struct sockaddr *)&sun, sizeof(sun))) {
		err = errno;
		ask_close(ask);
		errno = err;
		return NULL;
	}
	return ask;
}

void ask_close(struct ask *ask)
{
	if (!ask) {
		return;
	}
	if (ask->fd >= 0) {
		(void)close(ask->fd);
	}
	free(ask->in);
	free(ask);
}

static int send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR) {
			return -1;
		}
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

static int read_more(struct ask *ask)
{
	ssize_t got;

	if (ask->cap - ask->n < BLOCK) {
		size_t cap = ask->cap ? ask->cap * 2 : 2 * BLOCK;
		char *p = realloc(ask->in, cap);

		if (!p) {
			return -1;
		}
		ask->in = p;
		ask->cap = cap;
	}
	do {
		got = read(ask->fd, ask->in + ask->n, BLOCK);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		return -1;
	}
	ask->n += (size_t)got;
	return 0;
}

/* The next line as JSON, NULL: there is none, or @stream (may be NULL) has had enough: *enough_r.
 */
static json_t *read_line(struct ask *ask, const struct ask_stream *stream, bool *enough_r)
{
	size_t seen = 0;
	json_t *line;
	char *nl;

	while (!ask->n || !(nl = memchr(ask->in + seen, '\n', ask->n - seen))) {
		seen = ask->n;
		if (stream && !stream->wait(ask->fd, stream->arg)) {
			*enough_r = true;
			return NULL;
		}
		if (read_more(ask)) {
			return NULL;
		}
	}
	line = json_loadb(ask->in, (size_t)(nl - ask->in), 0, NULL);
	ask->n -= (size_t)(nl - ask->in) + 1;
	memmove(ask->in, nl + 1, ask->n);
	return line;
}

static int send_request(struct ask *ask, const char *method, json_t *params)
{
	json_t *req = json_pack("{s:s, s:s, s:I, s:o}", "jsonrpc", "2.0", "method", method, "id",
	                        ++ask->id, "params", params ? params : json_object());
	char *text = req ? json_dumps(req, JSON_COMPACT) : NULL;
	int err = -1;

	if (text && !send_all(ask->fd, text, strlen(text)) && !send_all(ask->fd, "\n", 1)) {
		err = 0;
	}
	free(text);
	json_decref(req);
	return err;
}

int ask_call_stream(struct ask *ask, const char *method, json_t *params,
                    const struct ask_stream *stream, json_t **result_r)
{
	bool enough = false;
	json_t *line;
	int code = -1;

	*result_r = NULL;
	if (send_request(ask, method, params)) {
		return -1;
	}
	while ((line = read_line(ask, stream, &enough)) && stream &&
	       json_object_get(line, "method")) {
		stream->event(json_object_get(line, "params"), stream->arg);
		json_decref(line);
	}
	if (json_object_get(line, "result")) {
		*result_r = json_incref(json_object_get(line, "result"));
		code = 0;
	} else if (json_object_get(line, "error")) {
		*result_r = json_incref(json_object_get(line, "error"));
		code = 1;
	}
	json_decref(line);
	return enough ? 2 : code;
}

int ask_call(struct ask *ask, const char *method, json_t *params, json_t **result_r)
{
	return ask_call_stream(ask, method, params, NULL, result_r);
}
