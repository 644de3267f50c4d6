// The traffic source of the benchmarks: sends frames that carry a sequence number across a
// veth pair, fast and evenly paced, and counts what truly arrived at the other end.
//
// Two ways:
//  - XDP (the default): the kernel runs a small program over and over in live-frame mode
//    (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES). The program stamps the next sequence
//    number into the frame and returns XDP_TX, and the frame leaves by the interface given.
//    Pacing is in the program: before its time has come a frame is dropped instead of sent, so
//    frames are not sent in clumps. The peer needs a NAPI: `ethtool -K PEER gro on`.
//  - a socket (--socket): sendmmsg(2) on a packet socket with PACKET_QDISC_BYPASS. Slower, but
//    works where the kernel or its policy refuses XDP. With --shown the bypass is left out: only then
//    are the frames shown to captures on the sending interface.
//
// Prints one `key=value` line. `delivered` is what the peer's receive counter says, and that is
// the number to compare a capture with; `sent` is what the sender believes.
// Exit status: 0 done, 1 failed, 2 usage, 3 the kernel refused the XDP way.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_REFUSED = 3,
    MIN_FRAME = 60,
    MAX_FRAME = 1514,
    PORT_AT = 36,  // after Ethernet and IPv4 headers and the source port
    SEQUENCE_AT = 42,  // after Ethernet, IPv4 and UDP headers
    BATCH = 64,
};

struct options {
    const char *interface, *peer;
    uint64_t count, pps;  // pps 0: as fast as possible
    size_t size;
    int use_socket, wait_for_go, shown;
    uint32_t port, ports, step;  // destination ports in turn, from `port` on, so far apart
};

