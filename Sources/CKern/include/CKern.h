// System calls that Swift's Glibc module lacks. Thin: no policy, no state.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// A non-blocking eventfd with close-on-exec, or a negative errno.
int swkern_event_open(void);
/// Makes an event readable.
void swkern_event_set(int fd);
/// Makes it unreadable again.
void swkern_event_clear(int fd);

/// Sleeps until a descriptor is readable: 1, 0 after the time-out (ns, negative: none), -EINTR when a signal came.
int swkern_wait_readable(int fd, int64_t timeout);

/// Copies bytes from or to memory of this process that may not be there: 0 or -EFAULT, never a signal.
int swkern_copy_in(void *to, uint64_t from, size_t length);
int swkern_copy_out(uint64_t to, const void *from, size_t length);

/// Copies machine code into pages of its own that are executable and not writable; they never were both. NULL when refused.
void *swkern_code_map(const void *code, size_t length);
/// Gives the pages back; the length is that of the mapping.
void swkern_code_unmap(void *code, size_t length);

/// This thread's record, which Kern makes and reads; NULL before the thread has one. One load.
extern _Thread_local void *swkern_thread_record __attribute__((tls_model("initial-exec")));
static inline void *swkern_thread(void) { return swkern_thread_record; }
/// Gives this thread a record; `gone` gets it when the thread ends. The first call's function serves all threads.
void swkern_thread_set(void *record, void (*gone)(void *record));

/// Whether locks are checked: in debug builds unless SWBPF_LOCKDEBUG is 0, in others if it is 1. Settled before main.
extern int swkern_lockdebug;
static inline int swkern_lockdebug_on(void) { return __builtin_expect(swkern_lockdebug, 0); }

/// Whether the kernel makes other threads' fences for us. (membarrier(2))
extern int swkern_barriers;
/// To be called once before the two fences are used.
void swkern_barriers_start(void);
/// Orders a store before a load, as seen by a thread between whose store and load lies a heavy fence.
static inline void swkern_light_fence(void) {
  if (__builtin_expect(swkern_barriers, 1))
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
  else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void swkern_heavy_fence(void);
