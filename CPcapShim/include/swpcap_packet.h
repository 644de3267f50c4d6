// AF_PACKET: sockets, TPACKET_V3 rings, and recvmmsg for kernels without rings.
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not. Nothing here retries,
// prints or keeps state; a ring belongs to one reading thread.
#pragma once
#include <linux/if_packet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "swpcap_pcap.h"

#define SWPCAP_PACKET_OUTGOING 4
/// Bytes kept free in front of each frame, so that a stripped VLAN tag can be put back in place.
#define SWPCAP_HEADROOM 4

/// A packet socket with protocol 0: it receives nothing until it is bound. `cooked` asks for frames without a link header.
int swpcap_packet_socket(int cooked);

/// A mapped TPACKET_V3 ring.
struct swpcap_ring {
  uint64_t map;
  uint64_t map_length;
  uint32_t block_size;
  uint32_t block_count;
};

/// Version, head-room and ring, then the mapping; the socket must not be bound yet. -ENOMEM after shrinking did not help.
/// `block_count` may come back smaller than asked.
int swpcap_ring_open(int fd, uint32_t block_size, uint32_t block_count, uint32_t retire_ms, struct swpcap_ring *ring);
int swpcap_ring_close(int fd, struct swpcap_ring *ring);

/// While this socket is open, the kernel stamps packets before it shows them to any socket, so all see the same stamp;
/// it begins a moment later. Close it with close(2).
int swpcap_stamper_open(void);
/// Whether the last frame of a block has such a stamp; -1 when there is none.
int swpcap_block_stamped(uint64_t block);
/// A copy of a block's frames, to be read as the block is; 0 without memory. Freed with swpcap_block_free().
uint64_t swpcap_block_copy(uint64_t block);
void swpcap_block_free(uint64_t copy);
/// Empties the frames of a block that are not on one side of a stamp (ns): `keeps_older` keeps those before it, else the
/// others are kept. The readers of frames pass over empty ones. Returns how many were emptied; `latest` grows to the
/// greatest stamp of the block.
uint32_t swpcap_block_seam(uint64_t block, uint64_t stamp, int keeps_older, uint64_t *latest);

/// Binds to an interface (0: all) with every protocol. ENETDOWN is no failure: it stays in SO_ERROR until read.
int swpcap_packet_bind(int fd, int ifindex);
/// From its return on the socket receives nothing; nor is a frame on its way into it.
int swpcap_packet_unbind(int fd);
int swpcap_packet_ignore_outgoing(int fd, int on);
int swpcap_packet_promiscuous(int fd, int ifindex, int on);
int swpcap_packet_filter(int fd, const struct swpcap_insn *insns, uint16_t count);
int swpcap_packet_unfilter(int fd);
/// Waits until no frame is judged by a filter that was replaced before the call; some ms.
void swpcap_packet_settle_filters(void);
/// Bytes that a filter may have in the kernel's form (net.core.optmem_max); what old kernels grant when that is not known.
long swpcap_filter_memory(void);
/// Reads and clears SO_ERROR; the error as a positive number.
int swpcap_socket_error(int fd);

/// Sends one frame by an interface; `protocol` is its Ethernet type in host order.
int swpcap_packet_send(int fd, int ifindex, uint16_t protocol, const void *frame, size_t length);

/// What an interface takes of frames that leave by it.
struct swpcap_output {
  uint32_t mtu;
  uint8_t is_up;
  uint8_t address[6];
  uint8_t is_loopback;
};
/// Asks for it through any socket. -ENODEV when the interface is gone.
int swpcap_output_state(int fd, int ifindex, struct swpcap_output *output);

struct swpcap_packet_statistics {
  uint32_t packets;  // includes drops
  uint32_t drops;
  uint32_t freezes;
};
/// The kernel's counters since the last call (reading clears them). `ring`: the socket has a V3 ring.
int swpcap_packet_count(int fd, int ring, struct swpcap_packet_statistics *statistics);

#define SWPCAP_READY_SOCKET 1
#define SWPCAP_READY_WAKE 2
#define SWPCAP_READY_ERROR 4
/// Waits for a socket and a wake-up descriptor (-1: none): a set of the bits above, 0 after the time-out (-1: none).
int swpcap_wait(int fd, int wake, int timeout_ms);
/// The same for two sockets; `other` may be -1.
int swpcap_wait_both(int fd, int other, int wake, int timeout_ms);

/// One frame as the kernel handed it over.
struct swpcap_frame {
  uint64_t data;  // address of the first byte
  uint32_t caplen;
  uint32_t len;
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t ifindex;
  uint32_t next;  // distance to the next frame of the block
  uint64_t address;  // link-layer address, as many bytes as address_length says
  uint16_t protocol;  // host order
  uint16_t hatype;
  uint16_t vlan_tag;
  uint8_t vlan_present;
  uint8_t packet_type;
  uint8_t address_length;
  uint8_t reserved[7];
};

