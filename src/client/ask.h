/* SPDX-License-Identifier: Apache-2.0 */
/* A request to the control socket and its answer. Blocking. */
#pragma once

#include <jansson.h>

struct ask;

/* NULL with errno set: the server cannot be reached. */
struct ask *ask_open(const char *path);
void ask_close(struct ask *ask);

/* Takes over @params (may be NULL). 0: *result_r is the result; 1: the server said no, *result_r is
 * the error object; -1: it has gone away or talks nonsense. The caller frees *result_r. */
int ask_call(struct ask *ask, const char *method, json_t *params, json_t **result_r);
