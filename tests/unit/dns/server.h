/* SPDX-License-Identifier: Apache-2.0 */
/* A name server for tests: UDP on a loopback port, inside the worker's event base. */
#pragma once

#include "worker/worker.h"

struct dns_server;

struct dns_server *dns_server_new(struct event_base *base);
void dns_server_free(struct dns_server *s);
/* "127.0.0.1@PORT" */
struct str dns_server_address(const struct dns_server *s);
/* A record as text: "example.com A 192.0.2.1", "... AAAA 2001:db8::1", "... SRV 10 5 5060 host",
 * "... NAPTR 10 20 s SIP+D2U _sip._udp.example.com" (no regexp), "... CNAME other", "... TTL 5"
 * (of the records added after it), "... FAIL" (SERVFAIL), "... SILENT" (no answer at all). A target
 * "." is the root. */
void dns_server_add(struct dns_server *s, const char *record);
/* How many questions of that type came for a name. */
unsigned dns_server_asked(const struct dns_server *s, const char *name, uint16_t type);
