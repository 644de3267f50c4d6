// Clients of the daemon that come, attach, change what they want, leave and die: `storm UID SOCKET INTERFACE PROCESSES`.
//
// So many processes at a time, each for a few rounds. A round is a connection with up to three descriptors, each attached to
// the interface; then direction, program, promiscuous mode, flush, some of it twice. It ends in one of five ways: everything
// is given back in order, the connection is closed, the process exits with requests under way, or it is killed by SIGKILL,
// asleep or while it scribbles over its word. Runs until standard input ends, then says what happened.
#include "client.h"
#include <sys/prctl.h>

enum { direction = 4, program = 3, detach = 2, tag_direction = 41, tag_flushes = 45, most = 64 };

struct counts {
    _Atomic uint64_t rounds, attached, killed, failed;
};

static struct counts *all;
static const char *path, *interface;
static struct message message;
static struct answer answer;
static unsigned seed;

static unsigned any(void) { return (unsigned)rand_r(&seed); }

static void of(unsigned kind, uint32_t descriptor, uint32_t number) {
    static uint32_t id = 10;
    begin(&message, kind, ++id);
    put32(&message, tag_descriptor, descriptor);
    if (number != 0) put32(&message, tag_number, number);
}

// One round; 0 when the daemon would not have it now.
static int play(void) {
    int fd = join(path);
    if (fd < 0) return 0;
    put_hello(&message);
    ask(fd, &message, &answer, "hello");
    uint32_t open[3];
    _Atomic uint64_t *word = NULL;
    unsigned count = 1 + any() % 3;
    int wakes = -1;
    for (unsigned index = 0; index < count; index++) {
        put_open(&message, 2 + index, 4096u << any() % 5, 2 + any() % 15);
        ask(fd, &message, &answer, "open");
        open[index] = field32(&answer, tag_descriptor);
        if (answer.count != 3) exit(5);
        if (word) munmap((void *)word, 4096);
        word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, answer.fds[1], 0);
        if (word == MAP_FAILED) exit(6);
        if (wakes >= 0) close(wakes);
        wakes = answer.fds[2];
        close(answer.fds[0]);
        close(answer.fds[1]);
        of(bpf_attach, open[index], 0);
        put(&message, tag_name, interface, strlen(interface));
        ask(fd, &message, &answer, "attach");
        atomic_fetch_add(&all->attached, 1);
    }
    for (unsigned turn = any() % 6; turn > 0; turn--) {
        uint32_t one = open[any() % count];
        static const uint8_t nothing[8] = {6}, some[8] = {6, 0, 0, 0, 60};
        switch (any() % 5) {
            case 0:
                of(bpf_request, one, direction);
                put32(&message, tag_direction, any() % 3);
                break;
            case 1:
                of(bpf_request, one, program);
                put(&message, tag_flushes, any() % 2 ? "\1" : "\0", 1);
                put(&message, tag_program, any() % 2 ? nothing : some, 8);
                break;
            case 2: of(bpf_request, one, 0x20004269); break;
            case 3: of(bpf_request, one, 0x20004268); break;
            default:
                of(bpf_attach, one, 0);
                put(&message, tag_name, interface, strlen(interface));
                break;
        }
        ask(fd, &message, &answer, "request");
    }
    struct pollfd set = {.fd = wakes, .events = POLLIN};
    atomic_fetch_add(&all->rounds, 1);
    switch (any() % 5) {
        case 0:
            for (unsigned index = 0; index < count; index++) {
                of(bpf_request, open[index], detach);
                ask(fd, &message, &answer, "detach");
                of(bpf_close, open[index], 0);
                ask(fd, &message, &answer, "close");
            }
            break;
        case 1: break;
        case 2:
            of(bpf_request, open[0], 0x20004268);
            say(fd, &message);
            _exit(0);
        case 3:
            atomic_store(word, 1);
            poll(&set, 1, (int)(any() % 4));
            atomic_fetch_add(&all->killed, 1);
            kill(getpid(), SIGKILL);
            break;
        default:
            atomic_fetch_add(&all->killed, 1);
            for (unsigned turn = 0; turn < 1000; turn++) atomic_store(word, (uint64_t)any() << 32 | any());
            kill(getpid(), SIGKILL);
            break;
    }
    munmap((void *)word, 4096);
    close(wakes);
    close(fd);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: storm UID SOCKET INTERFACE PROCESSES\n"), 2;
    uid_t user = (uid_t)atoi(argv[1]);
    if (user != 0 && (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user)))
        return perror(argv[1]), 1;
    path = argv[2];
    interface = argv[3];
    int processes = atoi(argv[4]), running = 0, status;
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || processes < 1 || processes > most) return 1;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    uint64_t born = 0;
    while (poll(&input, 1, 0) == 0) {
        while (running < processes) {
            pid_t parent = getpid(), child = fork();
            if (child < 0) return perror("fork"), 1;
            running++;
            born++;
            if (child > 0) continue;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent) _exit(1);
            seed = (unsigned)born * 7919;
            for (unsigned round = 0; round < 8;) {
                struct timespec pause = {0, 1000000};
                round += (unsigned)play();
                nanosleep(&pause, NULL);
            }
            _exit(0);
        }
        if (waitpid(-1, &status, 0) > 0) {
            running--;
            if (WIFEXITED(status) && WEXITSTATUS(status) != 0) atomic_fetch_add(&all->failed, 1);
        }
    }
    while (waitpid(-1, &status, 0) > 0)
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) atomic_fetch_add(&all->failed, 1);
    printf("processes=%llu rounds=%llu attached=%llu killed=%llu failed=%llu\n", (unsigned long long)born,
           (unsigned long long)all->rounds, (unsigned long long)all->attached, (unsigned long long)all->killed,
           (unsigned long long)all->failed);
    return 0;
}
