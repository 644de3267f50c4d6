// Two processes read one descriptor of the daemon's: `fork SOCKET INTERFACE`.
//
// It is opened and attached, with frames cut at 86 bytes, then the process forks and both read in a loop and wait at most
// 100 ms, until standard input ends. Where they are stands in the page that the reader writes, behind the word that is the
// daemon's, under a lock of their own. Each says how many records it took; together they must have seen every number of
// `numbered` payloads (a UDP datagram's first 8 bytes, IPv4 without options) once: the parent says `missing=N doubled=N`.
#include "client.h"

enum { slot_size = 64 << 10, slots = 64, entries = 8, most = 1 << 20, snap = 86, page = 4096 };

struct place {
    atomic_int taken;
    uint64_t sequence, offset;
};

struct shared {
    _Atomic uint64_t returned;
    struct place place;
};

static _Atomic uint64_t *words;
static uint8_t *base;
static struct shared *own;
static _Atomic uint8_t *seen;

static void note(const uint8_t *record, uint32_t length) {
    uint64_t number = 0;
    // Family, IPv4, UDP, number.
    if (length < 4 + 20 + 8 + 8 || record[4] != 0x45 || record[13] != 17) return;
    for (int index = 0; index < 8; index++) number = number << 8 | record[32 + index];
    if (number < most) atomic_fetch_add(&seen[number], 1);
}

// Takes what is there; how many records that were.
static uint64_t take(void) {
    int none = 0;
    uint64_t count = 0;
    if (!atomic_compare_exchange_strong(&own->place.taken, &none, 1)) return 0;
    while (1) {
        uint64_t newest = atomic_load(&words[0]), number = own->place.sequence;
        uint64_t entry = entries + 2 * (number % slots);
        uint64_t fill = atomic_load(&words[entry]) & UINT32_MAX, place = atomic_load(&words[entry + 1]);
        if (place >= slots || fill > slot_size || number > newest) exit(3);
        // A few at a time, so that both get some.
        for (int turn = 0; turn < 16 && own->place.offset < fill; turn++) {
            const uint8_t *record = base + place * slot_size + own->place.offset;
            uint32_t length;
            memcpy(&length, record + 8, 4);
            if (length > snap || own->place.offset + 16 + length > fill) exit(4);
            note(record + 16, length);
            own->place.offset += 16 + length;
            count++;
        }
        if (own->place.offset < fill || number == newest) break;
        own->place.sequence++;
        own->place.offset = 0;
        atomic_store(&own->returned, own->place.sequence << 32);
    }
    atomic_store(&own->place.taken, 0);
    return count;
}

static uint64_t read_all(int wakes) {
    uint64_t count = 0;
    char bytes[64];
    while (1) {
        struct pollfd set[2] = {{.fd = wakes, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        uint64_t some = take();
        count += some;
        if (some) {
            sched_yield();
            continue;
        }
        // It sleeps: another number below than before.
        atomic_fetch_add(&own->returned, 1);
        poll(set, 2, 100);
        (void)!read(wakes, bytes, sizeof bytes);
        if (set[1].revents != 0 && take() == 0 && own->place.taken == 0) return count;
    }
}

int main(int argc, char **argv) {
    static struct message message;
    static struct answer answer;
    if (argc != 3) return fprintf(stderr, "usage: fork SOCKET INTERFACE\n"), 2;
    int fd = join(argv[1]);
    if (fd < 0) return perror(argv[1]), 1;
    put_hello(&message);
    ask(fd, &message, &answer, "hello");
    put_open(&message, 2, slot_size, slots);
    ask(fd, &message, &answer, "open");
    uint32_t descriptor = field32(&answer, tag_descriptor);
    if (answer.count != 3) return 1;
    size_t size = ((entries + 2 * slots) * 8 + page - 1) & ~(size_t)(page - 1);
    words = mmap(NULL, size + slot_size * slots, PROT_READ, MAP_SHARED, answer.fds[0], 0);
    own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, answer.fds[1], 0);
    seen = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED || own == MAP_FAILED || seen == MAP_FAILED) return perror("mmap"), 1;
    base = (uint8_t *)words + size;
    int wakes = answer.fds[2];
    // ret #86
    static const uint8_t program[8] = {6, 0, 0, 0, snap};
    begin(&message, bpf_request, 3);
    put32(&message, tag_descriptor, descriptor);
    put32(&message, tag_number, 3);
    put(&message, tag_program, program, sizeof program);
    ask(fd, &message, &answer, "program");
    begin(&message, bpf_attach, 4);
    put32(&message, tag_descriptor, descriptor);
    put(&message, tag_name, argv[2], strlen(argv[2]));
    ask(fd, &message, &answer, "attach");
    pid_t child = fork();
    if (child < 0) return perror("fork"), 1;
    if (child > 0) {
        printf("reading\n");
        fflush(stdout);
    }
    uint64_t count = read_all(wakes);
    if (child == 0) {
        printf("child=%llu\n", (unsigned long long)count);
        return 0;
    }
    int status;
    waitpid(child, &status, 0);
    uint64_t last = 0, missing = 0, doubled = 0;
    for (uint64_t number = 0; number < most; number++) {
        if (seen[number] > 0) last = number + 1;
        doubled += seen[number] > 1;
    }
    for (uint64_t number = 0; number < last; number++) missing += seen[number] == 0;
    printf("parent=%llu status=%d last=%llu missing=%llu doubled=%llu\n", (unsigned long long)count, status,
           (unsigned long long)last, (unsigned long long)missing, (unsigned long long)doubled);
    return 0;
}
