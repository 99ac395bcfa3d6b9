/* SPDX-License-Identifier: Apache-2.0 */
#include "util/str.h"

#include <errno.h>
#include <stdlib.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The same @n bytes? From 4 on in words, the last of which may overlap the one before. */
static bool eq(const char *a, const char *b, size_t n)
{
	size_t i = 0;

	for (; n - i > 8; i += 8) {
		if (memcmp(a + i, b + i, 8) != 0) {
			return false;
		}
	}
	if (n >= 8) {
		return memcmp(a + n - 8, b + n - 8, 8) == 0;
	}
	if (n >= 4) {
		return memcmp(a, b, 4) == 0 && memcmp(a + n - 4, b + n - 4, 4) == 0;
	}
	for (; i < n && a[i] == b[i]; i++) {
	}
	return i == n;
}

/* Same bytes but for the case of ASCII letters? Mostly they are the same in all. */
static bool eq_nocase(const char *a, const char *b, size_t n)
{
	if (eq(a, b, n)) {
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] &&
		    ascii_lower((unsigned char)a[i]) != ascii_lower((unsigned char)b[i])) {
			return false;
		}
	}
	return true;
}

struct str str_trim(struct str s)
{
	while (s.n && is_space(s.p[0])) {
		s = str_skip(s, 1);
	}
	while (s.n && is_space(s.p[s.n - 1])) {
		s.n--;
	}
	return s;
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && eq_nocase(a.p, b.p, a.n);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = size_min(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

int str_cmp_nocase(struct str a, struct str b)
{
	size_t n = size_min(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int c = ascii_lower((unsigned char)a.p[i]) - ascii_lower((unsigned char)b.p[i]);

		if (c) {
			return c;
		}
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_make(s.p, prefix.n), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && eq_nocase(s.p, prefix.p, prefix.n);
}

static bool ends(struct str s, struct str suffix, bool nocase)
{
	if (s.n < suffix.n) {
		return false;
	}
	s = str_skip(s, s.n - suffix.n);
	return nocase ? str_eq_nocase(s, suffix) : str_eq(s, suffix);
}

bool str_ends(struct str s, struct str suffix)
{
	return ends(s, suffix, false);
}

static bool contains(struct str s, struct str part, bool nocase)
{
	for (; s.n >= part.n; s = str_skip(s, 1)) {
		if (nocase ? str_starts_nocase(s, part) : str_starts(s, part)) {
			return true;
		}
		if (s.n == 0) {
			break;
		}
	}
	return false;
}

bool str_contains_nocase(struct str s, struct str part)
{
	return contains(s, part, true);
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

bool str_cut(struct str s, char c, struct str *head_r, struct str *tail_r)
{
	ptrdiff_t at = str_find(s, c);

	if (at < 0) {
		*head_r = s;
		*tail_r = s.n ? str_make(s.p + s.n, 0) : s;
		return false;
	}
	*head_r = str_make(s.p, (size_t)at);
	*tail_r = str_skip(s, (size_t)at + 1);
	return true;
}

bool str_glob(struct str pattern, struct str s, bool nocase)
{
	bool open_head = pattern.n && pattern.p[0] == '*';
	bool open_tail = pattern.n > (open_head ? 1 : 0) && pattern.p[pattern.n - 1] == '*';

	if (open_head) {
		pattern = str_skip(pattern, 1);
	}
	if (open_tail) {
		pattern.n--;
	}
	if (open_head && open_tail) {
		return contains(s, pattern, nocase);
	}
	if (open_head) {
		return ends(s, pattern, nocase);
	}
	if (open_tail) {
		return nocase ? str_starts_nocase(s, pattern) : str_starts(s, pattern);
	}
	return nocase ? str_eq_nocase(s, pattern) : str_eq(s, pattern);
}

int str_to_u64(struct str s, uint64_t max, uint64_t *v_r)
{
	uint64_t v = 0;
	bool over = false;

	if (s.n == 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!ascii_is_digit(c)) {
			return -EINVAL;
		}
		over = over || __builtin_mul_overflow(v, 10, &v) ||
		       __builtin_add_overflow(v, c - '0', &v);
	}
	if (over || v > max) {
		*v_r = max;
		return -ERANGE;
	}
	*v_r = v;
	return 0;
}

int str_to_u32(struct str s, uint32_t *v_r)
{
	uint64_t v;
	int err = str_to_u64(s, UINT32_MAX, &v);

	if (err != -EINVAL) {
		*v_r = (uint32_t)v;
	}
	return err;
}

bool str_eq_secret(struct str a, struct str b)
{
	volatile uint64_t diff = 0;
	size_t i = 0;

	if (a.n != b.n) {
		return false;
	}
	for (; i + 8 <= a.n; i += 8) {
		uint64_t x, y;

		memcpy(&x, a.p + i, sizeof(x));
		memcpy(&y, b.p + i, sizeof(y));
		diff = diff | (x ^ y);
	}
	for (; i < a.n; i++) {
		diff = diff | (unsigned char)(a.p[i] ^ b.p[i]);
	}
	return diff == 0;
}

char *str_dup(struct str s)
{
	char *p = malloc(s.n + 1);

	if (!p) {
		return NULL;
	}
	if (s.n) {
		memcpy(p, s.p, s.n);
	}
	p[s.n] = '\0';
	return p;
}
