/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <arpa/inet.h>
#include <string.h>

/* To with a tag made of the call's number: the caller checks it. */
static void reply(struct uas *u, const struct scanned *s, int status, const char *phrase, const struct peer *to)
{
	char space[3500];
	struct text t = { space, 0, sizeof(space) };
	bool has_tag = memmem(s->to.p, s->to.n, ";tag=", 5) != NULL;

	text_add(&t, "SIP/2.0 %d %s\r\n", status, phrase);
	text_lines(&t, &s->vias);
	text_lines(&t, &s->record_routes);
	text_add(&t, "From: %.*s\r\nTo: %.*s", (int)s->from.n, s->from.p, (int)s->to.n, s->to.p);
	if (!has_tag) {
		text_add(&t, ";tag=s%u", s->call);
	}
	text_add(&t, "\r\nCall-ID: %.*s\r\nCSeq: %.*s\r\n", (int)s->call_id.n, s->call_id.p, (int)s->cseq.n, s->cseq.p);
	if (s->method == 'I') {
		text_add(&t, "Contact: <sip:uas@%s:%u%s>\r\n", inet_ntoa(u->o->uas.sin_addr), ntohs(u->o->uas.sin_port),
			 u->o->tcp ? ";transport=tcp" : "");
	}
	text_add(&t, "Content-Length: 0\r\n\r\n");
	wire_send(to, t.p, t.n);
}

void uas_receive(void *arg, const char *p, size_t n, const struct peer *from)
{
	struct uas *u = arg;
	struct scanned s;

	if (!scan(p, n, &s) || s.status) {
		return;
	}
	switch (s.method) {
	case 'I':
		u->invites++;
		reply(u, &s, 180, "Ringing", from);
		reply(u, &s, 200, "OK", from);
		break;
	case 'A':
		u->acks++;
		break;
	case 'B':
		u->byes++;
		reply(u, &s, 200, "OK", from);
		break;
	default:
		u->messages++;
		reply(u, &s, 200, "OK", from);
		break;
	}
}
