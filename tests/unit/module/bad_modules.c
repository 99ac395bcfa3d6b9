/* SPDX-License-Identifier: Apache-2.0 */
/* Built several times under different names, each wrong in one way (test_loader.c). */
#include "belfry/module.h"

#if defined(BAD_ABI)
BELFRY_MODULE(bad_abi) = { .abi = BELFRY_MOD_ABI + 1, .name = "bad_abi" };
#elif defined(BAD_NAME)
BELFRY_MODULE(bad_name) = { .abi = BELFRY_MOD_ABI, .name = "other" };
#elif defined(BAD_SIZE)
static const struct belfry_setting settings[] = { BELFRY_SET_END };
BELFRY_MODULE(bad_size) = { .abi = BELFRY_MOD_ABI, .name = "bad_size", .settings = settings };
#elif defined(BAD_LINK)
void belfry_no_such_function(void);
static void call(struct belfry_core *core, void *data)
{
	(void)core;
	(void)data;
	belfry_no_such_function();
}
BELFRY_MODULE(bad_link) = { .abi = BELFRY_MOD_ABI, .name = "bad_link", .fini = call };
#elif defined(PLAIN)
BELFRY_MODULE(plain) = { .abi = BELFRY_MOD_ABI, .name = "plain", .version = "9" };
#else
BELFRY_API extern const int belfry_module_something_else;
const int belfry_module_something_else = 1;
#endif
