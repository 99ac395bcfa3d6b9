/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One setting of a section: a line of a table gives its name, type, place in the settings struct,
 * default, range and help. Checks, "did you mean", `belfryd -D` and the manual come from it. Core
 * sections and modules use the same tables.
 */
#pragma once

#include "util/str.h"

enum belfry_set_type {
	BELFRY_T_END = 0,
	BELFRY_T_BOOL,   /* bool */
	BELFRY_T_INT,    /* int */
	BELFRY_T_NUM,    /* double: whole or with a fraction */
	BELFRY_T_STR,    /* struct str, NUL-terminated */
	BELFRY_T_ENUM,   /* int: index of the word in words */
	BELFRY_T_STRS,   /* struct str_list */
	BELFRY_T_ENUMS,  /* struct str_list restricted to words */
	BELFRY_T_GROUP,  /* a nested struct with its own table */
	BELFRY_T_GROUPS, /* struct belfry_groups: a list of nested structs */
	BELFRY_T_MAP,    /* struct belfry_groups: named groups; the first field of each is its name,
	                  * a struct str */
	BELFRY_T_INTS,   /* struct belfry_ints: a list of whole numbers, each within min and max */
};

struct belfry_ints { /* of BELFRY_T_INTS */
	int *v;
	size_t n;
};

struct belfry_groups { /* of BELFRY_T_GROUPS: n structs of the nested size, back to back */
	void *v;
	size_t n;
};

struct belfry_setting {
	const char *name;
	enum belfry_set_type type;
	size_t offset;
	const char *dflt;  /* default as text: "true", "185", "q", "a,b" for lists, "" */
	double min, max;   /* INT, NUM, and number of entries of lists when max > 0 */
	const char *words; /* "parallel|q" */
	const char *help;  /* one line, with the unit */
	const struct belfry_setting *group; /* GROUP, GROUPS */
	size_t group_size;
	bool mandatory;
};

#define BELFRY_SET_BOOL(struct_, field, dflt_, help_)                                              \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_BOOL, .offset = offsetof(struct_, field),         \
		.dflt = (dflt_) ? "true" : "false", .help = (help_)                                \
	}
#define BELFRY_SET_INT(struct_, field, dflt_, min_, max_, help_)                                   \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_INT, .offset = offsetof(struct_, field),          \
		.dflt = #dflt_, .min = (min_), .max = (max_), .help = (help_)                      \
	}
#define BELFRY_SET_NUM(struct_, field, dflt_, min_, max_, help_)                                   \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_NUM, .offset = offsetof(struct_, field),          \
		.dflt = #dflt_, .min = (min_), .max = (max_), .help = (help_)                      \
	}
#define BELFRY_SET_STR(struct_, field, dflt_, help_)                                               \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_STR, .offset = offsetof(struct_, field),          \
		.dflt = (dflt_), .help = (help_)                                                   \
	}
#define BELFRY_SET_ENUM(struct_, field, dflt_, words_, help_)                                      \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_ENUM, .offset = offsetof(struct_, field),         \
		.dflt = (dflt_), .words = (words_), .help = (help_)                                \
	}
#define BELFRY_SET_STRS(struct_, field, dflt_, help_)                                              \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_STRS, .offset = offsetof(struct_, field),         \
		.dflt = (dflt_), .help = (help_)                                                   \
	}
#define BELFRY_SET_ENUMS(struct_, field, dflt_, words_, help_)                                     \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_ENUMS, .offset = offsetof(struct_, field),        \
		.dflt = (dflt_), .words = (words_), .help = (help_)                                \
	}
#define BELFRY_SET_GROUP(struct_, field, table_, help_)                                            \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_GROUP, .offset = offsetof(struct_, field),        \
		.group = (table_), .help = (help_)                                                 \
	}
#define BELFRY_SET_GROUPS(struct_, field, table_, size_, help_)                                    \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_GROUPS, .offset = offsetof(struct_, field),       \
		.group = (table_), .group_size = (size_), .help = (help_)                          \
	}
#define BELFRY_SET_MAP(struct_, field, table_, size_, help_)                                       \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_MAP, .offset = offsetof(struct_, field),          \
		.group = (table_), .group_size = (size_), .help = (help_)                          \
	}
#define BELFRY_SET_INTS(struct_, field, dflt_, min_, max_, help_)                                  \
	{                                                                                          \
		.name = #field, .type = BELFRY_T_INTS, .offset = offsetof(struct_, field),         \
		.dflt = (dflt_), .min = (min_), .max = (max_), .help = (help_)                     \
	}
#define BELFRY_SET_END                                                                             \
	{                                                                                          \
		.type = BELFRY_T_END                                                               \
	}