// Shared with the program through an mmapped array map: one writer (the program), read here.
struct state {
    uint64_t limit;   // frames to send
    uint64_t period;  // ns between frames, 0 for none
    uint64_t sent;    // also the next sequence number
    uint64_t due;     // monotonic ns of the next frame
    uint64_t ended;   // monotonic ns of the last frame
    uint64_t port;    // the first destination port
    uint64_t ports;   // frames have so many in turn
};

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((format(printf, 2, 3), noreturn))
static void fail(int status, const char *format, ...) {
    va_list arguments;
    fputs("generator: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

// The interface's received packets and drops. /proc/net follows the process's own network
// namespace; /sys shows the one it was mounted in.
static void receive_counters(const char *interface, uint64_t *packets, uint64_t *drops) {
    FILE *file = fopen("/proc/net/dev", "r");
    char line[512];
    *packets = *drops = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *name = line + strspn(line, " "), *colon = strchr(name, ':');
        if (!colon) continue;
        *colon = 0;
        if (strcmp(name, interface) != 0) continue;
        if (sscanf(colon + 1, "%*u %" SCNu64 " %*u %" SCNu64, packets, drops) != 2)
            fail(1, "cannot read the counters of %s", interface);
    }
    if (file) fclose(file);
}

// Ethernet, IPv4, UDP to the discard port, addresses of the benchmarking range (RFC 2544). The
// Ethernet destination is nobody's, so the peer's stack lets go of the frame right after the tap.
static void build_frame(uint8_t *frame, size_t size) {
    static const uint8_t ethernet[ETH_HLEN] = {2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa, 8, 0};
    uint8_t *ip = frame + ETH_HLEN, *udp = ip + 20;
    uint16_t ip_length = (uint16_t)(size - ETH_HLEN), udp_length = (uint16_t)(ip_length - 20);
    uint32_t sum = 0;
    memset(frame, 0, size);
    memcpy(frame, ethernet, sizeof ethernet);
    memcpy(ip, (uint8_t[20]){0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0,
                             198, 18, 0, 1, 198, 18, 0, 2}, 20);
    ip[2] = (uint8_t)(ip_length >> 8), ip[3] = (uint8_t)ip_length;
    for (int i = 0; i < 20; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    ip[10] = (uint8_t)(sum >> 8), ip[11] = (uint8_t)sum;
    memcpy(udp, (uint8_t[8]){40000 >> 8, 40000 & 255, 0, 9}, 8);
    udp[4] = (uint8_t)(udp_length >> 8), udp[5] = (uint8_t)udp_length;
}

// ---- eBPF, by hand

static int bpf(int command, union bpf_attr *attr) {
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

#define INSN(c, d, s, o, i) \
    (struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)}
#define MOV(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, s) INSN(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ADDI(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define BE64(d) INSN(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, 64)
#define LDW(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define LDD(d, s, o) INSN(BPF_LDX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STD(d, o, s) INSN(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define JUMP(op, d, s, o) INSN(BPF_JMP | (op) | BPF_X, d, s, o, 0)
#define JUMPI(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define MAP_VALUE(d, fd) \
    INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_VALUE, 0, fd), INSN(0, 0, 0, 0, 0)
#define EXIT() INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define FIELD(name) (int16_t) offsetof(struct state, name)

static int load_program(int map, uint32_t step) {
    enum { CTX = 6, STATE = 7, LIMIT = 8, SENT = 9 };
    struct bpf_insn program[] = {
        /*  0 */ MOV(CTX, 1),
        /*  1 */ MAP_VALUE(STATE, map),
        /*  3 */ LDD(LIMIT, STATE, FIELD(limit)),
        /*  4 */ LDD(SENT, STATE, FIELD(sent)),
        /*  5 */ JUMP(BPF_JGE, SENT, LIMIT, 33),  // all sent: drop
        /*  6 */ LDD(1, STATE, FIELD(period)),
        /*  7 */ JUMPI(BPF_JEQ, 1, 0, 6),  // not paced: send
        /*  8 */ CALL(BPF_FUNC_ktime_get_ns),
        /*  9 */ LDD(2, STATE, FIELD(due)),
        /* 10 */ JUMP(BPF_JLT, 0, 2, 28),  // not yet: drop
        /* 11 */ LDD(1, STATE, FIELD(period)),
        /* 12 */ ADD(2, 1),
        /* 13 */ STD(STATE, FIELD(due), 2),
        // send:
        /* 14 */ LDW(2, CTX, offsetof(struct xdp_md, data)),
        /* 15 */ LDW(3, CTX, offsetof(struct xdp_md, data_end)),
        /* 16 */ MOV(4, 2),
        /* 17 */ ADDI(4, SEQUENCE_AT + 8),
        /* 18 */ JUMP(BPF_JGT, 4, 3, 20),
        /* 19 */ MOV(5, SENT),
        /* 20 */ BE64(5),
        /* 21 */ STD(2, SEQUENCE_AT, 5),
        /* 22 */ LDD(1, STATE, FIELD(ports)),
        /* 23 */ MOV(5, SENT),
        /* 24 */ INSN(BPF_ALU64 | BPF_MOD | BPF_X, 5, 1, 0, 0),
        /* 25 */ INSN(BPF_ALU64 | BPF_MUL | BPF_K, 5, 0, 0, (int32_t)step),
        /* 26 */ LDD(1, STATE, FIELD(port)),
        /* 27 */ ADD(5, 1),
        /* 28 */ INSN(BPF_ALU | BPF_END | BPF_TO_BE, 5, 0, 0, 16),
        /* 29 */ INSN(BPF_STX | BPF_MEM | BPF_H, 2, 5, PORT_AT, 0),
        /* 30 */ ADDI(SENT, 1),
        /* 31 */ STD(STATE, FIELD(sent), SENT),
        /* 32 */ JUMP(BPF_JEQ, SENT, LIMIT, 2),
        /* 33 */ MOVI(0, XDP_TX),
        /* 34 */ EXIT(),
        // the last one:
        /* 35 */ CALL(BPF_FUNC_ktime_get_ns),
        /* 36 */ STD(STATE, FIELD(ended), 0),
        /* 37 */ MOVI(0, XDP_TX),
        /* 38 */ EXIT(),
        // drop:
        /* 39 */ MOVI(0, XDP_DROP),
        /* 40 */ EXIT(),
    };
    static char log[16384];
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_XDP,
        .insns = (uintptr_t)program,
        .insn_cnt = sizeof program / sizeof *program,
        .license = (uintptr_t) "Dual BSD/GPL",
        .log_buf = (uintptr_t)log,
        .log_size = sizeof log,
        .log_level = 1,
    };
    int fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd < 0) fail(EXIT_REFUSED, "the XDP program was refused: %s\n%s", strerror(errno), log);
    return fd;
}

