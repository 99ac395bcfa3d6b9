/* SPDX-License-Identifier: Apache-2.0 */
/* Contact values become operations on the bindings (RFC 3261 10.3 steps 6 and 7, RFC 5626 6). */
#include "registrar/registrar.h"

#include "util/sbuf.h"

#include <errno.h>

static int refuse(struct registering *r, int code, const char *why)
{
	r->code = code;
	r->bad = why;
	return BELFRY_EPARSE;
}

/* Delta-seconds as the registrar takes them. */
static uint32_t expires_value(const struct registering *r, struct str text)
{
	uint32_t s, most = (uint32_t)r->conf->max_expires;

	if (sip_delta_parse(text, &s) < 0) {
		s = MALFORMED_S;
	}
	return s < most ? s : most;
}

/* A whole Expires of 0: what `*` needs. */
static bool is_zero(const struct sip_msg *msg)
{
	uint32_t s;

	return sip_delta_parse(sip_msg_header(msg, SIP_H_EXPIRES), &s) == 0 && s == 0;
}

/* Contact `expires`, else Expires, else the default; too long is shortened. */
static uint32_t expires_of(const struct registering *r, const struct sip_msg *msg,
                           const struct sip_addr *addr)
{
	uint32_t dflt = (uint32_t)r->conf->default_expires;
	struct str value;

	if (sip_addr_param(addr, STR("expires"), &value)) {
		return expires_value(r, value);
	}
	if (msg->first[SIP_H_EXPIRES] >= 0) {
		return expires_value(r, sip_msg_header(msg, SIP_H_EXPIRES));
	}
	return dflt < (uint32_t)r->conf->max_expires ? dflt : (uint32_t)r->conf->max_expires;
}

/* What is granted may be shorter by a random part, so that phones that came together part again. */
static uint32_t jitter(struct belfry_mod *mod, const struct registrar_conf *conf, uint32_t s)
{
	uint64_t random, most = (uint64_t)s * (uint64_t)conf->expires_jitter / 100;
	uint32_t least = (uint32_t)conf->min_expires;

	if (most == 0) {
		return s;
	}
	belfry_random(mod, &random, sizeof(random));
	s -= (uint32_t)(random % (most + 1));
	if (s < least) {
		s = least;
	}
	return s > 0 ? s : 1;
}

/* Header parameters but for expires and q, as they were. */
static struct str other_params(struct arena *arena, struct str params)
{
	struct str rest = params, before = params, name, value;
	struct sbuf b;
	char *space;
	bool all = true;

	while (sip_param_next(&rest, &name, &value)) {
		all = all && !str_eq_nocase(name, STR("expires")) && !str_eq_nocase(name, STR("q"));
	}
	if (all) {
		return params;
	}
	space = arena_alloc(arena, params.n);
	if (!space) {
		return STR_NONE;
	}
	sbuf_init(&b, space, params.n);
	rest = params;
	while (sip_param_next(&rest, &name, &value)) {
		if (!str_eq_nocase(name, STR("expires")) && !str_eq_nocase(name, STR("q"))) {
			sbuf_add(&b, str_make(before.p, before.n - rest.n));
		}
		before = rest;
	}
	return sbuf_str(&b);
}

/* "<urn:uuid:...>" without quotes and brackets; anything else is no instance. */
static struct str instance_of(struct arena *arena, const struct sip_addr *addr)
{
	struct str v;

	if (!sip_addr_param(addr, STR("+sip.instance"), &v)) {
		return STR_NONE;
	}
	v = str_trim(sip_unquote(arena, v));
	if (v.n < 3 || v.p[0] != '<' || v.p[v.n - 1] != '>') {
		return STR_NONE;
	}
	return str_make(v.p + 1, v.n - 2);
}

static uint32_t reg_id_of(const struct sip_addr *addr)
{
	struct str v;
	uint32_t id;

	if (!sip_addr_param(addr, STR("reg-id"), &v) || str_to_u32(v, &id) < 0 || id > INT32_MAX) {
		return 0;
	}
	return id;
}

/* RFC 5626 6: reg-id counts with an instance, and when the first hop can keep flows. */
static int outbound(const struct sip_msg *msg, struct registering *r, struct belfry_binding *b)
{
	if (b->instance.n == 0) {
		b->reg_id = 0;
	}
	if (b->reg_id == 0 || r->is_first_hop || r->has_ob) {
		return 0;
	}
	b->reg_id = 0;
	if (sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("outbound"))) {
		return refuse(r, 439, "First Hop Lacks Outbound Support");
	}
	return 0;
}

