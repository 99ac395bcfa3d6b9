/* SPDX-License-Identifier: Apache-2.0 */
/* An expectation of a fuzz target: not an assert(), so that no build leaves it out. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
