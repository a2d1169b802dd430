/* auth_sha2.c - see auth_sha2.h. */
#include "core/mysql/auth_sha2.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "core/base/memory.h"

enum { ROUNDS = 5000 };

/* --- SHA-crypt ------------------------------------------------------------ */

static void
begin(EVP_MD_CTX *hash)
{
    int ok = EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    assert(ok == 1);
}

static void
add(EVP_MD_CTX *hash, const void *bytes, size_t len)
{
    int ok = EVP_DigestUpdate(hash, bytes, len);
    assert(ok == 1);
}

static void
end(EVP_MD_CTX *hash, uint8_t out[SHA2_BYTES])
{
    int ok = EVP_DigestFinal_ex(hash, out, NULL);
    assert(ok == 1);
}

/* As many bytes of `digest`, again and again, as `len` says. */
static void
add_repeated(EVP_MD_CTX *hash, const uint8_t digest[SHA2_BYTES], size_t len)
{
    for (; len > SHA2_BYTES; len -= SHA2_BYTES)
        add(hash, digest, SHA2_BYTES);
    add(hash, digest, len);
}

static void
first_digest(EVP_MD_CTX *hash, struct span password, struct span salt, uint8_t out[SHA2_BYTES])
{
    uint8_t other[SHA2_BYTES];

    begin(hash);
    add(hash, password.ptr, password.len);
    add(hash, salt.ptr, salt.len);
    add(hash, password.ptr, password.len);
    end(hash, other);

    begin(hash);
    add(hash, password.ptr, password.len);
    add(hash, salt.ptr, salt.len);
    add_repeated(hash, other, password.len);
    for (size_t n = password.len; n > 0; n >>= 1) {
        if (n & 1)
            add(hash, other, SHA2_BYTES);
        else
            add(hash, password.ptr, password.len);
    }
    end(hash, out);
}

static void
digest_of_many(EVP_MD_CTX *hash, struct span bytes, size_t times, uint8_t out[SHA2_BYTES])
{
    begin(hash);
    for (size_t i = 0; i < times; i++)
        add(hash, bytes.ptr, bytes.len);
    end(hash, out);
}

void
sha2_crypt(struct span password, struct span salt, uint8_t out[SHA2_BYTES])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint8_t     p[SHA2_BYTES], s[SHA2_BYTES];

    assert(hash != NULL);
    first_digest(hash, password, salt, out);
    digest_of_many(hash, password, password.len, p);
    digest_of_many(hash, salt, 16 + (size_t)out[0], s);
    for (unsigned i = 0; i < ROUNDS; i++) {
        begin(hash);
        if (i & 1)
            add_repeated(hash, p, password.len);
        else
            add(hash, out, SHA2_BYTES);
        if (i % 3 != 0)
            add_repeated(hash, s, salt.len);
        if (i % 7 != 0)
            add_repeated(hash, p, password.len);
        if (i & 1)
            add(hash, out, SHA2_BYTES);
        else
            add_repeated(hash, p, password.len);
        end(hash, out);
    }
    EVP_MD_CTX_free(hash);
    OPENSSL_cleanse(p, sizeof(p));
}

int
sha2_verifier(struct span password, uint8_t verifier[SHA2_VERIFIER_BYTES])
{
    if (getrandom(verifier, SHA2_SALT_BYTES, 0) != SHA2_SALT_BYTES)
        return -errno;
    sha2_crypt(password, (struct span){ verifier, SHA2_SALT_BYTES }, verifier + SHA2_SALT_BYTES);
    return 0;
}

bool
sha2_check(struct span password, const uint8_t verifier[SHA2_VERIFIER_BYTES])
{
    uint8_t hash[SHA2_BYTES];

    if (password.len > SHA2_PASSWORD_MAX)
        return false;
    sha2_crypt(password, (struct span){ verifier, SHA2_SALT_BYTES }, hash);
    return CRYPTO_memcmp(hash, verifier + SHA2_SALT_BYTES, SHA2_BYTES) == 0;
}

/* --- the quick proof ------------------------------------------------------ */

void
sha2_quick(struct span password, uint8_t quick[SHA2_BYTES])
{
    uint8_t once[SHA2_BYTES];

    SHA256(password.ptr, password.len, once);
    SHA256(once, sizeof(once), quick);
    OPENSSL_cleanse(once, sizeof(once));
}

static void
mask_make(const uint8_t nonce[AUTH_NONCE_BYTES], const uint8_t quick[SHA2_BYTES],
          uint8_t mask[SHA2_BYTES])
{
    uint8_t both[SHA2_BYTES + AUTH_NONCE_BYTES];

    memcpy(both, quick, SHA2_BYTES);
    memcpy(both + SHA2_BYTES, nonce, AUTH_NONCE_BYTES);
    SHA256(both, sizeof(both), mask);
}

