/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "conf/check.h"
#include "conf/modules.h"
#include "conf/override.h"
#include "conf/rules.h"
#include "conf/schema.h"
#include "sip/uri.h"
#include "util/arena.h"
#include "util/err.h"
#include "util/hash.h"
#include "util/near.h"

struct conf_mem {
	struct arena arena;
	uint32_t *domains; /* index + 1 in conf->domains by hash of the name; 0: free */
	size_t mask;
};

/* The table is filled by the operator alone: the key need not be secret. */

static struct conf *conf_new(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct conf_mem *mem = calloc(1, sizeof(*mem));

	if (!conf || !mem) {
		free(conf);
		free(mem);
		return NULL;
	}
	arena_init(&mem->arena, NULL);
	atomic_init(&conf->refs, 1);
	conf->mem = mem;
	return conf;
}

struct conf *conf_ref(struct conf *conf)
{
	(void)atomic_fetch_add_explicit(&conf->refs, 1, memory_order_relaxed);
	return conf;
}

void conf_unref(struct conf **conf)
{
	struct conf *c = *conf;

	*conf = NULL;
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
		arena_fini(&c->mem->arena);
		free(c->mem);
		free(c);
	}
}

/* --- loading -----------------------------------------------------------------------------------
 */

static int index_domains(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	struct conf_mem *mem = conf->mem;
	size_t size = 8;

	while (size < conf->domains.n * 2) {
		size *= 2;
	}
	mem->domains = arena_zalloc(ld->arena, size * sizeof(*mem->domains));
	if (!mem->domains) {
		return conf_nomem(ld);
	}
	mem->mask = size - 1;
	for (size_t i = 0; i < conf->domains.n; i++) {
		size_t k = hash_name(conf->domains.v[i]) & mem->mask;

		while (mem->domains[k]) {
			k = (k + 1) & mem->mask;
		}
		mem->domains[k] = (uint32_t)i + 1;
	}
	return 0;
}

/* Without `listen`: what is in the manual as its default. */
static void default_listeners(config_setting_t *root)
{
	static const char *const transports[] = { "udp", "tcp" };
	config_setting_t *list, *group, *s;

	if (config_setting_get_member(root, "listen")) {
		return;
	}
	list = config_setting_add(root, "listen", CONFIG_TYPE_LIST);
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		group = config_setting_add(list, NULL, CONFIG_TYPE_GROUP);
		s = config_setting_add(group, "transport", CONFIG_TYPE_STRING);
		(void)config_setting_set_string(s, transports[i]);
	}
}

static int parse_error(struct conf_loader *ld, const config_t *tree)
{
	config_setting_t at = { .line = (unsigned)config_error_line(tree) };
	const char *text = config_error_text(tree), *hint = "";

	if (text && strcmp(text, "syntax error") == 0) {
		hint = "; look for a missing `;`, quote or bracket here or on the line before";
	}
	return conf_fail(ld, &at, "%s%s", text ? text : "it cannot be parsed", hint);
}

/* A misspelt `domains` is both unknown and missing: the former is the mistake. */
static int check_domains_name(struct conf_loader *ld)
{
	const config_setting_t *root = config_root_setting(ld->tree), *s;
	struct near near;

	if (config_setting_get_member(root, "domains")) {
		return 0;
	}
	for (int i = 0; i < config_setting_length(root); i++) {
		s = config_setting_get_elem(root, (unsigned)i);
		near_init(&near, str_from(config_setting_name(s)));
		near_try(&near, STR("domains"));
		if (near.best.n > 0) {
			return conf_fail(ld, s, "unknown section \"%s\"%s", config_setting_name(s),
			                 conf_hint(ld, near.best));
		}
	}
	return 0;
}

static int check_tree(struct conf_loader *ld, char *const *overrides, size_t overrides_n)
{
	int err = 0;

	default_listeners(config_root_setting(ld->tree));
	for (size_t i = 0; !err && i < overrides_n; i++) {
		err = conf_override(ld, overrides[i]);
	}
	err = err ? err : check_domains_name(ld);
	err = err ? err
	          : conf_read_group(ld, conf_core_settings(), config_root_setting(ld->tree), "",
	                            true, ld->conf);
	err = err ? err : conf_modules_read(ld);
	err = err ? err : conf_rules(ld);
	err = err ? err : index_domains(ld);
	return err ? err : conf_modules_check(ld);
}

