// life NEAR FAR: closing under a reader, signals, namespaces, want of descriptors, and that nothing is left over.
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <swbpf.h>

#include "check.h"

static const char *near, *far;

static int attach(const char *name, unsigned immediate) {
  int bpf = swbpf_open("/dev/bpf", O_RDWR | O_CLOEXEC);
  struct swbpf_ifreq interface = {"", ""};
  strcpy(interface.name, name);
  CHECK(bpf >= 0 && swbpf_ioctl(bpf, BIOCSETIF, &interface) == 0);
  CHECK(swbpf_ioctl(bpf, BIOCIMMEDIATE, &immediate) == 0);
  return bpf;
}

static void rest(long milliseconds) { nanosleep(&(struct timespec){0, milliseconds * 1000000}, NULL); }

// ---- A device is closed while a thread reads from it.

static void *read_until_closed(void *argument) {
  int bpf = *(int *)argument;
  char *buffer = malloc(32768);
  ssize_t count;
  while ((count = swbpf_read(bpf, buffer, 32768)) > 0) continue;
  free(buffer);
  return (void *)(long)(count < 0 ? errno : 0);
}

static void *attach_until_closed(void *argument) {
  struct swbpf_ifreq interface = {"", ""};
  strcpy(interface.name, near);
  while (swbpf_ioctl(*(int *)argument, BIOCSETIF, &interface) == 0) continue;
  return (void *)(long)errno;
}

static void closing(void) {
  for (int round = 0; round < 60; round++) {
    int bpf = attach(near, 1);
    pthread_t reader, mover;
    void *error;
    CHECK(pthread_create(&reader, NULL, read_until_closed, &bpf) == 0);
    // In every third round it is attached again and again meanwhile.
    if (round % 3 == 0) CHECK(pthread_create(&mover, NULL, attach_until_closed, &bpf) == 0);
    if (round % 2) rest(5);
    CHECK(swbpf_close(bpf) == 0);
    CHECK(pthread_join(reader, &error) == 0);
    // Asleep when it was closed, or too late to find it.
    CHECK((long)error == ENXIO || (long)error == EBADF);
    if (round % 3 == 0) CHECK(pthread_join(mover, &error) == 0 && (long)error == EBADF);
  }
}

// ---- A signal handler ends a read, and no frame is lost by it.

static void on_alarm(int number) { (void)number; }

static void signals(void) {
  struct sigaction action = {.sa_handler = on_alarm};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  int reader = attach(near, 0), writer = attach(far, 0);
  unsigned on = 1;
  CHECK(swbpf_ioctl(writer, BIOCSHDRCMPLT, &on) == 0);
  unsigned char frame[60];
  make_frame(frame, sizeof frame, 5);
  CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
  // No thread of the library takes the signal: it is this one that the read is interrupted in.
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 20000}, {0, 20000}}, NULL) == 0);
  char *buffer = malloc(32768);
  CHECK_ERRNO(swbpf_read(reader, buffer, 32768), EINTR);
  CHECK_ERRNO(swbpf_read(reader, buffer, 32768), EINTR);
  CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL) == 0);
  CHECK(swbpf_ioctl(reader, BIOCIMMEDIATE, &on) == 0);
  CHECK(swbpf_read(reader, buffer, 32768) == 26 + (ssize_t)sizeof frame);
  CHECK(memcmp(buffer + 26, frame, sizeof frame) == 0);
  free(buffer);
  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
}

// ---- The signal of a device goes to its owner, and to nobody else. (The numbers are those of FIOSETOWN and FIOASYNC)

static atomic_int told;

static void on_input(int number) {
  (void)number;
  atomic_fetch_add(&told, 1);
}

static void owner(void) {
  struct sigaction action = {.sa_handler = on_input};
  CHECK(sigaction(SIGIO, &action, NULL) == 0);
  int reader = attach(near, 1), writer = attach(far, 0), everybody = -1, nobody = 1 << 24, self = getpid(), on = 1;
  CHECK_ERRNO(swbpf_ioctl(reader, 0x8004667cUL, &everybody), ESRCH);
  CHECK_ERRNO(swbpf_ioctl(reader, 0x8004667cUL, &nobody), ESRCH);
  CHECK(swbpf_ioctl(reader, 0x8004667cUL, &self) == 0 && swbpf_ioctl(reader, 0x8004667dUL, &on) == 0);
  unsigned char frame[60];
  make_frame(frame, sizeof frame, 6);
  CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
  for (int try = 0; try < 500 && atomic_load(&told) == 0; try++) rest(10);
  CHECK(atomic_load(&told) > 0);
  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
}

// ---- The time-out of a read is that of poll, too: what is stored is ready after it, without a full buffer.

