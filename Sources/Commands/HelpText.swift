// What `swbpf -h` and `swbpf --version` print.

enum HelpText {
  static let version = "0.1.0"

  /// One screen: 24 lines of 80 columns.
  static let help = """
    swbpf -i eth0                        one line per packet, until Ctrl-C
    swbpf -i eth0 -w out.pcap port 443   packets that match, into a file
    swbpf -r out.pcap -c 10 host ::1     the same over a file   (man pcap-filter)

     -i IF (name, number of -D, any; may be repeated)   --netns NAME|PID|PATH
     -D list interfaces and devices   -L, -y TYPE link types   -J, -j stamp types
     -w FILE, -r FILE (- stdout, stdin)   --print lines too   -U, -l at once
     -c N stop after N   --skip N first ones   --count   -s BYTES keep of each
     -Q in|out|inout  --see-sent on|off   direction      -p not promiscuous
     -F FILE filter from a file   -O unoptimized   -d -dd -ddd the program, as text
     -B KIB buffers  --ring KIB the kernel's  --immediate-mode  --persist  --private
     --nano, --micro digits of a second   -Z USER become him   -n -K accepted

    Lines: -e link header   -q less   -v -vv -vvv more   -# numbered
     -t none  -tt epoch  -ttt since last  -tttt date  -ttttt since first   -S
     -x -xx hex   -X -XX hex and text   -A text   --color auto|always|never   --json

    While it runs, keys: s see-sent  d direction  f filter  p statistics  q quit
     and from elsewhere: swbpf see-sent on|off|toggle [--pid PID]
     swbpf direction in|out|inout [--pid PID]   swbpf filter [--pid PID] EXPR
     swbpf peers [--json]   (--no-keys, --no-control switch these off)
    Signals: INT TERM HUP end with counts; USR1 prints them; USR2 flushes -w
    --version  -h, --help  swbpf daemon|ifconfig|setkey|stress|sysctl -h  man swbpf
    """
}
