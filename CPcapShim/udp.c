// UDP sockets of NAT traversal: see swpcap_udp.h.
#include "include/swpcap_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Newer than some headers.
#define OPTION_UDP_SEGMENT 103
#define OPTION_UDP_GRO 104
#define LEVEL_UDP 17

// Packet information, traffic class, lost packets, size of datagrams.
#define CONTROL_ROOM 192

union address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

struct swpcap_udp_batch {
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

int swpcap_udp_open(int family, uint16_t port, uint32_t room) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int on = 1, size = (int)room, never = IP_PMTUDISC_DONT;
  int told;
  if (family == AF_INET6) {
    told = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (told == 0) told = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    if (told == 0) told = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    if (told == 0) told = setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never, sizeof never);
  } else {
    told = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    if (told == 0) told = setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    if (told == 0) told = setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never);
  }
  if (told != 0) return refuse(fd);
  (void)setsockopt(fd, LEVEL_UDP, OPTION_UDP_GRO, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  union address address;
  memset(&address, 0, sizeof address);
  address.any.sa_family = (sa_family_t)family;
  if (family == AF_INET6)
    address.six.sin6_port = htons(port);
  else
    address.four.sin_port = htons(port);
  if (bind(fd, &address.any, family == AF_INET6 ? sizeof address.six : sizeof address.four) != 0) return refuse(fd);
  return fd;
}

int swpcap_udp_connect(int family, const uint8_t address[16], uint32_t scope, uint16_t port) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  union address to;
  memset(&to, 0, sizeof to);
  to.any.sa_family = (sa_family_t)family;
  if (family == AF_INET6) {
    to.six.sin6_port = htons(port);
    to.six.sin6_scope_id = scope;
    memcpy(&to.six.sin6_addr, address, 16);
  } else {
    to.four.sin_port = htons(port);
    memcpy(&to.four.sin_addr, address, 4);
  }
  if (connect(fd, &to.any, family == AF_INET6 ? sizeof to.six : sizeof to.four) != 0) return refuse(fd);
  return fd;
}

struct swpcap_udp_batch *swpcap_udp_batch_new(uint32_t count) {
  struct swpcap_udp_batch *batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->count = count;
  batch->messages = calloc(count, sizeof *batch->messages);
  batch->places = calloc(count, sizeof *batch->places);
  batch->addresses = calloc(count, sizeof *batch->addresses);
  batch->controls = calloc(count, sizeof *batch->controls);
  if (batch->messages == NULL || batch->places == NULL || batch->addresses == NULL || batch->controls == NULL) {
    swpcap_udp_batch_free(batch);
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    batch->messages[i].msg_hdr.msg_iov = &batch->places[i];
    batch->messages[i].msg_hdr.msg_iovlen = 1;
    batch->messages[i].msg_hdr.msg_name = &batch->addresses[i];
  }
  return batch;
}

void swpcap_udp_batch_free(struct swpcap_udp_batch *batch) {
  if (batch == NULL) return;
  free(batch->messages);
  free(batch->places);
  free(batch->addresses);
  free(batch->controls);
  free(batch);
}

void swpcap_udp_batch_place(struct swpcap_udp_batch *batch, uint32_t index, void *bytes, size_t size) {
  batch->places[index] = (struct iovec){.iov_base = bytes, .iov_len = size};
}

int swpcap_udp_batch_receive(int fd, struct swpcap_udp_batch *batch, uint32_t count, uint32_t *dropped) {
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

static void read_control(const struct cmsghdr *c, struct swpcap_udp_info *info) {
  int value;
  if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
    struct in_pktinfo packet;
    memcpy(&packet, CMSG_DATA(c), sizeof packet);
    info->interface = (uint32_t)packet.ipi_ifindex;
    memcpy(info->destination, &packet.ipi_addr, 4);
  } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
    info->traffic_class = *(const uint8_t *)CMSG_DATA(c);
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
    struct in6_pktinfo packet;
    memcpy(&packet, CMSG_DATA(c), sizeof packet);
    info->interface = packet.ipi6_ifindex;
    memcpy(info->destination, &packet.ipi6_addr, 16);
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
    memcpy(&value, CMSG_DATA(c), sizeof value);
    info->traffic_class = (uint8_t)value;
  } else if (c->cmsg_level == LEVEL_UDP && c->cmsg_type == OPTION_UDP_GRO) {
    memcpy(&value, CMSG_DATA(c), sizeof value);
    if (value > 0) info->segment = (uint32_t)value;
  }
}

void swpcap_udp_batch_info(const struct swpcap_udp_batch *batch, uint32_t index, int family, struct swpcap_udp_info *info) {
  struct msghdr *message = &batch->messages[index].msg_hdr;
  memset(info, 0, sizeof *info);
  info->length = batch->messages[index].msg_len;
  info->is_cut = (message->msg_flags & MSG_TRUNC) != 0;
  if (family == AF_INET) {
    memcpy(info->source, &batch->addresses[index].four.sin_addr, 4);
    info->port = ntohs(batch->addresses[index].four.sin_port);
  } else {
    memcpy(info->source, &batch->addresses[index].six.sin6_addr, 16);
    info->port = ntohs(batch->addresses[index].six.sin6_port);
  }
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) read_control(c, info);
  if (info->segment == 0 || info->segment > info->length) info->segment = info->length;
}

static struct cmsghdr *put(struct msghdr *message, struct cmsghdr *c, int level, int type, const void *data, size_t size) {
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(c), data, size);
  message->msg_controllen += CMSG_SPACE(size);
  return (struct cmsghdr *)((char *)c + CMSG_SPACE(size));
}

int swpcap_udp_send(int fd, int family, const struct swpcap_udp_way *way, const struct iovec *parts, uint32_t count, uint16_t segment) {
  union address to;
  memset(&to, 0, sizeof to);
  to.any.sa_family = (sa_family_t)family;
  _Alignas(struct cmsghdr) char control[CONTROL_ROOM];
  memset(control, 0, sizeof control);
  struct msghdr message = {
    .msg_name = &to,
    .msg_namelen = family == AF_INET ? sizeof to.four : sizeof to.six,
    .msg_iov = (struct iovec *)parts,
    .msg_iovlen = count,
    .msg_control = control,
  };
  struct cmsghdr *c = (struct cmsghdr *)control;
  int class = way->traffic_class, hops = way->hops;
  if (family == AF_INET) {
    to.four.sin_port = htons(way->port);
    memcpy(&to.four.sin_addr, way->destination, 4);
    struct in_pktinfo packet = {0};
    memcpy(&packet.ipi_spec_dst, way->source, 4);
    c = put(&message, c, IPPROTO_IP, IP_PKTINFO, &packet, sizeof packet);
    c = put(&message, c, IPPROTO_IP, IP_TOS, &class, sizeof class);
    c = put(&message, c, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
  } else {
    to.six.sin6_port = htons(way->port);
    memcpy(&to.six.sin6_addr, way->destination, 16);
    struct in6_pktinfo packet = {0};
    memcpy(&packet.ipi6_addr, way->source, 16);
    c = put(&message, c, IPPROTO_IPV6, IPV6_PKTINFO, &packet, sizeof packet);
    c = put(&message, c, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    c = put(&message, c, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
  }
  if (count > 1) c = put(&message, c, LEVEL_UDP, OPTION_UDP_SEGMENT, &segment, sizeof segment);
  (void)c;
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : 0;
}
