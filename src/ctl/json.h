/* SPDX-License-Identifier: Apache-2.0 */
/* Small helps around jansson. */
#pragma once

#include "util/str.h"

struct proxy_decision;

#include <jansson.h>

/* Text from the wire: what is no UTF-8 becomes `?`. NULL: out of memory. */
json_t *ctl_json_str(struct str s);
/* A URI from the wire, its password masked. */
json_t *ctl_json_uri(struct str s);
/* obj[key] = @v (taken over), unless @v is NULL. false: out of memory. */
bool ctl_json_set(json_t *obj, const char *key, json_t *v);
/* A decision as `explain` and `why` tell it; NULL: out of memory. */
json_t *ctl_json_decision(const struct proxy_decision *d);
