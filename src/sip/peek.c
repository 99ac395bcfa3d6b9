/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/line.h"
#include "sip/msg.h"

#define PEEK_MAX 8192 /* bytes looked at */

/* The start line's method, if it has one. */
static bool peek_start(struct str line, struct sip_peek *peek)
{
	const char *p = line.p, *end = p + line.n, *space;

	if (line.n > 4 && str_eq_nocase(str_make(p, 4), STR("SIP/"))) {
		return true;
	}
	space = sip_span(p, end, SIP_C_TOKEN);
	if (space == p || space == end || *space != ' ') {
		return false;
	}
	peek->is_request = true;
	peek->method = (uint8_t)sip_method_find(sip_slice(p, space));
	return true;
}

/* Only the first of each kind counts, as in sip_msg_parse(). */
static void peek_field(const struct sip_field *field, struct sip_peek *peek)
{
	struct sip_via via;
	const char *end = field->value.p + field->value.n;

	switch (field->id) {
	case SIP_H_VIA:
		if (!peek->via_branch.p) {
			end = sip_value_end(field->value.p, end);
			sip_via_parse(str_trim(sip_slice(field->value.p, end)), &via);
			peek->via_branch = via.branch.p ? via.branch : str_make(end, 0);
		}
		break;
	case SIP_H_CALL_ID:
		if (!peek->call_id.p) {
			peek->call_id = field->value;
		}
		break;
	case SIP_H_TO:
		if (!peek->to.p) {
			peek->to = field->value;
		}
		break;
	default: break;
	}
}

static bool is_enough(const struct sip_peek *peek)
{
	if (!peek->is_request) {
		return peek->via_branch.n > 0;
	}
	return peek->via_branch.p && peek->call_id.n > 0 &&
	       (peek->method != SIP_M_REGISTER || peek->to.n > 0);
}

bool sip_msg_peek(struct str text, struct sip_peek *peek_r)
{
	const char *p = text.p, *end, *eol;
	struct sip_field field;
	int got;

	*peek_r = (struct sip_peek){ 0 };
	if (text.n == 0) {
		return false;
	}
	end = p + (text.n > PEEK_MAX ? PEEK_MAX : text.n);
	while (sip_is_crlf(p, end)) {
		p += 2;
	}
	eol = sip_find_eol(p, end);
	if (!sip_is_crlf(eol, end) || !peek_start(sip_slice(p, eol), peek_r)) {
		return false;
	}
	for (p = eol + 2; !is_enough(peek_r) && !sip_is_crlf(p, end); p = field.next) {
		got = sip_field_take(p, end, &field);
		if (got == 0) {
			break;
		}
		if (got > 0) {
			peek_field(&field, peek_r);
		}
	}
	return is_enough(peek_r);
}
