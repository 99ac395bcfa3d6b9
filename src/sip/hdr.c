/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/hdr.h"

#include "sip/hdr_find.h"
#include "sip/token.h"

enum { NONE = 0, LIST = SIP_HF_LIST, SINGLE = SIP_HF_SINGLE, DECODE = SIP_HF_DECODE };

/* id, name, what it is */
#define HDRS(H)                                                                                    \
	H(ACCEPT, "Accept", LIST)                                                                  \
	H(ACCEPT_CONTACT, "Accept-Contact", LIST)                                                  \
	H(ACCEPT_ENCODING, "Accept-Encoding", LIST)                                                \
	H(ACCEPT_LANGUAGE, "Accept-Language", LIST)                                                \
	H(ACCEPT_RESOURCE_PRIORITY, "Accept-Resource-Priority", LIST)                              \
	H(ALERT_INFO, "Alert-Info", LIST)                                                          \
	H(ALLOW, "Allow", LIST)                                                                    \
	H(ALLOW_EVENTS, "Allow-Events", LIST)                                                      \
	H(ANSWER_MODE, "Answer-Mode", SINGLE)                                                      \
	H(AUTHENTICATION_INFO, "Authentication-Info", NONE)                                        \
	H(AUTHORIZATION, "Authorization", NONE)                                                    \
	H(CALL_ID, "Call-ID", SINGLE | DECODE)                                                     \
	H(CALL_INFO, "Call-Info", LIST)                                                            \
	H(CONTACT, "Contact", LIST)                                                                \
	H(CONTENT_DISPOSITION, "Content-Disposition", SINGLE)                                      \
	H(CONTENT_ENCODING, "Content-Encoding", LIST)                                              \
	H(CONTENT_LANGUAGE, "Content-Language", LIST)                                              \
	H(CONTENT_LENGTH, "Content-Length", SINGLE | DECODE)                                       \
	H(CONTENT_TYPE, "Content-Type", SINGLE)                                                    \
	H(CSEQ, "CSeq", SINGLE | DECODE)                                                           \
	H(DATE, "Date", SINGLE)                                                                    \
	H(ERROR_INFO, "Error-Info", LIST)                                                          \
	H(EVENT, "Event", SINGLE)                                                                  \
	H(EXPIRES, "Expires", SINGLE)                                                              \
	H(FLOW_TIMER, "Flow-Timer", SINGLE)                                                        \
	H(FROM, "From", SINGLE | DECODE)                                                           \
	H(GEOLOCATION, "Geolocation", LIST)                                                        \
	H(HISTORY_INFO, "History-Info", LIST)                                                      \
	H(IDENTITY, "Identity", NONE)                                                              \
	H(IDENTITY_INFO, "Identity-Info", SINGLE)                                                  \
	H(IN_REPLY_TO, "In-Reply-To", LIST)                                                        \
	H(JOIN, "Join", SINGLE)                                                                    \
	H(MAX_BREADTH, "Max-Breadth", SINGLE)                                                      \
	H(MAX_FORWARDS, "Max-Forwards", SINGLE | DECODE)                                           \
	H(MIME_VERSION, "MIME-Version", NONE)                                                      \
	H(MIN_EXPIRES, "Min-Expires", SINGLE)                                                      \
	H(MIN_SE, "Min-SE", SINGLE)                                                                \
	H(ORGANIZATION, "Organization", NONE)                                                      \
	H(P_ASSERTED_IDENTITY, "P-Asserted-Identity", LIST)                                        \
	H(P_PREFERRED_IDENTITY, "P-Preferred-Identity", LIST)                                      \
	H(PATH, "Path", LIST)                                                                      \
	H(PRIORITY, "Priority", NONE)                                                              \
	H(PRIVACY, "Privacy", NONE)                                                                \
	H(PROXY_AUTHENTICATE, "Proxy-Authenticate", NONE)                                          \
	H(PROXY_AUTHORIZATION, "Proxy-Authorization", NONE)                                        \
	H(PROXY_REQUIRE, "Proxy-Require", LIST)                                                    \
	H(RACK, "RAck", SINGLE)                                                                    \
	H(REASON, "Reason", LIST)                                                                  \
	H(RECORD_ROUTE, "Record-Route", LIST)                                                      \
	H(REFER_TO, "Refer-To", SINGLE)                                                            \
	H(REFERRED_BY, "Referred-By", SINGLE)                                                      \
	H(REJECT_CONTACT, "Reject-Contact", LIST)                                                  \
	H(REPLACES, "Replaces", SINGLE)                                                            \
	H(REPLY_TO, "Reply-To", SINGLE)                                                            \
	H(REQUEST_DISPOSITION, "Request-Disposition", LIST)                                        \
	H(REQUIRE, "Require", LIST)                                                                \
	H(RESOURCE_PRIORITY, "Resource-Priority", LIST)                                            \
	H(RETRY_AFTER, "Retry-After", SINGLE)                                                      \
	H(ROUTE, "Route", LIST)                                                                    \
	H(RSEQ, "RSeq", SINGLE)                                                                    \
	H(SECURITY_CLIENT, "Security-Client", LIST)                                                \
	H(SECURITY_SERVER, "Security-Server", LIST)                                                \
	H(SECURITY_VERIFY, "Security-Verify", LIST)                                                \
	H(SERVER, "Server", NONE)                                                                  \
	H(SERVICE_ROUTE, "Service-Route", LIST)                                                    \
	H(SESSION_EXPIRES, "Session-Expires", SINGLE)                                              \
	H(SIP_ETAG, "SIP-ETag", SINGLE)                                                            \
	H(SIP_IF_MATCH, "SIP-If-Match", SINGLE)                                                    \
	H(SUBJECT, "Subject", NONE)                                                                \
	H(SUBSCRIPTION_STATE, "Subscription-State", SINGLE)                                        \
	H(SUPPORTED, "Supported", LIST)                                                            \
	H(TARGET_DIALOG, "Target-Dialog", SINGLE)                                                  \
	H(TIMESTAMP, "Timestamp", SINGLE)                                                          \
	H(TO, "To", SINGLE | DECODE)                                                               \
	H(UNSUPPORTED, "Unsupported", LIST)                                                        \
	H(USER_AGENT, "User-Agent", NONE)                                                          \
	H(VIA, "Via", LIST | DECODE)                                                               \
	H(WARNING, "Warning", LIST)                                                                \
	H(WWW_AUTHENTICATE, "WWW-Authenticate", NONE)

static const struct {
	struct str name;
	const char *duplicate;
} hdrs[SIP_H_COUNT] = {
#define H(id, text, flags) [SIP_H_##id] = { STR_INIT(text), "Duplicate " text },
	HDRS(H)
#undef H
};

const uint8_t sip_hdr_flags[SIP_H_COUNT] = {
#define H(id, text, flags) [SIP_H_##id] = flags,
	HDRS(H)
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
	return sip_hdr_flags[id] & SIP_HF_LIST;
}

bool sip_hdr_is_single(enum sip_hdr id)
{
	return sip_hdr_flags[id] & SIP_HF_SINGLE;
}

const char *sip_hdr_duplicate(enum sip_hdr id)
{
	return hdrs[id].duplicate;
}