// Ends a run that has sent everything: test runs stop at a pending signal. Also gives up on a
// run that takes far longer than it should.
struct watch {
    volatile struct state *state;
    pthread_t runner;
    uint64_t deadline;
    volatile int finished;
};

static void ignore_signal(int number) { (void)number; }

static void *watch_run(void *argument) {
    struct watch *watch = argument;
    while (!watch->finished) {
        usleep(500);
        if (watch->state->sent >= watch->state->limit || clock_ns(CLOCK_MONOTONIC) > watch->deadline)
            pthread_kill(watch->runner, SIGUSR1);
    }
    return NULL;
}

struct result {
    uint64_t sent, start, end;  // start and end: monotonic ns
};

static void wait_for_go(const struct options *options) {
    if (!options->wait_for_go) return;
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) exit(1);
}

static uint64_t deadline_for(const struct options *options, uint64_t start) {
    uint64_t slowest = options->pps ? options->pps : 20000;
    return start + options->count * 1000000000u / slowest + 10000000000u;
}

static struct result send_xdp(const struct options *options) {
    uint8_t frame[MAX_FRAME];
    union bpf_attr map_attr = {
        .map_type = BPF_MAP_TYPE_ARRAY,
        .key_size = 4,
        .value_size = sizeof(struct state),
        .max_entries = 1,
        .map_flags = BPF_F_MMAPABLE,
    };
    int map = bpf(BPF_MAP_CREATE, &map_attr);
    if (map < 0) fail(EXIT_REFUSED, "no eBPF map: %s", strerror(errno));
    volatile struct state *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (state == MAP_FAILED) fail(EXIT_REFUSED, "the eBPF map cannot be mapped: %s", strerror(errno));
    int program = load_program(map, options->step);

    build_frame(frame, options->size);
    struct xdp_md context = {
        .data_end = (uint32_t)options->size,
        .ingress_ifindex = if_nametoindex(options->interface),
    };
    union bpf_attr run = {
        .test.prog_fd = (uint32_t)program,
        .test.data_in = (uintptr_t)frame,
        .test.data_size_in = (uint32_t)options->size,
        .test.ctx_in = (uintptr_t)&context,
        .test.ctx_size_in = sizeof context,
        .test.repeat = 64,
        .test.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
        .test.batch_size = BATCH,
    };
    // With a limit of zero every frame is dropped: shows whether the kernel is willing at all.
    if (bpf(BPF_PROG_TEST_RUN, &run) < 0)
        fail(EXIT_REFUSED, "no live-frame test runs: %s", strerror(errno));

    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = ignore_signal}, NULL);
    wait_for_go(options);
    struct result result = {.start = clock_ns(CLOCK_MONOTONIC)};
    struct watch watch = {
        .state = state, .runner = pthread_self(), .deadline = deadline_for(options, result.start)};
    state->period = options->pps ? 1000000000u / options->pps : 0;
    state->due = result.start;
    state->port = options->port;
    state->ports = options->ports;
    state->limit = options->count;
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watch_run, &watch) != 0) fail(1, "no thread");
    while (state->sent < options->count && clock_ns(CLOCK_MONOTONIC) < watch.deadline) {
        // Unpaced, each run of the program sends: ask for exactly as many as are missing.
        run.test.repeat = options->pps || options->count - state->sent > 1u << 30
                              ? 1u << 30 : (uint32_t)(options->count - state->sent);
        if (bpf(BPF_PROG_TEST_RUN, &run) < 0 && errno != EINTR)
            fail(1, "test run: %s", strerror(errno));
    }
    watch.finished = 1;
    pthread_join(watcher, NULL);
    result.sent = state->sent;
    result.end = state->ended ? state->ended : clock_ns(CLOCK_MONOTONIC);
    return result;
}

// ---- a plain sender

