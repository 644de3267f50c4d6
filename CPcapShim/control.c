// Local sockets: see swpcap_control.h.
#include "include/swpcap_control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(int fd, int directory, const char *temporary, const char *name, mode_t mode, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, temporary);
  if (length < 0 || (size_t)length >= sizeof address.sun_path) return -ENAMETOOLONG;
  (void)unlinkat(directory, temporary, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -errno;
  if (fchmodat(directory, temporary, mode, 0) == 0 && listen(fd, backlog) == 0 &&
      renameat(directory, temporary, directory, name) == 0)
    return 0;
  int error = errno;
  (void)unlinkat(directory, temporary, 0);
  return -error;
}

static int listen_as(int type, int directory, const char *temporary, const char *name, mode_t mode, int backlog) {
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int result = listen_at(fd, directory, temporary, name, mode, backlog);
  if (result == 0) return fd;
  close(fd);
  return result;
}

int swpcap_unix_listen(int directory, const char *temporary, const char *name, int backlog) {
  return listen_as(SOCK_STREAM, directory, temporary, name, 0600, backlog);
}

int swpcap_message_listen(int directory, const char *temporary, const char *name, int backlog) {
  return listen_as(SOCK_SEQPACKET, directory, temporary, name, 0666, backlog);
}

int swpcap_unix_accept(int fd) {
  int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return client < 0 ? -errno : client;
}

static int connect_to(int place, int type) {
  struct stat status;
  if (fstat(place, &status) != 0) return -errno;
  if (!S_ISSOCK(status.st_mode)) return -ENOTSOCK;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

static int connect_as(int type, int directory, const char *name) {
  int place = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0) return -errno;
  int result = connect_to(place, type);
  close(place);
  return result;
}

int swpcap_unix_connect(int directory, const char *name) { return connect_as(SOCK_STREAM, directory, name); }

int swpcap_message_connect(int directory, const char *name) { return connect_as(SOCK_SEQPACKET, directory, name); }

int swpcap_unix_peer(int fd, uint32_t *uid, int32_t *pid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -errno;
  *uid = credentials.uid;
  *pid = credentials.pid;
  return 0;
}

int swpcap_unix_peer_group(int fd, uint32_t *gid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -errno;
  *gid = credentials.gid;
  return 0;
}

int swpcap_unix_peer_groups(int fd, uint32_t *groups, int room) {
  socklen_t length = (socklen_t)room * sizeof *groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return -errno;
  return (int)(length / sizeof *groups);
}

int swpcap_message_send(int fd, const void *bytes, size_t length, const int *descriptors, int count) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * SWPCAP_MOST_DESCRIPTORS)];
    struct cmsghdr aligned;
  } control;
  if (count < 0 || count > SWPCAP_MOST_DESCRIPTORS) return -EINVAL;
  struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)count);
  }
  ssize_t result;
  do result = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

int64_t swpcap_message_receive(int fd, void *bytes, size_t room, int *descriptors, int *count) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * SWPCAP_MOST_DESCRIPTORS)];
    struct cmsghdr aligned;
  } control;
  struct iovec part = {.iov_base = bytes, .iov_len = room};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *count = 0;
  ssize_t result;
  do result = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t number = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < number; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      if (*count < SWPCAP_MOST_DESCRIPTORS)
        descriptors[(*count)++] = descriptor;
      else
        close(descriptor);
    }
  }
  // The kernel closes those for which there was no room; a part of a message is none.
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) return result;
  for (int i = 0; i < *count; i++) close(descriptors[i]);
  *count = 0;
  return -EMSGSIZE;
}

int swpcap_notify(const char *path, const char *text) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return -EINVAL;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size);
  int error = errno;
  close(fd);
  return sent < 0 ? -error : 0;
}

int64_t swpcap_directory_names(int directory, char *names, size_t room) {
  // A descriptor of its own: the place in the list is not shared with the caller's.
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  DIR *list = fdopendir(fd);
  if (list == NULL) {
    int error = errno;
    close(fd);
    return -error;
  }
  size_t used = 0;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    size_t length = strlen(entry->d_name) + 1;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (length > room - used) break;
    memcpy(names + used, entry->d_name, length);
    used += length;
  }
  closedir(list);
  return (int64_t)used;
}
