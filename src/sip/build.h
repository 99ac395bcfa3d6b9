/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that we originate: responses (RFC 3261 8.2.6), CANCEL (9.1), ACK (17.1.1.3). */
#pragma once

#include "sip/edit.h"
#include "sip/msg.h"

struct sip_reply {
	int code;
	struct str reason;    /* empty: the registered phrase */
	struct str to_tag;    /* added when To has none and code is not 100; empty: none */
	struct str via_extra; /* ";received=192.0.2.1;rport=5060" set in the copied top Via, replacing what was there */
	struct str headers;   /* complete lines */
	struct str body;      /* with its Content-Type line in headers */
};
/* Copies every Via, From, To, Call-ID, CSeq (and Timestamp into a 100); Content-Length always.
 * Works on a request with error set as far as fields are present. One span in @arena. */
BELFRY_API int sip_build_reply(const struct sip_msg *req, const struct sip_reply *reply,
			       struct arena *arena, struct sip_out *out_r);

/* "Unsupported: a, b\r\n" of what @id (Require, Proxy-Require) lists and @is_known, which may be NULL
 * for "none is", does not know (RFC 3261 8.2.2.3). Empty: nothing; p is NULL when out of memory. */
typedef bool(sip_is_known_cb)(struct str option);
BELFRY_API struct str sip_build_unsupported(const struct sip_msg *req, enum sip_hdr id,
					    sip_is_known_cb *is_known, struct arena *arena);

/* What RFC 3261 18.2.1 and RFC 3581 4 have us put into the top Via of a received request:
 * ";received=192.0.2.1;rport=5060", for sip_reply.via_extra. Empty when the sent-by host is the
 * source, no rport was asked for and no received is there. @source_ip has no brackets. In the
 * arena; p is NULL when out of memory. */
BELFRY_API struct str sip_via_received_params(struct arena *arena, const struct sip_via *via,
					      struct str source_ip, uint16_t source_port);
/* The top Via value with those put in, for forwarding (a splice over via_off..via_end); the very
 * text when there is nothing to put in. */
BELFRY_API struct str sip_via_with_received(struct arena *arena, const struct sip_via *via,
					    struct str source_ip, uint16_t source_port);

/* From the request as it was sent on a branch (@sent, flattened or parsed by the caller: @ruri,
 * @via line and @route lines are given). CANCEL: To without our additions, CSeq number with CANCEL.
 * @extra: complete lines (Reason, Resource-Priority). */
struct sip_hop_request {
	struct str ruri;        /* as sent on the branch */
	struct str via;         /* "Via: ...\r\n" of the branch */
	struct str route_lines; /* "Route: ...\r\n"* as sent, may be empty */
	struct str to_value;    /* empty: the request's */
	struct str extra;
	int max_forwards;
};
BELFRY_API int sip_build_cancel(const struct sip_msg *req, const struct sip_hop_request *hop,
				struct arena *arena, struct sip_out *out_r);
BELFRY_API int sip_build_ack(const struct sip_msg *req, const struct sip_hop_request *hop,
			     struct arena *arena, struct sip_out *out_r);
