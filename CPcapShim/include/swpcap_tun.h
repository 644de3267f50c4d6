// TUN and TAP devices: interfaces whose frames a program reads and writes.
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/// What stands before each packet of a device: how much the system has left to do. (struct virtio_net_hdr)
struct swpcap_vnet {
  uint8_t flags;     // SWPCAP_VNET_NEEDS_CHECKSUM
  uint8_t gso_type;  // SWPCAP_VNET_*
  uint16_t header_length;
  uint16_t gso_size;
  uint16_t checksum_start;
  uint16_t checksum_offset;
};

#define SWPCAP_VNET_NEEDS_CHECKSUM 1
#define SWPCAP_VNET_NONE 0
#define SWPCAP_VNET_TCP4 1
#define SWPCAP_VNET_TCP6 4
#define SWPCAP_VNET_UDP 5
#define SWPCAP_VNET_ECN 0x80

/// Opens a queue of a device of this name, several queues allowed, in the network namespace of the calling thread; it does not
/// wait. The first queue makes the device: -EBUSY when there is an interface of that name. The device goes with its last
/// queue. -ENOENT without /dev/net/tun.
int swpcap_tun_open(const char *name, int is_tap, int is_first);
/// Whether the system may hand over packets without checksums and super-packets (TCP, UDP where it can).
int swpcap_tun_offload(int fd, int checksums, int segments);
/// Reads one packet, and its header into the `sizeof *header` bytes in front of it: one piece is cheaper than two. Its length without the header before it, 0 when there is none. -EBADFD when the device is gone.
int64_t swpcap_tun_read(int fd, struct swpcap_vnet *header, void *packet, size_t room);
/// Writes one packet. The `sizeof *header` bytes in front of it become the header.
int64_t swpcap_tun_write(int fd, const struct swpcap_vnet *header, void *packet, size_t length);
/// Writes one packet that lies in pieces. The first of `parts` is free: the header's place.
int64_t swpcap_tun_write_parts(int fd, struct swpcap_vnet *header, struct iovec *parts, uint32_t count);

/// Sets an interface's MTU; brings it up or takes it down. Any socket will do for `fd`.
int swpcap_interface_mtu(int fd, const char *name, uint32_t mtu);
int swpcap_interface_up(int fd, const char *name, int is_up);
