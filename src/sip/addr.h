/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name-addr / addr-spec with header parameters: From, To, Contact, Route, Record-Route, Path,
 * Refer-To, ... (RFC 3261 20.10, 25.1), and the small decoders of other header fields.
 */
#pragma once

#include "sip/msg.h"
#include "sip/uri.h"

struct sip_addr {
	struct str text;    /* the whole value */
	struct str display; /* quoted string with its quotes, or tokens; empty: none */
	struct str uri_text; /* inside <>, or the bare addr-spec */
	struct sip_uri uri; /* scheme OTHER kept as text */
	bool has_brackets;
	bool is_star;       /* Contact: * */
	struct str params;  /* header parameters, with the first ';' */
};

/* One value. Without <>, parameters belong to the header (20.10), and a URI with , ; ? is refused. */
BELFRY_API int sip_addr_parse(struct str text, struct sip_addr *addr_r, const char **error_r);
BELFRY_API bool sip_addr_param(const struct sip_addr *addr, struct str name, struct str *value_r);

/* Walks Route, Contact, ...; BELFRY_EPARSE for a bad value, 1 for a value, 0 at the end. */
BELFRY_API int sip_addr_next(struct sip_values *it, struct sip_addr *addr_r);

/* q as thousandths: "0.75" is 750; absent is up to the caller. BELFRY_EPARSE. */
BELFRY_API int sip_q_parse(struct str text, uint16_t *q_r);
/* delta-seconds; malformed: BELFRY_EPARSE, above 2^32-1: 0 with UINT32_MAX. */
BELFRY_API int sip_delta_parse(struct str text, uint32_t *s_r);

struct sip_cseq {
	uint32_t number;
	struct str method;
};
BELFRY_API int sip_cseq_parse(struct str text, struct sip_cseq *cseq_r);

/* SIP-date (20.17), GMT only: Unix seconds <-> text. @out has room for 30 bytes, NUL included. */
BELFRY_API int sip_date_parse(struct str text, int64_t *unix_r);
BELFRY_API void sip_date_print(int64_t unix_s, char out[30]);

/* A quoted string's content with escapes resolved; text that is not quoted comes back as it is. */
BELFRY_API struct str sip_unquote(struct arena *arena, struct str text);

/* Authorization, Proxy-Authorization, WWW-Authenticate, Proxy-Authenticate: scheme and the
 * comma-separated parameters after it (25.1). */
struct sip_auth_params {
	struct str scheme; /* "Digest" */
	struct str rest;   /* unwalked */
};
BELFRY_API int sip_auth_parse(struct str value, struct sip_auth_params *auth_r);
/* Next name=value; values keep their quotes. 1, 0 at the end, BELFRY_EPARSE. */
BELFRY_API int sip_auth_next(struct sip_auth_params *auth, struct str *name_r, struct str *value_r);
