/* SPDX-License-Identifier: Apache-2.0 */
#include "util/err.h"

#include <string.h>

static const struct {
	int err;
	const char *text;
} errors[] = {
	{ BELFRY_WAIT, "the answer comes later" },
	{ 0, "no error" },
	{ BELFRY_EPARSE, "syntax error" },
	{ BELFRY_EFULL, "a limit is reached" },
	{ BELFRY_ESTALE, "superseded" },
	{ BELFRY_ENOENT, "not found" },
	{ BELFRY_EEXIST, "exists already" },
	{ BELFRY_EAGAIN, "not possible at the moment" },
	{ BELFRY_EUNREACH, "destination cannot be reached" },
	{ BELFRY_ETIMEOUT, "timed out" },
	{ BELFRY_ENXDOMAIN, "the name does not exist" },
	{ BELFRY_EDENIED, "not permitted" },
	{ BELFRY_EVERSION, "of another version" },
	{ BELFRY_ECORRUPT, "damaged or not ours" },
	{ BELFRY_ECANCELED, "cancelled" },
	{ BELFRY_ETOOBIG, "too big" },
	{ BELFRY_ECONF, "the configuration is wrong" },
};

const char *belfry_strerror(int err)
{
	const char *text;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].err == err) {
			return errors[i].text;
		}
	}
	text = err < 0 && err > BELFRY_EPARSE ? strerrordesc_np(-err) : NULL;
	return text ? text : "unknown error";
}
