// Network namespaces of the calling thread: see swpcap_namespace.h.
#include "include/swpcap_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

int swpcap_unshare_net(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : -errno; }

int swpcap_setns_net(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno; }

int swpcap_open_net(void) {
  // "self" would be the main thread's namespace.
  int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}
