/* SPDX-License-Identifier: Apache-2.0 */
#include "util/log_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/base64.h"

#define TAIL_ROOM 24 /* kept for `truncated=true` in either format and the closing brace */

/* Length of the valid UTF-8 sequence at the start of @s that shows something; 0 if there is none
 * (control characters, C1 ones included, are none). */
static size_t utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t c, least;
	size_t n;

	if (p[0] < 0x80) {
		return p[0] >= 0x20 && p[0] != 0x7f;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		n = 2;
		c = p[0] & 0x1fU;
		least = 0xa0;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		n = 3;
		c = p[0] & 0x0fU;
		least = 0x800;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		n = 4;
		c = p[0] & 0x07U;
		least = 0x10000;
	} else {
		return 0;
	}
	if (s.n < n) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
		c = c << 6 | (p[i] & 0x3fU);
	}
	return c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

/* Cuts to LOG_VALUE_MAX, not inside a character. */
static struct str cut(struct str s)
{
	if (s.n <= LOG_VALUE_MAX) {
		return s;
	}
	s.n = LOG_VALUE_MAX;
	while (s.n > LOG_VALUE_MAX - 4 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) {
		s.n--;
	}
	return s;
}

static void escape(struct sbuf *out, unsigned char c, enum log_format format)
{
	char hex[2];

	switch (c) {
	case '"': sbuf_add(out, STR("\\\"")); return;
	case '\\': sbuf_add(out, STR("\\\\")); return;
	case '\n': sbuf_add(out, STR("\\n")); return;
	case '\r': sbuf_add(out, STR("\\r")); return;
	case '\t': sbuf_add(out, STR("\\t")); return;
	default: break;
	}
	if (format == LOG_AS_JSON && c >= 0x80) {
		sbuf_add(out, STR("\\ufffd"));
		return;
	}
	hex_encode(hex, &c, 1);
	sbuf_add(out, format == LOG_AS_JSON ? STR("\\u00") : STR("\\x"));
	sbuf_add(out, str_make(hex, 2));
}

static void quoted(struct sbuf *out, struct str s, enum log_format format)
{
	struct str rest = cut(s);
	bool is_cut = rest.n < s.n;

	sbuf_char(out, '"');
	while (rest.n) {
		size_t n = utf8_len(rest);

		if (n == 0 || rest.p[0] == '"' || rest.p[0] == '\\') {
			escape(out, (unsigned char)rest.p[0], format);
			n = 1;
		} else {
			sbuf_add(out, str_make(rest.p, n));
		}
		rest = str_skip(rest, n);
	}
	sbuf_add(out, is_cut ? STR("...\"") : STR("\""));
}

/* May stand in logfmt without quotes. */
static bool is_bare(struct str s)
{
	if (s.n == 0 || s.n > LOG_VALUE_MAX) {
		return false;
	}
	while (s.n) {
		size_t n = utf8_len(s);

		if (n == 0 || s.p[0] == ' ' || s.p[0] == '"' || s.p[0] == '=' || s.p[0] == '\\') {
			return false;
		}
		s = str_skip(s, n);
	}
	return true;
}

struct str log_text_value(const struct log_field *field, char *space)
{
	int n = 0;

	switch (field->type) {
	case LOG_F_STR: return field->s;
	case LOG_F_BOOL: return field->b ? STR("true") : STR("false");
	case LOG_F_I64: n = snprintf(space, 24, "%" PRId64, field->i); break;
	case LOG_F_U64: n = snprintf(space, 24, "%" PRIu64, field->u); break;
	}
	return str_make(space, (size_t)n);
}

static void put_time(struct sbuf *out, const struct timespec *time)
{
	struct tm tm;

	gmtime_r(&time->tv_sec, &tm);
	sbuf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
	            tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, time->tv_nsec / 1000);
}

static void put_field(struct sbuf *out, const struct log_field *field, enum log_format format)
{
	char space[24];
	struct str value = log_text_value(field, space);

	if (format == LOG_AS_LOGFMT) {
		sbuf_printf(out, " %s=", field->key);
		if (is_bare(value)) {
			sbuf_add(out, value);
			return;
		}
	} else {
		sbuf_printf(out, ",\"%s\":", field->key);
		if (field->type != LOG_F_STR) {
			sbuf_add(out, value);
			return;
		}
	}
	quoted(out, value, format);
}

static void put_head(struct sbuf *out, const struct log_line *line, enum log_format format)
{
	bool is_json = format == LOG_AS_JSON;

	if (is_json) {
		sbuf_char(out, '{');
	}
	if (line->time.tv_sec) {
		sbuf_add(out, is_json ? STR("\"ts\":\"") : STR("ts="));
		put_time(out, &line->time);
		sbuf_add(out, is_json ? STR("\",") : STR(" "));
	}
	sbuf_printf(out, is_json ? "\"level\":\"%s\",\"event\":\"%s\"" : "level=%s event=%s",
	            log_level_name(line->level), line->event);
}

void log_text_print(struct sbuf *out, const struct log_line *line, enum log_format format)
{
	bool truncated = false;

	out->cap -= TAIL_ROOM;
	put_head(out, line, format);
	for (size_t i = 0; i < line->n; i++) {
		size_t before = out->n;

		put_field(out, &line->fields[i], format);
		if (!sbuf_ok(out)) {
			out->n = before;
			out->overflow = false;
			truncated = true;
		}
	}
	out->cap += TAIL_ROOM;
	if (truncated) {
		sbuf_add(out, format == LOG_AS_JSON ? STR(",\"truncated\":true")
		                                    : STR(" truncated=true"));
	}
	if (format == LOG_AS_JSON) {
		sbuf_char(out, '}');
	}
}
