/* SPDX-License-Identifier: Apache-2.0 */
#include "location/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "util/list.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define PAGE_SIZE    65536
#define REGION_PAGES 16
#define FINE_MAX     1024 /* steps of 16 up to here, of 256 above */
#define FINE_STEP    16
#define COARSE_STEP  256
#define SIZE_MAX_    8192 /* larger blocks come from malloc */
#define FINE_N       (FINE_MAX / FINE_STEP)
#define CLASS_N      (FINE_N + (SIZE_MAX_ - FINE_MAX) / COARSE_STEP)

struct slab_block {
	struct slab_block *next;
};

struct slab_page {
	struct list in_class; /* pages with a free block; in no list: full */
	struct loc_slab *slab;
	struct slab_block *free;
	uint32_t size;  /* of a block */
	uint32_t fresh; /* offset of the first block never handed out */
	uint32_t used;
	uint16_t class;
	struct slab_page *next; /* free pages */
};

#define PAGE_HEAD ((sizeof(struct slab_page) + 15) & ~(size_t)15)

struct slab_class {
	_Alignas(64) pthread_mutex_t lock;
	struct list pages; /* with a free block */
};

struct slab_region {
	struct slab_region *next;
	void *mem;
};

struct loc_slab {
	struct slab_class classes[CLASS_N];
	pthread_mutex_t lock; /* of what follows */
	struct slab_page *free_pages;
	struct slab_region *regions;
	_Atomic size_t bytes;
};

static unsigned class_of(size_t size)
{
	if (size <= FINE_MAX) {
		return size ? (unsigned)((size - 1) / FINE_STEP) : 0;
	}
	return (unsigned)(FINE_N + (size - FINE_MAX - 1) / COARSE_STEP);
}

static uint32_t class_size(unsigned class)
{
	if (class < FINE_N) {
		return (class + 1) * FINE_STEP;
	}
	return FINE_MAX + (class - FINE_N + 1) * COARSE_STEP;
}

static struct slab_page *page_of(void *p)
{
	return (struct slab_page *)((uintptr_t)p & ~(uintptr_t)(PAGE_SIZE - 1));
}

int loc_slab_new(struct loc_slab **s_r)
{
	struct loc_slab *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);

	if (!s) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < CLASS_N; i++) {
		pthread_mutex_init(&s->classes[i].lock, NULL);
		list_init(&s->classes[i].pages);
	}
	pthread_mutex_init(&s->lock, NULL);
	s->free_pages = NULL;
	s->regions = NULL;
	atomic_init(&s->bytes, 0);
	*s_r = s;
	return 0;
}

void loc_slab_free(struct loc_slab *s)
{
	if (!s) {
		return;
	}
	while (s->regions) {
		struct slab_region *r = s->regions;

		s->regions = r->next;
		UNPOISON(r->mem, REGION_PAGES * PAGE_SIZE);
		free(r->mem);
		free(r);
	}
	for (unsigned i = 0; i < CLASS_N; i++) {
		pthread_mutex_destroy(&s->classes[i].lock);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* A new region; its first page is the caller's. */
static struct slab_page *region_new(struct loc_slab *s)
{
	struct slab_region *r = malloc(sizeof(*r));
	char *mem = r ? aligned_alloc(PAGE_SIZE, REGION_PAGES * PAGE_SIZE) : NULL;

	if (!mem) {
		free(r);
		return NULL;
	}
	r->mem = mem;
	atomic_fetch_add_explicit(&s->bytes, REGION_PAGES * PAGE_SIZE, memory_order_relaxed);
	pthread_mutex_lock(&s->lock);
	r->next = s->regions;
	s->regions = r;
	for (size_t i = REGION_PAGES - 1; i > 0; i--) {
		struct slab_page *page = (struct slab_page *)(void *)(mem + i * PAGE_SIZE);

		page->next = s->free_pages;
		s->free_pages = page;
	}
	pthread_mutex_unlock(&s->lock);
	return (struct slab_page *)(void *)mem;
}

static struct slab_page *page_take(struct loc_slab *s, unsigned class)
{
	struct slab_page *page;

	pthread_mutex_lock(&s->lock);
	page = s->free_pages;
	if (page) {
		s->free_pages = page->next;
	}
	pthread_mutex_unlock(&s->lock);
	if (!page) {
		page = region_new(s);
	}
	if (!page) {
		return NULL;
	}
	*page = (struct slab_page){ .slab = s,
		                    .size = class_size(class),
		                    .fresh = PAGE_HEAD,
		                    .class = (uint16_t) class };
	list_init(&page->in_class);
	POISON((char *)page + PAGE_HEAD, PAGE_SIZE - PAGE_HEAD);
	return page;
}

static void page_give_back(struct loc_slab *s, struct slab_page *page)
{
	pthread_mutex_lock(&s->lock);
	page->next = s->free_pages;
	s->free_pages = page;
	pthread_mutex_unlock(&s->lock);
}

static bool page_is_full(const struct slab_page *page)
{
	return !page->free && page->fresh + page->size > PAGE_SIZE;
}

/* Under the class's lock; the page has room. */
static void *block_take(struct slab_page *page)
{
	void *p = page->free;

	if (p) {
		UNPOISON(p, page->size);
		page->free = page->free->next;
	} else {
		p = (char *)page + page->fresh;
		UNPOISON(p, page->size);
		page->fresh += page->size;
	}
	page->used++;
	if (page_is_full(page)) {
		list_del(&page->in_class);
	}
	return p;
}

static void *class_alloc(struct loc_slab *s, unsigned class)
{
	struct slab_class *c = &s->classes[class];
	struct slab_page *page = NULL;
	void *p = NULL;

	pthread_mutex_lock(&c->lock);
	if (!list_is_empty(&c->pages)) {
		p = block_take(container_of(c->pages.next, struct slab_page, in_class));
	}
	pthread_mutex_unlock(&c->lock);
	if (p) {
		return p;
	}
	page = page_take(s, class);
	if (!page) {
		return NULL;
	}
	pthread_mutex_lock(&c->lock);
	list_add(&c->pages, &page->in_class);
	p = block_take(page);
	pthread_mutex_unlock(&c->lock);
	return p;
}

void *loc_slab_alloc(struct loc_slab *s, size_t size)
{
	if (size > SIZE_MAX_) {
		return malloc(size);
	}
	return class_alloc(s, class_of(size));
}

/* Pages with free blocks are used in the order of the list: one that gets its first free block goes
 * behind the others, so that those that are nearly empty drain. */
static bool block_put(struct slab_class *c, struct slab_page *page, struct slab_block *block)
{
	bool was_full = page_is_full(page);

	block->next = page->free;
	page->free = block;
	page->used--;
	POISON(block, page->size);
	if (was_full) {
		list_append(&c->pages, &page->in_class);
	}
	if (page->used == 0 && c->pages.next != c->pages.prev) {
		list_del(&page->in_class);
		return true;
	}
	return false;
}

void loc_slab_put(void *p, size_t size)
{
	struct slab_page *page;
	struct slab_class *c;
	bool is_empty;

	if (size > SIZE_MAX_) {
		free(p);
		return;
	}
	page = page_of(p);
	c = &page->slab->classes[page->class];
	pthread_mutex_lock(&c->lock);
	is_empty = block_put(c, page, p);
	pthread_mutex_unlock(&c->lock);
	if (is_empty) {
		page_give_back(page->slab, page);
	}
}

size_t loc_slab_bytes(const struct loc_slab *s)
{
	return atomic_load_explicit(&s->bytes, memory_order_relaxed);
}
