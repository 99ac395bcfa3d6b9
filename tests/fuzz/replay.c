/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of a fuzz target in an ordinary build: every seed once. Without arguments the seeds are
 * those of tests/fuzz/corpus/ENTRY/ for a program called fuzz_ENTRY; none at all is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data = NULL;
	size_t size;
	int ret = 1;

	if (!f || fstat(fileno(f), &st) < 0) {
		goto fail;
	}
	size = (size_t)st.st_size;
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, f) != size) {
		goto fail;
	}
	LLVMFuzzerTestOneInput(data, size);
	ret = 0;
fail:
	if (ret) {
		perror(path);
	}
	free(data);
	if (f) {
		fclose(f);
	}
	return ret;
}

static int run_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[4096];
	int n = 0;

	if (!d) {
		perror(dir);
		return 1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (run_file(path)) {
			break;
		}
		n++;
	}
	closedir(d);
	printf("%d inputs from %s\n", n, dir);
	return e || n == 0;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	char dir[2048];

	if (argc > 1) {
		int ret = 0;

		for (int i = 1; i < argc; i++) {
			ret |= run_file(argv[i]);
		}
		return ret;
	}
	name = name ? name + 1 : argv[0];
	name = strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name;
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
	return run_dir(dir);
}
