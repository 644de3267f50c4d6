// Raw IP sockets, in batches: what tunnels receive and send on the outside.
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not. A batch belongs to one thread
// at a time. Addresses are in network order, an IPv4 address in the first four bytes.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// A socket that receives every packet of a protocol, reassembled, whichever tunnel it is for. It does not wait.
/// `room`: bytes of packets that may wait (what the system's limit allows without CAP_NET_ADMIN).
int swpcap_raw_open(int family, int protocol, uint32_t room);
/// A socket that sends packets with their IP headers, and receives nothing. It does not wait.
int swpcap_raw_sender(int family);

/// Lets an ICMPv6 socket receive errors only (types 1 to 4).
int swpcap_raw_errors_only(int fd);

struct swpcap_raw_batch;
/// NULL without memory.
struct swpcap_raw_batch *swpcap_raw_batch_new(uint32_t count);
void swpcap_raw_batch_free(struct swpcap_raw_batch *batch);
/// Where packet `index` is to be put, or lies.
void swpcap_raw_batch_place(struct swpcap_raw_batch *batch, uint32_t index, void *packet, size_t size);

/// What is told beside a received packet.
struct swpcap_raw_info {
  uint8_t source[16];
  uint8_t destination[16];
  uint32_t length;
  uint32_t interface;  // index
  uint8_t traffic_class;  // IPv6; an IPv4 packet begins with its header
  uint8_t is_cut;         // longer than its place
  uint8_t reserved[2];
};
/// Receives into the first `count` places: how many came, 0 when none waits. *dropped: packets that the socket had no room for,
/// since it was opened (32 bits, goes round); untouched when nobody says so.
int swpcap_raw_batch_receive(int fd, struct swpcap_raw_batch *batch, uint32_t count, uint32_t *dropped);
void swpcap_raw_batch_info(const struct swpcap_raw_batch *batch, uint32_t index, int family, struct swpcap_raw_info *info);

/// To whom packet `index` goes. `link` is the interface of a link-local address, 0 for others.
void swpcap_raw_batch_to(struct swpcap_raw_batch *batch, uint32_t index, int family, const void *destination, uint32_t link);
/// Sends the first `count` packets; one that fails keeps none of the others. `errors` gets 0 or a positive errno for each.
/// Returns how many went.
int swpcap_raw_batch_send(int fd, struct swpcap_raw_batch *batch, uint32_t count, int *errors);
