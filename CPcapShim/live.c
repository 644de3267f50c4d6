// libpcap's live handles: see swpcap_live.h.
#include "include/swpcap_live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct packet {
  struct swpcap_record record;
  size_t offset;
};

struct swpcap_live {
  pcap_t *handle;
  int nanoseconds;
  // The packets of one dispatch: libpcap's own bytes are gone when its callback returns.
  struct packet *packets;
  int count, room;
  uint8_t *bytes;
  size_t used, size;
  int out_of_memory;
  uint32_t last_dropped;
  uint64_t dropped;
};

static void copy_text(char *errbuf, const char *text) { snprintf(errbuf, SWPCAP_ERRBUF, "%s", text); }

int swpcap_device_list(struct swpcap_device *devices, int room, char *errbuf) {
  char text[PCAP_ERRBUF_SIZE] = "";
  pcap_if_t *list = NULL;
  if (pcap_findalldevs(&list, text) != 0) {
    copy_text(errbuf, text);
    return SWPCAP_ERROR;
  }
  int count = 0;
  for (const pcap_if_t *one = list; one != NULL; one = one->next, count++) {
    if (count >= room) continue;
    snprintf(devices[count].name, sizeof devices[count].name, "%s", one->name);
    snprintf(devices[count].description, sizeof devices[count].description, "%s",
             one->description != NULL ? one->description : "");
    devices[count].flags = one->flags;
  }
  pcap_freealldevs(list);
  return count;
}

static int failure(pcap_t *handle, int status, char *errbuf) {
  const char *text = pcap_geterr(handle);
  copy_text(errbuf, text[0] != 0 ? text : pcap_statustostr(status));
  // Some devices say only in words that it was a matter of rights.
  if (strstr(text, strerror(EPERM)) != NULL || strstr(text, strerror(EACCES)) != NULL) return -EPERM;
  switch (status) {
  case PCAP_ERROR_PERM_DENIED: return -EPERM;
  case PCAP_ERROR_NO_SUCH_DEVICE: return text[0] != 0 ? SWPCAP_ERROR : -ENXIO;
  default: return SWPCAP_ERROR;
  }
}

/// The kernel keeps logged packets of a group back for a second, or until there are a hundred: make that 10 ms.
static void hasten(pcap_t *handle, uint16_t group) {
  struct {
    struct nlmsghdr header;
    struct nfgenmsg message;
    struct nlattr attribute;
    uint32_t value;
  } request = {
      .header = {.nlmsg_len = sizeof request,
                 .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
                 .nlmsg_flags = NLM_F_REQUEST},
      .message = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group)},
      .attribute = {.nla_len = sizeof(struct nlattr) + 4, .nla_type = NFULA_CFG_TIMEOUT},
      .value = htonl(1),
  };
  // A kernel that refuses is as slow as it was.
  (void)send(pcap_get_selectable_fd(handle), &request, sizeof request, 0);
}

/// `nflog`, `nflog:5`, `nflog:5,6`
static void hasten_groups(pcap_t *handle, const char *name) {
  if (strncmp(name, "nflog", 5) != 0) return;
  const char *place = strchr(name, ':');
  if (place == NULL) return hasten(handle, 0);
  for (; place != NULL; place = strchr(place + 1, ',')) hasten(handle, (uint16_t)strtoul(place + 1, NULL, 10));
}

struct swpcap_live *swpcap_live_open(const char *name, int snaplen, int linktype, int *error, char *errbuf) {
  char text[PCAP_ERRBUF_SIZE] = "";
  struct swpcap_live *live = calloc(1, sizeof *live);
  pcap_t *handle = live != NULL ? pcap_create(name, text) : NULL;
  if (handle == NULL) {
    free(live);
    copy_text(errbuf, text[0] != 0 ? text : strerror(ENOMEM));
    *error = SWPCAP_ERROR;
    return NULL;
  }
  live->handle = handle;
  (void)pcap_set_snaplen(handle, snaplen);
  (void)pcap_set_immediate_mode(handle, 1);
  (void)pcap_set_timeout(handle, 10);
  (void)pcap_set_buffer_size(handle, 8 << 20);
  (void)pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
  int status = pcap_activate(handle);
  if (status < 0) {
    *error = failure(handle, status, errbuf);
  } else if (linktype >= 0 && pcap_datalink(handle) != linktype && pcap_set_datalink(handle, linktype) != 0) {
    *error = SWPCAP_ERROR;
    copy_text(errbuf, pcap_geterr(handle));
  } else if (pcap_setnonblock(handle, 1, text) != 0) {
    *error = SWPCAP_ERROR;
    copy_text(errbuf, text);
  } else {
    hasten_groups(handle, name);
    live->nanoseconds = pcap_get_tstamp_precision(handle) == PCAP_TSTAMP_PRECISION_NANO;
    return live;
  }
  swpcap_live_close(live);
  return NULL;
}

