/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC 2.0: a line to a request, and the frames of answers. No I/O. */
#pragma once

#include "util/str.h"

#include <jansson.h>

#define RPC_LINE_MAX (256u << 10) /* bytes of a request */

struct rpc_request {
	json_t *root; /* owns the rest; json_decref() */
	const char *method;
	json_t *params; /* an object, NULL when absent */
	json_t *id;     /* borrowed; NULL: a notification, which gets no answer */
};

/* 0, or a code of enum ctl_error with *why_r (static). @req_r->id is set where it could be read. */
int rpc_parse(struct str line, struct rpc_request *req_r, const char **why_r);
void rpc_request_fini(struct rpc_request *req);

/* `{"jsonrpc":"2.0","id":ID,"error":{...}}` and a line feed, heap; NULL: out of memory. @id NULL:
 * null. */
char *rpc_error_text(const json_t *id, int code, const char *message);
/* What stands before a result: `{"jsonrpc":"2.0","id":ID,"result":`; behind it comes
 * RPC_RESULT_END. */
char *rpc_result_begin(const json_t *id);
#define RPC_RESULT_END "}\n"
/* How a result is printed: 0.3 as 0.3, and a time with its microseconds. */
#define RPC_DUMP (JSON_COMPACT | JSON_REAL_PRECISION(16))
