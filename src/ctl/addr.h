/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them. */
#pragma once

#include "util/str.h"

/* "192.0.2.1:5060" and "[2001:db8::1]:5060" into host and port. false: there is no port; then all
 * of it is the host. */
bool ctl_addr_split(struct str text, struct str *host_r, uint16_t *port_r);
