/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/rules.h"

#include <stdio.h>

#include "sip/uri.h"
#include "util/near.h"

#define PATH_LEN 160

/* `*` is for either end only. */
static bool is_glob(struct str s)
{
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '*') {
			return false;
		}
	}
	return true;
}

static bool has_star(struct str s)
{
	return str_find(s, '*') >= 0;
}

static int check_match(struct conf_loader *ld, size_t i, struct conf_route *route)
{
	const struct {
		const char *name;
		struct str text;
	} parts[] = {
		{ "user", route->match.user },     { "domain", route->match.domain },
		{ "method", route->match.method }, { "uri", route->match.uri },
		{ "source", route->match.source },
	};
	char path[PATH_LEN];

	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
		if (!is_glob(parts[k].text)) {
			(void)snprintf(path, sizeof(path), "routes.%zu.match.%s", i, parts[k].name);
			return conf_fail_path(ld, path, "\"%.*s\": `*` can only be first or last",
			                      STR_FMT(parts[k].text));
		}
	}
	if (route->match.source.n > 0 && !has_star(route->match.source) &&
	    net_prefix_parse(route->match.source, &route->source_net)) {
		(void)snprintf(path, sizeof(path), "routes.%zu.match.source", i);
		return conf_fail_path(ld, path,
		                      "\"%.*s\" is no address or prefix; write it as 192.0.2.10 or "
		                      "198.51.100.0/24",
		                      STR_FMT(route->match.source));
	}
	return 0;
}

static int find_trunk(struct conf_loader *ld, const char *path, struct str name, int *index_r)
{
	const struct conf *conf = ld->conf;
	struct near near;

	near_init(&near, name);
	for (size_t i = 0; i < conf->trunks_n; i++) {
		if (str_eq(name, conf->trunks[i].name)) {
			*index_r = (int)i;
			return 0;
		}
		near_try(&near, conf->trunks[i].name);
	}
	return conf_fail_path(ld, path, "there is no trunk \"%.*s\" in trunks%s", STR_FMT(name),
	                      conf_hint(ld, near.best));
}

/* What stands in for a variable while the rest of the URI is checked. */
static struct str stand_in(struct str *rest)
{
	static const struct {
		struct str name, value;
	} known[] = {
		{ STR_INIT("user"), STR_INIT("user") },
		{ STR_INIT("domain"), STR_INIT("example.com") },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_starts(*rest, known[i].name)) {
			*rest = str_skip(*rest, known[i].name.n);
			return known[i].value;
		}
	}
	return STR_NONE;
}

static int check_uri(struct conf_loader *ld, const char *path, struct str text)
{
	struct str rest = text, head, out = STR("");
	struct sip_uri uri;
	const char *why = NULL;

	while (str_cut(rest, '$', &head, &rest)) {
		struct str value = stand_in(&rest);

		if (!value.p) {
			return conf_fail_path(
				ld, path,
				"\"%.*s\" has an unknown variable; $user and $domain are known",
				STR_FMT(text));
		}
		out = arena_printf(ld->arena, "%.*s%.*s%.*s", STR_FMT(out), STR_FMT(head),
		                   STR_FMT(value));
		if (!out.p) {
			return conf_nomem(ld);
		}
	}
	out = arena_printf(ld->arena, "%.*s%.*s", STR_FMT(out), STR_FMT(head));
	if (!out.p) {
		return conf_nomem(ld);
	}
	if (sip_uri_parse(out, &uri, &why)) {
		return conf_fail_path(ld, path, "\"%.*s\" is no URI: %s", STR_FMT(text),
		                      why ? why : "syntax");
	}
	return 0;
}

static int check_to(struct conf_loader *ld, size_t i, struct conf_route *route)
{
	static const struct str prefix = STR_INIT("trunk:");
	struct sip_uri uri;
	const char *why;
	char path[PATH_LEN];

	(void)snprintf(path, sizeof(path), "routes.%zu.to", i);
	if (str_starts(route->to, prefix)) {
		return find_trunk(ld, path, str_skip(route->to, prefix.n), &route->trunk);
	}
	if (check_uri(ld, path, route->to)) {
		return ld->err;
	}
	if (sip_uri_parse(route->to, &uri, NULL) == 0) {
		why = uri.scheme == SIP_URI_SIP || uri.scheme == SIP_URI_SIPS
		              ? conf_uri_problem(&uri)
		              : "a sip URI or \"trunk:NAME\" is wanted";
		if (why) {
			return conf_fail_path(ld, path, "\"%.*s\": %s", STR_FMT(route->to), why);
		}
	}
	return 0;
}

