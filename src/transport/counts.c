/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/counts.h"

/* The labels must be in static storage; methods in the order of enum sip_method. */
#define METHODS(X)                                                                                 \
	X("other"), X("INVITE"), X("ACK"), X("BYE"), X("CANCEL"), X("REGISTER"), X("OPTIONS"),     \
		X("PRACK"), X("UPDATE"), X("INFO"), X("MESSAGE"), X("REFER"), X("SUBSCRIBE"),      \
		X("NOTIFY"), X("PUBLISH")

#define BY_PROTO(m)                                                                                \
	{                                                                                          \
		"method=\"" m "\",transport=\"udp\"", "method=\"" m "\",transport=\"tcp\"",        \
			"method=\"" m "\",transport=\"tls\"", "method=\"" m "\",transport=\"ws\"", \
			"method=\"" m "\",transport=\"wss\""                                       \
	}
static const char *const request_labels[SIP_M_COUNT][TP_N] = { METHODS(BY_PROTO) };

#define BY_CLASS(m)                                                                                \
	{                                                                                          \
		"class=\"1xx\",method=\"" m "\"", "class=\"2xx\",method=\"" m "\"",                \
			"class=\"3xx\",method=\"" m "\"", "class=\"4xx\",method=\"" m "\"",        \
			"class=\"5xx\",method=\"" m "\"", "class=\"6xx\",method=\"" m "\""         \
	}
static const char *const response_labels[SIP_M_COUNT][TP_CLASSES - 1] = { METHODS(BY_CLASS) };

static const char *const drop_labels[TP_DROP_N] = {
	[TP_DROP_KEEPALIVE] = "reason=\"keepalive\"",
	[TP_DROP_NOT_SIP] = "reason=\"not_sip\"",
	[TP_DROP_BANNED] = "reason=\"banned\"",
	[TP_DROP_NO_BUFFER] = "reason=\"no_buffer\"",
	[TP_DROP_MAILBOX_FULL] = "reason=\"mailbox_full\"",
	[TP_DROP_SEND_QUEUE] = "reason=\"send_queue\"",
	[TP_DROP_SEND_ERROR] = "reason=\"send_error\"",
	[TP_DROP_LEAVING] = "reason=\"listener_gone\"",
};

static const char *const reject_labels[TP_REJECT_N] = {
	[TP_REJECT_CONNECTION_LIMIT] = "reason=\"connection_limit\"",
	[TP_REJECT_MESSAGE_TIMEOUT] = "reason=\"message_timeout\"",
	[TP_REJECT_UNFINISHED] = "reason=\"unfinished_message\"",
	[TP_REJECT_TOO_LARGE] = "reason=\"message_too_large\"",
	[TP_REJECT_NO_LENGTH] = "reason=\"no_content_length\"",
	[TP_REJECT_NOT_SIP] = "reason=\"not_sip\"",
	[TP_REJECT_BANNED] = "reason=\"banned\"",
};

static const char *const proto_labels[TP_N] = {
	"transport=\"udp\"", "transport=\"tcp\"", "transport=\"tls\"",
	"transport=\"ws\"",  "transport=\"wss\"",
};

struct registrar {
	struct counters *counters;
	int err; /* the first, sticky */
};

static int add(struct registrar *r, enum counter_type type, const char *name, const char *labels,
               const char *help)
{
	const struct counter_def def = {
		.type = type, .name = name, .labels = labels, .help = help
	};
	int id = counters_register(r->counters, &def);

	if (id < 0) {
		r->err = r->err ? r->err : id;
		return 0;
	}
	return id;
}

static void register_messages(struct tp_counts *c, struct registrar *r)
{
	for (int m = 0; m < SIP_M_COUNT; m++) {
		for (int p = 0; p < TP_N; p++) {
			c->requests[m][p] = add(r, COUNTER_COUNTER, "belfry_requests_total",
			                        request_labels[m][p], "Requests received");
		}
		for (int cls = 1; cls < TP_CLASSES; cls++) {
			c->responses[cls][m] =
				add(r, COUNTER_COUNTER, "belfry_responses_total",
			            response_labels[m][cls - 1], "Responses received");
		}
		c->responses[0][m] = c->responses[TP_CLASSES - 1][m]; /* no such class is parsed */
	}
	c->parse_errors = add(r, COUNTER_COUNTER, "belfry_parse_errors_total", NULL,
	                      "Messages received that could not be parsed");
}

int tp_counts_register(struct tp_counts *c, struct counters *counters)
{
	struct registrar r = { .counters = counters };

	register_messages(c, &r);
	for (int i = 0; i < TP_DROP_N; i++) {
		c->dropped[i] = add(&r, COUNTER_COUNTER, "belfry_udp_dropped_total", drop_labels[i],
		                    "Datagrams dropped, not answered or not sent");
	}
	for (int i = 0; i < TP_REJECT_N; i++) {
		c->rejected[i] = add(&r, COUNTER_COUNTER, "belfry_rejected_total", reject_labels[i],
		                     "Requests, messages and connections refused, by reason");
	}
	for (int i = TP_TCP; i < TP_N; i++) {
		c->connections[i] = add(&r, COUNTER_GAUGE, "belfry_connections", proto_labels[i],
		                        "Open stream connections");
	}
	c->icmp_errors = add(&r, COUNTER_COUNTER, "belfry_icmp_errors_total", NULL,
	                     "ICMP errors for datagrams sent");
	return r.err;
}
