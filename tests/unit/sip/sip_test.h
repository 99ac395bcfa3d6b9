/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the message layer share. */
#pragma once

#include "sip/edit.h"
#include "sip/msg.h"
#include "util/err.h"

#include "support/unit.h"

#include <stdio.h>

/* A file under tests/data/, whole, in memory of its own (to be freed). */
static inline struct str test_load(const char *name)
{
	FILE *f = fopen(unit_data(name), "rb");
	char *p = malloc(SIP_MSG_MAX + 1);
	size_t n;

	ck_assert_msg(f != NULL && p != NULL, "cannot open %s", name);
	n = fread(p, 1, SIP_MSG_MAX + 1, f);
	fclose(f);
	/* Exactly as large, so that a sanitizer sees every byte read behind the end. */
	p = realloc(p, n ? n : 1);
	return str_make(p, n);
}

/* Parses a datagram; it must be good. */
static inline struct sip_msg *test_parse(struct str text)
{
	struct sip_msg *msg = NULL;
	int err = sip_msg_parse_text(text, 0, &msg);

	ck_assert_msg(err == 0, "refused: %s", msg ? msg->error_r : "dropped");
	ck_assert_ptr_nonnull(msg);
	return msg;
}

/* A request with everything that is mandatory, then @more lines, then @body. */
#define TEST_REQUEST(more, body)                                                                   \
	STR("INVITE sip:bob@example.com SIP/2.0\r\n"                                               \
	    "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport\r\n"                          \
	    "From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n"                                   \
	    "To: <sip:bob@example.com>\r\n"                                                        \
	    "Call-ID: c1@192.0.2.1\r\n"                                                            \
	    "CSeq: 7 INVITE\r\n"                                                                   \
	    "Max-Forwards: 70\r\n" more "\r\n" body)

/* The flattened message (to be freed). */
static inline struct str test_flatten(const struct sip_out *out)
{
	char *p = malloc(out->len ? out->len : 1);
	size_t n = sip_out_copy(out, p, out->len);

	ck_assert_uint_eq(n, out->len);
	return str_make(p, n);
}

#define test_free(s) free((void *)(uintptr_t)(s).p)
