// A hundred clients of the daemon that break its rules, or an innocent program that burns as much CPU:
// `hostile UID SOCKET INTERFACE [capture]`, or `hostile UID burn`. It becomes that user first, who may do nothing, or with
// `capture` may attach his own descriptors to the interface.
//
// Ten kinds of ten: silent ones, those of another namespace, noise, deaf ones that only ask, liars about lengths and kinds,
// hoarders of memory, scribblers, thieves of others' descriptors, would-be administrators, and givers of descriptors that
// nobody asked for. Each makes its connection anew when it is thrown out. Both forms stay at half a core of CPU time, in
// steps of 2 ms. Runs until standard input ends, then says what happened: `gained` counts requests that were done and should
// have been refused, `peers` and `bytes` the most that it was given at a time.
#include "client.h"

enum { clients = 100, kinds = 10, step_ns = 2000000, most_open = 64 };

struct client {
    int fd;
    unsigned turns;
    uint32_t open[most_open];
    int opened;
    uint64_t bytes;
    _Atomic uint64_t *word;
};

static struct client all[clients];
static struct message message;
static struct answer answer;
static uint64_t connections, requests, answers, refused, gained, given, given_bytes, most_given, most_bytes;
static const char *path, *interface;
static int may_capture;

static uint32_t any(void) {
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static void forget(struct client *one) {
    if (one->fd >= 0) close(one->fd);
    if (one->word) munmap((void *)one->word, 4096);
    given -= (uint64_t)one->opened;
    given_bytes -= one->bytes;
    *one = (struct client){.fd = -1};
}

// Requests that nobody may do who has no right, or no descriptor of that number.
static int is_forbidden(const struct client *one, unsigned kind) {
    if (may_capture && one->opened > 0 && kind == bpf_attach) return 0;
    static const unsigned forbidden[] = {if_create,   if_destroy,  if_operation, sysctl_set, key_open, key_message,
                                         bpf_request, bpf_attach, bpf_write,    bpf_close};
    for (size_t index = 0; index < sizeof forbidden / sizeof *forbidden; index++)
        if (kind == forbidden[index]) return 1;
    return 0;
}

// What a hoarder or a scribbler was given; tries what the daemon must not allow.
static void receive(struct client *one) {
    if (answer.count == 3 && one->opened < most_open) {
        void *slots = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, answer.fds[0], 0);
        gained += slots != MAP_FAILED;
        gained += ftruncate(answer.fds[0], 0) == 0 || ftruncate(answer.fds[1], 0) == 0;
        gained += write(answer.fds[0], "x", 1) == 1 || write(answer.fds[2], "x", 1) == 1;
        if (!one->word) {
            one->word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, answer.fds[1], 0);
            if (one->word == MAP_FAILED) one->word = NULL;
        }
        one->open[one->opened++] = field32(&answer, tag_descriptor);
        struct stat status = {0};
        fstat(answer.fds[0], &status);
        one->bytes += (uint64_t)status.st_size + 4096;
        given_bytes += (uint64_t)status.st_size + 4096;
        given++;
        if (given > most_given) most_given = given;
        if (given_bytes > most_bytes) most_bytes = given_bytes;
    }
    for (int index = 0; index < answer.count; index++) close(answer.fds[index]);
}

static void listen_to(struct client *one) {
    for (int turn = 0; turn < 8; turn++) {
        int heard = hear(one->fd, &answer);
        if (heard == 0) return;
        if (heard < 0) return forget(one);
        answers++;
        if (answer.message.head.error != 0) refused++;
        else if (is_forbidden(one, answer.message.head.kind)) gained++;
        receive(one);
    }
}

static void request(const struct client *one) { requests += say(one->fd, &message) > 0; }

static void of_descriptor(unsigned kind, uint32_t id, uint32_t descriptor) {
    begin(&message, kind, id);
    put32(&message, tag_descriptor, descriptor);
}

static void administrate(struct client *one, uint32_t id) {
    static const unsigned forbidden[] = {if_destroy, if_create, sysctl_set, key_open, key_message};
    unsigned kind = forbidden[any() % 5];
    begin(&message, kind, id);
    if (kind == if_destroy) put(&message, tag_name, interface, strlen(interface));
    if (kind == if_create) put(&message, tag_name, "gif99", 5);
    if (kind == sysctl_set) put(&message, tag_name, "net.inet.ip.gifttl", 18);
    request(one);
}

static void steal(struct client *one, uint32_t id) {
    static const unsigned wanted[] = {bpf_request, bpf_write, bpf_attach, bpf_close};
    unsigned kind = wanted[any() % 4];
    of_descriptor(kind, id, 1 + any() % 200);
    if (kind == bpf_request) put32(&message, tag_number, 1);
    if (kind == bpf_write) put(&message, tag_frame, "\2\0\0\0E0000000000000000000", 24);
    if (kind == bpf_attach) put(&message, tag_name, interface, strlen(interface));
    request(one);
}

