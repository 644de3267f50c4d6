// example WRITER READER: two interfaces on one cable. Opens both, binds, filters, polls, reads and writes.
// Compiled with the names of each BSD.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <unistd.h>

#include <swbpf.h>

#include "check.h"

#if defined(SWBPF_OPENBSD)
static const char profile[] = "openbsd";
enum { header_length = 30 };
#elif defined(SWBPF_NETBSD)
static const char profile[] = "netbsd";
enum { header_length = 34 };
#else
static const char profile[] = "freebsd";
enum { header_length = 26 };
#endif

static int attach(const char *name, int flags) {
  int bpf = swbpf_open_profile(profile, flags);
  CHECK(bpf >= 0);
  struct swbpf_ifreq interface;
  memset(&interface, 0, sizeof interface);
  strncpy(interface.name, name, sizeof interface.name - 1);
  CHECK(swbpf_ioctl(bpf, BIOCSETIF, &interface) == 0);
  memset(&interface, 'x', sizeof interface);
  CHECK(swbpf_ioctl(bpf, BIOCGETIF, &interface) == 0);
  CHECK(strcmp(interface.name, name) == 0);
  return bpf;
}

static int polled(int bpf, int timeout) {
  struct pollfd one = {.fd = bpf, .events = POLLIN, .revents = 0};
  int count = poll(&one, 1, timeout);
  CHECK(count >= 0);
  return count == 1 && (one.revents & POLLIN);
}

static void opening(void) {
  CHECK_ERRNO(swbpf_open("/dev/bpfx", O_RDWR), ENOENT);
  CHECK_ERRNO(swbpf_open("/dev/bpf01", O_RDWR), ENOENT);
  CHECK_ERRNO(swbpf_open("", O_RDWR), ENOENT);
  CHECK_ERRNO(swbpf_open((const char *)8, O_RDWR), EFAULT);
  CHECK_ERRNO(swbpf_open("/dev/bpf", O_ACCMODE), EINVAL);
  CHECK_ERRNO(swbpf_open_profile("linux", O_RDWR), EINVAL);
  CHECK_ERRNO(swbpf_close(-1), EBADF);
  CHECK_ERRNO(swbpf_read(1000000, NULL, 0), EBADF);
  CHECK_ERRNO(swbpf_ioctl(STDERR_FILENO, BIOCFLUSH), EBADF);

  const char *paths[] = {NULL, "/dev/bpf", "/dev/bpf0", "/dev/bpf255"};
  int open[4];
  for (int i = 0; i < 4; i++) {
    open[i] = swbpf_open(paths[i], i % 2 ? O_RDWR | O_CLOEXEC : O_RDWR);
    CHECK(open[i] >= 0 && swbpf_poll_fd(open[i]) == open[i]);
    CHECK(fcntl(open[i], F_GETFD) == (i % 2 ? FD_CLOEXEC : 0));
    for (int j = 0; j < i; j++) CHECK(open[i] != open[j]);
  }
  for (int i = 0; i < 4; i++) {
    CHECK(swbpf_close(open[i]) == 0);
    // The number is free at once.
    CHECK_ERRNO(fcntl(open[i], F_GETFD), EBADF);
    CHECK_ERRNO(swbpf_close(open[i]), EBADF);
    CHECK_ERRNO(swbpf_poll_fd(open[i]), EBADF);
  }
}

static void access_modes(const char *name) {
  unsigned size;
  int reader = attach(name, O_RDONLY | O_NONBLOCK), writer = attach(name, O_WRONLY);
  CHECK(swbpf_ioctl(reader, BIOCGBLEN, &size) == 0 && size == 32768);
  unsigned char frame[60];
  make_frame(frame, sizeof frame, 1);
  CHECK_ERRNO(swbpf_write(reader, frame, sizeof frame), EBADF);
  CHECK_ERRNO(swbpf_writev(reader, NULL, 0), EBADF);
  CHECK_ERRNO(swbpf_read(writer, frame, sizeof frame), EBADF);
  CHECK_ERRNO(swbpf_read(reader, frame, sizeof frame), EINVAL);
  char *buffer = malloc(size);
  CHECK_ERRNO(swbpf_read(reader, buffer, size), EAGAIN);
  free(buffer);
  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
}

