// rtnetlink's routes: see swpcap_route.h.
#include "include/swpcap_route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/swpcap_link.h"

_Static_assert(sizeof(struct swpcap_route) == 28, "route layout");

int swpcap_route_open(void) { return swpcap_link_open(0); }

static void append(struct nlmsghdr *header, unsigned short type, const void *data, unsigned short size) {
  struct rtattr *a = (struct rtattr *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  a->rta_type = type;
  a->rta_len = (unsigned short)RTA_LENGTH(size);
  memcpy(RTA_DATA(a), data, size);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(a->rta_len);
}

static void read_metrics(struct rtattr *metrics, struct swpcap_route *route) {
  int left = (int)RTA_PAYLOAD(metrics);
  for (const struct rtattr *a = RTA_DATA(metrics); RTA_OK(a, left); a = RTA_NEXT(a, left))
    if (a->rta_type == RTAX_MTU && RTA_PAYLOAD(a) >= 4) memcpy(&route->mtu, RTA_DATA(a), 4);
}

static void read_route(const struct nlmsghdr *header, struct swpcap_route *route) {
  const struct rtmsg *message = NLMSG_DATA(header);
  route->is_local = message->rtm_type == RTN_LOCAL;
  int left = (int)RTM_PAYLOAD(header);
  for (struct rtattr *a = RTM_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    switch (a->rta_type) {
    case RTA_OIF:
      if (RTA_PAYLOAD(a) >= 4) memcpy(&route->interface, RTA_DATA(a), 4);
      break;
    case RTA_METRICS: read_metrics(a, route); break;
    default: break;
    }
  }
}

/// Name, state and, where the route told none, MTU of the interface. Any socket knows.
static void read_interface(int fd, struct swpcap_route *route) {
  struct ifreq request = {.ifr_ifindex = (int)route->interface};
  if (ioctl(fd, SIOCGIFNAME, &request) != 0) return;
  _Static_assert(sizeof request.ifr_name == sizeof route->name, "a name's length");
  memcpy(route->name, request.ifr_name, sizeof route->name);
  if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) route->is_up = (request.ifr_flags & IFF_UP) != 0;
  if (route->mtu == 0 && ioctl(fd, SIOCGIFMTU, &request) == 0) route->mtu = (uint32_t)request.ifr_mtu;
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// The answer to a question: 1 when it came, 0 to go on waiting, a negative errno.
static int read_answer(const char *buffer, ssize_t size, uint32_t sequence, struct swpcap_route *route) {
  int left = (int)size;
  for (const struct nlmsghdr *h = (const struct nlmsghdr *)buffer; NLMSG_OK(h, (uint32_t)left); h = NLMSG_NEXT(h, left)) {
    // An older question may have been given up.
    if (h->nlmsg_seq != sequence) continue;
    if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
      const struct nlmsgerr *error = NLMSG_DATA(h);
      return error->error != 0 ? error->error : 0;
    }
    if (h->nlmsg_type == RTM_NEWROUTE && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg))) {
      read_route(h, route);
      return 1;
    }
  }
  return 0;
}

int swpcap_route_get(int fd, uint32_t sequence, int family, const void *destination, const void *source,
                     uint32_t link, struct swpcap_route *route) {
  struct {
    struct nlmsghdr header;
    struct rtmsg message;
    char attributes[64];
  } request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                 .nlmsg_type = RTM_GETROUTE,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = sequence},
      .message = {.rtm_family = (unsigned char)family},
  };
  unsigned short size = family == AF_INET ? 4 : 16;
  request.message.rtm_dst_len = (unsigned char)(size * 8);
  append(&request.header, RTA_DST, destination, size);
  if (source != NULL) {
    request.message.rtm_src_len = (unsigned char)(size * 8);
    append(&request.header, RTA_SRC, source, size);
  }
  if (link != 0) append(&request.header, RTA_OIF, &link, sizeof link);
  memset(route, 0, sizeof *route);
  if (send(fd, &request, request.header.nlmsg_len, 0) < 0) return -errno;
  int64_t end = milliseconds() + 1000;
  for (;;) {
    int64_t left = end - milliseconds();
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    int ready = poll(&waiting, 1, left > 0 ? (int)left : 0);
    if (ready < 0 && errno != EINTR) return -errno;
    if (ready == 0) return -ETIMEDOUT;
    if (ready < 0) continue;
    _Alignas(struct nlmsghdr) char buffer[8192];
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno != EINTR && errno != EAGAIN) return -errno;
    int answer = got < 0 ? 0 : read_answer(buffer, got, sequence, route);
    if (answer < 0) return answer;
    if (answer == 0) continue;
    if (route->interface != 0) read_interface(fd, route);
    return 0;
  }
}

int swpcap_route_listen(uint32_t room) {
  int fd = swpcap_link_open(1);
  if (fd < 0) return fd;
  static const int groups[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                               RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,   RTNLGRP_NEXTHOP};
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
    int result = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]);
    // Kernels before 5.3 have no next hops to tell of.
    if (result != 0 && groups[i] != RTNLGRP_NEXTHOP) {
      int saved = errno;
      close(fd);
      return -saved;
    }
  }
  int size = (int)room;
  if (room != 0) (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

int swpcap_route_mark(int fd, uint32_t number) {
  // The kernel does nothing with it but acknowledge it, in the order of the socket's queue.
  struct nlmsghdr request = {.nlmsg_len = sizeof request,
                             .nlmsg_type = NLMSG_NOOP,
                             .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                             .nlmsg_seq = number};
  return send(fd, &request, sizeof request, 0) < 0 ? -errno : 0;
}

int swpcap_route_hear(int fd, uint32_t *number) {
  _Alignas(struct nlmsghdr) char buffer[32768];
  struct sockaddr_nl from = {0};
  socklen_t length = sizeof from;
  ssize_t size = recvfrom(fd, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
  if (size < 0) {
    if (errno == ENOBUFS) return SWPCAP_ROUTE_LOST;
    return errno == EINTR || errno == EAGAIN ? 0 : -errno;
  }
  // Other processes may write here, too.
  if (from.nl_pid != 0) return 0;
  int result = 0;
  int left = (int)size;
  for (const struct nlmsghdr *h = (const struct nlmsghdr *)buffer; NLMSG_OK(h, (uint32_t)left); h = NLMSG_NEXT(h, left)) {
    if (h->nlmsg_type == NLMSG_ERROR) {
      result |= SWPCAP_ROUTE_MARK;
      *number = h->nlmsg_seq;
    } else if (h->nlmsg_type >= RTM_BASE) {
      result |= SWPCAP_ROUTE_CHANGED;
    }
  }
  return result;
}
