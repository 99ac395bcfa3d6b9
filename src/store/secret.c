/* SPDX-License-Identifier: Apache-2.0 */
/* The master secret and the keys derived from it (HKDF-SHA256, RFC 5869). */
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/priv.h"
#include "util/err.h"
#include "util/random.h"

static const char *const names[] = { "secret", "secret.old" };

static int read_secret(const char *path, unsigned char out[STORE_SECRET_LEN], char **error_r)
{
	unsigned char buf[STORE_SECRET_LEN + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0) {
		err = -errno;
		if (err != -ENOENT) {
			*error_r = store_error("cannot read %s: %s", path, strerror(-err));
		}
		return err;
	}
	n = read(fd, buf, sizeof(buf));
	err = n < 0 ? -errno : 0;
	close(fd);
	if (n != STORE_SECRET_LEN) {
		*error_r =
			store_error("%s is damaged: it must have %d bytes. Restore it, or remove "
		                    "it: phones are then challenged anew and old tokens refused",
		                    path, STORE_SECRET_LEN);
		err = err ? err : BELFRY_ECORRUPT;
	} else {
		memcpy(out, buf, STORE_SECRET_LEN);
	}
	OPENSSL_cleanse(buf, sizeof(buf));
	return err;
}

static int write_all(int fd, const unsigned char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno != EINTR) {
			return -errno;
		}
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return fsync(fd) ? -errno : 0;
}

/* Under another name first: there is never half a secret. */
static int make_secret(struct store *s, const char *path, char **error_r)
{
	char tmp[STORE_PATH_MAX + 16];
	int fd, err;

	snprintf(tmp, sizeof(tmp), "%s/secret.new", s->dir);
	(void)unlink(tmp);
	random_key(s->secret[0], STORE_SECRET_LEN);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_all(fd, s->secret[0], STORE_SECRET_LEN);
	if (fd >= 0) {
		close(fd);
	}
	if (!err && rename(tmp, path)) {
		err = -errno;
	}
	err = err ? err : store_sync_dir(s->dir);
	if (err) {
		*error_r = store_error("cannot create %s: %s", path, strerror(-err));
	}
	return err;
}

int store_secret_load(struct store *s, char **error_r)
{
	for (unsigned i = 0; i < 2; i++) {
		char path[STORE_PATH_MAX + 16];
		int err;

		snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
		err = read_secret(path, s->secret[i], error_r);
		if (err == -ENOENT && i == 0) {
			err = make_secret(s, path, error_r);
		}
		if (err && err != -ENOENT) {
			return err;
		}
		s->has_secret[i] = err == 0;
	}
	return 0;
}

int store_derive_key(struct store *s, const char *purpose, unsigned generation, void *out, size_t n)
{
	char digest[] = "SHA256";
	EVP_KDF *kdf;
	EVP_KDF_CTX *ctx;
	OSSL_PARAM params[4];
	bool ok;

	if (generation > 1 || !s->has_secret[generation]) {
		return BELFRY_ENOENT;
	}
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, s->secret[generation],
	                                              STORE_SECRET_LEN);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
	                                              (void *)(uintptr_t)purpose, strlen(purpose));
	params[3] = OSSL_PARAM_construct_end();
	kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	ok = ctx && EVP_KDF_derive(ctx, out, n, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : -ENOMEM;
}
