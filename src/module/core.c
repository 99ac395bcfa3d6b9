/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing modules up, following a reload, taking them down. Main thread but where said otherwise.
 */
#include "module/core.h"

#include "module/internal.h"
#include "module/shared.h"
#include "util/random.h"
#include "util/sbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool module_is_enabled(const struct conf *conf, const struct belfry_module *module)
{
	struct str name = str_from(module->name);

	for (size_t i = 0; i < conf->modules.n; i++) {
		if (str_eq(conf->modules.v[i], name)) {
			return true;
		}
	}
	return false;
}

static struct module_entry *entry_find(struct belfry_core *core, const struct belfry_module *module)
{
	for (size_t i = 0; i < core->entries_n; i++) {
		if (core->entries[i].module == module) {
			return &core->entries[i];
		}
	}
	return NULL;
}

static __attribute__((format(printf, 2, 3))) void say(char **error_r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*error_r = str_dup(str_from(text));
}

static int register_counters(struct belfry_core *core, const struct belfry_module *module,
                             int **ids_r)
{
	size_t n = 0;
	int *ids;

	*ids_r = NULL;
	while (module->counters && module->counters[n].name) {
		n++;
	}
	if (n == 0) {
		return 0;
	}
	ids = calloc(n, sizeof(*ids));
	if (!ids) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct counter_def def = {
			.type = COUNTER_COUNTER,
			.name = module->counters[i].name,
			.labels = module->counters[i].labels,
			.help = module->counters[i].help,
		};

		ids[i] = counters_register(core->params.counters, &def);
		if (ids[i] < 0) {
			int ret = ids[i];

			free(ids);
			return ret;
		}
	}
	*ids_r = ids;
	return 0;
}

static int init_module(struct belfry_core *core, const struct conf *conf,
                       const struct belfry_module *module, char **error_r)
{
	const char *why = NULL;
	void *data = NULL;
	int *counters = NULL;
	int ret;

	if (core->entries_n == MODULES_MAX) {
		say(error_r, "more than %d modules", MODULES_MAX);
		return BELFRY_EFULL;
	}
	ret = register_counters(core, module, &counters);
	if (ret == 0 && module->init) {
		ret = module->init(core, conf_module_values(conf, str_from(module->name)), &data,
		                   &why);
	}
	if (ret < 0) {
		free(counters);
		say(error_r, "module %s: %s", module->name, why ? why : belfry_strerror(ret));
		return ret;
	}
	core->entries[core->entries_n++] = (struct module_entry){
		.module = module,
		.counters = counters,
		.data = data,
	};
	return 0;
}

static int init_modules(struct belfry_core *core, char **error_r)
{
	const struct conf *conf = core->conf;

	for (size_t i = 0; i < conf->modules.n; i++) {
		const struct belfry_module *module =
			module_find(core->params.loader, conf->modules.v[i]);
		int ret;

		if (!module) {
			say(error_r, "module \"%.*s\" has not been loaded",
			    STR_FMT(conf->modules.v[i]));
			return BELFRY_ENOENT;
		}
		if (entry_find(core, module)) {
			continue;
		}
		ret = init_module(core, conf, module, error_r);
		if (ret < 0) {
			return ret;
		}
	}
	return 0;
}

int module_core_new(const struct module_core_params *params, struct belfry_core **core_r,
                    char **error_r)
{
	struct belfry_core *core = calloc(1, sizeof(*core));
	int ret = -ENOMEM;

	*error_r = NULL;
	if (!core) {
		return -ENOMEM;
	}
	core->params = *params;
	core->conf = conf_ref(params->conf);
	core->workers_n = workers_n(params->workers);
	random_key(core->secret, sizeof(core->secret));
	core->workers = calloc(core->workers_n, sizeof(struct module_worker *));
	if (!core->workers) {
		goto fail;
	}
	ret = init_modules(core, error_r);
	if (ret < 0) {
		goto fail;
	}
	*core_r = core;
	return 0;
fail:
	module_core_free(core);
	return ret;
}

static void worker_free(struct module_worker *mw)
{
	if (!mw) {
		return;
	}
	for (size_t i = 0; i < mw->core->entries_n; i++) {
		struct belfry_mod *mod = &mw->mods[i];

		if (mod->is_ready && mod->entry->module->worker_fini) {
			mod->entry->module->worker_fini(mod, mod->state);
		}
	}
	module_waits_free(mw);
	module_hooks_free(mw);
	free(mw);
}

void module_core_free(struct belfry_core *core)
{
	if (!core) {
		return;
	}
	for (unsigned i = 0; core->workers && i < core->workers_n; i++) {
		worker_free(core->workers[i]);
	}
	for (size_t i = core->entries_n; i-- > 0;) {
		const struct belfry_module *module = core->entries[i].module;

		if (module->fini) {
			module->fini(core, core->entries[i].data);
		}
		free(core->entries[i].counters);
	}
	shared_free_all(&core->shared);
	conf_unref(&core->conf);
	free(core->workers);
	free(core);
}

