/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/redact.h"

#include "sip/uri.h"

static bool is_eol(char c)
{
	return c == '\r' || c == '\n';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || is_eol(c);
}

static bool is_token(char c)
{
	return ascii_is_alpha((unsigned char)c) || ascii_is_digit((unsigned char)c) ||
	       (c != '\0' && strchr("-.!%*_+`'~", c) != NULL);
}

static char *skip_blanks(char *p, const char *end)
{
	while (p < end && is_blank(*p)) {
		p++;
	}
	return p;
}

static char *skip_token(char *p, const char *end)
{
	while (p < end && is_token(*p)) {
		p++;
	}
	return p;
}

static void mask(char *p, const char *end)
{
	for (; p < end; p++) {
		if (!is_blank(*p)) {
			*p = 'x';
		}
	}
}

/* Masks the value that begins at @p, quoted or not; where it ends. */
static char *mask_value(char *p, char *end)
{
	char *begin = p;

	if (p < end && *p == '"') {
		begin = ++p;
		while (p < end && *p != '"') {
			p += *p == '\\' && p + 1 < end ? 2 : 1;
		}
	} else {
		while (p < end && *p != ',' && !is_blank(*p)) {
			p++;
		}
	}
	mask(begin, p);
	return p;
}

/* Behind the string that begins at @p; @p if it has no end. */
static char *skip_quoted(char *p, char *end)
{
	for (char *q = p + 1; q < end; q++) {
		if (*q == '"') {
			return q + 1;
		}
		q += *q == '\\';
	}
	return p;
}

/* Every `name = value` in [p, end) that does not stand in a quoted string, or (@in_quoted) wherever
 * it stands. false: a string has no end. */
static bool mask_pass(char *p, char *end, struct str name, bool in_quoted)
{
	char *begin = p;
	bool is_whole = true;

	while ((size_t)(end - p) > name.n) {
		char *after = p + name.n;

		if (*p == '"' && !in_quoted) {
			after = skip_quoted(p, end);
			is_whole = is_whole && after > p;
			p = after > p ? after : p + 1;
			continue;
		}
		if (!str_eq_nocase(str_make(p, name.n), name) || (p > begin && is_token(p[-1])) ||
		    is_token(*after)) {
			p++;
			continue;
		}
		after = skip_blanks(after, end);
		if (after < end && *after == '=') {
			after = mask_value(skip_blanks(after + 1, end), end);
			after += after < end && *after == '"';
		}
		p = after;
	}
	return is_whole;
}

/* What stands in another parameter's value hides nothing. Where strings do not end, everything is
 * masked that looks like it. */
static void mask_param(char *p, char *end, struct str name)
{
	if (!mask_pass(p, end, name, false)) {
		(void)mask_pass(p, end, name, true);
	}
}

/* The value of an Authorization: Digest keeps all but the proof, of others nothing is told. */
static void mask_credentials(char *p, char *end)
{
	char *scheme = skip_blanks(p, end), *rest = skip_token(scheme, end);

	if (str_eq_nocase(str_make(scheme, (size_t)(rest - scheme)), STR("Digest"))) {
		mask_param(rest, end, STR("response"));
		mask_param(rest, end, STR("rspauth"));
	} else if (skip_blanks(rest, end) < end) {
		mask(rest, end);
	} else {
		mask(scheme, end);
	}
}

static void mask_field(struct str name, char *value, char *end)
{
	if (str_eq_nocase(name, STR("Authorization")) ||
	    str_eq_nocase(name, STR("Proxy-Authorization"))) {
		mask_credentials(value, end);
	} else if (str_eq_nocase(name, STR("Authentication-Info")) ||
	           str_eq_nocase(name, STR("Proxy-Authentication-Info"))) {
		mask_param(value, end, STR("rspauth"));
	}
}

/* --- lines of session descriptions --- */

/* Each "inline:KEY|LIFETIME|MKI" of a crypto attribute (RFC 4568 9.1). */
static void mask_inline(char *p, char *end)
{
	static const struct str name = STR_INIT("inline:");

	while ((size_t)(end - p) >= name.n) {
		if (!str_eq_nocase(str_make(p, name.n), name)) {
			p++;
			continue;
		}
		p += name.n;
		for (; p < end && !is_blank(*p) && *p != '|' && *p != ';'; p++) {
			*p = 'x';
		}
	}
}

/* All behind the first @c. */
static void mask_behind(char *p, char *end, char c)
{
	char *at = memchr(p, c, (size_t)(end - p));

	if (at) {
		mask(at + 1, end);
	}
}

static void mask_sdp(char *p, char *end)
{
	struct str line = str_make(p, (size_t)(end - p));

	if (str_starts(line, STR("a=crypto:"))) {
		mask_inline(p, end);
	} else if (str_starts(line, STR("a=key-mgmt:"))) { /* RFC 4567 3.1 */
		mask_behind(p, end, ' ');
	} else if (str_starts(line, STR("a=ice-pwd:")) || str_starts(line, STR("k="))) {
		mask_behind(p, end, ':');
	}
}

/* The end of the field that @p lies in: continuation lines belong to it. */
static char *field_end(char *p, const char *end)
{
	for (;;) {
		while (p < end && !is_eol(*p)) {
			p++;
		}
		if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
			p++;
		}
		if (end - p < 2 || (p[1] != ' ' && p[1] != '\t')) {
			return p < end ? p + 1 : p;
		}
		p += 2;
	}
}

void ctl_redact(char *p, size_t n)
{
	char *end = p + n;

	sip_mask_passwords(p, n);
	while (p < end) {
		char *name_end = skip_token(p, end), *colon = name_end, *next;

		while (colon < end && (*colon == ' ' || *colon == '\t')) {
			colon++;
		}
		next = field_end(colon, end);
		if (name_end > p && colon < end && *colon == ':') {
			mask_field(str_make(p, (size_t)(name_end - p)), colon + 1, next);
		} else if (name_end == p + 1) {
			mask_sdp(p, next);
		}
		p = next > p ? next : p + 1;
	}
}
