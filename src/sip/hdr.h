/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header field names, methods, status codes, option tags: the registries as tables (RFC 3968).
 * Names are looked up by a perfect hash made by gperf at build time; any case, compact forms too.
 */
#pragma once

#include "util/str.h"

enum sip_hdr { /* in the order of the names; SIP_H_OTHER: unknown, passed on untouched */
	SIP_H_OTHER = 0,
	SIP_H_ACCEPT, SIP_H_ACCEPT_CONTACT, SIP_H_ACCEPT_ENCODING, SIP_H_ACCEPT_LANGUAGE,
	SIP_H_ACCEPT_RESOURCE_PRIORITY, SIP_H_ALERT_INFO, SIP_H_ALLOW, SIP_H_ALLOW_EVENTS,
	SIP_H_ANSWER_MODE, SIP_H_AUTHENTICATION_INFO, SIP_H_AUTHORIZATION, SIP_H_CALL_ID,
	SIP_H_CALL_INFO, SIP_H_CONTACT, SIP_H_CONTENT_DISPOSITION, SIP_H_CONTENT_ENCODING,
	SIP_H_CONTENT_LANGUAGE, SIP_H_CONTENT_LENGTH, SIP_H_CONTENT_TYPE, SIP_H_CSEQ, SIP_H_DATE,
	SIP_H_ERROR_INFO, SIP_H_EVENT, SIP_H_EXPIRES, SIP_H_FLOW_TIMER, SIP_H_FROM,
	SIP_H_GEOLOCATION, SIP_H_HISTORY_INFO, SIP_H_IDENTITY, SIP_H_IDENTITY_INFO,
	SIP_H_IN_REPLY_TO, SIP_H_JOIN, SIP_H_MAX_BREADTH, SIP_H_MAX_FORWARDS, SIP_H_MIME_VERSION,
	SIP_H_MIN_EXPIRES, SIP_H_MIN_SE, SIP_H_ORGANIZATION, SIP_H_P_ASSERTED_IDENTITY,
	SIP_H_P_PREFERRED_IDENTITY, SIP_H_PATH, SIP_H_PRIORITY, SIP_H_PRIVACY,
	SIP_H_PROXY_AUTHENTICATE, SIP_H_PROXY_AUTHORIZATION, SIP_H_PROXY_REQUIRE, SIP_H_RACK,
	SIP_H_REASON, SIP_H_RECORD_ROUTE, SIP_H_REFER_TO, SIP_H_REFERRED_BY, SIP_H_REJECT_CONTACT,
	SIP_H_REPLACES, SIP_H_REPLY_TO, SIP_H_REQUEST_DISPOSITION, SIP_H_REQUIRE,
	SIP_H_RESOURCE_PRIORITY, SIP_H_RETRY_AFTER, SIP_H_ROUTE, SIP_H_RSEQ,
	SIP_H_SECURITY_CLIENT, SIP_H_SECURITY_SERVER, SIP_H_SECURITY_VERIFY, SIP_H_SERVER,
	SIP_H_SERVICE_ROUTE, SIP_H_SESSION_EXPIRES, SIP_H_SIP_ETAG, SIP_H_SIP_IF_MATCH,
	SIP_H_SUBJECT, SIP_H_SUBSCRIPTION_STATE, SIP_H_SUPPORTED, SIP_H_TARGET_DIALOG,
	SIP_H_TIMESTAMP, SIP_H_TO, SIP_H_UNSUPPORTED, SIP_H_USER_AGENT, SIP_H_VIA, SIP_H_WARNING,
	SIP_H_WWW_AUTHENTICATE,
	SIP_H_COUNT
};

enum sip_method {
	SIP_M_OTHER = 0, /* unknown: the text decides */
	SIP_M_INVITE, SIP_M_ACK, SIP_M_BYE, SIP_M_CANCEL, SIP_M_REGISTER, SIP_M_OPTIONS,
	SIP_M_PRACK, SIP_M_UPDATE, SIP_M_INFO, SIP_M_MESSAGE, SIP_M_REFER, SIP_M_SUBSCRIBE,
	SIP_M_NOTIFY, SIP_M_PUBLISH,
	SIP_M_COUNT
};

BELFRY_API enum sip_hdr sip_hdr_find(struct str name); /* full or compact, any case */
BELFRY_API struct str sip_hdr_name(enum sip_hdr id);   /* the registered spelling */
BELFRY_API bool sip_hdr_is_list(enum sip_hdr id);      /* comma-separated values may be combined (7.3.1) */
/* May occur once only: a second one is an error. Not those that only inform people (User-Agent,
 * Subject, ...): a 400 there would help nobody. */
BELFRY_API bool sip_hdr_is_single(enum sip_hdr id);
BELFRY_API enum sip_method sip_method_find(struct str name); /* case-sensitive (7.1) */
BELFRY_API struct str sip_method_name(enum sip_method m);
/* "Not Found" for 404; "Unknown" for codes without an entry. */
BELFRY_API struct str sip_reason_phrase(int code);
