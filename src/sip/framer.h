/* SPDX-License-Identifier: Apache-2.0 */
/* Messages out of a byte stream (RFC 3261 18.3, RFC 5626 3.5.1 keepalives). Pure; no memory. */
#pragma once

#include "util/str.h"

struct sip_framer { /* zeroed to begin; remembers what has been scanned so that slow senders cost linear time */
	size_t scanned;   /* bytes looked at for the end of headers */
	size_t head_n;    /* of the head with its empty line, 0: not known yet */
	size_t body_n;
};

enum sip_frame {
	SIP_FRAME_MORE,      /* need more bytes */
	SIP_FRAME_MESSAGE,   /* the first *n_r bytes are a message */
	SIP_FRAME_KEEPALIVE, /* the first *n_r (4) bytes are a double CRLF: answer with one (RFC 5626 3.5.1) */
	SIP_FRAME_CRLF,      /* the first *n_r bytes are CRLFs to skip (a pong or padding) */
	SIP_FRAME_NOT_SIP,   /* first byte is neither: for the packet hook (STUN), else close */
	SIP_FRAME_NO_LENGTH, /* complete head without Content-Length: *n_r bytes of head; 400 and close */
	SIP_FRAME_TOO_LARGE, /* head or head + Content-Length over the limit: 513 and close; *n_r bytes are there to answer from */
	SIP_FRAME_BAD,       /* Content-Length unreadable or contradictory: 400 and close */
};

/* @data is all that is buffered from the beginning of the next message. After MESSAGE, KEEPALIVE
 * and CRLF the caller drops *n_r bytes and zeroes the framer. */
BELFRY_API enum sip_frame sip_framer_next(struct sip_framer *f, struct str data, size_t max, size_t *n_r);
