/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"

static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

int rpc_parse(struct str line, struct rpc_request *req_r, const char **why_r)
{
	const json_t *method, *version;
	json_t *id, *params;

	*req_r = (struct rpc_request){ 0 };
	req_r->root = json_loadb(line.p ? line.p : "", line.n,
	                         JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!req_r->root) {
		*why_r = "this is no JSON";
		return CTL_EPARSE;
	}
	*why_r = "a JSON-RPC 2.0 request is wanted";
	if (!json_is_object(req_r->root)) {
		return CTL_EINVALID; /* batches are not served */
	}
	id = json_object_get(req_r->root, "id");
	if (id && !is_id(id)) {
		return CTL_EINVALID;
	}
	req_r->id = id;
	version = json_object_get(req_r->root, "jsonrpc");
	method = json_object_get(req_r->root, "method");
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0 ||
	    !json_is_string(method)) {
		return CTL_EINVALID;
	}
	req_r->method = json_string_value(method);
	params = json_object_get(req_r->root, "params");
	if (params && !json_is_object(params)) {
		*why_r = "params must be an object of names and values";
		return CTL_EPARAMS;
	}
	req_r->params = params;
	return 0;
}

void rpc_request_fini(struct rpc_request *req)
{
	json_decref(req->root);
	*req = (struct rpc_request){ 0 };
}

char *rpc_error_text(const json_t *id, int code, const char *message)
{
	json_t *all = json_pack("{s:s, s:O?, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error",
	                        "code", code, "message", message);
	char *text, *line = NULL;

	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (text) {
		size_t n = strlen(text);

		line = realloc(text, n + 2);
		if (line) {
			memcpy(line + n, "\n", 2);
		} else {
			free(text);
		}
	}
	return line;
}

char *rpc_result_begin(const json_t *id)
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":", tail[] = ",\"result\":";
	char *text = id ? json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("null");
	char *out = text ? malloc(sizeof(head) + sizeof(tail) + strlen(text)) : NULL;

	if (out) {
		(void)sprintf(out, "%s%s%s", head, text, tail);
	}
	free(text);
	return out;
}
