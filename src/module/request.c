/* SPDX-License-Identifier: Apache-2.0 */
/* What modules ask of a request and do to it: thin calls into the proxy's context. */
#include "module/internal.h"

#include <stdarg.h>

_Static_assert((int)BELFRY_UDP == TP_UDP && (int)BELFRY_TCP == TP_TCP &&
                       (int)BELFRY_TLS == TP_TLS && (int)BELFRY_WS == TP_WS &&
                       (int)BELFRY_WSS == TP_WSS,
               "the contract's protocols are the transport's");

const struct sip_msg *belfry_msg(const struct belfry_req *req)
{
	return req->msg;
}

struct str belfry_header(const struct belfry_req *req, const char *name)
{
	return sip_msg_header_named(req->msg, str_from(name));
}

struct arena *belfry_arena(struct belfry_req *req)
{
	return proxy_arena(req);
}

enum belfry_proto belfry_source_proto(const struct belfry_req *req)
{
	return (enum belfry_proto)req->from.proto;
}

struct str belfry_source_ip(const struct belfry_req *req, char out[BELFRY_IP_TEXT])
{
	_Static_assert(BELFRY_IP_TEXT >= NET_ADDR_TEXT, "room for an address");
	return net_addr_ip_text(&req->from.remote, out);
}

uint16_t belfry_source_port(const struct belfry_req *req)
{
	return req->from.remote.port;
}

bool belfry_source_is(const struct belfry_req *req, struct str host)
{
	struct net_addr addr;

	return net_addr_parse(host, 0, &addr) == 0 && net_addr_eq_ip(&addr, &req->from.remote);
}

const void *belfry_source_flow(const struct belfry_req *req)
{
	return &req->from;
}

bool belfry_is_trusted(const struct belfry_req *req)
{
	return req->trusted;
}

bool belfry_is_in_our_dialog(const struct belfry_req *req)
{
	return req->in_dialog;
}

bool belfry_is_local_domain(const struct belfry_req *req, struct str host)
{
	return conf_is_local_domain(req->conf, host);
}

bool belfry_ruri_is_local(const struct belfry_req *req)
{
	return proxy_ruri_is_local(req);
}

bool belfry_goes_elsewhere(const struct belfry_req *req)
{
	return req->elsewhere;
}

bool belfry_needs_user(const struct belfry_req *req)
{
	if (req->trusted || req->in_dialog || req->conf->proxy.relay == CONF_RELAY_ANY) {
		return false;
	}
	return req->elsewhere ? req->conf->proxy.relay == CONF_RELAY_USERS
	                      : proxy_leads_to_trunk(req);
}

struct str belfry_user(const struct belfry_req *req)
{
	return req->user;
}

void belfry_set_user(struct belfry_req *req, struct str aor, bool priority)
{
	proxy_set_user(req, aor, priority);
}

void belfry_hide_header(struct belfry_req *req, int index)
{
	proxy_hide_header(req, index);
}

enum belfry_verdict belfry_reply_with(struct belfry_req *req, int code, struct str reason,
                                      struct str headers, struct str body)
{
	proxy_reply(req, code, reason, headers, body);
	return BELFRY_DONE;
}

enum belfry_verdict belfry_reply(struct belfry_req *req, int code, const char *reason)
{
	return belfry_reply_with(req, code, str_from(reason), STR_NONE, STR_NONE);
}

void belfry_add_reply_header(struct belfry_req *req, struct str lines)
{
	proxy_add_reply_header(req, lines);
}

int belfry_accept(struct belfry_req *req)
{
	return proxy_accept(req);
}

bool belfry_is_on(const struct belfry_req *req, const char *module, const char *name)
{
	for (size_t i = 0; i < req->conf->module_n; i++) {
		const struct conf_module *m = &req->conf->module[i];
		const struct belfry_setting *s = m->settings;

		if (!m->enabled || !m->values || !str_eq(m->name, str_from(module))) {
			continue;
		}
		while (s && s->type != BELFRY_T_END) {
			if (s->type == BELFRY_T_BOOL && strcmp(s->name, name) == 0) {
				return *(const bool *)((const char *)m->values + s->offset);
			}
			s++;
		}
	}
	return false;
}

void belfry_decide(struct belfry_req *req, const char *rule, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	proxy_note_v(req, rule, fmt, ap);
	va_end(ap);
}

bool belfry_is_dry_run(const struct belfry_req *req)
{
	return req->dry;
}

size_t belfry_target_n(const struct belfry_req *req)
{
	return proxy_target_n(req);
}

void belfry_target_get(const struct belfry_req *req, size_t i, struct belfry_target *t_r)
{
	proxy_target_get(req, i, t_r);
}

int belfry_target_add(struct belfry_req *req, const struct belfry_target *t)
{
	return proxy_target_add(req, t);
}

void belfry_target_remove(struct belfry_req *req, size_t i)
{
	proxy_target_remove(req, i);
}

void belfry_branch_target(const struct belfry_branch *br, struct belfry_target *t_r)
{
	proxy_branch_target(br, t_r);
}

void belfry_branch_add_header(struct belfry_branch *br, enum sip_hdr before, struct str lines)
{
	proxy_branch_add_header(br, before, lines);
}