static int check_action(struct conf_loader *ld, size_t i, struct conf_route *route)
{
	int actions = (route->to.n > 0) + (route->redirect.n > 0) + (route->reject != 0);
	char path[PATH_LEN];

	if (actions != 1) {
		(void)snprintf(path, sizeof(path), "routes.%zu", i);
		return conf_fail_path(ld, path, "%s of to, redirect and reject is wanted",
		                      actions ? "only one" : "one");
	}
	if (route->to.n > 0) {
		return check_to(ld, i, route);
	}
	if (route->redirect.n > 0) {
		(void)snprintf(path, sizeof(path), "routes.%zu.redirect", i);
		return check_uri(ld, path, route->redirect);
	}
	return 0;
}

static int check_name(struct conf_loader *ld, size_t i, struct conf_route *route)
{
	char path[PATH_LEN];

	if (route->name.n == 0) {
		route->name = arena_printf(ld->arena, "routes.%zu", i);
		return route->name.p ? 0 : conf_nomem(ld);
	}
	for (size_t j = 0; j < i; j++) {
		if (str_eq(route->name, ld->conf->routes[j].name)) {
			(void)snprintf(path, sizeof(path), "routes.%zu.name", i);
			return conf_fail_path(ld, path, "\"%.*s\" is the name of routes.%zu too",
			                      STR_FMT(route->name), j);
		}
	}
	return 0;
}

static bool matches_all(const struct conf_route_match *m)
{
	return m->user.n + m->domain.n + m->method.n + m->uri.n + m->source.n == 0;
}

int conf_rules_routes(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	char path[PATH_LEN];
	int err = 0;

	for (size_t i = 0; !err && i < conf->routes_n; i++) {
		struct conf_route *route = &conf->routes[i];

		(void)snprintf(path, sizeof(path), "routes.%zu", i);
		route->trunk = -1;
		route->line = conf_path_line(ld, path);
		err = check_name(ld, i, route);
		err = err ? err : check_match(ld, i, route);
		err = err ? err : check_action(ld, i, route);
		if (!err && matches_all(&route->match) && i + 1 < conf->routes_n) {
			err = conf_warn_path(
				ld, path,
				"matches every request; the rules after it are never used");
		}
	}
	return err;
}

static int check_target(struct conf_loader *ld, const struct conf_trunk *trunk, size_t k)
{
	struct sip_uri uri;
	const char *why = NULL;
	char path[PATH_LEN];
	int err = sip_uri_parse(trunk->targets.v[k], &uri, &why);

	if (!err) {
		why = uri.scheme == SIP_URI_SIP || uri.scheme == SIP_URI_SIPS
		              ? conf_uri_problem(&uri)
		              : "a sip URI is wanted";
	}
	if (err || why) {
		(void)snprintf(path, sizeof(path), "trunks.%.*s.targets.%zu", STR_FMT(trunk->name),
		               k);
		return conf_fail_path(ld, path, "\"%.*s\" cannot be a target: %s",
		                      STR_FMT(trunk->targets.v[k]), why ? why : "syntax");
	}
	return 0;
}

static int check_trunk(struct conf_loader *ld, const struct conf_trunk *trunk)
{
	char path[PATH_LEN];
	int err = 0;

	(void)snprintf(path, sizeof(path), "trunks.%.*s", STR_FMT(trunk->name));
	if (trunk->targets.n == 0) {
		return conf_fail_path(ld, path,
		                      "targets is missing, as in targets = ( \"sip:192.0.2.10\" )");
	}
	if (trunk->weights.n > 0 && trunk->policy != CONF_TRUNK_WEIGHTED) {
		return conf_fail_path(ld, path, "weights need policy = \"weighted\"");
	}
	if (trunk->weights.n > trunk->targets.n) {
		return conf_fail_path(ld, path, "%zu weights for %zu targets", trunk->weights.n,
		                      trunk->targets.n);
	}
	if (trunk->tls_wildcard && !conf_transport_is_built(CONF_TLS)) {
		return conf_fail_path(ld, path, "tls_wildcard: this build has no TLS");
	}
	for (size_t k = 0; !err && k < trunk->targets.n; k++) {
		err = check_target(ld, trunk, k);
	}
	return err;
}

int conf_rules_trunks(struct conf_loader *ld)
{
	int err = 0;

	for (size_t i = 0; !err && i < ld->conf->trunks_n; i++) {
		err = check_trunk(ld, &ld->conf->trunks[i]);
	}
	return err;
}