/// The status word of a block: TP_STATUS_USER set means that it is ours, with everything in it.
static inline uint32_t swpcap_block_status(uint64_t block) {
  struct tpacket_block_desc *desc = (struct tpacket_block_desc *)(uintptr_t)block;
  return __atomic_load_n(&desc->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

static inline void swpcap_block_release(uint64_t block) {
  struct tpacket_block_desc *desc = (struct tpacket_block_desc *)(uintptr_t)block;
  __atomic_store_n(&desc->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

static inline uint32_t swpcap_block_frames(uint64_t block) {
  return ((struct tpacket_block_desc *)(uintptr_t)block)->hdr.bh1.num_pkts;
}

static inline uint32_t swpcap_block_length(uint64_t block) {
  return ((struct tpacket_block_desc *)(uintptr_t)block)->hdr.bh1.blk_len;
}

static inline uint64_t swpcap_block_first(uint64_t block) {
  return block + ((struct tpacket_block_desc *)(uintptr_t)block)->hdr.bh1.offset_to_first_pkt;
}

/// Puts a stripped VLAN tag back, in the head-room before the frame.
static inline void swpcap_frame_put_tag(struct swpcap_frame *frame, uint16_t tpid, uint16_t tag) {
  uint8_t *data = (uint8_t *)(uintptr_t)frame->data;
  uint8_t *moved = data - 4;
  memmove(moved, data, 12);
  moved[12] = (uint8_t)(tpid >> 8);
  moved[13] = (uint8_t)tpid;
  moved[14] = (uint8_t)(tag >> 8);
  moved[15] = (uint8_t)tag;
  frame->data -= 4;
  frame->caplen += 4;
  frame->len += 4;
}

static inline int swpcap_is_ethernet(uint16_t hatype) { return hatype == 1 || hatype == 772; }

/// Decodes the frame at `address` of a block and puts a stripped VLAN tag back.
static inline void swpcap_frame_read(uint64_t address, struct swpcap_frame *frame) {
  const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)(uintptr_t)address;
  const struct sockaddr_ll *from =
      (const struct sockaddr_ll *)(uintptr_t)(address + TPACKET_ALIGN(sizeof(struct tpacket3_hdr)));
  frame->data = address + header->tp_mac;
  frame->caplen = header->tp_snaplen;
  frame->len = header->tp_len;
  frame->seconds = header->tp_sec;
  frame->nanoseconds = header->tp_nsec;
  frame->ifindex = (uint32_t)from->sll_ifindex;
  frame->next = header->tp_next_offset;
  memcpy(&frame->address, from->sll_addr, sizeof frame->address);
  frame->protocol = __builtin_bswap16(from->sll_protocol);
  frame->hatype = from->sll_hatype;
  frame->vlan_tag = (uint16_t)header->hv1.tp_vlan_tci;
  frame->vlan_present = (header->tp_status & TP_STATUS_VLAN_VALID) != 0 || header->hv1.tp_vlan_tci != 0;
  frame->packet_type = from->sll_pkttype;
  frame->address_length = from->sll_halen;
  if (__builtin_expect(frame->vlan_present, 0) && swpcap_is_ethernet(frame->hatype) && frame->caplen >= 12)
    swpcap_frame_put_tag(frame, (header->tp_status & TP_STATUS_VLAN_TPID_VALID) ? header->hv1.tp_vlan_tpid : 0x8100,
                         frame->vlan_tag);
}

/// Copies a frame. Short ones inline, in steps of 32 bytes that may overlap at the end: a call costs more than they do.
static inline void swpcap_copy(void *to, uint64_t from, uint32_t length) {
  uint8_t *target = (uint8_t *)to;
  const uint8_t *source = (const uint8_t *)(uintptr_t)from;
  if (length < 32 || length > 256) {
    memcpy(target, source, length);
    return;
  }
  for (uint32_t done = 0; done < length - 32; done += 32) __builtin_memcpy(target + done, source + done, 32);
  __builtin_memcpy(target + length - 32, source + length - 32, 32);
}

/// Buffers for recvmmsg, for kernels without rings.
struct swpcap_batch;
struct swpcap_batch *swpcap_batch_new(uint32_t frames, uint32_t frame_size);
void swpcap_batch_free(struct swpcap_batch *batch);
/// Asks the kernel for stamps and tags with each message; returns 0 or a negative errno.
int swpcap_batch_prepare(int fd);
/// Receives what is there, without waiting: the number of frames, 0 when none, a negative errno.
int swpcap_batch_receive(int fd, struct swpcap_batch *batch);
/// Frame `index` of the last receive, its VLAN tag put back.
void swpcap_batch_frame(struct swpcap_batch *batch, uint32_t index, struct swpcap_frame *frame);
