// Runs programs' arm64 code on frames. Built for arm64 and run under qemu by Arm64Tests.
//
// Standard input, numbers in the machine's order: for each program the length of its code and the number of frames (u32
// each), the code; for each frame its length, its wire length and the length of its metadata (u32 each; 0 is none), the
// metadata, the bytes. Standard output: the verdicts, u32 each.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uint32_t (*entry)(const void *, uint64_t, uint32_t, const void *);

enum { FRAME = 1 << 16, PAGE = 1 << 16 };

static void take(void *to, size_t length) {
  if (length != 0 && fread(to, length, 1, stdin) != 1) exit(3);
}

int main(void) {
  static unsigned char metadata[256];
  // A load behind the frame's end is a crash.
  uint8_t *ground = mmap(NULL, FRAME + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ground == MAP_FAILED || mprotect(ground + FRAME, PAGE, PROT_NONE) != 0) return 2;
  uint32_t head[2];
  while (fread(head, sizeof head, 1, stdin) == 1) {
    uint8_t *code = mmap(NULL, head[0], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) return 2;
    take(code, head[0]);
    __builtin___clear_cache((char *)code, (char *)code + head[0]);
    if (mprotect(code, head[0], PROT_READ | PROT_EXEC) != 0) return 2;
    for (uint32_t frame = 0; frame < head[1]; frame++) {
      uint32_t lengths[3];
      take(lengths, sizeof lengths);
      if (lengths[0] > FRAME || lengths[2] > sizeof metadata) return 2;
      take(metadata, lengths[2]);
      uint8_t *base = ground + FRAME - lengths[0];
      take(base, lengths[0]);
      uint32_t verdict = ((entry)(void *)code)(base, lengths[0], lengths[1], lengths[2] != 0 ? metadata : NULL);
      fwrite(&verdict, sizeof verdict, 1, stdout);
    }
    munmap(code, head[0]);
  }
  return fflush(stdout) != 0;
}
