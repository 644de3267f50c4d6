#include "CKern.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int swkern_event_open(void) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

void swkern_event_set(int fd) {
  uint64_t one = 1;
  ssize_t done = write(fd, &one, sizeof one);
  (void)done;
}

void swkern_event_clear(int fd) {
  uint64_t count;
  ssize_t done = read(fd, &count, sizeof count);
  (void)done;
}

int swkern_wait_readable(int fd, int64_t timeout) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  struct timespec limit = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
  int result = ppoll(&one, 1, timeout < 0 ? NULL : &limit, NULL);
  return result < 0 ? -errno : result;
}

static int copied(ssize_t done, size_t length) { return done == (ssize_t)length ? 0 : -EFAULT; }

int swkern_copy_in(void *to, uint64_t from, size_t length) {
  if (length == 0) return 0;
  struct iovec local = {.iov_base = to, .iov_len = length};
  struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = length};
  return copied(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), length);
}

int swkern_copy_out(uint64_t to, const void *from, size_t length) {
  if (length == 0) return 0;
  struct iovec local = {.iov_base = (void *)(uintptr_t)from, .iov_len = length};
  struct iovec remote = {.iov_base = (void *)(uintptr_t)to, .iov_len = length};
  return copied(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), length);
}

void *swkern_code_map(const void *code, size_t length) {
  if (length == 0) return NULL;
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  memcpy(memory, code, length);
  if (mprotect(memory, length, PROT_READ | PROT_EXEC) != 0) {
    munmap(memory, length);
    return NULL;
  }
  // Nothing on x86-64; elsewhere the instruction cache may hold what was at these addresses before.
  __builtin___clear_cache((char *)memory, (char *)memory + length);
  return memory;
}

void swkern_code_unmap(void *code, size_t length) { munmap(code, length); }

_Thread_local void *swkern_thread_record __attribute__((tls_model("initial-exec")));
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static void (*thread_gone)(void *);

static void thread_end(void *record) {
  __atomic_load_n(&thread_gone, __ATOMIC_ACQUIRE)(record);
  swkern_thread_record = NULL;
}

static void thread_start(void) { pthread_key_create(&thread_key, thread_end); }

void swkern_thread_set(void *record, void (*gone)(void *)) {
  // The same function each time; written before any record can end.
  __atomic_store_n(&thread_gone, gone, __ATOMIC_RELEASE);
  pthread_once(&thread_once, thread_start);
  pthread_setspecific(thread_key, record);
  swkern_thread_record = record;
}

int swkern_lockdebug;

__attribute__((constructor)) static void lockdebug_start(void) {
  const char *wish = getenv("SWBPF_LOCKDEBUG");
#ifdef DEBUG
  swkern_lockdebug = wish == NULL || strcmp(wish, "0") != 0;
#else
  swkern_lockdebug = wish != NULL && strcmp(wish, "1") == 0;
#endif
}

int swkern_barriers;

void swkern_barriers_start(void) {
  swkern_barriers = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void swkern_heavy_fence(void) {
  if (!swkern_barriers || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
