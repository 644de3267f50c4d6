// The counts at the end of a capture and at SIGUSR1.
import SwBPF
import SwBPFLiveCapture

/// What became of every packet.
struct Counts {
  var written: UInt64
  var captured: UInt64
  var droppedByKernel: UInt64
  var droppedByBuffers: UInt64
  var cut: UInt64

  /// - Parameter packets: those that went out; nil for those that readers have taken so far.
  init(_ readers: [any CaptureReader], _ engine: CaptureEngine?, packets: UInt64?) {
    let states = readers.map(\.now)
    let all = states.map(\.statistics)
    written = packets ?? all.reduce(0) { $0 + $1.delivered }
    captured = all.reduce(0) { $0 + $1.captured }
    droppedByBuffers = all.reduce(0) { $0 + $1.dropped }
    cut = all.reduce(0) { $0 + $1.cut }
    droppedByKernel = states.reduce(engine?.statistics.dropped ?? 0) { $0 + ($1.ring?.dropped ?? 0) }
  }

  func say() {
    var text = "\(Messages.packets(written)) captured\n"
    text += "\(Messages.packets(captured)) received by filter\n"
    text += "\(Messages.packets(droppedByKernel)) dropped by kernel\n"
    if droppedByBuffers > 0 {
      text += "\(Messages.packets(droppedByBuffers)) dropped by swbpf, buffers full (see -B)\n"
    }
    if cut > 0 { text += "\(Messages.packets(cut)) cut, larger than a buffer (see --ring, -B)\n" }
    Messages.write(text, to: 2)
  }
}
