// What the command line of a capture says, as ArgumentParser takes it.
import ArgumentParser
import SwBPF

/// The options of the capture command. Their values are read by ``CaptureSettings``.
struct CaptureOptions: ParsableArguments {
  @Option(name: OptionTable.interface.specification, parsing: .unconditionalSingleValue)
  var interfaces: [String] = []

  @Option(name: OptionTable.write.specification, parsing: .unconditional)
  var output: String?

  @Option(name: OptionTable.read.specification, parsing: .unconditional)
  var input: String?

  @Option(name: OptionTable.count.specification, parsing: .unconditional)
  var countText: String?

  @Option(name: OptionTable.snapLength.specification, parsing: .unconditional)
  var snapLengthText: String?

  @Option(name: OptionTable.bufferSize.specification, parsing: .unconditional)
  var bufferSizeText: String?

  @Option(name: OptionTable.ring.specification, parsing: .unconditional)
  var ringText: String?

  @Option(name: OptionTable.direction.specification, parsing: .unconditional)
  var directionText: String?

  @Option(name: OptionTable.seeSent.specification, parsing: .unconditional)
  var seeSentText: String?

  @Option(name: OptionTable.linkType.specification, parsing: .unconditional)
  var linkType: String?

  @Option(name: OptionTable.expressionFile.specification, parsing: .unconditional)
  var expressionFile: String?

  @Option(name: OptionTable.user.specification, parsing: .unconditional)
  var user: String?

  @Flag(name: OptionTable.noPromiscuous.specification)
  var noPromiscuous: Int

  @Flag(name: OptionTable.numeric.specification)
  var numeric: Int

  @Flag(name: OptionTable.linkHeader.specification)
  var linkHeaderCount: Int

  @OptionGroup
  var lines: LineOptions

  @Flag(name: OptionTable.listInterfaces.specification)
  var listInterfacesCount: Int

  @Flag(name: OptionTable.listLinkTypes.specification)
  var listLinkTypesCount: Int

  @Flag(name: OptionTable.packetBuffered.specification)
  var packetBufferedCount: Int

  @Flag(name: OptionTable.lineBuffered.specification)
  var lineBufferedCount: Int

  @Flag(name: OptionTable.print.specification)
  var printCount: Int

  @Flag(name: OptionTable.persist.specification)
  var persistCount: Int

  @Flag(name: OptionTable.isPrivate.specification)
  var privateCount: Int

  @Flag(name: OptionTable.noKeys.specification)
  var noKeysCount: Int

  @Flag(name: OptionTable.noControl.specification)
  var noControlCount: Int

  @Flag(name: OptionTable.unoptimized.specification)
  var unoptimizedCount: Int

  @Flag(name: OptionTable.dump.specification)
  var dumpCount: Int

  @Flag(name: OptionTable.immediate.specification)
  var immediateCount: Int

  @Option(name: OptionTable.precision.specification, parsing: .unconditional)
  var precisionText: String?

  @Flag(name: OptionTable.micro.specification)
  var microCount: Int

  @Flag(name: OptionTable.nano.specification)
  var nanoCount: Int

  @Option(name: OptionTable.stampType.specification, parsing: .unconditional)
  var stampType: String?

  @Flag(name: OptionTable.listStampTypes.specification)
  var listStampTypesCount: Int

  @Flag(name: OptionTable.onlyCount.specification)
  var onlyCountCount: Int

  @Option(name: OptionTable.skip.specification, parsing: .unconditional)
  var skipText: String?

  @Flag(name: OptionTable.unchecked.specification)
  var uncheckedCount: Int

  @Option(name: OptionTable.namespace.specification, parsing: .unconditional)
  var namespace: String?

  @Flag(name: OptionTable.version.specification)
  var versionCount: Int

  @Flag(name: OptionTable.help.specification)
  var helpCount: Int

  @Flag(name: OptionTable.json.specification)
  var jsonCount: Int

  @Option(name: OptionTable.color.specification, parsing: .unconditional)
  var colorText: String?

  @Argument
  var expressionWords: [String] = []

  /// Largest snapshot length; also what 0 means. (MAXIMUM_SNAPLEN)
  static let maximumSnapLength = 262144
}
