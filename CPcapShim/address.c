// rtnetlink's addresses: see swpcap_address.h.
#include "include/swpcap_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

_Static_assert(sizeof(struct swpcap_address) == 40, "address layout");

struct request {
  struct nlmsghdr header;
  struct ifaddrmsg message;
  char attributes[96];
};

static void append(struct nlmsghdr *header, unsigned short type, const void *data, unsigned short size) {
  struct rtattr *a = (struct rtattr *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  a->rta_type = type;
  a->rta_len = (unsigned short)RTA_LENGTH(size);
  memcpy(RTA_DATA(a), data, size);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/// One datagram, a second at most.
static ssize_t receive(int fd, void *buffer, size_t room) {
  for (;;) {
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int ready = poll(&waiting, 1, 1000);
    if (ready == 0) return -ETIMEDOUT;
    ssize_t got = ready < 0 ? -1 : recv(fd, buffer, room, MSG_DONTWAIT);
    if (got >= 0) return got;
    if (errno != EINTR && errno != EAGAIN) return -errno;
  }
}

int swpcap_address_change(int fd, uint32_t sequence, const struct swpcap_address *address, int is_added) {
  unsigned short size = address->family == AF_INET ? 4 : 16;
  struct request request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.message),
                 .nlmsg_type = is_added ? RTM_NEWADDR : RTM_DELADDR,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (is_added ? NLM_F_CREATE | NLM_F_REPLACE : 0),
                 .nlmsg_seq = sequence},
      .message = {.ifa_family = address->family, .ifa_prefixlen = address->prefix, .ifa_index = address->interface},
  };
  append(&request.header, IFA_LOCAL, address->local, size);
  append(&request.header, IFA_ADDRESS, address->has_peer ? address->peer : address->local, size);
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) return -errno;
  for (;;) {
    _Alignas(struct nlmsghdr) char buffer[4096];
    ssize_t got = receive(fd, buffer, sizeof buffer);
    if (got < 0) return (int)got;
    int left = (int)got;
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)buffer; NLMSG_OK(h, (uint32_t)left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_seq != sequence || h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        continue;
      return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
    }
  }
}

static void read_address(const struct nlmsghdr *header, struct swpcap_address *address, uint32_t *broadcast) {
  const struct ifaddrmsg *message = NLMSG_DATA(header);
  memset(address, 0, sizeof *address);
  address->interface = message->ifa_index;
  address->family = message->ifa_family;
  address->prefix = message->ifa_prefixlen;
  size_t size = message->ifa_family == AF_INET ? 4 : 16;
  int has_local = 0;
  int left = (int)IFA_PAYLOAD(header);
  for (const struct rtattr *a = IFA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (RTA_PAYLOAD(a) < size) continue;
    if (a->rta_type == IFA_LOCAL) {
      memcpy(address->local, RTA_DATA(a), size);
      has_local = 1;
    } else if (a->rta_type == IFA_ADDRESS) {
      memcpy(address->peer, RTA_DATA(a), size);
    } else if (a->rta_type == IFA_BROADCAST && size == 4) {
      uint32_t value;
      memcpy(&value, RTA_DATA(a), 4);
      *broadcast = ntohl(value);
    }
  }
  // IPv6 addresses without a peer come as IFA_ADDRESS alone.
  if (!has_local) memcpy(address->local, address->peer, size);
  address->has_peer = memcmp(address->local, address->peer, size) != 0;
  if (!address->has_peer) memset(address->peer, 0, sizeof address->peer);
}

/// Asks for all addresses; fills either list.
static int list(int fd, uint32_t sequence, int family, uint32_t interface, struct swpcap_address *addresses,
                uint32_t *broadcasts, int room) {
  struct request request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.message),
                 .nlmsg_type = RTM_GETADDR,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = sequence},
      .message = {.ifa_family = (unsigned char)family},
  };
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) return -errno;
  int count = 0;
  for (;;) {
    _Alignas(struct nlmsghdr) char buffer[32768];
    ssize_t got = receive(fd, buffer, sizeof buffer);
    if (got < 0) return (int)got;
    int left = (int)got;
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)buffer; NLMSG_OK(h, (uint32_t)left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_seq != sequence) continue;
      if (h->nlmsg_type == NLMSG_DONE) return count;
      if (h->nlmsg_type == NLMSG_ERROR) return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg))) continue;
      struct swpcap_address address;
      uint32_t broadcast = 0;
      read_address(h, &address, &broadcast);
      if (addresses != NULL && (interface == 0 || interface == address.interface)) {
        if (count < room) addresses[count] = address;
        count++;
      } else if (broadcasts != NULL && broadcast != 0) {
        if (count < room) broadcasts[count] = broadcast;
        count++;
      }
    }
  }
}

int swpcap_address_list(int fd, uint32_t sequence, uint32_t interface, struct swpcap_address *addresses, int room) {
  return list(fd, sequence, AF_UNSPEC, interface, addresses, NULL, room);
}

int swpcap_address_broadcasts(int fd, uint32_t sequence, uint32_t *addresses, int room) {
  return list(fd, sequence, AF_INET, 0, NULL, addresses, room);
}

uint32_t swpcap_interface_index(int fd, const char *name) {
  struct ifreq request = {0};
  if (strlen(name) >= sizeof request.ifr_name) return 0;
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  return ioctl(fd, SIOCGIFINDEX, &request) == 0 ? (uint32_t)request.ifr_ifindex : 0;
}

int swpcap_interface_state(int fd, const char *name, uint32_t *flags, uint32_t *mtu) {
  struct ifreq request = {0};
  if (strlen(name) >= sizeof request.ifr_name) return -ENODEV;
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -errno;
  *flags = (unsigned short)request.ifr_flags;
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) return -errno;
  *mtu = (uint32_t)request.ifr_mtu;
  return 0;
}

int swpcap_interface_permitted(int fd) {
  // The flags that it has, once more.
  struct ifreq request = {.ifr_name = "lo"};
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return -errno;
  return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}
