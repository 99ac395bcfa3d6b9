/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables cannot say about the core's sections: addresses, URIs, names that refer to one
 * another, defaults that are worked out. Runs once the tables have been read into the conf.
 */
#pragma once

#include "conf/check.h"

/* All sections; 0 or the error noted in @ld. */
int conf_rules(struct conf_loader *ld);

/* The parts of it. */
int conf_rules_domains(struct conf_loader *ld);
int conf_rules_listen(struct conf_loader *ld);
int conf_rules_routes(struct conf_loader *ld);
int conf_rules_trunks(struct conf_loader *ld);

/* A name of labels, an IPv4 address or an IPv6 reference in brackets (RFC 3261 25.1, host). */
bool conf_is_host(struct str host);
/* "HOST", "HOST:PORT": false when it is neither. *port_r is 0 without a port. */
bool conf_split_hostport(struct str text, struct str *host_r, int *port_r);
/* Says "transport=tls" and the like need what this build does not have; NULL when @uri can be sent
 * to. Static storage. */
struct sip_uri;
const char *conf_uri_problem(const struct sip_uri *uri);
