/* SPDX-License-Identifier: Apache-2.0 */
#include "module/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/near.h"

#define NAME_MAX_LEN 64
#define ERROR_MAX    1024

struct loaded {
	const struct belfry_module *module;
	struct conf_module_info info;
};

struct module_loader {
	struct loaded **v; /* each by itself: conf keeps pointers to the info */
	size_t n;
	char error[ERROR_MAX];
};

struct module_loader *module_loader_new(void)
{
	return calloc(1, sizeof(struct module_loader));
}

void module_loader_free(struct module_loader *loader)
{
	if (!loader) {
		return;
	}
	for (size_t i = 0; i < loader->n; i++) {
		free(loader->v[i]);
	}
	free(loader->v);
	free(loader);
}

static __attribute__((format(printf, 4, 5))) int
fail(struct module_loader *loader, const char **error_r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(loader->error, sizeof(loader->error), fmt, ap);
	va_end(ap);
	*error_r = loader->error;
	return err;
}

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (!ascii_is_alpha(c) && c != '_' && !(i > 0 && ascii_is_digit(c))) {
			return false;
		}
	}
	return name.n > 0 && name.n < NAME_MAX_LEN;
}

const struct belfry_module *module_at(const struct module_loader *loader, size_t i)
{
	return i < loader->n ? loader->v[i]->module : NULL;
}

static struct loaded *find(const struct module_loader *loader, struct str name)
{
	for (size_t i = 0; i < loader->n; i++) {
		if (str_eq(str_from(loader->v[i]->module->name), name)) {
			return loader->v[i];
		}
	}
	return NULL;
}

const struct belfry_module *module_find(const struct module_loader *loader, struct str name)
{
	const struct loaded *l = find(loader, name);

	return l ? l->module : NULL;
}

/* The ABI number is looked at before anything else of the descriptor. */
static int check_descriptor(struct module_loader *loader, const struct belfry_module *module,
                            const char *file, struct str name, const char **error_r)
{
	if (module->abi != BELFRY_MOD_ABI) {
		return fail(loader, error_r, BELFRY_EVERSION,
		            "%s is built for module ABI %u, this belfryd has ABI %u; rebuild it",
		            file, (unsigned)module->abi, (unsigned)BELFRY_MOD_ABI);
	}
	if (!module->name || !str_eq(str_from(module->name), name)) {
		return fail(loader, error_r, BELFRY_ECORRUPT,
		            "%s calls itself \"%s\"; a file is named after its module", file,
		            module->name ? module->name : "");
	}
	if (module->settings && module->conf_size == 0) {
		return fail(loader, error_r, BELFRY_ECORRUPT,
		            "%s has settings and no size of them (conf_size)", file);
	}
	return 0;
}

static int add(struct module_loader *loader, const struct belfry_module *module,
               const char **error_r)
{
	struct loaded **v = reallocarray(loader->v, loader->n + 1, sizeof(struct loaded *));
	struct loaded *l;

	if (!v) {
		return fail(loader, error_r, -ENOMEM, "out of memory");
	}
	loader->v = v;
	l = calloc(1, sizeof(*l));
	if (!l) {
		return fail(loader, error_r, -ENOMEM, "out of memory");
	}
	l->module = module;
	l->info.settings = module->settings;
	l->info.conf_size = module->conf_size;
	l->info.check = module->check;
	v[loader->n++] = l;
	return 0;
}

int module_add(struct module_loader *loader, const struct belfry_module *module,
               const char **error_r)
{
	int ret = check_descriptor(loader, module, "a module that is linked in",
	                           str_from(module->name), error_r);

	if (ret < 0 || module_find(loader, str_from(module->name))) {
		return ret;
	}
	return add(loader, module, error_r);
}

/* Where the modules of the build tree are that this program was built in. */
static bool build_tree_folder(char out[PATH_MAX])
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0) {
		return false;
	}
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash) {
		return false;
	}
	*slash = '\0';
	n = snprintf(out, PATH_MAX, "%s/../modules/.libs", exe);
	return n < PATH_MAX && access(out, F_OK) == 0;
}