static void settings(void) {
  int value = 0, wanted = 8192;
  size_t length = sizeof value;
  CHECK(swbpf_sysctl("net.bpf.bufsize", &value, &length, &wanted, sizeof wanted) == 0);
  CHECK(value == 32768 && length == sizeof value);
  unsigned size;
  int bpf = swbpf_open(NULL, O_RDONLY);
  CHECK(swbpf_ioctl(bpf, BIOCGBLEN, &size) == 0 && size == 8192);
  CHECK(swbpf_close(bpf) == 0);
  CHECK(swbpf_sysctl("net.bpf.bufsize", NULL, NULL, &value, sizeof value) == 0);
  length = 0;
  CHECK(swbpf_sysctl("net.bpf.bufsize", NULL, &length, NULL, 0) == 0 && length == sizeof value);
  length = 2;
  unsigned char bytes[4] = {9, 9, 9, 9};
  CHECK_ERRNO(swbpf_sysctl("net.bpf.bufsize", bytes, &length, NULL, 0), ENOMEM);
  CHECK(length == 2 && bytes[0] == 0 && bytes[1] == 0x80 && bytes[2] == 9);
  wanted = -1;
  CHECK_ERRNO(swbpf_sysctl("net.bpf.maxbufsize", NULL, NULL, &wanted, sizeof wanted), EINVAL);
  CHECK_ERRNO(swbpf_sysctl("net.bpf.maxbufsize", NULL, NULL, &wanted, 2), EINVAL);
  CHECK_ERRNO(swbpf_sysctl("net.bpf.nothing", NULL, NULL, NULL, 0), ENOENT);
  CHECK_ERRNO(swbpf_sysctl(NULL, NULL, NULL, NULL, 0), EFAULT);
  CHECK_ERRNO(swbpf_sysctl("swbpf.pushdown", (void *)8, &length, NULL, 0), EFAULT);
}

// Frames with odd numbers only: the program looks at the last bit of the number.
static void filter(int bpf) {
  struct bpf_insn odd[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88b5, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 15),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 64),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct bpf_program program = {sizeof odd / sizeof *odd, odd};
  CHECK(swbpf_ioctl(bpf, BIOCSETF, &program) == 0);
  odd[5].code = BPF_LD;
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSETF, &program), EINVAL);
}

static void frames(const char *near, const char *far) {
  int writer = attach(near, O_RDWR), reader = attach(far, O_RDWR);
  unsigned on = 1, size = 0;
  struct timeval limit = {2, 0}, none = {0, 0};
  CHECK(swbpf_ioctl(writer, BIOCSHDRCMPLT, &on) == 0);
  CHECK(swbpf_ioctl(reader, BIOCIMMEDIATE, &on) == 0);
  CHECK(swbpf_ioctl(reader, BIOCSRTIMEOUT, &limit) == 0);
  CHECK(swbpf_ioctl(reader, BIOCGBLEN, &size) == 0);
  filter(reader);
  CHECK(!polled(reader, 0));

  unsigned char frame[100];
  for (unsigned number = 0; number < 10; number++) {
    make_frame(frame, sizeof frame, number);
    struct iovec pieces[] = {{frame, 14}, {NULL, 0}, {frame + 14, sizeof frame - 14}};
    if (number % 4 < 2)
      CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
    else
      CHECK(swbpf_writev(writer, pieces, 3) == (ssize_t)sizeof frame);
  }

  char *buffer = malloc(size);
  unsigned expected = 1;
  while (expected < 10) {
    CHECK(polled(reader, 5000));
    int pending = 0, before = 0;
    CHECK(swbpf_ioctl(reader, 0x4004667fUL, &before) == 0 && before > 0);
    // This system's own number does as well; more may have come.
    CHECK(swbpf_ioctl(reader, FIONREAD, &pending) == 0 && pending >= before);
    ssize_t count = swbpf_read(reader, buffer, size);
    CHECK(count >= before);
    for (ssize_t at = 0; at < count;) {
      struct bpf_hdr *record = (struct bpf_hdr *)(buffer + at);
      CHECK(record->bh_hdrlen == header_length && record->bh_caplen == 64 && record->bh_datalen == sizeof frame);
      make_frame(frame, sizeof frame, expected);
      CHECK(memcmp(buffer + at + record->bh_hdrlen, frame, 64) == 0);
      expected += 2;
      at += BPF_WORDALIGN(record->bh_hdrlen + record->bh_caplen);
    }
  }
  CHECK(expected == 11 && !polled(reader, 0));

  struct bpf_stat counts;
  CHECK(swbpf_ioctl(reader, BIOCGSTATS, &counts) == 0);
  CHECK(counts.bs_recv >= 10 && counts.bs_drop == 0);

  // select and epoll say the same as poll.
  make_frame(frame, sizeof frame, 77);
  CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(reader, &set);
  CHECK(select(reader + 1, &set, NULL, NULL, &limit) == 1);
  int watcher = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = reader}}, seen;
  CHECK(epoll_ctl(watcher, EPOLL_CTL_ADD, reader, &event) == 0);
  CHECK(epoll_wait(watcher, &seen, 1, 0) == 1 && seen.data.fd == reader);
  CHECK(swbpf_ioctl(reader, BIOCFLUSH) == 0);
  CHECK(epoll_wait(watcher, &seen, 1, 0) == 0);
  FD_ZERO(&set);
  FD_SET(reader, &set);
  CHECK(select(reader + 1, &set, NULL, NULL, &none) == 0);
  close(watcher);

  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
  free(buffer);
}

int main(int count, char **words) {
  if (count != 3) return 2;
  opening();
  access_modes(words[1]);
  settings();
  frames(words[1], words[2]);
  puts("example: ok");
  return 0;
}
