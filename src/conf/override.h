/* SPDX-License-Identifier: Apache-2.0 */
/* KEY=VALUE of `belfryd -D`: put into the tree before it is checked. */
#pragma once

#include "conf/check.h"

/* "server.workers=1", "listen.0.port=5070", "domains=a,b"; a value that begins like a list, a group
 * or a string of the file is read as one: `domains=("a","b")`. @option must live as long as the
 * tree. */
int conf_override(struct conf_loader *ld, const char *option);
