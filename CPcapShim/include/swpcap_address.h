// rtnetlink: addresses of interfaces, and the flags of one.
//
// Functions return 0 (or a count) when they worked and a negative errno when not. Addresses are in network order, an IPv4 address
// in the first four bytes. `fd` is a socket of swpcap_route_open, used by one thread at a time.
#pragma once
#include <stdint.h>

struct swpcap_address {
  uint32_t interface;  // index
  uint8_t family;      // AF_INET, AF_INET6
  uint8_t prefix;      // bits
  uint8_t has_peer;
  uint8_t reserved;
  uint8_t local[16];
  uint8_t peer[16];
};

/// Gives an interface an address, or takes it away. Waits at most a second: -ETIMEDOUT.
int swpcap_address_change(int fd, uint32_t sequence, const struct swpcap_address *address, int is_added);
/// The addresses of an interface, or of all with index 0: up to `room`; how many there are.
int swpcap_address_list(int fd, uint32_t sequence, uint32_t interface, struct swpcap_address *addresses, int room);
/// The IPv4 broadcast addresses of all interfaces, host order: up to `room`; how many there are.
int swpcap_address_broadcasts(int fd, uint32_t sequence, uint32_t *addresses, int room);

/// The index of an interface, 0 when there is none of that name. In the namespace of the socket.
uint32_t swpcap_interface_index(int fd, const char *name);
/// IFF_* flags and MTU of an interface. -ENODEV when there is none of that name.
int swpcap_interface_state(int fd, const char *name, uint32_t *flags, uint32_t *mtu);
/// Whether the calling thread may change interfaces: 0 or -EPERM. Changes nothing.
int swpcap_interface_permitted(int fd);
