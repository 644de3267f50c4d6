// Broken clients of a control socket, or an innocent program that burns as much CPU: `hammer SOCKET` or `hammer burn`.
//
// A hundred connections are kept open; in turn each is made anew and does one of four wrong things: says nothing, sends half
// a request, sends what is no request, asks and never reads. Both forms stay at half a core of CPU time, in steps of 2 ms.
// Runs until standard input ends, then says `cpu_ns=N connections=N`.
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { clients = 100, step_ns = 2000000 };

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int break_rules(const struct sockaddr_un *address, unsigned number) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        close(fd);
        return -1;
    }
    static const char *const requests[] = {"", "swbpf/1 sta", "GET / HTTP/1.1\r\n\r\n", "swbpf/1 status\n"};
    const char *request = requests[number % 4];
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
    return fd;
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: hammer SOCKET|burn\n");
        return 2;
    }
    int burns = strcmp(argv[1], "burn") == 0;
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    int fds[clients];
    memset(fds, -1, sizeof fds);
    uint64_t turns = 0, connections = 0;
    int64_t start = now(CLOCK_MONOTONIC), cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, 0) == 0) {
        int64_t until = now(CLOCK_PROCESS_CPUTIME_ID) + step_ns;
        while (now(CLOCK_PROCESS_CPUTIME_ID) < until) {
            if (burns) continue;
            int *fd = &fds[turns % clients];
            if (*fd >= 0) close(*fd);
            *fd = break_rules(&address, (unsigned)(turns++ / 3));
            if (*fd >= 0) connections++;
        }
        int64_t ahead = 2 * (now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) - (now(CLOCK_MONOTONIC) - start);
        if (ahead <= 0) continue;
        struct timespec pause = {ahead / 1000000000, ahead % 1000000000};
        nanosleep(&pause, NULL);
    }
    printf("cpu_ns=%lld connections=%llu\n", (long long)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start),
           (unsigned long long)connections);
    return 0;
}
