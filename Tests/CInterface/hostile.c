// hostile NEAR FAR SEED ROUNDS: arguments that no program should pass, first by one thread, which sees that what fails
// changes nothing, then by four at once, with devices that are closed under their readers. Only errnos may come of it.
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <swbpf.h>

#include "check.h"

enum { threads = 4, devices = 6, room = 1 << 20 };

static const char *interfaces[4];
static _Atomic int open_devices[devices];
static unsigned char *fence;  // one page of memory; what follows is not there

static unsigned long next(unsigned long *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static const unsigned known[] = {
    0x40044266, 0xc0044266, 0x80104267, 0x20004268, 0x20004269, 0x4004426a, 0x4020426b, 0x8020426c, 0x4090426b,
    0x8090426c, 0x8010426d, 0x4010426e, 0x4008426f, 0x4080426f, 0x80044270, 0x40044271, 0x40044272, 0x80044273,
    0x40044274, 0x80044275, 0x40044276, 0x80044277, 0x80044278, 0xc0104279, 0x2000427a, 0x8010427b, 0x8004427c,
    0x4004427d, 0x8004427e, 0x4008427f, 0x40184280, 0x80184281, 0x80104282, 0x40044283, 0x80044284, 0x80044285,
    0xc0104286, 0x80044276, 0xc0104277, 0x40044278, 0x80044279, 0x8010427a, 0x4010427b, 0x4004427c, 0x8004427d,
    0x2000427e, 0x8010427f, 0x4004667f, 0x8004667e, 0x8004667d, 0x4004667b, 0x40047477, 0x541b, 0x5421, 0x5452,
};

static unsigned long request(unsigned long *seed) {
  unsigned long number = known[next(seed) % (sizeof known / sizeof *known)];
  if (next(seed) % 8 == 0) number ^= 1u << next(seed) % 32;
  if (next(seed) % 8 == 0) number = (unsigned)next(seed);
  // Who gets signals is left alone: they might be anybody's.
  unsigned what = number & 0xffff;
  if (what == 0x667c || what == 0x7476 || what == 0x8901 || what == 0x8902 || what == 0x5410) number = 0x20004268;
  if (next(seed) % 16 == 0) number |= 0xffffffff00000000;
  return number;
}

static void *bad_address(unsigned long *seed) {
  switch (next(seed) % 5) {
  case 0: return NULL;
  case 1: return (void *)8;
  case 2: return fence + 4096 - next(seed) % 16;
  case 3: return (void *)(0x8000000000000000 | next(seed));
  default: return (void *)UINTPTR_MAX;
  }
}

static size_t bad_size(unsigned long *seed) {
  static const size_t sizes[] = {0, 1, 13, 14, 60, 1514, 1515, 65535, 1u << 20, UINT_MAX, 0x100000000 + 28, SSIZE_MAX,
                                 SIZE_MAX - 1, SIZE_MAX};
  return sizes[next(seed) % (sizeof sizes / sizeof *sizes)];
}

// Fills an argument with what might be meant, or with noise.
static void fill(unsigned long *seed, unsigned char *argument, struct bpf_insn *code) {
  for (int i = 0; i < 8192; i += 8) memcpy(argument + i, &(unsigned long){next(seed)}, 8);
  for (int i = 0; i < 600; i++) {
    code[i] = (struct bpf_insn){(uint16_t)(next(seed) % 256), (uint8_t)(next(seed) % 4), (uint8_t)(next(seed) % 4),
                                (uint32_t)(next(seed) % 64)};
  }
  unsigned long small = next(seed) % 4, length = next(seed) % 4 ? next(seed) % 16 : next(seed) % 600;
  void *address = next(seed) % 4 ? (void *)code : bad_address(seed);
  switch (next(seed) % 5) {
  case 0: memcpy(argument, &small, 4); break;
  case 1: strcpy((char *)argument, interfaces[next(seed) % 4]); break;
  case 2:
    code[length].code = BPF_RET | BPF_K;
    memcpy(argument, &(unsigned){(unsigned)length + 1}, 4);
    memcpy(argument + 8, &address, 8);
    break;
  case 3: memcpy(argument, &(struct timeval){(long)small, (long)(next(seed) % 2000000)}, 16); break;
  default: break;
  }
}

static void judge(long result) {
  if (result >= 0) return;
  CHECK(result == -1 && errno > 0 && errno < 134);
  // Not one of these: the library would have lost something of its own.
  CHECK(errno != EDEADLK && errno != ENOSYS && errno != ENOTTY);
}

static int open_one(unsigned long *seed) {
  static const char *profiles[] = {"freebsd", "netbsd", "openbsd"};
  static const int modes[] = {O_RDWR, O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK};
  int bpf = swbpf_open_profile(profiles[next(seed) % 3], modes[next(seed) % 5] | O_CLOEXEC);
  CHECK(bpf >= 0);
  if (next(seed) % 2) {
    struct swbpf_ifreq interface = {"", ""};
    strcpy(interface.name, interfaces[next(seed) % 2]);
    judge(swbpf_ioctl(bpf, BIOCSETIF, &interface));
  }
  return bpf;
}

// What requests tell of a device.
struct state {
  unsigned size, direction, complete, feedback, stamp, link_type, promised;
  struct timeval limit;
  struct swbpf_ifreq interface;
};

static struct state look(int bpf) {
  struct state now;
  memset(&now, 0, sizeof now);
  swbpf_ioctl(bpf, BIOCGBLEN, &now.size);
  swbpf_ioctl(bpf, BIOCGDIRECTION, &now.direction);
  swbpf_ioctl(bpf, BIOCGHDRCMPLT, &now.complete);
  swbpf_ioctl(bpf, 0x4004427c, &now.feedback);
  swbpf_ioctl(bpf, BIOCGTSTAMP, &now.stamp);
  swbpf_ioctl(bpf, BIOCGDLT, &now.link_type);
  swbpf_ioctl(bpf, BIOCGRSIG, &now.promised);
  swbpf_ioctl(bpf, BIOCGRTIMEOUT, &now.limit);
  swbpf_ioctl(bpf, BIOCGETIF, &now.interface);
  return now;
}

// One thread: what fails changes nothing, and no answer is longer than its number says.
static void alone(unsigned long *seed, int rounds) {
  unsigned char *argument = malloc(8192 + 64), *before = malloc(8192 + 64);
  struct bpf_insn *code = malloc(601 * sizeof *code);
  int bpf = swbpf_open(NULL, O_RDWR | O_NONBLOCK), failures = 0;
  for (int round = 0; round < rounds; round++) {
    if (round % 50 == 0) {
      swbpf_close(bpf);
      bpf = swbpf_open(NULL, O_RDWR | O_NONBLOCK);
      CHECK(bpf >= 0);
    }
    memset(argument + 8192, 0x5a, 64);
    fill(seed, argument, code);
    memcpy(before, argument, 8192 + 64);
    unsigned long number = request(seed);
    // The system's own numbers carry no size; their arguments are ints.
    size_t size = (number & 0xffffffff) < 0x10000 ? 4 : number >> 16 & 0x1fff;
    int is_bad = next(seed) % 4 == 0;
    struct state old = look(bpf);
    int result = swbpf_ioctl(bpf, number, is_bad ? bad_address(seed) : argument);
    judge(result);
    CHECK(memcmp(argument + size, before + size, 8192 + 64 - size) == 0);
    if (result < 0) {
      failures++;
      // BSD sets this mode before it looks at the lock.
      struct state new = look(bpf);
      int is_sized = (number & 0xffffffff) == BIOCSBLEN && errno == EFAULT;
      if (!is_sized) CHECK(memcmp(&old, &new, sizeof old) == 0);
    }
  }
  CHECK(failures > rounds / 4);
  CHECK(swbpf_close(bpf) == 0);
  free(argument);
  free(before);
  free(code);
}

static void do_one(unsigned long *seed, unsigned char *argument, struct bpf_insn *code, unsigned char *buffer) {
  _Atomic int *slot = &open_devices[next(seed) % devices];
  int bpf = atomic_load(slot);
  unsigned size = 0;
  size_t length = sizeof(int);
  struct iovec pieces[4];
  switch (next(seed) % 16) {
  case 0:
    bpf = atomic_exchange(slot, open_one(seed));
    judge(swbpf_close(bpf));
    break;
  case 1:
    judge(swbpf_ioctl(bpf, BIOCGBLEN, &size));
    if (size <= room) judge(swbpf_read(bpf, next(seed) % 4 ? (void *)buffer : bad_address(seed), size));
    break;
  case 2: judge(swbpf_read(bpf, fence + 4000, bad_size(seed) | 1u << 30)); break;
  case 3:
  case 4: judge(swbpf_write(bpf, buffer, 14 + next(seed) % 1500)); break;
  case 5: judge(swbpf_write(bpf, bad_address(seed), bad_size(seed))); break;
  case 6:
    for (int i = 0; i < 4; i++) pieces[i] = (struct iovec){bad_address(seed), bad_size(seed)};
    judge(swbpf_writev(bpf, pieces, (int)(next(seed) % 5)));
    CHECK(swbpf_writev(bpf, pieces, next(seed) % 2 ? -1 : INT_MIN) == -1);
    CHECK(swbpf_writev(bpf, pieces, next(seed) % 2 ? 1025 : INT_MAX) == -1);
    CHECK(swbpf_writev(bpf, bad_address(seed), 1024) == -1);
    break;
  case 7: CHECK_ERRNO(swbpf_read((int)(next(seed) % 1000000) + 100000, buffer, 32768), EBADF); break;
  case 8:
    judge(swbpf_sysctl(next(seed) % 2 ? "swbpf.pushdown" : bad_address(seed), next(seed) % 2 ? (void *)buffer : NULL,
                       next(seed) % 2 ? &length : bad_address(seed), bad_address(seed), bad_size(seed)));
    break;
  case 9: judge(swbpf_open(bad_address(seed), (int)next(seed) | O_ACCMODE)); break;
  default:
    fill(seed, argument, code);
    judge(swbpf_ioctl(bpf, request(seed), next(seed) % 8 ? (void *)argument : bad_address(seed)));
  }
}

static int rounds;
static _Atomic int running = threads;

static void *hostile(void *first) {
  unsigned long seed = (unsigned long)(uintptr_t)first;
  unsigned char *argument = malloc(8192 + 64), *buffer = calloc(1, room);
  struct bpf_insn *code = malloc(601 * sizeof *code);
  make_frame(buffer, 1514, 1);
  for (int round = 0; round < rounds; round++) do_one(&seed, argument, code, buffer);
  free(argument);
  free(buffer);
  free(code);
  atomic_fetch_sub(&running, 1);
  return NULL;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  interfaces[0] = words[1];
  interfaces[1] = words[2];
  interfaces[2] = "lo";
  interfaces[3] = "no-such-if";
  unsigned long seed = strtoul(words[3], NULL, 10) * 2 + 1;
  rounds = atoi(words[4]);
  fence = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(fence != MAP_FAILED && mprotect(fence + 4096, 4096, PROT_NONE) == 0);

  alone(&seed, rounds);
  for (int i = 0; i < devices; i++) open_devices[i] = open_one(&seed);
  pthread_t all[threads];
  for (int i = 0; i < threads; i++) {
    next(&seed);
    CHECK(pthread_create(&all[i], NULL, hostile, (void *)(uintptr_t)seed) == 0);
  }
  // Readers sleep for ever unless somebody closes what they read from.
  while (atomic_load(&running) > 0) {
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    judge(swbpf_close(atomic_exchange(&open_devices[next(&seed) % devices], open_one(&seed))));
  }
  for (int i = 0; i < threads; i++) CHECK(pthread_join(all[i], NULL) == 0);
  for (int i = 0; i < devices; i++) judge(swbpf_close(open_devices[i]));

  // It all still works.
  int bpf = swbpf_open("/dev/bpf", O_RDWR);
  struct swbpf_ifreq interface = {"", ""};
  strcpy(interface.name, words[1]);
  CHECK(bpf >= 0 && swbpf_ioctl(bpf, BIOCSETIF, &interface) == 0 && swbpf_close(bpf) == 0);
  puts("hostile: ok");
  return 0;
}
