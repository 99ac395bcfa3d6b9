/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the table, for src/subscriber only. */
#pragma once

#include "subscriber/map.h"

struct sqlite3;

/* A user that was changed here while the table was read anew: what was read of it may be older. */
struct sub_noted {
	struct sub_noted *next;
	struct str user, domain; /* in text */
	char text[];
};

struct sub_table {
	struct sub_map map;
	struct store *store;
	pthread_mutex_t lock; /* changes: the main thread, and the store's thread that reads anew */
	bool is_reading;
	bool must_repeat; /* memory was short: what was read cannot be used */
	struct sub_noted *noted;
	struct sub_map fresh; /* while reading */
};

/* Under the lock, after a change of @user by this program. */
void sub_note(struct sub_table *t, struct str user, struct str domain);
void sub_noted_free(struct sub_table *t);

/* load.c: rows of @db into @map. 0, -ENOMEM, BELFRY_ECORRUPT. */
int sub_read_rows(struct sub_map *map, struct sqlite3 *db);
/* The store's thread: another program has changed the database. */
void sub_read_again(void *arg, struct sqlite3 *reader);
