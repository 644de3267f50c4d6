// epoll: see swpcap_poll.h.
#include "include/swpcap_poll.h"

#include <errno.h>
#include <sys/epoll.h>

#define MOST 64

int swpcap_poll_open(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int swpcap_poll_add(int fd, int watched, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
  return epoll_ctl(fd, EPOLL_CTL_ADD, watched, &event) == 0 ? 0 : -errno;
}

int swpcap_poll_remove(int fd, int watched) {
  struct epoll_event event = {0};
  return epoll_ctl(fd, EPOLL_CTL_DEL, watched, &event) == 0 ? 0 : -errno;
}

int swpcap_poll_wait(int fd, uint64_t *tags, int room, int timeout) {
  struct epoll_event events[MOST];
  int count = epoll_wait(fd, events, room < MOST ? room : MOST, timeout);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) tags[i] = events[i].data.u64;
  return count;
}
