/* SPDX-License-Identifier: Apache-2.0 */
/* Sending on streams, also on those of other workers: then the message is flattened once. */
#include <errno.h>
#include <stdlib.h>

#include "transport/stream.h"
#include "util/err.h"

int stream_put(struct stream *s, const struct iovec *iov, unsigned n)
{
	int err;

	if (s->state == STREAM_DRAINING || s->state == STREAM_ENDED) {
		return BELFRY_EUNREACH;
	}
	err = conn_send(&s->conn, iov, n);
	if (err != 0) {
		return err == -ENOBUFS ? BELFRY_EFULL : err == -EPIPE ? BELFRY_EUNREACH : err;
	}
	s->is_answered = true;
	if (list_is_empty(&s->dirty)) {
		list_append(&s->tp->streams->dirty, &s->dirty);
	}
	return 0;
}

void streams_flush(struct transport *tp)
{
	struct stream_table *t = tp->streams;

	while (!list_is_empty(&t->dirty)) {
		struct stream *s = container_of(t->dirty.next, struct stream, dirty);

		list_del(&s->dirty);
		conn_flush(&s->conn);
		if (s->state == STREAM_ENDED) {
			continue;
		}
		if (s->conn.queued > 0) {
			if (s->stall_ms == 0 && s->state == STREAM_OPEN) {
				s->stall_ms = tp->w->clock.now_ms;
				s->stall_written = s->conn.written;
				stream_watch(s);
			}
		} else {
			s->conn.user->drained(&s->conn);
		}
	}
}

/* --- streams of other workers --------------------------------------------------------------------
 */

struct stream_post {
	struct job job;
	struct transport_group *g;
	struct tp_flow flow;
	bool reopen;
	struct iovec iov;
	char data[];
};

static void post_free(struct job *job, void *ctx)
{
	(void)ctx;
	free(job);
}

static void post_run(struct job *job, void *ctx)
{
	struct stream_post *post = (struct stream_post *)(void *)job;
	struct worker *w = ctx;
	struct transport *tp = post->g->tp[w->id];
	const struct sip_out out = { .iov = &post->iov, .iov_n = 1, .len = post->iov.iov_len };

	if (stream_send(tp, &post->flow, post->reopen, &out) == BELFRY_EUNREACH) {
		tp_unreachable(tp, post->flow.proto, &post->flow.remote, post->flow.conn);
	}
	post->job.run = post_free;
	worker_reap(w, &post->job);
}

static int post_send(struct transport *tp, const struct tp_flow *flow, bool reopen,
                     const struct sip_out *out)
{
	struct stream_post *post = malloc(sizeof(*post) + out->len);

	if (!post) {
		return -ENOMEM;
	}
	*post = (struct stream_post){
		.job.run = post_run, .g = tp->g, .flow = *flow, .reopen = reopen
	};
	post->iov = (struct iovec){ post->data, sip_out_copy(out, post->data, out->len) };
	/* Never refused: no answer may get lost between workers. What is read is bounded. */
	worker_post_sure(tp->w, stream_worker(flow->conn), &post->job);
	return 0;
}

/* --- send ----------------------------------------------------------------------------------------
 */

/* A trace is told here, by the connection's worker, who knows where it really leads. */
static int put_out(struct stream *s, const struct sip_out *out)
{
	int err = stream_put(s, out->iov, out->iov_n);

	if (err == 0) {
		tp_trace(s->tp, true, &s->flow, out);
	}
	return err;
}

int stream_send(struct transport *tp, struct tp_flow *flow, bool reopen, const struct sip_out *out)
{
	/* Answers, which may be reopened for, still go to a peer that has sent FIN. */
	uint32_t need = reopen ? STREAM_USABLE : STREAM_IS_FLOW;
	struct stream *s;
	int err;

	if (flow->conn && stream_has_flag(tp->g, flow->conn, need)) {
		if (stream_worker(flow->conn) != tp->w->id) {
			return post_send(tp, flow, reopen, out);
		}
		s = stream_find(tp, flow->conn);
		return put_out(s, out);
	}
	if (flow->conn && !reopen) {
		return BELFRY_EUNREACH;
	}
	s = stream_of_remote(tp, flow->proto, &flow->remote);
	if (!s) {
		err = stream_connect(tp, flow, &s);
		if (err != 0) {
			return err;
		}
	}
	flow->conn = s->flow.conn;
	flow->accepted = false;
	return put_out(s, out);
}

struct close_job {
	struct job job;
	struct transport_group *g;
	uint64_t conn;
};

static void close_run(struct job *job, void *ctx)
{
	struct close_job *cj = (struct close_job *)(void *)job;
	const struct worker *w = ctx;

	stream_close(cj->g->tp[w->id], cj->conn);
	free(cj);
}

/* Without memory the stream of another worker stays: it ends by its time-outs. */
void stream_close(struct transport *tp, uint64_t conn)
{
	struct stream *s;
	struct close_job *cj;

	if (stream_worker(conn) == tp->w->id) {
		s = stream_find(tp, conn);
		if (s) {
			stream_end(s, BELFRY_ECANCELED);
		}
		return;
	}
	cj = stream_has_flag(tp->g, conn, STREAM_USABLE) ? malloc(sizeof(*cj)) : NULL;
	if (cj) {
		*cj = (struct close_job){ .job.run = close_run, .g = tp->g, .conn = conn };
		worker_post_sure(tp->w, stream_worker(conn), &cj->job);
	}
}
