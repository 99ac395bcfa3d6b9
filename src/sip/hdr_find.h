/* SPDX-License-Identifier: Apache-2.0 */
/* For the parser only. */
#pragma once

#include "sip/hdr.h"

/* As sip_hdr_find() for a name that is known to have no blank or control character in it. */
enum sip_hdr sip_hdr_find_token(struct str name);
/* "Duplicate Call-ID": the reason phrase for a second field that may occur once only. */
const char *sip_hdr_duplicate(enum sip_hdr id);

enum { /* what sip_hdr_flags[] says of a header field */
       SIP_HF_LIST = 1,
       SIP_HF_SINGLE = 2, /* without those that only inform people: a 400 there would help nobody */
       SIP_HF_DECODE = 4, /* decoded while the message is parsed */
};
extern const uint8_t sip_hdr_flags[SIP_H_COUNT];
