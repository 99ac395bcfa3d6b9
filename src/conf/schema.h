/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the core's sections; conf_core_settings() in conf.h gives them to others. */
#pragma once

#include "conf/conf.h"

#define CONF_WORKERS_MAX 128

/* A section or module of a part that this build does not have: what to say; NULL for any other
 * name. */
const char *conf_unbuilt(const char *name);