static struct result send_socket(const struct options *options) {
    static uint8_t frames[BATCH][MAX_FRAME];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)if_nametoindex(options->interface),
        .sll_halen = ETH_ALEN,
    };
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        build_frame(frames[i], options->size);
        vectors[i] = (struct iovec){frames[i], options->size};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) fail(1, "no packet socket: %s", strerror(errno));
    if (!options->shown) setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);

    wait_for_go(options);
    struct result result = {.start = clock_ns(CLOCK_MONOTONIC)};
    uint64_t deadline = deadline_for(options, result.start), now = result.start;
    while (result.sent < options->count && now < deadline) {
        uint64_t wanted = options->count - result.sent;
        if (options->pps) {
            uint64_t due = (now - result.start) * options->pps / 1000000000u + 1;
            if (due > options->count) due = options->count;
            wanted = due - result.sent;
        }
        if (wanted > BATCH) wanted = BATCH;
        for (uint64_t i = 0; i < wanted; i++) {
            uint64_t sequence = result.sent + i;
            for (int byte = 0; byte < 8; byte++)
                frames[i][SEQUENCE_AT + byte] = (uint8_t)(sequence >> (56 - 8 * byte));
            uint32_t port = options->port + (uint32_t)(sequence % options->ports) * options->step;
            frames[i][PORT_AT] = (uint8_t)(port >> 8);
            frames[i][PORT_AT + 1] = (uint8_t)port;
        }
        int done = wanted ? sendmmsg(fd, messages, (unsigned)wanted, 0) : 0;
        if (done < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            fail(1, "sendmmsg: %s", strerror(errno));
        if (done > 0) result.sent += (uint64_t)done;
        now = clock_ns(CLOCK_MONOTONIC);
    }
    result.end = now;
    return result;
}

// ---- the command

static uint64_t number(const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end) fail(2, "not a number: %s", text);
    return value;
}

int main(int argc, char **argv) {
    struct options options = {.count = 1000000, .size = 64, .port = 9, .ports = 1, .step = 1};
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i];
        if (!strcmp(flag, "--socket")) { options.use_socket = 1; continue; }
        if (!strcmp(flag, "--shown")) { options.use_socket = options.shown = 1; continue; }
        if (!strcmp(flag, "--wait")) { options.wait_for_go = 1; continue; }
        if (++i == argc) fail(2, "%s wants a value", flag);
        if (!strcmp(flag, "--out")) options.interface = argv[i];
        else if (!strcmp(flag, "--peer")) options.peer = argv[i];
        else if (!strcmp(flag, "--count")) options.count = number(argv[i]);
        else if (!strcmp(flag, "--size")) options.size = number(argv[i]);
        else if (!strcmp(flag, "--port")) options.port = (uint32_t)number(argv[i]);
        else if (!strcmp(flag, "--ports")) options.ports = (uint32_t)number(argv[i]);
        else if (!strcmp(flag, "--step")) options.step = (uint32_t)number(argv[i]);
        else if (!strcmp(flag, "--pps")) options.pps = strcmp(argv[i], "max") ? number(argv[i]) : 0;
        else fail(2, "unknown option %s", flag);
    }
    if (!options.interface || !options.peer)
        fail(2, "usage: generator --out IF --peer IF [--count N] [--size N] [--pps N|max] [--port N] [--ports N] [--step N] [--socket|--shown] [--wait]");
    if (options.size < MIN_FRAME || options.size > MAX_FRAME)
        fail(2, "frames have %d to %d bytes", MIN_FRAME, MAX_FRAME);
    if (options.ports < 1 || options.step > 65536 || options.port + (uint64_t)(options.ports - 1) * options.step > 65535) fail(2, "ports are below 65536");
    if (!if_nametoindex(options.interface)) fail(1, "no interface %s", options.interface);

    uint64_t packets_before, packets, drops_before, drops, last;
    receive_counters(options.peer, &packets_before, &drops_before);
    struct result result = options.use_socket ? send_socket(&options) : send_xdp(&options);
    uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    receive_counters(options.peer, &packets, &drops);
    do {  // the peer's softirq may still be at it
        last = packets;
        usleep(5000);
        receive_counters(options.peer, &packets, &drops);
    } while (packets != last);
    printf("mode=%s size=%zu sent=%" PRIu64 " delivered=%" PRIu64 " seconds=%.6f cpu_ns=%" PRIu64
           " start_ns=%" PRIu64 " end_ns=%" PRIu64 "\n",
           options.use_socket ? "socket" : "xdp", options.size, result.sent, packets - packets_before,
           (double)(result.end - result.start) / 1e9, cpu, result.start, result.end);
    return result.sent == options.count ? 0 : 1;
}
