/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker a message belongs to: a response to the one named in the branch of our Via, a
 * REGISTER to its address-of-record's, any other request to its Call-ID's.
 */
#include "sip/addr.h"
#include "transport/branch.h"
#include "transport/priv.h"

unsigned transport_owner_of_aor(const struct worker *w, struct str aor)
{
	return (unsigned)(hash_str(w->process_key, aor) % w->n);
}

unsigned transport_owner_of_call(const struct worker *w, struct str call_id)
{
	return (unsigned)(hash_str(w->process_key, call_id) % w->n);
}

static unsigned owner_of_register(const struct worker *w, const struct sip_peek *peek)
{
	char space[SIP_AOR_MAX];
	struct sip_addr to;
	struct str aor;

	if (sip_addr_parse(peek->to, &to, NULL) != 0) {
		return transport_owner_of_call(w, peek->call_id); /* will be refused */
	}
	aor = sip_uri_aor(&to.uri, space, sizeof(space));
	return transport_owner_of_aor(w, aor);
}

unsigned tp_owner(const struct worker *w, struct str text)
{
	struct sip_peek peek;
	struct branch branch;

	if (w->n == 1 || !sip_msg_peek(text, &peek)) {
		return w->id;
	}
	if (!peek.is_request) {
		return branch_parse(peek.via_branch, w->process_key, &branch) &&
		                       branch.worker < w->n
		               ? branch.worker
		               : w->id;
	}
	if (peek.method == SIP_M_REGISTER) {
		return owner_of_register(w, &peek);
	}
	return transport_owner_of_call(w, peek.call_id);
}