void module_default_folder(char out[PATH_MAX])
{
	if (!build_tree_folder(out)) {
		(void)snprintf(out, PATH_MAX, "%s", BELFRY_MODULE_DIR);
	}
}

static bool module_file(struct str dir, struct str name, char out[PATH_MAX])
{
	char folder[PATH_MAX];
	int n;

	if (dir.n == 0) {
		module_default_folder(folder);
		dir = str_from(folder);
	}
	n = snprintf(out, PATH_MAX, "%.*s/%.*s.so", STR_FMT(dir), STR_FMT(name));
	return n < PATH_MAX;
}

/* The module in the folder of @file whose name is nearest to @name, into @near_r; empty: none. */
static void find_near(const char *file, struct str name, char near_r[NAME_MAX_LEN])
{
	const char *slash = strrchr(file, '/');
	char *folder = strndup(file, (size_t)(slash - file) + 1);
	DIR *dir = folder ? opendir(folder) : NULL;
	const struct dirent *e;
	struct near near;

	near_r[0] = '\0';
	near_init(&near, name);
	while (dir && (e = readdir(dir)) != NULL) {
		struct str have = str_from(e->d_name);

		if (!str_ends(have, STR(".so")) || have.n - 3 >= NAME_MAX_LEN) {
			continue;
		}
		have.n -= 3;
		near.best = STR_NONE;
		near_try(&near, have);
		if (near.best.n > 0) {
			(void)snprintf(near_r, NAME_MAX_LEN, "%.*s", STR_FMT(have));
		}
	}
	if (dir) {
		(void)closedir(dir);
	}
	free(folder);
}

static int no_file(struct module_loader *loader, const char *file, struct str name,
                   const char **error_r)
{
	int err = errno;
	char near[NAME_MAX_LEN] = "";

	if (err == ENOENT) {
		find_near(file, name, near);
	}
	return fail(loader, error_r, err == ENOENT ? BELFRY_ENOENT : -err, "%s: %s%s%s%s", file,
	            strerror(err), *near ? "; did you mean \"" : "", near, *near ? "\"?" : "");
}

static int open_file(struct module_loader *loader, const char *file, struct str name,
                     const struct belfry_module **module_r, const char **error_r)
{
	char symbol[NAME_MAX_LEN + sizeof("belfry_module_")];
	void *dl = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	const struct belfry_module *module;

	if (!dl) {
		const char *why = dlerror();

		return fail(loader, error_r, BELFRY_ECORRUPT, "cannot load %s: %s", file,
		            why ? why : "no reason given");
	}
	snprintf(symbol, sizeof(symbol), "belfry_module_%.*s", STR_FMT(name));
	module = dlsym(dl, symbol);
	if (!module) {
		return fail(loader, error_r, BELFRY_ECORRUPT,
		            "%s is no module of that name: it has no %s", file, symbol);
	}
	*module_r = module;
	return 0;
}

int module_load(struct module_loader *loader, struct str dir, struct str name,
                const struct belfry_module **module_r, const char **error_r)
{
	const struct belfry_module *module = module_find(loader, name);
	char file[PATH_MAX];
	int ret;

	if (module) {
		*module_r = module;
		return 0;
	}
	if (!is_name(name)) {
		return fail(loader, error_r, BELFRY_EPARSE,
		            "a module's name is made of letters, digits and _");
	}
	if (!module_file(dir, name, file)) {
		return fail(loader, error_r, BELFRY_ENOENT, "module_dir is too long");
	}
	if (access(file, R_OK) < 0) {
		return no_file(loader, file, name, error_r);
	}
	ret = open_file(loader, file, name, &module, error_r);
	if (ret == 0) {
		ret = check_descriptor(loader, module, file, name, error_r);
	}
	if (ret == 0) {
		ret = add(loader, module, error_r);
	}
	if (ret == 0) {
		*module_r = module;
	}
	return ret;
}

const struct conf_module_info *module_conf_info(void *arg, struct str name, struct str module_dir,
                                                const char **error_r)
{
	struct module_loader *loader = arg;
	const struct belfry_module *module;

	if (module_load(loader, module_dir, name, &module, error_r) < 0) {
		return NULL;
	}
	return &find(loader, name)->info;
}