/* On the worker, or before it starts: what has been initialised on the main thread comes to it. */
static int worker_init_modules(struct module_worker *mw, const struct conf *conf,
                               const char **who_r)
{
	struct belfry_core *core = mw->core;

	for (size_t i = 0; i < core->entries_n; i++) {
		const struct module_entry *entry = &core->entries[i];
		struct belfry_mod *mod = &mw->mods[i];
		int ret = 0;

		if (mod->is_ready || !module_is_enabled(conf, entry->module)) {
			continue;
		}
		*mod = (struct belfry_mod){ .mw = mw, .entry = entry, .conf = conf };
		if (entry->module->worker_init) {
			ret = entry->module->worker_init(mod, &mod->state);
		}
		if (ret < 0) {
			*who_r = entry->module->name;
			return ret;
		}
		mod->is_ready = true;
	}
	return 0;
}

int module_worker_new(struct belfry_core *core, struct worker *worker, struct transport *transport,
                      struct proxy *proxy, struct module_worker **mw_r, char **error_r)
{
	struct module_worker *mw = calloc(1, sizeof(*mw));
	const char *who = "modules";
	int ret = -ENOMEM;

	*error_r = NULL;
	if (!mw) {
		return -ENOMEM;
	}
	mw->core = core;
	mw->worker = worker;
	mw->transport = transport;
	mw->proxy = proxy;
	ret = module_timers_init(mw);
	if (ret == 0) {
		ret = worker_init_modules(mw, core->conf, &who);
	}
	if (ret == 0) {
		ret = module_hooks_build(mw, core->conf);
	}
	if (ret < 0) {
		say(error_r, "%s: %s", who, belfry_strerror(ret));
		worker_free(mw);
		return ret;
	}
	module_packets_begin(mw);
	core->workers[worker->id] = mw;
	*mw_r = mw;
	return 0;
}

int module_core_prepare(struct belfry_core *core, struct conf *conf, char **error_r)
{
	struct conf *now = core->conf;
	int ret;

	*error_r = NULL;
	core->conf = conf; /* what init asks for */
	ret = init_modules(core, error_r);
	core->conf = now;
	return ret;
}

struct adopt {
	struct belfry_core *core;
	struct conf *conf;
	workers_each_cb *done;
	void *arg;
};

static void adopt_on(struct worker *w, void *arg)
{
	struct adopt *adopt = arg;
	struct module_worker *mw = adopt->core->workers[w->id];
	const char *who = "modules";
	int ret = worker_init_modules(mw, adopt->conf, &who);

	if (ret == 0) {
		ret = module_hooks_build(mw, adopt->conf);
	}
	if (ret < 0) {
		log_error("module.reload_failed", LOG_U("worker", w->id), LOG_Z("module", who),
		          LOG_ERR(ret));
	}
}

static void adopt_done(struct worker *w, void *arg)
{
	struct adopt adopt = *(struct adopt *)arg;

	free(arg);
	conf_unref(&adopt.conf);
	if (adopt.done) {
		adopt.done(w, adopt.arg);
	}
}

int module_core_adopt(struct belfry_core *core, struct conf *conf, workers_each_cb *done, void *arg)
{
	struct adopt *adopt = malloc(sizeof(*adopt));
	int ret = -ENOMEM;

	if (!adopt) {
		return ret;
	}
	*adopt = (struct adopt){ .core = core, .conf = conf_ref(conf), .done = done, .arg = arg };
	conf_unref(&core->conf);
	core->conf = conf_ref(conf);
	ret = workers_each(core->params.workers, adopt_on, adopt_done, -1, adopt);
	if (ret < 0) {
		conf_unref(&adopt->conf);
		free(adopt);
	}
	return ret;
}

/* --- the command `modules` -----------------------------------------------------------------------
 */

static void add_word(struct sbuf *b, const char *word)
{
	if (b->n > 0) {
		sbuf_char(b, ' ');
	}
	sbuf_add(b, str_from(word));
}

static void hook_names(const struct belfry_module *module, struct sbuf *b)
{
	static const char *const names[BELFRY_H_N] = {
		[BELFRY_H_PACKET] = "packet",     [BELFRY_H_REQUEST] = "request",
		[BELFRY_H_REGISTER] = "register", [BELFRY_H_TARGETS] = "targets",
		[BELFRY_H_BRANCH] = "branch",     [BELFRY_H_RESPONSE] = "response",
		[BELFRY_H_FLOW] = "flow",         [BELFRY_H_END] = "end",
	};

	for (const struct belfry_hook *h = module->hooks; h && h->point; h++) {
		add_word(b, names[h->point]);
	}
	for (const struct belfry_service *s = module->services; s && s->method; s++) {
		add_word(b, s->method);
	}
}

void module_core_each(struct belfry_core *core, module_info_cb *cb, void *arg)
{
	const struct belfry_module *module;

	for (size_t i = 0; (module = module_at(core->params.loader, i)); i++) {
		char space[256];
		struct sbuf b;

		sbuf_init(&b, space, sizeof(space));
		hook_names(module, &b);
		cb(arg, &(struct module_info){
				.name = str_from(module->name),
				.version = str_from(module->version),
				.enabled = module_is_enabled(core->conf, module),
				.hooks = sbuf_str(&b),
			});
	}
}
