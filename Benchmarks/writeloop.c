// What writing alone costs: the bytes of a savefile, the same record over and over, in pieces of one size, and nothing else.
//
// Usage: writeloop FILE MODE KIB RECORDS SIZE   as fast as it goes; RECORDS records with frames of SIZE bytes
//        writeloop FILE MODE KIB IF SIZE        as many records as IF receives frames, at their pace, until SIGINT
// MODE: write; direct (O_DIRECT); uring, uring-direct (io_uring, four pieces under way); map (pages of the file, by mmap).
// It prints one `key=value` line; CPU time is that of writing, the kernel's workers for this process included.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 4 };

static volatile sig_atomic_t stopped;
static void stop(int number) { (void)number, stopped = 1; }

static long check(long result, const char *call) {
    if (result >= 0) return result;
    fprintf(stderr, "writeloop: %s: %s\n", call, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// MARK: io_uring, without a library

static struct {
    int fd;
    unsigned *head, *tail, *mask, *array, *cq_head, *cq_tail, *cq_mask;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *done;
    unsigned under_way;
} ring;

static void ring_open(void) {
    struct io_uring_params params = {0};
    ring.fd = (int)check(syscall(SYS_io_uring_setup, DEPTH, &params), "io_uring_setup");
    size_t length = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t done = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    uint8_t *map = mmap(NULL, length > done ? length : done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
                        IORING_OFF_SQ_RING);
    ring.entries = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
    check(map == MAP_FAILED || ring.entries == MAP_FAILED ? -1 : 0, "mmap");
    ring.head = (unsigned *)(map + params.sq_off.head), ring.tail = (unsigned *)(map + params.sq_off.tail);
    ring.mask = (unsigned *)(map + params.sq_off.ring_mask), ring.array = (unsigned *)(map + params.sq_off.array);
    ring.cq_head = (unsigned *)(map + params.cq_off.head), ring.cq_tail = (unsigned *)(map + params.cq_off.tail);
    ring.cq_mask = (unsigned *)(map + params.cq_off.ring_mask);
    ring.done = (struct io_uring_cqe *)(map + params.cq_off.cqes);
}

static void ring_take(unsigned wanted, size_t expected) {
    while (wanted) {
        unsigned head = *ring.cq_head;
        if (head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
            check(syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
            continue;
        }
        int result = ring.done[head & *ring.cq_mask].res;
        if (result != (int)expected) {
            fprintf(stderr, "writeloop: io_uring: %s\n", result < 0 ? strerror(-result) : "a short write");
            exit(1);
        }
        __atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
        ring.under_way--, wanted--;
    }
}

static void ring_write(int file, const uint8_t *from, size_t length, uint64_t offset) {
    if (ring.under_way == DEPTH) ring_take(1, length);
    unsigned tail = *ring.tail, place = tail & *ring.mask;
    ring.entries[place] = (struct io_uring_sqe){
        .opcode = IORING_OP_WRITE, .fd = file, .addr = (uintptr_t)from, .len = (unsigned)length, .off = offset};
    ring.array[place] = place;
    __atomic_store_n(ring.tail, tail + 1, __ATOMIC_RELEASE);
    check(syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0), "io_uring_enter");
    ring.under_way++;
}

// MARK: Pieces

static int file, is_ring, is_map;
static size_t piece;
static uint8_t *pieces[DEPTH];
static uint64_t offset;

static void put(void) {
    const uint8_t *from = pieces[offset / piece % DEPTH];
    if (is_ring) {
        ring_write(file, from, piece, offset);
    } else if (is_map) {
        check(ftruncate(file, (off_t)(offset + piece)), "ftruncate");
        void *map = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);
        check(map == MAP_FAILED ? -1 : 0, "mmap");
        madvise(map, piece, MADV_POPULATE_WRITE);
        memcpy(map, from, piece);
        munmap(map, piece);
    } else {
        for (size_t done = 0; done < piece;) done += (size_t)check(write(file, from + done, piece - done), "write");
    }
    offset += piece;
}

// A running packet socket that takes no frame: whoever looks for one sees that we are there.
static void show_ourselves(const char *interface) {
    int fd = (int)check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "socket");
    struct sock_filter refuse = {BPF_RET | BPF_K, 0, 0, 0};
    struct sock_fprog program = {1, &refuse};
    check(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), "SO_ATTACH_FILTER");
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(interface)};
    check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
}

// Frames that an interface has received. Asked of rtnetlink: /sys shows the network namespace that it was mounted in.
static uint64_t received(const char *interface) {
    static int fd = -1;
    if (fd < 0) fd = (int)check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket");
    struct {
        struct nlmsghdr header;
        struct if_stats_msg body;
    } request = {{sizeof request, RTM_GETSTATS, NLM_F_REQUEST, 0, 0},
                 {.ifindex = if_nametoindex(interface), .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)}};
    check(send(fd, &request, sizeof request, 0), "send");
    uint8_t answer[4096];
    check(recv(fd, answer, sizeof answer, 0), "recv");
    struct nlmsghdr *header = (void *)answer;
    if (header->nlmsg_type != RTM_NEWSTATS) return 0;
    struct rtattr *attribute = (void *)(answer + NLMSG_LENGTH(sizeof(struct if_stats_msg)));
    struct rtnl_link_stats64 statistics;
    memcpy(&statistics, RTA_DATA(attribute), sizeof statistics);
    return statistics.rx_packets;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("usage: writeloop FILE write|direct|uring|uring-direct|map KIB RECORDS|IF SIZE\n", stderr);
        return 2;
    }
    const char *mode = argv[2];
    piece = (size_t)atol(argv[3]) * 1024;
    size_t size = (size_t)atol(argv[5]), record = 16 + size;
    uint64_t records = strtoull(argv[4], NULL, 10);
    is_ring = strncmp(mode, "uring", 5) == 0, is_map = strcmp(mode, "map") == 0;
    int direct = strstr(mode, "direct") ? O_DIRECT : 0;
    sigaction(SIGINT, &(struct sigaction){.sa_handler = stop}, NULL);
    check(file = open(argv[1], (is_map ? O_RDWR : O_WRONLY) | O_CREAT | O_TRUNC | O_CLOEXEC | direct, 0644), argv[1]);
    for (int i = 0; i < DEPTH; i++) {
        check((pieces[i] = aligned_alloc(4096, piece)) ? 0 : -1, "aligned_alloc");
        for (size_t at = 0; at < piece; at++) pieces[i][at] = (uint8_t)(at % record);
    }
    if (is_ring) ring_open();

    double begin = now(), used = cpu();
    if (records) {
        while (offset < records * record) put();
    } else {
        show_ourselves(argv[4]);
        uint64_t first = received(argv[4]);
        while (!stopped) {
            records = received(argv[4]) - first;
            if (offset + piece > records * record) usleep(200);
            while (offset + piece <= records * record) put();
        }
    }
    if (is_ring) ring_take(ring.under_way, piece);
    used = cpu() - used;
    double wall = now() - begin;
    printf("captured=%" PRIu64 " drops=0 bytes=%" PRIu64 " cpu_ns_per_record=%.1f seconds=%.3f mb_per_second=%.0f\n",
           records, offset, used * 1e9 / ((double)offset / (double)record), wall, (double)offset / wall / 1e6);
    return 0;
}