static int load(const struct conf_source *src, const char *name, char *const *overrides,
                size_t overrides_n, conf_module_cb *cb, void *arg, struct conf **conf_r,
                char **error_r)
{
	struct conf *conf = conf_new();
	config_t tree;
	struct conf_loader ld = { .conf = conf, .source = src, .tree = &tree, .cb = cb };

	if (!conf) {
		return -ENOMEM;
	}
	ld.cb_arg = arg;
	ld.arena = &conf->mem->arena;
	conf->file = arena_str(ld.arena, str_from(name));
	config_init(&tree);
	if (!conf->file.p) {
		(void)conf_nomem(&ld);
	} else if (config_read_string(&tree, src->text) == CONFIG_FALSE) {
		(void)parse_error(&ld, &tree);
	} else {
		(void)check_tree(&ld, overrides, overrides_n);
	}
	config_destroy(&tree);
	if (ld.err) {
		conf_unref(&conf);
	}
	*conf_r = conf;
	if (error_r) {
		*error_r = ld.error;
	} else {
		free(ld.error);
	}
	return ld.err;
}

static int load_source(struct conf_source *src, int err, const char *name, char *const *overrides,
                       size_t overrides_n, conf_module_cb *cb, void *arg, struct conf **conf_r,
                       char **error_r)
{
	*conf_r = NULL;
	if (error_r) {
		*error_r = NULL;
	}
	if (!err) {
		err = load(src, name, overrides, overrides_n, cb, arg, conf_r, error_r);
	} else if (error_r) {
		*error_r = src->error;
		src->error = NULL;
	}
	conf_source_fini(src);
	return err;
}

int conf_load(const char *file, char *const *overrides, size_t overrides_n, conf_module_cb *cb,
              void *arg, struct conf **conf_r, char **error_r)
{
	struct conf_source src;
	int err = conf_source_file(&src, file);

	return load_source(&src, err, file, overrides, overrides_n, cb, arg, conf_r, error_r);
}

int conf_load_text(struct str text, const char *name, char *const *overrides, size_t overrides_n,
                   conf_module_cb *cb, void *arg, struct conf **conf_r, char **error_r)
{
	struct conf_source src;
	int err = conf_source_text(&src, text, name);

	return load_source(&src, err, name, overrides, overrides_n, cb, arg, conf_r, error_r);
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* One by one: an IPv6 reference has many spellings (RFC 5954 4.2, RFC 5118 4.2). */
static bool is_local_ip6(const struct conf *conf, struct str host)
{
	for (size_t i = 0; i < conf->domains.n; i++) {
		if (sip_host_eq(conf->domains.v[i], host)) {
			return true;
		}
	}
	return false;
}

bool conf_is_local_domain(const struct conf *conf, struct str host)
{
	const struct conf_mem *mem = conf->mem;
	size_t k;

	if (host.n > 0 && host.p[0] == '[') {
		return is_local_ip6(conf, host);
	}
	if (host.n > 0 && host.p[host.n - 1] == '.') {
		host.n--;
	}
	k = hash_name(host) & mem->mask;
	for (; mem->domains[k]; k = (k + 1) & mem->mask) {
		if (str_eq_nocase(conf->domains.v[mem->domains[k] - 1], host)) {
			return true;
		}
	}
	return false;
}

bool conf_is_trusted(const struct conf *conf, const struct net_addr *source)
{
	for (size_t i = 0; i < conf->proxy.trusted.n; i++) {
		if (net_prefix_has(&conf->proxy.trusted_nets[i], source)) {
			return true;
		}
	}
	return false;
}

const void *conf_module_values(const struct conf *conf, struct str name)
{
	for (size_t i = 0; i < conf->module_n; i++) {
		if (str_eq(conf->module[i].name, name)) {
			return conf->module[i].values;
		}
	}
	return NULL;
}

/* Index of the word that registrar.store has; -1 without that setting. */
static int registrar_store(const struct conf *conf)
{
	for (size_t i = 0; i < conf->module_n; i++) {
		const struct conf_module *m = &conf->module[i];

		if (!str_eq(m->name, STR("registrar")) || !m->values) {
			continue;
		}
		for (const struct belfry_setting *s = m->settings; s->type != BELFRY_T_END; s++) {
			if (strcmp(s->name, "store") == 0 && s->type == BELFRY_T_ENUM) {
				return *(const int *)(const void *)((const char *)m->values +
				                                    s->offset);
			}
		}
	}
	return -1;
}

const char *conf_needs_restart(const struct conf *old, const struct conf *new_conf)
{
	const struct conf_server *a = &old->server, *b = &new_conf->server;
	const struct {
		const char *name;
		struct str a, b;
	} texts[] = {
		{ "server.state_dir", a->state_dir, b->state_dir },
		{ "server.run_dir", a->run_dir, b->run_dir },
		{ "server.module_dir", a->module_dir, b->module_dir },
		{ "server.user", a->user, b->user },
		{ "server.group", a->group, b->group },
		{ "control.socket", old->control.socket, new_conf->control.socket },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!str_eq(texts[i].a, texts[i].b)) {
			return texts[i].name;
		}
	}
	if (old->workers != new_conf->workers) {
		return "server.workers";
	}
	return registrar_store(old) != registrar_store(new_conf) ? "registrar.store" : NULL;
}
