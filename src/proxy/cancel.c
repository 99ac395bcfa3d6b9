/* SPDX-License-Identifier: Apache-2.0 */
/* CANCEL from upstream (RFC 3261 16.10), and the end of the server transaction. */
#include "proxy/core.h"

/* The Reason of the CANCEL travels on (RFC 3326 2). */
static struct str reasons(struct belfry_req *req, const struct sip_msg *cancel)
{
	static const struct str name = STR_INIT("Reason: ");
	size_t cap = 0;
	struct sbuf b;
	char *space;
	int i;

	for (i = cancel->first[SIP_H_REASON]; i >= 0; i = sip_msg_next(cancel, SIP_H_REASON, i)) {
		cap += name.n + sip_msg_value(cancel, i).n + 2;
	}
	space = cap > 0 ? arena_alloc(proxy_arena(req), cap) : NULL;
	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, cap);
	for (i = cancel->first[SIP_H_REASON]; i >= 0; i = sip_msg_next(cancel, SIP_H_REASON, i)) {
		sbuf_add(&b, name);
		sbuf_add(&b, sip_msg_value(cancel, i));
		sbuf_add(&b, STR("\r\n"));
	}
	return sbuf_str(&b);
}

void proxy_on_cancelled(void *user, struct txn_server *st, const struct sip_msg *cancel)
{
	struct belfry_req *req = user;

	(void)st;
	if (req->final_sent || req->compact) {
		return;
	}
	proxy_enter(req);
	note(req, "RFC 3261 16.10", "cancelled by the caller");
	req->cancelled = true;
	proxy_stop_waiting(req);
	proxy_cancel_pending(req, reasons(req, cancel));
	if (!req->final_sent && req->pending == 0) {
		proxy_send_best(req);
	}
	proxy_leave(req);
}

/* Its last timer, or a limit: nobody is left to answer. */
void proxy_on_server_end(void *user, struct txn_server *st)
{
	struct belfry_req *req = user;

	(void)st;
	proxy_enter(req);
	if (!req->final_sent) {
		req->final_sent = true;
		proxy_stop_waiting(req);
		proxy_cancel_pending(req, STR_NONE);
	}
	req->st = NULL;
	proxy_leave(req);
}
