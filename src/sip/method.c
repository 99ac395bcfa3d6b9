/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/hdr.h"

static const struct str names[SIP_M_COUNT] = {
	[SIP_M_INVITE] = STR_INIT("INVITE"),     [SIP_M_ACK] = STR_INIT("ACK"),
	[SIP_M_BYE] = STR_INIT("BYE"),           [SIP_M_CANCEL] = STR_INIT("CANCEL"),
	[SIP_M_REGISTER] = STR_INIT("REGISTER"), [SIP_M_OPTIONS] = STR_INIT("OPTIONS"),
	[SIP_M_PRACK] = STR_INIT("PRACK"),       [SIP_M_UPDATE] = STR_INIT("UPDATE"),
	[SIP_M_INFO] = STR_INIT("INFO"),         [SIP_M_MESSAGE] = STR_INIT("MESSAGE"),
	[SIP_M_REFER] = STR_INIT("REFER"),       [SIP_M_SUBSCRIBE] = STR_INIT("SUBSCRIBE"),
	[SIP_M_NOTIFY] = STR_INIT("NOTIFY"),     [SIP_M_PUBLISH] = STR_INIT("PUBLISH"),
};

/* The only method that it can be, by its first letter and length. */
static enum sip_method candidate(struct str name)
{
	switch (name.p[0]) {
	case 'I': return name.n == 6 ? SIP_M_INVITE : SIP_M_INFO;
	case 'A': return SIP_M_ACK;
	case 'B': return SIP_M_BYE;
	case 'C': return SIP_M_CANCEL;
	case 'R': return name.n == 8 ? SIP_M_REGISTER : SIP_M_REFER;
	case 'O': return SIP_M_OPTIONS;
	case 'P': return name.n == 5 ? SIP_M_PRACK : SIP_M_PUBLISH;
	case 'U': return SIP_M_UPDATE;
	case 'M': return SIP_M_MESSAGE;
	case 'S': return SIP_M_SUBSCRIBE;
	case 'N': return SIP_M_NOTIFY;
	default: return SIP_M_OTHER;
	}
}

enum sip_method sip_method_find(struct str name)
{
	enum sip_method m = name.n ? candidate(name) : SIP_M_OTHER;

	return str_eq(name, names[m]) ? m : SIP_M_OTHER;
}

struct str sip_method_name(enum sip_method m)
{
	return names[m];
}
