// N packet sockets, each with the kernel's filter `udp port BASE+i*STEP`: what many readers cost without a shared ring.
//
// Usage: sockets IF N BASE STEP. One thread reads them all with recvmmsg(2) as epoll(7) says, and forgets what it read.
// SIGINT ends it; it then prints one `key=value` line.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, FRAME = 2048 };

static volatile sig_atomic_t stopped;
static void stop(int number) { (void)number, stopped = 1; }

static void check(long result, const char *call) {
    if (result >= 0) return;
    fprintf(stderr, "sockets: %s: %s\n", call, strerror(errno));
    exit(1);
}

// IPv4, UDP, no fragment, either port.
static void attach(int fd, uint16_t port) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 10),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 8),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 6, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 2, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 262144),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
}

static uint8_t frames[BATCH][FRAME];

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: sockets IF N BASE STEP\n", stderr);
        return 2;
    }
    unsigned index = if_nametoindex(argv[1]);
    int count = atoi(argv[2]), base = atoi(argv[3]), step = atoi(argv[4]), room = 8 << 20;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    int *fds = calloc((size_t)count, sizeof *fds), ready = epoll_create1(EPOLL_CLOEXEC);
    check(ready, "epoll_create1");
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        check(fds[i], "socket");
        attach(fds[i], (uint16_t)(base + i * step));
        check(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room), "SO_RCVBUFFORCE");
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        check(epoll_ctl(ready, EPOLL_CTL_ADD, fds[i], &event), "epoll_ctl");
    }
    for (int i = 0; i < count; i++) {
        struct sockaddr_ll address = {
            .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
        check(bind(fds[i], (struct sockaddr *)&address, sizeof address), "bind");
    }
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){frames[i], FRAME};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    uint64_t captured = 0, drops = 0;
    struct epoll_event events[256];
    for (int last_wait = 0; !last_wait;) {
        if (stopped) last_wait = 1;
        int found = epoll_wait(ready, events, 256, last_wait ? 20 : -1);
        for (int i = 0; i < found; i++) {
            int got;
            while ((got = recvmmsg(fds[events[i].data.u32], messages, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL)) > 0)
                captured += (uint64_t)got;
        }
    }
    for (int i = 0; i < count; i++) {
        struct tpacket_stats statistics;
        socklen_t length = sizeof statistics;
        check(getsockopt(fds[i], SOL_PACKET, PACKET_STATISTICS, &statistics, &length), "PACKET_STATISTICS");
        drops += statistics.tp_drops;
    }
    printf("captured=%" PRIu64 " drops=%" PRIu64 "\n", captured, drops);
    return 0;
}
