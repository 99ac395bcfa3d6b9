/* SPDX-License-Identifier: Apache-2.0 */
/* From received bytes to a message for the layer above, on the worker that owns it. */
#include "transport/priv.h"
#include "util/err.h"
#include "util/log.h"

struct msgbuf *tp_input_buf(struct transport *tp, size_t n)
{
	return msgbuf_new(tp->w->bufs, ((n + 7) & ~(size_t)7) + sizeof(struct tp_input));
}

static void count(struct transport *tp, const struct sip_msg *msg, const struct tp_flow *from)
{
	const struct tp_counts *c = &tp->g->counts;

	if (msg->error) {
		tp_count(tp, c->parse_errors);
	} else if (msg->is_request) {
		tp_count(tp, c->requests[msg->method][from->proto]);
	} else {
		tp_count(tp, c->responses[msg->status / 100 % TP_CLASSES][msg->method]);
	}
}

static void trace_received(struct transport *tp, struct msgbuf *buf, const struct tp_input *notes)
{
	struct iovec iov = { .iov_base = buf->data, .iov_len = notes->n };
	const struct sip_out out = { .iov = &iov, .iov_n = 1, .len = notes->n };

	tp_trace(tp, false, &notes->from, &out);
}

static void drop_unparsable(struct transport *tp, const struct tp_flow *from)
{
	char text[NET_ADDR_TEXT];

	tp_count(tp, tp->g->counts.parse_errors);
	log_debug("message.unparsable", LOG_S("transport", tp_proto_param(from->proto)),
	          LOG_S("source", net_addr_text(&from->remote, text)));
}

void tp_deliver(struct transport *tp, struct msgbuf *buf, const struct tp_input *notes)
{
	struct sip_msg *msg = NULL;

	if (tp->trace) {
		trace_received(tp, buf, notes);
	}
	sip_msg_parse(buf, notes->n, notes->parse_flags, &tp->w->arenas, tp->w->bufs, &msg);
	if (!msg) {
		drop_unparsable(tp, &notes->from);
		return;
	}
	if (msg->is_request && (notes->status == 513 || (notes->status && !msg->error))) {
		msg->error = notes->status;
		msg->error_r = notes->status == 513 ? "Message Too Large" : "Bad Content-Length";
	}
	count(tp, msg, &notes->from);
	if (msg->is_request) {
		tp->user.request(tp->user.arg, msg, &notes->from);
	} else {
		tp->user.response(tp->user.arg, msg, &notes->from);
	}
}

/* --- not SIP -------------------------------------------------------------------------------------
 */

static void deliver_packet(struct transport *tp, struct msgbuf *buf, const struct tp_input *notes)
{
	enum tp_verdict verdict = TP_CONTINUE;

	if (tp->user.packet) {
		verdict =
			tp->user.packet(tp->user.arg, str_make(buf->data, notes->n), &notes->from);
	}
	if (verdict != TP_DONE) {
		tp_count(tp, tp->g->counts.dropped[TP_DROP_NOT_SIP]);
	}
}

/* What a packet hook sends may lie in the buffer: it goes at the turn's end. */
static void packet_free(struct job *job, void *ctx)
{
	struct tp_input *in = (struct tp_input *)(void *)job;
	struct worker *w = ctx;
	struct msgbuf *buf = in->buf;

	msgbuf_unref(&buf, w->bufs);
}

/* --- the run queue -------------------------------------------------------------------------------
 */

static void input_run(struct job *job, void *ctx)
{
	struct tp_input *in = (struct tp_input *)(void *)job;
	struct worker *w = ctx;
	struct transport *tp = in->g->tp[w->id];

	if (in->is_packet) {
		deliver_packet(tp, in->buf, in);
		in->job.run = packet_free;
		worker_reap(w, &in->job);
	} else {
		const struct tp_input notes = *in; /* the buffer is given away */

		tp_deliver(tp, notes.buf, &notes);
	}
}

static void input_arrive(struct job *job, void *ctx)
{
	job->run = input_run;
	worker_run(ctx, WORKER_CLASS_NORMAL, job);
}

void tp_input(struct transport *tp, unsigned owner, struct msgbuf *buf,
              const struct tp_input *notes)
{
	struct tp_input *in = (void *)(buf->data + tp_input_cap(buf));

	*in = *notes;
	in->g = tp->g;
	in->buf = buf;
	if (owner == tp->w->id) {
		in->job.run = input_run;
		worker_run(tp->w, WORKER_CLASS_NORMAL, &in->job);
		return;
	}
	in->job.run = input_arrive;
	if (!worker_post(tp->w, owner, &in->job)) {
		tp_count(tp, tp->g->counts.dropped[TP_DROP_MAILBOX_FULL]);
		msgbuf_unref(&buf, tp->w->bufs);
	}
}
