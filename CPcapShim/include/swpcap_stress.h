// What `swbpf stress` needs of the system: a namespace of its own with cables in it, frames with numbers, what memory is used.
//
// Functions return 0 or a count when they worked and a negative errno when not. Nothing here retries or keeps state.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Moves the process, which must have one thread, into a user namespace in which it may do everything, and a network
/// namespace of that. -EINVAL: it has more threads.
int swpcap_unshare_private(void);

/// Makes a veth pair.
int swpcap_link_pair(const char *name, const char *peer);
/// Takes an interface up or down.
int swpcap_link_switch(const char *name, int up);
/// Deletes an interface, and with it the other end of its pair.
int swpcap_link_delete(const char *name);

/// What the kernel tells of one interface.
struct swpcap_link_state {
  uint64_t sent;  // packets that left
  uint32_t flags;  // IFF_*
  uint32_t promiscuity;
};
/// -ENODEV when there is none of that name.
int swpcap_link_state(const char *name, struct swpcap_link_state *state);

/// Frames of a stress run: Ethernet of an experimental type, then what tells them apart.
#define SWPCAP_NUMBERED_TYPE 0x88b5
#define SWPCAP_NUMBERED_MAGIC 0x74736273u  // little-endian, at byte 16
#define SWPCAP_NUMBERED_STREAM 20
#define SWPCAP_NUMBERED_NUMBER 24  // 8 bytes, little-endian
#define SWPCAP_NUMBERED_LEAST 32

/// Sends up to `count` frames (at most 64) of `size` bytes with consecutive numbers from `first` by an interface, in one
/// system call: how many went out, or what the first met.
int swpcap_numbered_send(int fd, int ifindex, uint8_t stream, uint64_t first, uint32_t count, uint32_t size);
/// Frames that this socket sends are not shown to taps of the interface by which they leave.
int swpcap_packet_bypass(int fd);
/// Reads a frame back: 1 with stream and number, 0 when it is another's.
static inline int swpcap_numbered_read(const uint8_t *frame, size_t length, uint8_t *stream, uint64_t *number) {
  if (length < SWPCAP_NUMBERED_LEAST || frame[12] != SWPCAP_NUMBERED_TYPE >> 8 || frame[13] != (SWPCAP_NUMBERED_TYPE & 0xff))
    return 0;
  uint32_t magic;
  __builtin_memcpy(&magic, frame + 16, sizeof magic);
  if (magic != SWPCAP_NUMBERED_MAGIC) return 0;
  *stream = frame[SWPCAP_NUMBERED_STREAM];
  __builtin_memcpy(number, frame + SWPCAP_NUMBERED_NUMBER, sizeof *number);
  return 1;
}

/// Bytes of heap in use, of all arenas.
uint64_t swpcap_heap_used(void);
/// The calling thread, and those that it starts, run on this core only.
int swpcap_thread_pin(int core);
