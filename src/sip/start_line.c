/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/scan.h"
#include "sip/token.h"

/* "SIP/" digits "." digits, any case (7.1). */
static bool is_version(struct str s)
{
	const char *p = s.p + 4, *end = s.p + s.n, *minor;

	if (s.n < 7 || !sip_is_word(str_make(s.p, 3), "sip", 3) || s.p[3] != '/') {
		return false;
	}
	while (p < end && ascii_is_digit((unsigned char)*p)) {
		p++;
	}
	if (p == s.p + 4 || p == end || *p != '.') {
		return false;
	}
	minor = ++p;
	while (p < end && ascii_is_digit((unsigned char)*p)) {
		p++;
	}
	return p > minor && p == end;
}

static bool is_sip2(struct str s)
{
	return s.n == 7 && s.p[4] == '2' && s.p[5] == '.' && s.p[6] == '0';
}

static void parse_ruri(struct sip_msg *msg)
{
	if (msg->ruri_text.n > SIP_URI_MAX) {
		sip_msg_refuse(msg, 414, "Request-URI Too Long");
		return;
	}
	/* Header parts have no place in a Request-URI (19.1.1, table 1). */
	if (sip_uri_parse(msg->ruri_text, &msg->ruri, NULL) || msg->ruri.headers.p) {
		sip_msg_refuse(msg, 400, "Bad Request-URI");
	}
}

static const char *find_last_space(const char *p, const char *end)
{
	while (end > p && *--end != ' ') {
	}
	return end > p ? end : NULL;
}

static bool parse_request_line(struct sip_msg *msg, const char *p, const char *end)
{
	const char *space = sip_span(p, end, SIP_C_TOKEN), *last;
	struct str version;

	if (space == p || space == end || *space != ' ') {
		return false;
	}
	msg->is_request = true;
	msg->method_text = sip_slice(p, space);
	msg->method = (uint8_t)sip_method_find(msg->method_text);
	if (end - space > 8 && memcmp(end - 8, " SIP/2.0", 8) == 0) {
		msg->ruri_text = sip_slice(space + 1, end - 8);
		parse_ruri(msg);
		return true;
	}
	last = find_last_space(space + 1, end);
	if (last == NULL) {
		sip_msg_refuse(msg, 400, "Bad Request-Line");
		return true;
	}
	version = sip_slice(last + 1, end);
	msg->ruri_text = sip_slice(space + 1, last);
	if (!is_version(version)) {
		sip_msg_refuse(msg, 400, "Bad Request-Line");
	} else if (!is_sip2(version)) {
		sip_msg_refuse(msg, 505, "Version Not Supported");
	}
	parse_ruri(msg);
	return true;
}

/* Behind "SIP/2.0 ": three digits, then a reason phrase that may be empty (7.2). */
static bool parse_status_line(struct sip_msg *msg, const char *p, const char *end)
{
	if (end - p < 3 || p[0] < '1' || p[0] > '6' || !ascii_is_digit((unsigned char)p[1]) ||
	    !ascii_is_digit((unsigned char)p[2])) {
		return false;
	}
	msg->status = (uint16_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	p += 3;
	if (p < end && *p++ != ' ') {
		return false;
	}
	msg->reason = sip_slice(p, end);
	return true;
}

bool sip_start_line(struct sip_msg *msg, struct str line)
{
	const char *p = line.p, *end = p + line.n;

	if (line.n > 8 && p[7] == ' ' && is_version(str_make(p, 7))) {
		return is_sip2(str_make(p, 7)) && parse_status_line(msg, p + 8, end);
	}
	return parse_request_line(msg, p, end);
}
