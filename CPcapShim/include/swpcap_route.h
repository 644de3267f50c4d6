// rtnetlink: which way the system sends what goes to an address, and that it may have changed.
//
// Functions return 0 (or a descriptor, or a set of bits) when they worked and a negative errno when not.
#pragma once
#include <stdint.h>

/// Which way a packet would go.
struct swpcap_route {
  uint32_t interface;  // index; 0 when the route has none
  uint32_t mtu;        // of the path where the system knows it, else of the interface
  uint8_t is_local;    // the address is one of this system's
  uint8_t is_up;       // the interface is up
  char name[16];       // of the interface
  uint8_t reserved[2];
};

/// A socket for swpcap_route_get. Belongs to the network namespace of the calling thread.
int swpcap_route_open(void);
/// Asks for the route to an address of `family` (AF_INET, AF_INET6) from `source`, or from any when that is NULL; both as
/// they stand in a packet. `link` is the interface that a link-local address is of, 0 for others.
/// -ENETUNREACH and its like when there is none; that or -EINVAL, too, when the source is not of this system (IPv4).
/// `sequence` tells the questions of a socket apart. Waits at most a second: -ETIMEDOUT.
int swpcap_route_get(int fd, uint32_t sequence, int family, const void *destination, const void *source,
                     uint32_t link, struct swpcap_route *route);

/// A socket that hears of changed links, addresses, routes, rules and next hops. `room` in bytes, 0 for 1 MiB.
int swpcap_route_listen(uint32_t room);
/// Asks the socket of swpcap_route_listen to answer with `number` behind everything that it has to tell by now.
int swpcap_route_mark(int fd, uint32_t number);

#define SWPCAP_ROUTE_CHANGED 1
/// Events were lost.
#define SWPCAP_ROUTE_LOST 2
/// *number is that of a mark.
#define SWPCAP_ROUTE_MARK 4
/// Reads one datagram, never waits: a set of the bits above, 0 when there is nothing.
int swpcap_route_hear(int fd, uint32_t *number);
