// What `swbpf stress` needs of the system: see swpcap_stress.h.
#include "include/swpcap_stress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
  close(fd);
  return result;
}

int swpcap_unshare_private(void) {
  char users[64], groups[64];
  snprintf(users, sizeof users, "0 %u 1", geteuid());
  snprintf(groups, sizeof groups, "0 %u 1", getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return -errno;
  (void)write_file("/proc/self/setgroups", "deny");
  int result = write_file("/proc/self/uid_map", users);
  return result < 0 ? result : write_file("/proc/self/gid_map", groups);
}

/// A request being built, and its answer.
struct message {
  struct nlmsghdr header;
  struct ifinfomsg link;
  char rest[1024];
};

static struct rtattr *add(struct message *m, uint16_t type, const void *data, size_t size) {
  struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));
  a->rta_type = type;
  a->rta_len = (uint16_t)RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(a), data, size);
  m->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
  return a;
}

static void end(struct message *m, struct rtattr *a) {
  a->rta_len = (uint16_t)((char *)m + m->header.nlmsg_len - (char *)a);
}

/// Sends a request and reads the answer into `reply`: its size, or a negative errno.
static ssize_t ask(struct message *m, void *reply, size_t room) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  ssize_t size = send(fd, m, m->header.nlmsg_len, 0);
  if (size >= 0) size = recv(fd, reply, room, 0);
  if (size < 0) size = -errno;
  close(fd);
  return size;
}

/// Sends a request that is answered with an acknowledgement.
static int command(struct message *m) {
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[1200];
  } reply;
  m->header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  ssize_t size = ask(m, &reply, sizeof reply);
  if (size < 0) return (int)size;
  if ((size_t)size < sizeof reply.header + sizeof reply.error || reply.header.nlmsg_type != NLMSG_ERROR) return -EPROTO;
  return reply.error.error;
}

int swpcap_link_pair(const char *name, const char *peer) {
  struct message m = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof m.link), .nlmsg_type = RTM_NEWLINK,
                                 .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL}};
  struct ifinfomsg none = {0};
  add(&m, IFLA_IFNAME, name, strlen(name) + 1);
  struct rtattr *info = add(&m, IFLA_LINKINFO, NULL, 0);
  add(&m, IFLA_INFO_KIND, "veth", 5);
  struct rtattr *data = add(&m, IFLA_INFO_DATA, NULL, 0);
  struct rtattr *other = add(&m, VETH_INFO_PEER, &none, sizeof none);
  add(&m, IFLA_IFNAME, peer, strlen(peer) + 1);
  end(&m, other);
  end(&m, data);
  end(&m, info);
  return command(&m);
}

int swpcap_link_delete(const char *name) {
  struct message m = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof m.link), .nlmsg_type = RTM_DELLINK}};
  add(&m, IFLA_IFNAME, name, strlen(name) + 1);
  return command(&m);
}

int swpcap_link_switch(const char *name, int up) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  int result = ioctl(fd, SIOCGIFFLAGS, &request);
  if (result == 0) {
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    result = ioctl(fd, SIOCSIFFLAGS, &request);
  }
  result = result < 0 ? -errno : 0;
  close(fd);
  return result;
}

int swpcap_link_state(const char *name, struct swpcap_link_state *state) {
  struct message m = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof m.link), .nlmsg_type = RTM_GETLINK,
                                 .nlmsg_flags = NLM_F_REQUEST}};
  add(&m, IFLA_IFNAME, name, strlen(name) + 1);
  _Alignas(struct nlmsghdr) char reply[16384];
  ssize_t size = ask(&m, reply, sizeof reply);
  if (size < 0) return (int)size;
  const struct nlmsghdr *header = (const struct nlmsghdr *)reply;
  if (!NLMSG_OK(header, (uint32_t)size)) return -EPROTO;
  if (header->nlmsg_type == NLMSG_ERROR) return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
  const struct ifinfomsg *message = NLMSG_DATA(header);
  memset(state, 0, sizeof *state);
  state->flags = message->ifi_flags;
  int left = (int)IFLA_PAYLOAD(header);
  for (const struct rtattr *a = IFLA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_PROMISCUITY && RTA_PAYLOAD(a) >= 4) memcpy(&state->promiscuity, RTA_DATA(a), 4);
    if (a->rta_type == IFLA_STATS64 && RTA_PAYLOAD(a) >= 16)
      memcpy(&state->sent, (const char *)RTA_DATA(a) + offsetof(struct rtnl_link_stats64, tx_packets), 8);
  }
  return 0;
}

enum { BATCH = 64, SIZE = 1514 };

int swpcap_numbered_send(int fd, int ifindex, uint8_t stream, uint64_t first, uint32_t count, uint32_t size) {
  static const uint8_t header[16] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, SWPCAP_NUMBERED_TYPE >> 8,
                                     SWPCAP_NUMBERED_TYPE & 0xff};
  static const uint8_t zeros[SIZE];
  uint8_t heads[BATCH][SWPCAP_NUMBERED_LEAST];
  struct iovec pieces[BATCH][2];
  struct mmsghdr messages[BATCH];
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = (uint16_t)((SWPCAP_NUMBERED_TYPE & 0xff) << 8 |
                           SWPCAP_NUMBERED_TYPE >> 8), .sll_ifindex = ifindex, .sll_halen = 6};
  if (size < SWPCAP_NUMBERED_LEAST || size > SIZE) return -EINVAL;
  if (count > BATCH) count = BATCH;
  memcpy(to.sll_addr, header, 6);
  memset(messages, 0, sizeof messages[0] * count);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t number = first + i;
    uint32_t magic = SWPCAP_NUMBERED_MAGIC;
    memset(heads[i], 0, sizeof heads[i]);
    memcpy(heads[i], header, sizeof header);
    memcpy(heads[i] + 16, &magic, sizeof magic);
    heads[i][SWPCAP_NUMBERED_STREAM] = stream;
    memcpy(heads[i] + SWPCAP_NUMBERED_NUMBER, &number, sizeof number);
    pieces[i][0] = (struct iovec){heads[i], sizeof heads[i]};
    pieces[i][1] = (struct iovec){(void *)(uintptr_t)zeros, size - sizeof heads[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = pieces[i], .msg_iovlen = 2};
  }
  int sent = sendmmsg(fd, messages, count, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

int swpcap_packet_bypass(int fd) {
  int on = 1;
  return setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) == 0 ? 0 : -errno;
}

uint64_t swpcap_heap_used(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

int swpcap_thread_pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}
