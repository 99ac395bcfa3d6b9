/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record-Route (RFC 3261 16.6 step 4). Our URI carries a check, `rc`: key, day, and a keyed hash
 * over the Call-ID, the initial From tag and that day. It proves later that a request belongs to a
 * dialog that this server record-routed; somebody else's Record-Route opens nothing. When the sides
 * differ in transport, address family or listener there are two URIs, the one that faces the callee
 * first.
 */
#include "proxy/core.h"
#include "util/base64.h"

#include <assert.h>

#define RC_RAW_N    11U /* key, day (2), hash (8) */
#define RC_TEXT_N   BASE64URL_LEN(RC_RAW_N)
#define RC_DAYS_MAX 60 /* a check older than that is none */

static_assert(sizeof("Record-Route: , \r\n") +
                              2 * (sizeof("<sips:;transport=tcp;lr;rc=>") + RC_TEXT_N) <=
                      PROXY_RR_MAX,
              "the longest line fits");

static uint16_t today(const struct proxy *p)
{
	return (uint16_t)(clock_unix_s(&p->w->clock) / 86400);
}

static uint64_t dialog_mac(const struct hash_key *key, const struct sip_msg *msg, struct str tag,
                           uint16_t day)
{
	struct hash_state st;

	hash_begin(&st, key, false);
	hash_add(&st, msg->call_id);
	hash_add(&st, str_make("", 1));
	hash_add(&st, tag);
	hash_add(&st, str_make("", 1));
	hash_add(&st, str_make((const char *)&day, sizeof(day)));
	return hash_end64(&st);
}

static bool mac_is(const struct belfry_req *req, const unsigned char *raw, struct str tag)
{
	uint16_t day;

	memcpy(&day, raw + 1, sizeof(day));
	for (size_t i = 0; i < 2; i++) {
		const struct hash_key *key = req->p->dialog_key[i];
		uint64_t mac;

		if (key == NULL || req->p->dialog_key_id[i] != raw[0]) {
			continue;
		}
		mac = dialog_mac(key, req->msg, tag, day);
		if (str_eq_secret(str_make((const char *)&mac, sizeof(mac)),
		                  str_make((const char *)raw + 3, sizeof(mac)))) {
			return true;
		}
	}
	return false;
}

bool proxy_rr_check(const struct belfry_req *req, struct str value)
{
	unsigned char raw[RC_RAW_N];
	uint16_t day, age;

	if (value.n != RC_TEXT_N ||
	    base64url_decode(raw, sizeof(raw), value) != (ptrdiff_t)RC_RAW_N) {
		return false;
	}
	memcpy(&day, raw + 1, sizeof(day));
	age = (uint16_t)(today(req->p) - day);
	if (age > RC_DAYS_MAX && age != UINT16_MAX) { /* another node's clock may be a day ahead */
		return false;
	}
	return mac_is(req, raw, req->msg->from_tag) || mac_is(req, raw, req->msg->to_tag);
}

static bool is_sips(const struct belfry_req *req)
{
	return req->ruri.scheme == SIP_URI_SIPS ||
	       (req->route.n > 0 && req->route_uri.scheme == SIP_URI_SIPS);
}

static bool sides_differ(const struct belfry_req *req, const struct tp_flow *out)
{
	const struct tp_flow *in = &req->from;

	return in->proto != out->proto || in->remote.family != out->remote.family ||
	       in->listener != out->listener;
}

bool proxy_rr_wanted(const struct belfry_req *req, const struct belfry_branch *br,
                     const struct tp_flow *out)
{
	switch (req->msg->method) {
	case SIP_M_INVITE:
	case SIP_M_SUBSCRIBE:
	case SIP_M_NOTIFY:
	case SIP_M_REFER:
	case SIP_M_UPDATE:
	case SIP_M_OTHER: /* it may have dialog semantics */ break;
	default: return false;
	}
	return req->conf->proxy.record_route || sides_differ(req, out) || br->by_flow ||
	       is_sips(req) != (req->from.proto == TP_TLS || req->from.proto == TP_WSS);
}

static void print_uri(struct sbuf *b, const struct belfry_req *req, const struct tp_flow *side,
                      struct str check)
{
	sbuf_add(b, is_sips(req) ? STR("<sips:") : STR("<sip:"));
	sbuf_add(b, side->listener->uri_hostport);
	switch (side->proto) {
	case TP_TCP: sbuf_add(b, STR(";transport=tcp")); break;
	case TP_WS:
	case TP_WSS: sbuf_add(b, STR(";transport=ws")); break;
	case TP_TLS:
		if (!is_sips(req)) {
			sbuf_add(b, STR(";transport=tls"));
		}
		break;
	default: break;
	}
	sbuf_add(b, STR(";lr;rc="));
	sbuf_add(b, check);
	sbuf_char(b, '>');
}

void proxy_rr_print(struct sbuf *b, const struct belfry_req *req, const struct tp_flow *out)
{
	const struct hash_key *key = req->p->dialog_key[0];
	unsigned char raw[RC_RAW_N];
	char text[RC_TEXT_N];
	struct str check = { text, RC_TEXT_N };
	uint16_t day = today(req->p);
	uint64_t mac = dialog_mac(key, req->msg, req->msg->from_tag, day);

	raw[0] = req->p->dialog_key_id[0];
	memcpy(raw + 1, &day, sizeof(day));
	memcpy(raw + 3, &mac, sizeof(mac));
	base64url_encode(text, raw, sizeof(raw));
	sbuf_add(b, STR("Record-Route: "));
	print_uri(b, req, out, check);
	if (sides_differ(req, out)) {
		sbuf_add(b, STR(", "));
		print_uri(b, req, &req->from, check);
	}
	sbuf_add(b, STR("\r\n"));
}
