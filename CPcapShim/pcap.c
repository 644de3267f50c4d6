// libpcap for Swift: see swpcap_pcap.h.
#include "include/swpcap_pcap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct swpcap_insn) == sizeof(struct bpf_insn), "instruction layout");
_Static_assert(sizeof(struct swpcap_record) == 24, "record layout");
_Static_assert(SWPCAP_ERRBUF >= PCAP_ERRBUF_SIZE, "error text size");

struct swpcap_file {
  pcap_t *handle;
};

static void copy_text(char *errbuf, const char *text) {
  if (errbuf != NULL) snprintf(errbuf, SWPCAP_ERRBUF, "%s", text);
}

const char *swpcap_version(void) { return pcap_lib_version(); }

static int compile(pcap_t *handle, const char *expression, int optimize, uint32_t netmask, struct swpcap_insn **insns,
                   char *errbuf) {
  struct bpf_program program;
  *insns = NULL;
  if (pcap_compile(handle, &program, expression, optimize, netmask) != 0) {
    copy_text(errbuf, pcap_geterr(handle));
    return SWPCAP_ERROR;
  }
  size_t bytes = program.bf_len * sizeof(struct swpcap_insn);
  *insns = malloc(bytes > 0 ? bytes : 1);
  if (*insns == NULL) {
    pcap_freecode(&program);
    copy_text(errbuf, strerror(ENOMEM));
    return SWPCAP_ERROR;
  }
  memcpy(*insns, program.bf_insns, bytes);
  int count = (int)program.bf_len;
  pcap_freecode(&program);
  return count;
}

int swpcap_compile(int linktype, int snaplen, const char *expression, int optimize, uint32_t netmask,
                   struct swpcap_insn **insns, char *errbuf) {
  pcap_t *handle = pcap_open_dead(linktype, snaplen);
  if (handle == NULL) {
    copy_text(errbuf, strerror(ENOMEM));
    return SWPCAP_ERROR;
  }
  int result = compile(handle, expression, optimize, netmask, insns, errbuf);
  pcap_close(handle);
  return result;
}

void swpcap_free(void *memory) { free(memory); }

uint32_t swpcap_filter(const struct swpcap_insn *insns, const uint8_t *packet, uint32_t wirelen, uint32_t caplen) {
  return bpf_filter((const struct bpf_insn *)insns, packet, wirelen, caplen);
}

int swpcap_validate(const struct swpcap_insn *insns, uint32_t count) {
  return bpf_validate((const struct bpf_insn *)insns, (int)count);
}

const char *swpcap_image(const struct swpcap_insn *insn, int index) {
  return bpf_image((const struct bpf_insn *)insn, index);
}

const char *swpcap_linktype_name(int linktype) { return pcap_datalink_val_to_name(linktype); }
const char *swpcap_linktype_description(int linktype) { return pcap_datalink_val_to_description(linktype); }
int swpcap_linktype_from_name(const char *name) { return pcap_datalink_name_to_val(name); }

int swpcap_linktype_for_file(int linktype) {
  switch (linktype) {
  case DLT_RAW: return 101;  // LINKTYPE_RAW; DLT_RAW differs between systems
  default: return linktype;
  }
}

struct swpcap_file *swpcap_file_open(int fd, char *errbuf) {
  struct swpcap_file *file = calloc(1, sizeof *file);
  FILE *stream = file != NULL ? fdopen(fd, "rb") : NULL;
  if (stream == NULL) {
    copy_text(errbuf, strerror(errno));
    close(fd);
    free(file);
    return NULL;
  }
  char text[PCAP_ERRBUF_SIZE] = "";
  file->handle = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, text);
  if (file->handle == NULL) {
    copy_text(errbuf, text);
    fclose(stream);
    free(file);
    return NULL;
  }
  return file;
}

int swpcap_file_next(struct swpcap_file *file, struct swpcap_record *record, const uint8_t **data, char *errbuf) {
  struct pcap_pkthdr *header = NULL;
  const u_char *bytes = NULL;
  int result = pcap_next_ex(file->handle, &header, &bytes);
  if (result == PCAP_ERROR_BREAK) return 0;
  if (result != 1) {
    copy_text(errbuf, pcap_geterr(file->handle));
    return SWPCAP_ERROR;
  }
  record->seconds = header->ts.tv_sec;
  record->nanoseconds = (int32_t)header->ts.tv_usec;
  record->caplen = header->caplen;
  record->len = header->len;
  record->reserved = 0;
  *data = bytes;
  return 1;
}

int swpcap_file_linktype(const struct swpcap_file *file) { return pcap_datalink(file->handle); }
int swpcap_file_snaplen(const struct swpcap_file *file) { return pcap_snapshot(file->handle); }

int swpcap_file_compile(struct swpcap_file *file, const char *expression, int optimize, struct swpcap_insn **insns,
                        char *errbuf) {
  // A file has no network: with this mask the broadcast addresses are all ones and all zeros.
  return compile(file->handle, expression, optimize, 0, insns, errbuf);
}

void swpcap_file_close(struct swpcap_file *file) {
  if (file == NULL) return;
  pcap_close(file->handle);
  free(file);
}
