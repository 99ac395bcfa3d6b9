/* SPDX-License-Identifier: Apache-2.0 */
#include "subscriber/subscriber.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

#include "store/store.h"
#include "subscriber/table.h"
#include "util/base64.h"
#include "util/err.h"
#include "util/list.h"
#include "util/random.h"

int sub_table_new(struct store *store, struct sub_table **t_r)
{
	struct sub_table *t = aligned_alloc(64, (sizeof(*t) + 63) & ~(size_t)63);
	struct hash_key key;
	int err;

	if (!t) {
		return -ENOMEM;
	}
	memset(t, 0, sizeof(*t));
	random_key(&key, sizeof(key));
	sub_map_init(&t->map, &key);
	pthread_mutex_init(&t->lock, NULL);
	t->store = store;
	err = store ? store_watch(store, sub_read_again, t) : 0;
	if (err) {
		sub_table_free(t);
		return err;
	}
	*t_r = t;
	return 0;
}

void sub_table_free(struct sub_table *t)
{
	if (!t) {
		return;
	}
	sub_map_fini(&t->map);
	sub_noted_free(t);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

bool sub_find(struct sub_table *t, struct str user, struct str domain, struct subscriber *sub_r)
{
	int64_t created;

	return sub_map_find(&t->map, user, domain, sub_r, &created);
}

bool sub_exists(struct sub_table *t, struct str aor)
{
	struct subscriber sub;
	size_t at = aor.n;
	bool found;

	while (at > 0 && aor.p[at - 1] != '@') {
		at--;
	}
	if (at == 0) {
		return false;
	}
	found = sub_find(t, str_make(aor.p, at - 1), str_skip(aor, at), &sub);
	explicit_bzero(&sub, sizeof(sub));
	return found;
}

size_t sub_count(const struct sub_table *t)
{
	return sub_map_n(&t->map);
}

/* --- changes --- */

enum edit_kind { EDIT_ADD, EDIT_PASSWORD, EDIT_DEL };

struct edit {
	struct store_unit unit;
	struct sub_table *t;
	enum edit_kind kind;
	struct sub_user u; /* names in text */
	sub_done_cb *cb;
	void *arg;
	char text[];
};

static void edit_free(struct edit *e)
{
	explicit_bzero(&e->u.sub, sizeof(e->u.sub));
	free(e);
}

static struct edit *edit_new(struct sub_table *t, enum edit_kind kind, struct str user,
                             struct str domain)
{
	struct edit *e = malloc(sizeof(*e) + user.n + domain.n);
	char *p;

	if (!e) {
		return NULL;
	}
	*e = (struct edit){ .t = t, .kind = kind, .u.created = time(NULL) };
	p = e->text;
	memcpy(p, user.p, user.n);
	for (size_t i = 0; i < domain.n; i++) {
		p[user.n + i] = (char)ascii_lower((unsigned char)domain.p[i]);
	}
	e->u.user = str_make(p, user.n);
	e->u.domain = str_make(p + user.n, domain.n);
	return e;
}

/* Every algorithm there is: which are offered may change. */
static int edit_hash(struct edit *e, struct str password)
{
	int err = 0;
	unsigned n = 0;

	for (enum sub_hash h = 0; h < SUB_HASH_N && err != -ENOMEM; h++) {
		err = sub_hash_ha1(h, e->u.user, e->u.domain, password, e->u.sub.ha1[h]);
		e->u.sub.has[h] = err == 0;
		n += err == 0;
	}
	return err == -ENOMEM || n == 0 ? err : 0;
}

static int bind_names(sqlite3_stmt *stmt, const struct edit *e)
{
	return sqlite3_bind_text64(stmt, 1, e->u.user.p, e->u.user.n, SQLITE_STATIC, SQLITE_UTF8) |
	       sqlite3_bind_text64(stmt, 2, e->u.domain.p, e->u.domain.n, SQLITE_STATIC,
	                           SQLITE_UTF8);
}

/* ?3 to ?5. */
static int bind_hashes(sqlite3_stmt *stmt, const struct edit *e)
{
	int rc = SQLITE_OK;

	for (int h = 0; h < SUB_HASH_N; h++) {
		size_t n = h == SUB_MD5 ? 16 : 32;
		char hex[64];

		hex_encode(hex, e->u.sub.ha1[h], n);
		if (e->u.sub.has[h]) {
			rc |= sqlite3_bind_text(stmt, 3 + h, hex, (int)n * 2, SQLITE_TRANSIENT);
		}
		explicit_bzero(hex, sizeof(hex));
	}
	return rc;
}

static const char *const edit_sql[] = {
	[EDIT_ADD] = "INSERT INTO subscriber(user, domain, ha1_md5, ha1_sha256, ha1_sha512_256,"
		     " priority, created) VALUES(?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
	[EDIT_PASSWORD] = "UPDATE subscriber SET ha1_md5=?3, ha1_sha256=?4, ha1_sha512_256=?5"
			  " WHERE user=?1 AND domain=?2",
	[EDIT_DEL] = "DELETE FROM subscriber WHERE user=?1 AND domain=?2",
};

/* Writer thread. */
static int edit_apply(struct store_unit *unit, struct store *s)
{
	const struct edit *e = container_of(unit, struct edit, unit);
	sqlite3_stmt *stmt = store_stmt(s, edit_sql[e->kind]);
	int rc = stmt ? bind_names(stmt, e) : SQLITE_ERROR, err;

	if (!rc && e->kind != EDIT_DEL) {
		rc = bind_hashes(stmt, e);
	}
	if (!rc && e->kind == EDIT_ADD) {
		rc = sqlite3_bind_int(stmt, 6, e->u.sub.priority) |
		     sqlite3_bind_int64(stmt, 7, e->u.created);
	}
	err = rc ? BELFRY_EAGAIN : store_step(s, stmt);
	if (!err && sqlite3_changes(sqlite3_db_handle(stmt)) == 0) {
		/* Another program was quicker. */
		err = e->kind == EDIT_ADD ? BELFRY_EEXIST : BELFRY_ENOENT;
	}
	return err;
}

static int edit_publish(struct edit *e)
{
	struct sub_table *t = e->t;
	int err = 0;

	pthread_mutex_lock(&t->lock);
	if (e->kind == EDIT_DEL) {
		sub_map_del(&t->map, e->u.user, e->u.domain);
	} else {
		err = sub_map_set(&t->map, &e->u);
	}
	sub_note(t, e->u.user, e->u.domain);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static void edit_done(struct store_unit *unit, int err, void *ctx)
{
	struct edit *e = container_of(unit, struct edit, unit);
	sub_done_cb *cb = e->cb;
	void *arg = e->arg;

	(void)ctx;
	err = err ? err : edit_publish(e);
	edit_free(e);
	if (cb) {
		cb(err, arg);
	}
}

/* Takes over @e. */
static int edit_start(struct edit *e, sub_done_cb *cb, void *arg)
{
	int err;

	e->cb = cb;
	e->arg = arg;
	e->unit = (struct store_unit){
		.sync = STORE_SYNCED, .apply = edit_apply, .done = edit_done, .worker = STORE_MAIN
	};
	if (!e->t->store) {
		edit_done(&e->unit, 0, NULL);
		return 0;
	}
	err = store_submit(e->t->store, &e->unit);
	if (err) {
		edit_free(e);
	}
	return err;
}

/* Puts the priority and age a user has into @e. */
static bool edit_known(struct edit *e)
{
	struct subscriber sub;
	int64_t created;
	bool found = sub_map_find(&e->t->map, e->u.user, e->u.domain, &sub, &created);

	if (found) {
		e->u.sub.priority = sub.priority;
		e->u.created = created;
	}
	explicit_bzero(&sub, sizeof(sub));
	return found;
}

int sub_add(struct sub_table *t, struct str user, struct str domain, struct str password,
            bool priority, sub_done_cb *cb, void *arg)
{
	struct edit *e;
	int err;

	if (user.n == 0 || domain.n == 0) {
		return -EINVAL;
	}
	e = edit_new(t, EDIT_ADD, user, domain);
	if (!e) {
		return -ENOMEM;
	}
	err = edit_known(e) ? BELFRY_EEXIST : edit_hash(e, password);
	if (err) {
		edit_free(e);
		return err;
	}
	e->u.sub.priority = priority;
	return edit_start(e, cb, arg);
}

int sub_set_password(struct sub_table *t, struct str user, struct str domain, struct str password,
                     sub_done_cb *cb, void *arg)
{
	struct edit *e = edit_new(t, EDIT_PASSWORD, user, domain);
	int err;

	if (!e) {
		return -ENOMEM;
	}
	err = edit_known(e) ? edit_hash(e, password) : BELFRY_ENOENT;
	if (err) {
		edit_free(e);
		return err;
	}
	return edit_start(e, cb, arg);
}

int sub_del(struct sub_table *t, struct str user, struct str domain, sub_done_cb *cb, void *arg)
{
	struct edit *e = edit_new(t, EDIT_DEL, user, domain);

	if (!e) {
		return -ENOMEM;
	}
	if (!edit_known(e)) {
		edit_free(e);
		return BELFRY_ENOENT;
	}
	return edit_start(e, cb, arg);
}

/* --- all of them --- */

struct listed {
	struct str user, domain;
	bool priority;
	int64_t created;
};

struct listing {
	struct listed *v;
	size_t n, cap;
	struct arena arena;
};

static int list_one(void *arg, const struct sub_entry *e)
{
	struct listing *l = arg;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct listed *v = realloc(l->v, cap * sizeof(*v));

		if (!v) {
			return -ENOMEM;
		}
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n] = (struct listed){ .user = arena_str(&l->arena, sub_entry_user(e)),
		                      .domain = arena_str(&l->arena, sub_entry_domain(e)),
		                      .priority = e->priority,
		                      .created = e->created };
	return l->v[l->n].user.p && l->v[l->n++].domain.p ? 0 : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int d = str_cmp(x->domain, y->domain);

	return d ? d : str_cmp(x->user, y->user);
}

int sub_each(struct sub_table *t, sub_each_cb *cb, void *arg)
{
	struct listing l = { 0 };
	int err;

	arena_init(&l.arena, NULL);
	err = sub_map_each(&t->map, list_one, &l);
	if (!err && l.n) {
		qsort(l.v, l.n, sizeof(l.v[0]), by_name);
	}
	for (size_t i = 0; i < l.n && !err; i++) {
		if (!cb(arg, l.v[i].user, l.v[i].domain, l.v[i].priority, l.v[i].created)) {
			break;
		}
	}
	arena_fini(&l.arena);
	free(l.v);
	return err;
}