size_t
sha2_scramble(struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
              uint8_t scramble[SHA2_BYTES])
{
    uint8_t once[SHA2_BYTES], quick[SHA2_BYTES], mask[SHA2_BYTES];

    if (password.len == 0)
        return 0;
    SHA256(password.ptr, password.len, once);
    SHA256(once, sizeof(once), quick);
    mask_make(nonce, quick, mask);
    for (size_t i = 0; i < SHA2_BYTES; i++)
        scramble[i] = once[i] ^ mask[i];
    OPENSSL_cleanse(once, sizeof(once));
    return SHA2_BYTES;
}

bool
sha2_verify(struct span answer, const uint8_t nonce[AUTH_NONCE_BYTES],
            const uint8_t quick[SHA2_BYTES])
{
    uint8_t once[SHA2_BYTES], twice[SHA2_BYTES], mask[SHA2_BYTES];

    if (answer.len != SHA2_BYTES)
        return false;
    mask_make(nonce, quick, mask);
    for (size_t i = 0; i < SHA2_BYTES; i++)
        once[i] = answer.ptr[i] ^ mask[i];
    SHA256(once, sizeof(once), twice);
    OPENSSL_cleanse(once, sizeof(once));
    return CRYPTO_memcmp(twice, quick, SHA2_BYTES) == 0;
}

/* --- RSA ------------------------------------------------------------------ */

struct sha2_key {
    EVP_PKEY *key;
    BIO      *pem; /* of the public half */
};

static int
no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

struct sha2_key *
sha2_key_load(const char *path, struct err *err)
{
    FILE     *file = fopen(path, "re");
    EVP_PKEY *key  = NULL;

    if (file == NULL) {
        err_set(err, "cannot read the RSA key %s: %s", path, strerror(errno));
        return NULL;
    }
    key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (key == NULL || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < 2048) {
        EVP_PKEY_free(key);
        err_set(err, "%s is not a private RSA key of 2048 bits or more in PEM form, without a "
                     "passphrase", path);
        return NULL;
    }
    struct sha2_key *k = mem_alloc(sizeof(*k));
    k->key = key;
    k->pem = BIO_new(BIO_s_mem());
    int ok = PEM_write_bio_PUBKEY(k->pem, key);
    assert(ok == 1);
    return k;
}

void
sha2_key_free(struct sha2_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    BIO_free(k->pem);
    free(k);
}

struct span
sha2_key_public(const struct sha2_key *k)
{
    char *text;
    long  len = BIO_get_mem_data(k->pem, &text);

    return (struct span){ (const uint8_t *)text, (size_t)len };
}

static void
hide(uint8_t *bytes, size_t len, const uint8_t nonce[AUTH_NONCE_BYTES])
{
    for (size_t i = 0; i < len; i++)
        bytes[i] ^= nonce[i % AUTH_NONCE_BYTES];
}

typedef int init_fn(EVP_PKEY_CTX *);
typedef int crypt_fn(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);

/* Appends what `crypt` makes of `in`. */
static bool
transform(EVP_PKEY *key, init_fn *init, crypt_fn *crypt, struct span in, struct buf *out)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t        len = (size_t)EVP_PKEY_get_size(key);
    uint8_t      *to  = buf_reserve(out, len);

    bool ok = ctx != NULL && init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              crypt(ctx, to, &len, in.ptr, in.len) == 1;
    if (ok)
        buf_commit(out, len);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

bool
sha2_decrypt(struct sha2_key *k, struct span cipher, const uint8_t nonce[AUTH_NONCE_BYTES],
             struct buf *password)
{
    size_t before = buf_len(password);

    if (!transform(k->key, EVP_PKEY_decrypt_init, EVP_PKEY_decrypt, cipher, password))
        return false;
    size_t   len   = buf_len(password) - before;
    uint8_t *bytes = password->bytes + password->start + before;
    hide(bytes, len, nonce);
    bool ok = len > 0 && memchr(bytes, 0, len) == bytes + len - 1;
    password->end -= ok ? 1 : len;
    return ok;
}

bool
sha2_encrypt(struct span pem, struct span password, const uint8_t nonce[AUTH_NONCE_BYTES],
             struct buf *cipher)
{
    BIO       *text = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY  *key  = PEM_read_bio_PUBKEY(text, NULL, NULL, NULL);
    struct buf secret = { 0 };
    bool       ok     = false;

    BIO_free(text);
    if (key != NULL && EVP_PKEY_is_a(key, "RSA")) {
        buf_append_span(&secret, password);
        buf_append_byte(&secret, 0);
        hide(secret.bytes, secret.end, nonce);
        ok = transform(key, EVP_PKEY_encrypt_init, EVP_PKEY_encrypt, buf_unread(&secret), cipher);
        OPENSSL_cleanse(secret.bytes, secret.end);
    }
    buf_fini(&secret);
    EVP_PKEY_free(key);
    return ok;
}
