/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is logged: the line is one line of printable UTF-8; as JSON it can be read back. */
#include "util/log_text.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok) {
		abort();
	}
}

static void print(struct str text, enum log_format format)
{
	struct str head, tail;
	char space[LOG_LINE_MAX];
	struct sbuf out;

	str_cut(text, '|', &head, &tail);
	const struct log_field fields[] = { LOG_S("a", head), LOG_S("b", tail), LOG_U("n", text.n),
		                            LOG_S("all", text) };
	const struct log_line line = {
		.level = LOG_LVL_INFO, .event = "fuzz", .fields = fields, .n = 4
	};

	sbuf_init(&out, space, sizeof(space));
	log_text_print(&out, &line, format);
	require(sbuf_ok(&out));
	for (size_t i = 0; i < out.n; i++) {
		require((unsigned char)out.p[i] >= 0x20 && out.p[i] != 0x7f);
	}
	/* jansson refuses what is not UTF-8: a logfmt line is tried as the text of a JSON string.
	 */
	json_t *value = format == LOG_AS_JSON ? json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL)
	                                      : json_stringn(out.p, out.n);

	require(value != NULL);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);

	print(text, LOG_AS_LOGFMT);
	print(text, LOG_AS_JSON);
	return 0;
}
