/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of the control socket sends: a line, against one command of the table. */
#include <stdint.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/rpc.h"
#include "ctl/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctl_entry entry = {
		.name = "location.add",
		.args = "AOR URI [--expires S] [--q Q] [--force] [--password-stdin]",
		.help = "help",
	};
	struct rpc_request req;
	const char *why = NULL;
	char *text;
	int code = rpc_parse(str_make((const char *)data, size), &req, &why);

	if (code == 0 && !req.method) {
		abort();
	}
	if (code == 0) {
		code = ctl_params_check(&entry, req.params, &text);
		if (code == 0 && !json_object_get(req.params, "aor")) {
			abort();
		}
		free(text);
	}
	text = code ? rpc_error_text(req.id, code, "no") : rpc_result_begin(req.id);
	if (!text) {
		abort();
	}
	free(text);
	rpc_request_fini(&req);
	return 0;
}
