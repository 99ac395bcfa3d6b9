/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text built into a fixed space. Writing past the end is remembered, not done: check sbuf_ok()
 * once at the end.
 */
#pragma once

#include "util/str.h"

struct sbuf {
	char *p;
	size_t n, cap;
	bool overflow;
};

static inline void sbuf_init(struct sbuf *b, char *space, size_t cap)
{
	*b = (struct sbuf){ .p = space, .cap = cap };
}

static inline void sbuf_add(struct sbuf *b, struct str s)
{
	if (s.n > b->cap - b->n) {
		b->overflow = true;
		return;
	}
	if (s.n) {
		memcpy(b->p + b->n, s.p, s.n);
		b->n += s.n;
	}
}

static inline void sbuf_char(struct sbuf *b, char c)
{
	sbuf_add(b, str_make(&c, 1));
}

static inline bool sbuf_ok(const struct sbuf *b)
{
	return !b->overflow;
}

static inline struct str sbuf_str(const struct sbuf *b)
{
	return str_make(b->p, b->n);
}

BELFRY_API void sbuf_u64(struct sbuf *b, uint64_t v);
/* A text of 256 bytes or more needs one byte of room beyond it. */
BELFRY_API void sbuf_printf(struct sbuf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
