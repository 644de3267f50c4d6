// Memory that is shared with another process by descriptor, and the pipe that wakes its reader.
//
// Functions return 0 (or a descriptor) when they worked and a negative errno when not.
#pragma once
#include <stddef.h>

/// Memory of a fixed size, all zero, close on exec. Its size cannot be changed by anybody.
int swpcap_shared_open(const char *name, size_t size);
/// Nobody gets another writable mapping, or writes in another way; those that are there stay. And no seal is added any more.
int swpcap_shared_seal_reading(int fd);
/// No seal is added any more.
int swpcap_shared_seal(int fd);
/// 0 when the memory has at least `size` bytes and can never shrink: an access inside cannot fail.
int swpcap_shared_check(int fd, size_t size);
/// A pipe of one page, both ends close on exec and never waiting: reading end first. The ends have flags of their own, so
/// who has the reading end cannot make the writer wait.
int swpcap_wake_open(int ends[2]);
/// Has the kernel raise a signal at a process (or, negative, a process group) whenever something is written to the pipe; it
/// asks then whether this process may signal that one. 0 as the signal, or as the owner: none.
int swpcap_wake_signal(int fd, int owner, int number);
/// Sleeps until the writer of the reading end `fd` is gone (1), or the event can be read (0); it stays set.
int swpcap_wake_wait(int fd, int event);
/// Empties the reading end: 1 when the writer is there, 0 when it is gone.
int swpcap_wake_clear(int fd);
