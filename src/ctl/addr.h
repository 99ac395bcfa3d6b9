/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them. */
#pragma once

#include "sip/uri.h"
#include "util/str.h"

/* The canonical address-of-record of "user@domain" or "sip:user@domain", in @out. The user may hold
 * what would have to be escaped in a URI (UTF-8, spaces), as it stands or escaped. Empty: it is
 * none, or has a password. */
struct str ctl_aor(struct str text, char out[SIP_AOR_MAX]);
/* What is behind the @ of a canonical one; the user is all before that @. */
struct str ctl_aor_domain(struct str aor);

/* "192.0.2.1:5060" and "[2001:db8::1]:5060" into host and port. false: there is no port; then all
 * of it is the host. */
bool ctl_addr_split(struct str text, struct str *host_r, uint16_t *port_r);
