// The daemon's protocol in C, for clients of the tests that Swift would not let us write: one that forks, and many that lie.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { magic = 0x73776270, version = 1, header_size = 20, largest = 64 << 10 };
enum {
    hello = 1, if_create = 16, if_destroy = 17, if_operation = 18, if_names = 20, sysctl_set = 33, key_open = 48, key_message = 49,
    bpf_open = 64, bpf_request = 65, bpf_attach = 66, bpf_write = 67, bpf_close = 68, peers = 80
};
enum {
    tag_namespace = 1, tag_pid = 2, tag_name = 6, tag_value = 9, tag_start = 12, tag_descriptor = 32, tag_slot_size = 33,
    tag_slots = 34, tag_nanoseconds = 35, tag_number = 37, tag_frame = 42, tag_program = 44
};

struct header {
    uint32_t magic;
    uint16_t version, kind;
    uint32_t id;
    int32_t error;
    uint32_t length;
};

struct message {
    struct header head;
    uint8_t body[largest];
};

struct answer {
    struct message message;
    size_t size;
    int fds[8];
    int count;
};

static inline int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline void begin(struct message *message, unsigned kind, uint32_t id) {
    message->head = (struct header){magic, version, (uint16_t)kind, id, 0, 0};
}

static inline void put(struct message *message, unsigned tag, const void *value, size_t size) {
    uint8_t *at = message->body + message->head.length;
    uint16_t words[2] = {(uint16_t)tag, (uint16_t)size};
    memcpy(at, words, 4);
    memcpy(at + 4, value, size);
    message->head.length += (uint32_t)(4 + size);
}

static inline void put32(struct message *message, unsigned tag, uint32_t value) { put(message, tag, &value, 4); }
static inline void put64(struct message *message, unsigned tag, uint64_t value) { put(message, tag, &value, 8); }

static inline void put_hello(struct message *message) {
    struct stat status = {0};
    stat("/proc/thread-self/ns/net", &status);
    uint64_t namespace[2] = {status.st_dev, status.st_ino};
    begin(message, hello, 0);
    put(message, tag_namespace, namespace, sizeof namespace);
    put32(message, tag_pid, (uint32_t)getpid());
}

static inline void put_open(struct message *message, uint32_t id, uint64_t slot_size, uint64_t slots) {
    begin(message, bpf_open, id);
    put64(message, tag_slot_size, slot_size);
    put64(message, tag_slots, slots);
    put(message, tag_nanoseconds, "\1", 1);
}

// A field's value; 0 when it is not there.
static inline uint32_t field32(const struct answer *answer, unsigned tag) {
    const uint8_t *at = answer->message.body, *end = at + answer->message.head.length;
    while (end - at >= 4) {
        uint16_t words[2];
        memcpy(words, at, 4);
        uint32_t value = 0;
        if (words[0] == tag && words[1] == 4 && end - at >= 8) return memcpy(&value, at + 4, 4), value;
        at += 4 + words[1];
    }
    return 0;
}

// A connection that never waits; -1 and errno.
static inline int join(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    return errno = error, -1;
}

static inline ssize_t say(int fd, const struct message *message) {
    return send(fd, message, header_size + message->head.length, MSG_NOSIGNAL);
}

// 1: an answer; 0: none yet; -1: the end.
static inline int hear(int fd, struct answer *answer) {
    struct iovec part = {&answer->message, sizeof answer->message};
    char control[CMSG_SPACE(sizeof answer->fds)];
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    answer->count = 0;
    ssize_t size = recvmsg(fd, &head, MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (size < header_size) return -1;
    answer->size = (size_t)size;
    struct cmsghdr *one = CMSG_FIRSTHDR(&head);
    if (one && one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS) {
        answer->count = (int)((one->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(answer->fds, CMSG_DATA(one), (size_t)answer->count * sizeof(int));
    }
    return 1;
}

// Sends and waits for the answer, 10 s at most; ends the program when there is none.
static inline void ask(int fd, const struct message *message, struct answer *answer, const char *what) {
    int64_t deadline = now(CLOCK_MONOTONIC) + INT64_C(10000000000);
    int said = 0, heard = 0;
    while (now(CLOCK_MONOTONIC) < deadline) {
        struct pollfd set = {.fd = fd, .events = POLLIN};
        if (!said && say(fd, message) > 0) said = 1;
        if (said) heard = hear(fd, answer);
        if (heard != 0) break;
        poll(&set, 1, 100);
    }
    if (heard == 1 && answer->message.head.error == 0) return;
    fprintf(stderr, "%s: %s\n", what, heard == 1 ? strerror(answer->message.head.error) : "no answer");
    exit(1);
}
