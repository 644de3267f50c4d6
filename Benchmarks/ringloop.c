// The yardstick: the least a C program can do to take every frame out of a TPACKET_V3 ring and
// copy it. No filter, no direction, one consumer; with FILE, records of a savefile, written a buffer at a time.
//
// Usage: ringloop IF [BLOCKS [KIB [FILE]]]: 64 blocks of 1024 KiB unless told, retired after 10 ms.
// SIGINT ends it; it then prints one `key=value` line.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RETIRE_MS = 10, BUFFER = 1 << 20 };

static volatile sig_atomic_t stopped;
static void stop(int number) { (void)number, stopped = 1; }

static void check(int result, const char *call) {
    if (result >= 0) return;
    fprintf(stderr, "ringloop: %s: %s\n", call, strerror(errno));
    exit(1);
}

static void write_all(int file, const uint8_t *from, size_t length) {
    for (ssize_t count; length; from += count, length -= (size_t)count)
        check((count = write(file, from, length)) > 0 ? 0 : -1, "write");
}

// Copies each frame of a block into the buffer, which is used over and over. `file` is -1, or gets the buffer when it is full.
static uint64_t copy_block(const struct tpacket_block_desc *block, uint8_t *buffer, size_t *used, int file) {
    const uint8_t *at = (const uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
    for (uint32_t left = block->hdr.bh1.num_pkts; left; left--) {
        const struct tpacket3_hdr *frame = (const void *)at;
        if (*used + 16 + frame->tp_snaplen > BUFFER) {
            if (file >= 0) write_all(file, buffer, *used);
            *used = 0;
        }
        if (file >= 0) {
            uint32_t record[] = {frame->tp_sec, frame->tp_nsec / 1000, frame->tp_snaplen, frame->tp_len};
            memcpy(buffer + *used, record, sizeof record);
            *used += sizeof record;
        }
        memcpy(buffer + *used, at + frame->tp_mac, frame->tp_snaplen);
        *used += frame->tp_snaplen;
        at += frame->tp_next_offset;
    }
    return block->hdr.bh1.num_pkts;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("usage: ringloop IF [BLOCKS [KIB [FILE]]]\n", stderr);
        return 2;
    }
    unsigned index = if_nametoindex(argv[1]);
    unsigned blocks = argc > 2 ? (unsigned)atoi(argv[2]) : 64;
    unsigned block_size = (argc > 3 ? (unsigned)atoi(argv[3]) : 1024) * 1024;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);

    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), version = TPACKET_V3;
    check(fd, "socket");
    struct tpacket_req3 request = {
        .tp_block_size = block_size, .tp_block_nr = blocks, .tp_frame_size = 2048,
        .tp_frame_nr = blocks * (block_size / 2048), .tp_retire_blk_tov = RETIRE_MS};
    check(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version), "PACKET_VERSION");
    check(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request), "PACKET_RX_RING");
    uint8_t *ring = mmap(NULL, (size_t)blocks * block_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(ring == MAP_FAILED ? -1 : 0, "mmap");
    uint8_t *buffer = aligned_alloc(4096, BUFFER);
    check(buffer ? 0 : -1, "aligned_alloc");
    int file = -1;
    if (argc > 4) {
        check(file = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), argv[4]);
        uint32_t header[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1};
        write_all(file, (const uint8_t *)header, sizeof header);
    }
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    fprintf(stderr, "listening on %s\n", argv[1]);

    uint64_t captured = 0, handled = 0;
    size_t used = 0;
    unsigned current = 0;
    // After a signal: take what is ready, then wait once for the open block to retire.
    for (int last_wait = 0;;) {
        struct tpacket_block_desc *block = (void *)(ring + (size_t)current * block_size);
        if (__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) {
            captured += copy_block(block, buffer, &used, file);
            __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
            current = (current + 1) % blocks;
            handled++;
            continue;
        }
        if (last_wait) break;
        if (stopped) last_wait = 1;
        poll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLERR}, 1, last_wait ? 3 * RETIRE_MS : -1);
    }
    if (file >= 0) write_all(file, buffer, used);
    struct tpacket_stats_v3 statistics;
    socklen_t length = sizeof statistics;
    check(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length), "PACKET_STATISTICS");
    printf("captured=%" PRIu64 " drops=%u freezes=%u blocks=%" PRIu64 "\n", captured,
           statistics.tp_drops, statistics.tp_freeze_q_cnt, handled);
    return 0;
}
