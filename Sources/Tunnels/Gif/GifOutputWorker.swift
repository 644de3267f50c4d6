// Carries what leaves by one queue of every gif.
// The body of an output worker; its thread only.
import SwBPFBPF

final class GifOutputWorker: WorkerBody, @unchecked Sendable {
  /// A gif and what it was set to.
  private struct Seat {
    let gif: Gif
    var settings: Published<GifSettings>.Copy
  }

  private let shared: TunnelShared
  private let queue: Int
  private var output: GifOutput
  private var table: Published<GifTable>.Copy
  /// By number.
  private var seats: [Seat?] = []

  /// - Parameter queue: number of the queue of each device.
  init(_ shared: TunnelShared, queue: Int) throws(BPF.Failure) {
    self.shared = shared
    self.queue = queue
    output = try GifOutput()
    table = shared.table.copy()
  }

  func refresh() {
    shared.table.refresh(&table)
    let gifs = table.value.gifs
    seats = gifs.indices.map { number in
      guard let gif = gifs[number] else { return nil }
      if number < seats.count, let seat = seats[number], seat.gif === gif { return seat }
      return Seat(gif: gif, settings: gif.variant.copy())
    }
  }

  func serve(_ tag: Int) -> CInt? {
    // An interface that is not in the table any more has been forgotten before this worker was asked to refresh.
    guard tag < seats.count, var seat = seats[tag] else { return nil }
    shared.table.refresh(&table)
    seat.gif.variant.refresh(&seat.settings)
    seats[tag]?.settings = seat.settings
    let device = seat.gif.queues[queue]
    // What becomes of an interface whose device somebody took away is the engine's matter.
    return output.serve(seat.gif, device, seat.settings.value, shared, table.value) ? nil : device.descriptor
  }
}
