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
