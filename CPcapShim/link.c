// rtnetlink: see swpcap_link.h.
#include "include/swpcap_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct swpcap_link) == 76, "link layout");

int swpcap_link_open(int listen) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  int size = 1 << 20;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = listen ? RTMGRP_LINK : 0};
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int saved = errno;
    close(fd);
    return -saved;
  }
  return fd;
}

int swpcap_link_list(int fd) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg message;
  } request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
      .message = {.ifi_family = AF_UNSPEC},
  };
  return send(fd, &request, sizeof request, 0) < 0 ? -errno : 0;
}

static void read_link(const struct nlmsghdr *header, struct swpcap_link *link) {
  const struct ifinfomsg *message = NLMSG_DATA(header);
  memset(link, 0, sizeof *link);
  link->event = header->nlmsg_type == RTM_NEWLINK ? SWPCAP_LINK_NEW : SWPCAP_LINK_GONE;
  link->index = (uint32_t)message->ifi_index;
  link->flags = message->ifi_flags;
  link->hatype = message->ifi_type;
  int left = (int)IFLA_PAYLOAD(header);
  for (const struct rtattr *a = IFLA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    size_t size = RTA_PAYLOAD(a);
    const void *data = RTA_DATA(a);
    switch (a->rta_type) {
    case IFLA_IFNAME:
      memcpy(link->name, data, size < sizeof link->name ? size : sizeof link->name - 1);
      break;
    case IFLA_MTU:
      if (size >= 4) memcpy(&link->mtu, data, 4);
      break;
    case IFLA_GSO_MAX_SIZE:
      if (size >= 4) memcpy(&link->gso_max_size, data, 4);
      break;
    case IFLA_GRO_MAX_SIZE:
      if (size >= 4) memcpy(&link->gro_max_size, data, 4);
      break;
    case IFLA_ADDRESS:
      link->address_length = (uint8_t)(size < sizeof link->address ? size : sizeof link->address);
      memcpy(link->address, data, link->address_length);
      break;
    default: break;
    }
  }
}

int swpcap_link_read(int fd, struct swpcap_link *links, int room) {
  _Alignas(struct nlmsghdr) char buffer[32768];
  ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size < 0) {
    if (errno == ENOBUFS && room > 0) {
      memset(links, 0, sizeof *links);
      links->event = SWPCAP_LINK_LOST;
      return 1;
    }
    return errno == EINTR || errno == EAGAIN ? 0 : -errno;
  }
  int count = 0;
  int left = (int)size;
  for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, (uint32_t)left) && count < room; h = NLMSG_NEXT(h, left)) {
    if (h->nlmsg_type == NLMSG_DONE) {
      memset(&links[count], 0, sizeof links[count]);
      links[count++].event = SWPCAP_LINK_DONE;
    } else if (h->nlmsg_type == NLMSG_ERROR) {
      const struct nlmsgerr *error = NLMSG_DATA(h);
      if (error->error != 0) return error->error;
    } else if (h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) {
      const struct ifinfomsg *message = NLMSG_DATA(h);
      // A bridge tells of its ports with the family AF_BRIDGE: a port that leaves is not an interface that went away.
      if (message->ifi_family != AF_UNSPEC) continue;
      read_link(h, &links[count++]);
    }
  }
  return count;
}

uint32_t swpcap_link_index(const char *name) { return if_nametoindex(name); }

uint32_t swpcap_link_netmask(const char *name) {
  struct ifreq request = {0};
  uint32_t mask = UINT32_MAX;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return mask;
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (ioctl(fd, SIOCGIFNETMASK, &request) == 0) {
    struct sockaddr_in address;
    memcpy(&address, &request.ifr_netmask, sizeof address);
    mask = ntohl(address.sin_addr.s_addr);
  }
  close(fd);
  return mask;
}
