/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by name, and the values of list fields. */
#include "sip/msg.h"
#include "sip/token.h"

const char *sip_value_end(const char *p, const char *end)
{
	if (memchr(p, ',', (size_t)(end - p)) == NULL) {
		return end;
	}
	for (; p < end; p++) {
		if (*p == ',') {
			return p;
		}
		if (*p == '"') {
			p = sip_quoted_end(p, end);
			if (p == NULL) {
				return end;
			}
			p--;
		} else if (*p == '<') {
			p = memchr(p, '>', (size_t)(end - p));
			if (p == NULL) {
				return end;
			}
		}
	}
	return end;
}

struct str sip_msg_header(const struct sip_msg *msg, enum sip_hdr id)
{
	int index = msg->first[id];

	return index >= 0 ? sip_msg_value(msg, index) : STR_NONE;
}

struct str sip_msg_header_named(const struct sip_msg *msg, struct str name)
{
	enum sip_hdr id = sip_hdr_find(name);

	if (id != SIP_H_OTHER) {
		return sip_msg_header(msg, id);
	}
	for (int i = 0; i < msg->headers_n; i++) {
		const struct sip_header *h = &msg->headers[i];

		if (h->id == SIP_H_OTHER &&
		    str_eq_nocase(str_make(msg->text.p + h->off, h->name_n), name)) {
			return sip_msg_value(msg, i);
		}
	}
	return STR_NONE;
}

int sip_msg_next(const struct sip_msg *msg, enum sip_hdr id, int after)
{
	int i = after + 1;

	if (after < 0 && id != SIP_H_OTHER) {
		return msg->first[id];
	}
	while (i < msg->headers_n && msg->headers[i].id != id) {
		i++;
	}
	return i < msg->headers_n ? i : -1;
}

void sip_values_init(struct sip_values *it, const struct sip_msg *msg, enum sip_hdr id)
{
	*it = (struct sip_values){ .msg = msg, .id = id, .index = -1 };
}

bool sip_values_next(struct sip_values *it)
{
	for (;;) {
		const char *p, *end, *value_end;

		if (it->rest.n == 0) {
			it->index = it->index == -2 ? -2 : sip_msg_next(it->msg, it->id, it->index);
			if (it->index < 0) {
				it->index = -2; /* stays at the end */
				return false;
			}
			it->rest = sip_msg_value(it->msg, it->index);
			continue;
		}
		p = it->rest.p;
		end = p + it->rest.n;
		value_end = sip_value_end(p, end);
		it->rest = sip_slice(value_end < end ? value_end + 1 : end, end);
		p = sip_skip_lws(p, value_end);
		while (value_end > p && sip_is(value_end[-1], SIP_C_LWS)) {
			value_end--;
		}
		if (value_end > p) { /* empty elements are left out */
			it->value = sip_slice(p, value_end);
			it->off = (uint32_t)(p - it->msg->text.p);
			it->end = (uint32_t)(value_end - it->msg->text.p);
			return true;
		}
	}
}

bool sip_msg_has_token(const struct sip_msg *msg, enum sip_hdr id, struct str token)
{
	struct sip_values it;

	if (msg->first[id] < 0) {
		return false;
	}
	sip_values_init(&it, msg, id);
	while (sip_values_next(&it)) {
		if (str_eq_nocase(it.value, token)) {
			return true;
		}
	}
	return false;
}
