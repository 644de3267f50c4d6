// The process: capabilities, users, wake-ups, signals.
#pragma once
#include <stdint.h>

/// Gives up every capability of the calling thread, for good (effective, permitted, inheritable, ambient, and the bounding
/// set where that is allowed). Call it while the process has one thread. Uid and gid stay.
int swpcap_drop_capabilities(void);
/// Gives up every capability of the calling thread but these, for good; those of them that it has are effective afterwards.
/// Call it while the process has one thread.
int swpcap_keep_capabilities(const int *kept, int count);
/// 0 when the calling thread may open raw sockets in its network namespace (CAP_NET_RAW), -EPERM when not.
int swpcap_may_open_raw(void);
/// 0 when the calling thread may change interfaces of its network namespace (CAP_NET_ADMIN), -EPERM when not.
int swpcap_may_administer(void);
/// Lets the process have as many descriptors as it may allow itself.
int swpcap_raise_descriptor_limit(void);
/// The number of threads of the process; a negative errno.
int swpcap_thread_count(void);
/// Lowers the priority of the calling thread alone; nobody needs a right for that.
void swpcap_thread_nice(int nice);
/// Becomes USER for good: groups, gid, uid. -ENOENT: no such user.
int swpcap_become_user(const char *user);

/// An eventfd: non-blocking, close on exec.
int swpcap_event_open(void);
void swpcap_event_signal(int fd);
void swpcap_event_clear(int fd);

/// Blocks the signals of the list in the calling thread (and those that it starts) and returns a signalfd that reads them.
int swpcap_signal_open(const int *signals, int count);
/// Waits for the next signal; `timeout_ms` -1: for ever. The number, 0 after the time-out, or a negative errno.
int swpcap_signal_wait(int fd, int timeout_ms);
/// 1 when the signal is ignored by the process.
int swpcap_signal_ignored(int signal);
void swpcap_signal_ignore(int signal);

/// From now on this thread (and children) are refused PACKET_RX_RING with ENOPROTOOPT: a kernel without rings, for tests.
int swpcap_refuse_rings(void);
