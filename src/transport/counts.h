/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the transport layer: their numbers in the worker's set, registered once per group. */
#pragma once

#include "sip/hdr.h"
#include "transport/transport.h"
#include "util/counters.h"

#define TP_CLASSES 7 /* of status codes, 1 to 6 */

enum tp_drop { /* datagrams that were not looked at */
	       TP_DROP_KEEPALIVE,
	       TP_DROP_NOT_SIP,
	       TP_DROP_BANNED,
	       TP_DROP_NO_BUFFER,
	       TP_DROP_MAILBOX_FULL,
	       TP_DROP_SEND_QUEUE,
	       TP_DROP_SEND_ERROR,
	       TP_DROP_LEAVING,
	       TP_DROP_N
};

enum tp_reject { /* connections and stream messages refused */
	         TP_REJECT_CONNECTION_LIMIT,
	         TP_REJECT_MESSAGE_TIMEOUT,
	         TP_REJECT_UNFINISHED,
	         TP_REJECT_TOO_LARGE,
	         TP_REJECT_NO_LENGTH,
	         TP_REJECT_NOT_SIP,
	         TP_REJECT_BANNED,
	         TP_REJECT_N
};

struct tp_counts {
	int requests[SIP_M_COUNT][TP_N];
	int responses[TP_CLASSES][SIP_M_COUNT];
	int parse_errors;
	int dropped[TP_DROP_N];
	int rejected[TP_REJECT_N];
	int connections[TP_N];
	int icmp_errors;
};

/* -ENOSPC. */
int tp_counts_register(struct tp_counts *c, struct counters *counters);
