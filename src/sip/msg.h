/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SIP message as received (RFC 3261 7): one pass over the bytes records where each header field
 * is and decodes what routing needs. Nothing is copied: every str points into the buffer. A message
 * is immutable once parsed (decode-on-demand caches aside) and reference-counted; it owns an arena
 * (transactions and response contexts put what belongs to the request there) and a reference to its
 * buffer. One thread at a time.
 */
#pragma once

#include "sip/hdr.h"
#include "sip/uri.h"
#include "sip/via.h"
#include "util/arena.h"
#include "util/msgbuf.h"

#define SIP_MSG_MAX     65536 /* bytes: 513 above it on streams */
#define SIP_URI_MAX     8192  /* bytes of a Request-URI: 414 above it */
#define SIP_HEADERS_MAX 512   /* header fields; more is 400 */
#define SIP_VIAS_MAX    140   /* Via values counted; more is 400 */

struct sip_header {
	uint16_t id;       /* enum sip_hdr */
	uint16_t name_n;
	uint32_t off;      /* first byte of the field name, from msg->text.p */
	uint32_t value_off;
	uint32_t value_n;  /* without leading and trailing LWS; folds inside stay */
	uint32_t next_off; /* first byte after the field's CRLF: where the next field begins */
};

struct sip_msg {
	uint32_t refs;
	bool is_request;
	bool body_cut;        /* the datagram held more than Content-Length: the rest was cut */
	uint8_t method;       /* enum sip_method: of the request line, or of CSeq in a response */
	uint16_t status;      /* response */
	uint16_t error;       /* 0, or the status to refuse an unparsable request with: 400, 414, 505... */
	const char *error_r;  /* why, a reason phrase: "Bad CSeq"; static storage */

	struct str text;      /* the whole message, body included, as it will be forwarded */
	struct str method_text;
	struct str ruri_text; /* request */
	struct str reason;    /* response */
	struct str body;      /* exactly Content-Length bytes (or the rest of a datagram) */
	uint32_t headers_off; /* first header field */
	uint32_t body_off;    /* first byte behind the empty line */

	struct sip_header *headers;
	uint16_t headers_n;
	int16_t first[SIP_H_COUNT]; /* index of the first field of each kind, -1: none */

	/* Decoded by the pass; a missing or bad mandatory one sets error in a request. */
	struct sip_uri ruri;       /* request; scheme OTHER for an unknown one, its text kept whole */
	struct sip_via via;        /* top Via value */
	uint32_t via_off, via_end; /* its span (from text.p), without the comma that follows */
	uint16_t via_header;       /* index in headers */
	uint16_t vias_n;           /* Via values in all */
	struct str call_id;
	uint32_t cseq;
	struct str cseq_method;
	struct str from_tag, to_tag; /* empty: none */
	struct str from_uri_text, to_uri_text; /* scanned, not parsed */
	int16_t max_forwards;        /* -1: absent; values above 255 are kept as 255 in routing, bytes stay */
	int32_t content_length;      /* -1: absent */

	struct arena arena;
	struct msgbuf *buf;         /* holds text; NULL: text lives in the arena or is the caller's */
	struct msgbuf_pool *self;   /* pool of the worker that owns the message now */
};

enum sip_parse_flags {
	SIP_PARSE_STREAM = 1, /* from a stream framer: Content-Length is mandatory */
	SIP_PARSE_FRAME = 2,  /* WebSocket: the frame delimits */
};

/* Parses @buf->data[0..n). Takes over the reference to @buf in every case. 0: *msg_r is good.
 * BELFRY_EPARSE: *msg_r is either NULL (nothing can be said to the sender: drop it) or a request
 * with error set and at least a top Via with a readable sent-by: it is read to its end, the first
 * error stays. -ENOMEM. Leading CRLFs are skipped (7.5). A lone CR or LF ends no line and makes the
 * message malformed. More than SIP_MSG_MAX bytes: NULL. */
BELFRY_API int sip_msg_parse(struct msgbuf *buf, size_t n, int flags, struct arena_pool *pool,
			     struct msgbuf_pool *self, struct sip_msg **msg_r);
/* The same over bytes that the caller keeps alive longer than the message: tests, tools. */
BELFRY_API int sip_msg_parse_text(struct str text, int flags, struct sip_msg **msg_r);

BELFRY_API struct sip_msg *sip_msg_ref(struct sip_msg *msg);
BELFRY_API void sip_msg_unref(struct sip_msg **msg);

/* What is needed to choose the owner of a message, without parsing it (DESIGN "Who owns a
 * message"): cheap, tolerant, bounded by the first 8 KiB. false: not to be found. */
struct sip_peek {
	bool is_request;
	uint8_t method;       /* of the start line; responses: SIP_M_OTHER */
	struct str via_branch, call_id, to;
};
BELFRY_API bool sip_msg_peek(struct str text, struct sip_peek *peek_r);

/* Value of the first field of that kind, STR_NONE if there is none. */
BELFRY_API struct str sip_msg_header(const struct sip_msg *msg, enum sip_hdr id);
/* Any name, known or not; first occurrence. */
BELFRY_API struct str sip_msg_header_named(const struct sip_msg *msg, struct str name);
/* Next field of that kind after index @after (start with -1); -1 when there are no more. */
BELFRY_API int sip_msg_next(const struct sip_msg *msg, enum sip_hdr id, int after);
static inline struct str sip_msg_value(const struct sip_msg *msg, int index)
{
	const struct sip_header *h = &msg->headers[index];

	return str_make(msg->text.p + h->value_off, h->value_n);
}

/* Walks the comma-separated values over all fields of one kind, in order (7.3.1): Route, Contact,
 * Require, Via, ... Commas in quotes and <> do not separate; empty elements are left out. */
struct sip_values {
	const struct sip_msg *msg;
	enum sip_hdr id;
	int index;       /* field; set by the walk */
	struct str rest; /* of that field */
	struct str value; /* trimmed */
	uint32_t off, end; /* span of the value from text.p, trimmed */
};
BELFRY_API void sip_values_init(struct sip_values *it, const struct sip_msg *msg, enum sip_hdr id);
BELFRY_API bool sip_values_next(struct sip_values *it);
/* Is @token among the values of the fields @id (Supported, Require, ...)? Any case. */
BELFRY_API bool sip_msg_has_token(const struct sip_msg *msg, enum sip_hdr id, struct str token);
