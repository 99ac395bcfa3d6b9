/* SPDX-License-Identifier: Apache-2.0 */
#include "util/base64.h"

#include <errno.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(char *out, const unsigned char *in, size_t n, const char *alphabet, bool pad)
{
	char *o = out;

	for (; n >= 3; in += 3, n -= 3) {
		unsigned int bits = (unsigned int)in[0] << 16 | (unsigned int)in[1] << 8 | in[2];

		*o++ = alphabet[bits >> 18];
		*o++ = alphabet[bits >> 12 & 63];
		*o++ = alphabet[bits >> 6 & 63];
		*o++ = alphabet[bits & 63];
	}
	if (n) {
		unsigned int second = n == 2 ? in[1] : 0;

		*o++ = alphabet[in[0] >> 2];
		*o++ = alphabet[(in[0] & 3U) << 4 | second >> 4];
		if (n == 2) {
			*o++ = alphabet[(second & 15) << 2];
		} else if (pad) {
			*o++ = '=';
		}
		if (pad) {
			*o++ = '=';
		}
	}
	return (size_t)(o - out);
}

size_t base64_encode(char *out, const void *in, size_t n)
{
	return encode(out, in, n, standard, true);
}

size_t base64url_encode(char *out, const void *in, size_t n)
{
	return encode(out, in, n, url_safe, false);
}

/* Value + 1 of what both alphabets share. */
#define SHARED                                                                                     \
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,    \
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15,         \
	['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22,        \
	['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29,        \
	['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,        \
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43,        \
	['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,        \
	['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,        \
	['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

/* 0: not of the alphabet. */
static const unsigned char standard_values[256] = { SHARED, ['+'] = 63, ['/'] = 64 };
static const unsigned char url_safe_values[256] = { SHARED, ['-'] = 63, ['_'] = 64 };

/* -1: not of the alphabet. */
static inline int value_of(const unsigned char *values, char c)
{
	return values[(unsigned char)c] - 1;
}

/* The last two or three characters: one byte or two. Bits that no byte takes must be 0, or two
 * texts would mean the same. */
static int decode_rest(unsigned char *out, const char *p, size_t n, const unsigned char *values)
{
	int a = value_of(values, p[0]), b = value_of(values, p[1]);
	int c = n == 3 ? value_of(values, p[2]) : 0;

	if ((a | b | c) < 0 || (n == 2 ? b & 15 : c & 3)) {
		return -EINVAL;
	}
	out[0] = (unsigned char)(a << 2 | b >> 4);
	if (n == 3) {
		out[1] = (unsigned char)(b << 4 | c >> 2);
	}
	return 0;
}

/* @in without padding. */
static ptrdiff_t decode(unsigned char *out, size_t cap, struct str in, const unsigned char *values)
{
	size_t rest = in.n % 4, n = in.n / 4 * 3 + (rest ? rest - 1 : 0);
	const char *p = in.p, *end = in.p + (in.n - rest);

	if (rest == 1) {
		return -EINVAL;
	}
	if (n > cap) {
		return -ENOSPC;
	}
	for (; p < end; p += 4, out += 3) {
		int a = value_of(values, p[0]), b = value_of(values, p[1]);
		int c = value_of(values, p[2]), d = value_of(values, p[3]);

		if ((a | b | c | d) < 0) {
			return -EINVAL;
		}
		out[0] = (unsigned char)(a << 2 | b >> 4);
		out[1] = (unsigned char)(b << 4 | c >> 2);
		out[2] = (unsigned char)(c << 6 | d);
	}
	if (rest && decode_rest(out, p, rest, values) != 0) {
		return -EINVAL;
	}
	return (ptrdiff_t)n;
}

ptrdiff_t base64_decode(void *out, size_t cap, struct str in)
{
	if (in.n % 4) {
		return -EINVAL;
	}
	for (int pad = 0; pad < 2 && in.n && in.p[in.n - 1] == '='; pad++) {
		in.n--;
	}
	return decode(out, cap, in, standard_values);
}

ptrdiff_t base64url_decode(void *out, size_t cap, struct str in)
{
	return decode(out, cap, in, url_safe_values);
}

void hex_encode(char *out, const void *in, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = in;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
}

/* Value + 1; 0: no hexadecimal digit. */
static const unsigned char hex_values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int hex_decode(void *out, size_t n, struct str in)
{
	unsigned char *o = out;

	if (in.n % 2 || in.n / 2 != n) {
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		int hi = value_of(hex_values, in.p[2 * i]);
		int lo = value_of(hex_values, in.p[2 * i + 1]);

		if ((hi | lo) < 0) {
			return -EINVAL;
		}
		o[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}
