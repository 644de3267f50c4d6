// Many descriptors waited for at once. (epoll)
//
// Functions return 0 (or a descriptor, or a count) when they worked and a negative errno when not.
#pragma once
#include <stdint.h>

int swpcap_poll_open(void);
/// Waits for `watched` to be readable, too; `tag` says which it was.
int swpcap_poll_add(int fd, int watched, uint64_t tag);
int swpcap_poll_remove(int fd, int watched);
/// Waits, for `timeout` ms or for ever with -1: the tags of up to `room` descriptors that can be read; how many.
int swpcap_poll_wait(int fd, uint64_t *tags, int room, int timeout);
