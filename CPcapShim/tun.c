// TUN and TAP devices: see swpcap_tun.h.
#include "include/swpcap_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(struct swpcap_vnet) == sizeof(struct virtio_net_hdr), "virtio header");
_Static_assert(SWPCAP_VNET_TCP4 == VIRTIO_NET_HDR_GSO_TCPV4 && SWPCAP_VNET_TCP6 == VIRTIO_NET_HDR_GSO_TCPV6, "virtio");

// Newer than some headers: USO since 6.2.
#define OFFLOAD_USO4 0x20
#define OFFLOAD_USO6 0x40

static int named(struct ifreq *request, const char *name) {
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof request->ifr_name) return 0;
  memset(request, 0, sizeof *request);
  memcpy(request->ifr_name, name, length);
  return 1;
}

int swpcap_tun_open(const char *name, int is_tap, int is_first) {
  struct ifreq request;
  if (!named(&request, name)) return -EINVAL;
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  int flags = (is_tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | (is_first ? IFF_TUN_EXCL : 0);
  request.ifr_flags = (short)flags;
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    int saved = errno;
    close(fd);
    // A name of another kind of device, or of a device with one queue.
    return is_first && saved == EINVAL && if_nametoindex(name) != 0 ? -EBUSY : -saved;
  }
  return fd;
}

int swpcap_tun_offload(int fd, int checksums, int segments) {
  unsigned long flags = checksums ? TUN_F_CSUM : 0;
  if (checksums && segments) {
    flags |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (ioctl(fd, TUNSETOFFLOAD, flags | OFFLOAD_USO4 | OFFLOAD_USO6) == 0) return 0;
  }
  return ioctl(fd, TUNSETOFFLOAD, flags) == 0 ? 0 : -errno;
}

int64_t swpcap_tun_read(int fd, struct swpcap_vnet *header, void *packet, size_t room) {
  char *start = (char *)packet - sizeof *header;
  ssize_t size;
  do size = read(fd, start, room + sizeof *header);
  while (size < 0 && errno == EINTR);
  if (size < 0) return errno == EAGAIN ? 0 : -errno;
  if (size < (ssize_t)sizeof *header) return 0;
  memcpy(header, start, sizeof *header);
  return size - (ssize_t)sizeof *header;
}

int64_t swpcap_tun_write(int fd, const struct swpcap_vnet *header, void *packet, size_t length) {
  char *start = (char *)packet - sizeof *header;
  memcpy(start, header, sizeof *header);
  ssize_t size;
  do size = write(fd, start, length + sizeof *header);
  while (size < 0 && errno == EINTR);
  return size < 0 ? -errno : size - (ssize_t)sizeof *header;
}

int64_t swpcap_tun_write_parts(int fd, struct swpcap_vnet *header, struct iovec *parts, uint32_t count) {
  parts[0] = (struct iovec){header, sizeof *header};
  ssize_t size;
  do size = writev(fd, parts, (int)count);
  while (size < 0 && errno == EINTR);
  return size < 0 ? -errno : size - (ssize_t)sizeof *header;
}

int swpcap_interface_mtu(int fd, const char *name, uint32_t mtu) {
  struct ifreq request;
  if (!named(&request, name)) return -EINVAL;
  request.ifr_mtu = (int)mtu;
  return ioctl(fd, SIOCSIFMTU, &request) == 0 ? 0 : -errno;
}

int swpcap_interface_up(int fd, const char *name, int is_up) {
  struct ifreq request;
  if (!named(&request, name)) return -EINVAL;
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -errno;
  request.ifr_flags = (short)(is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}
