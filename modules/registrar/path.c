/* SPDX-License-Identifier: Apache-2.0 */
/* Path (RFC 3327) and what it says of the first hop (RFC 5626). */
#include "registrar/registrar.h"

#include <errno.h>

/* The values as they came, joined by ", ". */
static struct str join(struct arena *arena, const struct sip_msg *msg, size_t len)
{
	char *text = arena_alloc(arena, len), *p = text;
	struct sip_values it;

	if (!text) {
		return STR_NONE;
	}
	sip_values_init(&it, msg, SIP_H_PATH);
	while (sip_values_next(&it)) {
		if (p != text) {
			*p++ = ',';
			*p++ = ' ';
		}
		memcpy(p, it.value.p, it.value.n);
		p += it.value.n;
	}
	return str_make(text, (size_t)(p - text));
}

int path_read(struct belfry_req *req, struct registering *r)
{
	const struct sip_msg *msg = belfry_msg(req);
	struct sip_values it;
	struct sip_addr addr;
	struct str value;
	size_t len = 0;
	int ret;

	r->is_first_hop = true;
	sip_values_init(&it, msg, SIP_H_VIA);
	for (int n = 0; sip_values_next(&it); n++) {
		r->is_first_hop = n == 0;
	}
	r->paths_are_sips = true;
	sip_values_init(&it, msg, SIP_H_PATH);
	while ((ret = sip_addr_next(&it, &addr)) > 0) {
		if (addr.uri.scheme != SIP_URI_SIP && addr.uri.scheme != SIP_URI_SIPS) {
			return BELFRY_EPARSE;
		}
		len += it.value.n + 2;
		r->paths_are_sips = r->paths_are_sips && addr.uri.scheme == SIP_URI_SIPS;
		/* The last value is that of the proxy nearest to the phone (RFC 3327 5.2). */
		r->has_ob = sip_uri_param(&addr.uri, STR("ob"), &value);
	}
	if (ret < 0 || len > TEXT_MAX) {
		return BELFRY_EPARSE;
	}
	if (len == 0) {
		return 0;
	}
	r->path = join(belfry_arena(req), msg, len);
	return r->path.p ? 0 : -ENOMEM;
}
