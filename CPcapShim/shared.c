// Memory that is shared by descriptor: see swpcap_shared.h.
#include "include/swpcap_shared.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int swpcap_shared_open(const char *name, size_t size) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

int swpcap_shared_seal_reading(int fd) {
  return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0 ? 0 : -errno;
}

int swpcap_shared_seal(int fd) { return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0 ? 0 : -errno; }

int swpcap_shared_check(int fd, size_t size) {
  struct stat status;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || fstat(fd, &status) != 0) return -errno;
  return (seals & F_SEAL_SHRINK) != 0 && status.st_size >= 0 && (size_t)status.st_size >= size ? 0 : -EINVAL;
}

int swpcap_wake_open(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
  (void)fcntl(ends[1], F_SETPIPE_SZ, 4096);
  return 0;
}

int swpcap_wake_signal(int fd, int owner, int number) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if (owner == 0 || number == 0) return fcntl(fd, F_SETFL, flags & ~O_ASYNC) == 0 ? 0 : -errno;
  if (fcntl(fd, F_SETSIG, number) != 0 || fcntl(fd, F_SETOWN, owner) != 0) return -errno;
  return fcntl(fd, F_SETFL, flags | O_ASYNC) == 0 ? 0 : -errno;
}

int swpcap_wake_wait(int fd, int event) {
  // What can be read of the pipe is no matter here: an end is told whether it is asked for or not.
  struct pollfd set[2] = {{.fd = fd}, {.fd = event, .events = POLLIN}};
  while (poll(set, 2, -1) < 0 && errno == EINTR) {
  }
  return set[0].revents != 0;
}

int swpcap_wake_clear(int fd) {
  char bytes[4096];
  while (1) {
    ssize_t count = read(fd, bytes, sizeof bytes);
    if (count == 0) return 0;
    if (count < 0 && errno == EINTR) continue;
    if (count < (ssize_t)sizeof bytes) return 1;
  }
}
