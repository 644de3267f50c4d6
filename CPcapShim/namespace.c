// Network namespaces of the calling thread: see swpcap_namespace.h.
#include "include/swpcap_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

int swpcap_unshare_net(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : -errno; }

int swpcap_setns_net(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno; }

int swpcap_open_net(void) {
  // "self" would be the main thread's namespace.
  int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}

int swpcap_open_net_path(const char *path) {
  // A FIFO must not hold us up.
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET) return fd;
  close(fd);
  return -EINVAL;
}
