// Local sockets: see swpcap_control.h.
#include "include/swpcap_control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(int fd, int directory, const char *temporary, const char *name, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, temporary);
  if (length < 0 || (size_t)length >= sizeof address.sun_path) return -ENAMETOOLONG;
  (void)unlinkat(directory, temporary, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) return -errno;
  if (fchmodat(directory, temporary, 0600, 0) == 0 && listen(fd, backlog) == 0 &&
      renameat(directory, temporary, directory, name) == 0)
    return 0;
  int error = errno;
  (void)unlinkat(directory, temporary, 0);
  return -error;
}

int swpcap_unix_listen(int directory, const char *temporary, const char *name, int backlog) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int result = listen_at(fd, directory, temporary, name, backlog);
  if (result == 0) return fd;
  close(fd);
  return result;
}

int swpcap_unix_accept(int fd) {
  int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return client < 0 ? -errno : client;
}

static int connect_to(int place) {
  struct stat status;
  if (fstat(place, &status) != 0) return -errno;
  if (!S_ISSOCK(status.st_mode)) return -ENOTSOCK;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

int swpcap_unix_connect(int directory, const char *name) {
  int place = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0) return -errno;
  int result = connect_to(place);
  close(place);
  return result;
}

int swpcap_unix_peer(int fd, uint32_t *uid, int32_t *pid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -errno;
  *uid = credentials.uid;
  *pid = credentials.pid;
  return 0;
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
