// Raw IP sockets: see swpcap_raw.h.
#include "include/swpcap_raw.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct swpcap_raw_info) == 44, "info layout");

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

// Packet information, traffic class and the number of drops.
#define CONTROL_ROOM 128

struct swpcap_raw_batch {
  uint32_t count;
  struct mmsghdr *messages;
  struct iovec *places;
  union address *addresses;
  char (*controls)[CONTROL_ROOM];
};

static int refuse(int fd) {
  int saved = errno;
  close(fd);
  return -saved;
}

int swpcap_raw_open(int family, int protocol, uint32_t room) {
  int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) return -errno;
  int on = 1, size = (int)room;
  int told = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)
                               : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) |
                                     setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
  if (told != 0) return refuse(fd);
  (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

int swpcap_raw_sender(int family) {
  int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (fd < 0) return -errno;
  int on = 1;
  if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof on) != 0) return refuse(fd);
  // Nobody reads it: nothing may pile up.
  struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
  struct sock_fprog program = {.len = 1, .filter = &none};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return refuse(fd);
  return fd;
}

int swpcap_raw_errors_only(int fd) {
  struct icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (int type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++) ICMP6_FILTER_SETPASS(type, &filter);
  return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0 ? 0 : -errno;
}

struct swpcap_raw_batch *swpcap_raw_batch_new(uint32_t count) {
  struct swpcap_raw_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->count = count;
  batch->messages = calloc(count, sizeof *batch->messages);
  batch->places = calloc(count, sizeof *batch->places);
  batch->addresses = calloc(count, sizeof *batch->addresses);
  batch->controls = calloc(count, sizeof *batch->controls);
  if (batch->messages == NULL || batch->places == NULL || batch->addresses == NULL || batch->controls == NULL) {
    swpcap_raw_batch_free(batch);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    batch->messages[i].msg_hdr.msg_iov = &batch->places[i];
    batch->messages[i].msg_hdr.msg_iovlen = 1;
    batch->messages[i].msg_hdr.msg_name = &batch->addresses[i];
  }
  return batch;
}

void swpcap_raw_batch_free(struct swpcap_raw_batch *batch) {
  if (batch == NULL) return;
  free(batch->messages);
  free(batch->places);
  free(batch->addresses);
  free(batch->controls);
  free(batch);
}

void swpcap_raw_batch_place(struct swpcap_raw_batch *batch, uint32_t index, void *packet, size_t size) {
  batch->places[index] = (struct iovec){.iov_base = packet, .iov_len = size};
}

int swpcap_raw_batch_receive(int fd, struct swpcap_raw_batch *batch, uint32_t count, uint32_t *dropped) {
  for (uint32_t i = 0; i < count; i++) {
    struct msghdr *message = &batch->messages[i].msg_hdr;
    message->msg_namelen = sizeof batch->addresses[i];
    message->msg_control = batch->controls[i];
    message->msg_controllen = CONTROL_ROOM;
    message->msg_flags = 0;
  }
  int got;
  do got = recvmmsg(fd, batch->messages, count, MSG_DONTWAIT, NULL);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN ? 0 : -errno;
  if (got == 0) return 0;
  struct msghdr *last = &batch->messages[got - 1].msg_hdr;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(last); c != NULL; c = CMSG_NXTHDR(last, c))
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) memcpy(dropped, CMSG_DATA(c), sizeof *dropped);
  return got;
}

static void read_control(const struct cmsghdr *c, struct swpcap_raw_info *info) {
  if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
    struct in_pktinfo packet;
    memcpy(&packet, CMSG_DATA(c), sizeof packet);
    info->interface = (uint32_t)packet.ipi_ifindex;
    memcpy(info->destination, &packet.ipi_addr, 4);
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
    struct in6_pktinfo packet;
    memcpy(&packet, CMSG_DATA(c), sizeof packet);
    info->interface = packet.ipi6_ifindex;
    memcpy(info->destination, &packet.ipi6_addr, 16);
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
    int value;
    memcpy(&value, CMSG_DATA(c), sizeof value);
    info->traffic_class = (uint8_t)value;
  }
}

void swpcap_raw_batch_info(const struct swpcap_raw_batch *batch, uint32_t index, int family, struct swpcap_raw_info *info) {
  struct msghdr *message = &batch->messages[index].msg_hdr;
  memset(info, 0, sizeof *info);
  info->length = batch->messages[index].msg_len;
  info->is_cut = (message->msg_flags & MSG_TRUNC) != 0;
  if (family == AF_INET)
    memcpy(info->source, &batch->addresses[index].four.sin_addr, 4);
  else
    memcpy(info->source, &batch->addresses[index].six.sin6_addr, 16);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) read_control(c, info);
}

void swpcap_raw_batch_to(struct swpcap_raw_batch *batch, uint32_t index, int family, const void *destination, uint32_t link) {
  union address *address = &batch->addresses[index];
  memset(address, 0, sizeof *address);
  address->any.sa_family = (sa_family_t)family;
  if (family == AF_INET)
    memcpy(&address->four.sin_addr, destination, 4);
  else
    memcpy(&address->six.sin6_addr, destination, 16);
  if (family == AF_INET6) address->six.sin6_scope_id = link;
  batch->messages[index].msg_hdr.msg_namelen = family == AF_INET ? sizeof address->four : sizeof address->six;
}

int swpcap_raw_batch_send(int fd, struct swpcap_raw_batch *batch, uint32_t count, int *errors) {
  int went = 0;
  for (uint32_t i = 0; i < count; i++) {
    batch->messages[i].msg_hdr.msg_control = NULL;
    batch->messages[i].msg_hdr.msg_controllen = 0;
    batch->messages[i].msg_hdr.msg_flags = 0;
    errors[i] = 0;
  }
  for (uint32_t i = 0; i < count;) {
    int sent = sendmmsg(fd, &batch->messages[i], count - i, MSG_DONTWAIT);
    if (sent > 0) {
      i += (uint32_t)sent;
      went += sent;
    } else if (sent == 0 || errno != EINTR) {
      // The first of the rest is what failed.
      errors[i++] = sent == 0 ? EIO : errno;
    }
  }
  return went;
}
