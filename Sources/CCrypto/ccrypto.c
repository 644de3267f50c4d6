#include "CCrypto.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { header_length = 8, salt_length = 4, mac_limit = EVP_MAX_MD_SIZE };

struct swcrypto_context {
  EVP_CIPHER_CTX *cipher;
  EVP_MAC_CTX *mac;
  int kind;
  uint8_t salt[salt_length];
};

static const char *cipher_name(int cipher, size_t key_length) {
  static const char *const names[][3] = {
      [SWCRYPTO_AES_CBC] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"},
      [SWCRYPTO_AES_CTR] = {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"},
      [SWCRYPTO_AES_GCM] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"},
      [SWCRYPTO_CHACHA20_POLY1305] = {NULL, NULL, "ChaCha20-Poly1305"},
  };
  if (cipher < SWCRYPTO_AES_CBC || cipher > SWCRYPTO_CHACHA20_POLY1305) return NULL;
  switch (key_length) {
  case 16: return names[cipher][0];
  case 24: return names[cipher][1];
  case 32: return names[cipher][2];
  default: return NULL;
  }
}

static const char *digest_name(int mac) {
  switch (mac) {
  case SWCRYPTO_HMAC_SHA1: return "SHA1";
  case SWCRYPTO_HMAC_SHA256: return "SHA256";
  case SWCRYPTO_HMAC_SHA384: return "SHA384";
  case SWCRYPTO_HMAC_SHA512: return "SHA512";
  default: return NULL;
  }
}

static int start_cipher(swcrypto_context *context, int cipher, const uint8_t *key, size_t length, int protects) {
  if (cipher != SWCRYPTO_AES_CBC) {
    if (length < salt_length) return 0;
    length -= salt_length;
    memcpy(context->salt, key + length, salt_length);
  }
  const char *name = cipher_name(cipher, length);
  EVP_CIPHER *type = name ? EVP_CIPHER_fetch(NULL, name, NULL) : NULL;
  context->cipher = type ? EVP_CIPHER_CTX_new() : NULL;
  // Counter mode is the same in both directions; the library wants it as encryption.
  int encrypts = protects || cipher == SWCRYPTO_AES_CTR;
  int done = context->cipher && EVP_CipherInit_ex2(context->cipher, type, key, NULL, encrypts, NULL) == 1 &&
             EVP_CIPHER_CTX_set_padding(context->cipher, 0) == 1;
  EVP_CIPHER_free(type);
  return done;
}

static int start_mac(swcrypto_context *context, int mac, const uint8_t *key, size_t length) {
  const char *digest = digest_name(mac);
  EVP_MAC *type = digest ? EVP_MAC_fetch(NULL, "HMAC", NULL) : NULL;
  context->mac = type ? EVP_MAC_CTX_new(type) : NULL;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0),
      OSSL_PARAM_construct_end(),
  };
  int done = context->mac && EVP_MAC_init(context->mac, key, length, parameters) == 1;
  EVP_MAC_free(type);
  return done;
}

swcrypto_context *swcrypto_new(int cipher, const uint8_t *key, size_t key_length, int mac, const uint8_t *mac_key,
                               size_t mac_key_length, int protects) {
  swcrypto_context *context = calloc(1, sizeof *context);
  if (!context) return NULL;
  context->kind = cipher;
  if ((cipher != SWCRYPTO_NULL && !start_cipher(context, cipher, key, key_length, protects)) ||
      (mac != SWCRYPTO_NO_MAC && !start_mac(context, mac, mac_key, mac_key_length))) {
    swcrypto_free(context);
    return NULL;
  }
  return context;
}

void swcrypto_free(swcrypto_context *context) {
  if (!context) return;
  EVP_CIPHER_CTX_free(context->cipher);
  EVP_MAC_CTX_free(context->mac);
  OPENSSL_cleanse(context, sizeof *context);
  free(context);
}

static void put_high(uint8_t *to, uint32_t high) {
  to[0] = (uint8_t)(high >> 24), to[1] = (uint8_t)(high >> 16), to[2] = (uint8_t)(high >> 8), to[3] = (uint8_t)high;
}

