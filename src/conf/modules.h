/* SPDX-License-Identifier: Apache-2.0 */
/* The sections that are not the core's: those of modules. */
#pragma once

#include "conf/check.h"

/* Asks the callback for the modules of `modules` and of every other section, and reads their
 * sections. A section nobody knows is an error; one of a module that is not loaded a warning. */
int conf_modules_read(struct conf_loader *ld);
/* Lets each module look at its values. */
int conf_modules_check(struct conf_loader *ld);
