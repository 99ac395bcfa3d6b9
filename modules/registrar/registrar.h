/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share. */
#pragma once

#include "belfry/module.h"

#define TEXT_MAX     4096 /* bytes of a Contact value with the Path, at most */
#define AGENT_MAX    256  /* bytes of User-Agent kept with a binding */
#define CONTACTS_MAX 64   /* Contact values in one request */
#define MALFORMED_S  3600 /* what a malformed expiry counts as (RFC 3261 20.10, 20.19) */

struct registrar_conf {
	int store, durability, flush_interval;
	int min_expires, default_expires, max_expires;
	bool replace_instance;
	int max_contacts, expires_jitter;
	struct str_list service_route;
	bool gruu;
};

/* One REGISTER, in the arena of its request. */
struct registering {
	const struct registrar_conf *conf;
	struct belfry_change change;
	struct belfry_registration registration;
	struct str path;     /* Path values, joined; empty: none */
	bool is_first_hop;   /* one Via: the phone itself has sent it here */
	bool has_ob;         /* the first hop's Path URI has `ob` (RFC 5626 5.1) */
	bool paths_are_sips; /* every one */
	const char *bad;     /* reason phrase of what contacts_read() refuses */
	int code;            /* status of it */
};

/* contact.c: fills the change's operations from the Contact values (RFC 3261 10.3 steps 6 and 7).
 * 0, or BELFRY_EPARSE: code and bad say how to answer; -ENOMEM. */
int contacts_read(struct belfry_req *req, struct belfry_mod *mod, struct registering *r);

/* path.c: the Path of the request (RFC 3327 5.3). 0; BELFRY_EPARSE; -ENOMEM. */
int path_read(struct belfry_req *req, struct registering *r);

/* flow.c: do requests to this contact go down the flow that the REGISTER came by? */
bool flow_is_used(const struct belfry_req *req, const struct registering *r,
                  const struct belfry_binding *b, const struct sip_uri *contact);

/* answer.c: the 200 with all that is registered (RFC 3261 10.3 step 8). */
enum belfry_verdict answer_ok(struct belfry_req *req, struct belfry_mod *mod,
                              const struct registering *r, const struct belfry_bindings *bs);

/* explain.c: what the request would change, for `belfryctl explain`. */
void explain_change(struct belfry_req *req, const struct registering *r);
