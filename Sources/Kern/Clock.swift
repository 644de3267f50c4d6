// Clocks, in nanoseconds. Any thread.
import Glibc

package enum Clock {
  /// CLOCK_REALTIME: the clock of the kernel's frame stamps.
  package static func wall() -> Int64 { read(CLOCK_REALTIME) }

  /// CLOCK_MONOTONIC: for deadlines.
  package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

  /// CLOCK_MONOTONIC in so many nanoseconds; the end of its range when that lies beyond.
  package static func monotonic(after delay: Int64) -> Int64 {
    let (sum, isBeyond) = monotonic().addingReportingOverflow(delay)
    return isBeyond ? .max : sum
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
