/* SPDX-License-Identifier: Apache-2.0 */
/* For the parser only. */
#pragma once

#include "sip/hdr.h"

/* As sip_hdr_find() for a name that is known to be a token. */
enum sip_hdr sip_hdr_find_token(struct str name);
/* "Duplicate Call-ID": the reason phrase for a second field that may occur once only. */
const char *sip_hdr_duplicate(enum sip_hdr id);
