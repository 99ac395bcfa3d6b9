/* SPDX-License-Identifier: Apache-2.0 */
/* A request to the control socket and its answer. Blocking. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct ask;

/* NULL with errno set: the server cannot be reached. */
struct ask *ask_open(const char *path);
void ask_close(struct ask *ask);

/* Takes over @params (may be NULL). 0: *result_r is the result; 1: the server said no, *result_r is
 * the error object; -1: it has gone away or talks nonsense. The caller frees *result_r. */
int ask_call(struct ask *ask, const char *method, json_t *params, json_t **result_r);

/* What happens during a call that goes on. */
struct ask_stream {
	bool (*wait)(int fd, void *arg); /* until there is something to read; false: enough */
	void (*event)(const json_t *params, void *arg); /* a notification */
	void *arg;
};
/* As ask_call(), with notifications before the answer. 2: wait() has had enough. */
int ask_call_stream(struct ask *ask, const char *method, json_t *params,
                    const struct ask_stream *stream, json_t **result_r);
