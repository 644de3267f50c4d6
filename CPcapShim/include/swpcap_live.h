// libpcap's live handles, for devices that are no network interfaces: nflog, usbmon, D-Bus and the like.
//
// A handle belongs to one thread at a time. Functions return 0 or a count when they worked, a negative errno or
// SWPCAP_ERROR (with libpcap's text in errbuf) when not.
#pragma once
#include <stdint.h>

#include "swpcap_pcap.h"

/// A device of pcap_findalldevs(3).
struct swpcap_device {
  char name[64];
  char description[192];
  uint32_t flags;  // PCAP_IF_*
};
/// What libpcap can capture on, in its order: up to `room` devices; how many there are, or SWPCAP_ERROR.
int swpcap_device_list(struct swpcap_device *devices, int room, char *errbuf);

struct swpcap_live;
/// Opens a device, without waiting in reads, with nanoseconds where it has them. NULL: *error is a negative errno, or
/// SWPCAP_ERROR with a text. `linktype` -1 takes the device's own.
struct swpcap_live *swpcap_live_open(const char *name, int snaplen, int linktype, int *error, char *errbuf);
void swpcap_live_close(struct swpcap_live *live);
int swpcap_live_linktype(const struct swpcap_live *live);
/// The link types that the device has: up to `room`; how many.
int swpcap_live_linktypes(struct swpcap_live *live, int *linktypes, int room);
/// The descriptor to wait for, or -1: then look every swpcap_live_period() ms.
int swpcap_live_descriptor(const struct swpcap_live *live);
/// How often to look although the descriptor is not ready, ms; -1: never.
int swpcap_live_period(const struct swpcap_live *live);
/// Takes up to `most` packets that are there, and keeps them until the next call: how many, or SWPCAP_ERROR with a text.
int swpcap_live_dispatch(struct swpcap_live *live, int most, char *errbuf);
/// Packet `index` of the last dispatch.
void swpcap_live_packet(const struct swpcap_live *live, int index, struct swpcap_record *record, const uint8_t **data);
/// Packets that the device says it lost; 0 where it does not say.
uint64_t swpcap_live_dropped(struct swpcap_live *live);
