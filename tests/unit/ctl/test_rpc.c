/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rpc.h"

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/table.h"

#include "support/unit.h"

static int parse(const char *line, struct rpc_request *req)
{
	const char *why = NULL;
	int code = rpc_parse(str_from(line), req, &why);

	ck_assert(code == 0 || why);
	return code;
}

static void refused(const char *line, int want)
{
	struct rpc_request req;

	ck_assert_msg(parse(line, &req) == want, "%s", line);
	rpc_request_fini(&req);
}

START_TEST(request_has_method_params_and_id)
{
	struct rpc_request req;

	ck_assert_int_eq(
		parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"a.b\",\"params\":{\"x\":1}}",
	              &req),
		0);
	ck_assert_str_eq(req.method, "a.b");
	ck_assert_int_eq(json_integer_value(req.id), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(req.params, "x")), 1);
	rpc_request_fini(&req);
}
END_TEST

START_TEST(notification_has_no_id)
{
	struct rpc_request req;

	ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", &req), 0);
	ck_assert_ptr_null(req.id);
	ck_assert_ptr_null(req.params);
	rpc_request_fini(&req);
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
	refused("", CTL_EPARSE);
	refused("{", CTL_EPARSE);
	refused("nonsense", CTL_EPARSE);
	refused("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"method\":\"b\"}", CTL_EPARSE);
	refused("[]", CTL_EINVALID);
	refused("[{\"jsonrpc\":\"2.0\",\"method\":\"a\"}]", CTL_EINVALID);
	refused("{}", CTL_EINVALID);
	refused("{\"method\":\"a\"}", CTL_EINVALID);
	refused("{\"jsonrpc\":\"1.0\",\"method\":\"a\"}", CTL_EINVALID);
	refused("{\"jsonrpc\":2.0,\"method\":\"a\"}", CTL_EINVALID);
	refused("{\"jsonrpc\":\"2.0\",\"method\":1}", CTL_EINVALID);
	refused("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":{}}", CTL_EINVALID);
	refused("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[1]}", CTL_EPARAMS);
}
END_TEST

START_TEST(nesting_has_a_bottom)
{
	char deep[20000];
	struct rpc_request req;
	const char *why;

	memset(deep, '[', sizeof(deep));
	ck_assert_int_eq(rpc_parse(str_make(deep, sizeof(deep)), &req, &why), CTL_EPARSE);
	rpc_request_fini(&req);
}
END_TEST

START_TEST(answers_are_one_line_with_the_id)
{
	json_t *id = json_string("x\n");
	char *text = rpc_error_text(id, -5, "no\nway");

	ck_assert_str_eq(text,
	                 "{\"jsonrpc\":\"2.0\",\"id\":\"x\\n\",\"error\":{\"code\":-5,\"message\":"
	                 "\"no\\nway\"}}\n");
	free(text);
	text = rpc_error_text(NULL, 1, "no");
	ck_assert_ptr_nonnull(strstr(text, "\"id\":null"));
	free(text);
	text = rpc_result_begin(id);
	ck_assert_str_eq(text, "{\"jsonrpc\":\"2.0\",\"id\":\"x\\n\",\"result\":");
	free(text);
	json_decref(id);
}
END_TEST

START_TEST(text_from_the_wire_becomes_utf8)
{
	json_t *v = ctl_json_str(STR("a\xff\xc3\xa4"));

	ck_assert_str_eq(json_string_value(v), "a???");
	json_decref(v);
	v = ctl_json_str(STR("\xc3\xa4"));
	ck_assert_str_eq(json_string_value(v), "\xc3\xa4");
	json_decref(v);
	v = ctl_json_str(STR_NONE);
	ck_assert_str_eq(json_string_value(v), "");
	json_decref(v);
}
END_TEST

static const struct ctl_entry add_entry = { .name = "location.add",
	                                    .args = "AOR [URI] [--expires S]",
	                                    .help = "h" };

static void params(const char *json, const char *want)
{
	json_t *p = json_loads(json, 0, NULL);
	char *why;

	if (want) {
		ck_assert_int_eq(ctl_params_check(&add_entry, p, &why), CTL_EPARAMS);
		ck_assert_msg(strstr(why, want) != NULL, "%s", why);
	} else {
		ck_assert_int_eq(ctl_params_check(&add_entry, p, &why), 0);
		ck_assert_ptr_null(why);
	}
	free(why);
	json_decref(p);
}

START_TEST(parameters_are_those_of_the_table)
{
	params("{\"aor\":\"a\"}", NULL);
	params("{\"aor\":\"a\",\"expires\":5,\"uri\":\"x\"}", NULL);
	params("{}", "missing argument \"aor\"; usage: location add AOR [URI] [--expires S]");
	params("{\"aor\":\"a\",\"zzz\":1}", "unknown argument \"zzz\"");
	params("{\"aor\":[]}", "text or a number is wanted for \"aor\"");
}
END_TEST

UNIT_MAIN("ctl/rpc", request_has_method_params_and_id, notification_has_no_id,
          what_is_no_request_is_refused, nesting_has_a_bottom, answers_are_one_line_with_the_id,
          text_from_the_wire_becomes_utf8, parameters_are_those_of_the_table)
