/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether requests to a contact go down the flow that its REGISTER came by. With outbound always
 * (RFC 5626 7); without it as a deliberate extension, when the contact plainly is that very phone,
 * so that phones behind a NAT ring.
 */
#include "registrar/registrar.h"

static uint16_t port_or(uint16_t port, uint16_t otherwise)
{
	return port ? port : otherwise;
}

static bool ends_invalid(struct str host)
{
	struct str tail = STR(".invalid");

	return host.n >= tail.n && str_eq_nocase(str_skip(host, host.n - tail.n), tail);
}

static bool stream_flow(const struct belfry_req *req, const struct sip_via *via,
                        const struct sip_uri *contact)
{
	return sip_host_eq(contact->host, via->host) || belfry_source_is(req, contact->host) ||
	       ends_invalid(contact->host);
}

static bool datagram_flow(const struct belfry_req *req, const struct sip_via *via,
                          const struct sip_uri *contact)
{
	uint16_t via_port = port_or(via->port, sip_via_default_port(via->transport));

	if (!sip_host_eq(contact->host, via->host) || port_or(contact->port, 5060) != via_port) {
		return false;
	}
	return via->has_rport || !belfry_source_is(req, via->host);
}

bool flow_is_used(const struct belfry_req *req, const struct registering *r,
                  const struct belfry_binding *b, const struct sip_uri *contact)
{
	const struct sip_via *via = &belfry_msg(req)->via;

	if (!r->is_first_hop || r->path.n > 0) {
		return false;
	}
	if (b->reg_id > 0) {
		return true;
	}
	if (contact->scheme != SIP_URI_SIP && contact->scheme != SIP_URI_SIPS) {
		return false;
	}
	return belfry_source_proto(req) == BELFRY_UDP ? datagram_flow(req, via, contact)
	                                              : stream_flow(req, via, contact);
}
