/* SPDX-License-Identifier: Apache-2.0 */
#include "location/intern.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define SLOTS (LOC_INTERN_MAX * 2)

struct loc_intern {
	struct hash_key key;
	pthread_mutex_t lock;
	size_t n;
	struct loc_text *slots[SLOTS];
};

int loc_intern_new(const struct hash_key *key, struct loc_intern **in_r)
{
	struct loc_intern *in = calloc(1, sizeof(*in));

	if (!in) {
		return -ENOMEM;
	}
	in->key = *key;
	pthread_mutex_init(&in->lock, NULL);
	*in_r = in;
	return 0;
}

void loc_intern_free(struct loc_intern *in)
{
	if (!in) {
		return;
	}
	for (size_t i = 0; i < SLOTS; i++) {
		free(in->slots[i]);
	}
	pthread_mutex_destroy(&in->lock);
	free(in);
}

/* The slot that holds @s, or the empty one where it belongs. Half of the slots stay empty. */
static size_t slot_of(const struct loc_intern *in, struct str s, uint32_t hash)
{
	size_t i = hash % SLOTS;

	for (;; i = (i + 1) % SLOTS) {
		const struct loc_text *t = in->slots[i];

		if (!t || (t->hash == hash && str_eq(str_make(t->p, t->n), s))) {
			return i;
		}
	}
}

static struct loc_text *text_new(struct str s, uint32_t hash)
{
	struct loc_text *t = malloc(sizeof(*t) + s.n);

	if (t) {
		t->n = (uint32_t)s.n;
		t->hash = hash;
		memcpy(t->p, s.p, s.n);
	}
	return t;
}

static const struct loc_text *add(struct loc_intern *in, struct str s, uint32_t hash)
{
	struct loc_text *made = text_new(s, hash);
	const struct loc_text *t = NULL;
	size_t i;

	if (!made) {
		return NULL;
	}
	pthread_mutex_lock(&in->lock);
	i = slot_of(in, s, hash);
	if (!in->slots[i] && in->n < LOC_INTERN_MAX) {
		in->slots[i] = made;
		in->n++;
		made = NULL;
	}
	t = in->slots[i];
	pthread_mutex_unlock(&in->lock);
	free(made);
	return t;
}

const struct loc_text *loc_intern_get(struct loc_intern *in, struct str s)
{
	const struct loc_text *t;
	uint32_t hash;
	bool is_full;

	if (str_is_empty(s) || s.n > LOC_INTERN_LEN) {
		return NULL;
	}
	hash = (uint32_t)hash_str(&in->key, s);
	pthread_mutex_lock(&in->lock);
	t = in->slots[slot_of(in, s, hash)];
	is_full = in->n == LOC_INTERN_MAX;
	pthread_mutex_unlock(&in->lock);
	return t || is_full ? t : add(in, s, hash);
}
