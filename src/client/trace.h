/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that go on: the server's notifications as a ladder, a capture file, or as they came. */
#pragma once

#include "client/ask.h"

struct trace_options {
	const char *pcap; /* file to write; NULL: none */
	bool json;        /* notifications as they came, one a line */
	bool with_text;
};

/* Until the answer, or until SIGINT or SIGTERM. Takes over @params. As ask_call(); 2: interrupted.
 * -2: the capture file could not be written; it has been said why. */
int trace_run(struct ask *ask, const char *method, json_t *params, const struct trace_options *o,
              json_t **result_r);
