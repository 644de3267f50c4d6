// UDP sockets of NAT traversal, in batches: ESP in UDP as tunnels receive and send it.
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not. A batch belongs to one thread
// at a time. Addresses are in network order, an IPv4 address in the first four bytes; ports are in host order.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/// A socket that has a port of every address of a family, and does not wait. The system hands it datagrams that came
/// together as one, and takes many of equal size as one.
/// `room`: bytes of datagrams that may wait (what the system's limit allows without CAP_NET_ADMIN).
int swpcap_udp_open(int family, uint16_t port, uint32_t room);

/// A socket for one other end, whose words alone it hears; it does not wait. `scope`: of a link-local address, else 0.
int swpcap_udp_connect(int family, const uint8_t address[16], uint32_t scope, uint16_t port);

struct swpcap_udp_batch;
/// NULL without memory.
struct swpcap_udp_batch *swpcap_udp_batch_new(uint32_t count);
void swpcap_udp_batch_free(struct swpcap_udp_batch *batch);
/// Where what is received as number `index` is to be put.
void swpcap_udp_batch_place(struct swpcap_udp_batch *batch, uint32_t index, void *bytes, size_t size);

/// What is told beside received bytes.
struct swpcap_udp_info {
  uint8_t source[16];
  uint8_t destination[16];
  uint32_t length;
  uint32_t segment;    // bytes of each datagram but the last; `length` when there is one
  uint32_t interface;  // index
  uint16_t port;       // of the source
  uint8_t traffic_class;
  uint8_t is_cut;  // longer than its place
};
/// Receives into the first `count` places: how many came, 0 when none waits. *dropped: as swpcap_raw_batch_receive.
int swpcap_udp_batch_receive(int fd, struct swpcap_udp_batch *batch, uint32_t count, uint32_t *dropped);
void swpcap_udp_batch_info(const struct swpcap_udp_batch *batch, uint32_t index, int family, struct swpcap_udp_info *info);

/// How datagrams go out.
struct swpcap_udp_way {
  uint8_t source[16];
  uint8_t destination[16];
  uint16_t port;  // of the destination
  uint8_t traffic_class;
  uint8_t hops;
};
/// Sends `count` datagrams of `segment` bytes, of which only the last may be shorter; at most 64, and 65000 bytes in all.
/// The system computes their checksums.
int swpcap_udp_send(int fd, int family, const struct swpcap_udp_way *way, const struct iovec *parts, uint32_t count, uint16_t segment);
