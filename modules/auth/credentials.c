/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/credentials.h"

#include "util/base64.h"

#include <errno.h>

enum param { /* a bit each: given twice is an error */
	     P_USERNAME = 1,
	     P_REALM = 2,
	     P_NONCE = 4,
	     P_URI = 8,
	     P_RESPONSE = 16,
	     P_ALGORITHM = 32,
	     P_CNONCE = 64,
	     P_QOP = 128,
	     P_NC = 256,
	     P_USERHASH = 512,
};

#define SAME_LENGTH 3

static const struct {
	struct str name;
	enum param bit; /* 0: no more of this length */
} params[][SAME_LENGTH] = {
	[2] = { { STR_INIT("nc"), P_NC } },
	[3] = { { STR_INIT("uri"), P_URI }, { STR_INIT("qop"), P_QOP } },
	[5] = { { STR_INIT("realm"), P_REALM }, { STR_INIT("nonce"), P_NONCE } },
	[6] = { { STR_INIT("cnonce"), P_CNONCE } },
	[8] = { { STR_INIT("username"), P_USERNAME },
	        { STR_INIT("response"), P_RESPONSE },
	        { STR_INIT("userhash"), P_USERHASH } },
	[9] = { { STR_INIT("algorithm"), P_ALGORITHM } },
};

static const struct {
	struct str name;
	size_t size;
} algorithms[BELFRY_ALGORITHM_N] = {
	[BELFRY_MD5] = { STR_INIT("MD5"), 16 },
	[BELFRY_SHA256] = { STR_INIT("SHA-256"), 32 },
	[BELFRY_SHA512_256] = { STR_INIT("SHA-512-256"), 32 },
};

int algorithm_find(struct str name)
{
	for (int i = 0; i < BELFRY_ALGORITHM_N; i++) {
		if (str_eq_nocase(algorithms[i].name, name)) {
			return i;
		}
	}
	return -1;
}

struct str algorithm_name(enum belfry_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

size_t algorithm_size(enum belfry_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

/* Between the quotes, escapes left; a token comes back as it is. */
static struct str inside(struct str v)
{
	if (v.n >= 2 && v.p[0] == '"') {
		return str_make(v.p + 1, v.n - 2);
	}
	return v;
}

static bool is_digest(struct str value, struct sip_auth_params *auth_r)
{
	return sip_auth_parse(value, auth_r) == 0 && str_eq_nocase(auth_r->scheme, STR("Digest"));
}

struct str credentials_realm(struct str value)
{
	struct sip_auth_params auth;
	struct str name, v;

	if (!is_digest(value, &auth)) {
		return STR_NONE;
	}
	while (sip_auth_next(&auth, &name, &v) > 0) {
		if (str_eq_nocase(name, STR("realm"))) {
			return inside(v);
		}
	}
	return STR_NONE;
}

static int param_find(struct str name)
{
	if (name.n >= sizeof(params) / sizeof(params[0])) {
		return 0;
	}
	for (size_t i = 0; i < SAME_LENGTH && params[name.n][i].bit; i++) {
		if (str_eq_nocase(params[name.n][i].name, name)) {
			return (int)params[name.n][i].bit;
		}
	}
	return 0;
}

static int set_nc(struct credentials *c, struct str v)
{
	unsigned char b[4];

	c->nc_text = v;
	if (v.n != 8 || hex_decode(b, sizeof(b), v) < 0) {
		return BELFRY_EPARSE;
	}
	c->nc = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return c->nc > 0 ? 0 : BELFRY_EPARSE;
}

static int set_response(struct credentials *c, struct str v)
{
	if (v.n != 32 && v.n != 64) {
		return BELFRY_EPARSE;
	}
	c->response_n = v.n / 2;
	return hex_decode(c->response, c->response_n, v) < 0 ? BELFRY_EPARSE : 0;
}

static int set_param(struct arena *arena, struct credentials *c, enum param which, struct str raw)
{
	struct str v = inside(raw);
	int algorithm;

	switch (which) {
	case P_USERNAME: c->username = sip_unquote(arena, raw); return c->username.p ? 0 : -ENOMEM;
	case P_REALM: c->realm = v; break;
	case P_NONCE: c->nonce = v; break;
	case P_URI: c->uri = v; break;
	case P_CNONCE: c->cnonce = v; break;
	case P_RESPONSE: return set_response(c, v);
	case P_NC: return set_nc(c, v);
	case P_QOP:
		c->has_qop = true;
		c->is_usable = c->is_usable && str_eq_nocase(v, STR("auth"));
		break;
	case P_USERHASH: /* we never offer it */
		c->is_usable = c->is_usable && !str_eq_nocase(v, STR("true"));
		break;
	case P_ALGORITHM:
		algorithm = algorithm_find(v);
		c->algorithm = algorithm < 0 ? BELFRY_MD5 : (enum belfry_algorithm)algorithm;
		c->is_usable = c->is_usable && algorithm >= 0;
		break;
	}
	return 0;
}

static const char *missing(unsigned seen, const struct credentials *c)
{
	const unsigned must = P_USERNAME | P_REALM | P_NONCE | P_URI | P_RESPONSE;

	if ((seen & must) != must || c->nonce.n == 0) {
		return "Incomplete Credentials";
	}
	if (c->has_qop && (seen & (P_CNONCE | P_NC)) != (P_CNONCE | P_NC)) {
		return "Incomplete Credentials";
	}
	if (c->is_usable && c->response_n != algorithm_size(c->algorithm)) {
		return "Bad Digest Response";
	}
	return NULL;
}

int credentials_parse(struct arena *arena, struct str value, struct credentials *c_r,
                      const char **error_r)
{
	struct credentials c = { .is_usable = true, .algorithm = BELFRY_MD5 };
	struct sip_auth_params auth;
	struct str name, v;
	unsigned seen = 0;
	int ret;

	*error_r = "Bad Credentials";
	if (!is_digest(value, &auth)) {
		return BELFRY_EPARSE;
	}
	while ((ret = sip_auth_next(&auth, &name, &v)) > 0) {
		int bit = param_find(name);

		if (bit == 0) {
			continue;
		}
		if (seen & (unsigned)bit) {
			return BELFRY_EPARSE;
		}
		seen |= (unsigned)bit;
		ret = set_param(arena, &c, (enum param)bit, v);
		if (ret < 0) {
			return ret;
		}
	}
	*error_r = ret < 0 ? *error_r : missing(seen, &c);
	if (*error_r) {
		return BELFRY_EPARSE;
	}
	*c_r = c;
	return 0;
}