static void hoard(struct client *one, uint32_t id) {
    uint64_t size = any() % 4 == 0 ? (uint64_t)any() << (any() % 24) : 1 << 20;
    put_open(&message, id, size, 16);
    request(one);
}

static void scribble(struct client *one, uint32_t id) {
    if (one->word) {
        atomic_store(one->word, (uint64_t)any() << 32 | any());
        (void)madvise((void *)one->word, 4096, MADV_REMOVE);
    }
    if (one->opened == 0) {
        put_open(&message, id, 4096, 4);
        return request(one);
    }
    of_descriptor(bpf_attach, id, one->open[0]);
    put(&message, tag_name, interface, strlen(interface));
    request(one);
}

static void lie(struct client *one, uint32_t id) {
    begin(&message, any() % 100, any() % 3 ? id : 0);
    size_t size = any() % 200;
    for (size_t at = 0; at < size; at++) message.body[at] = (uint8_t)any();
    message.head.length = (uint32_t)size;
    ssize_t length = (ssize_t)(header_size + size);
    switch (any() % 4) {
        case 0: message.head.length = any(); break;
        case 1: message.head.version = (uint16_t)any(); break;
        case 2: message.head.kind = (uint16_t)any(); break;
        default: break;
    }
    requests += send(one->fd, &message, (size_t)length, MSG_NOSIGNAL) > 0;
}

static void give(struct client *one, uint32_t id) {
    int fds[8];
    for (int index = 0; index < 8; index++) fds[index] = one->fd;
    begin(&message, peers, id);
    put32(&message, tag_start, 0);
    struct iovec part = {&message, header_size + message.head.length};
    char control[CMSG_SPACE(sizeof fds)] = {0};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&head);
    *rights = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(rights), fds, sizeof fds);
    requests += sendmsg(one->fd, &head, MSG_NOSIGNAL) > 0;
    // Gone before the answer, every now and then.
    if (any() % 8 == 0) forget(one);
}

static void misbehave(unsigned number) {
    struct client *one = &all[number];
    unsigned kind = number % kinds, id = 2 + one->turns;
    if (one->fd < 0) {
        one->fd = join(path);
        if (one->fd < 0) return;
        connections++;
        if (kind == 0) return;
        if (kind == 2) return;
        put_hello(&message);
        if (kind == 1) message.body[4 + any() % 16] ^= 1;
        request(one);
        return;
    }
    one->turns++;
    if (kind != 3) {
        listen_to(one);
        if (one->fd < 0) return;
    }
    switch (kind) {
        case 2:
            for (size_t at = 0; at < 64; at++) message.body[at] = (uint8_t)any();
            requests += send(one->fd, message.body, any() % sizeof message.body, MSG_NOSIGNAL) > 0;
            break;
        case 3:
            begin(&message, if_names, id);
            put32(&message, tag_start, 0);
            request(one);
            break;
        case 4: lie(one, id); break;
        case 5: hoard(one, id); break;
        case 6: scribble(one, id); break;
        case 7: steal(one, id); break;
        case 8: administrate(one, id); break;
        case 9: give(one, id); break;
        default: break;
    }
}

int main(int argc, char **argv) {
    int burns = argc == 3 && strcmp(argv[2], "burn") == 0;
    may_capture = argc == 5 && strcmp(argv[4], "capture") == 0;
    if (argc != 4 && !may_capture && !burns)
        return fprintf(stderr, "usage: hostile UID SOCKET INTERFACE [capture] | hostile UID burn\n"), 2;
    uid_t user = (uid_t)atoi(argv[1]);
    if (user != 0 && (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user)))
        return perror(argv[1]), 1;
    path = argv[2];
    interface = burns ? NULL : argv[3];
    for (int index = 0; index < clients; index++) all[index].fd = -1;
    uint64_t turns = 0;
    int64_t start = now(CLOCK_MONOTONIC), cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, 0) == 0) {
        int64_t until = now(CLOCK_PROCESS_CPUTIME_ID) + step_ns;
        while (now(CLOCK_PROCESS_CPUTIME_ID) < until)
            if (!burns) misbehave((unsigned)(turns++ % clients));
        int64_t ahead = 2 * (now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) - (now(CLOCK_MONOTONIC) - start);
        if (ahead <= 0) continue;
        struct timespec pause = {ahead / 1000000000, ahead % 1000000000};
        nanosleep(&pause, NULL);
    }
    printf("cpu_ns=%lld turns=%llu connections=%llu requests=%llu answers=%llu refused=%llu gained=%llu peers=%llu "
           "bytes=%llu\n",
           (long long)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start), (unsigned long long)turns,
           (unsigned long long)connections, (unsigned long long)requests, (unsigned long long)answers,
           (unsigned long long)refused, (unsigned long long)gained, (unsigned long long)most_given,
           (unsigned long long)most_bytes);
    return 0;
}
