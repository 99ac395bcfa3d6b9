/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/hdr.h"

#include "sip/hdr_find.h"
#include "sip/token.h"

enum {
	HDR_LIST = 1,
	HDR_SINGLE = 2, /* without those that only inform people: nobody is helped by a 400 there */
};

static const struct {
	struct str name;
	const char *duplicate;
	uint8_t flags;
} hdrs[SIP_H_COUNT] = {
#define H(id, text, how) [SIP_H_##id] = { STR_INIT(text), "Duplicate " text, how }
	H(ACCEPT, "Accept", HDR_LIST),
	H(ACCEPT_CONTACT, "Accept-Contact", HDR_LIST),
	H(ACCEPT_ENCODING, "Accept-Encoding", HDR_LIST),
	H(ACCEPT_LANGUAGE, "Accept-Language", HDR_LIST),
	H(ACCEPT_RESOURCE_PRIORITY, "Accept-Resource-Priority", HDR_LIST),
	H(ALERT_INFO, "Alert-Info", HDR_LIST),
	H(ALLOW, "Allow", HDR_LIST),
	H(ALLOW_EVENTS, "Allow-Events", HDR_LIST),
	H(ANSWER_MODE, "Answer-Mode", HDR_SINGLE),
	H(AUTHENTICATION_INFO, "Authentication-Info", 0),
	H(AUTHORIZATION, "Authorization", 0),
	H(CALL_ID, "Call-ID", HDR_SINGLE),
	H(CALL_INFO, "Call-Info", HDR_LIST),
	H(CONTACT, "Contact", HDR_LIST),
	H(CONTENT_DISPOSITION, "Content-Disposition", HDR_SINGLE),
	H(CONTENT_ENCODING, "Content-Encoding", HDR_LIST),
	H(CONTENT_LANGUAGE, "Content-Language", HDR_LIST),
	H(CONTENT_LENGTH, "Content-Length", HDR_SINGLE),
	H(CONTENT_TYPE, "Content-Type", HDR_SINGLE),
	H(CSEQ, "CSeq", HDR_SINGLE),
	H(DATE, "Date", HDR_SINGLE),
	H(ERROR_INFO, "Error-Info", HDR_LIST),
	H(EVENT, "Event", HDR_SINGLE),
	H(EXPIRES, "Expires", HDR_SINGLE),
	H(FLOW_TIMER, "Flow-Timer", HDR_SINGLE),
	H(FROM, "From", HDR_SINGLE),
	H(GEOLOCATION, "Geolocation", HDR_LIST),
	H(HISTORY_INFO, "History-Info", HDR_LIST),
	H(IDENTITY, "Identity", 0),
	H(IDENTITY_INFO, "Identity-Info", HDR_SINGLE),
	H(IN_REPLY_TO, "In-Reply-To", HDR_LIST),
	H(JOIN, "Join", HDR_SINGLE),
	H(MAX_BREADTH, "Max-Breadth", HDR_SINGLE),
	H(MAX_FORWARDS, "Max-Forwards", HDR_SINGLE),
	H(MIME_VERSION, "MIME-Version", 0),
	H(MIN_EXPIRES, "Min-Expires", HDR_SINGLE),
	H(MIN_SE, "Min-SE", HDR_SINGLE),
	H(ORGANIZATION, "Organization", 0),
	H(P_ASSERTED_IDENTITY, "P-Asserted-Identity", HDR_LIST),
	H(P_PREFERRED_IDENTITY, "P-Preferred-Identity", HDR_LIST),
	H(PATH, "Path", HDR_LIST),
	H(PRIORITY, "Priority", 0),
	H(PRIVACY, "Privacy", 0),
	H(PROXY_AUTHENTICATE, "Proxy-Authenticate", 0),
	H(PROXY_AUTHORIZATION, "Proxy-Authorization", 0),
	H(PROXY_REQUIRE, "Proxy-Require", HDR_LIST),
	H(RACK, "RAck", HDR_SINGLE),
	H(REASON, "Reason", HDR_LIST),
	H(RECORD_ROUTE, "Record-Route", HDR_LIST),
	H(REFER_TO, "Refer-To", HDR_SINGLE),
	H(REFERRED_BY, "Referred-By", HDR_SINGLE),
	H(REJECT_CONTACT, "Reject-Contact", HDR_LIST),
	H(REPLACES, "Replaces", HDR_SINGLE),
	H(REPLY_TO, "Reply-To", HDR_SINGLE),
	H(REQUEST_DISPOSITION, "Request-Disposition", HDR_LIST),
	H(REQUIRE, "Require", HDR_LIST),
	H(RESOURCE_PRIORITY, "Resource-Priority", HDR_LIST),
	H(RETRY_AFTER, "Retry-After", HDR_SINGLE),
	H(ROUTE, "Route", HDR_LIST),
	H(RSEQ, "RSeq", HDR_SINGLE),
	H(SECURITY_CLIENT, "Security-Client", HDR_LIST),
	H(SECURITY_SERVER, "Security-Server", HDR_LIST),
	H(SECURITY_VERIFY, "Security-Verify", HDR_LIST),
	H(SERVER, "Server", 0),
	H(SERVICE_ROUTE, "Service-Route", HDR_LIST),
	H(SESSION_EXPIRES, "Session-Expires", HDR_SINGLE),
	H(SIP_ETAG, "SIP-ETag", HDR_SINGLE),
	H(SIP_IF_MATCH, "SIP-If-Match", HDR_SINGLE),
	H(SUBJECT, "Subject", 0),
	H(SUBSCRIPTION_STATE, "Subscription-State", HDR_SINGLE),
	H(SUPPORTED, "Supported", HDR_LIST),
	H(TARGET_DIALOG, "Target-Dialog", HDR_SINGLE),
	H(TIMESTAMP, "Timestamp", HDR_SINGLE),
	H(TO, "To", HDR_SINGLE),
	H(UNSUPPORTED, "Unsupported", HDR_LIST),
	H(USER_AGENT, "User-Agent", 0),
	H(VIA, "Via", HDR_LIST),
	H(WARNING, "Warning", HDR_LIST),
	H(WWW_AUTHENTICATE, "WWW-Authenticate", 0),
#undef H
};

enum sip_hdr sip_hdr_find(struct str name)
{
	if (name.n == 0 || sip_span(name.p, name.p + name.n, SIP_C_TOKEN) != name.p + name.n) {
		return SIP_H_OTHER;
	}
	return sip_hdr_find_token(name);
}

struct str sip_hdr_name(enum sip_hdr id)
{
	return hdrs[id].name;
}

bool sip_hdr_is_list(enum sip_hdr id)
{
	return hdrs[id].flags & HDR_LIST;
}

bool sip_hdr_is_single(enum sip_hdr id)
{
	return hdrs[id].flags & HDR_SINGLE;
}

const char *sip_hdr_duplicate(enum sip_hdr id)
{
	return hdrs[id].duplicate;
}
