// Carries what leaves by one queue of every gif.
// Part of an output worker; its thread only.
import SwBPFBPF

final class GifOutputWorker: OutputBody {
  /// A gif and what it was set to.
  private struct Seat {
    let gif: Gif
    var settings: Published<GifSettings>.Copy
  }

  private let shared: TunnelShared
  private let queue: Int
  private var output: GifOutput
  /// By number.
  private var seats: [Seat?] = []

  /// - Parameter queue: number of the queue of each device.
  init(_ shared: TunnelShared, _ ipsec: IPsecShared, queue: Int) throws(BPF.Failure) {
    self.shared = shared
    self.queue = queue
    output = try GifOutput(try PolicyOutput(ipsec))
  }

  func refresh(_ table: TunnelTable) {
    let gifs = table.gifs
    seats = gifs.indices.map { number in
      guard let gif = gifs[number] else { return nil }
      if number < seats.count, let seat = seats[number], seat.gif === gif { return seat }
      return Seat(gif: gif, settings: gif.variant.copy())
    }
    output.rest(isUsed: seats.contains { $0 != nil })
  }

  func serve(_ number: Int, _ table: TunnelTable) -> CInt? {
    // An interface that is not in the table any more has been forgotten before this worker was asked to refresh.
    guard number < seats.count, var seat = seats[number] else { return nil }
    seat.gif.variant.refresh(&seat.settings)
    seats[number]?.settings = seat.settings
    let device = seat.gif.queues[queue]
    // What becomes of an interface whose device somebody took away is the engine's matter.
    return output.serve(seat.gif, device, seat.settings.value, shared, table) ? nil : device.descriptor
  }
}
