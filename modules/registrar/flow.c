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

/* sips asks for TLS on every hop (RFC 5630 5.3), and so for a flow that has it. */
static bool is_secure_enough(enum belfry_proto proto, const struct sip_uri *contact)
{
	return contact->scheme != SIP_URI_SIPS || proto == BELFRY_TLS || proto == BELFRY_WSS;
}

/* A contact that names another transport than it came by wants to be reached by that (RFC
 * 3263 4.1).
 */
static bool is_that_transport(enum belfry_proto proto, const struct sip_uri *contact)
{
	static const struct str names[][2] = {
		[BELFRY_UDP] = { STR_INIT("udp") },
		[BELFRY_TCP] = { STR_INIT("tcp") },
		[BELFRY_TLS] = { STR_INIT("tls"), STR_INIT("tcp") },
		[BELFRY_WS] = { STR_INIT("ws") },
		[BELFRY_WSS] = { STR_INIT("wss"), STR_INIT("ws") },
	};
	struct str transport;

	return !sip_uri_param(contact, STR("transport"), &transport) ||
	       str_eq_nocase(transport, names[proto][0]) ||
	       str_eq_nocase(transport, names[proto][1]);
}

static bool stream_flow(const struct belfry_req *req, const struct sip_via *via,
                        const struct sip_uri *contact)
{
	return sip_host_eq(contact->host, via->host) || belfry_source_is(req, contact->host);
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
	enum belfry_proto proto = belfry_source_proto(req);

	if (!r->is_first_hop || r->path.n > 0 || !is_secure_enough(proto, contact)) {
		return false;
	}
	if (b->reg_id > 0) {
		return true;
	}
	if (contact->scheme != SIP_URI_SIP && contact->scheme != SIP_URI_SIPS) {
		return false;
	}
	if (proto != BELFRY_UDP && ends_invalid(contact->host)) {
		return true; /* there is no other way */
	}
	return is_that_transport(proto, contact) &&
	       (proto == BELFRY_UDP ? datagram_flow(req, via, contact)
	                            : stream_flow(req, via, contact));
}
