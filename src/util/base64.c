/* SPDX-License-Identifier: Apache-2.0 */
#include "util/base64.h"

#include <errno.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(char *out, const unsigned char *in, size_t n, const char *alphabet, bool pad)
{
	char *o = out;

	for (; n >= 3; in += 3, n -= 3) {
		*o++ = alphabet[in[0] >> 2];
		*o++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
		*o++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
		*o++ = alphabet[in[2] & 63];
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

/* -1: not of the alphabet, whose last two characters are @c62 and @c63. */
static int value_of(char c, char c62, char c63)
{
	unsigned char u = (unsigned char)c;

	if (ascii_is_digit(u)) {
		return u - '0' + 52;
	}
	if (ascii_is_alpha(u)) {
		return u >= 'a' ? u - 'a' + 26 : u - 'A';
	}
	if (c == c62) {
		return 62;
	}
	return c == c63 ? 63 : -1;
}

/* @in without padding. */
static ptrdiff_t decode(unsigned char *out, size_t cap, struct str in, char c62, char c63)
{
	size_t n = in.n / 4 * 3 + (in.n % 4 ? in.n % 4 - 1 : 0), at = 0;
	unsigned int bits = 0, bits_n = 0;

	if (in.n % 4 == 1) {
		return -EINVAL;
	}
	if (n > cap) {
		return -ENOSPC;
	}
	for (size_t i = 0; i < in.n; i++) {
		int v = value_of(in.p[i], c62, c63);

		if (v < 0) {
			return -EINVAL;
		}
		bits = (bits << 6 | (unsigned int)v) & 0xffff;
		bits_n += 6;
		if (bits_n >= 8) {
			bits_n -= 8;
			out[at++] = (unsigned char)(bits >> bits_n);
		}
	}
	/* Bits that no byte takes must be 0, or two texts would mean the same. */
	return bits & ((1U << bits_n) - 1) ? -EINVAL : (ptrdiff_t)n;
}

ptrdiff_t base64_decode(void *out, size_t cap, struct str in)
{
	if (in.n % 4) {
		return -EINVAL;
	}
	for (int pad = 0; pad < 2 && in.n && in.p[in.n - 1] == '='; pad++) {
		in.n--;
	}
	return decode(out, cap, in, '+', '/');
}

ptrdiff_t base64url_decode(void *out, size_t cap, struct str in)
{
	return decode(out, cap, in, '-', '_');
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

int hex_decode(void *out, size_t n, struct str in)
{
	unsigned char *o = out;

	if (in.n % 2 || in.n / 2 != n) {
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		int hi = ascii_hex_value((unsigned char)in.p[2 * i]);
		int lo = ascii_hex_value((unsigned char)in.p[2 * i + 1]);

		if (hi < 0 || lo < 0) {
			return -EINVAL;
		}
		o[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}
