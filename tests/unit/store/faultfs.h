/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system below SQLite that fails when told to, and that knows what a power cut would leave:
 * for every file, the bytes that were synced, and the writes since. Any thread.
 */
#pragma once

#include <stdbool.h>

enum faultfs_op { FAULTFS_WRITE, FAULTFS_SYNC, FAULTFS_OP_N };

/* From now on SQLite's default file system. */
void faultfs_install(void);

/* The @n-th call from now on (1: the next) gives @rc (SQLITE_FULL, SQLITE_IOERR_FSYNC, ...); all
 * after it too with @all. n 0: nothing fails. A sync that fails loses what it should have synced,
 * as the kernel does: it is clean in memory and not on the disk. */
void faultfs_fail(enum faultfs_op op, unsigned n, int rc, bool all);
/* Calls since faultfs_install(). */
unsigned faultfs_count(enum faultfs_op op);

/* Into @to: the files of @from as a power cut would leave them now. Of the writes that were not
 * synced, some came through and some did not, as @seed decides (0: none came through). */
void faultfs_power_cut(const char *from, const char *to, unsigned seed);
