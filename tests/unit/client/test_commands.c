/* SPDX-License-Identifier: Apache-2.0 */
#include "client/words.h"

#include "support/unit.h"

static const char table[] = "[{\"name\":\"status\",\"args\":[]},"
			    "{\"name\":\"location.list\",\"args\":[{\"name\":\"aor\",\"kind\":"
                            "\"positional\",\"optional\":true}]},"
			    "{\"name\":\"location.add\",\"args\":["
			    "{\"name\":\"aor\",\"kind\":\"positional\",\"optional\":false},"
			    "{\"name\":\"uri\",\"kind\":\"positional\",\"optional\":false},"
			    "{\"name\":\"expires\",\"kind\":\"option\",\"optional\":true},"
			    "{\"name\":\"force\",\"kind\":\"flag\",\"optional\":true}]}]";

#define WORDS(...)                                                                                 \
	(char *[])                                                                                 \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static int count(char **words)
{
	int n = 0;

	while (words[n]) {
		n++;
	}
	return n;
}

/* Parameters of a whole command line as JSON in a static buffer, or what is wrong. */
static const char *params(char **words)
{
	static char out[512];
	json_t *commands = json_loads(table, 0, NULL), *p;
	const json_t *c;
	const char *why;
	char *text;
	int used;

	c = words_find(commands, words, count(words), &used);
	ck_assert_ptr_nonnull(c);
	p = words_params(c, words + used, count(words) - used, &why);
	if (p) {
		text = json_dumps(p, JSON_COMPACT);
		(void)snprintf(out, sizeof(out), "%s", text);
		free(text);
	} else {
		(void)snprintf(out, sizeof(out), "%s", why);
	}
	json_decref(p);
	json_decref(commands);
	return out;
}

START_TEST(longest_name_of_words_wins)
{
	json_t *commands = json_loads(table, 0, NULL);
	int used = 0;

	ck_assert_ptr_nonnull(words_find(commands, WORDS("status", "x"), 2, &used));
	ck_assert_int_eq(used, 1);
	ck_assert_ptr_nonnull(words_find(commands, WORDS("location", "list", "a"), 3, &used));
	ck_assert_int_eq(used, 2);
	ck_assert_ptr_nonnull(words_find(commands, WORDS("location.list"), 1, &used));
	ck_assert_ptr_null(words_find(commands, WORDS("location"), 1, &used));
	ck_assert_ptr_null(words_find(commands, WORDS("locatio", "list"), 2, &used));
	ck_assert_str_eq(words_near(commands, WORDS("locatio", "list"), 2), "location.list");
	ck_assert_str_eq(words_near(commands, WORDS("sttaus"), 1), "status");
	ck_assert_ptr_null(words_near(commands, WORDS("xyzzy"), 1));
	json_decref(commands);
}
END_TEST

START_TEST(words_become_parameters)
{
	ck_assert_str_eq(params(WORDS("status")), "{}");
	ck_assert_str_eq(params(WORDS("location", "add", "a", "u")),
	                 "{\"aor\":\"a\",\"uri\":\"u\"}");
	ck_assert_str_eq(params(WORDS("location", "add", "--expires", "5", "a", "--force", "u")),
	                 "{\"expires\":\"5\",\"aor\":\"a\",\"force\":true,\"uri\":\"u\"}");
	ck_assert_str_eq(params(WORDS("location", "add", "a", "u", "--expires=7")),
	                 "{\"aor\":\"a\",\"uri\":\"u\",\"expires\":\"7\"}");
	ck_assert_str_eq(params(WORDS("location", "add", "--", "--force", "u")),
	                 "{\"aor\":\"--force\",\"uri\":\"u\"}");
}
END_TEST

START_TEST(wrong_usage_is_said_in_words)
{
	ck_assert_str_eq(params(WORDS("location", "add", "a")), "an argument is missing");
	ck_assert_str_eq(params(WORDS("status", "a")), "there are too many arguments");
	ck_assert_str_eq(params(WORDS("status", "--x")), "there is no such option");
	ck_assert_str_eq(params(WORDS("location", "add", "a", "u", "--expires")),
	                 "an option lacks its value");
	ck_assert_str_eq(params(WORDS("location", "add", "a", "u", "--force=1")),
	                 "there is no such option with a value");
	ck_assert_str_eq(params(WORDS("location", "list", "\xff")), "an argument is no UTF-8 text");
}
END_TEST

UNIT_MAIN("client/words: commands", longest_name_of_words_wins, words_become_parameters,
          wrong_usage_is_said_in_words)
