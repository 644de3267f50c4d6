// rtnetlink: which interfaces there are, and what happens to them.
#pragma once
#include <stdint.h>

#define SWPCAP_LINK_NEW 1
#define SWPCAP_LINK_GONE 2
/// The end of the list that swpcap_link_list asked for.
#define SWPCAP_LINK_DONE 3
/// Events were lost: ask for the list again.
#define SWPCAP_LINK_LOST 4

/// An interface as a message tells it.
struct swpcap_link {
  uint32_t event;
  uint32_t index;
  uint32_t flags;  // IFF_*
  uint32_t mtu;
  uint32_t gso_max_size;
  uint32_t gro_max_size;
  uint16_t hatype;  // ARPHRD_*
  uint8_t address_length;
  uint8_t reserved;
  uint8_t address[32];
  char name[16];
};

/// A netlink socket that is told of links; `listen` 0: for one list only.
int swpcap_link_open(int listen);
/// Asks for all links; they come as SWPCAP_LINK_NEW, then SWPCAP_LINK_DONE.
int swpcap_link_list(int fd);
/// Reads one datagram: up to `room` links; the number, 0 when interrupted or empty, or a negative errno. Blocks.
int swpcap_link_read(int fd, struct swpcap_link *links, int room);
/// The index of a name, 0 when there is none.
uint32_t swpcap_link_index(const char *name);
/// The IPv4 netmask of an interface in host order, 0xffffffff when it has none.
uint32_t swpcap_link_netmask(const char *name);
