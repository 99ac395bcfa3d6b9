/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls and messages to forked users whose phones answer, stay silent, refuse, redirect or vanish
 * at random, while callers give up: whatever happens, each INVITE has exactly one final response
 * other than 2xx, or one or more 2xx (RFC 3261 16.7), and nothing is left at the end.
 */
#include "proxy/rig.h"

#define CALLS_MAX 512
#define POOL_MAX  48

struct call {
	unsigned branch;
	bool is_invite, cancelled;
	unsigned good, bad;
};

struct play {
	struct rig *rig;
	uint64_t seed;
	struct call calls[CALLS_MAX];
	size_t calls_n;
	struct sent pool[POOL_MAX]; /* requests that phones have got */
	size_t pool_n;
};

static uint64_t dice(struct play *p, uint64_t n)
{
	p->seed = p->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (p->seed >> 33) % n;
}

static void on_final(struct play *p, const struct sent *m, int status)
{
	const char *id = rig_hdr(m, "Call-ID", 0), *cseq = rig_hdr(m, "CSeq", 0);
	size_t i = (size_t)atoi(id + 1);

	ck_assert_uint_lt(i, p->calls_n);
	if (strstr(cseq, "CANCEL") || status < 200) {
		return;
	}
	if (status < 300) {
		p->calls[i].good++;
	} else {
		p->calls[i].bad++;
	}
}

static void keep(struct play *p, struct sent *m)
{
	if (p->pool_n == POOL_MAX) {
		free(p->pool[0].text);
		memmove(p->pool, p->pool + 1, (POOL_MAX - 1) * sizeof(*m));
		p->pool_n--;
	}
	p->pool[p->pool_n++] = *m;
}

/* Takes what has left: responses are counted, requests are kept for their phones. */
static void look(struct play *p)
{
	struct str bytes;
	struct tp_flow flow;

	worker_turn(p->rig->w);
	while (fake_wire_sent(p->rig->wire, &bytes, &flow)) {
		struct sent m = { .text = str_dup(bytes), .n = bytes.n, .flow = flow };

		ck_assert_ptr_nonnull(m.text);
		if (str_starts(bytes, STR("SIP/2.0 "))) {
			on_final(p, &m, atoi(m.text + 8));
			free(m.text);
		} else if (str_starts(bytes, STR("ACK "))) {
			free(m.text);
		} else {
			keep(p, &m);
		}
	}
}

static void ask(struct play *p)
{
	static const char *const users[] = { "sip:u0@example.com", "sip:u1@example.com",
		                             "sip:u2@example.com", "sip:nobody@example.com" };
	struct call *c = &p->calls[p->calls_n];
	char id[32];

	if (p->calls_n == CALLS_MAX) {
		return;
	}
	snprintf(id, sizeof(id), "c%zu", p->calls_n++);
	c->is_invite = dice(p, 4) > 0;
	rig_ask(p->rig, .method = c->is_invite ? "INVITE" : "MESSAGE", .proto = TP_TCP,
	        .uri = users[dice(p, 4)], .call_id = id,
	        .lines = dice(p, 4) ? NULL : "Max-Breadth: 2\n");
	c->branch = p->rig->branch;
}

static void cancel(struct play *p)
{
	struct call *c;
	char id[32], branch[32];
	size_t i;

	if (p->calls_n == 0) {
		return;
	}
	i = p->calls_n - 1 - dice(p, p->calls_n < 8 ? p->calls_n : 8);
	c = &p->calls[i];
	if (!c->is_invite || c->cancelled) {
		return;
	}
	c->cancelled = true;
	snprintf(id, sizeof(id), "c%zu", i);
	snprintf(branch, sizeof(branch), "z9hG4bK-%u", c->branch);
	rig_ask(p->rig, .method = "CANCEL", .proto = TP_TCP, .call_id = id, .branch = branch,
	        .again = true);
}

static void answer(struct play *p)
{
	static const int codes[] = { 100, 180, 183, 180, 200, 202, 302, 401,
		                     404, 408, 430, 480, 486, 500, 503, 603 };
	const struct sent *m;
	char tag[8];

	if (p->pool_n == 0) {
		return;
	}
	m = &p->pool[p->pool_n - 1 - dice(p, p->pool_n < 6 ? p->pool_n : 6)];
	snprintf(tag, sizeof(tag), "t%u", (unsigned)dice(p, 3));
	if (strncmp(m->text, "CANCEL", 6) == 0) {
		rig_answer(p->rig, m, 200, tag, NULL);
		return;
	}
	rig_answer(p->rig, m, codes[dice(p, sizeof(codes) / sizeof(codes[0]))], tag,
	           "Contact: <sip:u2@example.com>, <sip:x@192.0.2.90>;q=0.5\n");
}

