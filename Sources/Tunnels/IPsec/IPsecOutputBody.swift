// Carries what leaves by one queue of every ipsec interface.
// Part of an output worker; its thread only.
import SwBPFBPF

final class IPsecOutputBody: OutputBody {
  /// An interface and what it was set to.
  private struct Seat {
    let ipsec: IPsec
    var settings: Published<IPsecSettings>.Copy
  }

  private let queue: Int
  private var output: IPsecOutput
  /// By number.
  private var seats: [Seat?] = []

  /// - Parameter queue: number of the queue of each device.
  init(_ shared: IPsecShared, queue: Int) throws(BPF.Failure) {
    self.queue = queue
    output = try IPsecOutput(shared)
  }

  func refresh(_ table: TunnelTable) {
    let ipsecs = table.ipsecs
    seats = ipsecs.indices.map { number in
      guard let ipsec = ipsecs[number] else { return nil }
      if number < seats.count, var seat = seats[number], seat.ipsec === ipsec {
        // What is old may be the last one that has a socket.
        ipsec.variant.refresh(&seat.settings)
        return seat
      }
      return Seat(ipsec: ipsec, settings: ipsec.variant.copy())
    }
    output.rest(isUsed: seats.contains { $0 != nil })
  }

  func serve(_ number: Int, _ table: TunnelTable) -> CInt? {
    // An interface that is not in the table any more has been forgotten before this worker was asked to refresh.
    guard number < seats.count, var seat = seats[number] else { return nil }
    seat.ipsec.variant.refresh(&seat.settings)
    seats[number]?.settings = seat.settings
    let device = seat.ipsec.queues[queue]
    // What becomes of an interface whose device somebody took away is the engine's matter.
    let isThere = output.serve(seat.ipsec, device, seat.settings.value, table)
    if output.mayRest { Worker.rest() }
    return isThere ? nil : device.descriptor
  }
}
