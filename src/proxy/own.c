/* SPDX-License-Identifier: Apache-2.0 */
/* Requests addressed to the server itself (RFC 3261 11.2, 8.2.1, 8.2.2.3). */
#include "proxy/core.h"

static struct str abilities(struct belfry_req *req)
{
	bool registers = false;

	for (size_t i = 0; i < req->hooks->services_n; i++) {
		registers |= str_eq(req->hooks->services[i].method, STR("REGISTER"));
	}
	return arena_printf(proxy_arena(req),
	                    "%.*sAccept: application/sdp\r\nAccept-Encoding: identity\r\n"
	                    "Accept-Language: en\r\nSupported:%s\r\n"
	                    "Accept-Resource-Priority:\r\n", /* none (RFC 4412 3.2) */
	                    STR_FMT(proxy_allow(req)), registers ? " path" : "");
}

enum step_result proxy_answer_own(struct belfry_req *req)
{
	if (req->is_ack) {
		req->final_sent = true;
		return STEP_DONE;
	}
	if (req->msg->method == SIP_M_OTHER) {
		return proxy_refuse(req, REFUSED_METHOD, 501, "RFC 3261 8.2.1", proxy_allow(req));
	}
	if (req->msg->method != SIP_M_OPTIONS) {
		return proxy_refuse(req, REFUSED_METHOD, 405, "RFC 3261 8.2.1", proxy_allow(req));
	}
	if (proxy_require(req) != STEP_NEXT) {
		return STEP_DONE;
	}
	note(req, "RFC 3261 11.2", "OPTIONS to the server itself");
	proxy_reply(req, 200, STR_NONE, abilities(req), STR_NONE);
	return STEP_DONE;
}
