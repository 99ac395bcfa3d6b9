/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error numbers. A function that can fail returns 0 or a negative number: -errno for system
 * failures, one of these for ours. belfry_strerror() gives the text of both.
 */
#pragma once

enum belfry_error {
	BELFRY_WAIT = 1,      /* not an error: the answer comes by callback */
	BELFRY_EPARSE = -1000, /* syntax */
	BELFRY_EFULL = -1001,  /* a limit is reached */
	BELFRY_ESTALE = -1002, /* old CSeq, old generation */
	BELFRY_ENOENT = -1003, /* not there */
	BELFRY_EEXIST = -1004, /* there already */
	BELFRY_EAGAIN = -1005, /* not now: the store is failing or busy */
	BELFRY_EUNREACH = -1006, /* transport error: refused, unreachable, closed */
	BELFRY_ETIMEOUT = -1007,
	BELFRY_ENXDOMAIN = -1008, /* the name does not exist */
	BELFRY_EDENIED = -1009,
	BELFRY_EVERSION = -1010, /* schema or ABI of another version */
	BELFRY_ECORRUPT = -1011, /* damaged or not ours */
	BELFRY_ECANCELED = -1012,
	BELFRY_ETOOBIG = -1013,
	BELFRY_ECONF = -1014, /* the configuration is wrong: exit code 1 */
};

#include "util/str.h"

/* English, no full stop; static storage. */
BELFRY_API const char *belfry_strerror(int err);
