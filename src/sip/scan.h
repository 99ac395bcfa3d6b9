/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the message parser; for this folder only. */
#pragma once

#include "sip/addr.h"
#include "sip/msg.h"

/* As sip_addr_parse(), but the URI is only cut out: no space, quote or < in it, and a scheme.
 * *tag_r is left alone when there is no tag parameter. */
int sip_addr_scan(struct str text, struct sip_addr *addr_r, struct str *tag_r);

/* The first reason for which a message is refused stays. @why: static storage. */
static inline void sip_msg_refuse(struct sip_msg *msg, uint16_t code, const char *why)
{
	if (msg->error == 0) {
		msg->error = code;
		msg->error_r = why;
	}
}

/* Request-Line or Status-Line, @line without CR LF. false: this is no SIP. */
bool sip_start_line(struct sip_msg *msg, struct str line);
/* The Via values of one field; too many are refused. */
void sip_msg_count_vias(struct sip_msg *msg, struct str value);
/* The first field of its kind, just recorded at @index. */
void sip_msg_decode(struct sip_msg *msg, uint16_t index);
