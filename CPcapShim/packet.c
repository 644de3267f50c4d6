// Packet sockets: see swpcap_packet.h.
#include "include/swpcap_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct swpcap_insn) == sizeof(struct sock_filter), "instruction layout");
_Static_assert(sizeof(struct swpcap_frame) == 56, "frame layout");

int swpcap_packet_socket(int cooked) {
  int fd = socket(AF_PACKET, (cooked ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

static int option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int swpcap_ring_open(int fd, uint32_t block_size, uint32_t block_count, uint32_t retire_ms, struct swpcap_ring *ring) {
  int result = option(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
  if (result == 0) result = option(fd, SOL_PACKET, PACKET_RESERVE, SWPCAP_HEADROOM);
  if (result < 0) return result;
  for (;;) {
    struct tpacket_req3 request = {
        .tp_block_size = block_size,
        .tp_block_nr = block_count,
        .tp_frame_size = 2048,
        .tp_frame_nr = block_size / 2048 * block_count,
        .tp_retire_blk_tov = retire_ms,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0) break;
    if (errno != ENOMEM || block_count <= 2) return -errno;
    block_count -= block_count / 8 + 1;
  }
  size_t length = (size_t)block_size * block_count;
  void *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    int saved = errno;
    struct tpacket_req3 none = {0};
    (void)setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none);
    return -saved;
  }
  ring->map = (uint64_t)(uintptr_t)map;
  ring->map_length = length;
  ring->block_size = block_size;
  ring->block_count = block_count;
  return 0;
}

int swpcap_ring_close(int fd, struct swpcap_ring *ring) {
  if (ring->map == 0) return 0;
  munmap((void *)(uintptr_t)ring->map, ring->map_length);
  memset(ring, 0, sizeof *ring);
  struct tpacket_req3 none = {0};
  return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none) == 0 ? 0 : -errno;
}

int swpcap_stamper_open(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int result = option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (result == 0) return fd;
  close(fd);
  return result;
}

static uint64_t stamp_of(const struct tpacket3_hdr *header) {
  return header->tp_sec * UINT64_C(1000000000) + header->tp_nsec;
}

uint32_t swpcap_block_seam(uint64_t block, uint64_t stamp, int keeps_older, uint64_t *latest) {
  uint32_t skipped = 0;
  uint64_t at = swpcap_block_first(block);
  for (uint32_t left = swpcap_block_frames(block); left; left--) {
    struct tpacket3_hdr *header = (struct tpacket3_hdr *)(uintptr_t)at;
    uint64_t own = stamp_of(header);
    if (own > *latest) *latest = own;
    if ((own < stamp) != (keeps_older != 0)) {
      header->tp_len = header->tp_snaplen = 0;
      skipped++;
    }
    at += header->tp_next_offset;
  }
  return skipped;
}

uint64_t swpcap_block_copy(uint64_t block) {
  // From the header on, so that distances within it stay right.
  size_t length = ((struct tpacket_block_desc *)(uintptr_t)block)->hdr.bh1.blk_len;
  void *copy = malloc(length);
  if (copy != NULL) memcpy(copy, (void *)(uintptr_t)block, length);
  return (uint64_t)(uintptr_t)copy;
}

void swpcap_block_free(uint64_t copy) { free((void *)(uintptr_t)copy); }

int swpcap_block_stamped(uint64_t block) {
  int stamped = -1;
  uint64_t at = swpcap_block_first(block);
  for (uint32_t left = swpcap_block_frames(block); left; left--) {
    const struct tpacket3_hdr *header = (const struct tpacket3_hdr *)(uintptr_t)at;
    stamped = (header->tp_status & TP_STATUS_TS_SOFTWARE) != 0;
    at += header->tp_next_offset;
  }
  return stamped;
}

static int bind_to(int fd, int ifindex, int protocol) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = ifindex};
  return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
}

int swpcap_packet_bind(int fd, int ifindex) { return bind_to(fd, ifindex, ETH_P_ALL); }

// Protocol 0 would keep the one it has, and listen to all interfaces: bound to a reserved one, nothing is for it.
int swpcap_packet_unbind(int fd) { return bind_to(fd, 0, 0xffff); }

