// Local sockets by descriptor of their directory, and the terminal.
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not. Paths go through
// /proc/self/fd, so that no name but the last can be exchanged under the caller.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// A listening socket (stream, non-blocking, close on exec, mode 0600) as `name` in a directory. It listens before it gets
/// that name: under it there is never a socket that refuses because it is new. `temporary` is its name until then.
int swpcap_unix_listen(int directory, const char *temporary, const char *name, int backlog);
/// Accepts one connection: non-blocking, close on exec.
int swpcap_unix_accept(int fd);
/// Connects to the socket `name` of a directory, which must not be a symbolic link: a non-blocking descriptor, -ECONNREFUSED
/// when nobody listens, -EAGAIN when the queue is full, -ENOTSOCK when it is something else.
int swpcap_unix_connect(int directory, const char *name);
/// Who is at the other end: for a client, the process that called listen, as it was then.
int swpcap_unix_peer(int fd, uint32_t *uid, int32_t *pid);
/// The group of the other end.
int swpcap_unix_peer_group(int fd, uint32_t *gid);
/// The supplementary groups of the other end, as they were when it connected (or listened): their number, or -ERANGE when
/// there are more than `room`.
int swpcap_unix_peer_groups(int fd, uint32_t *groups, int room);

/// Descriptors that one message may carry.
#define SWPCAP_MOST_DESCRIPTORS 4
/// The like of swpcap_unix_listen for a socket of messages (SOCK_SEQPACKET), of mode 0666: who may ask for what is decided
/// for each client.
int swpcap_message_listen(int directory, const char *temporary, const char *name, int backlog);
/// The like of swpcap_unix_connect for such a socket.
int swpcap_message_connect(int directory, const char *name);
/// Sends one message, with copies of descriptors, without waiting: -EAGAIN when there is no room.
int swpcap_message_send(int fd, const void *bytes, size_t length, const int *descriptors, int count);
/// Takes one message without waiting: its length, 0 at the end. `descriptors` has room for SWPCAP_MOST_DESCRIPTORS; they are
/// close-on-exec and the caller's. -EMSGSIZE: the message or its descriptors did not fit, and it is gone with them.
int64_t swpcap_message_receive(int fd, void *bytes, size_t room, int *descriptors, int *count);
/// Tells the service manager (sd_notify(3)): `path` is that of NOTIFY_SOCKET, @ for an abstract one.
int swpcap_notify(const char *path, const char *text);

/// The names of a directory, each with a NUL, `.` and `..` left out; as many as fit. The number of bytes used.
int64_t swpcap_directory_names(int directory, char *names, size_t room);

/// Remembers the terminal's settings, to be put back by swpcap_terminal_restore and by the death of the process: the
/// handlers of fatal signals do that, then let the signal have its way. One terminal of a process.
int swpcap_terminal_save(int fd);
/// Single keys, no echo; signals stay on.
int swpcap_terminal_keys(int fd);
/// Whole lines with echo, edited by the terminal.
int swpcap_terminal_lines(int fd);
/// The settings that were remembered; nothing without swpcap_terminal_save before, or in the background.
void swpcap_terminal_restore(int fd);
/// 1 when the calling process is in the terminal's foreground group.
int swpcap_terminal_foreground(int fd);
/// Blocks SIGTTOU and SIGTTIN in the calling thread and those that it starts: nothing it does with a terminal stops it.
void swpcap_terminal_never_stop(void);
/// Stops the process as the terminal's stop key does, though SIGTSTP is blocked. Returns when it goes on.
void swpcap_stop_self(void);
