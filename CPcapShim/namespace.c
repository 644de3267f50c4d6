// Network namespaces of the calling thread: see swpcap_namespace.h.
#include "include/swpcap_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

int swpcap_net_identity(uint64_t *device, uint64_t *inode) {
  struct stat status;
  if (stat("/proc/thread-self/ns/net", &status) != 0) return -errno;
  *device = status.st_dev;
  *inode = status.st_ino;
  return 0;
}
