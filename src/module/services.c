/* SPDX-License-Identifier: Apache-2.0 */
/* What modules ask of the core on the main thread: keys, shared tables, bans, commands. */
#include "module/command.h"
#include "module/internal.h"
#include "module/shared.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <time.h>

/* HKDF-SHA-256 of the secret that lives as long as the process. */
static int derive_here(struct belfry_core *core, const char *purpose, void *out, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, core->secret,
		                                  sizeof(core->secret)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)purpose,
		                                  strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	int ret = ctx && EVP_KDF_derive(ctx, out, n, params) > 0 ? 0 : -ENOMEM;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ret;
}

int belfry_derive_key(struct belfry_core *core, const char *purpose, unsigned generation, void *out,
                      size_t n)
{
	if (core->params.store) {
		return store_derive_key(core->params.store, purpose, generation, out, n);
	}
	return generation == 0 ? derive_here(core, purpose, out, n) : BELFRY_ENOENT;
}

struct belfry_shared *belfry_shared_new(struct belfry_core *core, size_t key_max, size_t value_size,
                                        size_t limit)
{
	struct belfry_shared *t = shared_new(key_max, value_size, limit);

	if (t) {
		shared_link(&core->shared, t);
	}
	return t;
}

const void *belfry_core_conf(struct belfry_core *core, const char *module)
{
	return conf_module_values(core->conf, str_from(module));
}

uint64_t belfry_core_now_ms(struct belfry_core *core)
{
	struct timespec ts;

	if (core->params.clock) {
		return core->params.clock->now_ms;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- bans ---------------------------------------------------------------------------------------
 */

struct ban {
	struct belfry_core *core;
	struct net_addr ip;
	uint32_t s; /* 0: no longer */
};

static void ban_on(struct worker *w, void *arg)
{
	const struct ban *ban = arg;
	struct transport *tp = ban->core->workers[w->id]->transport;
	int ret;

	if (ban->s == 0) {
		transport_ban_del(tp, &ban->ip);
		return;
	}
	ret = transport_ban_add(tp, &ban->ip, w->clock.now_ms + (uint64_t)ban->s * 1000);
	if (ret < 0) {
		log_warning("ban.failed", LOG_U("worker", w->id), LOG_ERR(ret));
	}
}

static void ban_done(struct worker *w, void *arg)
{
	(void)w;
	free(arg);
}

static void ban_everywhere(struct belfry_core *core, struct str ip, uint32_t s)
{
	struct ban *ban = malloc(sizeof(*ban));

	if (!ban) {
		log_warning("ban.failed", LOG_S("source", ip), LOG_ERR(-ENOMEM));
		return;
	}
	*ban = (struct ban){ .core = core, .s = s };
	if (net_addr_parse(ip, 0, &ban->ip) < 0 ||
	    workers_each(core->params.workers, ban_on, ban_done, -1, ban) < 0) {
		log_warning("ban.failed", LOG_S("source", ip), LOG_ERR(-ENOMEM));
		free(ban);
	}
}

void belfry_ban(struct belfry_mod *mod, struct str ip, uint32_t s)
{
	if (s > 0) {
		ban_everywhere(mod->mw->core, ip, s);
	}
}

void belfry_unban(struct belfry_core *core, struct str ip)
{
	ban_everywhere(core, ip, 0);
}

/* --- commands -----------------------------------------------------------------------------------
 */

/* The @i-th command of the enabled modules, and whose it is. */
static const struct belfry_command *command_at(const struct belfry_core *core, size_t i,
                                               const struct module_entry **entry_r)
{
	for (size_t k = 0; k < core->entries_n; k++) {
		const struct belfry_module *module = core->entries[k].module;
		const struct belfry_command *c = module->commands;

		if (!module_is_enabled(core->conf, module)) {
			continue;
		}
		for (; c && c->name; c++) {
			if (i-- == 0) {
				*entry_r = &core->entries[k];
				return c;
			}
		}
	}
	return NULL;
}

const struct belfry_command *module_command_at(const struct belfry_core *core, size_t i,
                                               const char **module_r)
{
	const struct module_entry *entry;
	const struct belfry_command *c = command_at(core, i, &entry);

	if (c) {
		*module_r = entry->module->name;
	}
	return c;
}

void module_command_run(struct belfry_core *core, const struct belfry_command *command,
                        struct belfry_call *call)
{
	const struct module_entry *entry;
	const struct belfry_command *c;

	for (size_t i = 0; (c = command_at(core, i, &entry)); i++) {
		if (c == command) {
			command->run(call, core, entry->data);
			return;
		}
	}
	call->fail(call, "the module of this command is not enabled any more");
}

struct str belfry_command_param(struct belfry_call *call, const char *name)
{
	return call->param(call, name);
}

void belfry_command_reply(struct belfry_call *call, struct str json)
{
	call->reply(call, json);
}

void belfry_command_fail(struct belfry_call *call, const char *why)
{
	call->fail(call, why);
}