void swpcap_live_close(struct swpcap_live *live) {
  if (live == NULL) return;
  pcap_close(live->handle);
  free(live->packets);
  free(live->bytes);
  free(live);
}

int swpcap_live_linktype(const struct swpcap_live *live) { return pcap_datalink(live->handle); }

int swpcap_live_linktypes(struct swpcap_live *live, int *linktypes, int room) {
  int *list = NULL;
  int count = pcap_list_datalinks(live->handle, &list);
  if (count <= 0) return 0;
  for (int i = 0; i < count && i < room; i++) linktypes[i] = list[i];
  pcap_free_datalinks(list);
  return count < room ? count : room;
}

int swpcap_live_descriptor(const struct swpcap_live *live) { return pcap_get_selectable_fd(live->handle); }

int swpcap_live_period(const struct swpcap_live *live) {
  const struct timeval *period = pcap_get_required_select_timeout(live->handle);
  if (period == NULL) return pcap_get_selectable_fd(live->handle) < 0 ? 10 : -1;
  long ms = period->tv_sec * 1000 + period->tv_usec / 1000;
  return ms < 1 ? 1 : ms > 1000 ? 1000 : (int)ms;
}

static void keep(u_char *argument, const struct pcap_pkthdr *header, const u_char *data) {
  struct swpcap_live *live = (struct swpcap_live *)argument;
  if (live->count == live->room) {
    int room = live->room == 0 ? 64 : live->room * 2;
    struct packet *packets = realloc(live->packets, (size_t)room * sizeof *packets);
    if (packets == NULL) {
      live->out_of_memory = 1;
      return;
    }
    live->packets = packets;
    live->room = room;
  }
  if (live->size - live->used < header->caplen) {
    size_t size = (live->used + header->caplen) * 2 + 65536;
    uint8_t *bytes = realloc(live->bytes, size);
    if (bytes == NULL) {
      live->out_of_memory = 1;
      return;
    }
    live->bytes = bytes;
    live->size = size;
  }
  struct packet *packet = &live->packets[live->count++];
  packet->record = (struct swpcap_record){
      .seconds = header->ts.tv_sec,
      .nanoseconds = (int32_t)(live->nanoseconds ? header->ts.tv_usec : header->ts.tv_usec * 1000),
      .caplen = header->caplen,
      .len = header->len,
  };
  packet->offset = live->used;
  if (header->caplen > 0) memcpy(live->bytes + live->used, data, header->caplen);
  live->used += header->caplen;
}

int swpcap_live_dispatch(struct swpcap_live *live, int most, char *errbuf) {
  live->count = 0;
  live->used = 0;
  live->out_of_memory = 0;
  errno = 0;
  int result = pcap_dispatch(live->handle, most, keep, (u_char *)live);
  // libpcap 1.10 calls it an error that nflog has nothing to read.
  int nothing = errno == EAGAIN || errno == EWOULDBLOCK || strstr(pcap_geterr(live->handle), strerror(EAGAIN)) != NULL;
  if (result < 0 && result != PCAP_ERROR_BREAK && live->count == 0 && !nothing) {
    copy_text(errbuf, pcap_geterr(live->handle));
    return SWPCAP_ERROR;
  }
  if (live->out_of_memory) live->dropped++;
  return live->count;
}

void swpcap_live_packet(const struct swpcap_live *live, int index, struct swpcap_record *record, const uint8_t **data) {
  *record = live->packets[index].record;
  *data = live->bytes + live->packets[index].offset;
}

uint64_t swpcap_live_dropped(struct swpcap_live *live) {
  struct pcap_stat statistics;
  if (pcap_stats(live->handle, &statistics) == 0) {
    // libpcap's counter has 32 bits.
    live->dropped += statistics.ps_drop - live->last_dropped;
    live->last_dropped = statistics.ps_drop;
  }
  return live->dropped;
}