int swpcap_packet_send(int fd, int ifindex, uint16_t protocol, const void *frame, size_t length) {
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex, .sll_halen = 6};
  if (length >= 6) memcpy(address.sll_addr, frame, 6);
  return sendto(fd, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
}

int swpcap_output_state(int fd, int ifindex, struct swpcap_output *output) {
  struct ifreq request = {.ifr_ifindex = ifindex};
  if (ioctl(fd, SIOCGIFNAME, &request) < 0) return -errno;
  struct ifreq one = request;
  if (ioctl(fd, SIOCGIFMTU, &one) < 0) return -errno;
  output->mtu = (uint32_t)one.ifr_mtu;
  one = request;
  if (ioctl(fd, SIOCGIFFLAGS, &one) < 0) return -errno;
  output->is_up = (one.ifr_flags & IFF_UP) != 0;
  output->is_loopback = (one.ifr_flags & IFF_LOOPBACK) != 0;
  one = request;
  if (ioctl(fd, SIOCGIFHWADDR, &one) < 0) return -errno;
  memcpy(output->address, one.ifr_hwaddr.sa_data, sizeof output->address);
  return 0;
}

int swpcap_packet_ignore_outgoing(int fd, int on) { return option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, on); }

int swpcap_packet_promiscuous(int fd, int ifindex, int on) {
  struct packet_mreq request = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
  int name = on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  return setsockopt(fd, SOL_PACKET, name, &request, sizeof request) == 0 ? 0 : -errno;
}

int swpcap_packet_filter(int fd, const struct swpcap_insn *insns, uint16_t count) {
  struct sock_fprog program = {.len = count, .filter = (struct sock_filter *)(uintptr_t)insns};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
}

