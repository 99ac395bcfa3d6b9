/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of the final response (RFC 3261 16.7 steps 4, 6 and 7). */
#include "proxy/core.h"

#define RANK_NONE 1000 /* a 408 that may not be sent (RFC 4320 4.2): anything else is better */

/* Lower is better: 6xx, then by class, inside a class what helps to try again, last what says
 * least. */
static uint16_t rank(unsigned code)
{
	unsigned class = code / 100, base = class == 6 ? 0 : class * 10;

	switch (code) {
	case 401:
	case 407: return (uint16_t)base;
	case 415:
	case 420:
	case 484: return (uint16_t)(base + 1);
	case 430: return (uint16_t)(base + 7);
	case 408:
	case 503: return (uint16_t)(base + 8);
	default: return (uint16_t)(base + 4);
	}
}

static void drop(struct proxy_answer *a)
{
	if (a->msg) {
		sip_msg_unref(&a->msg);
	}
	a->code = 0;
}

static bool is_challenge(const struct proxy_answer *a)
{
	return a->msg && (a->code == 401 || a->code == 407);
}

/* The challenges of all branches are wanted, not only those of the one that is chosen. */
static void keep_challenge(struct belfry_req *req, const struct proxy_answer *answer)
{
	struct proxy_answer **at = &req->challenges;
	struct proxy_answer *a = arena_alloc(proxy_arena(req), sizeof(*a));

	if (a == NULL) {
		return;
	}
	while (*at) {
		at = &(*at)->next;
	}
	*a = *answer;
	a->next = NULL;
	sip_msg_ref(a->msg);
	*at = a;
}

void proxy_answer_keep(struct belfry_req *req, const struct proxy_answer *answer)
{
	uint16_t r = rank(answer->code);

	if (answer->code == 408 && !req->is_invite) {
		r = RANK_NONE;
	}
	if (is_challenge(answer)) {
		keep_challenge(req, answer);
	}
	if (req->best.code && req->best.rank <= r) {
		return;
	}
	drop(&req->best);
	req->best = *answer;
	req->best.rank = r;
	if (answer->msg) {
		sip_msg_ref(answer->msg);
	}
}

void proxy_answers_release(struct belfry_req *req)
{
	drop(&req->best);
	for (struct proxy_answer *a = req->challenges; a; a = a->next) {
		drop(a);
	}
	req->challenges = NULL;
}

static bool is_auth(const struct sip_header *h)
{
	return h->id == SIP_H_WWW_AUTHENTICATE || h->id == SIP_H_PROXY_AUTHENTICATE;
}

/* Step 7: the fields of @a as they are, behind those of the response that goes up. */
void proxy_challenge_add(struct sip_edits *edits, const struct sip_msg *resp,
                         const struct proxy_answer *a)
{
	const struct sip_msg *msg = a->msg;

	if (msg == resp || (resp->status != 401 && resp->status != 407)) {
		return;
	}
	for (int i = 0; i < msg->headers_n; i++) {
		const struct sip_header *h = &msg->headers[i];

		if (is_auth(h)) {
			struct str line = str_make(msg->text.p + h->off, h->next_off - h->off);

			/* In the other's arena: it outlives what it was copied from. */
			sip_edit_append(edits, arena_str(edits->arena, line));
		}
	}
}

static void reply(struct belfry_req *req, int code, const char *rule, struct str headers)
{
	note_n(req, rule, "the answer is %n", code);
	proxy_reply(req, code, STR_NONE, headers, STR_NONE);
}

static void forward_best(struct belfry_req *req)
{
	struct sip_msg *msg = req->best.msg;

	note_n(req, "RFC 3261 16.7 (6)", "the best response is %n", msg->status);
	proxy_response_hooks(req, NULL, msg);
	req->final_sent = true;
	req->final_status = msg->status;
	proxy_send_upstream(req, msg, req->best.followed);
}

/* RFC 4320: a non-INVITE is left without answer rather than with 408. */
static void no_answer(struct belfry_req *req)
{
	if (req->is_invite) {
		reply(req, 408, "RFC 3261 16.7 (6)", STR_NONE);
		return;
	}
	note(req, "RFC 4320", "no answer, and none is given");
	req->final_sent = true;
	req->final_status = 408;
}

void proxy_send_best(struct belfry_req *req)
{
	const struct proxy_answer *best = &req->best;

	if (req->cancelled && best->code / 100 != 6) {
		if (best->msg && best->code == 487) {
			forward_best(req);
		} else {
			reply(req, 487, "RFC 3261 16.10", STR_NONE);
		}
	} else if (best->code == 0 && !req->is_invite) { /* redirected to where it has been */
		reply(req, 480, "RFC 4320 4.2", STR_NONE);
	} else if (best->code == 0 || best->code == 408) {
		if (best->msg && req->is_invite) {
			forward_best(req);
		} else {
			no_answer(req);
		}
	} else if (best->code == 430 && best->from_location) {
		reply(req, 480, "RFC 5626 7", STR_NONE);
	} else if (best->code == 503) {
		reply(req, best->about_us ? 503 : 500, "RFC 3261 16.7 (6)", best->headers);
	} else if (best->msg) {
		forward_best(req);
	} else {
		reply(req, best->code, "RFC 3261 16.7 (6)", best->headers);
	}
}