static int is_aead(const swcrypto_context *context) {
  return context->kind == SWCRYPTO_AES_GCM || context->kind == SWCRYPTO_CHACHA20_POLY1305;
}

// RFC 4106, RFC 7634: the nonce is salt and vector; header and high half of the number are authenticated.
static int aead(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout, int protects) {
  uint8_t nonce[12], known[12];
  uint8_t *text = packet + header_length + layout.vector, *check = text + layout.text;
  int known_length = header_length, count = 0;
  memcpy(nonce, context->salt, salt_length);
  memcpy(nonce + salt_length, packet + header_length, 8);
  memcpy(known, packet, header_length);
  if (layout.extended) {
    memcpy(known + 8, packet + 4, 4);
    put_high(known + 4, layout.high);
    known_length = 12;
  }
  EVP_CIPHER_CTX *cipher = context->cipher;
  if (EVP_CipherInit_ex(cipher, NULL, NULL, NULL, nonce, -1) != 1) return -EIO;
  if (!protects && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, (int)layout.check, check) != 1) return -EIO;
  if (EVP_CipherUpdate(cipher, NULL, &count, known, known_length) != 1 ||
      EVP_CipherUpdate(cipher, text, &count, text, (int)layout.text) != 1)
    return -EIO;
  if (EVP_CipherFinal_ex(cipher, text + layout.text, &count) != 1) return protects ? -EIO : -EBADMSG;
  if (protects && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, (int)layout.check, check) != 1) return -EIO;
  return 0;
}

static int crypt_text(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout) {
  if (!context->cipher) return 0;
  uint8_t *text = packet + header_length + layout.vector;
  uint8_t counter[16];
  const uint8_t *vector = packet + header_length;
  if (context->kind == SWCRYPTO_AES_CTR) {
    // RFC 3686: salt, vector, a block counter that starts with 1.
    memcpy(counter, context->salt, salt_length);
    memcpy(counter + salt_length, vector, 8);
    put_high(counter + 12, 1);
    vector = counter;
  }
  int count = 0, last = 0;
  if (EVP_CipherInit_ex(context->cipher, NULL, NULL, NULL, vector, -1) != 1 ||
      EVP_CipherUpdate(context->cipher, text, &count, text, (int)layout.text) != 1 ||
      EVP_CipherFinal_ex(context->cipher, text + count, &last) != 1)
    return -EIO;
  return (size_t)(count + last) == layout.text ? 0 : -EIO;
}

// Over all but the check value; RFC 4303: the high half of the number follows, though it is not sent.
static int compute_check(swcrypto_context *context, const uint8_t *packet, swcrypto_layout layout, uint8_t *check) {
  uint8_t high[4];
  size_t length = 0;
  put_high(high, layout.high);
  if (EVP_MAC_init(context->mac, NULL, 0, NULL) != 1 ||
      EVP_MAC_update(context->mac, packet, header_length + layout.vector + layout.text) != 1 ||
      (layout.extended && EVP_MAC_update(context->mac, high, sizeof high) != 1) ||
      EVP_MAC_final(context->mac, check, &length, mac_limit) != 1 || length < layout.check)
    return -EIO;
  return 0;
}

int swcrypto_protect(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout) {
  if (is_aead(context)) return aead(context, packet, layout, 1);
  int result = crypt_text(context, packet, layout);
  if (result != 0 || !context->mac) return result;
  uint8_t check[mac_limit];
  result = compute_check(context, packet, layout, check);
  if (result == 0) memcpy(packet + header_length + layout.vector + layout.text, check, layout.check);
  return result;
}

int swcrypto_unprotect(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout) {
  if (is_aead(context)) return aead(context, packet, layout, 0);
  if (context->mac) {
    uint8_t check[mac_limit];
    int result = compute_check(context, packet, layout, check);
    if (result != 0) return result;
    if (CRYPTO_memcmp(check, packet + header_length + layout.vector + layout.text, layout.check) != 0) return -EBADMSG;
  }
  return crypt_text(context, packet, layout);
}

int swcrypto_random(uint8_t *bytes, size_t length) {
  return length <= INT32_MAX && RAND_bytes(bytes, (int)length) == 1 ? 0 : -EIO;
}
