/* SPDX-License-Identifier: Apache-2.0 */
#include "util/sbuf.h"

#include <stdarg.h>
#include <stdio.h>

void sbuf_u64(struct sbuf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	sbuf_add(b, str_make(digits + at, sizeof(digits) - at));
}

void sbuf_printf(struct sbuf *b, const char *fmt, ...)
{
	char small[256];
	size_t room = b->cap - b->n;
	va_list ap;
	int n;

	/* vsnprintf() needs room for a NUL that we do not keep. */
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n > room) {
		b->overflow = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		sbuf_add(b, str_make(small, (size_t)n));
		return;
	}
	if ((size_t)n == room) { /* no place for the NUL */
		b->overflow = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, room, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}
