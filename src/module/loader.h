/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules as files: DIR/NAME.so is opened once, its descriptor checked, and never closed (a thread
 * may be inside it, and what it registered points there). Main thread only.
 */
#pragma once

#include "belfry/module.h"
#include "conf/conf.h"

#include <limits.h>

struct module_loader;

/* Of the build tree when this program runs from there, else of the installed modules. */
void module_default_folder(char out[PATH_MAX]);

struct module_loader *module_loader_new(void); /* NULL: out of memory */
/* The list only: what has been opened stays open. */
void module_loader_free(struct module_loader *loader);

/* Opens @dir/@name.so, or finds it among those opened before (whatever their folder was). @dir
 * empty: the build tree's modules when this program runs from there, else the installed ones.
 * BELFRY_ENOENT, BELFRY_EVERSION (another ABI), BELFRY_ECORRUPT (no module of that name),
 * BELFRY_EPARSE (a name that is no identifier), -ENOMEM; *error_r is a sentence, valid until the
 * next call. */
int module_load(struct module_loader *loader, struct str dir, struct str name,
                const struct belfry_module **module_r, const char **error_r);

/* A module that is linked in (unit tests). Checked like a loaded one. */
int module_add(struct module_loader *loader, const struct belfry_module *module,
               const char **error_r);

/* In the order of loading; NULL at the end. */
const struct belfry_module *module_at(const struct module_loader *loader, size_t i);
const struct belfry_module *module_find(const struct module_loader *loader, struct str name);

/* A conf_module_cb; @arg is the loader. */
const struct conf_module_info *module_conf_info(void *arg, struct str name, struct str module_dir,
                                                const char **error_r);
