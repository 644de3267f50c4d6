// The least that a packet can cost in libcrypto: cipherloop TRANSFORM BYTES prints nanoseconds of processor time for a packet that
// is encrypted in place with a nonce of its own and authenticated with its header. TRANSFORM: a cipher, CIPHER+sha256, sha256.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { rounds = 5, packets = 100000, header = 8, most = 4096 };

static double cpu(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void need(int isRight, const char *what) {
  if (isRight) return;
  fprintf(stderr, "cipherloop: %s failed\n", what);
  exit(1);
}

int main(int count, char **words) {
  need(count == 3, "usage: cipherloop TRANSFORM BYTES:");
  char name[64];
  snprintf(name, sizeof name, "%s", words[1]);
  int bytes = atoi(words[2]);
  need(bytes > 0 && bytes + 128 <= most, "the size");
  int hasMAC = strstr(name, "sha256") != NULL, hasCipher = strncmp(name, "sha256", 6) != 0;
  char *plus = strchr(name, '+');
  if (plus) *plus = 0;

  static unsigned char packet[most], key[64], nonce[16], tag[64];
  EVP_CIPHER *cipher = NULL;
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (hasCipher) {
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    need(cipher && EVP_EncryptInit_ex(context, cipher, NULL, key, nonce), name);
    EVP_CIPHER_CTX_set_padding(context, 0);
  }
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *macContext = EVP_MAC_CTX_new(mac);
  OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0), OSSL_PARAM_construct_end()};
  need(EVP_MAC_init(macContext, key, 32, digest), "HMAC");

  double least = 1e18;
  for (int round = 0; round < rounds; round++) {
    double start = cpu();
    for (int number = 0; number < packets; number++) {
      int length, isRight = 1;
      size_t size;
      memcpy(nonce, &number, sizeof number);
      if (hasCipher) {
        isRight &= EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce);
        if (!hasMAC) isRight &= EVP_EncryptUpdate(context, NULL, &length, packet, header);
        isRight &= EVP_EncryptUpdate(context, packet + header, &length, packet + header, bytes);
        if (!hasMAC) {
          isRight &= EVP_EncryptFinal_ex(context, packet + header + bytes, &length);
          isRight &= EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag);
        }
      }
      if (hasMAC) {
        isRight &= EVP_MAC_init(macContext, NULL, 0, NULL) && EVP_MAC_update(macContext, packet, (size_t)bytes + header) &&
                   EVP_MAC_final(macContext, tag, &size, sizeof tag);
      }
      need(isRight, name);
    }
    double each = (cpu() - start) / packets;
    if (each < least) least = each;
  }
  printf("%.1f\n", least);
  EVP_MAC_CTX_free(macContext);
  EVP_MAC_free(mac);
  EVP_CIPHER_CTX_free(context);
  EVP_CIPHER_free(cipher);
  return 0;
}