static void timer(void) {
  int reader = attach(near, 0), writer = attach(far, 0);
  struct timeval limit = {0, 50000};
  CHECK(swbpf_ioctl(reader, BIOCSRTIMEOUT, &limit) == 0);
  unsigned char frame[60];
  make_frame(frame, sizeof frame, 6);
  CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
  struct pollfd one = {.fd = reader, .events = POLLIN, .revents = 0};
  CHECK(poll(&one, 1, 10000) == 1 && one.revents == POLLIN);
  char *buffer = malloc(32768);
  CHECK(swbpf_read(reader, buffer, 32768) == 26 + (ssize_t)sizeof frame);
  CHECK(poll(&one, 1, 0) == 0);
  // A time that no clock can hold is a long one.
  limit = (struct timeval){0x7fffffffffffffff, 999999};
  CHECK(swbpf_ioctl(reader, BIOCSRTIMEOUT, &limit) == 0);
  limit = (struct timeval){9223372036, 999999};
  CHECK(swbpf_ioctl(reader, BIOCSRTIMEOUT, &limit) == 0);
  CHECK(poll(&one, 1, 20) == 0);
  CHECK(swbpf_ioctl(reader, BIOCGRTIMEOUT, &limit) == 0 && limit.tv_sec > 1000000000);
  free(buffer);
  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
}

// ---- Names are those of the namespace of the thread that asks.

static void *elsewhere(void *argument) {
  int bpf = *(int *)argument;
  if (unshare(CLONE_NEWNET) != 0) return (void *)1;
  struct swbpf_ifreq interface = {"", ""};
  strcpy(interface.name, near);
  CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSETIF, &interface), ENXIO);
  int other = attach("lo", 1);
  CHECK(swbpf_close(other) == 0);
  return NULL;
}

static void namespaces(void) {
  int reader = attach(near, 1), writer = attach(far, 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, elsewhere, &reader) == 0);
  void *result;
  CHECK(pthread_join(thread, &result) == 0 && result == NULL);
  unsigned char frame[60];
  make_frame(frame, sizeof frame, 7);
  CHECK(swbpf_write(writer, frame, sizeof frame) == (ssize_t)sizeof frame);
  char *buffer = malloc(32768);
  CHECK(swbpf_read(reader, buffer, 32768) >= 26 + (ssize_t)sizeof frame);
  free(buffer);
  CHECK(swbpf_close(reader) == 0 && swbpf_close(writer) == 0);
}

// ---- Nothing is left: no descriptor of the system, no thread of an engine.

static int entries(const char *path) {
  DIR *folder = opendir(path);
  CHECK(folder != NULL);
  int count = 0;
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static int settles(const char *path, int count) {
  for (int try = 0; try < 500 && entries(path) > count; try++) rest(10);
  return entries(path) <= count;
}

static void leftovers(void) {
  CHECK(swbpf_close(attach(near, 1)) == 0);
  rest(100);
  int files = entries("/proc/self/fd"), tasks = entries("/proc/self/task");
  for (int round = 0; round < 30; round++) {
    int first = attach(near, 1), second = attach(far, 1);
    struct swbpf_ifreq interface = {"", ""};
    snprintf(interface.name, sizeof interface.name, "none%d", round);
    CHECK_ERRNO(swbpf_ioctl(first, BIOCSETIF, &interface), ENXIO);
    CHECK(swbpf_close(first) == 0 && swbpf_close(second) == 0);
  }
  CHECK(settles("/proc/self/fd", files) && settles("/proc/self/task", tasks));
  // Names that are not there cost an open device nothing either.
  int bpf = attach(near, 1);
  files = entries("/proc/self/fd");
  for (int round = 0; round < 30; round++) {
    struct swbpf_ifreq interface = {"", ""};
    snprintf(interface.name, sizeof interface.name, "none%d", round);
    CHECK_ERRNO(swbpf_ioctl(bpf, BIOCSETIF, &interface), ENXIO);
  }
  CHECK(entries("/proc/self/fd") <= files && swbpf_close(bpf) == 0);
}

// ---- However few descriptors the system has left, calls fail or work, and later ones work again.

static void exhaustion(void) {
  struct rlimit old, tight;
  CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
  tight = old;
  for (rlim_t left = 0; left < 16; left++) {
    int lowest = dup(STDERR_FILENO);
    CHECK(lowest >= 0 && close(lowest) == 0);
    tight.rlim_cur = (rlim_t)lowest + left;
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    int bpf = swbpf_open(NULL, O_RDWR);
    CHECK(bpf >= 0 || errno == EMFILE);
    if (bpf >= 0) {
      struct swbpf_ifreq interface = {"", ""};
      strcpy(interface.name, near);
      unsigned char frame[60];
      make_frame(frame, sizeof frame, 8);
      CHECK(swbpf_ioctl(bpf, BIOCSETIF, &interface) == 0 || errno == EMFILE);
      CHECK(swbpf_write(bpf, frame, sizeof frame) > 0 || errno == EMFILE || errno == ENXIO);
      CHECK(swbpf_close(bpf) == 0);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(swbpf_close(attach(near, 1)) == 0);
  }
}

int main(int count, char **words) {
  if (count != 3) return 2;
  near = words[1];
  far = words[2];
  closing();
  signals();
  owner();
  timer();
  namespaces();
  leftovers();
  exhaustion();
  puts("life: ok");
  return 0;
}
