/* SPDX-License-Identifier: Apache-2.0 */
/* From received bytes to a message for the layer above. */
#include "transport/priv.h"
#include "util/err.h"
#include "util/log.h"

static void count(struct transport *tp, const struct sip_msg *msg, const struct tp_flow *from)
{
	const struct tp_counts *c = &tp->g->counts;
	int id;

	if (msg->error) {
		id = c->parse_errors;
	} else if (msg->is_request) {
		id = c->requests[msg->method][from->proto];
	} else {
		id = c->responses[msg->status / 100 % TP_CLASSES][msg->method];
	}
	counter_inc(tp->w->counts, id);
}

static void trace_received(struct transport *tp, const struct msgbuf *buf, size_t n,
                           const struct tp_flow *from)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf->data, .iov_len = n };
	const struct sip_out out = { .iov = &iov, .iov_n = 1, .len = n };

	tp_trace(tp, false, from, &out);
}

static void log_unparsable(const struct tp_flow *from)
{
	char text[NET_ADDR_TEXT];

	log_debug("message.unparsable", LOG_S("transport", tp_proto_param(from->proto)),
	          LOG_S("source", net_addr_text(&from->remote, text)));
}

void tp_deliver(struct transport *tp, struct msgbuf *buf, size_t n, int parse_flags,
                uint16_t status, const struct tp_flow *from)
{
	struct sip_msg *msg = NULL;

	if (tp->trace) {
		trace_received(tp, buf, n, from);
	}
	sip_msg_parse(buf, n, parse_flags, &tp->w->arenas, tp->w->bufs, &msg);
	if (!msg) {
		counter_inc(tp->w->counts, tp->g->counts.parse_errors);
		log_unparsable(from);
		return;
	}
	if (status && msg->is_request) {
		msg->error = status;
		msg->error_r = status == 513 ? "Message Too Large" : "Missing Content-Length";
	}
	count(tp, msg, from);
	if (msg->is_request) {
		tp->user.request(tp->user.arg, msg, from);
	} else {
		tp->user.response(tp->user.arg, msg, from);
	}
}
