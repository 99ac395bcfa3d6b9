/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/framer.h"

#include "sip/addr.h"
#include "sip/line.h"

static enum sip_frame answer(enum sip_frame frame, size_t n, size_t *n_r)
{
	*n_r = n;
	return frame;
}

/* What is not the beginning of a message, or MESSAGE if it may be one. */
static enum sip_frame before_message(struct str data, size_t *n_r)
{
	const char *p = data.p;

	if (data.n == 0) {
		return SIP_FRAME_MORE;
	}
	if (p[0] != '\r') {
		return sip_is(p[0], SIP_C_TOKEN) ? SIP_FRAME_MESSAGE
		                                 : answer(SIP_FRAME_NOT_SIP, 0, n_r);
	}
	if (data.n > 1 && p[1] != '\n') {
		return answer(SIP_FRAME_NOT_SIP, 0, n_r);
	}
	if (data.n < 3 || (data.n == 3 && p[2] == '\r')) {
		return SIP_FRAME_MORE;
	}
	return p[2] == '\r' && p[3] == '\n' ? answer(SIP_FRAME_KEEPALIVE, 4, n_r)
	                                    : answer(SIP_FRAME_CRLF, 2, n_r);
}

/* The bytes of the head with its empty line, 0 if that is not there yet. */
static size_t find_head(struct sip_framer *f, struct str data)
{
	size_t from = f->scanned > 3 ? f->scanned - 3 : 0;
	const char *hit = memmem(data.p + from, data.n - from, "\r\n\r\n", 4);

	f->scanned = data.n;
	return hit ? (size_t)(hit + 4 - data.p) : 0;
}

/* Other fields are only stepped over. */
static bool may_be_length(char c)
{
	return (c | 0x20) == 'l' || (c | 0x20) == 'c';
}

/* The next Content-Length field of [p, end): where to go on behind it, NULL if there is none. */
static const char *next_length(const char *p, const char *end, struct str *value_r)
{
	struct sip_field field;
	bool bad;

	while (p < end && !sip_is_crlf(p, end)) {
		if (may_be_length(*p)) {
			int got = sip_field_take(p, end, &field);

			if (got == 0) {
				return NULL;
			}
			p = field.next;
			if (got > 0 && field.id == SIP_H_CONTENT_LENGTH) {
				*value_r = field.value;
				return p;
			}
		} else {
			p = sip_field_end(p, end, &bad);
			if (p == NULL) {
				return NULL;
			}
			p += 2;
		}
	}
	return NULL;
}

/* The value of Content-Length. MESSAGE, NO_LENGTH or BAD. */
static enum sip_frame find_length(struct str head, uint32_t *length_r)
{
	const char *end = head.p + head.n, *p = sip_find_eol(head.p, end) + 2;
	enum sip_frame result = SIP_FRAME_NO_LENGTH;
	struct str value;
	uint32_t length;

	while ((p = next_length(p, end, &value)) != NULL) {
		if (sip_delta_parse(value, &length) ||
		    (result == SIP_FRAME_MESSAGE && length != *length_r)) {
			return SIP_FRAME_BAD;
		}
		*length_r = length;
		result = SIP_FRAME_MESSAGE;
	}
	return result;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum sip_frame sip_framer_next(struct sip_framer *f, struct str data, size_t max, size_t *n_r)
{
	enum sip_frame frame;
	uint32_t length = 0;

	*n_r = 0;
	if (f->head_n == 0) {
		frame = before_message(data, n_r);
		if (frame != SIP_FRAME_MESSAGE) {
			return frame;
		}
		f->head_n = find_head(f, data);
		if (f->head_n > max || (f->head_n == 0 && data.n > max)) {
			return answer(SIP_FRAME_TOO_LARGE, smaller(data.n, max), n_r);
		}
		if (f->head_n == 0) {
			return SIP_FRAME_MORE;
		}
		frame = find_length(str_make(data.p, f->head_n), &length);
		if (frame != SIP_FRAME_MESSAGE) {
			return answer(frame, f->head_n, n_r);
		}
		f->body_n = length;
	}
	if (f->body_n > max - f->head_n) {
		return answer(SIP_FRAME_TOO_LARGE, smaller(data.n, max), n_r);
	}
	if (data.n - f->head_n < f->body_n) {
		return SIP_FRAME_MORE;
	}
	return answer(SIP_FRAME_MESSAGE, f->head_n + f->body_n, n_r);
}