static void vanish(struct play *p)
{
	struct net_addr addr;
	char ip[32];

	snprintf(ip, sizeof(ip), "192.0.2.%u", 60 + (unsigned)dice(p, 6));
	net_addr_parse(str_from(ip), 5060, &addr);
	fake_wire_unreachable(p->rig->wire, dice(p, 2) ? TP_UDP : TP_TCP, &addr);
}

static void step(struct play *p)
{
	uint64_t d = dice(p, 100);

	if (d < 15) {
		ask(p);
	} else if (d < 75) {
		answer(p);
	} else if (d < 82) {
		cancel(p);
	} else if (d < 86) {
		vanish(p);
	} else if (d < 98) {
		rig_pass(p->rig, dice(p, 900));
	} else {
		rig_pass(p->rig, dice(p, 40000));
	}
	look(p);
}

static void bind_phones(struct rig *rig)
{
	rig_bind(rig, "u0@example.com", "sip:u0@192.0.2.60", ";q=0.9");
	rig_bind(rig, "u0@example.com", "sip:u0@192.0.2.61;transport=tcp", ";q=0.9");
	rig_bind(rig, "u0@example.com", "sip:u1@example.com", ";q=0.3");
	rig_bind_flow(rig, "u1@example.com", "sip:u1@10.0.0.1",
	              ";+sip.instance=\"<urn:x:1>\";reg-id=1", TP_UDP, "192.0.2.62");
	rig_bind_flow(rig, "u1@example.com", "sip:u1@10.0.0.1",
	              ";+sip.instance=\"<urn:x:1>\";reg-id=2", TP_UDP, "192.0.2.63");
	rig_bind(rig, "u1@example.com", "sip:u1@peer.test", NULL);
	rig_bind(rig, "u2@example.com", "sip:u2@192.0.2.64", NULL);
	rig_bind(rig, "u2@example.com", "sip:u0@example.com", ";q=0.1");
	rig_name(rig,
	         &(struct rig_name){ .name = "peer.test", .addr = { "192.0.2.65", "192.0.2.66" } });
}

static void check(const struct play *p)
{
	for (size_t i = 0; i < p->calls_n; i++) {
		const struct call *c = &p->calls[i];

		if (c->is_invite) {
			ck_assert_msg((c->good > 0 && c->bad == 0) || (c->good == 0 && c->bad == 1),
			              "INVITE c%zu has %u 2xx and %u others", i, c->good, c->bad);
		} else {
			ck_assert_msg(c->good + c->bad <= 1, "MESSAGE c%zu has %u answers", i,
			              c->good + c->bad);
		}
	}
	ck_assert_uint_eq(p->rig->p->reqs.used_n, 0);
	ck_assert_uint_eq(p->rig->p->branches.used_n, 0);
	ck_assert_uint_eq(p->rig->p->open_n, 0);
	ck_assert_uint_eq(msgbuf_pool_used(p->rig->w->bufs), 0);
}

static void run(uint64_t seed, const char *settings, bool async)
{
	struct play *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->rig = async ? rig_new_async(settings) : rig_new(settings);
	p->seed = seed;
	bind_phones(p->rig);
	rig_skip(p->rig);
	for (int i = 0; i < 400; i++) {
		step(p);
	}
	for (int i = 0; i < 60; i++) { /* Timer C, 64*T1 after its CANCEL, Timer M */
		rig_pass(p->rig, 10000);
		look(p);
	}
	check(p);
	for (size_t i = 0; i < p->pool_n; i++) {
		free(p->pool[i].text);
	}
	rig_free(p->rig);
	free(p);
}

START_TEST(whatever_phones_do_each_call_has_one_outcome)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		run(seed, NULL, false);
	}
}
END_TEST

START_TEST(the_same_with_redirects_followed_and_look_ups_that_wait)
{
	for (uint64_t seed = 1001; seed <= 1040; seed++) {
		run(seed, "proxy: { recurse_redirects = true; };\n", true);
	}
}
END_TEST

UNIT_MAIN("proxy/random", whatever_phones_do_each_call_has_one_outcome,
          the_same_with_redirects_followed_and_look_ups_that_wait)