static int sips_rule(const struct sip_msg *msg, struct registering *r, const struct sip_addr *addr)
{
	if (addr->uri.scheme == SIP_URI_SIPS &&
	    (msg->ruri.scheme != SIP_URI_SIPS || !r->paths_are_sips)) {
		return refuse(r, 400, "SIPS Contact Needs SIPS"); /* RFC 5630 4 */
	}
	return 0;
}

static int read_one(struct belfry_req *req, struct belfry_mod *mod, struct registering *r,
                    const struct sip_addr *addr, struct belfry_contact_op *op)
{
	const struct sip_msg *msg = belfry_msg(req);
	struct arena *arena = belfry_arena(req);
	struct belfry_binding *b = &op->b;
	uint32_t expires_s = expires_of(r, msg, addr);
	struct str q;

	*op = (struct belfry_contact_op){ .remove = expires_s == 0 };
	if (addr->text.n + r->path.n > TEXT_MAX) {
		return refuse(r, 400, "Contact Too Large");
	}
	if (sips_rule(msg, r, addr) < 0) {
		return BELFRY_EPARSE;
	}
	if (expires_s > 0 && expires_s < (uint32_t)r->conf->min_expires) {
		return refuse(r, 423, NULL);
	}
	b->contact = addr->uri_text;
	b->params = other_params(arena, addr->params);
	if (addr->params.n > 0 && !b->params.p) {
		return -ENOMEM;
	}
	b->instance = instance_of(arena, addr);
	b->reg_id = reg_id_of(addr);
	b->q = 1000;
	b->has_q = sip_addr_param(addr, STR("q"), &q) && sip_q_parse(q, &b->q) == 0;
	b->expires_s = expires_s ? jitter(mod, r->conf, expires_s) : 0;
	b->path = r->path;
	b->user_agent = sip_msg_header(msg, SIP_H_USER_AGENT);
	b->user_agent.n = b->user_agent.n < AGENT_MAX ? b->user_agent.n : AGENT_MAX;
	if (outbound(msg, r, b) < 0) {
		return BELFRY_EPARSE;
	}
	b->use_flow = flow_is_used(req, r, b, &addr->uri);
	return 0;
}

/* More than one binding may not be made together with a reg-id (RFC 5626 6). */
static int reg_id_rule(struct registering *r)
{
	size_t set = 0;
	bool has_reg_id = false;

	for (size_t i = 0; i < r->change.ops_n; i++) {
		if (!r->change.ops[i].remove) {
			set++;
			has_reg_id = has_reg_id || r->change.ops[i].b.reg_id > 0;
		}
	}
	return has_reg_id && set > 1 ? refuse(r, 400, "Several Contacts With A reg-id") : 0;
}

static size_t count_values(const struct sip_msg *msg, bool *has_star_r)
{
	struct sip_values it;
	size_t n = 0;

	*has_star_r = false;
	sip_values_init(&it, msg, SIP_H_CONTACT);
	while (sip_values_next(&it)) {
		n++;
		*has_star_r = *has_star_r || str_eq(it.value, STR("*"));
	}
	return n;
}

static int read_star(const struct sip_msg *msg, struct registering *r, size_t n)
{
	if (n > 1 || !is_zero(msg)) {
		return refuse(r, 400, "Contact * Needs Expires 0 And No Other Contact");
	}
	r->change.remove_all = true;
	return 0;
}

int contacts_read(struct belfry_req *req, struct belfry_mod *mod, struct registering *r)
{
	const struct sip_msg *msg = belfry_msg(req);
	struct sip_values it;
	struct sip_addr addr;
	bool has_star;
	size_t n = count_values(msg, &has_star);
	int ret;

	if (n == 0) {
		return msg->first[SIP_H_CONTACT] < 0 ? 0 : refuse(r, 400, "Bad Contact");
	}
	if (has_star) { /* step 6 looks for it before it looks at any expiry */
		return read_star(msg, r, n);
	}
	if (n > CONTACTS_MAX) {
		return refuse(r, 403, "Too Many Contacts");
	}
	r->change.ops = arena_alloc(belfry_arena(req), n * sizeof(*r->change.ops));
	if (!r->change.ops) {
		return -ENOMEM;
	}
	sip_values_init(&it, msg, SIP_H_CONTACT);
	while ((ret = sip_addr_next(&it, &addr)) > 0) {
		ret = read_one(req, mod, r, &addr, &r->change.ops[r->change.ops_n]);
		if (ret < 0) {
			return ret;
		}
		r->change.ops_n++;
	}
	return ret < 0 ? refuse(r, 400, "Bad Contact") : reg_id_rule(r);
}
