/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/listing.h"

#include <event2/buffer.h>

#include "ctl/rpc.h"
#include "ctl/table.h"

static int dump_cb(const char *text, size_t n, void *arg)
{
	return evbuffer_add(arg, text, n);
}

void ctl_listing_begin(struct ctl_listing *l, const char *name)
{
	*l = (struct ctl_listing){ .text = evbuffer_new() };
	l->failed = !l->text || evbuffer_add_printf(l->text, "{\"%s\":[", name) < 0;
}

bool ctl_listing_add(struct ctl_listing *l, json_t *one)
{
	l->failed = l->failed || !one || (l->has_some && evbuffer_add(l->text, ",", 1)) ||
	            json_dump_callback(one, dump_cb, l->text, RPC_DUMP);
	l->has_some = true;
	json_decref(one);
	return !l->failed;
}

void ctl_listing_end(struct ctl_listing *l, struct ctl_call *call)
{
	if (l->failed || evbuffer_add(l->text, "]}", 2)) {
		ctl_call_reply(call, NULL);
	} else {
		ctl_call_reply_text(call, l->text);
	}
	if (l->text) {
		evbuffer_free(l->text);
	}
}
