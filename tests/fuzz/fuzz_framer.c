/* SPDX-License-Identifier: Apache-2.0 */
/* A byte stream, whole and in small pieces: it is cut at the same places, and what is cut out has
 * the length that the parser finds. */
#include "sip/framer.h"
#include "sip/msg.h"

#include "must.h"

#define FRAMES_MAX 4096
#define LIMIT      4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct frames {
	size_t n;
	struct {
		enum sip_frame frame;
		size_t end;
	} v[FRAMES_MAX];
};

static bool goes_on(enum sip_frame frame)
{
	return frame == SIP_FRAME_MESSAGE || frame == SIP_FRAME_KEEPALIVE ||
	       frame == SIP_FRAME_CRLF;
}

static void cut(struct str stream, size_t step, struct frames *frames)
{
	struct sip_framer f = { 0 };
	size_t begin = 0, there = step < stream.n ? step : stream.n, n;
	enum sip_frame frame;

	frames->n = 0;
	while (frames->n < FRAMES_MAX) {
		frame = sip_framer_next(&f, str_make(stream.p + begin, there - begin), LIMIT, &n);
		MUST(n <= there - begin);
		if (frame == SIP_FRAME_MORE) {
			if (there == stream.n) {
				return;
			}
			there = stream.n - there > step ? there + step : stream.n;
			continue;
		}
		begin += goes_on(frame) ? n : 0;
		frames->v[frames->n].frame = frame;
		frames->v[frames->n++].end = begin;
		if (!goes_on(frame)) {
			return;
		}
		MUST(n > 0 && n <= LIMIT);
		f = (struct sip_framer){ 0 };
	}
}

static void check_messages(struct str stream, const struct frames *frames)
{
	size_t begin = 0;

	for (size_t i = 0; i < frames->n; i++) {
		struct str text = str_make(stream.p + begin, frames->v[i].end - begin);
		struct sip_msg *msg;

		if (frames->v[i].frame == SIP_FRAME_MESSAGE &&
		    sip_msg_parse_text(text, SIP_PARSE_STREAM, &msg) == 0) {
			MUST(!msg->body_cut && msg->text.n == text.n);
			sip_msg_unref(&msg);
		} else if (frames->v[i].frame == SIP_FRAME_MESSAGE) {
			sip_msg_unref(&msg);
		}
		begin = frames->v[i].end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frames whole, pieces;
	struct str stream = str_make((const char *)data, size);

	cut(stream, size + 1, &whole);
	check_messages(stream, &whole);
	for (size_t step = 1; step < 64; step = step * 3 + 1) {
		cut(stream, step, &pieces);
		MUST(pieces.n == whole.n);
		for (size_t i = 0; i < whole.n; i++) {
			MUST(pieces.v[i].frame == whole.v[i].frame);
			MUST(pieces.v[i].end == whole.v[i].end);
		}
	}
	return 0;
}
