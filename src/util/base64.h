/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648): standard with padding, and the URL alphabet without. Hexadecimal. */
#pragma once

#include "util/str.h"

#define BASE64_LEN(n)    (((n) + 2) / 3 * 4)
#define BASE64URL_LEN(n) (((n) * 4 + 2) / 3)

/* @out has room for BASE64_LEN / BASE64URL_LEN; returns what was written. No NUL. */
BELFRY_API size_t base64_encode(char *out, const void *in, size_t n);
BELFRY_API size_t base64url_encode(char *out, const void *in, size_t n);
/* Strict: no white space, canonical padding and trailing bits. Bytes written, or -EINVAL,
 * -ENOSPC. */
BELFRY_API ptrdiff_t base64_decode(void *out, size_t cap, struct str in);
BELFRY_API ptrdiff_t base64url_decode(void *out, size_t cap, struct str in);
/* Lower case, 2*n characters. */
BELFRY_API void hex_encode(char *out, const void *in, size_t n);
/* Either case; @in.n must be 2*n. 0 or -EINVAL. */
BELFRY_API int hex_decode(void *out, size_t n, struct str in);
