// What the C programs of the tests share: checks that name themselves, and a frame.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program unless the condition holds.
#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno,   \
              strerror(errno));                                                              \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

// The call fails with that errno, and says so with -1.
#define CHECK_ERRNO(call, expected)                                                          \
  do {                                                                                       \
    errno = 0;                                                                               \
    long result_ = (long)(call);                                                             \
    int error_ = errno;                                                                      \
    if (result_ != -1 || error_ != (expected)) {                                             \
      fprintf(stderr, "%s:%d: %s: %ld, errno %d (%s), not %s\n", __FILE__, __LINE__, #call,  \
              result_, error_, strerror(error_), #expected);                                 \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

// An Ethernet frame to everybody that no host answers (type 0x88b5), with a number in it.
static inline void make_frame(unsigned char *frame, size_t size, unsigned number) {
  memset(frame, 0, size);
  memset(frame, 0xff, 6);
  memcpy(frame + 6, "\x02\x00\x00\x00\x99\x99", 6);
  frame[12] = 0x88;
  frame[13] = 0xb5;
  for (size_t i = 14; i < size; i++) frame[i] = (unsigned char)(i * 7 + number);
  frame[14] = (unsigned char)(number >> 8);
  frame[15] = (unsigned char)number;
}

static inline unsigned frame_number(const unsigned char *frame) { return frame[14] * 256u + frame[15]; }
