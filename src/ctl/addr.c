/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/addr.h"

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
