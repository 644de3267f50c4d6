// What `swbpf -h` and `swbpf --version` print.

enum HelpText {
  static let version = "0.1.0"

  static let help = """
    swbpf -i eth0                             one line per packet, until Ctrl-C
    swbpf -i eth0 -w out.pcap tcp port 443    packets that match, into a file
    swbpf -r out.pcap host 10.0.0.1           the same filters over a file

    Captures packets with the semantics of BSD's bpf(4): which direction is seen is exact from the first packet.

      -i IF            interface (a number of -D, or any); may be repeated       -D  list interfaces
      -w FILE          write packets to FILE (- for stdout)                      --print  lines too, with -w
      -r FILE          read packets from FILE (- for stdin)
      -c N             stop after N packets           -s BYTES   keep at most BYTES of each (0: 262144)
      -Q in|out|inout  direction                      --see-sent on|off  whether sent packets are seen
      -F FILE          filter expression from FILE    -O         do not optimize the filter
      -e               show the link-level header     -n         accepted: addresses are always numbers
      -l               lines at once                  -U         with -w: packets into the file at once
      -p               not promiscuous                --persist  wait for the interface, now and when it goes away
      -B KIB           buffers in all (65536)         --ring KIB size of the kernel's ring (8192; 65536 with -w)
      -y TYPE          link type   -L  list them      -Z USER    become USER before the file is opened
      --json           one JSON object per packet     --color auto|always|never
      --version        -h, --help

    Signals: INT, TERM, HUP end with counts; USR1 prints counts; USR2 flushes -w. Manual: man swbpf, man pcap-filter.
    """
}
