// Ciphers and check values of libcrypto (EVP), as ESP packets need them. Thin: no policy, no state of its own.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Ciphers. Those with a salt have it in the last four bytes of their key.
enum {
  SWCRYPTO_NULL = 0,
  SWCRYPTO_AES_CBC = 1,
  /// RFC 3686; a salt.
  SWCRYPTO_AES_CTR = 2,
  /// RFC 4106; a salt.
  SWCRYPTO_AES_GCM = 3,
  /// RFC 7634; a salt.
  SWCRYPTO_CHACHA20_POLY1305 = 4,
};

/// Check values over the packet, cut to the length that is asked for.
enum {
  SWCRYPTO_NO_MAC = 0,
  SWCRYPTO_HMAC_SHA1 = 1,
  SWCRYPTO_HMAC_SHA256 = 2,
  SWCRYPTO_HMAC_SHA384 = 3,
  SWCRYPTO_HMAC_SHA512 = 4,
};

/// A cipher and a check value with their keys, for one direction. Used by one thread at a time.
typedef struct swcrypto_context swcrypto_context;

/// Keys are copied. NULL when the library lacks the algorithm, the length of a key is wrong, or there is no memory.
swcrypto_context *swcrypto_new(int cipher, const uint8_t *key, size_t key_length, int mac, const uint8_t *mac_key,
                               size_t mac_key_length, int protects);
/// Overwrites the keys. NULL is nothing.
void swcrypto_free(swcrypto_context *context);

/// Where the parts of a packet lie: ESP's header of 8 bytes, the vector, the text, the check value.
typedef struct {
  uint32_t vector;
  uint32_t text;
  uint32_t check;
  /// The high half of an extended sequence number, which no packet carries; in host order.
  uint32_t high;
  uint32_t extended;
} swcrypto_layout;

/// Encrypts the text where it lies and writes the check value. 0, or -EIO when the library fails.
int swcrypto_protect(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout);
/// Verifies, then decrypts the text where it lies. 0, -EBADMSG when the check value is another one, or -EIO.
/// Unless it is 0 the text means nothing.
int swcrypto_unprotect(swcrypto_context *context, uint8_t *packet, swcrypto_layout layout);

/// Random bytes of the library's generator. 0, or -EIO.
int swcrypto_random(uint8_t *bytes, size_t length);
