/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/addr.h"

#include "sip/token.h"
#include "util/sbuf.h"

#define URI_MAX (3 * SIP_AOR_MAX) /* with everything escaped */

static bool is_escape(struct str s)
{
	return s.n > 2 && s.p[0] == '%' && ascii_hex_value((unsigned char)s.p[1]) >= 0 &&
	       ascii_hex_value((unsigned char)s.p[2]) >= 0;
}

static void add_user(struct sbuf *b, struct str user)
{
	for (; user.n > 0; user = str_skip(user, 1)) {
		/* A colon would begin a password. */
		if (sip_is(user.p[0], SIP_C_USER) || user.p[0] == ':' || is_escape(user)) {
			sbuf_char(b, user.p[0]);
		} else {
			sbuf_printf(b, "%%%02X", (unsigned char)user.p[0]);
		}
	}
}

struct str ctl_aor(struct str text, char out[SIP_AOR_MAX])
{
	const char *at;
	char space[URI_MAX];
	struct sip_uri uri;
	struct sbuf b;

	if (str_starts_nocase(text, STR("sip:")) || str_starts_nocase(text, STR("sips:"))) {
		text = str_skip(text, (size_t)str_find(text, ':') + 1);
	}
	at = text.n > 0 ? memrchr(text.p, '@', text.n) : NULL;
	if (at == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, sizeof(space));
	sbuf_add(&b, STR("sip:"));
	add_user(&b, str_make(text.p, (size_t)(at - text.p)));
	sbuf_add(&b, str_skip(text, (size_t)(at - text.p)));
	if (!sbuf_ok(&b) || sip_uri_parse(sbuf_str(&b), &uri, NULL) < 0 || uri.password.p) {
		return STR_NONE;
	}
	return sip_uri_aor(&uri, out, SIP_AOR_MAX);
}

struct str ctl_aor_domain(struct str aor)
{
	const char *at = memrchr(aor.p, '@', aor.n);

	return str_skip(aor, (size_t)(at - aor.p) + 1);
}

static ptrdiff_t last_colon(struct str text)
{
	for (size_t i = text.n; i-- > 0;) {
		if (text.p[i] == ':') {
			return (ptrdiff_t)i;
		}
	}
	return -1;
}

bool ctl_addr_split(struct str text, struct str *host_r, uint16_t *port_r)
{
	ptrdiff_t colon = last_colon(text);
	struct str host;
	uint64_t port;

	*host_r = text;
	*port_r = 0;
	if (colon <= 0) {
		return false;
	}
	host = str_make(text.p, (size_t)colon);
	if (host.p[0] == '[' ? host.p[host.n - 1] != ']' : str_find(host, ':') >= 0) {
		return false; /* inside an IPv6 address */
	}
	if (str_to_u64(str_skip(text, (size_t)colon + 1), UINT16_MAX, &port) || port == 0) {
		return false;
	}
	*host_r = host;
	*port_r = (uint16_t)port;
	return true;
}
