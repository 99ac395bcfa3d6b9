/* SPDX-License-Identifier: Apache-2.0 */
#include "support/oom.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_MAX  (1U << 18) /* slots for blocks handed out during a run */
#define EACH_MAX  200000     /* a scenario that allocates more often never ends */
#define TOMBSTONE ((void *)1)

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
int __real_posix_memalign(void **p_r, size_t align, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real__mark_point(const char *file, int line);
void __real__ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);
int __wrap_posix_memalign(void **p_r, size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap__mark_point(const char *file, int line);
_Noreturn void __wrap__ck_assert_failed(const char *file, int line, const char *expr,
                                        const char *msg, ...);

static struct {
	pthread_mutex_t lock;
	bool armed; /* read without the lock only to skip it: set while no other thread runs */
	size_t count, fail_at, live;
	void *blocks[LIVE_MAX];
} oom = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local unsigned int paused; /* Check's own allocations */

static bool is_counting(void)
{
	return paused == 0 && __atomic_load_n(&oom.armed, __ATOMIC_RELAXED);
}

/* Is this allocation the one to fail? */
static bool fails(void)
{
	bool ret;

	if (!is_counting()) {
		return false;
	}
	pthread_mutex_lock(&oom.lock);
	ret = ++oom.count == oom.fail_at;
	pthread_mutex_unlock(&oom.lock);
	if (ret) {
		errno = ENOMEM;
	}
	return ret;
}

static uint32_t slot_of(const void *p)
{
	return (uint32_t)(((uintptr_t)p >> 4) * 2654435761U) % LIVE_MAX;
}

static void *block_add(void *p)
{
	uint32_t i = slot_of(p);

	if (!p || !is_counting()) {
		return p;
	}
	pthread_mutex_lock(&oom.lock);
	if (oom.live < LIVE_MAX / 2) {
		while (oom.blocks[i] && oom.blocks[i] != TOMBSTONE) {
			i = (i + 1) % LIVE_MAX;
		}
		oom.blocks[i] = p;
	}
	oom.live++;
	pthread_mutex_unlock(&oom.lock);
	return p;
}

static void block_del(const void *p)
{
	uint32_t i = slot_of(p);

	if (!p || !__atomic_load_n(&oom.armed, __ATOMIC_RELAXED)) {
		return;
	}
	pthread_mutex_lock(&oom.lock);
	for (uint32_t n = 0; n < LIVE_MAX && oom.blocks[i]; n++, i = (i + 1) % LIVE_MAX) {
		if (oom.blocks[i] == p) {
			oom.blocks[i] = TOMBSTONE;
			oom.live--;
			break;
		}
	}
	pthread_mutex_unlock(&oom.lock);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : block_add(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : block_add(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	void *q;

	if (fails()) {
		return NULL;
	}
	block_del(p); /* before another thread can be given the same address */
	q = __real_realloc(p, size);
	if (!q && size) {
		block_add(p);
	}
	return block_add(q);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __wrap_realloc(p, bytes);
}

void __wrap_free(void *p)
{
	block_del(p);
	__real_free(p);
}

int __wrap_posix_memalign(void **p_r, size_t align, size_t size)
{
	int err;

	if (fails()) {
		return ENOMEM;
	}
	err = __real_posix_memalign(p_r, align, size);
	if (err == 0) {
		block_add(*p_r);
	}
	return err;
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : block_add(__real_aligned_alloc(align, size));
}

char *__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = __wrap_malloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

void __wrap__mark_point(const char *file, int line)
{
	paused++;
	__real__mark_point(file, line);
	paused--;
}

_Noreturn void __wrap__ck_assert_failed(const char *file, int line, const char *expr,
                                        const char *msg, ...)
{
	char text[1024] = "";

	oom_off();
	paused++;
	if (msg) {
		va_list ap;

		va_start(ap, msg);
		vsnprintf(text, sizeof(text), msg, ap);
		va_end(ap);
		__real__ck_assert_failed(file, line, expr, "%s", text);
	} else {
		__real__ck_assert_failed(file, line, expr, NULL);
	}
	abort();
}

void oom_fail_at(size_t n)
{
	pthread_mutex_lock(&oom.lock);
	memset(oom.blocks, 0, sizeof(oom.blocks));
	oom.count = oom.live = 0;
	oom.fail_at = n;
	__atomic_store_n(&oom.armed, true, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&oom.lock);
}

void oom_off(void)
{
	__atomic_store_n(&oom.armed, false, __ATOMIC_RELAXED);
}

size_t oom_count(void)
{
	return oom.count;
}

bool oom_hit(void)
{
	return oom.fail_at && oom.count >= oom.fail_at;
}

/* One run; true when the allocation to fail was reached. */
static bool run_one(oom_scenario *fn, void *arg, size_t n)
{
	int ret;

	oom_fail_at(n);
	ret = fn(arg);
	oom_off();
	ck_assert_msg(oom.live == 0, "allocation %zu failing leaks %zu blocks", n, oom.live);
	if (!oom_hit()) {
		ck_assert_msg(ret == 0, "gives %d with no allocation failing", ret);
		return false;
	}
	return true;
}

void oom_each(oom_scenario *fn, void *arg)
{
	const char *only = getenv("BELFRY_OOM");
	size_t n = 1;

	if (only) {
		run_one(fn, arg, (size_t)strtoul(only, NULL, 10));
		return;
	}
	while (run_one(fn, arg, n)) {
		n++;
		ck_assert_msg(n < EACH_MAX, "the scenario does not end");
	}
}
