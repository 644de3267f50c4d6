// The flags that say how lines look: tcpdump's -t, -v, -x, -X, -A, -S, -q and -#.
import ArgumentParser
import SwBPFPacketText

/// How often each flag was given. Checked with ``check()``.
struct LineOptions: ParsableArguments, Sendable {
  @Flag(name: OptionTable.stamp.specification)
  var stampCount: Int

  @Flag(name: OptionTable.verbose.specification)
  var verboseCount: Int

  @Flag(name: OptionTable.hex.specification)
  var hexCount: Int

  @Flag(name: OptionTable.hexAndText.specification)
  var hexAndTextCount: Int

  @Flag(name: OptionTable.text.specification)
  var textCount: Int

  @Flag(name: OptionTable.absoluteSequence.specification)
  var absoluteSequenceCount: Int

  @Flag(name: OptionTable.quiet.specification)
  var quietCount: Int

  @Flag(name: OptionTable.packetNumber.specification)
  var packetNumberCount: Int

  func check() throws(UsageError) {
    if StampStyle(rawValue: stampCount) == nil {
      throw UsageError("only -t, -tt, -ttt, -tttt and -ttttt are supported")
    }
  }

  /// - Parameter isLive: frames come from this machine's kernel, which may leave checksums to hardware.
  func textOptions(linkType: Int32, isLive: Bool) -> TextOptions {
    var options = TextOptions(linkType: linkType)
    options.stamp = StampStyle(rawValue: stampCount) ?? .clock
    options.verbosity = verboseCount
    options.quiet = quietCount > 0
    options.veryQuiet = quietCount > 1
    options.absoluteSequence = absoluteSequenceCount > 0
    options.packetNumber = packetNumberCount > 0
    options.recognizesOffload = isLive
    // As in tcpdump, -X goes before -x, and -x before -A.
    let (dump, count): (DumpStyle, Int) =
      hexAndTextCount > 0
      ? (.hexAndText, hexAndTextCount) : hexCount > 0 ? (.hex, hexCount) : (textCount > 0 ? .text : .none, textCount)
    options.dump = dump
    options.dumpsLinkHeader = count > 1
    return options
  }
}
