// Network namespaces: Swift's Glibc module has neither unshare nor setns.
//
// Every function acts on the calling thread alone and returns 0 or a descriptor, or a negative errno.
#pragma once
#include <stdint.h>

/// Moves the calling thread into a new, empty network namespace (needs CAP_SYS_ADMIN).
int swpcap_unshare_net(void);
/// Moves the calling thread into the network namespace that `fd` refers to.
int swpcap_setns_net(int fd);
/// Opens the calling thread's network namespace; the descriptor keeps it alive. Close-on-exec.
int swpcap_open_net(void);
/// Opens a namespace file. Close-on-exec; -EINVAL when it is none of a network namespace.
int swpcap_open_net_path(const char *path);
/// What tells the calling thread's network namespace from every other one that is alive.
int swpcap_net_identity(uint64_t *device, uint64_t *inode);
