/* SPDX-License-Identifier: Apache-2.0 */
/* SIP, SIPS, TEL and other URIs (RFC 3261 19.1, 25.1; RFC 3966; RFC 5954). */
#pragma once

#include "util/arena.h"
#include "util/str.h"

enum sip_scheme { SIP_URI_OTHER, SIP_URI_SIP, SIP_URI_SIPS, SIP_URI_TEL };

struct sip_uri {
	uint8_t scheme;  /* enum sip_scheme */
	bool has_user;   /* "sip:@host" is refused; an empty user never occurs */
	uint16_t port;   /* 0: absent */
	struct str text; /* the whole, as it was */
	struct str scheme_text;
	struct str user;     /* escaped as received, without password; tel: the number */
	struct str password;
	struct str host;     /* IPv6 references with their brackets */
	struct str params;   /* behind the host, with the first ';' ("" if none) */
	struct str headers;  /* behind '?', without it */
};

/* @text is exactly the URI. BELFRY_EPARSE: *error_r (may be NULL) says why, static storage. Other
 * schemes: only the scheme is looked at. */
BELFRY_API int sip_uri_parse(struct str text, struct sip_uri *uri_r, const char **error_r);

/* Value of parameter @name (any case); false: absent. A parameter without value: empty. */
BELFRY_API bool sip_uri_param(const struct sip_uri *uri, struct str name, struct str *value_r);
/* Walks ";a=b;c": cuts the first parameter off *rest. false at the end. */
BELFRY_API bool sip_param_next(struct str *rest, struct str *name_r, struct str *value_r);
/* Looks one up in ";a=b;c"; quoted values keep their quotes. */
BELFRY_API bool sip_param_find(struct str params, struct str name, struct str *value_r);

/* Equality by RFC 3261 19.1.4 (as corrected by RFC 4475 and 5954: IPv6 in any spelling). */
BELFRY_API bool sip_uri_eq(const struct sip_uri *a, const struct sip_uri *b);
/* Hosts: names without case (a trailing dot ignored), addresses by value. */
BELFRY_API bool sip_host_eq(struct str a, struct str b);

/* %XX resolved; for comparison and look-up of user parts. Truncated output is never produced:
 * -ENOSPC. Bytes written. */
BELFRY_API ptrdiff_t sip_unescape(struct str in, char *out, size_t cap);
/* @user escaped for the user part of a SIP URI. */
BELFRY_API struct str sip_escape_user(struct arena *arena, struct str user);

/* Canonical address-of-record "user@domain" (RFC 3261 10.3 step 5): no parameters, user unescaped,
 * domain in lower case without a trailing dot, sip and sips alike, port dropped. A host alone gives
 * "@domain". n is 0 when it does not fit into @cap or the scheme is neither (tel: "number" is
 * no AOR). @out must live as long as the result. */
BELFRY_API struct str sip_uri_aor(const struct sip_uri *uri, char *out, size_t cap);
#define SIP_AOR_MAX 512 /* bytes; longer ones are refused */

/* For texts shown to people: the password of every sip and sips URI in [p, p + n), sip:USER:PASSWORD@HOST,
 * becomes as many `x`. Any bytes may come. */
void sip_mask_passwords(char *p, size_t n);

/* As a Request-URI from a contact or route rule (16.6 step 2): without headers and `method`
 * parameter, and without what @drop lists (STR_NONE: nothing). In the arena, or the very text when
 * nothing is to be left out. */
BELFRY_API struct str sip_uri_as_target(struct arena *arena, const struct sip_uri *uri,
					const struct str *drop, size_t drop_n);
