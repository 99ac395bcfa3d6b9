/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as pointer and length. Borrowed from whoever owns the bytes (usually a received message),
 * never NUL-terminated unless a comment says so. A value: pass and return it by copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef BELFRY_API
#define BELFRY_API __attribute__((visibility("default")))
#endif

struct str {
	const char *p;
	size_t n;
};

#define STR(literal)     ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal) { "" literal, sizeof(literal) - 1 } /* for static tables */
#define STR_NONE         ((struct str){ NULL, 0 })
/* For printf("%.*s"). */
#define STR_FMT(s)       (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_make(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline struct str str_from(const char *z)
{
	return (struct str){ z, z ? strlen(z) : 0 };
}

static inline bool str_is_empty(struct str s)
{
	return s.n == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII only: SIP's case-insensitive tokens (RFC 3261 7.3.1). */
static inline unsigned char ascii_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static inline bool ascii_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(unsigned char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}

/* -1 if @c is no hexadecimal digit. */
static inline int ascii_hex_value(unsigned char c)
{
	if (ascii_is_digit(c)) {
		return c - '0';
	}
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Leaves out the first @n bytes; @n must not exceed the length. */
static inline struct str str_skip(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.n - n };
}

/* Without spaces, tabs, CR and LF at both ends. */
BELFRY_API struct str str_trim(struct str s);
BELFRY_API bool str_eq_nocase(struct str a, struct str b);
BELFRY_API int str_cmp(struct str a, struct str b); /* like memcmp, shorter first */
BELFRY_API int str_cmp_nocase(struct str a, struct str b);
BELFRY_API bool str_starts(struct str s, struct str prefix);
BELFRY_API bool str_starts_nocase(struct str s, struct str prefix);
BELFRY_API bool str_ends(struct str s, struct str suffix);
BELFRY_API bool str_contains_nocase(struct str s, struct str part);
/* Position of @c or -1. */
BELFRY_API ptrdiff_t str_find(struct str s, char c);
/* Cuts @s at the first @c: the part before goes to *head_r, the rest after it to *tail_r.
 * Without @c: false, all to *head_r and an empty tail. */
BELFRY_API bool str_cut(struct str s, char c, struct str *head_r, struct str *tail_r);
/* Glob with `*` at either end only, as routes use it; case-sensitive unless @nocase. */
BELFRY_API bool str_glob(struct str pattern, struct str s, bool nocase);

/* Whole of @s is a decimal number without sign. 0, or -EINVAL (not digits, empty), -ERANGE
 * (above @max; *v_r is then @max). */
BELFRY_API int str_to_u64(struct str s, uint64_t max, uint64_t *v_r);
BELFRY_API int str_to_u32(struct str s, uint32_t *v_r);

/* Constant time in the content; for secrets (lengths may differ in time). */
BELFRY_API bool str_eq_secret(struct str a, struct str b);

/* Heap copy with a NUL behind it; NULL when out of memory. Free with free(). */
BELFRY_API char *str_dup(struct str s);

/* A list of strings: the settings and modules use it; the array and the text have one owner. */
struct str_list {
	struct str *v;
	size_t n;
};