int swpcap_packet_unfilter(int fd) {
  int result = option(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
  return result == -ENOENT ? 0 : result;
}

void swpcap_packet_settle_filters(void) {
  // A grace period of RCU: the kernel runs filters inside a read side of it. Where that is refused we go on as if it were over.
  (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

long swpcap_filter_memory(void) {
  long value = 20480;
  FILE *file = fopen("/proc/sys/net/core/optmem_max", "re");
  if (file == NULL) return value;
  if (fscanf(file, "%ld", &value) != 1) value = 20480;
  fclose(file);
  return value;
}

int swpcap_socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

int swpcap_packet_count(int fd, int ring, struct swpcap_packet_statistics *statistics) {
  struct tpacket_stats_v3 value = {0};
  socklen_t length = ring ? sizeof(struct tpacket_stats_v3) : sizeof(struct tpacket_stats);
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &value, &length) != 0) return -errno;
  statistics->packets = value.tp_packets;
  statistics->drops = value.tp_drops;
  statistics->freezes = ring ? value.tp_freeze_q_cnt : 0;
  return 0;
}

int swpcap_wait(int fd, int wake, int timeout_ms) { return swpcap_wait_both(fd, -1, wake, timeout_ms); }

int swpcap_wait_both(int fd, int other, int wake, int timeout_ms) {
  // poll(2) passes over negative descriptors.
  struct pollfd set[3] = {
      {.fd = fd, .events = POLLIN}, {.fd = wake, .events = POLLIN}, {.fd = other, .events = POLLIN}};
  if (poll(set, other >= 0 ? 3 : wake >= 0 ? 2 : 1, timeout_ms) < 0) return errno == EINTR ? 0 : -errno;
  int ready = 0;
  if ((set[0].revents | set[2].revents) & POLLIN) ready |= SWPCAP_READY_SOCKET;
  if ((set[0].revents | set[2].revents) & (POLLERR | POLLHUP | POLLNVAL)) ready |= SWPCAP_READY_ERROR;
  if (set[1].revents != 0) ready |= SWPCAP_READY_WAKE;
  return ready;
}

// recvmmsg

#define CONTROL_SIZE (CMSG_SPACE(sizeof(struct tpacket_auxdata)) + CMSG_SPACE(sizeof(struct timespec)))

struct swpcap_batch {
  uint32_t frames;
  uint32_t frame_size;
  struct mmsghdr *messages;
  struct iovec *vectors;
  struct sockaddr_ll *senders;
  uint8_t *control;
  uint8_t *data;
  size_t data_length;
};

struct swpcap_batch *swpcap_batch_new(uint32_t frames, uint32_t frame_size) {
  struct swpcap_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->frames = frames;
  batch->frame_size = frame_size + 64;
  batch->messages = calloc(frames, sizeof *batch->messages);
  batch->vectors = calloc(frames, sizeof *batch->vectors);
  batch->senders = calloc(frames, sizeof *batch->senders);
  batch->control = calloc(frames, CONTROL_SIZE);
  batch->data_length = (size_t)frames * batch->frame_size;
  batch->data =
      mmap(NULL, batch->data_length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (batch->data == MAP_FAILED) batch->data = NULL;
  if (!batch->messages || !batch->vectors || !batch->senders || !batch->control || !batch->data) {
    swpcap_batch_free(batch);
    return NULL;
  }
  for (uint32_t i = 0; i < frames; i++) {
    batch->vectors[i].iov_base = batch->data + (size_t)i * batch->frame_size + 64;
    batch->vectors[i].iov_len = frame_size;
  }
  return batch;
}

void swpcap_batch_free(struct swpcap_batch *batch) {
  if (batch == NULL) return;
  if (batch->data != NULL) munmap(batch->data, batch->data_length);
  free(batch->messages);
  free(batch->vectors);
  free(batch->senders);
  free(batch->control);
  free(batch);
}

int swpcap_batch_prepare(int fd) {
  int result = option(fd, SOL_PACKET, PACKET_AUXDATA, 1);
  if (result == 0) result = option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  (void)option(fd, SOL_SOCKET, SO_RCVBUF, 64 << 20);
  return result;
}

int swpcap_batch_receive(int fd, struct swpcap_batch *batch) {
  for (uint32_t i = 0; i < batch->frames; i++) {
    struct msghdr *message = &batch->messages[i].msg_hdr;
    message->msg_name = &batch->senders[i];
    message->msg_namelen = sizeof batch->senders[i];
    message->msg_iov = &batch->vectors[i];
    message->msg_iovlen = 1;
    message->msg_control = batch->control + (size_t)i * CONTROL_SIZE;
    message->msg_controllen = CONTROL_SIZE;
    message->msg_flags = 0;
  }
  int count = recvmmsg(fd, batch->messages, batch->frames, MSG_DONTWAIT | MSG_TRUNC, NULL);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

void swpcap_batch_frame(struct swpcap_batch *batch, uint32_t index, struct swpcap_frame *frame) {
  struct msghdr *message = &batch->messages[index].msg_hdr;
  const struct sockaddr_ll *from = &batch->senders[index];
  uint32_t len = batch->messages[index].msg_len;
  uint32_t room = (uint32_t)batch->vectors[index].iov_len;
  uint16_t tpid = 0x8100;
  memset(frame, 0, sizeof *frame);
  frame->data = (uint64_t)(uintptr_t)batch->vectors[index].iov_base;
  frame->len = len;
  frame->caplen = len < room ? len : room;
  frame->ifindex = (uint32_t)from->sll_ifindex;
  frame->protocol = ntohs(from->sll_protocol);
  frame->hatype = from->sll_hatype;
  frame->packet_type = from->sll_pkttype;
  frame->address_length = from->sll_halen;
  memcpy(&frame->address, from->sll_addr, sizeof frame->address);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
      struct tpacket_auxdata aux;
      memcpy(&aux, CMSG_DATA(c), sizeof aux);
      frame->vlan_tag = aux.tp_vlan_tci;
      frame->vlan_present = (aux.tp_status & TP_STATUS_VLAN_VALID) != 0 || aux.tp_vlan_tci != 0;
      if (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) tpid = aux.tp_vlan_tpid;
      frame->len = aux.tp_len;
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
      struct timespec stamp;
      memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
      frame->seconds = (uint32_t)stamp.tv_sec;
      frame->nanoseconds = (uint32_t)stamp.tv_nsec;
    }
  }
  if (frame->vlan_present && swpcap_is_ethernet(frame->hatype) && frame->caplen >= 12)
    swpcap_frame_put_tag(frame, tpid, frame->vlan_tag);
}
